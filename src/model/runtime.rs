//! Finding and loading ONNX Runtime.
//!
//! The library is looked at before it is loaded (a file, large enough, of this platform's format):
//! loading a missing or cut-off one inside the binding must not be tried. Then it is vouched for
//! ([`super::vouch`]), so that damage or a foreign build cannot take this process with it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use super::embedded::default_pack;
use super::error::ModelError;
use super::image_encoder::{EncoderOptions, ImageEncoder};
use super::vouch;

/// The loaded runtime. Clones share it; it lives as long as any encoder.
#[derive(Clone)]
pub struct Runtime {
    pub(super) env: Environment,
    /// The library it came from.
    pub path: PathBuf,
}

/// Where a runtime was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeChoice {
    /// The library.
    pub path: PathBuf,
    /// Which rule found it, for people.
    pub found_by: &'static str,
    /// Where it is remembered what trials of it have shown.
    data_dir: PathBuf,
}

#[cfg(target_os = "macos")]
const LIBRARY: &str = "libonnxruntime.dylib";
#[cfg(not(target_os = "macos"))]
const LIBRARY: &str = "libonnxruntime.so";

/// The one runtime of this process: a library cannot be unloaded, and makes one environment only.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// Smallest size in bytes of a real library (the smallest minimal builds are above 1 MB).
const SMALLEST: u64 = 1 << 20;

/// Looks for the library: `ORT_DYLIB_PATH`, beside the binary, the data directory, the system.
///
/// # Errors
/// [`ModelError::NoRuntime`] with every place looked at. A set `ORT_DYLIB_PATH` that names no file
/// is an error of its own, not a reason to look further.
pub fn find_runtime(data_dir: &Path) -> Result<RuntimeChoice, ModelError> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|p| !p.is_empty()) {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(RuntimeChoice {
                path,
                found_by: "ORT_DYLIB_PATH",
                data_dir: data_dir.to_path_buf(),
            })
        } else {
            Err(ModelError::BadRuntime {
                path,
                reason: "ORT_DYLIB_PATH names no file: unset it or mend it".to_owned(),
            })
        };
    }
    let mut looked = Vec::new();
    for (dir, found_by) in places(data_dir) {
        let path = dir.join(LIBRARY);
        if path.is_file() {
            let path = std::fs::canonicalize(&path).unwrap_or(path);
            return Ok(RuntimeChoice {
                path,
                found_by,
                data_dir: data_dir.to_path_buf(),
            });
        }
        // Places that are not there need not be named, but for the one that is the user's to fill.
        let dir = std::fs::canonicalize(&dir).unwrap_or(dir);
        if (dir.is_dir() || found_by == "the data directory") && !looked.contains(&dir) {
            looked.push(dir);
        }
    }
    Err(ModelError::NoRuntime { looked })
}

fn places(data_dir: &Path) -> Vec<(PathBuf, &'static str)> {
    let mut places = Vec::new();
    if let Some(bin) = std::env::current_exe()
        .ok()
        .and_then(|exe| exe.parent().map(Path::to_path_buf))
    {
        places.push((bin.clone(), "beside the binary"));
        places.push((bin.join("../lib/photond"), "beside the binary"));
        // A build tree: target/release/photond with runtime/ in the project.
        places.push((bin.join("../../runtime"), "the project's runtime/"));
        places.push((bin.join("../../../runtime"), "the project's runtime/"));
    }
    places.push((data_dir.join("runtime"), "the data directory"));
    for dir in [
        "/usr/local/lib",
        "/usr/lib",
        "/usr/lib64",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/opt/homebrew/lib",
    ] {
        places.push((PathBuf::from(dir), "the system"));
    }
    places
}

impl Runtime {
    /// Looks for the library and loads it.
    ///
    /// # Errors
    /// As [`find_runtime`] and [`Self::load`].
    pub fn find(data_dir: &Path) -> Result<Self, ModelError> {
        Self::load(&find_runtime(data_dir)?)
    }

    /// Loads the library that was found. Once loaded it stays for the life of the process, and
    /// every later call gives the same one.
    ///
    /// # Errors
    /// If the file is no library of this platform, damaged, too old, or refuses to load.
    pub fn load(choice: &RuntimeChoice) -> Result<Self, ModelError> {
        let vouch = || vouch::vouch(&choice.path, &choice.data_dir);
        Self::load_if(choice, vouch)
    }

