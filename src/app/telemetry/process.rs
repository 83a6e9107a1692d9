//! What the operating system knows about this process.

use std::fs;

/// Returns the resident memory in bytes.
pub(super) fn resident_bytes() -> Option<u64> {
    let pages: u64 =
        fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Returns the CPU time in seconds, user and system.
pub(super) fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses, which may contain anything.
    let mut fields = text.rsplit_once(") ")?.1.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Returns the number of open descriptors.
pub(crate) fn open_files() -> Option<u64> {
    // Without the descriptor of this listing itself.
    Some((fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_all_of_it() {
        assert!(super::resident_bytes().unwrap() > 1 << 20);
        assert!(super::cpu_seconds().unwrap() >= 0.0);
        assert!(super::open_files().unwrap() >= 3);
    }
}
