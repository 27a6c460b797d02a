//! Which paths are looked at: built-in excludes, the user's globs, `.photondignore` files, and folders
//! that a `.nomedia` or `.noimage` in them closes to programs like this one.
//!
//! One [`Filter`] a root, shared by the walk and the live source, so that both give the same
//! answer for the same path. A path is left out if any directory above it is: nothing can bring
//! it back. Within one directory's own rules git's order holds: the `.photondignore` nearest to
//! the path decides, within one file the last match, and the configured globs come last.
//!
//! Ignore files and marks are looked for on disk only by [`Filter::learn`] (the walk calls it for every
//! directory before it reads the entries, the live source when one of them changes); everything
//! else is pure. A read-write lock guards the table of rules, which has one entry for each directory
//! that has one of these files; it is written only when one appears, changes or goes.
//! Cost without ignore files and globs: a few comparisons of the name.

mod rules;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fd::{AsFd, BorrowedFd};

use self::rules::Rules;
pub use self::rules::{IGNORE_FILE, MARKS};
pub(super) use self::rules::{Scope, is_rule_file};
use super::error::{FilterError, is_gone};
use super::links::{LinkTarget, Links, RootLinks, SharedLinks, target_of};
use super::names;
use super::open::{descend, open_root};
use super::rule::{LeftOut, Rule};
use crate::photo::RelPath;
use crate::sidecar::SidecarKind;

/// What the user can set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilterConfig {
    /// More patterns to leave out, in gitignore syntax, relative to the root.
    pub exclude: Vec<String>,
    /// Look at hidden files and folders too (a leading dot). The built-in list stays in force.
    pub hidden: bool,
    /// Follow symbolic links.
    pub follow_links: bool,
}

/// What a file's path says of it, before anything is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// May be a photo; its bytes decide.
    Candidate,
    /// Left out by a rule.
    Excluded(Rule),
    /// Known by its name not to be a photo (video, document…).
    OtherKind,
    /// May speak of a photo beside it.
    Sidecar,
    /// Not finished yet; it gets another name when it is (downloads, synchronisation).
    Temporary,
    /// The ignore file of a folder above it cannot be read: nothing is done about it, neither way.
    Undecided,
}

impl FileKind {
    /// Files of this kind are looked at when they change.
    pub fn may_matter(self) -> bool {
        matches!(self, Self::Candidate | Self::Sidecar | Self::Undecided)
    }
}

/// The rules of one root.
#[derive(Debug)]
pub struct Filter {
    root: PathBuf,
    hidden: bool,
    follow_links: bool,
    links: RootLinks,
    configured: Gitignore,
    ignore_files: RwLock<BTreeMap<RelPath, Arc<Rules>>>,
    /// Held from opening a directory until the rules in it are put: what was read first is put first.
    learning: Mutex<()>,
}

/// How a directory stands under the rules.
enum Standing {
    /// Its entries are looked at, under these ignore files.
    Open(Scope),
    /// It, or one above it, is left out by its name or a pattern.
    LeftOut(Rule),
    /// This one, it or one above it, has a mark that closes it.
    Marked(RelPath),
    /// The ignore file of this one, it or one above it, cannot be used.
    Undecided(RelPath),
}

impl Filter {
    /// The filter of `root`. Reads nothing.
    ///
    /// # Errors
    ///
    /// [`FilterError`] names the pattern that is not valid.
    pub fn new(root: &Path, cfg: &FilterConfig) -> Result<Self, FilterError> {
        let mut builder = GitignoreBuilder::new("");
        builder.allow_unclosed_class(false);
        for glob in &cfg.exclude {
            builder
                .add_line(None, glob)
                .map_err(|e| FilterError::BadGlob {
                    glob: glob.clone(),
                    reason: e.to_string(),
                })?;
        }
        let configured = builder.build().map_err(|e| FilterError::Compile {
            root: root.to_path_buf(),
            reason: e.to_string(),
        })?;
        let ignore_files = RwLock::default();
        Ok(Self {
            root: root.to_path_buf(),
            hidden: cfg.hidden,
            follow_links: cfg.follow_links,
            links: RootLinks::default(),
            configured,
            ignore_files,
            learning: Mutex::default(),
        })
    }

    /// Whether the last name of a path may be a link.
    pub fn links(&self) -> Links {
        match self.follow_links {
            true => Links::Followed,
            false => Links::Refused,
        }
    }

    /// What is known of links is shared with other roots from now on.
    pub fn share_links(&self, shared: &Arc<SharedLinks>) {
        self.links.share(shared);
    }

    /// Where the link at this path leads; `None`: there is none, or none is followed.
    pub fn link_target(&self, path: &RelPath) -> Option<LinkTarget> {
        self.follow_links.then(|| target_of(&self.root, path))?
    }

    /// Whether a link leads to a folder that is a root because of it, so that its leaving is news.
    pub fn is_folder_link(&self, path: &RelPath) -> bool {
        self.follow_links && self.links.is_known(path)
    }

    /// Whether the file that a link leads to is to be taken at this path.
    pub fn takes_link(&self, path: &RelPath, target: &Path) -> bool {
        self.links.takes(&path.under(&self.root), target)
    }

