//! What a name alone says: never a photo, not finished yet, or a place nobody keeps photos in.
//!
//! Pure functions over one path component. The lists err on the side of looking: an unknown
//! extension, or none, is a candidate, and the bytes decide.

use super::rule::Rule;

/// Files that are never photos, by extension in lower case, sorted.
///
/// Video and audio, documents, sidecars (`aae`, and `thm`/`lrv`, the previews cameras put beside
/// videos; those that are read are told by [`SidecarKind`](crate::sidecar::SidecarKind)), archives,
/// code, databases, fonts, executables.
#[rustfmt::skip]
const OTHER_EXTENSIONS: &[&str] = &[
    "3g2", "3gp", "3gpp", "7z", "a", "aac", "aae", "aif", "aiff", "amr", "ape", "apk", "asf",
    "asm", "ass", "avi", "bak", "bash", "bat", "bib", "bz2", "c", "cab", "cc", "cfg", "class",
    "cmd", "conf", "cpp", "cs", "css", "csv", "cue", "cxx", "db", "deb", "divx", "dll", "dmg",
    "doc", "docm", "docx", "dop", "dsf", "dv", "dylib", "ear", "eml", "epub", "exe", "f4v", "flac",
    "flv", "fon", "go", "gpx", "gz", "h", "hpp", "htm", "html", "ics", "idx", "img", "inc", "ini",
    "ipynb", "iso", "jar", "java", "js", "jsonl", "key", "kml", "kmz", "kt", "lnk", "lock",
    "log", "lrcat", "lrprev", "lrv", "lua", "lz4", "lzma", "m2ts", "m2v", "m3u", "m3u8", "m4a",
    "m4b", "m4v", "mbox", "md", "mdb", "mid", "midi", "mjs", "mkv", "mobi", "mod", "mov", "mp2",
    "mp3", "mp4", "mpa", "mpeg", "mpg", "msg", "msi", "mts", "nfo", "numbers", "o", "obj", "odb",
    "odp", "ods", "odt", "oga", "ogg", "ogm", "ogv", "opus", "otf", "ova", "pages", "pcm", "pdb",
    "pdf", "php", "pkg", "pl", "plist", "pls", "pp3", "ppt", "pptx", "ps1", "py", "pyc", "qcow2",
    "r", "rar", "rb", "rm", "rmvb", "rpm", "rs", "rst", "rtf", "s", "scss", "sh", "so", "sql",
    "sqlite", "sqlite-journal", "sqlite-shm", "sqlite-wal", "sqlite3", "srt", "ssa", "sub", "svg",
    "svgz", "swf", "swift", "sys", "tar", "tbz2", "tex", "tgz", "thm", "toml", "torrent", "ts",
    "tsv", "tsx", "ttc", "ttf", "txt", "txz", "url", "vb", "vcf", "vdi", "vhd", "vhdx", "vmdk",
    "vob", "vtt", "war", "wav", "webloc", "webm", "wma", "wmv", "woff", "woff2", "wv", "xls",
    "xlsm", "xlsx", "xml", "xz", "yaml", "yml", "zip", "zst",
];

/// Files that are never photos, by whole name, compared without case.
#[rustfmt::skip]
const OTHER_NAMES: &[&str] = &[
    "authors", "changelog", "contributing", "copying", "dockerfile", "gemfile", "install",
    "jenkinsfile", "licence", "license", "makefile", "news", "notice", "pkgbuild", "procfile",
    "rakefile", "readme", "todo", "vagrantfile", "version",
];

/// Extensions of files that are still being fetched and get another name when whole, sorted.
#[rustfmt::skip]
const TEMPORARY_EXTENSIONS: &[&str] = &[
    "!bt", "!qb", "!ut", "aria2", "bc!", "crdownload", "download", "filepart", "opdownload",
    "part", "partial", "temp", "tmp",
];

/// Beginnings of names of files that are still being written (Syncthing, GLib, browsers, FUSE and
/// NFS leftovers of deleted files, office locks, Android's media store).
#[rustfmt::skip]
const TEMPORARY_PREFIXES: &[&[u8]] = &[
    b"~syncthing~", b".syncthing.", b".goutputstream-", b".!", b"~$", b".fuse_hidden", b".nfs0",
    b".com.google.chrome.", b".org.chromium.", b".pending-",
];

/// ExifTool writes `a.jpg_exiftool_tmp` and renames at the end.
const EXIFTOOL_TEMPORARY: &[u8] = b"_exiftool_tmp";

