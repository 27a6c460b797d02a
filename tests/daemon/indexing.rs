//! One pass: what is found, what is not done twice, what a query says.

use std::fs;
use std::process::Command;

use crate::env::{TestEnv, jpeg, picture, save};

#[test]
fn every_format_is_indexed_upright_with_hash_and_size() {
    let env = TestEnv::new();
    for (i, ext) in ["jpg", "png", "gif", "webp", "tiff", "bmp"]
        .iter()
        .enumerate()
    {
        save(i as u32, &env.photo(&format!("a.{ext}")));
    }
    let summary = env.index();
    assert_eq!(summary["indexed"], 6, "{summary}");
    assert_eq!(summary["failed"], 0);
    for row in env.query(&[]) {
        assert_eq!(
            (row["width"].as_u64(), row["height"].as_u64()),
            (Some(320), Some(240))
        );
        let bytes = fs::read(row["path"].as_str().unwrap()).unwrap();
        assert_eq!(row["hash"], blake3::hash(&bytes).to_hex().as_str());
        assert_eq!(row["size"], bytes.len());
        assert!(row["phash"].as_str().is_some_and(|h| h.len() >= 32));
    }
}

#[test]
fn a_picture_that_takes_long_is_there_by_its_thumbnail_and_then_whole() {
    let env = TestEnv::new();
    let large = include_bytes!("../samples/large_with_thumb.heic");
    fs::write(env.photo("a.heic"), large).unwrap();
    fs::write(env.photo("copy.heic"), large).unwrap();
    let summary = env.index();
    assert_eq!(summary["indexed"], 2, "one of them twice: {summary}");
    assert_eq!(summary["decoded"], 2, "{summary}");
    for row in env.query(&[]) {
        assert_eq!(
            (&row["pixels"], &row["width"]),
            (&"whole".into(), &1280.into())
        );
    }
    assert_eq!(env.status()["counts"]["previews"], 0);
    assert_eq!(env.index()["opened"], 0);

    // While photond watches, the same.
    let daemon = env.watch();
    let other = [&large[..], b"another"].concat();
    fs::write(env.photo("live.heic"), other).unwrap();
    env.wait_until("the whole picture is seen", || {
        env.query(&["--path", "live.heic"])
            .first()
            .is_some_and(|row| row["pixels"] == "whole")
    });
    let counters = &env.status()["daemon"]["counters"];
    assert_eq!(counters["inspected"], 2, "{counters}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_tag_of_a_photo_finds_it() {
    let env = TestEnv::new();
    for i in 0..8 {
        save(i, &env.photo(&format!("{i}.jpg")));
    }
    env.index();
    if !env.has_model() {
        return;
    }
    for row in env.query(&[]) {
        let tags = row["tags"].as_array().unwrap();
        assert!(!tags.is_empty(), "the likeliest leaf is always kept");
        let best = tags[0]["name"].as_str().unwrap();
        let found = env.query(&["--tag", best, "--all"]);
        assert!(
            found.iter().any(|r| r["path"] == row["path"]),
            "{best} does not find {row}"
        );
        if tags[0]["confidence"].as_f64() < Some(0.6) {
            continue;
        }
        let without = env.query(&["--not-tag", best]);
        assert!(!without.iter().any(|r| r["path"] == row["path"]));
        // What a tag hides it hides however many are asked for.
        let of_all = env.query(&["--not-tag", best, "--all"]);
        assert!(!of_all.iter().any(|r| r["path"] == row["path"]));
        for other in without {
            assert!(of_all.contains(&other), "--all lost {other}");
        }
    }
    let unknown = env.run(&["query", "--tag", "beagel"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&unknown.stderr).contains("beagle"),
        "a suggestion"
    );
    let dash = env.run(&["query", "--tag=-beagle"]);
    assert_eq!(dash.status.code(), Some(2));
    let said = String::from_utf8_lossy(&dash.stderr);
    assert!(said.contains("--not-tag \"beagle\""), "{said}");
}

#[test]
fn a_second_pass_opens_nothing() {
    let env = TestEnv::new();
    fs::create_dir_all(env.photo("2023/07")).unwrap();
    for i in 0..20 {
        save(i, &env.photo(&format!("2023/07/{i}.jpg")));
        save(100 + i, &env.photo(&format!("{i}.png")));
    }
    assert_eq!(env.index()["indexed"], 40);
    let again = env.index();
    assert_eq!(
        (&again["unchanged"], &again["opened"], &again["indexed"]),
        (&40.into(), &0.into(), &0.into()),
        "{again}"
    );

    // And by the system's own account.
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: no strace");
        return;
    }
    let log = env.outside("strace.log");
    let photos = env.photos();
    let inner = env.command(&["index", "--format", "json", photos.to_str().unwrap()]);
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-e", "trace=open,openat,openat2", "-o"])
        .arg(&log)
        .arg(inner.get_program())
        .args(inner.get_args());
    for (key, value) in inner.get_envs() {
        match value {
            Some(value) => strace.env(key, value),
            None => strace.env_remove(key),
        };
    }
    if !strace.output().unwrap().status.success() {
        eprintln!("skipped: tracing is not allowed here");
        return;
    }
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("2023"), "the folders were walked");
    let opened: Vec<&str> = log
        .lines()
        .filter(|l| l.contains(".jpg\"") || l.contains(".png\""))
        .collect();
    assert!(opened.is_empty(), "{opened:?}");
}

