//! Files beside photos: what they say counts, and no photo is opened for it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::env::{Daemon, TestEnv, jpeg, save};

/// An XMP file with these keywords and fields.
fn xmp(keywords: &[&str], fields: &str) -> String {
    let items: String = keywords
        .iter()
        .map(|word| format!("<rdf:li>{word}</rdf:li>"))
        .collect();
    format!(
        r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
        <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
         xmlns:exif="http://ns.adobe.com/exif/1.0/" {fields}><dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject>
        </rdf:Description></rdf:RDF></x:xmpmeta>"#
    )
}

/// A Takeout's note: noon on 10 July 2012, in Paris.
fn note(title: &str) -> String {
    json!({
        "title": title,
        "description": "By the canal",
        "photoTakenTime": {"timestamp": "1341921600", "formatted": "x"},
        "geoData": {"latitude": 48.85, "longitude": 2.35, "altitude": 0.0},
        "people": [{"name": "Nora Lind"}],
    })
    .to_string()
}

/// Writes a file as programs do that mean to be safe: beside it, then in its place.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("tmp");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

fn tagged(env: &TestEnv, word: &str) -> Vec<String> {
    let mut found = env.names(&env.query(&["--keyword", word]));
    found.sort();
    found
}

/// Waits until exactly these photos carry a keyword.
fn wait_for(env: &TestEnv, word: &str, wanted: &[&str]) {
    env.wait_until(&format!("{word} on {wanted:?}"), || {
        tagged(env, word) == wanted
    });
}

fn show(env: &TestEnv, name: &str) -> Value {
    env.json(&["show", env.photo(name).to_str().unwrap()])
}

/// Writes down from now on which files a daemon opens; `None` where that is not allowed.
struct Opens {
    strace: Daemon,
    log: std::path::PathBuf,
}

impl Opens {
    fn of(env: &TestEnv, daemon: &Daemon) -> Option<Self> {
        let (log, said) = (env.outside("opens.log"), env.outside("strace.err"));
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-e", "trace=open,openat,openat2", "-o"])
            .arg(&log)
            .args(["-p", &daemon.pid().to_string()])
            .stdout(Stdio::null())
            .stderr(fs::File::create(&said).unwrap());
        if Command::new("strace").arg("-V").output().is_err() {
            eprintln!("skipped: no strace");
            return None;
        }
        let strace = env.spawn(strace);
        let said = || fs::read_to_string(&said).unwrap_or_default();
        env.wait_until("strace has attached or given up", || {
            said().contains("attached") || said().contains("ttach: ")
        });
        if !said().contains("attached") {
            eprintln!("skipped: tracing is not allowed here: {}", said());
            return None;
        }
        Some(Self { strace, log })
    }

