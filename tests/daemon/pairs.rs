//! Photos of several files: what is one result, which file stands for it, what belongs to it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::env::{TestEnv, jpeg, save};

/// An EXIF block that says when.
fn exif(date: &str) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0".to_vec();
    // Tag, type (2: text, 4: long), number of values, and the value or where the values are; then the
    // next directory: none.
    for (tag, kind, count, value) in [(0x8769_u16, 4_u16, 1_u32, 26_u32), (0x9003, 2, 20, 44)] {
        block.extend(1_u16.to_le_bytes());
        block.extend(tag.to_le_bytes());
        block.extend(kind.to_le_bytes());
        block.extend(count.to_le_bytes());
        block.extend(value.to_le_bytes());
        block.extend([0; 4]);
    }
    block.extend(date.as_bytes());
    block.push(0);
    block
}

fn dated_jpeg(seed: u32, date: &str) -> Vec<u8> {
    let picture = jpeg(seed);
    let block = [b"Exif\0\0", &exif(date)[..]].concat();
    let length = u16::try_from(block.len() + 2).unwrap().to_be_bytes();
    [&picture[..2], b"\xff\xe1", &length, &block, &picture[2..]].concat()
}

/// A raw as far as photond reads one: what EXIF says, and a JPEG.
fn raw(seed: u32, date: &str) -> Vec<u8> {
    [exif(date), jpeg(seed)].concat()
}

/// Paths below the watched folder of a result's other files, with their formats.
fn members(env: &TestEnv, row: &Value) -> Vec<(String, String)> {
    let none = Vec::new();
    let members = row["members"].as_array().unwrap_or(&none);
    let formats = members.iter().map(|m| m["format"].as_str().unwrap().into());
    env.names(members).into_iter().zip(formats).collect()
}

/// Two copies of a pair, a Live Photo, a raw by itself and a picture by itself.
fn library() -> TestEnv {
    let env = TestEnv::new();
    let date = "2024:05:01 10:00:00";
    for folder in ["card", "copy"] {
        fs::create_dir(env.photo(folder)).unwrap();
        let at = |name: &str| env.photo(folder).join(name);
        fs::write(at("IMG_1.JPG"), dated_jpeg(1, date)).unwrap();
        fs::write(at("img_1.nef"), raw(2, date)).unwrap();
    }
    fs::write(env.photo("alone.nef"), raw(3, "2024:05:02 10:00:00")).unwrap();
    let live = include_bytes!("../samples/rotated_exif_xmp_thumb.heic");
    fs::write(env.photo("live.heic"), live).unwrap();
    fs::write(env.photo("LIVE.MOV"), b"not looked into").unwrap();
    save(4, &env.photo("plain.png"));
    let summary = env.index();
    assert_eq!(summary["failed"], 0, "{summary}");
    env
}

