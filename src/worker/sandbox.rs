//! What a decoding process may not do: everything but compute.
//!
//! Each part is put on by itself, so that where a kernel lacks one the others hold; what is on is
//! told to the parent. Nothing here can be taken off again.

use serde::{Deserialize, Serialize};

/// The parts that are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walls {
    /// Bounds on memory, files, processes.
    pub limits: bool,
    /// It ends with its parent.
    pub dies_with_parent: bool,
    /// No file system, no network (Landlock; Seatbelt on macOS).
    pub no_files: bool,
    /// No system calls beyond those that computing takes.
    pub few_calls: bool,
}

impl Walls {
    /// What is lacking, in plain words.
    pub fn lacking(self) -> Vec<&'static str> {
        let parts = [
            (self.limits, "limits on memory and files"),
            (self.dies_with_parent, "an end with its parent"),
            (self.no_files, "Landlock (a kernel from 5.13 on has it)"),
            (self.few_calls, "a filter of system calls"),
        ];
        let missing = parts.into_iter().filter(|(on, _)| !on);
        missing.map(|(_, what)| what).collect()
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::lock_down;
#[cfg(all(target_os = "linux", test))]
pub(super) use linux::walls_for_tests;

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;

    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
        RulesetStatus, Scope,
    };
    use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    use super::Walls;

    /// Locks this process down for good. `memory` is the most it may map, in bytes.
    pub fn lock_down(memory: u64) -> Walls {
        Walls {
            limits: limit(memory),
            dies_with_parent: set_parent_process_death_signal(Some(Signal::KILL)).is_ok(),
            no_files: no_files().unwrap_or(false),
            few_calls: few_calls(),
        }
    }

    /// The walls that are a thread's own: no files, few calls.
    #[cfg(test)]
    pub fn walls_for_tests() -> (bool, bool) {
        (no_files().unwrap_or(false), few_calls())
    }

    fn limit(memory: u64) -> bool {
        let bounds = [
            (Resource::As, memory),
            (Resource::Core, 0),
            (Resource::Fsize, 0),
            (Resource::Memlock, 0),
            (Resource::Nproc, 0),
        ];
        bounds.into_iter().all(|(what, most)| {
            let bound = Rlimit {
                current: Some(most),
                maximum: Some(most),
            };
            setrlimit(what, bound).is_ok()
        })
    }

    fn no_files() -> Option<bool> {
        // The newest rules that this crate knows, as far as the kernel knows them.
        let abi = ABI::V6;
        let status = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(abi))
            .ok()?
            .handle_access(AccessNet::from_all(abi))
            .ok()?
            .scope(Scope::from_all(abi))
            .ok()?
            .create()
            .ok()?
            .restrict_self()
            .ok()?;
        Some(status.ruleset != RulesetStatus::NotEnforced)
    }

    /// Memory that may be executed is never given: an argument without this bit.
    fn not_executable(argument: u8) -> Option<Vec<SeccompRule>> {
        let condition = SeccompCondition::new(
            argument,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64),
            0,
        );
        Some(vec![SeccompRule::new(vec![condition.ok()?]).ok()?])
    }

    /// Puts the filter on. Whatever is not on its list fails with EPERM, as it would for want of
    /// rights.
    fn few_calls() -> bool {
        filter().is_some_and(|program| seccompiler::apply_filter(&program).is_ok())
    }

    fn filter() -> Option<BpfProgram> {
        // What one thread of a program takes that computes and talks through two descriptors.
        const ALLOWED: &[i64] = &[
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_close,
            libc::SYS_munmap,
            libc::SYS_mremap,
            libc::SYS_madvise,
            libc::SYS_brk,
            libc::SYS_futex,
            libc::SYS_exit,
            libc::SYS_exit_group,
            libc::SYS_rt_sigprocmask,
            libc::SYS_rt_sigaction,
            libc::SYS_rt_sigreturn,
            libc::SYS_sigaltstack,
            libc::SYS_clock_gettime,
            libc::SYS_getrandom,
            libc::SYS_gettid,
            libc::SYS_getpid,
            libc::SYS_sched_yield,
            libc::SYS_sched_getaffinity,
            libc::SYS_nanosleep,
            libc::SYS_clock_nanosleep,
            libc::SYS_restart_syscall,
            libc::SYS_ppoll,
            libc::SYS_lseek,
            libc::SYS_fstat,
        ];
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
        rules.insert(libc::SYS_mmap, not_executable(2)?);
        rules.insert(libc::SYS_mprotect, not_executable(2)?);
        let denied = SeccompAction::Errno(libc::EPERM as u32);
        let arch = std::env::consts::ARCH.try_into().ok()?;
        SeccompFilter::new(rules, denied, SeccompAction::Allow, arch)
            .ok()?
            .try_into()
            .ok()
    }
}

#[cfg(target_os = "macos")]
pub(super) fn lock_down(_memory: u64) -> Walls {
    use std::ffi::{CStr, c_char, c_int};
    unsafe extern "C" {
        fn sandbox_init(profile: *const c_char, flags: u64, error: *mut *mut c_char) -> c_int;
    }
    const PROFILE: &CStr = c"(version 1)(deny default)";
    let mut error = std::ptr::null_mut();
    // SAFETY: `sandbox_init` reads a C string and writes one pointer; the message, if there is one, is
    // left where it is, since the process is short-lived.
    let done = unsafe { sandbox_init(PROFILE.as_ptr(), 0, &mut error) };
    Walls {
        no_files: done == 0,
        few_calls: done == 0,
        ..Walls::default()
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn lock_down(_memory: u64) -> Walls {
    Walls::default()
}
