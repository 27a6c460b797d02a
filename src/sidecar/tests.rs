#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn xmp(name: &str) -> SidecarName {
    SidecarName {
        name: name.as_bytes().to_vec(),
        derived_from: None,
    }
}

/// The bonds in words: `sidecar > photo (how)`.
fn told(photos: &[&str], sidecars: &[&str]) -> Vec<String> {
    let names: Vec<SidecarName> = sidecars.iter().map(|name| xmp(name)).collect();
    let bytes: Vec<&[u8]> = photos.iter().map(|name| name.as_bytes()).collect();
    let say = |b: Bonded| {
        format!(
            "{} > {} ({:?})",
            sidecars[b.sidecar], photos[b.photo], b.bond
        )
    };
    bonds(&bytes, &names).into_iter().map(say).collect()
}

fn bond_of(sidecar: &str, photo: &str) -> Option<Bond> {
    bonds(&[photo.as_bytes()], &[xmp(sidecar)])
        .first()
        .map(|b| b.bond)
}

#[test]
fn kinds_are_known_by_the_end_of_the_name() {
    for (name, kind) in [
        ("a.xmp", Some(SidecarKind::Xmp)),
        ("A.JPG.XMP", Some(SidecarKind::Xmp)),
        ("a.jpg.Json", Some(SidecarKind::Note)),
        (".xmp", None),
        ("xmp", None),
        ("a.xmp.jpg", None),
        ("a.xml", None),
        ("a.jsonl", None),
    ] {
        assert_eq!(SidecarKind::of(name.as_bytes()), kind, "{name}");
    }
}

#[test]
fn xmp_lies_beside_the_name_or_the_stem_in_any_case() {
    assert_eq!(bond_of("garden.xmp", "garden.jpg"), Some(Bond::Stem));
    assert_eq!(bond_of("GARDEN.XMP", "garden.jpg"), Some(Bond::Stem));
    assert_eq!(bond_of("garden.jpg.xmp", "garden.jpg"), Some(Bond::Named));
    assert_eq!(bond_of("Garden.jpg.xmp", "GARDEN.JPG"), Some(Bond::Named));
    assert_eq!(bond_of("Küche.xmp", "KU\u{308}CHE.jpg"), Some(Bond::Stem));
    for (sidecar, photo) in [
        ("garden.mov.xmp", "garden.jpg"),
        ("garden.xmp", "garden2.jpg"),
        ("garden2.xmp", "garden.jpg"),
        ("garden.xmp", "garden-edited.jpg"),
        ("garden(1).xmp", "garden.jpg"),
        ("garden_01.jpg.xmp", "garden.jpg"),
    ] {
        assert_eq!(bond_of(sidecar, photo), None, "{sidecar} {photo}");
    }
}

#[test]
fn names_that_are_no_utf8_belong_to_their_own_bytes() {
    let sidecar = SidecarName {
        name: b"lat_\xe9.jpg.xmp".to_vec(),
        derived_from: None,
    };
    let photos: [&[u8]; 2] = [b"lat_\xe8.jpg", b"lat_\xe9.jpg"];
    let found = bonds(&photos, &[sidecar]);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].photo, found[0].bond), (1, Bond::Named));
}

#[test]
fn a_raw_file_and_its_jpeg_share_a_sidecar_unless_it_names_one() {
    assert_eq!(
        told(&["a.cr2", "a.jpg"], &["a.cr2.xmp", "a.xmp"]),
        [
            "a.cr2.xmp > a.cr2 (Named)",
            "a.xmp > a.cr2 (Stem)",
            "a.xmp > a.jpg (Stem)"
        ]
    );
    assert_eq!(
        told(&["a.jpg", "a.jpg.png"], &["a.jpg.xmp"]),
        ["a.jpg.xmp > a.jpg (Named)"]
    );
    assert_eq!(
        told(&["a.jpg.png"], &["a.jpg.xmp"]),
        ["a.jpg.xmp > a.jpg.png (Stem)"]
    );
}

#[test]
fn case_counts_where_photos_differ_in_nothing_else() {
    assert_eq!(
        told(&["A.jpg", "a.jpg"], &["a.jpg.xmp"]),
        ["a.jpg.xmp > a.jpg (Named)"]
    );
    assert_eq!(
        told(&["A.jpg", "a.png"], &["a.xmp"]),
        ["a.xmp > a.png (Stem)"]
    );
    assert_eq!(
        told(&["A.JPG", "a.png"], &["a.jpg.xmp"]),
        ["a.jpg.xmp > A.JPG (Named)"]
    );
}

