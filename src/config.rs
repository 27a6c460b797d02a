//! The settings file (`config.toml`) as one plain struct, with the line of the first mistake.
//!
//! Flags are merged by the command line (floor 5); nothing here reads the environment.

mod mistakes;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Everything a person can set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folders to watch; `~/` is the home directory.
    pub roots: Vec<PathBuf>,
    /// More to leave out, in gitignore syntax, relative to each root.
    pub exclude: Vec<String>,
    /// Index hidden files and folders too.
    pub hidden: bool,
    /// Follow symbolic links: a folder that one leads to is indexed like one of `roots`.
    pub follow_symlinks: bool,
    /// Photos worked on at once; 0: as many as there are processors.
    pub parallel: usize,
    /// Files larger than this many MiB are recorded as failed, not read.
    pub max_file_mib: u64,
    /// Pictures with more pixels than this many millions are known by their metadata only.
    pub max_megapixels: u64,
    /// Where pictures are decoded.
    pub decode: Decode,
    /// Seconds that decoding one file may take.
    pub decode_seconds: u64,
    /// Memory that a decoding process may map, in MiB.
    pub decode_memory_mib: u64,
    /// Hours between full scans that catch what events missed.
    pub rescan_hours: f64,
    /// Probability from which a tag counts in queries and is shown, 0 to 1.
    pub min_confidence: f32,
    /// Run with low CPU and I/O priority while watching.
    pub background: bool,
    /// What is indexed while the machine runs on its battery.
    pub on_battery: OnBattery,
    /// Most folders to watch in one root, so that other programs find watches too; 0: as many as the
    /// system gives. What lies in the others is looked through every minute.
    pub max_watches: usize,
    /// Terms that photos are set against.
    pub labels: LabelsTable,
    /// What is looked for in pictures beside the classifier's classes.
    pub detect: DetectTable,
    /// The gallery in the browser.
    pub gallery: GalleryTable,
    /// A table of earlier versions: read, and of no effect.
    pub pools: Option<toml::Table>,
}

/// `decode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decode {
    /// In processes of their own, which may do nothing but compute.
    #[default]
    Workers,
    /// In this process: to look for mistakes.
    InProcess,
}

/// `on_battery`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBattery {
    /// All that there is.
    Everything,
    /// Photos that come in; the backlog waits.
    #[default]
    Live,
    /// Nothing.
    Nothing,
}

/// `[labels]`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabelsTable {
    /// Most terms of the built-in vocabulary, the everyday ones first; 0: none.
    pub terms: usize,
}

/// `[detect]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectTable {
    /// People and 79 kinds of things, where they are.
    pub things: bool,
    /// Faces, where they are; not whose.
    pub faces: bool,
    /// What is written in the picture.
    pub text: bool,
}

/// `[gallery]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GalleryTable {
    /// Port of 127.0.0.1; another one, if it is taken.
    pub port: u16,
    /// Listen there as long as photond runs, and not only after `photond open`.
    pub always: bool,
    /// Most that is kept on disk of pictures larger than thumbnails, once they have been made; 0 keeps none.
    pub previews_mib: u64,
    /// Listen on the network there, with a password and TLS, as long as photond runs.
    pub lan: Option<SocketAddr>,
    /// More names that browsers on the network may ask for.
    pub names: Vec<String>,
    /// A certificate for that, in PEM; photond makes one if none is named.
    pub certificate: Option<PathBuf>,
    /// Its key, in PEM.
    pub key: Option<PathBuf>,
}

impl Default for GalleryTable {
    fn default() -> Self {
        Self {
            port: 7755,
            always: false,
            previews_mib: 1024,
            lan: None,
            names: Vec::new(),
            certificate: None,
            key: None,
        }
    }
}

impl Default for DetectTable {
    fn default() -> Self {
        Self {
            things: true,
            faces: true,
            text: true,
        }
    }
}

impl Default for LabelsTable {
    fn default() -> Self {
        Self { terms: 1_000_000 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            exclude: Vec::new(),
            hidden: false,
            follow_symlinks: false,
            parallel: 0,
            max_file_mib: 512,
            max_megapixels: 300,
            decode: Decode::default(),
            decode_seconds: 60,
            decode_memory_mib: 2048,
            rescan_hours: 6.0,
            min_confidence: 0.6,
            background: true,
            on_battery: OnBattery::default(),
            max_watches: 0,
            labels: LabelsTable::default(),
            detect: DetectTable::default(),
            gallery: GalleryTable::default(),
            pools: None,
        }
    }
}

/// A settings file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not valid TOML, or a key or value is wrong.
    #[error("{path}, line {line}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// A value is out of range.
    #[error("{path}, line {line}: {key} = {value} is out of range; allowed: {allowed}{advice}")]
    Range {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Which setting.
        key: &'static str,
        /// What it says.
        value: String,
        /// What is allowed.
        allowed: &'static str,
        /// What was probably meant, and the way to say that.
        advice: String,
    },
}

impl Config {
    /// Reads a settings file.
    ///
    /// # Errors
    /// With the file, the line and what is allowed.
    pub fn read(path: &Path, home: Option<&Path>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        Self::parse(&text, path, home)
    }

    /// Reads settings from text; `path` is named in errors.
    ///
    /// # Errors
    /// With the file, the line and what is allowed.
    pub fn parse(text: &str, path: &Path, home: Option<&Path>) -> Result<Self, ConfigError> {
        let parse = |at: usize, reason: String| ConfigError::Parse {
            path: path.to_path_buf(),
            line: line_at(text, at),
            reason,
        };
        mistakes::look(text).map_err(|mistake| parse(mistake.at, mistake.reason))?;
        let mut config: Self = toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(0, |span| span.start);
            parse(at, e.message().to_owned())
        })?;
        if let Some((key, value, allowed, advice)) = config.out_of_range() {
            return Err(ConfigError::Range {
                path: path.to_path_buf(),
                line: line_of(text, key),
                key,
                value,
                allowed,
                advice,
            });
        }
        let gallery = &mut config.gallery;
        let files = [&mut gallery.certificate, &mut gallery.key];
        for path in config.roots.iter_mut().chain(files.into_iter().flatten()) {
            if let (Ok(rest), Some(home)) = (path.strip_prefix("~"), home) {
                *path = home.join(rest);
            }
        }
        Ok(config)
    }
}

