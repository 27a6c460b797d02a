//! What photos say of themselves, and what people say of them: dates, keywords, stars, names.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::env::{TestEnv, jpeg};

/// A JPEG with an XMP packet of these fields.
pub fn with_xmp(seed: u32, fields: &str) -> Vec<u8> {
    let packet = format!(
        r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
        <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
         xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
         xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
         xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#">{fields}</rdf:Description></rdf:RDF></x:xmpmeta>"#
    );
    let mut segment = b"http://ns.adobe.com/xap/1.0/\0".to_vec();
    segment.extend(packet.as_bytes());
    let plain = jpeg(seed);
    let mut out = plain[..2].to_vec();
    out.extend([0xFF, 0xE1]);
    out.extend((segment.len() as u16 + 2).to_be_bytes());
    out.extend(segment);
    out.extend(&plain[2..]);
    out
}

fn bag(name: &str, items: &[&str]) -> String {
    let items: String = items
        .iter()
        .map(|item| format!("<rdf:li>{item}</rdf:li>"))
        .collect();
    format!("<{name}><rdf:Bag>{items}</rdf:Bag></{name}>")
}

fn find(env: &TestEnv, args: &[&str]) -> Vec<String> {
    let mut found = env.names(&env.query(args));
    found.sort();
    found
}

fn show(env: &TestEnv, path: &Path) -> Value {
    env.json(&["show", path.to_str().unwrap()])
}

/// Four photos: Lisbon with four stars, Porto with two, one that the name dates, one of which nobody says anything.
fn library() -> TestEnv {
    let env = TestEnv::new();
    let lisbon = bag("lr:hierarchicalSubject", &["Places|Portugal|Lisbon"])
        + &bag("dc:subject", &["Lisbon", "Küste"])
        + "<xmp:Rating>4</xmp:Rating><photoshop:DateCreated>2011-04-05T06:07:08</photoshop:DateCreated>"
        + "<dc:title><rdf:Alt><rdf:li>Opa at the lighthouse</rdf:li></rdf:Alt></dc:title>"
        + "<MP:RegionInfo><rdf:Description><MPRI:Regions><rdf:Bag><rdf:li><rdf:Description
           MPReg:PersonDisplayName=\"Zoë Müller\" MPReg:Rectangle=\"0.1, 0.2, 0.3, 0.4\"/></rdf:li></rdf:Bag>
           </MPRI:Regions></rdf:Description></MP:RegionInfo>";
    let porto = bag("dc:subject", &["Porto"]) + "<xmp:Rating>2</xmp:Rating>";
    fs::write(env.photo("lisbon.jpg"), with_xmp(1, &lisbon)).unwrap();
    fs::write(env.photo("porto.jpg"), with_xmp(2, &porto)).unwrap();
    fs::write(env.photo("IMG_20190503_101112.jpg"), jpeg(3)).unwrap();
    fs::write(env.photo("x.jpg"), jpeg(4)).unwrap();
    assert_eq!(env.index()["failed"], 0);
    env
}

fn assert_all_is_said(env: &TestEnv) {
    let seen = show(env, &env.photo("lisbon.jpg"));
    assert_eq!(
        seen["keywords"],
        serde_json::json!(["Küste", "Places|Portugal|Lisbon"])
    );
    assert_eq!(seen["rating"], 4);
    assert_eq!(seen["title"], "Opa at the lighthouse");
    assert_eq!(seen["people"], serde_json::json!(["Zoë Müller"]));
    assert_eq!(seen["people_areas"][0]["area"]["left"], 0.1);
    assert_eq!(
        (&seen["date"], &seen["date_source"]),
        (&"2011-04-05T06:07:08".into(), &"xmp".into())
    );
    let named = show(env, &env.photo("IMG_20190503_101112.jpg"));
    assert_eq!(
        (&named["date"], &named["date_source"]),
        (&"2019-05-03T10:11:12".into(), &"name".into())
    );
    assert_eq!(
        named["captured_at"],
        Value::Null,
        "the file itself does not say it"
    );
    assert_eq!(show(env, &env.photo("x.jpg"))["date_source"], "file");

    let lisbon = ["lisbon.jpg"];
    for (flag, typed) in [
        ("--keyword", "portugal"),
        ("--keyword", "kuste"),
        ("--tag", "Lisbon"),
        ("--person", "zoe"),
        ("--rating", "3-"),
    ] {
        assert_eq!(find(env, &[flag, typed]), lisbon, "{flag} {typed}");
    }
    assert_eq!(find(env, &["--rating", "2-3"]), ["porto.jpg"]);
    assert_eq!(
        find(env, &["--since", "2019-05", "--until", "2019-05"]),
        ["IMG_20190503_101112.jpg"]
    );
}