#[test]
fn files_of_one_photo_are_one_result() {
    let env = library();
    let rows = env.query(&[]);
    let mut faces = env.names(&rows);
    faces.sort();
    let one_each = [
        "alone.nef",
        "card/IMG_1.JPG",
        "copy/IMG_1.JPG",
        "live.heic",
        "plain.png",
    ];
    assert_eq!(faces, one_each);
    let row = |name: &str| &rows[env.names(&rows).iter().position(|n| n == name).unwrap()];
    let raw_of = |folder: &str| vec![(format!("{folder}/img_1.nef"), "raw".to_owned())];
    assert_eq!(members(&env, row("card/IMG_1.JPG")), raw_of("card"));
    assert_eq!(members(&env, row("copy/IMG_1.JPG")), raw_of("copy"));
    let video = vec![("LIVE.MOV".to_owned(), "mov".to_owned())];
    assert_eq!(members(&env, row("live.heic")), video);
    assert!(row("alone.nef").get("members").is_none());

    // Each file by itself; the video has no row, since it is no photo.
    let rows = env.query(&["--all-files"]);
    assert_eq!(rows.len(), 7);
    assert!(rows.iter().any(|row| !members(&env, row).is_empty()));
    let listed = |args: &[&str]| {
        let all = [&["query", "--all-paths", "--format", "paths"], args].concat();
        let listed = env.ok(&all);
        let below = |line| Path::new(line).strip_prefix(env.photos()).unwrap();
        let mut names: Vec<String> = listed
            .lines()
            .map(|line| below(line).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(listed(&[]), one_each);
    let all = listed(&["--all-files"]);
    assert_eq!(all.len(), 8, "{all:?}");
    assert!(all.contains(&"LIVE.MOV".to_owned()));

    // What was asked for is what is shown; a limit counts results.
    let raws = env.query(&["--path", "card/*.nef"]);
    assert_eq!(env.names(&raws), ["card/img_1.nef"]);
    let picture = vec![("card/IMG_1.JPG".to_owned(), "jpeg".to_owned())];
    assert_eq!(members(&env, &raws[0]), picture);
    assert_eq!(env.query(&["--limit", "3"]).len(), 3);
}

#[test]
fn results_are_counted_and_put_in_order() {
    let env = library();
    let count = |args: &[&str]| {
        let output = env.run(&[&["query", "--count"], args].concat());
        assert!(output.stderr.is_empty() || output.status.code() == Some(1));
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = |args: &[&str]| env.ok(&[&["query", "--format", "paths"], args].concat());
    for args in [
        &[][..],
        &["--all-paths"],
        &["--all-files"],
        &["--limit", "2"],
        &["--on", "2024-05"],
        &["--name", "*.nef"],
    ] {
        let lines = listed(&[args, &["--name", "*.*"]].concat());
        // A Live Photo's video is listed with all files, and is no photo.
        let rows = lines.lines().filter(|line| !line.ends_with("MOV")).count();
        assert_eq!(count(args), format!("{rows}\n"), "{args:?}: {lines}");
    }
    assert_eq!(count(&["--on", "1999"]), "0\n");
    let lens = env.run(&["query", "--lens", "EF 50"]);
    assert_eq!(lens.status.code(), Some(1));
    let said = String::from_utf8(lens.stderr).unwrap();
    assert!(said.contains("no photo tells its lens"), "{said}");

    let newest: Vec<String> = listed(&[]).lines().map(str::to_owned).collect();
    let in_order = |sort: &str| -> Vec<String> {
        let listed = listed(&["--sort", sort]);
        listed.lines().map(str::to_owned).collect()
    };
    assert_eq!(in_order("date"), newest);
    let oldest: Vec<String> = newest.iter().rev().cloned().collect();
    assert_eq!(in_order("oldest").len(), oldest.len());
    let first = listed(&["--sort", "oldest", "--limit", "1"]);
    assert_eq!(first.lines().collect::<Vec<_>>(), in_order("oldest")[..1]);
    assert!(first.contains("live.heic"), "it is of 2012: {first}");
    let refused = env.refused(&["query", "--sort", "best"]);
    assert!(refused.contains("--sort best needs"), "{refused}");
    if !env.has_text() {
        return;
    }
    let ranked = |sort: &str| {
        let rows = env.query(&["--text", "green", "--all", "--sort", sort]);
        let dates = rows
            .iter()
            .map(|row| row["date"].as_str().unwrap().to_owned());
        (rows.len(), dates.collect::<Vec<_>>())
    };
    let (found, dates) = ranked("oldest");
    assert!(found > 2 && dates.is_sorted(), "{dates:?}");
    let (_, newest) = ranked("date");
    assert_eq!(newest, dates.into_iter().rev().collect::<Vec<_>>());
    let ranked = count(&["--text", "green", "--all"]);
    assert_eq!(
        ranked, "4\n",
        "two copies and a raw with its picture are one"
    );
}

#[test]
fn people_are_told_of_every_file() {
    let env = library();
    let output = env.run(&["query", "--path", "card/**"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("card/IMG_1.JPG (+ nef)"), "{table}");
    assert_eq!(table.lines().count(), 1, "{table}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("1 photo in 2 files"), "{said}");
    let all = env.run(&["query", "--path", "card/**", "--all-files"]);
    let said = String::from_utf8(all.stderr).unwrap();
    assert!(said.contains("2 photos"), "{said}");

    for (file, other) in [
        ("card/IMG_1.JPG", "card/img_1.nef"),
        ("card/img_1.nef", "card/IMG_1.JPG"),
        ("live.heic", "LIVE.MOV"),
    ] {
        let shown = env.json(&["show", env.photo(file).to_str().unwrap()]);
        let members = members(&env, &shown);
        assert_eq!(members.len(), 1, "{shown}");
        assert_eq!(members[0].0, other);
    }
}

#[test]
fn ranked_results_count_pairs_once_too() {
    let env = library();
    if !env.has_model() {
        return;
    }
    let picture = env.photo("card/IMG_1.JPG");
    let rows = env.query(&["--like", picture.to_str().unwrap(), "--all"]);
    let mut faces = env.names(&rows);
    faces.sort();
    let all = [
        "alone.nef",
        "card/IMG_1.JPG",
        "copy/IMG_1.JPG",
        "live.heic",
        "plain.png",
    ];
    assert_eq!(faces, all);
    let pairs = rows.iter().filter(|row| !members(&env, row).is_empty());
    assert_eq!(pairs.count(), 3);
    let raw = env.query(&[
        "--like",
        picture.to_str().unwrap(),
        "--all",
        "--path",
        "*.nef",
    ]);
    let mut raws = env.names(&raw);
    raws.sort();
    assert_eq!(raws, ["alone.nef", "card/img_1.nef", "copy/img_1.nef"]);
    let each = env.query(&["--like", picture.to_str().unwrap(), "--all", "--all-files"]);
    assert_eq!(each.len(), 7);
}
