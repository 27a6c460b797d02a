use std::sync::LazyLock;

use proptest::prelude::*;

use super::nearest::{Fit, Point, people_of};
use super::*;

static BUILT_IN: LazyLock<Gazetteer> = LazyLock::new(|| Gazetteer::built_in().unwrap());

fn place(lat: f64, lon: f64) -> Option<String> {
    let spot = BUILT_IN.nearest(lat, lon)?;
    Some(BUILT_IN.locality(spot).unwrap().to_string())
}

/// As the promise is written: every place is looked at.
fn slowly(lat: f64, lon: f64) -> Option<Spot> {
    static POINTS: LazyLock<Vec<Point>> = LazyLock::new(|| {
        let middles = BUILT_IN.points.iter().map(|point| curve::middle(*point));
        middles
            .map(|(north, east)| Point::new(north, east))
            .collect()
    });
    let from = Point::new(lat, lon);
    let fits = POINTS.iter().zip(&BUILT_IN.sizes).zip(0u32..);
    let fits = fits.map(|((point, size), place)| (Fit::new(from.distance_km(point), *size), place));
    let (fit, place) = fits.min_by(|a, b| a.partial_cmp(b).unwrap())?;
    fit.how().map(|how| Spot { place, how })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_nearest_is_what_looking_at_all_finds(
        lat in -90.0..=90.0f64, lon in -180.0..=180.0f64,
        near in 0..226_000usize, aside in (-1.5..1.5f64, -3.0..3.0f64), at in 0..6usize,
    ) {
        // Anywhere, and where people are.
        let (north, east) = curve::middle(BUILT_IN.points[near]);
        let (north, east) = (north + aside.0, (east + aside.1 + 540.0).rem_euclid(360.0) - 180.0);
        let edges = [(lat, 180.0), (lat, -180.0), (90.0, lon), (-90.0, lon), (89.3, lon), (lat, 179.999)];
        for (lat, lon) in [(lat, lon), (north.clamp(-90.0, 90.0), east), edges[at]] {
            prop_assert_eq!(BUILT_IN.nearest(lat, lon), slowly(lat, lon), "{}, {}", lat, lon);
        }
    }

    #[test]
    fn what_is_no_point_is_nowhere(lat in any::<f64>(), lon in any::<f64>()) {
        let found = BUILT_IN.nearest(lat, lon);
        prop_assert!(found.is_none() || (lat.abs() <= 90.0 && lon.abs() <= 180.0));
    }

    #[test]
    fn a_bare_name_has_nothing_left_to_take_off(name in "\\PC{0,20}") {
        let bare = names::bare_name(&name);
        prop_assert_eq!(names::bare_name(&bare), bare);
    }
}

#[test]
fn places_are_called_what_people_call_them() {
    for (lat, lon, name) in [
        // In the middle of a city, whatever stands nearer.
        (48.8566, 2.3522, "Paris, Île-de-France, France"),
        (48.8530, 2.3499, "Paris, Île-de-France, France"),
        (48.8849, 2.3431, "Paris, Île-de-France, France"),
        (35.0116, 135.7681, "Kyoto, Japan"),
        (48.1374, 11.5755, "Munich, Bavaria, Germany"),
        (1.2834, 103.8607, "Singapore"),
        (43.7384, 7.4246, "Monaco"),
        // A town beside a city is itself.
        (48.8162, 2.3139, "Montrouge, Île-de-France, France"),
        (40.7357, -74.1724, "Newark, New Jersey, United States"),
        // On both sides of the line where days change.
        (-16.78, 179.98, "Northern, Fiji"),
        (-16.80, -179.98, "Northern, Fiji"),
        (66.30, -179.12, "Egvekinot, Chukotka, Russia"),
        (66.30, 179.98, "Chukotka, Russia"),
        // Where there are few people.
        (
            78.2232,
            15.6469,
            "Longyearbyen, Svalbard, Svalbard & Jan Mayen",
        ),
        (-54.8019, -68.3030, "Ushuaia, Tierra del Fuego, Argentina"),
    ] {
        assert_eq!(place(lat, lon).as_deref(), Some(name), "{lat}, {lon}");
    }
}

#[test]
fn the_sea_and_the_ice_are_nowhere() {
    for (lat, lon) in [
        (30.0, -40.0),
        (0.0, 0.0),
        (-45.0, -179.99),
        (90.0, 0.0),
        (-90.0, 123.0),
        (-75.0, 0.0),
        (f64::NAN, 0.0),
        (48.0, 180.01),
        (91.0, 2.0),
    ] {
        assert_eq!(place(lat, lon), None, "{lat}, {lon}");
    }
}