#[test]
fn a_version_says_whose_it_is() {
    let version = |from: &str| SidecarName {
        name: b"bay_02.CR2.xmp".to_vec(),
        derived_from: Some(from.to_owned()),
    };
    let photos: [&[u8]; 2] = [b"bay.CR2", b"bay_02.CR2"];
    let who = |from: &str, photos: &[&[u8]]| -> Vec<(usize, Bond)> {
        let found = bonds(photos, &[version(from)]);
        found.into_iter().map(|b| (b.photo, b.bond)).collect()
    };
    assert_eq!(who("bay.CR2", &photos[..1]), [(0, Bond::Version)]);
    assert_eq!(who("bay_02.CR2", &photos), [(1, Bond::Named)]);
    assert_eq!(who("bay_02.CR2", &photos[..1]), [], "its photo has left");
}

#[test]
fn notes_are_found_under_all_their_names() {
    for (note, photo) in [
        ("canal.jpg.json", "canal.jpg"),
        ("canal.json", "canal.jpg"),
        ("canal.jpg.supplemental-metadata.json", "canal.jpg"),
        ("market.jpg.supplemental-met.json", "market.jpg"),
        ("market.jpg.s.json", "market.jpg"),
        ("market.jpg..json", "market.jpg"),
        ("Market.JPG.Supplemental-Metadata.JSON", "market.jpg"),
        (
            "Grandma and the dog at the lake.jpg.supplement.json",
            "Grandma and the dog at the lake.jpg",
        ),
        (
            "A walk through the old town of Ghent.jpg.suppl.json",
            "A walk through the old town of Ghent.jpg",
        ),
        ("canal.jpg(1).json", "canal(1).jpg"),
        ("canal(1).jpg.json", "canal(1).jpg"),
        ("canal.jpg.supplemental-metadata(12).json", "canal(12).jpg"),
        ("canal(1).jpg(2).json", "canal(1)(2).jpg"),
        // Cut after 46 characters, the photo after 47.
        (
            "123456789 123456789 123456789 123456789 123456.json",
            "123456789 123456789 123456789 123456789 1234567.jpg",
        ),
        (
            "123456789 123456789 123456789 123456789 123.jp.json",
            "123456789 123456789 123456789 123456789 123.jpg",
        ),
        (
            "123456789_123456789_123456789_1234_DSCN0091.JP.supplemental-meta(1).json",
            "123456789_123456789_123456789_1234_DSCN0091(1).JPG",
        ),
        ("photo.json", "photo"),
    ] {
        assert_eq!(bond_of(note, photo), Some(Bond::Note), "{note} {photo}");
    }
}

#[test]
fn edited_copies_have_the_note_of_their_original() {
    for (note, photo) in [
        ("canal.jpg.json", "canal-edited.jpg"),
        ("canal.jpg.supplemental-metadata.json", "canal-EDITED.jpg"),
        ("canal.jpg.supplem.json", "canal-bearbeitet.jpg"),
        ("canal.jpg.json", "canal-modifié.jpg"),
        ("canal.jpg.json", "canal-modifie\u{301}.jpg"),
        ("canal.jpg.json", "canal-ha editado.jpg"),
        ("canal.jpg.json", "canal-editado.jpg"),
        ("canal.jpg.json", "canal-編集済み.jpg"),
        ("canal.heic.json", "canal-edited.jpg"),
        ("canal.json", "canal-edited.jpg"),
        ("canal.jpg(1).json", "canal-edited(1).jpg"),
        ("canal.jpg(1).json", "canal(1)-edited.jpg"),
        ("canal(1).jpg.json", "canal(1)-edited.jpg"),
        (
            "canal.jpg.supplemental-metadata(1).json",
            "canal-edited(1).jpg",
        ),
        (
            "123456789_123456789_123456789_123456_DSCN0098.JPG.su.json",
            "123456789_123456789_123456789_123456_DSCN0098-ha.JPG",
        ),
        (
            "123456789_123456789_123456789_1_DSCN0098.JPG.suppl.json",
            "123456789_123456789_123456789_1_DSCN0098-ha edi.JPG",
        ),
    ] {
        assert_eq!(bond_of(note, photo), Some(Bond::Original), "{note} {photo}");
    }
    assert_eq!(
        bond_of("canal-edited.jpg.json", "canal-edited.jpg"),
        Some(Bond::Note)
    );
}

