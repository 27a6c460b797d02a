//! Paths whose names are bytes and not text, in JSON and on the command line.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::photo::hex;

/// The path under `name`, and `NAME_bytes` in hex where it is not UTF-8 and `name` only as near as can be.
pub(super) fn put_path_as(fields: &mut Map<String, Value>, name: &str, path: &Path) {
    fields.insert(name.to_owned(), path.to_string_lossy().into());
    if path.to_str().is_none() {
        let bytes = hex(path.as_os_str().as_bytes());
        fields.insert(format!("{name}_bytes"), bytes.into());
    }
}

/// A path with more said of it.
pub(super) fn with_path(path: &Path, fields: Value) -> Value {
    let mut all = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    put_path_as(&mut all, "path", path);
    Value::Object(all)
}

/// The bytes of all these paths in hex, if one of them is no text.
pub(super) fn bytes_if_odd<'a>(
    paths: impl Iterator<Item = &'a Path> + Clone,
) -> Option<Vec<String>> {
    let odd = paths.clone().any(|path| path.to_str().is_none());
    odd.then(|| paths.map(|path| hex(path.as_os_str().as_bytes())).collect())
}

/// Links resolved where the file is there, for it is by that name that it is indexed.
pub(super) fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_in_json() {
        let odd = OsStr::from_bytes(b"/caf\xe9/[1].jpg");
        let value = with_path(Path::new(odd), serde_json::json!({ "state": "x" }));
        assert_eq!(value["path"], "/caf\u{fffd}/[1].jpg");
        assert_eq!(value["path_bytes"], "2f636166e92f5b315d2e6a7067");
        assert_eq!(value["state"], "x");
        let plain = with_path(Path::new("/a"), serde_json::json!({}));
        assert!(plain.get("path_bytes").is_none());
    }
}
