//! When and where something was measured.

use time::OffsetDateTime;

/// The date, in UTC.
pub(super) fn today() -> String {
    let now = OffsetDateTime::now_utc().date();
    format!(
        "{}-{:02}-{:02}",
        now.year(),
        u8::from(now.month()),
        now.day()
    )
}

/// The version of the kernel that runs, without what a distribution adds.
pub(super) fn kernel() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    match release.trim().split('-').next() {
        Some(version) if !version.is_empty() => version.to_owned(),
        _ => "unknown".into(),
    }
}
