//! How much memory there is for data models.

use std::path::Path;

/// What is taken for the memory of a machine that does not tell.
const UNTOLD_BYTES: u64 = 8 << 30;

/// Returns the bytes that all data models may take: those of the setting, or
/// with 0 half of what the machine or its container has.
pub(crate) fn for_data_models(setting: u64) -> usize {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    let bytes = match setting {
        0 => {
            let machine = of_machine(&read("/proc/meminfo")).unwrap_or(UNTOLD_BYTES);
            // Version 2 of control groups, then version 1.
            let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
            let container = groups.into_iter().filter_map(|path| read(path).trim().parse().ok()).min();
            machine.min(container.unwrap_or(u64::MAX)) / 2
        }
        bytes => bytes,
    };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Reads the memory of a machine from what its kernel tells.
fn of_machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_tells_the_memory_in_kibibytes() {
        assert_eq!(of_machine("MemTotal:       16384 kB\nMemFree:        1 kB\n"), Some(16 << 20));
        assert_eq!(of_machine("something else"), None);
    }

    #[test]
    fn a_setting_counts_and_none_is_half_of_what_there_is() {
        assert_eq!(for_data_models(1 << 20), 1 << 20);
        assert!(for_data_models(0) > 1 << 20);
    }
}