#[test]
fn what_a_word_means_is_found_by_any_of_its_names() {
    let first = |word: &str| {
        BUILT_IN
            .named(word)
            .unwrap()
            .first()
            .map(ToString::to_string)
    };
    for (word, means) in [
        ("Kyoto", "Kyoto, Japan"),
        ("KYŌTO", "Kyoto, Japan"),
        ("京都", "Kyoto, Japan"),
        ("München", "Munich, Bavaria, Germany"),
        ("munchen", "Munich, Bavaria, Germany"),
        ("muenchen", "Munich, Bavaria, Germany"),
        ("Wien", "Vienna, Austria"),
        ("Москва", "Moscow, Russia"),
        ("weißenfels", "Weißenfels, Saxony-Anhalt, Germany"),
        ("weissenfels", "Weißenfels, Saxony-Anhalt, Germany"),
        ("st louis", "St. Louis, Missouri, United States"),
        (
            "saint etienne",
            "Saint-Étienne, Auvergne-Rhône-Alpes, France",
        ),
        ("NIPPON", "Japan"),
        ("deutschland", "Germany"),
        ("日本", "Japan"),
        ("usa", "United States"),
        ("bayern", "Bavaria, Germany"),
        ("tx", "Texas, United States"),
        ("cluj", "Cluj County, Romania"),
    ] {
        assert_eq!(first(word).as_deref(), Some(means), "{word}");
    }
    for nothing in ["", " -.", "qzxqzx", "kyot"] {
        assert_eq!(first(nothing), None, "{nothing}");
    }
    // The largest first: Texas' comes later.
    let paris = BUILT_IN.named("paris").unwrap();
    assert_eq!(paris[0].code, "FR");
    assert!(paris.iter().any(|p| p.region.as_deref() == Some("Texas")));
}

/// What the script has folded is what is typed and folded here.
#[test]
fn stored_names_are_bare_as_this_program_makes_them() {
    let check = |others: &str| {
        for other in others.split('\t').filter(|other| !other.is_empty()) {
            assert_eq!(names::bare_name(other), other);
        }
    };
    for line in 0..BUILT_IN.areas.len() {
        let area = BUILT_IN.areas.get(line);
        assert!(!area.name.is_empty() && area.code.len() >= 2, "{area:?}");
        check(area.others);
    }
    let mut places = 0;
    for group in 0..BUILT_IN.packed.groups() {
        for line in BUILT_IN.packed.group(group).unwrap().lines() {
            let (name, others) = line.split_once('\t').unwrap_or((line, ""));
            assert!(!names::bare_name(name).is_empty(), "{name}");
            check(others);
            places += 1;
        }
    }
    assert_eq!(places, BUILT_IN.points.len());
}

#[test]
fn all_words_of_a_locality_are_known() {
    let spot = BUILT_IN.nearest(48.2082, 16.3738).unwrap();
    let names = BUILT_IN.names(spot).unwrap();
    assert!(names.place.contains(&"vienna".to_owned()));
    assert!(names.place.contains(&"wien".to_owned()));
    assert_eq!(names.region[0], "vienna");
    assert!(names.country.contains(&"osterreich".to_owned()));
    // In the Sahara only region and country are known.
    let spot = BUILT_IN.nearest(23.2, 5.9).unwrap();
    let names = BUILT_IN.names(spot).unwrap();
    assert!(names.place.is_empty());
    assert_eq!(names.country[0], "algeria");
    assert_eq!(BUILT_IN.locality(spot).unwrap().name, None);
}

#[test]
fn the_data_is_what_its_readme_says() {
    assert!(PLACES.len() <= 4_000_000, "{}", PLACES.len());
    assert_eq!(BUILT_IN.points.len(), 226_243);
    assert!(BUILT_IN.points.is_sorted());
    let countries = (0..BUILT_IN.areas.len()).filter(|line| BUILT_IN.areas.get(*line).is_country());
    assert_eq!((countries.count(), BUILT_IN.areas.len()), (246, 246 + 3773));
    // Tokyo, Shanghai and the like are all there.
    let millions = BUILT_IN.sizes.iter().filter(|size| people_of(**size) > 1e6);
    assert!(millions.count() > 400);
}

#[test]
fn the_identity_is_that_of_the_content() {
    let mut sum = ring::digest::Context::new(&ring::digest::SHA256);
    for part in 0..BUILT_IN.packed.groups() + 2 {
        sum.update(&BUILT_IN.packed.part(part).unwrap());
    }
    let sum = crate::photo::hex(&sum.finish().as_ref()[..8]);
    assert_eq!(Gazetteer::identity().unwrap(), sum);
}

#[test]
fn damage_is_told() {
    for bytes in [
        &b""[..],
        b"photplc",
        b"photplc1",
        &PLACES[..20],
        &PLACES[..1 << 20],
    ] {
        assert!(Packed::new(bytes).is_err());
    }
    let mut broken = PLACES.to_vec();
    let len = broken.len();
    broken[len - 1000..].fill(0x5A);
    let packed = Packed::new(&broken).unwrap();
    assert!(packed.group(packed.groups() - 1).is_err());
}
