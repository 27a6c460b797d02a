//! Random operations on a folder of photos: everything that people, cameras, synchronisers and
//! backup programs do to files, one at a time.
//!
//! Operations fail as they may (the place is taken, the folder is gone); what counts is what lies
//! there in the end.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode, RenameFlags, mkfifoat, renameat_with};

use crate::content;
use crate::oracle::RULE;
use crate::rng::Rng;

/// Contents that come up again and again, so that the same bytes lie at several places.
const COMMON: u64 = 8;
/// Above this many files, trees are deleted.
const MOST: usize = 240;
/// Operations after which the folder is listed anew.
const RELIST: usize = 15;

pub struct Tree {
    root: PathBuf,
    /// A folder outside, on the same volume, that things are moved to and from.
    outside: PathBuf,
    files: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
    away: Vec<PathBuf>,
    since_listing: usize,
    /// Files being written in pieces: what is left of each.
    slow: Vec<(File, Vec<u8>)>,
    named: u64,
    pub done: u64,
}

/// A pipe in its place would be waited at for a reader; and a file with other names is not written to
/// through one that photond does not look at.
fn make_way(path: &Path) {
    let is_file = |meta: &fs::Metadata| meta.is_file() || meta.is_dir() || meta.is_symlink();
    let untold = |meta: &fs::Metadata| meta.is_file() && meta.nlink() > 1 && is_hidden(path);
    if fs::symlink_metadata(path).is_ok_and(|meta| !is_file(&meta) || untold(&meta)) {
        let _ = fs::remove_file(path);
    }
}

/// True if photond may not look at what has this name.
fn is_hidden(path: &Path) -> bool {
    path.iter().any(|name| {
        let name = name.as_bytes();
        name.starts_with(b"skip-") || name.ends_with(b".txt") || name.ends_with(b".part")
    })
}

fn write_file(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    make_way(path.as_ref());
    fs::write(path, bytes)
}

impl Tree {
    pub fn new(root: &Path, outside: &Path) -> Self {
        fs::create_dir_all(outside).unwrap();
        Self {
            root: root.to_path_buf(),
            outside: outside.to_path_buf(),
            files: Vec::new(),
            dirs: Vec::new(),
            away: Vec::new(),
            since_listing: RELIST,
            slow: Vec::new(),
            named: 0,
            done: 0,
        }
    }

