//! The three things a writer does to its file, so that a test can stop it at any byte.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A file open for writing.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    /// What may still be done before it fails; `None`: no end.
    #[cfg(test)]
    pub(super) budget: std::cell::Cell<Option<usize>>,
}

#[cfg(test)]
thread_local! {
    /// Budget of the next file that this thread opens.
    pub(super) static BUDGET: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
}

impl Disk {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            #[cfg(test)]
            budget: std::cell::Cell::new(BUDGET.take()),
        }
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        self.spend(1)?;
        self.file.set_len(len)
    }

    pub(super) fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let whole = self.spend(bytes.len());
        #[cfg(test)]
        if let Err(rest) = &whole {
            let torn: usize = rest.to_string().parse().unwrap();
            self.file.write_all_at(&bytes[..torn], at)?;
        }
        whole?;
        self.file.write_all_at(bytes, at)
    }

    /// The data and what is needed to read it, on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.spend(1)?;
        self.file.sync_data()
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    fn spend(&self, _cost: usize) -> io::Result<()> {
        Ok(())
    }

    /// Fails if less is left than this, saying how much.
    #[cfg(test)]
    fn spend(&self, cost: usize) -> io::Result<()> {
        let Some(left) = self.budget.get() else {
            return Ok(());
        };
        self.budget.set(Some(left.saturating_sub(cost)));
        if left < cost {
            return Err(io::Error::other(left.to_string()));
        }
        Ok(())
    }
}