/// Directories never entered, whatever the settings say, compared without case: system folders,
/// recycle bins and previews of NAS makers, version control, caches.
#[rustfmt::skip]
const SKIPPED_DIRS: &[&str] = &[
    "#recycle", "#snapshot", "$recycle.bin", ".cache", ".documentrevisions-v100", ".dropbox.cache",
    ".fseventsd", ".git", ".hg", ".spotlight-v100", ".stfolder", ".stversions", ".svn",
    ".temporaryitems", ".thumbnails", ".trashes", ".zfs", "@eadir", "@recently-snapshot",
    "@recycle", "__macosx", "lost+found", "node_modules", "recycler", "system volume information",
];

/// Packages of photo managers, by extension of the directory. Only the folders in
/// [`PACKAGE_ORIGINALS`] directly inside them hold the user's photos; the rest is derived.
const PACKAGES: &[&str] = &[
    "aplibrary",
    "migratedphotolibrary",
    "photolibrary",
    "photoslibrary",
];

/// The folders of a photo manager's package that are entered.
const PACKAGE_ORIGINALS: &[&str] = &["masters", "originals"];

/// Directories never entered, by extension: Lightroom previews, Capture One and Final Cut caches,
/// Safari's unfinished downloads.
const SKIPPED_DIR_EXTENSIONS: &[&str] = &[
    "cocatalogdb",
    "crdownload",
    "download",
    "fcpbundle",
    "lrcat-data",
    "lrdata",
];

/// True if files of this name are never photos.
pub(super) fn never_a_photo(name: &[u8]) -> bool {
    match extension(name) {
        Some(ext) => contains(OTHER_EXTENSIONS, ext),
        None => contains(OTHER_NAMES, name),
    }
}

/// True if a file of this name is unfinished and will get another.
pub(super) fn is_temporary(name: &[u8]) -> bool {
    extension(name).is_some_and(|ext| contains(TEMPORARY_EXTENSIONS, ext))
        || TEMPORARY_PREFIXES.iter().any(|p| starts_with(name, p))
        || name.ends_with(EXIFTOOL_TEMPORARY)
        || is_rsync_temporary(name)
}

/// rsync writes `.NAME.EXT.XXXXXX` (six random letters or digits) and renames at the end.
fn is_rsync_temporary(name: &[u8]) -> bool {
    let Some(dot) = name.iter().rposition(|b| *b == b'.') else {
        return false;
    };
    let (inner, random) = (&name[..dot], &name[dot + 1..]);
    random.len() == 6
        && random.iter().all(u8::is_ascii_alphanumeric)
        && inner.first() == Some(&b'.')
        && inner[1..].contains(&b'.')
}

/// The rule that leaves files of this name out whatever the settings say: copies that programs keep
/// of what they change (exiftool, editors, merge tools), what macOS puts beside a file on foreign
/// volumes, what Android's bin holds.
pub(super) fn file_always_skipped(name: &[u8]) -> Option<Rule> {
    if name.starts_with(b"._") {
        Some(Rule::Companion)
    } else if starts_with(name, b".trashed-") {
        Some(Rule::Bin)
    } else if is_backup(name) {
        Some(Rule::Backup)
    } else if super::filter::is_rule_file(name) {
        Some(Rule::System)
    } else {
        None
    }
}

/// `a.jpg_original`, `a.jpg~`, `a.jpg.orig`.
fn is_backup(name: &[u8]) -> bool {
    name.ends_with(b"~")
        || name.ends_with(b"_original")
        || extension(name).is_some_and(|ext| ext.eq_ignore_ascii_case(b"orig"))
}

/// True if a directory of this name in `parent` (its name, empty for the root) is never entered.
pub(super) fn dir_always_skipped(parent: &[u8], name: &[u8]) -> bool {
    contains(SKIPPED_DIRS, name)
        || starts_with(name, b".trash")
        || extension(name).is_some_and(|ext| contains(SKIPPED_DIR_EXTENSIONS, ext))
        || (extension(parent).is_some_and(|ext| contains(PACKAGES, ext))
            && !contains(PACKAGE_ORIGINALS, name))
        || (parent.eq_ignore_ascii_case(b"CaptureOne") && name.eq_ignore_ascii_case(b"Cache"))
}

/// What follows the last dot; `None` for no dot, a leading dot only, or nothing after it.
fn extension(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().rposition(|b| *b == b'.')?;
    (dot > 0 && dot + 1 < name.len()).then(|| &name[dot + 1..])
}

