//! The kernel's counters: processor time of this process, and checksums that a stack found wrong.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::doing::Doing;
use super::namespace::Namespace;
use crate::error::Error;

/// Processor time that this process has used so far, its own and the kernel's for it.
pub fn processor_time() -> Duration {
    time_of(UsageWho::RUSAGE_SELF)
}

/// Processor time that the calling thread has used so far, its own and the kernel's for it.
pub fn thread_time() -> Duration {
    time_of(UsageWho::RUSAGE_THREAD)
}

fn time_of(who: UsageWho) -> Duration {
    let used = |time: TimeVal| {
        let micros = time.tv_usec().max(0).cast_unsigned();
        Duration::from_secs(time.tv_sec().max(0).cast_unsigned()) + Duration::from_micros(micros)
    };
    getrusage(who)
        .map(|usage| used(usage.user_time()) + used(usage.system_time()))
        .unwrap_or_default()
}

/// How many TCP packets the stack of `namespace` dropped for a wrong checksum (`InCsumErrors` of
/// `/proc/net/snmp`, which counts IPv4 and IPv6 together).
pub fn wrong_checksums(namespace: &Namespace) -> Result<u64, Error> {
    const FILE: &str = "/proc/thread-self/net/snmp";
    let text =
        namespace.inside(|| std::fs::read_to_string(FILE).doing(|| format!("reading {FILE}")))?;
    tcp_counter(&text, "InCsumErrors")
        .ok_or_else(|| Error::Transfer(format!("{FILE} does not count wrong checksums")))
}

/// A counter of TCP: names are in one line, values in the next.
fn tcp_counter(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|word| word == name)?;
    values.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_name() {
        let text = "Ip: A B\nIp: 1 2\nTcp: RtoMin InErrs InCsumErrors\nTcp: 200 3 7\nUdp: X\n";
        assert_eq!(tcp_counter(text, "InCsumErrors"), Some(7));
        assert_eq!(tcp_counter(text, "Missing"), None);
        assert_eq!(tcp_counter("", "InCsumErrors"), None);
    }
}