#[test]
fn copies_and_renames_cost_no_decoding() {
    let env = TestEnv::new();
    let bytes = jpeg(1);
    for i in 0..10 {
        fs::write(env.photo(&format!("copy{i}.jpg")), &bytes).unwrap();
    }
    let first = env.index();
    assert_eq!(
        (&first["indexed"], &first["decoded"]),
        (&10.into(), &1.into()),
        "{first}"
    );
    fs::rename(env.photo("copy0.jpg"), env.photo("renamed.jpg")).unwrap();
    fs::create_dir(env.photo("sub")).unwrap();
    fs::rename(env.photo("copy1.jpg"), env.photo("sub/moved.jpg")).unwrap();
    let second = env.index();
    assert_eq!(
        (&second["decoded"], &second["gone"]),
        (&0.into(), &2.into()),
        "{second}"
    );
    let paths = env.paths();
    assert_eq!(paths.len(), 10);
    assert!(
        paths.contains(&"renamed.jpg".to_owned()) && paths.contains(&"sub/moved.jpg".to_owned())
    );
}

#[test]
fn new_content_under_an_old_name_is_seen_even_with_size_and_mtime_kept() {
    let env = TestEnv::new();
    let path = env.photo("a.bmp");
    picture(1, 64, 64).save(&path).unwrap();
    env.index();
    let before = env.query(&[])[0]["hash"].clone();
    let meta = fs::metadata(&path).unwrap();
    picture(2, 64, 64).save(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().len(),
        meta.len(),
        "a bitmap keeps its size"
    );
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(meta.modified().unwrap()).unwrap();
    drop(file);
    env.index();
    let after = env.query(&[])[0]["hash"].clone();
    assert_ne!(before, after);
    assert_eq!(
        after,
        blake3::hash(&fs::read(&path).unwrap()).to_hex().as_str()
    );
}

