//! Holds the floors of ARCHITECTURE.md: imports point down, siblings on a floor never meet.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Module, floor, and whether it may import its siblings on the same floor.
const FLOORS: &[(&str, u8)] = &[
    ("photo", 0),
    ("sidecar", 0),
    ("embedding", 0),
    ("boxes", 0),
    ("faces", 0),
    ("picture_text", 0),
    ("failpoint", 0),
    ("said", 0),
    ("looks", 0),
    ("config", 1),
    ("dirs", 1),
    ("safe_file", 1),
    ("link_folder", 1),
    ("matrix", 1),
    ("persons", 1),
    ("source", 2),
    ("media", 2),
    ("model", 2),
    ("tag", 2),
    ("geo", 2),
    ("store", 2),
    ("index", 3),
    ("search", 3),
    ("worker", 3),
    ("daemon", 4),
    ("serve", 4),
    ("cli", 5),
];

/// Floor 2 knows no settings; on floor 1 files are written by the one that writes files.
fn may_import(from: (&str, u8), to: (&str, u8)) -> bool {
    if from.0 == to.0 || (from.1 == 0 && to.1 == 0) || (from.1 == 1 && to.0 == "safe_file") {
        return true;
    }
    to.1 < from.1 && !(from.1 == 2 && matches!(to.0, "config" | "dirs"))
}

fn floor(module: &str) -> Option<(&'static str, u8)> {
    FLOORS.iter().copied().find(|(name, _)| *name == module)
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Every `crate::name` in the text, with its line.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            found.push((number + 1, name));
        }
    }
    found
}

#[test]
fn imports_point_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 40, "the house was found");
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let first = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_string_lossy();
        let module = first.trim_end_matches(".rs");
        if module == "lib" || module == "main" {
            continue;
        }
        let from = floor(module).unwrap_or_else(|| panic!("{module} has no floor"));
        for (line, name) in imports(&fs::read_to_string(&file).unwrap()) {
            match floor(&name) {
                Some(to) if may_import(from, to) => {}
                Some(_) => wrong.push(format!("{}:{line} imports {name}", relative.display())),
                None => wrong.push(format!(
                    "{}:{line}: {name} is no module",
                    relative.display()
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_migration_is_in_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = fs::read_to_string(root.join("src/store/migrate.rs")).unwrap();
    for entry in fs::read_dir(root.join("migrations")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            code.contains(&format!("migrations/{name}")),
            "{name} is not applied"
        );
    }
}
