//! The text of the systemd unit and of its drop-ins, and what an installed one says.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::launch::Launch;
use super::words;

const UNIT: &str = include_str!("../../../systemd/photond.service");
pub(super) const HARDENING: &str = include_str!("../../../systemd/hardening.conf");
const NEWER: &str = include_str!("../../../systemd/newer.conf");

pub(super) const NAME: &str = "photond.service";

/// The files of the service. Those without text are not to be there.
pub(super) struct UnitFiles {
    pub unit: PathBuf,
    pub files: Vec<(PathBuf, Option<String>)>,
}

/// Which of the drop-ins are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DropIns {
    pub hardening: bool,
    pub newer: bool,
}

pub(super) fn unit_path() -> anyhow::Result<PathBuf> {
    let dirs = directories::BaseDirs::new().context("this system names no home directory")?;
    Ok(dirs.config_dir().join("systemd/user").join(NAME))
}

pub(super) fn drop_in(unit: &Path, name: &str) -> PathBuf {
    let mut dir = unit.as_os_str().to_owned();
    dir.push(".d");
    PathBuf::from(dir).join(name)
}

impl UnitFiles {
    pub fn new(unit: PathBuf, launch: &Launch, drop_ins: DropIns) -> Self {
        let hardening = drop_ins.hardening.then(|| hardening(launch)).flatten();
        let files = vec![
            (unit.clone(), Some(unit_text(launch))),
            (drop_in(&unit, "hardening.conf"), hardening),
            (
                drop_in(&unit, "newer.conf"),
                drop_ins.newer.then(|| NEWER.to_owned()),
            ),
        ];
        Self { unit, files }
    }

    /// The files that are not as they should be.
    pub fn differing(&self) -> Vec<&(PathBuf, Option<String>)> {
        let differs = |(path, text): &&(PathBuf, Option<String>)| {
            fs::read(path).ok().as_deref() != text.as_deref().map(str::as_bytes)
        };
        self.files.iter().filter(differs).collect()
    }
}

fn unit_text(launch: &Launch) -> String {
    let mut all = launch.words();
    let plain = words::is_plain_program(launch.program.as_os_str());
    if !plain || all.iter().any(|w| w.to_str().is_none()) {
        let veiled = all.iter().map(|w| words::veiled(w));
        all = words::UNVEIL
            .map(OsString::from)
            .into_iter()
            .chain(veiled)
            .collect();
    }
    let line: Vec<String> = all.iter().map(|w| words::quoted(w)).collect();
    UNIT.replace("@COMMAND@", &line.join(" "))
}

/// What an installed unit runs; `None` if it is none of ours.
pub(super) fn launch_in(unit: &str) -> Option<Launch> {
    let line = unit.lines().find_map(|l| l.strip_prefix("ExecStart="))?;
    let all = words::unquoted(line)?;
    let veil = words::UNVEIL.map(OsString::from);
    let Some(veiled) = all.strip_prefix(veil.as_slice()) else {
        return Launch::from_words(&all);
    };
    let words: Option<Vec<OsString>> = veiled.iter().map(|w| words::unveiled(w)).collect();
    Launch::from_words(&words?)
}

/// `None` where systemd has no way to say the data directory's path.
pub(super) fn hardening(launch: &Launch) -> Option<String> {
    let dir = launch.data_dir.as_os_str();
    let writable = words::path_word("-", dir)?;
    let temporary = words::path_word("SQLITE_TMPDIR=", dir)?;
    Some(
        HARDENING
            .replace("@DATA@", &writable)
            .replace("@SQLITE_TMPDIR@", &temporary),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::super::put;
    use super::*;

    fn launch(program: &[u8], data_dir: &[u8]) -> Launch {
        Launch {
            program: OsString::from_vec(program.to_vec()).into(),
            config: Some("/home/ann/set tings.toml".into()),
            data_dir: OsString::from_vec(data_dir.to_vec()).into(),
        }
    }

    #[test]
    fn the_unit_gives_back_what_it_runs_whatever_the_paths_hold() {
        for program in [
            &b"/opt/a b/100%/photond"[..],
            b"/opt/$HOME/\"x\"",
            b"/opt/caf\xe9=1",
        ] {
            let launch = launch(program, b"/data/\xff $x % \\ \"q\" \n");
            let unit = unit_text(&launch);
            assert!(!unit.contains("@COMMAND@"), "{unit}");
            assert_eq!(launch_in(&unit), Some(launch));
        }
        assert_eq!(launch_in("[Service]\nExecStart=/bin/true\n"), None);
    }

    #[test]
    fn a_unit_that_an_earlier_version_wrote_is_known() {
        let unit = "[Service]\nExecStart=\"/usr/bin/photond\" \"--data-dir\" \"/data\" \"watch\"\n";
        let launch = launch_in(unit).unwrap();
        assert_eq!(launch.program, Path::new("/usr/bin/photond"));
        assert_eq!(launch.data_dir, Path::new("/data"));
    }

    #[test]
    fn hardening_names_the_data_directory_or_is_left_out() {
        let text = hardening(&launch(b"/p", b"/my data/100%")).unwrap();
        assert!(
            text.contains("\nReadWritePaths=\"-/my data/100%%\"\n"),
            "{text}"
        );
        assert!(text.contains("\nEnvironment=\"SQLITE_TMPDIR=/my data/100%%\"\n"));
        assert!(!text.contains('@'), "every place is filled in: {text}");
        assert_eq!(hardening(&launch(b"/p", b"/caf\xe9")), None);
    }

    #[test]
    fn only_what_differs_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let unit = dir.path().join(NAME);
        let launch = launch(b"/p", b"/data");
        let both = DropIns {
            hardening: true,
            newer: true,
        };
        let files = UnitFiles::new(unit.clone(), &launch, both);
        assert_eq!(files.differing().len(), 3);
        for (path, text) in &files.files {
            put(path, text.as_ref().unwrap().as_bytes()).unwrap();
        }
        assert!(files.differing().is_empty());
        let less = DropIns {
            hardening: false,
            newer: true,
        };
        let less = UnitFiles::new(unit, &launch, less);
        let [(path, None)] = less.differing()[..] else {
            panic!("the drop-in that is not wanted any more goes");
        };
        assert!(path.ends_with("photond.service.d/hardening.conf"));
    }
}