    /// All links that a scan has found at and below `dir`. True if others lead to folders than before.
    pub fn found_links(&self, dir: &RelPath, links: Vec<(RelPath, LinkTarget)>) -> bool {
        self.links.found(dir, links)
    }

    /// The folders that links lead to.
    pub fn linked_folders(&self) -> Vec<PathBuf> {
        self.links.folders()
    }

    /// True if nothing in the directory is looked at: it, or one above it, is left out, or the ignore
    /// file of one above it cannot be used.
    pub fn dir_excluded(&self, dir: &RelPath) -> bool {
        match self.standing(dir) {
            Standing::Open(_) => false,
            Standing::LeftOut(_) => true,
            // Its own mark or ignore file may go: it is watched, and looked at again.
            Standing::Marked(at) | Standing::Undecided(at) => at != *dir,
        }
    }

    /// What the path says of a file.
    pub fn file_kind(&self, file: &RelPath) -> FileKind {
        let dir = file.parent().unwrap_or_default();
        match self.standing(&dir) {
            Standing::Open(scope) => self.kind_in(&scope, file.as_bytes()),
            Standing::LeftOut(rule) => FileKind::Excluded(rule),
            Standing::Marked(_) => FileKind::Excluded(Rule::Mark),
            Standing::Undecided(_) => FileKind::Undecided,
        }
    }

    /// Which rule leaves a path out, where it stands, and which part of the path it is about; `None`
    /// if none does. What the ignore files say must have been [learned](Self::learn_with_ancestors).
    pub fn explain(&self, path: &RelPath, is_dir: bool) -> Option<LeftOut> {
        let mut scope = Scope::default();
        for at in ancestors(path) {
            let last = at == *path;
            if !at.is_root() && (is_dir || !last) {
                if let Some(rule) = self.subdir_excluded(&scope, at.as_bytes()) {
                    return Some(self.left_out(at, rule, &scope, true));
                }
            } else if !at.is_root()
                && let FileKind::Excluded(rule) = self.kind_in(&scope, at.as_bytes())
            {
                return Some(self.left_out(at, rule, &scope, false));
            }
            if let Some(mark) = self.mark_of(&at) {
                return Some(LeftOut {
                    file: Some(at.join(mark.as_bytes())),
                    ..LeftOut::by(Rule::Mark, at)
                });
            }
            scope = self.scope_below(&scope, &at);
        }
        None
    }

    fn left_out(&self, at: RelPath, rule: Rule, scope: &Scope, is_dir: bool) -> LeftOut {
        let mut left_out = LeftOut::by(rule, at);
        let Some(ruling) = scope.ruling(&self.configured, left_out.at.as_bytes(), is_dir) else {
            return left_out;
        };
        let pattern = ruling.glob.original().to_owned();
        match (rule, ruling.by) {
            (Rule::IgnoreFile, Some(node)) => {
                let (file, line) = node.place_of(&pattern, &left_out.at);
                (left_out.file, left_out.line) = (Some(file), line);
                left_out.pattern = Some(pattern);
            }
            (Rule::Setting, _) => left_out.pattern = Some(pattern),
            _ => {}
        }
        left_out
    }

    /// Looks for the ignore file and the marks of `dir` again. True if the rules are others than before.
    pub fn learn(&self, dir: &RelPath) -> bool {
        let _alone = self.alone();
        let opened = open_root(&self.root).and_then(|base| descend(base.as_fd(), dir.as_bytes()));
        match opened {
            Ok(fd) => self.read_rules(fd.as_fd(), dir),
            Err(e) if is_gone(e) => self.store_rules(dir, None),
            Err(e) => self.store_rules(dir, Some(Rules::unusable(&e.into()))),
        }
    }

    /// Reads the ignore files of every directory above `dir` and its own, outermost first, down to
    /// one that is left out.
    pub fn learn_with_ancestors(&self, dir: &RelPath) {
        for above in ancestors(dir) {
            match self.standing(&above) {
                Standing::LeftOut(_) => return,
                Standing::Marked(at) if at != above => return,
                _ => self.learn(&above),
            };
        }
    }

    /// Forgets what the ignore files in `dir` and below said.
    pub fn forget(&self, dir: &RelPath) {
        if self.read().is_empty() {
            return;
        }
        let mut table = self
            .ignore_files
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        table.retain(|path, _| !path.is_within(dir));
    }

    /// As [`learn`](Self::learn), with the directory already open.
    pub(super) fn learn_at(&self, fd: BorrowedFd<'_>, dir: &RelPath) -> bool {
        let _alone = self.alone();
        self.read_rules(fd, dir)
    }

    fn alone(&self) -> std::sync::MutexGuard<'_, ()> {
        self.learning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_rules(&self, fd: BorrowedFd<'_>, dir: &RelPath) -> bool {
        self.store_rules(dir, Rules::read(fd, (&self.root, dir)))
    }

