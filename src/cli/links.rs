//! `photond query --links`: a folder of links instead of a list.

use std::io;
use std::path::Path;

use anyhow::{Context, bail};

use super::Context_;
use super::output::plural;
use crate::link_folder::LinkFolder;

/// Before anything is looked for, so that a folder that will not do is said at once.
pub(super) fn begin(folder: &Path) -> anyhow::Result<LinkFolder> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    match LinkFolder::begin(&folder) {
        Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => bail!(
            "{} is not empty: --links makes a new folder or fills an empty one, so that nothing is overwritten or mixed up",
            folder.display()
        ),
        begun => begun.with_context(|| format!("cannot make links in {}", folder.display())),
    }
}

/// Says how many there are.
pub(super) fn end(context: &Context_, links: &LinkFolder) {
    if links.links() > 0 && !context.quiet {
        context.out.notice(&format!(
            "{} in {}",
            plural(links.links(), "link", "links"),
            links.path().display()
        ));
    }
}
