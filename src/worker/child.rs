//! The decoding process: one thread that turns bytes into inspections, behind walls.
//!
//! It is this very program, started again. Descriptor 0 is the socket to the parent, 1 the shared
//! memory; there are no others. It ends when the socket does.

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use memmap2::{MmapMut, MmapOptions};

use super::protocol::{self, REPLY_ROOM, Reply, Request, Want, receive, send};
use super::sandbox;
use crate::media::{Inspector, Inspects, Limits, Refusal};

/// The word on the command line that makes this program a decoding process.
pub const WORD: &str = "decode-worker";

/// Works until the parent has no more for it. `memory` is the most it may map, in bytes.
///
/// # Errors
/// The parent cannot be talked to.
pub fn run(memory: u64, limits: Limits) -> io::Result<()> {
    // SAFETY: the parent has put these two descriptors there for this process alone, and nothing else
    // in it has taken them.
    let (mut socket, shared) =
        unsafe { (File::from(OwnedFd::from_raw_fd(0)), OwnedFd::from_raw_fd(1)) };
    close_all_others();
    // What is made once is made before the walls.
    let inspector = Inspector::new(limits);
    send(&mut socket, &Reply::Ready(sandbox::lock_down(memory)))?;
    let mut mapped: Option<MmapMut> = None;
    loop {
        let request: Request = match receive(&mut socket) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            request => request?,
        };
        if mapped.as_ref().is_none_or(|m| m.len() != request.mapped) {
            drop(mapped.take());
            // SAFETY: the parent writes to it only while this process waits for a request, and it
            // cannot be made shorter.
            mapped = unsafe { MmapOptions::new().len(request.mapped).map_mut(&shared) }.ok();
        }
        let reply = match &mut mapped {
            Some(memory) => answer(&inspector, &request, memory),
            None => protocol::refused(Refusal::no_memory()),
        };
        send(&mut socket, &reply)?;
    }
}

fn answer(inspector: &Inspector, request: &Request, memory: &mut MmapMut) -> Reply {
    let inputs = &request.inputs;
    let extension = request.extension.as_deref();
    let room = REPLY_ROOM.min(memory.len());
    let (room, file) = memory.split_at_mut(room);
    let bytes = file.get(..request.len).unwrap_or_default();
    match request.want {
        Want::All(look) => protocol::reply(
            Inspects::look(inspector, bytes, extension, inputs, look),
            room,
        ),
        Want::Tensors => {
            protocol::tensors_reply(Inspects::tensors(inspector, bytes, extension, inputs), room)
        }
    }
}

/// Whatever else was open in the parent and not marked to be closed.
fn close_all_others() {
    #[cfg(target_os = "linux")]
    // SAFETY: nothing in this process has opened a descriptor yet that it would miss.
    unsafe {
        libc::syscall(libc::SYS_close_range, 2_u32, u32::MAX, 0_u32);
    }
}