    /// The mark that closes this very directory, if it has one.
    pub(super) fn mark_of(&self, dir: &RelPath) -> Option<&'static str> {
        self.read().get(dir)?.mark
    }

    /// Why the ignore file of this very directory cannot be used, if it cannot.
    pub(super) fn unusable(&self, dir: &RelPath) -> Option<std::io::Error> {
        self.read().get(dir)?.why_unusable()
    }

    /// The outermost directory down to `dir` whose ignore file cannot be used, and why; `None` if
    /// there is none, or all of it is left out anyway.
    pub fn undecided_at(&self, dir: &RelPath) -> Option<(RelPath, std::io::Error)> {
        match self.standing(dir) {
            Standing::Undecided(at) => self.unusable(&at).map(|why| (at, why)),
            Standing::Open(_) | Standing::LeftOut(_) | Standing::Marked(_) => None,
        }
    }

    fn store_rules(&self, dir: &RelPath, rules: Option<Rules>) -> bool {
        {
            let table = self.read();
            match (&rules, table.get(dir)) {
                (None, None) => return false,
                (Some(new), Some(old)) if new.is_same(old) => return false,
                _ => {}
            }
        }
        let mut table = self
            .ignore_files
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match rules {
            Some(rules) => drop(table.insert(dir.clone(), Arc::new(rules))),
            None => drop(table.remove(dir)),
        }
        true
    }

    /// What the rules say of a directory. What is left out further up is so whatever lies below it.
    fn standing(&self, dir: &RelPath) -> Standing {
        let table = self.read();
        let mut scope = Scope::default();
        for above in ancestors(dir) {
            if !above.is_root()
                && let Some(rule) = self.subdir_excluded(&scope, above.as_bytes())
            {
                return Standing::LeftOut(rule);
            }
            let Some(rules) = table.get(&above) else {
                continue;
            };
            if rules.mark.is_some() {
                return Standing::Marked(above);
            }
            if rules.is_unusable() {
                return Standing::Undecided(above);
            }
            scope = scope.inside(&above, rules);
        }
        Standing::Open(scope)
    }

    /// The ignore files that apply to the entries of `dir`; `None` if nothing in it is looked at.
    pub(super) fn scope_if_entered(&self, dir: &RelPath) -> Option<Scope> {
        match self.standing(dir) {
            Standing::Open(scope) => Some(scope),
            Standing::LeftOut(_) | Standing::Marked(_) | Standing::Undecided(_) => None,
        }
    }

    /// The scope of `dir`, made from the one of its parent.
    pub(super) fn scope_below(&self, outer: &Scope, dir: &RelPath) -> Scope {
        match self.read().get(dir) {
            Some(rules) => outer.inside(dir, rules),
            None => outer.clone(),
        }
    }

    /// Which rule leaves one directory out (`path` is relative to the root) by its own name, given that
    /// none does its parent.
    pub(super) fn subdir_excluded(&self, scope: &Scope, path: &[u8]) -> Option<Rule> {
        let (parent, name) = split_name(path);
        if names::dir_always_skipped(split_name(parent).1, name) {
            Some(Rule::System)
        } else if !self.hidden && name.starts_with(b".") {
            Some(Rule::Hidden)
        } else {
            self.ruled_out(scope, path, true)
        }
    }

    /// What a file's own name says (`path` is relative to the root), given that its directory is
    /// not left out.
    pub(super) fn kind_in(&self, scope: &Scope, path: &[u8]) -> FileKind {
        let name = split_name(path).1;
        if names::is_temporary(name) {
            FileKind::Temporary
        } else if let Some(rule) = names::file_always_skipped(name) {
            FileKind::Excluded(rule)
        } else if !self.hidden && name.starts_with(b".") {
            FileKind::Excluded(Rule::Hidden)
        } else {
            let kind = match SidecarKind::of(name) {
                Some(_) => FileKind::Sidecar,
                None if names::never_a_photo(name) => return FileKind::OtherKind,
                None => FileKind::Candidate,
            };
            match self.ruled_out(scope, path, false) {
                Some(rule) => FileKind::Excluded(rule),
                None => kind,
            }
        }
    }

    fn ruled_out(&self, scope: &Scope, path: &[u8], is_dir: bool) -> Option<Rule> {
        let ruling = scope.ruling(&self.configured, path, is_dir)?;
        Some(match ruling.by {
            Some(_) => Rule::IgnoreFile,
            None => Rule::Setting,
        })
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<RelPath, Arc<Rules>>> {
        // A panic while the table was held cannot leave it half-changed.
        self.ignore_files
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path's directory and its last component.
fn split_name(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(cut) => (&path[..cut], &path[cut + 1..]),
        None => (&[], path),
    }
}

/// The root, and every directory down to and including `dir`.
fn ancestors(dir: &RelPath) -> impl Iterator<Item = RelPath> + '_ {
    let bytes = dir.as_bytes();
    let cuts = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'/')
        .map(|(i, _)| i);
    let whole = (!bytes.is_empty()).then_some(bytes.len());
    std::iter::once(0)
        .chain(cuts)
        .chain(whole)
        .map(|cut| RelPath::from_bytes(&bytes[..cut]))
}

#[cfg(test)]
mod tests;