    fn load_if(
        choice: &RuntimeChoice,
        vouch: impl FnOnce() -> Result<(), String>,
    ) -> Result<Self, ModelError> {
        let bad = |reason: String| ModelError::BadRuntime {
            path: choice.path.clone(),
            reason,
        };
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        look_at(&choice.path).map_err(&bad)?;
        vouch().map_err(&bad)?;
        let env = ort::init_from(&choice.path)
            .map_err(|e| bad(e.to_string()))?
            .with_name("photond")
            .with_telemetry(false)
            // It would write to standard error by itself, colours and names out of graphs as they
            // are. What goes wrong is in the error that every call gives.
            .with_logger(Arc::new(|_, _, _, at: &str, message: &str| {
                tracing::debug!("ONNX Runtime at {at:?}: {message:?}");
            }))
            .build()
            .map_err(|e| bad(e.to_string()))?;
        env.set_log_level(LogLevel::Error);
        let runtime = Self {
            env,
            path: choice.path.clone(),
        };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// What the library says of itself (version and build).
    pub fn describe(&self) -> &'static str {
        ort::info()
    }
}

/// Loads a library that nobody vouches for and runs the built-in model once: what the child of a
/// trial does. It may crash or never return.
///
/// # Errors
/// If the library does not work.
pub fn try_runtime(library: &Path, data_dir: &Path) -> Result<(), ModelError> {
    vouch::be_a_child();
    let choice = RuntimeChoice {
        path: library.to_path_buf(),
        found_by: "a trial",
        data_dir: data_dir.to_path_buf(),
    };
    let runtime = Runtime::load_if(&choice, || Ok(()))?;
    // Making an encoder runs it once, and checks the answer.
    ImageEncoder::new(&runtime, &default_pack()?, EncoderOptions { threads: 1 }).map(drop)
}

/// Refuses what the dynamic loader should not be asked to load.
fn look_at(path: &Path) -> Result<(), String> {
    let mut file = File::open(path).map_err(|e| e.to_string())?;
    let len = file.metadata().map_err(|e| e.to_string())?.len();
    if len < SMALLEST {
        return Err(format!("it has only {len} bytes"));
    }
    let mut head = [0u8; 64];
    file.read_exact(&mut head).map_err(|e| e.to_string())?;
    if cfg!(target_os = "macos") {
        // Mach-O 64-bit, either byte order, or a universal file.
        let magic = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        return match magic {
            0xfeed_facf | 0xcffa_edfe | 0xcafe_babe => Ok(()),
            _ => Err("it is not a Mach-O library".to_owned()),
        };
    }
    if head[..4] != *b"\x7fELF" {
        return Err("it is not an ELF library".to_owned());
    }
    // The section header table lies at the end of an ELF file: offset and size (64-bit layout).
    let at = |i: usize| u64::from_le_bytes(std::array::from_fn(|k| head[i + k]));
    let half = |i: usize| u64::from(u16::from_le_bytes([head[i], head[i + 1]]));
    let end = at(0x28).saturating_add(half(0x3a) * half(0x3c));
    if head[4] == 2 && end > len {
        return Err(format!("it is cut off: {len} bytes of at least {end}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_library_are_not_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LIBRARY);
        std::fs::write(&path, b"short").unwrap();
        assert!(look_at(&path).unwrap_err().contains("5 bytes"));
        std::fs::write(&path, vec![b'x'; 2 << 20]).unwrap();
        assert!(look_at(&path).unwrap_err().contains("not a"));
        if cfg!(target_os = "linux") {
            let mut elf = vec![0u8; 2 << 20];
            elf[..4].copy_from_slice(b"\x7fELF");
            elf[4] = 2;
            elf[0x28..0x30].copy_from_slice(&(50u64 << 20).to_le_bytes());
            elf[0x3a] = 64;
            elf[0x3c] = 30;
            std::fs::write(&path, elf).unwrap();
            assert!(look_at(&path).unwrap_err().contains("cut off"));
        }
    }
}