#[test]
fn what_the_file_says_is_found_and_shown() {
    let env = library();
    assert_all_is_said(&env);
    let table = env.ok(&["query", "--keyword", "portugal"]);
    assert!(table.contains("2011-04-05 06:07"), "{table}");
    assert!(table.contains("Küste, Lisbon"), "{table}");
    let named = env.ok(&["query", "--since", "2019-05", "--until", "2019-05"]);
    assert!(
        named.contains("(2019-05-03 10:11)"),
        "not the camera's: {named}"
    );
    let tags = env.ok(&["tags"]);
    assert!(tags.contains("1  Places|Portugal|Lisbon"), "{tags}");
    assert!(env.ok(&["people"]).contains("1  Zoë Müller"));
    // A typing mistake.
    for (flag, typed, meant) in [
        ("--keyword", "Prto", ""),
        ("--keyword", "portugl", "Portugal"),
        ("--person", "mueller", ""),
    ] {
        let output = env.run(&["query", flag, typed]);
        assert_eq!(output.status.code(), Some(1), "{flag} {typed}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(typed) && said.contains(meant), "{said}");
    }
    assert!(
        env.refused(&["query", "--rating", "many"])
            .contains("--rating")
    );
}

#[test]
fn an_index_of_the_first_version_is_read_again_for_what_is_said() {
    let env = library();
    fs::remove_dir_all(env.data()).unwrap();
    fs::create_dir_all(env.data()).unwrap();
    let index = Connection::open(env.data().join("index.db")).unwrap();
    index
        .execute_batch(include_str!("../../migrations/0001_initial.sql"))
        .unwrap();
    index
        .pragma_update(None, "application_id", 0x7068_7464)
        .unwrap();
    index.pragma_update(None, "user_version", 1).unwrap();
    for (id, name) in (1..).zip([
        "lisbon.jpg",
        "porto.jpg",
        "IMG_20190503_101112.jpg",
        "x.jpg",
    ]) {
        let hash = blake3::hash(&fs::read(env.photo(name)).unwrap());
        index
            .execute(
                "INSERT INTO photos (id, hash, format, width, height, orientation, phash,
                     decoder_version, indexed_at) VALUES (?1, ?2, 'jpeg', 4, 3, 1, x'00', 2, 1)",
                rusqlite::params![id, &hash.as_bytes()[..]],
            )
            .unwrap();
    }
    drop(index);
    assert_eq!(env.index()["failed"], 0);
    assert_all_is_said(&env);
    let seen = show(&env, &env.photo("x.jpg"));
    assert_eq!(seen["width"], 4, "what was known of the picture stays");
}

#[test]
fn marks_belong_to_the_content() {
    let env = library();
    let (x, y) = (env.photo("x.jpg"), env.photo("sub/y.jpg"));
    env.ok(&[
        "mark",
        x.to_str().unwrap(),
        "--tag",
        "Best|Of all",
        "--rating",
        "5",
        "--title",
        "Mine",
    ]);
    assert_eq!(find(&env, &["--rating", "5"]), ["x.jpg"]);
    fs::create_dir(env.photo("sub")).unwrap();
    fs::rename(&x, &y).unwrap();
    env.index();
    let seen = show(&env, &y);
    assert_eq!(
        (&seen["title"], &seen["rating"]),
        (&"Mine".into(), &5.into())
    );
    let best = &seen["tags"][0];
    assert_eq!(
        (&best["name"], &best["sources"]),
        (&"Of all".into(), &serde_json::json!(["mark"]))
    );
    assert_eq!(find(&env, &["--tag", "best"]), ["sub/y.jpg"]);
    // It counts before what the file says.
    env.ok(&[
        "mark",
        env.photo("lisbon.jpg").to_str().unwrap(),
        "--rating",
        "1",
    ]);
    assert_eq!(find(&env, &["--rating", "1"]), ["lisbon.jpg"]);
    env.ok(&[
        "mark",
        env.photo("lisbon.jpg").to_str().unwrap(),
        "--no-rating",
    ]);
    assert_eq!(find(&env, &["--rating", "4"]), ["lisbon.jpg"]);
    env.ok(&["mark", y.to_str().unwrap(), "--clear"]);
    assert_eq!(show(&env, &y)["title"], Value::Null);
    let refused = env.refused(&["mark", y.to_str().unwrap()]);
    assert!(refused.contains("--tag"), "{refused}");
    let missing = env.refused(&[
        "mark",
        env.photo("none.jpg").to_str().unwrap(),
        "--rating",
        "3",
    ]);
    assert!(missing.contains("none.jpg"), "{missing}");
}
