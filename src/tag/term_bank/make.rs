//! An empty bank in the place of whatever is there.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::error::BankError;
use super::header::Slot;
use super::identity::BankIdentity;
use super::known::beside;
use super::layout::{Layout, PAGE, TEXT};

/// An empty bank under its real name, replacing what is there.
pub(super) fn create(path: &Path, identity: &BankIdentity) -> Result<(), BankError> {
    let text = identity.text();
    let layout = Layout::new(identity, text.len())?;
    room_for(path, &layout, 0)?;
    let temporary = beside(path, "new");
    let made = build(&temporary, &layout, text.as_bytes()).and_then(|()| {
        std::fs::rename(&temporary, path).map_err(BankError::io(path, "put in place"))?;
        // So that the name survives a power cut together with what follows it.
        if let Some(dir) = path.parent().and_then(|dir| File::open(dir).ok()) {
            let _ = dir.sync_all();
        }
        Ok(())
    });
    if made.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    made
}

/// Nobody reads the file before it has its real name, so it is synced once, at the end.
fn build(path: &Path, layout: &Layout, text: &[u8]) -> Result<(), BankError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(BankError::io(path, "make"))?;
    let disk = Disk::new(file);
    let slot = Slot {
        identity: *blake3::hash(text).as_bytes(),
        text_len: text.len() as u64,
        generation: 1,
        rows: 0,
        chunks: 0,
        table: *blake3::hash(&[]).as_bytes(),
    };
    // The other slot too, so that no header ever needs room on the disk.
    let other = Slot {
        generation: 0,
        ..slot
    };
    disk.set_len(layout.end)
        .and_then(|()| disk.write(text, TEXT))
        .and_then(|()| disk.write(&other.write(layout), PAGE))
        .and_then(|()| disk.write(&slot.write(layout), 0))
        .and_then(|()| disk.sync())
        .map_err(BankError::io(path, "make"))
}

/// The file is sparse: room on the disk is taken row by row, so it is looked for in advance.
pub(super) fn room_for(path: &Path, layout: &Layout, rows: u64) -> Result<(), BankError> {
    let left = (layout.capacity as u64).saturating_sub(rows);
    let needed = left * layout.stride as u64;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let stat = rustix::fs::statvfs(dir.unwrap_or(Path::new(".")))
        .map_err(|e| BankError::io(path, "find room for")(e.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < needed {
        return Err(BankError::NoSpace {
            path: path.to_path_buf(),
            needed,
            free,
        });
    }
    Ok(())
}

/// Another program's file is not ours to delete.
pub(super) fn move_aside(path: &Path) -> Result<(), BankError> {
    let free = |n: u32| -> PathBuf {
        match n {
            0 => beside(path, "aside"),
            n => beside(path, &format!("aside-{n}")),
        }
    };
    let to = (0..100)
        .map(free)
        .find(|at| std::fs::symlink_metadata(at).is_err())
        .unwrap_or_else(|| free(0));
    tracing::warn!(from = %path.display(), to = %to.display(), "a file that is no label bank was moved aside");
    std::fs::rename(path, &to).map_err(BankError::io(path, "move aside the file in the place of"))
}
