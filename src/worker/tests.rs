//! The walls from inside, replies that lie, and processes that end, stall or lie.

#![allow(clippy::unwrap_used)]

use super::protocol::{self, REPLY_ROOM, Reply};
use crate::embedding::{Fit, InputSpec};
use crate::media::{Inspector, Limits};
use crate::photo::Inspection;

const SPEC: InputSpec = InputSpec {
    size: 16,
    fit: Fit::Squash,
    mean: [127.0; 3],
    std: [128.0; 3],
};

fn photo() -> Vec<u8> {
    let pixels: Vec<u8> = (0..64 * 48 * 3).map(|n: u32| (n % 251) as u8).collect();
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
    image::ImageEncoder::write_image(encoder, &pixels, 64, 48, image::ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

fn seen() -> Inspection {
    let inspector = Inspector::new(Limits::default());
    inspector.inspect(&photo(), Some("jpg"), &[SPEC]).unwrap()
}

/// A reply as it arrives, and the memory it speaks of.
fn honest() -> (serde_json::Value, Vec<u8>) {
    let mut memory = vec![0; REPLY_ROOM];
    let reply = protocol::reply(Ok(seen()), &mut memory);
    (serde_json::to_value(&reply).unwrap(), memory)
}

fn taken(reply: &serde_json::Value, memory: &[u8]) -> Option<Inspection> {
    let reply: Reply = serde_json::from_value(reply.clone()).ok()?;
    protocol::inspection(reply, &[SPEC], memory).ok()?.ok()
}

#[test]
fn what_an_honest_process_says_arrives_whole() {
    let (reply, memory) = honest();
    let (there, here) = (taken(&reply, &memory).unwrap(), seen());
    assert_eq!((there.width, there.height), (here.width, here.height));
    assert_eq!(there.tensors, here.tensors);
    assert_eq!(there.thumbnail, here.thumbnail);
    assert_eq!(there.perceptual_hash, here.perceptual_hash);
    assert_eq!(there.looks, here.looks);
    assert!(there.looks.pixels.is_some());
    assert_eq!(there.exif, here.exif);
    assert_eq!(there.said, here.said);
}

/// A letterbox among squares.
const SPECS: [InputSpec; 3] = [
    SPEC,
    InputSpec {
        size: 40,
        fit: Fit::Letterbox(32),
        ..SPEC
    },
    SPEC,
];

#[test]
fn a_letterbox_arrives_whole_and_in_its_place() {
    let inspector = Inspector::new(Limits::default());
    let here = inspector.inspect(&photo(), Some("jpg"), &SPECS).unwrap();
    let alone = inspector.tensors(&photo(), Some("jpg"), &SPECS).unwrap();
    assert_eq!(here.tensors, alone);
    let mut memory = vec![0; REPLY_ROOM];
    let reply = protocol::reply(Ok(here.clone()), &mut memory);
    let there = protocol::inspection(reply, &SPECS, &memory)
        .unwrap()
        .unwrap();
    assert_eq!(there.tensors, here.tensors);
    assert_eq!(there.thumbnail, here.thumbnail);
    let sizes = |letterboxed: &[(u32, u32)]| {
        let reply = Reply::Tensors {
            letterboxed: letterboxed.to_vec(),
        };
        protocol::tensors(reply, &SPECS, &memory).ok()?.ok()
    };
    assert_eq!(sizes(&[(40, 30)]), Some(alone));
    for lie in [
        &[][..],
        &[(40, 0)],
        &[(30, 30)],
        &[(41, 3)],
        &[(u32::MAX, 40)],
        &[(40, 30); 2],
    ] {
        assert!(sizes(lie).is_none(), "{lie:?}");
    }
    let reply = Reply::Tensors {
        letterboxed: vec![(40, 30)],
    };
    assert!(
        protocol::tensors(reply, &SPECS, &memory[..4000]).is_err(),
        "cut short"
    );
}

#[test]
fn what_cannot_be_true_is_not_believed() {
    use serde_json::json;
    let lies = [
        ("format", json!("exe")),
        ("width", json!(0)),
        ("orientation", json!(9)),
        (
            "said",
            json!({"dates": [{"field": "gps", "date": "2020-13-45"}]}),
        ),
        (
            "said",
            json!({"dates": [{"field": "moon", "date": "2020"}]}),
        ),
        ("said", json!({"rating": 6})),
        ("said", json!({"title": ""})),
        ("said", json!({"caption": "a\u{1b}[31mb"})),
        ("said", json!({"keywords": [[]]})),
        ("said", json!({"keywords": [["x".repeat(1000)]]})),
        ("said", json!({"people": [{"name": "a\nb"}]})),
        (
            "said",
            json!({"people": [{"name": "a", "area": {"left": 2, "top": 0, "width": 1, "height": 1}}]}),
        ),
        (
            "said",
            json!({"position": {"lat": 95, "lon": 1, "source": "exif"}}),
        ),
        ("camera", json!("a\u{1b}[31mb")),
        ("camera", json!("x".repeat(100_000))),
        ("numbers", json!([null, null, null, 95.0, 1.0, null])),
        ("numbers", json!([null, null, null, 5.0])),
        ("pixels", json!(7)),
        ("pixels", json!(1)),
        ("trouble", json!(["truncated", "half"])),
        ("phash", json!([1, 2, 3])),
        ("thumbnail", json!([256, 256, 1_000_000_000_u64])),
        ("thumbnail", json!([256, 256, u64::MAX])),
        ("thumbnail", json!([100_000, 1, 100])),
        ("thumbnail", json!(null)),
        ("tensors", json!(false)),
        ("letterboxed", json!([[16, 16]])),
        ("more", json!(1)),
    ];
    for (field, lie) in lies {
        let (mut reply, memory) = honest();
        reply["Seen"][field] = lie.clone();
        assert!(taken(&reply, &memory).is_none(), "{field} = {lie}");
    }
    let (reply, mut memory) = honest();
    memory[8..12].copy_from_slice(&f32::NAN.to_ne_bytes());
    assert!(
        taken(&reply, &memory).is_none(),
        "a tensor that is not finite"
    );
    let (reply, mut memory) = honest();
    memory[4 * 3 * 16 * 16] = 0;
    assert!(
        taken(&reply, &memory).is_none(),
        "a thumbnail that is no JPEG"
    );
}

proptest::proptest! {
    #[test]
    fn no_message_breaks_the_reader(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        if let Ok(reply) = serde_json::from_slice::<Reply>(&bytes) {
            let _ = protocol::inspection(reply, &[SPEC], &[0; 64]);
        }
    }
}

#[cfg(target_os = "linux")]
mod walls {
    use std::ffi::CStr;

    use crate::worker::sandbox::walls_for_tests;

    const FILE: &CStr = c"/etc/hostname";

    /// Every operation by its name, and what the system answers: 0 or an error.
    fn try_all() -> Vec<(&'static str, i32)> {
        let path = FILE.as_ptr() as usize as i64;
        let nowhere = c"/tmp/photond-was-here".as_ptr() as usize as i64;
        let zero = [0_u64; 32];
        let zeros = zero.as_ptr() as usize as i64;
        let at = i64::from(libc::AT_FDCWD);
        let exec = i64::from(libc::PROT_EXEC | libc::PROT_READ);
        let map = i64::from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let inet = i64::from(libc::AF_INET);
        let calls: [(&str, libc::c_long, [i64; 6]); 44] = [
            ("openat", libc::SYS_openat, [at, path, 0, 0, 0, 0]),
            (
                "create",
                libc::SYS_openat,
                [at, nowhere, 0o101, 0o600, 0, 0],
            ),
            ("mkdirat", libc::SYS_mkdirat, [at, nowhere, 0o700, 0, 0, 0]),
            ("unlinkat", libc::SYS_unlinkat, [at, nowhere, 0, 0, 0, 0]),
            (
                "renameat2",
                libc::SYS_renameat2,
                [at, nowhere, at, nowhere, 0, 0],
            ),
            ("linkat", libc::SYS_linkat, [at, path, at, nowhere, 0, 0]),
            (
                "symlinkat",
                libc::SYS_symlinkat,
                [path, at, nowhere, 0, 0, 0],
            ),
            ("statx", libc::SYS_statx, [at, path, 0, 0, zeros, 0]),
            (
                "readlinkat",
                libc::SYS_readlinkat,
                [at, path, zeros, 8, 0, 0],
            ),
            ("faccessat", libc::SYS_faccessat, [at, path, 0, 0, 0, 0]),
            (
                "fchmodat",
                libc::SYS_fchmodat,
                [at, nowhere, 0o777, 0, 0, 0],
            ),
            ("socket tcp", libc::SYS_socket, [inet, 1, 0, 0, 0, 0]),
            ("socket udp", libc::SYS_socket, [inet, 2, 0, 0, 0, 0]),
            ("socket unix", libc::SYS_socket, [1, 1, 0, 0, 0, 0]),
            ("connect", libc::SYS_connect, [0, zeros, 16, 0, 0, 0]),
            ("bind", libc::SYS_bind, [0, zeros, 16, 0, 0, 0]),
            ("sendto", libc::SYS_sendto, [0, zeros, 1, 0, zeros, 16]),
            ("execve", libc::SYS_execve, [path, 0, 0, 0, 0, 0]),
            ("execveat", libc::SYS_execveat, [at, path, 0, 0, 0, 0]),
            (
                "clone",
                libc::SYS_clone,
                [libc::SIGCHLD as i64, 0, 0, 0, 0, 0],
            ),
            ("clone3", libc::SYS_clone3, [zeros, 64, 0, 0, 0, 0]),
            ("ptrace", libc::SYS_ptrace, [0, 0, 0, 0, 0, 0]),
            ("kill", libc::SYS_kill, [1, 0, 0, 0, 0, 0]),
            ("tgkill", libc::SYS_tgkill, [1, 1, 0, 0, 0, 0]),
            (
                "process_vm_readv",
                libc::SYS_process_vm_readv,
                [1, zeros, 1, zeros, 1, 0],
            ),
            (
                "executable mmap",
                libc::SYS_mmap,
                [0, 4096, exec, map, -1, 0],
            ),
            (
                "executable mprotect",
                libc::SYS_mprotect,
                [zeros & !4095, 4096, exec, 0, 0, 0],
            ),
            (
                "io_uring_setup",
                libc::SYS_io_uring_setup,
                [1, zeros, 0, 0, 0, 0],
            ),
            ("bpf", libc::SYS_bpf, [0, zeros, 8, 0, 0, 0]),
            ("userfaultfd", libc::SYS_userfaultfd, [0, 0, 0, 0, 0, 0]),
            ("keyctl", libc::SYS_keyctl, [0, 0, 0, 0, 0, 0]),
            ("add_key", libc::SYS_add_key, [path, path, 0, 0, 0, 0]),
            (
                "perf_event_open",
                libc::SYS_perf_event_open,
                [zeros, 0, -1, -1, 0, 0],
            ),
            (
                "memfd_create",
                libc::SYS_memfd_create,
                [path, 0, 0, 0, 0, 0],
            ),
            ("mount", libc::SYS_mount, [path, path, path, 0, 0, 0]),
            (
                "unshare",
                libc::SYS_unshare,
                [i64::from(libc::CLONE_NEWUSER), 0, 0, 0, 0, 0],
            ),
            ("setns", libc::SYS_setns, [0, 0, 0, 0, 0, 0]),
            ("setuid", libc::SYS_setuid, [0, 0, 0, 0, 0, 0]),
            (
                "prctl",
                libc::SYS_prctl,
                [i64::from(libc::PR_GET_DUMPABLE), 0, 0, 0, 0, 0],
            ),
            ("ioctl", libc::SYS_ioctl, [0, 0x5401, zeros, 0, 0, 0]),
            ("dup", libc::SYS_dup, [0, 0, 0, 0, 0, 0]),
            ("ftruncate", libc::SYS_ftruncate, [1, 0, 0, 0, 0, 0]),
            ("fallocate", libc::SYS_fallocate, [1, 3, 0, 4096, 0, 0]),
            ("prlimit64", libc::SYS_prlimit64, [0, 7, 0, zeros, 0, 0]),
        ];
        calls
            .into_iter()
            .map(|(name, number, [a, b, c, d, e, f])| {
                // SAFETY: each is denied before it does anything; what would be done otherwise is
                // harmless or a failed test, and pointers are to memory of this function.
                let done = unsafe { libc::syscall(number, a, b, c, d, e, f) };
                if done == 0 && matches!(name, "clone") {
                    // SAFETY: this is the child, which should not be.
                    unsafe { libc::_exit(0) }
                }
                let error = std::io::Error::last_os_error().raw_os_error();
                (name, if done == -1 { error.unwrap_or(0) } else { 0 })
            })
            .collect()
    }

    #[test]
    fn from_inside_nothing_is_to_be_had_but_computing() {
        // The walls are a thread's own; bounds on memory would be the whole process's.
        let tried = std::thread::spawn(|| {
            let walls = walls_for_tests();
            (walls, try_all(), vec![1_u8; 1 << 20].len())
        })
        .join()
        .unwrap();
        let ((no_files, few_calls), answers, computed) = tried;
        if !few_calls {
            eprintln!("skipped: this system has no filters of system calls");
            return;
        }
        if !no_files {
            eprintln!("without Landlock here: the filter alone holds");
        }
        assert_eq!(computed, 1 << 20);
        assert!(answers.len() >= 30);
        for (name, error) in answers {
            assert_eq!(error, libc::EPERM, "{name}");
        }
    }
}
