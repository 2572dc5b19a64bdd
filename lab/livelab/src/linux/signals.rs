//! The end on request: SIGINT and SIGQUIT, as by Ctrl-C and Ctrl-\, SIGTERM, and SIGHUP, when the
//! terminal is gone.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{fs, io};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;

use super::doing::Doing;
use crate::error::Error;

/// A flag that is set when the user or the system asks for the end. A second request ends the
/// process at once, and the kernel cleans up. A signal that was ignored from the start, as `nohup`
/// and a shell's `&` do it, stays so.
pub fn end_on_request() -> Result<Arc<AtomicBool>, Error> {
    let asked = Arc::new(AtomicBool::new(false));
    let register = |signal| {
        // The kernel and the shell both send it when a terminal goes.
        if signal != SIGHUP {
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))?;
        }
        flag::register(signal, Arc::clone(&asked))?;
        Ok::<_, io::Error>(())
    };
    let ignored = ignored();
    [SIGINT, SIGQUIT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|signal| ignored >> (signal - 1) & 1 == 0)
        .try_for_each(register)
        .doing(|| "asking for signals".to_owned())?;
    Ok(asked)
}

/// The signals that this process ignores, one a bit.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0)
}
