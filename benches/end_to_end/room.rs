//! Whether the largest groups fit; also `vector_search.rs` asks.

use std::path::Path;

/// 4 GB free on the disk and 3 GB in memory, so that the file stays in the page cache.
pub fn has_room(dir: &Path) -> bool {
    let disk = rustix::fs::statvfs(dir).is_ok_and(|s| s.f_bavail * s.f_frsize > 4 << 30);
    let memory = std::fs::read_to_string("/proc/meminfo").is_ok_and(|text| {
        text.lines()
            .find_map(|line| line.strip_prefix("MemAvailable:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
            .is_some_and(|kb| kb > 3 << 20)
    });
    disk && memory
}