#[test]
fn filters_narrow_and_formats_agree() {
    let env = TestEnv::new();
    for (i, dir) in ["2022", "2023"].iter().enumerate() {
        fs::create_dir(env.photo(dir)).unwrap();
        for n in 0..3 {
            save((i * 10 + n) as u32, &env.photo(&format!("{dir}/{n}.jpg")));
        }
    }
    env.index();
    assert_eq!(env.query(&["--path", "2022/*.jpg"]).len(), 3);
    assert_eq!(env.query(&["--path", "**/2023/**"]).len(), 3);
    assert_eq!(env.query(&["--limit", "4"]).len(), 4);
    assert_eq!(env.query(&["--until", "1999"]).len(), 0);
    assert_eq!(
        env.query(&["--since", "1d"]).len(),
        6,
        "no camera date: the file's own"
    );
    let nul = env.run(&["query", "-0", "--all-paths"]).stdout;
    assert_eq!(nul.iter().filter(|b| **b == 0).count(), 6);
    assert_eq!(
        env.ok(&["query", "--all-paths", "--format", "paths"])
            .lines()
            .count(),
        6
    );
    assert_eq!(env.ok(&["query", "--format", "jsonl"]).lines().count(), 6);
    for bad in [
        ["query", "--since", "soon"],
        ["query", "--near", "200,0"],
        ["query", "--path", "a["],
    ] {
        let output = env.run(&bad);
        assert_eq!(output.status.code(), Some(2), "{bad:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn other_files_are_left_alone_and_excludes_hold() {
    let env = TestEnv::new();
    save(1, &env.photo("a.jpg"));
    fs::write(env.photo("notes.txt"), "hello").unwrap();
    fs::write(env.photo("clip.mp4"), "not really").unwrap();
    for dir in [".git", "@eaDir", "node_modules", "private"] {
        fs::create_dir(env.photo(dir)).unwrap();
        save(2, &env.photo(&format!("{dir}/b.jpg")));
    }
    fs::write(env.photo(".photondignore"), "private/\n").unwrap();
    let summary = env.index();
    assert_eq!(
        (&summary["indexed"], &summary["failed"]),
        (&1.into(), &0.into()),
        "{summary}"
    );
    assert_eq!(env.status()["roots"][0]["other_files"], 2);
    fs::remove_file(env.photo(".photondignore")).unwrap();
    env.index();
    assert_eq!(env.paths(), ["a.jpg", "private/b.jpg"]);
    fs::write(env.photo(".photondignore"), "private/\n").unwrap();
    env.index();
    assert_eq!(
        env.paths(),
        ["a.jpg"],
        "what is left out later leaves the index"
    );
}

#[test]
fn a_broken_file_stays_known_as_broken_wherever_it_goes() {
    let env = TestEnv::new();
    fs::write(env.photo("bad.jpg"), "<html>not found</html>").unwrap();
    env.index();
    fs::rename(env.photo("bad.jpg"), env.photo("worse.jpg")).unwrap();
    env.index();
    let status = env.status();
    assert_eq!(status["counts"]["failed"], 1, "{status}");
    assert!(
        status["errors"][0]["path"]
            .as_str()
            .unwrap()
            .ends_with("worse.jpg")
    );

    // Where the name has a say, another name is another try.
    crate::env::picture(2, 40, 30)
        .save(env.photo("t.tga"))
        .unwrap();
    fs::rename(env.photo("t.tga"), env.photo("t.jpg")).unwrap();
    assert_eq!(env.index()["failed"], 1);
    fs::rename(env.photo("t.jpg"), env.photo("t.tga")).unwrap();
    assert_eq!(env.index()["indexed"], 1);
}

#[test]
fn nested_folders_list_no_photo_twice_and_folders_can_be_forgotten() {
    let env = TestEnv::new();
    fs::create_dir_all(env.photo("a")).unwrap();
    fs::create_dir_all(env.photo("b")).unwrap();
    save(1, &env.photo("a/1.jpg"));
    save(2, &env.photo("b/2.jpg"));
    let (a, all) = (env.photo("a"), env.photos());
    let (a, all) = (a.to_str().unwrap(), all.to_str().unwrap());
    env.ok(&["index", a]);
    let summary = env.json(&["index", "--format", "json", all]);
    assert_eq!(
        (&summary["unchanged"], &summary["indexed"]),
        (&1.into(), &1.into()),
        "{summary}"
    );
    assert_eq!(env.paths(), ["a/1.jpg", "b/2.jpg"]);
    let summary = env.json(&["index", "--format", "json", a]);
    assert_eq!(
        (&summary["opened"], &summary["unchanged"]),
        (&0.into(), &1.into()),
        "{summary}"
    );
    assert_eq!(env.paths(), ["a/1.jpg", "b/2.jpg"]);
    env.ok(&["index", "--forget", a]);
    assert_eq!(env.paths(), ["b/2.jpg"]);
    assert_eq!(env.run(&["index", "--forget", a]).status.code(), Some(1));
}

#[test]
fn an_index_inside_the_folder_does_not_index_itself() {
    let env = TestEnv::new();
    save(1, &env.photo("a.jpg"));
    let data = env.photo("index [1]");
    let (data, photos) = (data.to_str().unwrap().to_owned(), env.photos());
    for _ in 0..2 {
        let text = env.ok(&[
            "--data-dir",
            &data,
            "index",
            "--format",
            "json",
            photos.to_str().unwrap(),
        ]);
        let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(summary["failing"], 0, "{summary}");
    }
}