/// True if `word`, in lower case, is in the list.
fn contains(list: &[&str], word: &[u8]) -> bool {
    // Longest entry of any list above, with room; longer words cannot match.
    let mut lower = [0u8; 32];
    let Some(lower) = lower.get_mut(..word.len()) else {
        return false;
    };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    list.binary_search_by(|probe| probe.as_bytes().cmp(lower))
        .is_ok()
}

fn starts_with(name: &[u8], lower_prefix: &[u8]) -> bool {
    name.get(..lower_prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(lower_prefix))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_sorted_in_lower_case_and_short_enough_to_search() {
        let lists = [
            OTHER_EXTENSIONS,
            OTHER_NAMES,
            TEMPORARY_EXTENSIONS,
            SKIPPED_DIRS,
            PACKAGES,
            PACKAGE_ORIGINALS,
            SKIPPED_DIR_EXTENSIONS,
        ];
        for list in lists {
            for pair in list.windows(2) {
                assert!(pair[0] < pair[1], "{pair:?}");
            }
            for word in list {
                assert!(
                    word.len() <= 32 && *word == word.to_ascii_lowercase(),
                    "{word}"
                );
                assert!(
                    contains(list, word.to_ascii_uppercase().as_bytes()),
                    "{word}"
                );
            }
        }
    }

    #[test]
    fn no_image_format_is_on_a_list() {
        for ext in "jpg jpeg jpe jfif png gif webp tif tiff bmp ico tga pnm ppm pgm pbm heic heif \
                    hif avif jxl cr2 cr3 nef arw dng raf orf rw2 pef srw x3f psd"
            .split_whitespace()
        {
            let name = format!("IMG_1.{ext}");
            assert!(
                !never_a_photo(name.as_bytes()) && !is_temporary(name.as_bytes()),
                "{ext}"
            );
            assert_eq!(file_always_skipped(name.as_bytes()), None, "{ext}");
        }
    }

    #[test]
    fn copies_of_photos_that_programs_keep_are_left_out() {
        for (name, rule) in [
            ("a.jpg_original", Some(Rule::Backup)),
            ("b.jpg~", Some(Rule::Backup)),
            ("b.jpg.orig", Some(Rule::Backup)),
            ("b.jpg.~1~", Some(Rule::Backup)),
            ("._a.jpg", Some(Rule::Companion)),
            (".trashed-1700000000-IMG_1.jpg", Some(Rule::Bin)),
            (".nomedia", Some(Rule::System)),
            ("a_original.jpg", None),
            ("original.jpg", None),
            ("orig", None),
            ("~a.jpg", None),
            ("trashed-1.jpg", None),
        ] {
            assert_eq!(file_always_skipped(name.as_bytes()), rule, "{name}");
        }
    }

    #[test]
    fn unfinished_files_are_known_by_their_names() {
        for name in [
            "a.jpg.part",
            "a.JPG.PART",
            "a.crdownload",
            "~syncthing~a.jpg.tmp",
            ".syncthing.a.jpg",
            ".!1234!a.jpg",
            ".goutputstream-ABC123",
            "a.filepart",
            ".a.jpg.Xy12Zz",
            "~$a.jpg",
            "a.download",
            "a.jpg.!qB",
            "a.xmp_exiftool_tmp",
            ".pending-1700000000-IMG_1.jpg",
        ] {
            assert!(is_temporary(name.as_bytes()), "{name}");
        }
        for name in [
            "a.jpg",
            "party.jpg",
            ".hidden1.jpg",
            "a.b.abcdef",
            ".abcdef",
            "part",
            "tmp",
        ] {
            assert!(!is_temporary(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn photo_manager_packages_keep_their_originals_only() {
        let lib = b"Family.photoslibrary";
        assert!(!dir_always_skipped(b"", lib));
        assert!(!dir_always_skipped(lib, b"originals"));
        assert!(!dir_always_skipped(b"Old.photolibrary", b"Masters"));
        for derived in ["resources", "database", "private", "scopes"] {
            assert!(dir_always_skipped(lib, derived.as_bytes()), "{derived}");
            assert!(
                !dir_always_skipped(b"Holiday", derived.as_bytes()),
                "{derived}"
            );
        }
        assert!(dir_always_skipped(b"", b"Catalog Previews.lrdata"));
        assert!(dir_always_skipped(b"CaptureOne", b"Cache"));
        assert!(!dir_always_skipped(b"Caves", b"Cache"));
        assert!(dir_always_skipped(b"", b".Trash-1000"));
        assert!(dir_always_skipped(b"", b"@eaDir"));
    }
}
