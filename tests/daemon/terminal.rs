//! For the terminal and for scripts: folders of links, small pictures, what is drawn.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::FromRawFd;
use std::process::{Command, Stdio};

use crate::env::{TestEnv, jpeg, save};

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

fn sides(bytes: &[u8]) -> (u32, u32) {
    let picture = image::load_from_memory_with_format(bytes, image::ImageFormat::Jpeg);
    let picture = picture.unwrap();
    (picture.width(), picture.height())
}

#[test]
fn a_thumbnail_is_written_of_any_photo() {
    let env = library();
    let thumb = |args: &[&str]| {
        let output = env.run(&[&["thumb"][..], args].concat());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let known = env.photo("b/two.png");
    let known = known.to_str().unwrap();
    let kept = thumb(&[known]);
    assert_eq!(sides(&kept), (256, 192));
    assert_eq!(sides(&thumb(&["--size", "512", known])), (320, 240));
    // Not indexed: decoded at once.
    let heic = env.outside("new.heic");
    fs::write(&heic, include_bytes!("../samples/large_with_thumb.heic")).unwrap();
    let heic = heic.to_str().unwrap();
    for size in ["256", "1440"] {
        let (width, height) = sides(&thumb(&["--size", size, heic]));
        assert!(width.max(height) <= size.parse().unwrap());
    }
    let new = env.outside("new.jpg");
    fs::write(&new, jpeg(9)).unwrap();
    let new = new.to_str().unwrap();
    assert_eq!(sides(&thumb(&[new])), (256, 192));

    // To a file, which is never a photo.
    let small = env.outside("small.jpg");
    assert!(thumb(&[known, "--output", small.to_str().unwrap()]).is_empty());
    assert_eq!(fs::read(&small).unwrap(), kept);
    for (photo, output) in [(new, new), (new, known)] {
        let before = fs::read(output).unwrap();
        let said = env.refused(&["thumb", photo, "-o", output]);
        assert!(said.contains("does not overwrite"), "{said}");
        assert_eq!(fs::read(output).unwrap(), before);
    }

    // A changed file has another picture, a file that has gone keeps its own.
    fs::write(known, jpeg(5)).unwrap();
    assert_ne!(thumb(&[known]), kept);
    fs::remove_file(known).unwrap();
    assert_eq!(thumb(&[known]), kept);
    let said = env.refused(&["thumb", "--size", "1440", known]);
    assert!(said.contains("not there now"), "{said}");

    fs::write(env.outside("no.jpg"), "no picture").unwrap();
    let no = env.outside("no.jpg");
    let said = env.refused(&["thumb", no.to_str().unwrap()]);
    assert!(said.contains("no picture in"), "{said}");
    let output = env.run(&["thumb", "/nowhere/x.jpg"]);
    assert_eq!(output.status.code(), Some(1));
    env.refused(&["thumb", "--size", "300", new]);
    env.refused(&["thumb", env.photos().to_str().unwrap()]);
}

/// Runs a command in a terminal of 80 × 24 cells and gives its exit code and what it showed.
fn in_terminal(mut command: Command, vars: &[(&str, &str)]) -> (Option<i32>, String) {
    for name in ["TMUX", "STY", "ZELLIJ", "KITTY_WINDOW_ID", "TERM_PROGRAM"] {
        command.env_remove(name);
    }
    for name in ["COLORTERM", "NO_COLOR", "FZF_PREVIEW_COLUMNS"] {
        command.env_remove(name);
    }
    command.envs(vars.iter().copied());
    let mut size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 640,
        ws_ypixel: 384,
    };
    let (mut ours, mut theirs) = (0, 0);
    // SAFETY: the pointers are to places of their types, or null where that is allowed; both descriptors are new
    // and owned by the files made of them.
    let (mut screen, terminal) = unsafe {
        let (name, modes) = (std::ptr::null_mut(), std::ptr::null_mut());
        let opened = libc::openpty(&mut ours, &mut theirs, name, modes, &raw mut size);
        assert_eq!(opened, 0);
        (File::from_raw_fd(ours), File::from_raw_fd(theirs))
    };
    command.stderr(Stdio::from(terminal.try_clone().unwrap()));
    command.stdout(Stdio::from(terminal));
    let mut child = command.spawn().unwrap();
    // It holds the other ends.
    drop(command);
    let mut shown = Vec::new();
    // The end of a terminal is an error on Linux.
    let _ = screen.read_to_end(&mut shown);
    let code = child.wait().unwrap().code();
    (code, String::from_utf8(shown).unwrap())
}

#[test]
fn pictures_are_drawn_as_the_terminal_can_show_them() {
    let env = library();
    let query = || env.command(&["query", "--name", "two", "--preview"]);
    let path = env.photo("b/two.png");
    let kitty = [("TERM", "xterm-kitty")];
    let sixel = [("TERM", "foot")];
    let blocks = [("TERM", "xterm-256color")];
    let true_color = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor")];
    for (vars, sign) in [
        (&kitty[..], "\x1b_Ga=T,f=24,o=z,s=213,v=160,"),
        (&sixel[..], "\x1bP0;1;0q\"1;1;213;160#"),
        (&blocks[..], "\x1b[38;5;"),
        (&true_color[..], "\x1b[38;2;"),
    ] {
        let (code, shown) = in_terminal(query(), vars);
        assert_eq!(code, Some(0), "{shown:.200}");
        assert!(shown.starts_with(sign), "{vars:?}: {shown:.200?}");
        // The photo's line is below the picture.
        let line = shown
            .lines()
            .find(|l| l.starts_with(path.to_str().unwrap()));
        assert!(line.is_some(), "{vars:?}");
        if sign.contains("38;") {
            assert_eq!(shown.lines().filter(|l| l.contains('▀')).count(), 10);
        }
        let thumb = env.command(&["thumb", "--preview", path.to_str().unwrap()]);
        let (code, drawn) = in_terminal(thumb, vars);
        assert_eq!(code, Some(0), "{drawn:.200}");
        assert!(drawn.starts_with(&sign[..3]), "{drawn:.200?}");
    }

    // Refused with a sentence where there is nothing to draw on or with.
    let colorless = [("TERM", "xterm-256color"), ("NO_COLOR", "1")];
    for vars in [&colorless[..], &[("TERM", "dumb")]] {
        let (code, shown) = in_terminal(query(), vars);
        assert_eq!(code, Some(2), "{shown}");
        assert!(
            shown.contains("--preview") && !shown.contains('▀'),
            "{shown}"
        );
    }
    let said = env.refused(&["query", "--preview"]);
    assert!(said.contains("standard output is none"), "{said}");
    let (code, shown) = in_terminal(env.command(&["thumb", path.to_str().unwrap()]), &kitty);
    assert_eq!(code, Some(2));
    assert!(shown.contains("nothing for a terminal"), "{shown}");

    // fzf hands on what its preview command writes.
    let mut in_fzf = env.command(&["thumb", "--preview", path.to_str().unwrap()]);
    in_fzf.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    in_fzf
        .env("FZF_PREVIEW_COLUMNS", "10")
        .env("FZF_PREVIEW_LINES", "20");
    for name in ["TMUX", "STY", "ZELLIJ", "KITTY_WINDOW_ID", "TERM_PROGRAM"] {
        in_fzf.env_remove(name);
    }
    let drawn = String::from_utf8(in_fzf.output().unwrap().stdout).unwrap();
    let cells: Vec<_> = drawn.lines().map(|l| l.matches('▀').count()).collect();
    assert!(
        !cells.is_empty() && cells.iter().all(|n| *n == 10),
        "{drawn:?}"
    );
}
