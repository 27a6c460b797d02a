//! Where files live: the data directory and the settings file.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;

/// Environment variable that overrides the data directory.
pub const DATA_DIR_VAR: &str = "PHOTOND_DATA_DIR";

/// The data directory: the flag, else `PHOTOND_DATA_DIR`, else the platform's place.
///
/// `None` only where the platform knows no home directory.
pub fn data_dir(flag: Option<&Path>) -> Option<PathBuf> {
    if let Some(dir) = flag {
        return Some(dir.to_path_buf());
    }
    if let Some(dir) = std::env::var_os(DATA_DIR_VAR).filter(|d| !d.is_empty()) {
        return Some(PathBuf::from(dir));
    }
    project().map(|p| p.data_local_dir().to_path_buf())
}

/// The settings file's usual place.
pub fn config_file() -> Option<PathBuf> {
    project().map(|p| p.config_dir().join("config.toml"))
}

/// The user's home directory.
pub fn home() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|b| b.home_dir().to_path_buf())
}

fn project() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "photond")
}
