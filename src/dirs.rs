//! Where files live: the data directory, the settings file, the sockets.

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

/// Name of the API's socket in its directory.
const API_SOCKET: &str = "api.sock";

/// Where a daemon may answer the API, the best place first: `$XDG_RUNTIME_DIR/photond/api.sock` for the
/// platform's data directory, and beside the index for any other, since several daemons may run on those, or
/// where the first cannot be written (a service of an earlier version may not).
pub fn api_sockets(data_dir: &Path) -> Vec<PathBuf> {
    let usual = project().is_some_and(|p| p.data_local_dir() == data_dir);
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| usual);
    let runtime = runtime.map(PathBuf::from);
    let runtime = runtime.filter(|dir| dir.is_absolute() && dir.is_dir());
    let runtime = runtime.map(|dir| dir.join("photond").join(API_SOCKET));
    runtime
        .into_iter()
        .chain([data_dir.join(API_SOCKET)])
        .collect()
}

/// The address of a Unix socket, which may have no more than 107 bytes: where its path is longer, by way
/// of a descriptor of its folder, which is open as long as this lives.
pub struct SocketAddress {
    path: PathBuf,
    _dir: Option<std::fs::File>,
}

impl SocketAddress {
    /// What to bind or connect to.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The address of the socket at a path.
///
/// # Errors
/// If its folder cannot be opened.
pub fn socket_address(path: &Path) -> std::io::Result<SocketAddress> {
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;
    let (dir, name) = (path.parent(), path.file_name());
    let (Some(dir), Some(name), true) = (
        dir,
        name,
        path.as_os_str().as_bytes().len() >= 104 && cfg!(target_os = "linux"),
    ) else {
        let path = path.to_path_buf();
        return Ok(SocketAddress { path, _dir: None });
    };
    let dir = std::fs::File::open(dir)?;
    let short = format!("/proc/self/fd/{}", dir.as_raw_fd());
    Ok(SocketAddress {
        path: Path::new(&short).join(name),
        _dir: Some(dir),
    })
}
