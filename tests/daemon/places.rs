//! Where photos were taken: names for coordinates, and queries by them.

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::env::{TestEnv, jpeg};
use crate::saying::with_xmp;

/// A JPEG that says it was taken there: degrees and minutes as XMP writes them.
fn taken(seed: u32, lat: &str, lon: &str) -> Vec<u8> {
    with_xmp(
        seed,
        &format!(
            r#"<exif:GPSLatitude xmlns:exif="http://ns.adobe.com/exif/1.0/">{lat}</exif:GPSLatitude>
               <exif:GPSLongitude xmlns:exif="http://ns.adobe.com/exif/1.0/">{lon}</exif:GPSLongitude>"#
        ),
    )
}

/// Two photos in Kyoto, one near Paris, one in Paris in Texas, one out at sea, one of which nothing is known.
fn library() -> TestEnv {
    let env = TestEnv::new();
    for (seed, name, lat, lon) in [
        (1, "temple.jpg", "35,0.696N", "135,46.086E"),
        (2, "garden.jpg", "35,1.6N", "135,47.5E"),
        (3, "paris.jpg", "48,51.4N", "2,21.13E"),
        (4, "texas.jpg", "33,39.65N", "95,33.33W"),
        (5, "sea.jpg", "30,0.0N", "40,0.0W"),
    ] {
        fs::write(env.photo(name), taken(seed, lat, lon)).unwrap();
    }
    fs::write(env.photo("home.jpg"), jpeg(6)).unwrap();
    assert_eq!(env.index()["failed"], 0);
    env
}

fn find(env: &TestEnv, args: &[&str]) -> Vec<String> {
    let mut found = env.names(&env.query(args));
    found.sort();
    found
}

fn assert_all_is_found(env: &TestEnv) {
    for (typed, photos) in [
        ("Kyoto", &["garden.jpg", "temple.jpg"][..]),
        ("KYŌTO", &["garden.jpg", "temple.jpg"]),
        ("京都", &["garden.jpg", "temple.jpg"]),
        ("japan", &["garden.jpg", "temple.jpg"]),
        ("Nippon", &["garden.jpg", "temple.jpg"]),
        ("paris", &["paris.jpg", "texas.jpg"]),
        ("Paris, Frankreich", &["paris.jpg"]),
        ("paris texas", &["texas.jpg"]),
        ("île de france", &["paris.jpg"]),
        ("Estados Unidos", &["texas.jpg"]),
    ] {
        assert_eq!(find(env, &["--place", typed]), photos, "{typed}");
    }
    assert_eq!(find(env, &["--no-place"]), ["home.jpg"]);
    assert_eq!(
        find(env, &["--place", "paris", "--place", "france"]),
        ["paris.jpg"]
    );
}

fn show(env: &TestEnv, name: &str) -> Value {
    env.json(&["show", env.photo(name).to_str().unwrap()])
}

#[test]
fn photos_are_found_by_where_they_were_taken() {
    let env = library();
    assert_all_is_found(&env);
    let temple = show(&env, "temple.jpg");
    assert_eq!(temple["place"], "Kyoto, Japan");
    assert_eq!(
        temple["locality"],
        json!({ "name": "Kyoto", "near": false, "region": "Kyoto", "country": "Japan", "code": "JP" })
    );
    assert_eq!(
        show(&env, "texas.jpg")["place"],
        "Paris, Texas, United States"
    );
    for name in ["sea.jpg", "home.jpg"] {
        assert_eq!(show(&env, name)["place"], Value::Null, "{name}");
    }
    let listed = env.json(&["places", "--format", "json"]);
    assert_eq!(
        listed[0],
        json!({ "name": "Japan", "code": "JP", "photos": 2, "within": [
            { "name": "Kyoto", "photos": 2, "within": [{ "name": "Kyoto", "photos": 2 }] }] })
    );
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let table = env.ok(&["places", "Paris, Texas"]);
    assert_eq!(
        table.lines().map(str::trim).collect::<Vec<_>>(),
        ["1  United States", "1    Texas", "1      Paris"]
    );
}

#[test]
fn a_place_without_photos_and_no_place_are_told_apart() {
    let env = library();
    let said = |args: &[&str], code| {
        let output = env.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let elsewhere = said(&["query", "--place", "Reykjavik"], 1);
    assert!(
        elsewhere.contains("no photo was taken in Reykjavík"),
        "{elsewhere}"
    );
    let elsewhere = said(&["query", "--place", "Paris, Ontario"], 1);
    assert!(
        elsewhere.contains("no photo was taken in Paris, Ontario, Canada"),
        "{elsewhere}"
    );
    let misspelt = said(&["places", "Kyotto"], 1);
    assert!(misspelt.contains("did you mean Kyoto?"), "{misspelt}");
    let nonsense = said(&["query", "--place", "qzxqzx"], 1);
    assert!(nonsense.contains("no place is called"), "{nonsense}");
    let numbers = said(&["query", "--place", "48.86,2.35"], 2);
    assert!(numbers.contains("--near 48.86,2.35"), "{numbers}");
}

#[test]
fn photos_of_an_older_index_get_their_places_without_being_opened() {
    let env = TestEnv::new();
    fs::create_dir_all(env.data()).unwrap();
    // As a program before place names left it; what it lists lies nowhere now, so nothing can be opened.
    let index = Connection::open(env.data().join("index.db")).unwrap();
    index
        .execute_batch(include_str!("../../migrations/0001_initial.sql"))
        .unwrap();
    index
        .pragma_update(None, "application_id", 0x7068_7464)
        .unwrap();
    index.pragma_update(None, "user_version", 1).unwrap();
    index
        .execute_batch(
            "INSERT INTO roots (id, path, volume, added_at, online) VALUES (1, CAST('/photond-test/away' AS BLOB), 'v', 1, 0);
             INSERT INTO photos (id, hash, format, width, height, orientation, phash, decoder_version, indexed_at, lat, lon)
             VALUES (1, randomblob(32), 'jpeg', 4, 3, 1, x'00', 2, 1, 35.0116, 135.7681),
                    (2, randomblob(32), 'jpeg', 4, 3, 1, x'00', 2, 1, 48.8566, 2.3522),
                    (3, randomblob(32), 'jpeg', 4, 3, 1, x'00', 2, 1, NULL, NULL);
             INSERT INTO files (root, path, size, mtime_ns, ctime_ns, inode, photo)
             VALUES (1, CAST('kyoto.jpg' AS BLOB), 1, 2, 3, 4, 1), (1, CAST('paris.jpg' AS BLOB), 1, 2, 3, 5, 2),
                    (1, CAST('nowhere.jpg' AS BLOB), 1, 2, 3, 6, 3);",
        )
        .unwrap();
    drop(index);
    let daemon = env.watch();
    env.wait_until("Kyoto is found", || {
        env.run(&["query", "--place", "kyoto"]).status.success()
    });
    let named = |args: &[&str]| -> Vec<String> {
        let rows = env.query(args);
        let path = |row: &Value| row["path"].as_str().unwrap_or_default().to_owned();
        rows.iter().map(path).collect()
    };
    let away = |name: &str| vec![format!("/photond-test/away/{name}")];
    assert_eq!(named(&["--place", "japan"]), away("kyoto.jpg"));
    assert_eq!(named(&["--place", "paris"]), away("paris.jpg"));
    assert_eq!(named(&["--no-place"]), away("nowhere.jpg"));
    daemon.stop();
}