#[test]
fn notes_of_other_files_are_not_taken() {
    for (note, photo) in [
        ("canal.jpg.json", "canal(1).jpg"),
        ("canal.jpg(1).json", "canal.jpg"),
        ("canal.jpg(1).json", "canal(2).jpg"),
        ("canal.jpg(1).json", "canal-edited.jpg"),
        ("canal.jpg.json", "canal-edited(1).jpg"),
        ("canal.jpg.json", "canals.jpg"),
        ("canals.jpg.json", "canal.jpg"),
        ("canal.mp4.json", "canal.jpg"),
        ("canal.jpg.supplies.json", "canal.jpg"),
        ("cana.json", "canal.jpg"),
        ("canal.jpg.json", "canal-ed.jpg"),
        ("metadata.json", "canal.jpg"),
    ] {
        assert_eq!(bond_of(note, photo), None, "{note} {photo}");
    }
}

#[test]
fn groups_keep_numbered_photos_apart() {
    let of = |name: &str| group(name.as_bytes());
    assert_eq!(of("Trip (1).jpg"), "trip (1)");
    assert_eq!(of("Trip (12).jpg.xmp"), "trip (12)");
    assert_ne!(of("IMG_0001.jpg"), of("IMG_0002.jpg"));
    assert_ne!(of("2012.08.09 10.11.12.jpg"), of("2012.08.09 10.11.13.jpg"));
    assert_eq!(of("2012.08.09 10.11.12.jpg"), of("2012.08.09 10.11.12.xmp"));
}

/// A name of parts that mean something here.
fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("a".to_owned()),
        Just("É".to_owned()),
        Just("İΣ".to_owned()),
        "[a-c.]{1,3}",
        Just("(1)".to_owned()),
        Just("_01".to_owned()),
        Just("-edited".to_owned()),
        Just("-ha edi".to_owned()),
        Just(".supplemental-me".to_owned()),
        Just("1234567890123456789012345678901234567".to_owned()),
    ];
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn who_belongs_together_is_of_one_group(
        photo in name(),
        ending in prop_oneof![Just(".jpg"), Just(".JPG"), Just("")],
        sidecar in prop_oneof![Just(""), Just(".jpg"), Just(".jpg(1)"), Just("(1)"), Just(".suppl"), Just(".jpg.s"), Just("_01.jpg")],
        sidecar_ending in prop_oneof![Just(".xmp"), Just(".json"), Just(".JSON")],
        other in prop::option::of(name()),
    ) {
        let full = format!("{photo}{ending}");
        let base = other.unwrap_or_else(|| photo.clone());
        let beside = SidecarName {
            name: format!("{base}{sidecar}{sidecar_ending}").into_bytes(),
            derived_from: Some(full.clone()),
        };
        for bonded in bonds(&[full.as_bytes()], std::slice::from_ref(&beside)) {
            prop_assert_eq!(
                group(full.as_bytes()), group(&beside.name),
                "{:?} {:?} {:?}", full, String::from_utf8_lossy(&beside.name), bonded.bond
            );
        }
    }

    #[test]
    fn any_bytes_are_a_name(photo in prop::collection::vec(any::<u8>(), 0..80), mut beside in prop::collection::vec(any::<u8>(), 0..80)) {
        beside.extend(b".json");
        let sidecar = SidecarName { name: beside.clone(), derived_from: None };
        bonds(&[&photo[..]], &[sidecar]);
        prop_assert!(group(&beside).chars().count() <= 50);
    }

    #[test]
    fn each_photo_has_the_sidecar_of_its_own_name(names in prop::collection::hash_set("[aAbB]{1,2}(\\.jpg|\\.JPG|\\.png)", 1..6)) {
        let names: Vec<Vec<u8>> = names.into_iter().map(String::into_bytes).collect();
        let photos: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let sidecars: Vec<SidecarName> = names.iter().map(|name| SidecarName {
            name: [name, &b".xmp"[..]].concat(),
            derived_from: None,
        }).collect();
        let found: Vec<(usize, usize)> = bonds(&photos, &sidecars).iter().map(|b| (b.photo, b.sidecar)).collect();
        prop_assert_eq!(found, (0..names.len()).map(|n| (n, n)).collect::<Vec<_>>());
    }
}
