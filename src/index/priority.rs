//! Background work steps back: low CPU and I/O priority for the calling thread and those it starts.

/// Lowers the calling thread's priority. Best effort: a system that refuses is no error.
#[cfg(target_os = "linux")]
pub fn lower() {
    // ioprio_set(2): IOPRIO_WHO_PROCESS = 1, this thread = 0, class best-effort (2) level 7.
    const BEST_EFFORT_LOWEST: libc::c_int = (2 << 13) | 7;
    // SAFETY: plain system calls on the calling thread, no memory involved.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 10);
        libc::syscall(libc::SYS_ioprio_set, 1, 0, BEST_EFFORT_LOWEST);
    }
}

/// Whether the calling thread runs only where no other wants the processor. Decoding ahead of a
/// large model does: its threads wait for each other, so whoever holds one up holds up all. Best
/// effort.
#[cfg(target_os = "linux")]
pub fn only_idle(yes: bool) {
    let policy = if yes {
        libc::SCHED_IDLE
    } else {
        libc::SCHED_OTHER
    };
    // SAFETY: sched_param is a plain integer, and the call concerns the calling thread.
    unsafe {
        let param: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, policy, &raw const param);
    }
}

/// Elsewhere the system's own scheduling must do.
#[cfg(not(target_os = "linux"))]
pub fn only_idle(_yes: bool) {}

/// Lowers the calling thread's priority.
#[cfg(target_os = "macos")]
pub fn lower() {
    // SAFETY: a plain system call on the calling thread, no memory involved.
    unsafe {
        libc::pthread_set_qos_class_self_np(libc::qos_class_t::QOS_CLASS_UTILITY, 0);
    }
}

/// Lowers the calling thread's priority.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub fn lower() {}