impl Config {
    /// The first value that is out of its range: key, value, what is allowed, and what was probably meant.
    fn out_of_range(&self) -> Option<(&'static str, String, &'static str, String)> {
        let wholes = [
            ("parallel", self.parallel as u64, 0..=256, "0 to 256", ""),
            (
                "max_file_mib",
                self.max_file_mib,
                1..=16_384,
                "1 to 16384",
                "; 0 would mean that no file is read: for as good as no bound write 16384 (16 GiB)",
            ),
            (
                "max_megapixels",
                self.max_megapixels,
                1..=4000,
                "1 to 4000",
                "",
            ),
            (
                "decode_seconds",
                self.decode_seconds,
                1..=3600,
                "1 to 3600",
                "",
            ),
            (
                "decode_memory_mib",
                self.decode_memory_mib,
                256..=65_536,
                "256 to 65536",
                "",
            ),
        ];
        for (key, value, allowed, words, of_zero) in wholes {
            if !allowed.contains(&value) {
                let advice = if value == 0 { of_zero } else { "" };
                return Some((key, value.to_string(), words, advice.to_owned()));
            }
        }
        if !(0.01..=8760.0).contains(&self.rescan_hours) {
            let advice = match self.rescan_hours {
                0.0 => {
                    "; 0 would mean without a pause: for as good as never write 8760 (once a year)"
                }
                _ => "",
            };
            let value = self.rescan_hours.to_string();
            return Some(("rescan_hours", value, "0.01 to 8760", advice.to_owned()));
        }
        if !(0.0..=1.0).contains(&self.min_confidence) {
            let percent = self.min_confidence;
            let advice = match (1.0..=100.0).contains(&percent) {
                true => format!("; {percent} % is {}", percent / 100.0),
                false => String::new(),
            };
            return Some(("min_confidence", percent.to_string(), "0 to 1", advice));
        }
        None
    }
}

/// The line that a pattern of `exclude` stands in, counted from 1.
pub fn line_of_exclude(text: &str, pattern: &str) -> Option<usize> {
    /// Only what is looked for.
    #[derive(Deserialize)]
    struct Patterns {
        #[serde(default)]
        exclude: Vec<toml::Spanned<String>>,
    }
    let patterns: Patterns = toml::from_str(text).ok()?;
    let found = patterns.exclude.iter().find(|p| p.get_ref() == pattern)?;
    Some(line_at(text, found.span().start))
}

/// The line of a place in a text, counted from 1.
fn line_at(text: &str, at: usize) -> usize {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    before.matches('\n').count() + 1
}

/// The line that sets a key of the top level, in text that has been understood.
fn line_of(text: &str, key: &str) -> usize {
    let sets = |line: &str| {
        let rest = line.trim_start().trim_start_matches(['"', '\'']);
        rest.strip_prefix(key).is_some_and(|rest| {
            let rest = rest.trim_start_matches(['"', '\'']);
            rest.trim_start().starts_with('=')
        })
    };
    text.lines().position(sets).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("config.toml"), Some(Path::new("/home/ann")))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn mistakes_name_their_line() {
        let err = parse("parallel = 2\n\nrots = []\n").unwrap_err();
        assert!(
            err.contains("config.toml, line 3") && err.contains("rots"),
            "{err}"
        );
        let err = parse("parallel = \"two\"\n").unwrap_err();
        assert!(err.contains("line 1"), "{err}");
        let err =
            parse("# min_confidence = 1\nhidden = true\n  min_confidence = 7.0\n").unwrap_err();
        assert!(err.contains("line 3") && err.contains("0 to 1"), "{err}");
    }

    #[test]
    fn what_zero_or_percent_would_mean_is_told() {
        for (text, wanted) in [
            ("min_confidence = 30", "30 % is 0.3"),
            ("rescan_hours = 0", "write 8760"),
            ("max_file_mib = 0", "write 16384"),
        ] {
            let err = parse(text).unwrap_err();
            assert!(
                err.contains("out of range") && err.contains(wanted),
                "{err}"
            );
        }
        let err = parse("max_file_mib = 99999").unwrap_err();
        assert!(!err.contains("no file"), "{err}");
    }

    #[test]
    fn tables_are_checked_too() {
        let config = parse("[labels]\nterms = 0\n[pools]\nwarm_every = 50\n").unwrap();
        assert_eq!(config.labels.terms, 0);
        assert!(config.pools.is_some());
        assert!(parse("[labels]\ntags = 3\n").is_err());
    }

    #[test]
    fn home_is_filled_in_and_defaults_hold() {
        let config = parse("roots = ['~/Pictures', '/mnt/photos']\n").unwrap();
        assert_eq!(config.roots[0], Path::new("/home/ann/Pictures"));
        let config = parse("[gallery]\nlan = '[::]:7756'\nkey = '~/k.pem'\n").unwrap();
        assert_eq!(
            config.gallery.key.as_deref(),
            Some(Path::new("/home/ann/k.pem"))
        );
        assert!(config.gallery.lan.unwrap().is_ipv6());
        assert_eq!(config.max_file_mib, Config::default().max_file_mib);
        assert_eq!(parse("").unwrap(), Config::default());
    }
}
