//! How the Hugging Face hub (and its mirrors) are asked: addresses, commits, and what the hub itself
//! says that a file is.
//!
//! `ENDPOINT/REPO/resolve/REVISION/PATH` answers, or redirects to a store, with `X-Repo-Commit` (the
//! commit that REVISION is), and for large files `X-Linked-Etag` (SHA-256 of the content) and
//! `X-Linked-Size`. Small files are kept in Git itself: their ETag is the Git object's name. A plain
//! mirror says none of it; then there is less to check, and the user is told so.

use serde::{Deserialize, Serialize};

use super::digest::is_hex;
use super::http::{Answer, Ask, Client};
use super::name::is_inner_path;
use super::retry::{Pause, Trouble, until_done};
use super::{InstallError, Watch};

/// What the hub says of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stated {
    /// The commit that the revision is, 40 hex digits.
    pub commit: Option<String>,
    /// SHA-256 of the content.
    pub sha256: Option<String>,
    /// Git object name of the content.
    pub git: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
}

impl Stated {
    /// Reads the headers of the hub's own answers.
    pub fn of(answer: &Answer) -> Self {
        let commit = answer
            .hub_header("x-repo-commit")
            .filter(|c| is_hex(c, 40))
            .map(str::to_owned);
        let tag = |name| {
            answer
                .hub_header(name)
                .map(|t| t.trim_start_matches("W/").trim_matches('"'))
        };
        let linked = tag("x-linked-etag");
        // Only the hub's ETags are Git's names: some other server's 40 digits may be anything.
        let git = linked
            .or_else(|| tag("etag").filter(|_| commit.is_some()))
            .filter(|t| is_hex(t, 40))
            .map(str::to_owned);
        let sha256 = linked.filter(|t| is_hex(t, 64)).map(str::to_owned);
        let direct = (answer.status == 200)
            .then(|| answer.header("content-length"))
            .flatten();
        let size = answer
            .hub_header("x-linked-size")
            .or(direct)
            .and_then(|v| v.parse().ok());
        Self {
            commit,
            sha256,
            git,
            size,
        }
    }
}

/// The address of a file of a repository.
pub(super) fn url(
    endpoint: &str,
    repo: &str,
    revision: &str,
    path: &str,
) -> Result<String, InstallError> {
    let bad = |what: &'static str, value: &str, reason: &str| InstallError::Setting {
        what,
        value: value.to_owned(),
        reason: reason.to_owned(),
    };
    if !is_inner_path(repo) || repo.split('/').count() > 2 {
        return Err(bad("source.repo", repo, "it must be owner/name"));
    }
    if !is_inner_path(revision) {
        return Err(bad(
            "source.revision",
            revision,
            "it must be a branch, tag or commit",
        ));
    }
    if !is_inner_path(path) {
        return Err(bad("a file's path", path, "it must lie in the repository"));
    }
    Ok(format!(
        "{endpoint}/{}/resolve/{}/{}",
        escaped(repo, true),
        escaped(revision, false),
        escaped(path, true)
    ))
}

/// Asks what a file is, without fetching it. `None` where the server does not answer such
/// questions; the download itself then shows.
pub(super) fn look(
    client: &Client,
    url: &str,
    pause: &dyn Pause,
    watch: &dyn Watch,
) -> Result<Option<Stated>, InstallError> {
    let ask = Ask {
        from: None,
        headers_only: true,
    };
    until_done(url, client.patience(), pause, watch, |_| {
        match client.ask(url, &ask) {
            Ok(answer) => Ok(Some(Stated::of(&answer))),
            Err(Trouble::Final(InstallError::Status {
                status: 400 | 405 | 501,
                ..
            })) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    })
}

/// Percent-encoding of all that is not plain in a path.
fn escaped(text: &str, keep_slashes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(b));
            }
            b'/' if keep_slashes => out.push('/'),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_the_hubs() {
        assert_eq!(
            url(
                "https://hub",
                "Xenova/siglip",
                "main",
                "onnx/vision_model.onnx"
            )
            .unwrap(),
            "https://hub/Xenova/siglip/resolve/main/onnx/vision_model.onnx"
        );
        assert_eq!(
            url("https://hub", "a/b", "refs/pr/3", "x y?.onnx").unwrap(),
            "https://hub/a/b/resolve/refs%2Fpr%2F3/x%20y%3F.onnx"
        );
    }

    #[test]
    fn addresses_cannot_be_led_elsewhere() {
        for (repo, revision, path) in [
            ("../x", "main", "f"),
            ("a/b/c", "main", "f"),
            ("a/b", "..", "f"),
            ("a/b", "main", "../../f"),
            ("a/b", "main", "/f"),
            ("", "main", "f"),
        ] {
            assert!(url("https://hub", repo, revision, path).is_err());
        }
    }
}
