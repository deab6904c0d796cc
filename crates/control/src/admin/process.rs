//! What the system knows of this process. A figure it does not give is none.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::prometheus::Exposition;

/// All of it, by the names that Prometheus' own client libraries use. `started_at` is since 1970.
pub fn describe(page: &mut Exposition, started_at: Duration) {
    page.counter("process_cpu_seconds_total", "Processor time used.").sample(&[], cpu_time().as_secs_f64());
    page.gauge("process_start_time_seconds", "When the process started, since 1970.")
        .sample(&[], started_at.as_secs_f64());
    if let Some(memory) = memory() {
        page.gauge("process_resident_memory_bytes", "Memory in RAM.").sample(&[], memory.resident);
        page.gauge("process_virtual_memory_bytes", "Addresses taken.").sample(&[], memory.virtual_size);
    }
    if let Some(open) = open_descriptors() {
        page.gauge("process_open_fds", "Descriptors open now.").sample(&[], open);
    }
    if let Some(most) = most_descriptors() {
        page.gauge("process_max_fds", "Descriptors there may be.").sample(&[], most);
    }
}

/// Processor time used so far, by all threads.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// Memory, in bytes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// In RAM.
    pub resident: u64,
    /// Addresses taken.
    pub virtual_size: u64,
}

/// Memory as it is now (`/proc/self/status`).
pub fn memory() -> Option<Memory> {
    Memory::parse(&fs::read_to_string("/proc/self/status").ok()?)
}

impl Memory {
    fn parse(status: &str) -> Option<Self> {
        let kibibytes = |name: &str| -> Option<u64> {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            let value: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
            value.checked_mul(1024)
        };
        Some(Self { resident: kibibytes("VmRSS:")?, virtual_size: kibibytes("VmSize:")? })
    }
}

/// Descriptors open now.
///
/// Linux 6.2 and newer say it as the directory's size; before, somebody has to count, which with 100,000 connections is
/// not done in a moment.
pub fn open_descriptors() -> Option<u64> {
    let directory = Path::new("/proc/self/fd");
    match fs::metadata(directory).ok()?.len() {
        0 => Some(fs::read_dir(directory).ok()?.count().saturating_sub(1) as u64), // less the one that counts
        size => Some(size),
    }
}

/// How many descriptors there may be; none if there is no limit.
pub fn most_descriptors() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// What the machine is called.
pub fn host_name() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\traincheck\nVmPeak:\t    9000 kB\nVmSize:\t    8192 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(Memory::parse(status), Some(Memory { resident: 2 << 20, virtual_size: 8 << 20 }));
        assert_eq!(Memory::parse("Name:\tkthreadd\n"), None);
        assert_eq!(Memory::parse("VmSize:\t8 kB\nVmRSS:\tmany kB\n"), None);
    }

    #[test]
    fn this_process_is_known() {
        let memory = memory().unwrap();
        assert!(memory.resident > 0 && memory.virtual_size > memory.resident);
        let before = open_descriptors().unwrap();
        let _file = fs::File::open("/proc/self/status").unwrap();
        // Other tests open and close files beside this one.
        assert!(before > 0 && before <= most_descriptors().unwrap_or(u64::MAX));
        assert!(cpu_time() > Duration::ZERO);
        assert!(!host_name().unwrap().is_empty());
    }
}
