//! What a service runs: this program, its settings file, its data directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Context_;

/// The command line of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Launch {
    pub program: PathBuf,
    pub config: Option<PathBuf>,
    pub data_dir: PathBuf,
}

impl Launch {
    /// For the program that runs now, as it was called now.
    pub fn of_this(context: &Context_) -> anyhow::Result<Self> {
        // Said in so many words: the service's environment may have another usual place.
        let config = context.config_path.as_ref();
        Ok(Self {
            program: this_program()?,
            config: config.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            data_dir: context.data_dir.clone(),
        })
    }

    pub fn words(&self) -> Vec<OsString> {
        let mut words = vec![self.program.clone().into_os_string()];
        if let Some(config) = &self.config {
            words.extend(["--config".into(), config.clone().into_os_string()]);
        }
        words.extend(["--data-dir".into(), self.data_dir.clone().into_os_string()]);
        words.push("watch".into());
        words
    }

    /// From the words of an installed service, where this or an earlier version wrote them.
    pub fn from_words(words: &[OsString]) -> Option<Self> {
        let (program, rest) = words.split_first()?;
        let mut launch = Self {
            program: program.into(),
            config: None,
            data_dir: PathBuf::new(),
        };
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            match word.to_str()? {
                "--config" => launch.config = Some(rest.next()?.into()),
                "--data-dir" => launch.data_dir = rest.next()?.into(),
                "watch" => return Some(launch),
                _ => return None,
            }
        }
        None
    }

    /// What is wrong with an installed service that its file does not show: lines for people.
    pub fn drift(&self, context: &Context_) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.program.is_file() {
            lines.push(format!(
                "it runs {}, which is not there any more",
                self.program.display()
            ));
        } else if this_program().is_ok_and(|this| !same_file(&this, &self.program)) {
            lines.push(format!(
                "it runs {}, and this is another photond",
                self.program.display()
            ));
        }
        if !self.data_dir.is_dir() {
            lines.push(format!(
                "its data directory {} is not there any more",
                self.data_dir.display()
            ));
        } else if !same_file(&self.data_dir, &context.data_dir) {
            lines.push(format!(
                "its data directory is {}, and yours is {}",
                self.data_dir.display(),
                context.data_dir.display()
            ));
        }
        if let Some(config) = self.config.as_ref().filter(|path| !path.is_file()) {
            lines.push(format!(
                "its settings file {} is not there any more",
                config.display()
            ));
        }
        lines
    }
}

/// Where this program lies, by the name it was called by: a package manager's link stays where it is
/// when a new version puts the program itself elsewhere.
fn this_program() -> anyhow::Result<PathBuf> {
    let real = std::env::current_exe().context("cannot tell where this program lies")?;
    let called = PathBuf::from(std::env::args_os().next().unwrap_or_default());
    let found = if called.components().count() > 1 {
        std::path::absolute(&called).ok()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|dir| dir.join(&called))
            .find(|file| file.is_absolute() && file.is_file())
    };
    Ok(found.filter(|file| same_file(file, &real)).unwrap_or(real))
}

pub(super) fn same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    real(a) == real(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_comes_back_from_its_words() {
        let launch = Launch {
            program: "/opt/photond".into(),
            config: Some("/home/ann/my settings.toml".into()),
            data_dir: "/data".into(),
        };
        assert_eq!(Launch::from_words(&launch.words()), Some(launch.clone()));
        let plain = Launch {
            config: None,
            ..launch
        };
        assert_eq!(Launch::from_words(&plain.words()), Some(plain));
        let other = ["/bin/true".into(), "--help".into()];
        assert_eq!(Launch::from_words(&other), None);
    }
}
