//! Which names packs and their files may have: they become folder and file names, so nothing that
//! a path could read something into.

use super::InstallError;

const LONGEST: usize = 64;

/// A pack's name: `[a-z0-9._-]`, no leading dot, at most 64.
///
/// # Errors
/// [`InstallError::BadName`].
pub fn check_name(name: &str) -> Result<(), InstallError> {
    let fine = !name.is_empty()
        && name.len() <= LONGEST
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
    if fine {
        Ok(())
    } else {
        Err(InstallError::BadName {
            name: name.to_owned(),
        })
    }
}

/// Names that photond itself uses in a pack's folder.
const RESERVED: [&str; 2] = ["model.toml", "verified"];

/// A file of a pack: one plain name, no folders, no dot in front, none of photond's own.
pub(super) fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && !name.ends_with(".part")
        && !name.ends_with(".state")
        && !RESERVED.contains(&name)
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// A path in a repository or archive: relative, forward slashes, no way up.
pub(super) fn is_inner_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 512
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_folder() {
        for good in [
            "siglip-base-patch16-224",
            "a",
            "my_clip.v2",
            &"x".repeat(64),
        ] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".partial-x",
            "a/b",
            "a\\b",
            "Übung",
            "A",
            "a b",
            "a\0",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn file_names_are_plain_and_not_ours() {
        assert!(is_file_name("vision_model.onnx"));
        for bad in [
            "",
            "..",
            ".hidden",
            "a/b.onnx",
            "model.toml",
            "verified",
            "x.part",
            "x.state",
            "naïve.onnx",
        ] {
            assert!(!is_file_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn inner_paths_stay_inside() {
        assert!(is_inner_path("onnx/vision_model.onnx"));
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/./b",
            "a\\b",
            "a/",
        ] {
            assert!(!is_inner_path(bad), "{bad:?}");
        }
    }
}
