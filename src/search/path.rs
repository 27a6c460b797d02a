//! `--path`: a glob over the whole path of a photo, turned into the folders that it can be in.
//!
//! `**` crosses folders, `*` and `?` do not; a glob that does not start at `/` may match anywhere below
//! a folder. Nearly every glob is one for the folder and one for the name; then only folders are
//! looked at, of which there are few, and the photos in those that match.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use globset::{GlobBuilder, GlobMatcher};

use super::error::SearchError;
use crate::photo::RelPath;
use crate::store::{FolderRow, StoreError, StoreReader};

/// A glob, and the folders of this index that it can match in.
pub(super) struct PathPattern {
    /// `folders.id`; `None`: any.
    pub folders: Option<Vec<i64>>,
    name: Option<GlobMatcher>,
    /// A glob that is not one for the folder and one for the name.
    whole: Option<GlobMatcher>,
    roots: HashMap<i64, PathBuf>,
}

impl PathPattern {
    /// # Errors
    /// A glob that is none; the database.
    pub fn new(reader: &StoreReader, given: &str) -> Result<Self, SearchError> {
        let roots = reader.roots()?.into_iter().map(|r| (r.id, r.path));
        Self::over(given, roots.collect(), || reader.folders())
    }

    fn over(
        given: &str,
        roots: HashMap<i64, PathBuf>,
        folders: impl FnOnce() -> Result<Vec<FolderRow>, StoreError>,
    ) -> Result<Self, SearchError> {
        let anchored = if given.starts_with('/') || given.starts_with("**") {
            given.to_owned()
        } else {
            format!("**/{given}")
        };
        let matcher = |glob: &str| {
            let built = GlobBuilder::new(glob).literal_separator(true).build();
            built
                .map(|g| g.compile_matcher())
                .map_err(|e| SearchError::BadGlob {
                    given: given.to_owned(),
                    reason: e.kind().to_string(),
                })
        };
        let whole = matcher(&anchored)?;
        let Some((folder, name)) = parts(&anchored) else {
            return Ok(Self {
                folders: None,
                name: None,
                whole: Some(whole),
                roots,
            });
        };
        // `a/**` is what lies in a, at any depth; `a/**/x` may lie in a itself.
        let below = name == "**";
        let (folder, any_depth) = match folder.strip_suffix("/**") {
            Some(upper) => (upper, true),
            None => (folder, below),
        };
        let folders = if folder == "**" || (folder.is_empty() && any_depth) {
            None
        } else {
            let here = matcher(folder)?;
            let deeper = matcher(&format!("{folder}/**"))?;
            let matches = |folder: &FolderRow| {
                roots.get(&folder.root).is_some_and(|root| {
                    let path = folder.path.under(root);
                    here.is_match(&path) || (any_depth && deeper.is_match(&path))
                })
            };
            let all = folders()?.into_iter();
            Some(all.filter(matches).map(|folder| folder.id).collect())
        };
        Ok(Self {
            folders,
            name: (!below && name != "*").then(|| matcher(name)).transpose()?,
            whole: None,
            roots,
        })
    }

    /// Whether [`Self::fits`] has anything to say beside the folders.
    pub fn is_checked(&self) -> bool {
        self.name.is_some() || self.whole.is_some()
    }

    /// Whether a path in one of the folders matches.
    pub fn fits(&self, root: i64, path: &RelPath) -> bool {
        let bytes = path.as_bytes();
        let name = bytes.rsplit(|b| *b == b'/').next().unwrap_or(bytes);
        self.name
            .as_ref()
            .is_none_or(|glob| glob.is_match(std::ffi::OsStr::from_bytes(name)))
            && self.whole.as_ref().is_none_or(|glob| {
                self.roots
                    .get(&root)
                    .is_some_and(|root| glob.is_match(path.under(root)))
            })
    }
}

/// A glob for the folder and one for the name, if it is that: no braces or brackets with a slash in
/// them, no `**` that is part of a name.
fn parts(glob: &str) -> Option<(&str, &str)> {
    let (folder, name) = glob.rsplit_once('/')?;
    let is_whole = |part: &str| {
        let count = |c| part.matches(c).count();
        count('{') == count('}') && count('[') == count(']')
    };
    let plain = name == "**" || !name.contains("**");
    (plain && is_whole(folder) && is_whole(name) && !glob.contains('\\')).then_some((folder, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 8] = [
        "a.jpg",
        "2023/b.jpg",
        "2023/05/c.JPG",
        "2023/05/deep/d.jpg",
        "2013/05/e.jpg",
        "x[1]/f.jpg",
        "2023/05/deep/2013/05/g.png",
        "b/h,1.jpg",
    ];

    fn folder_of(path: &str) -> &str {
        path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// Whatever the way, it must be what the glob over the whole path says.
    #[test]
    fn a_glob_in_two_parts_is_the_glob() {
        let folders: Vec<FolderRow> = (0..)
            .zip(PATHS)
            .map(|(id, path)| FolderRow {
                id,
                root: 1,
                path: RelPath::from_bytes(folder_of(path).as_bytes()),
                photos: 1,
            })
            .collect();
        let roots = || HashMap::from([(1, PathBuf::from("/home/ann"))]);
        for glob in [
            "*.jpg",
            "2023/*.jpg",
            "**/2023/**/*.jpg",
            "**/05/**",
            "**/2013/05/**",
            "/home/ann/2023/**",
            "/home/ann/*.jpg",
            "/home/*.jpg",
            "/home/ann/**",
            "**",
            "/**",
            "*",
            "**/*",
            "*.{JPG,png}",
            "{2023,b}/*.jpg",
            "{2023/05,b}/*.jpg",
            "x[[]1]/*",
            "x\\[1\\]/*.jpg",
            "b/h,1.jpg",
            "2023/**",
        ] {
            let pattern = PathPattern::over(glob, roots(), || Ok(folders.clone())).unwrap();
            let anchored = if glob.starts_with('/') || glob.starts_with("**") {
                glob.to_owned()
            } else {
                format!("**/{glob}")
            };
            let whole = GlobBuilder::new(&anchored).literal_separator(true).build();
            let whole = whole.unwrap().compile_matcher();
            for (id, path) in (0..).zip(PATHS) {
                let in_folder = pattern.folders.as_ref().is_none_or(|ids| ids.contains(&id));
                let fits = in_folder && pattern.fits(1, &RelPath::from_bytes(path.as_bytes()));
                let expected = whole.is_match(format!("/home/ann/{path}"));
                assert_eq!(fits, expected, "{glob} on {path}");
            }
        }
        assert!(PathPattern::over("a[", roots(), || Ok(Vec::new())).is_err());
    }
}