    fn list(&mut self) {
        self.since_listing = 0;
        (self.files, self.dirs) = (Vec::new(), vec![self.root.clone()]);
        let mut at = 0;
        while at < self.dirs.len() {
            for entry in fs::read_dir(&self.dirs[at]).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => self.dirs.push(entry.path()),
                    Ok(_) if entry.file_name() != ".photondignore" => self.files.push(entry.path()),
                    _ => {}
                }
            }
            at += 1;
        }
        let away = fs::read_dir(&self.outside).into_iter().flatten().flatten();
        self.away = away.map(|e| e.path()).collect();
    }

    /// One operation.
    pub fn step(&mut self, rng: &mut Rng) {
        if self.since_listing >= RELIST {
            self.list();
        }
        self.since_listing += 1;
        self.done += 1;
        if self.files.len() > MOST && rng.once_in(3) {
            let dir = self.dir(rng);
            if dir != self.root {
                let _ = fs::remove_dir_all(dir);
                self.since_listing = RELIST;
                return;
            }
        }
        let _ = self.operate(rng);
    }

    /// Whatever is half done is finished, so that there is a truth to compare with.
    pub fn finish(&mut self) {
        for (mut file, rest) in std::mem::take(&mut self.slow) {
            if self.is_told(&file) {
                let _ = file.write_all(&rest);
            }
        }
    }

    /// Permissions are given back everywhere.
    pub fn reopen(&mut self) {
        for _ in 0..2 {
            self.list();
            for dir in &self.dirs {
                let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o755));
            }
        }
        self.list();
        for file in &self.files {
            if fs::symlink_metadata(file).is_ok_and(|m| m.is_file()) {
                let _ = fs::set_permissions(file, fs::Permissions::from_mode(0o644));
            }
        }
    }

    /// False for a file with other names that is open under one that photond does not look at (left out,
    /// or elsewhere): nobody tells of what is written to it so. The next full scan finds it.
    fn is_told(&self, file: &File) -> bool {
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        let (Ok(path), Ok(meta)) = (fs::read_link(link), file.metadata()) else {
            return false;
        };
        // Of the name it was opened under, which may be gone while others are left.
        let gone = path.as_os_str().as_bytes().ends_with(b" (deleted)");
        if meta.nlink() == 0 || (meta.nlink() == 1 && !gone) {
            return true;
        }
        if gone {
            return false;
        }
        let Ok(below) = path.strip_prefix(&self.root) else {
            return false;
        };
        !is_hidden(below)
    }

    fn file(&self, rng: &mut Rng) -> PathBuf {
        let any = rng.pick(&self.files);
        any.cloned().unwrap_or_else(|| self.root.join("none"))
    }

    fn dir(&self, rng: &mut Rng) -> PathBuf {
        rng.pick(&self.dirs)
            .cloned()
            .unwrap_or_else(|| self.root.clone())
    }

    /// A place in some folder, free or taken by anything but a link, which would lead elsewhere.
    fn place(&mut self, rng: &mut Rng) -> PathBuf {
        let path = self.any_place(rng);
        if fs::symlink_metadata(&path).is_ok_and(|m| m.is_symlink()) {
            self.named += 1;
            return path.with_file_name(format!("beside-{}.jpg", self.named));
        }
        path
    }

    fn any_place(&mut self, rng: &mut Rng) -> PathBuf {
        let dir = self.dir(rng);
        self.named += 1;
        let number = rng.below(12);
        let name = match rng.below(24) {
            0 => OsString::from_vec(b"caf\xe9.jpg".to_vec()),
            1 => OsString::from("two\nlines.jpg"),
            2 => OsString::from(format!("{}.jpg", "n".repeat(251))),
            3 => OsString::from(format!("skip-{number}.jpg")),
            4 => OsString::from("u\u{308}ber.jpg"),
            5 => OsString::from("\u{fc}ber.jpg"),
            6 => OsString::from("without-extension"),
            7 => OsString::from("note.txt"),
            8 => OsString::from("download.jpg.part"),
            9 => OsString::from(" \u{1b}[31m.jpg"),
            10 => OsString::from(format!("new-{}.jpg", self.named)),
            _ => OsString::from(format!("{number}.jpg")),
        };
        dir.join(name)
    }

    fn dir_place(&self, rng: &mut Rng) -> PathBuf {
        let dir = self.dir(rng);
        let depth = dir.strip_prefix(&self.root).map_or(0, |p| p.iter().count());
        let base = if depth >= 5 { self.root.clone() } else { dir };
        let name: &OsStr = match rng.below(9) {
            0 => OsStr::from_bytes(b"\xff\xfe-dir"),
            1 => OsStr::new("folder.jpg"),
            2 => OsStr::new("skip-folder"),
            3 => OsStr::new("3.jpg"),
            4 => OsStr::new("a"),
            5 => OsStr::new("b"),
            6 => OsStr::new("c"),
            7 => OsStr::new("d\n"),
            _ => OsStr::new("e"),
        };
        base.join(name)
    }

    fn bytes(&self, rng: &mut Rng) -> Vec<u8> {
        match rng.below(20) {
            0 => Vec::new(),
            1 => b"no picture at all".to_vec(),
            2 => {
                let mut bytes = content::fresh();
                bytes.truncate(bytes.len() / 2);
                bytes
            }
            3..=7 => content::numbered(rng.next() % COMMON),
            _ => content::fresh(),
        }
    }

    #[allow(clippy::too_many_lines)]
    fn operate(&mut self, rng: &mut Rng) -> io::Result<()> {
        match rng.below(40) {
            0..=6 => write_file(self.place(rng), self.bytes(rng)),
            7 => {
                let bytes = self.bytes(rng);
                let mut file = {
                    let place = self.place(rng);
                    make_way(&place);
                    File::create(place)?
                };
                let half = bytes.len() / 3;
                file.write_all(&bytes[..half])?;
                self.slow.push((file, bytes[half..].to_vec()));
                Ok(())
            }
            8 | 9 => {
                if self.slow.is_empty() {
                    return Ok(());
                }
                let at = rng.below(self.slow.len());
                if !self.is_told(&self.slow[at].0) {
                    self.slow.swap_remove(at);
                    return Ok(());
                }
                let (file, rest) = &mut self.slow[at];
                let piece = rest.len().min(1 + rng.below(400));
                file.write_all(&rest[..piece])?;
                rest.drain(..piece);
                if rest.is_empty() {
                    self.slow.swap_remove(at);
                }
                Ok(())
            }
            10..=12 => fs::rename(self.file(rng), self.place(rng)),
            13 | 14 => fs::rename(self.dir(rng), self.dir_place(rng)),
            15 => swap(&self.file(rng), &self.file(rng)),
            16 => swap(&self.dir(rng), &self.dir(rng)),
            17 => {
                let to = self.outside.join(format!("away-{}", self.named));
                self.named += 1;
                let dir = self.dir(rng);
                if dir == self.root {
                    return fs::rename(self.file(rng), to);
                }
                fs::rename(dir, to)
            }
            18 | 19 => match rng.pick(&self.away).cloned() {
                Some(from) if from.is_dir() => fs::rename(from, self.dir_place(rng)),
                Some(from) => fs::rename(from, self.place(rng)),
                None => Ok(()),
            },
            20 | 21 => fs::remove_file(self.file(rng)),
            22 => {
                let dir = self.dir(rng);
                if dir == self.root {
                    return Ok(());
                }
                fs::remove_dir_all(dir)
            }
            23 => {
                let path = self.file(rng);
                close(&path)
            }
            24 => {
                let dir = self.dir(rng);
                if dir == self.root {
                    return Ok(());
                }
                close(&dir)
            }
            25 => {
                let path = self.file(rng);
                fs::set_permissions(regular(&path)?, fs::Permissions::from_mode(0o644))
            }
            26 => {
                let dir = self.dir(rng);
                fs::set_permissions(dir, fs::Permissions::from_mode(0o755))
            }
            27 => fs::hard_link(self.file(rng), self.place(rng)),
            28 => {
                // Through one name, as an editor that writes in place.
                let path = self.file(rng);
                if !fs::symlink_metadata(&path)?.is_file() {
                    return Ok(());
                }
                let mut file = File::options().write(true).open(path)?;
                if !self.is_told(&file) {
                    return Ok(());
                }
                file.set_len(0)?;
                file.write_all(&self.bytes(rng))
            }
            29 => self.link(rng),
            30 => {
                let path = self.file(rng);
                let file = File::options().append(true).open(regular(&path)?)?;
                let days = 1 + rng.next() % 4000;
                let back = file.metadata()?.modified()? - Duration::from_secs(days * 86_400);
                file.set_modified(back)
            }
            31 => {
                let to = self.file(rng);
                let new = self.root.join(format!(".new-{}.tmp", self.named));
                self.named += 1;
                write_file(&new, self.bytes(rng))?;
                fs::rename(&new, to).inspect_err(|_| drop(fs::remove_file(&new)))
            }
            32 | 33 => self.other_bytes_same_stamp(rng),
            34 => {
                let path = self.file(rng);
                let len = fs::symlink_metadata(&path)?.len();
                let file = File::options().write(true).open(regular(&path)?)?;
                if !self.is_told(&file) {
                    return Ok(());
                }
                file.set_len(len / 2)
            }
            35 => {
                let (from, to) = (self.dir(rng), self.dir_place(rng));
                if from == self.root || to.starts_with(&from) {
                    return Ok(());
                }
                let mut left = 40;
                link_all(&from, &to, &mut left)
            }
            36 => {
                let rule = self.dir(rng).join(".photondignore");
                if rule.exists() {
                    fs::remove_file(rule)
                } else {
                    write_file(rule, RULE)
                }
            }
            37 => {
                // A file becomes a folder, or a folder a file.
                let path = self.file(rng);
                if rng.once_in(2) {
                    fs::remove_file(&path)?;
                    fs::create_dir(&path)?;
                    write_file(path.join("0.jpg"), self.bytes(rng))
                } else {
                    let dir = self.dir(rng);
                    if dir == self.root {
                        return Ok(());
                    }
                    fs::remove_dir_all(&dir)?;
                    write_file(dir, self.bytes(rng))
                }
            }
            38 => {
                let dir = self.dir_place(rng);
                fs::create_dir_all(dir.join("x/y"))?;
                write_file(dir.join("x/y/1.jpg"), self.bytes(rng))
            }
            _ => {
                let fifo = self.dir(rng).join("pipe.jpg");
                if fs::symlink_metadata(&fifo).is_ok() {
                    return fs::remove_file(fifo);
                }
                mkfifoat(CWD, fifo, Mode::RUSR | Mode::WUSR)?;
                Ok(())
            }
        }
    }

    fn link(&mut self, rng: &mut Rng) -> io::Result<()> {
        let target = match rng.below(5) {
            0 => self.file(rng),
            1 => self.dir(rng),
            2 => PathBuf::from("."),
            // Never one that may be written to: that would be somebody else's file.
            3 => PathBuf::from("/proc/self/exe"),
            _ => self.outside.clone(),
        };
        symlink(target, self.place(rng))
    }

    /// New content that keeps size and modification time.
    fn other_bytes_same_stamp(&mut self, rng: &mut Rng) -> io::Result<()> {
        let path = self.file(rng);
        let meta = fs::symlink_metadata(&path)?;
        let bytes = content::fresh();
        if !meta.is_file() || meta.len() != bytes.len() as u64 {
            return Ok(());
        }
        let mut file = File::options().write(true).open(&path)?;
        if !self.is_told(&file) {
            return Ok(());
        }
        file.write_all(&bytes)?;
        file.set_modified(meta.modified()?)
    }
}

/// FIFOs would block whoever opens them.
fn regular(path: &Path) -> io::Result<&Path> {
    if fs::symlink_metadata(path)?.is_file() {
        Ok(path)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

fn swap(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Takes every permission away.
fn close(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_symlink() {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o000))
}

/// As `cp -al` does it.
fn link_all(from: &Path, to: &Path, left: &mut u32) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        *left = left.saturating_sub(1);
        if *left == 0 {
            break;
        }
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let meta = fs::symlink_metadata(&path)?;
        let _ = if meta.is_dir() {
            link_all(&path, &copy, left)
        } else if meta.nlink() > 500 {
            Ok(())
        } else {
            fs::hard_link(&path, &copy)
        };
    }
    Ok(())
}