    /// The names of files below the watched folder that were opened, as far as they end in one of these.
    fn names(self, endings: &[&str]) -> Vec<String> {
        // It lets go of the daemon and ends.
        self.strace.stop();
        let text = fs::read_to_string(&self.log).unwrap();
        let names = text.lines().filter_map(|line| line.split('"').nth(1));
        // Photos and what lies beside them are opened from their folder; by whole paths go files of its own.
        let names = names.filter(|name| !name.starts_with('/'));
        let mut names: Vec<String> = names
            // Others are opened by their whole path.
            .filter(|name| !name.starts_with('/'))
            .filter(|name| endings.iter().any(|ending| name.ends_with(ending)))
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

#[test]
fn a_sidecar_is_followed_and_no_photo_is_opened_for_it() {
    let env = TestEnv::new();
    for (seed, name) in [(1, "a.jpg"), (2, "b.jpg"), (3, "c.jpg")] {
        save(seed, &env.photo(name));
    }
    fs::write(env.photo("a.xmp"), xmp(&["old"], "xmp:Rating='3'")).unwrap();
    let daemon = env.watch();
    assert_eq!(tagged(&env, "old"), ["a.jpg"]);
    let opens = Opens::of(&env, &daemon);

    replace(&env.photo("a.xmp"), &xmp(&["new"], "xmp:Rating='4'"));
    wait_for(&env, "new", &["a.jpg"]);
    assert_eq!(tagged(&env, "old"), [""; 0]);
    assert_eq!(show(&env, "a.jpg")["rating"], 4);
    // In place, and another kind beside another photo.
    fs::write(env.photo("a.xmp"), xmp(&["newer"], "")).unwrap();
    fs::write(env.photo("b.jpg.supplemental-meta.json"), note("b.jpg")).unwrap();
    wait_for(&env, "newer", &["a.jpg"]);
    env.wait_until("the note counts", || {
        show(&env, "b.jpg")["date_source"] == "takeout"
    });
    // From one photo to another, and away.
    fs::rename(env.photo("a.xmp"), env.photo("c.jpg.XMP")).unwrap();
    wait_for(&env, "newer", &["c.jpg"]);
    fs::remove_file(env.photo("c.jpg.XMP")).unwrap();
    fs::remove_file(env.photo("b.jpg.supplemental-meta.json")).unwrap();
    wait_for(&env, "newer", &[]);
    env.wait_until("the note is gone with its words", || {
        let seen = show(&env, "b.jpg");
        seen["date_source"] == "file" && seen["caption"].is_null() && seen["lat"].is_null()
    });
    if let Some(opens) = opens {
        assert_eq!(
            opens.names(&[".jpg", ".xmp", ".XMP", ".json"]),
            ["a.xmp", "b.jpg.supplemental-meta.json", "c.jpg.XMP"]
        );
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn sidecars_and_photos_come_move_and_go_in_any_order() {
    let env = TestEnv::new();
    let daemon = env.watch();
    // The sidecar comes first, then its photo.
    fs::write(env.photo("a.jpg.xmp"), xmp(&["early"], "")).unwrap();
    save(1, &env.photo("a.jpg"));
    wait_for(&env, "early", &["a.jpg"]);
    // Both move, in a folder that is then renamed.
    fs::create_dir(env.photo("one")).unwrap();
    fs::rename(env.photo("a.jpg"), env.photo("one/b.jpg")).unwrap();
    wait_for(&env, "early", &[]);
    fs::rename(env.photo("a.jpg.xmp"), env.photo("one/b.jpg.xmp")).unwrap();
    wait_for(&env, "early", &["one/b.jpg"]);
    fs::rename(env.photo("one"), env.photo("two")).unwrap();
    wait_for(&env, "early", &["two/b.jpg"]);
    // A raw file's sidecar is its JPEG's too; left out by a rule, it is nobody's.
    save(2, &env.photo("two/b.png"));
    fs::write(env.photo("two/b.xmp"), xmp(&["both"], "")).unwrap();
    wait_for(&env, "both", &["two/b.jpg", "two/b.png"]);
    fs::write(env.photo("two/.photondignore"), "b.xmp\n").unwrap();
    wait_for(&env, "both", &[]);
    fs::remove_file(env.photo("two/.photondignore")).unwrap();
    wait_for(&env, "both", &["two/b.jpg", "two/b.png"]);
    // What happens while nobody looks is found afterwards.
    daemon.stop();
    fs::write(env.photo("two/b.jpg.xmp"), xmp(&["late"], "")).unwrap();
    fs::remove_file(env.photo("two/b.xmp")).unwrap();
    assert_eq!(env.index()["opened"], 0);
    assert_eq!(tagged(&env, "late"), ["two/b.jpg"]);
    for word in ["early", "both"] {
        assert_eq!(tagged(&env, word), [""; 0]);
    }
    // The whole folder is away: what is known stays, and comes back.
    fs::rename(env.photos(), env.outside("away")).unwrap();
    env.run(&["index", env.photos().to_str().unwrap()]);
    assert_eq!(tagged(&env, "late"), ["two/b.jpg"]);
    fs::rename(env.outside("away"), env.photos()).unwrap();
    assert_eq!(env.index()["sidecars_read"], 0);
    assert_eq!(tagged(&env, "late"), ["two/b.jpg"]);
}

#[test]
fn a_takeouts_notes_count_under_all_their_names() {
    let env = TestEnv::new();
    let long = "A walk through the old town of Ghent.jpg";
    for (seed, photo) in [
        (1, "canal.jpg"),
        (2, "canal-bearbeitet.jpg"),
        (3, "canal(1).jpg"),
        (4, long),
        (5, "other.jpg"),
    ] {
        fs::write(env.photo(photo), jpeg(seed)).unwrap();
    }
    for (beside, photo) in [
        ("canal.jpg.json", "canal.jpg"),
        ("canal.jpg.supplemental-metadata(1).json", "canal.jpg"),
        ("A walk through the old town of Ghent.jpg.suppl.json", long),
    ] {
        fs::write(env.photo(beside), note(photo)).unwrap();
    }
    fs::write(env.photo("metadata.json"), r#"{"title": "Belgium"}"#).unwrap();
    env.index();
    for photo in ["canal.jpg", "canal-bearbeitet.jpg", "canal(1).jpg", long] {
        let seen = show(&env, photo);
        assert_eq!(seen["date"], "2012-07-10T12:00:00Z", "{photo}");
        assert_eq!(seen["date_source"], "takeout", "{photo}");
        assert_eq!(seen["captured_at"], Value::Null, "{photo}");
        assert_eq!((&seen["lat"], &seen["lon"]), (&json!(48.85), &json!(2.35)));
        assert_eq!(seen["people"], json!(["Nora Lind"]), "{photo}");
        assert_eq!(
            (&seen["title"], &seen["caption"]),
            (&Value::Null, &json!("By the canal"))
        );
    }
    assert_eq!(show(&env, "other.jpg")["date_source"], "file");
    assert_eq!(
        env.query(&["--since", "2012-07-10", "--until", "2012-07-10"])
            .len(),
        4
    );
    let again = env.index();
    assert_eq!(
        (&again["sidecars_read"], &again["opened"]),
        (&json!(0), &json!(0)),
        "{again}"
    );
}

#[test]
fn bad_sidecars_cost_no_photo_anything() {
    let env = TestEnv::new();
    for (seed, name) in ["bomb", "cut", "huge", "range", "json", "list", "note"]
        .iter()
        .enumerate()
    {
        fs::write(env.photo(&format!("{name}.jpg")), jpeg(seed as u32)).unwrap();
    }
    let bomb =
        "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]>".to_owned() + &xmp(&["&b;"], "");
    fs::write(env.photo("bomb.xmp"), bomb).unwrap();
    let whole = xmp(&["x"], "");
    fs::write(env.photo("cut.xmp"), &whole[..whole.len() / 2]).unwrap();
    let huge = fs::File::create(env.photo("huge.jpg.xmp")).unwrap();
    huge.set_len(50 << 20).unwrap();
    let fields =
        "exif:GPSLatitude='123,0N' exif:GPSLongitude='3,0W' exif:DateTimeOriginal='0000-13-99'";
    fs::write(env.photo("range.xmp"), xmp(&["kept"], fields)).unwrap();
    fs::write(env.photo("json.json"), "{ no json").unwrap();
    fs::write(env.photo("list.jpg.json"), "[1, 2, 3]").unwrap();
    fs::write(env.photo("note.jpg.supplemental-metadata.json"), "{ cut").unwrap();
    let summary = env.index();
    assert_eq!(
        (&summary["indexed"], &summary["failed"]),
        (&json!(7), &json!(0)),
        "{summary}"
    );
    let status = env.status();
    assert_eq!(status["errors"], json!([]), "{status}");
    let told = status["sidecar_errors"].as_array().unwrap();
    let told: Vec<&str> = told.iter().map(|e| e["path"].as_str().unwrap()).collect();
    let photos = env.photos();
    let names = [
        "bomb.xmp",
        "cut.xmp",
        "huge.jpg.xmp",
        "note.jpg.supplemental-metadata.json",
    ];
    assert_eq!(
        told,
        names.map(|n| photos.join(n).to_str().unwrap().to_owned())
    );
    let seen = show(&env, "range.jpg");
    assert_eq!(seen["keywords"], json!(["kept"]));
    let why = seen["not_taken"].to_string();
    assert!(why.contains("range.xmp: GPSLatitude 123,0N"), "{why}");
    let seen = show(&env, "huge.jpg");
    assert!(
        seen["not_taken"][0].as_str().unwrap().contains("50 MB"),
        "{seen}"
    );
    let why = env.ok(&["why", env.photo("cut.xmp").to_str().unwrap()]);
    assert!(
        why.contains("cannot be read") && why.contains("cut.jpg"),
        "{why}"
    );
    let again = env.index();
    assert_eq!(
        (&again["sidecars_read"], &again["opened"]),
        (&json!(0), &json!(0)),
        "{again}"
    );
    // Mended, it counts.
    fs::write(env.photo("cut.xmp"), whole).unwrap();
    assert_eq!(env.index()["sidecars_read"], 1);
    assert_eq!(tagged(&env, "x"), ["cut.jpg"]);
}
