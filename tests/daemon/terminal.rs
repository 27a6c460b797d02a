//! For the terminal and for scripts: folders of links.

use std::fs;

use crate::env::{TestEnv, save};

/// Three photos, two of which have the same name.
fn library() -> TestEnv {
    let env = TestEnv::new();
    for folder in ["a", "b"] {
        fs::create_dir(env.photo(folder)).unwrap();
    }
    for (seed, name) in ["a/one.jpg", "b/one.jpg", "b/two.png"].iter().enumerate() {
        save(seed as u32, &env.photo(name));
    }
    env.index();
    env
}

#[test]
fn what_is_found_becomes_a_folder_of_links() {
    let env = library();
    let folder = env.outside("new/links");
    let to = folder.to_str().unwrap();
    assert_eq!(env.ok(&["query", "--links", to]), "");
    let mut led: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let link = entry.unwrap();
            let name = link.file_name().into_string().unwrap();
            (name, fs::read_link(link.path()).unwrap())
        })
        .collect();
    led.sort();
    let names: Vec<_> = led.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["one (2).jpg", "one.jpg", "two.png"]);
    let mut photos: Vec<_> = led.into_iter().map(|(_, photo)| photo).collect();
    photos.sort();
    assert_eq!(
        photos,
        ["a/one.jpg", "b/one.jpg", "b/two.png"].map(|n| env.photo(n))
    );

    // What is there is not mixed with, and a folder without links is not made.
    let said = env.refused(&["query", "--links", to]);
    assert!(said.contains("is not empty"), "{said}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    let none = env.outside("none");
    let output = env.run(&["query", "--name", "zzz", "--links", none.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!none.exists());
    let file = env.photo("b/two.png");
    let said = env.refused(&["query", "--links", file.to_str().unwrap()]);
    assert!(said.contains("two.png"), "{said}");
    for with in [&["--format", "json"][..], &["-0"], &["--explain"]] {
        env.refused(&[&["query", "--links", to][..], with].concat());
    }
}
