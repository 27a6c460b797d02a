use proptest::prelude::*;

use super::*;
use crate::said::text::{line, paragraphs};
use crate::said::{
    DateField, FaceArea, Keyword, MAX_KEYWORDS, MAX_LEVELS, MAX_WORD, Person, Position, SaidDate,
    Standard, WrittenDate,
};

fn keywords(all: &[&str]) -> Vec<Keyword> {
    all.iter()
        .filter_map(|text| Keyword::path(text, '|'))
        .collect()
}

fn joined(said: &[Keyword]) -> Vec<String> {
    said.iter()
        .map(|keyword| keyword.levels().join("|"))
        .collect()
}

fn date(field: DateField, text: &str) -> SaidDate {
    let date = WrittenDate::parse(text).expect("a date");
    SaidDate { field, date }
}

fn person(name: &str, area: Option<FaceArea>) -> Person {
    Person {
        name: name.to_owned(),
        area,
    }
}

fn none() -> Said {
    Said::default()
}

#[test]
fn keywords_are_each_there_once_whatever_their_spelling() {
    let xmp = Said {
        keywords: keywords(&["Küste", "Lisbon", "Places|Portugal|Lisbon", "sea"]),
        ..none()
    };
    let iptc = Said {
        keywords: keywords(&["KU\u{308}STE", "places|portugal|LISBON", "harbour"]),
        ..none()
    };
    let said = merged([xmp, iptc, none()]);
    let expected = ["Küste", "Places|Portugal|Lisbon", "sea", "harbour"];
    assert_eq!(joined(&said.keywords), expected);
}

#[test]
fn there_are_only_so_many_keywords_and_levels() {
    let many = Said {
        keywords: (0..3000)
            .filter_map(|i| Keyword::flat(&i.to_string()))
            .collect(),
        ..none()
    };
    let said = merged([many, none(), none()]);
    assert_eq!(said.keywords.len(), MAX_KEYWORDS);
    assert_eq!(
        said.dropped,
        ["more keywords and people than are kept of one photo"]
    );
    let deep = Keyword::path(&"a|".repeat(5000), '|');
    assert_eq!(deep.map(|k| k.levels().len()), Some(MAX_LEVELS));
    let long = Keyword::flat(&"x".repeat(5000));
    assert_eq!(long.map(|k| k.word().len()), Some(MAX_WORD));
    assert_eq!(Keyword::path("| |", '|'), None);
}

#[test]
fn dates_come_in_the_order_of_trust() {
    let fields = |dates: &[DateField]| Said {
        dates: dates.iter().map(|field| date(*field, "2019")).collect(),
        ..none()
    };
    let said = merged([
        fields(&[DateField::XmpOriginal, DateField::XmpFileCreated]),
        fields(&[DateField::Iptc]),
        fields(&[
            DateField::ExifOriginal,
            DateField::ExifModified,
            DateField::Gps,
        ]),
    ]);
    let sources: Vec<_> = said.dates.iter().map(|d| d.field.source()).collect();
    assert_eq!(sources, ["exif", "xmp", "xmp", "iptc", "gps", "exif"]);
}

#[test]
fn words_come_from_xmp_first_and_facts_from_exif() {
    let place = |source| Position {
        lat: 1.0,
        lon: 2.0,
        altitude_m: None,
        source,
    };
    let of = |from: Standard| Said {
        orientation: Some(6),
        position: Some(place(from)),
        title: line(&format!("{} title", from.name()), 99),
        caption: line(&format!("{} caption", from.name()), 99),
        rating: Some(from as i8),
        ..none()
    };
    let said = merged([of(Standard::Xmp), of(Standard::Iptc), of(Standard::Exif)]);
    assert_eq!(said.title.as_deref(), Some("xmp title"));
    assert_eq!(said.caption.as_deref(), Some("xmp caption"));
    assert_eq!(said.rating, Some(Standard::Xmp as i8));
    assert_eq!(said.position, Some(place(Standard::Exif)));
    let said = merged([none(), of(Standard::Iptc), of(Standard::Exif)]);
    assert_eq!(said.title.as_deref(), Some("iptc title"));
}

#[test]
fn exifs_copy_of_a_caption_is_no_title() {
    let text = || Some("Opa at the lake".to_owned());
    let xmp = Said {
        caption: text(),
        ..none()
    };
    let exif = Said {
        title: text(),
        ..none()
    };
    let said = merged([xmp, none(), exif.clone()]);
    assert_eq!((said.title, said.caption), (None, text()));
    let alone = merged([none(), none(), exif]);
    assert_eq!((alone.title, alone.caption), (text(), None));
}

#[test]
fn people_are_each_there_once_with_the_first_area() {
    let area = FaceArea::inside(0.1, 0.1, 0.2, 0.2);
    let xmp = Said {
        people: vec![
            person("Nora", None),
            person("NORA", area),
            person("Opa", None),
        ],
        ..none()
    };
    let said = merged([xmp, none(), none()]);
    assert_eq!(said.people, [person("Nora", area), person("Opa", None)]);
}

#[test]
fn areas_end_where_the_picture_ends() {
    let inside =
        |l, t, w, h| FaceArea::inside(l, t, w, h).map(|a| (a.left, a.top, a.width, a.height));
    assert_eq!(inside(-0.5, 0.5, 1.0, 1.0), Some((0.0, 0.5, 0.5, 0.5)));
    for (l, t, w, h) in [
        (0.5, 0.5, 0.0, 0.1),
        (0.5, 0.5, -0.2, 0.1),
        (1.5, 0.5, 0.1, 0.1),
        (0.5, 0.5, 100.0, 0.1),
        (f64::NAN, 0.5, 0.1, 0.1),
        (0.5, 0.5, f64::INFINITY, 0.1),
    ] {
        assert_eq!(inside(l, t, w, h), None, "{l} {t} {w} {h}");
    }
}

#[test]
fn a_file_without_words_says_nothing() {
    assert_eq!(said_by_file(none(), None, None), none());
    assert_eq!(said_by_file(none(), None, Some(b"")), none());
}

proptest! {
    #[test]
    fn whatever_is_read_a_parent_process_believes(
        text in any::<String>(), words in prop::collection::vec("\\PC{0,300}", 0..40), long in 0usize..3000,
    ) {
        let mut xmp = none();
        for word in &words {
            xmp.add_keyword(Standard::Xmp, Keyword::path(&word.repeat(1 + long / 100), '|'));
            xmp.add_person(Standard::Xmp, &word.repeat(1 + long / 50), None);
        }
        xmp.tell(Standard::Xmp, format_args!("{text}\n{}", text.repeat(long / 10)));
        xmp.title = line(&text, crate::said::MAX_TITLE);
        xmp.caption = paragraphs(&words.join("\n"), crate::said::MAX_CAPTION);
        let said = merged([xmp, none(), none()]);
        prop_assert!(said.is_possible(), "{said:?}");
        let json = serde_json::to_string(&said).unwrap();
        prop_assert!(json.len() < 900_000);
        prop_assert_eq!(serde_json::from_str::<Said>(&json).unwrap(), said);
    }
}
