//! Rows of the database in the order of their paths, to be merged with a walk.

use std::collections::VecDeque;

use crate::photo::RelPath;
use crate::store::{FileRow, SidecarRow, StoreError, StoreReader};

/// Rows read from the database at a time.
const PAGE: usize = 4096;

/// A row that has a path.
pub(super) trait PathRow: Sized {
    fn path(&self) -> &RelPath;

    /// Up to `limit` rows of a root below a folder, whose paths sort after `after`.
    fn page(
        reader: &StoreReader,
        below: (i64, &RelPath),
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError>;
}

impl PathRow for FileRow {
    fn path(&self) -> &RelPath {
        &self.path
    }

    fn page(
        reader: &StoreReader,
        (root, dir): (i64, &RelPath),
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        reader.files_page(root, dir, after, limit)
    }
}

impl PathRow for SidecarRow {
    fn path(&self) -> &RelPath {
        &self.path
    }

    fn page(
        reader: &StoreReader,
        (root, dir): (i64, &RelPath),
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        reader.sidecars_page(root, dir, after, limit)
    }
}

/// The rows of a subtree in path order, read a page at a time.
pub(super) struct KnownRows<'a, R> {
    reader: &'a StoreReader,
    root: i64,
    dir: RelPath,
    page: VecDeque<R>,
    last: Option<RelPath>,
    done: bool,
}

impl<'a, R: PathRow> KnownRows<'a, R> {
    pub fn new(reader: &'a StoreReader, root: i64, dir: RelPath) -> Self {
        Self {
            reader,
            root,
            dir,
            page: VecDeque::new(),
            last: None,
            done: false,
        }
    }

    fn fill(&mut self) -> Result<(), StoreError> {
        if self.page.is_empty() && !self.done {
            let below = (self.root, &self.dir);
            self.page = R::page(self.reader, below, self.last.as_ref(), PAGE)?.into();
            self.done = self.page.len() < PAGE;
            if let Some(row) = self.page.back() {
                self.last = Some(row.path().clone());
            }
        }
        Ok(())
    }

    pub fn next(&mut self) -> Result<Option<R>, StoreError> {
        self.fill()?;
        Ok(self.page.pop_front())
    }

    /// The row at this path, if there is one; rows before it, which have no file, go to `passed`.
    pub fn take(&mut self, path: &RelPath, passed: &mut Vec<R>) -> Result<Option<R>, StoreError> {
        loop {
            self.fill()?;
            match self.page.front() {
                Some(row) if row.path() < path => passed.extend(self.page.pop_front()),
                Some(row) if row.path() == path => return Ok(self.page.pop_front()),
                _ => return Ok(None),
            }
        }
    }
}
