//! The end on request: SIGINT, as by Ctrl-C, and SIGTERM.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::doing::Doing;
use crate::error::Error;

/// A flag that is set when the user or the system asks for the end. A second request ends the
/// process at once, and the kernel cleans up.
pub fn end_on_request() -> Result<Arc<AtomicBool>, Error> {
    let asked = Arc::new(AtomicBool::new(false));
    let register = |signal| {
        let code = 128 + signal;
        flag::register_conditional_shutdown(signal, code, Arc::clone(&asked))?;
        flag::register(signal, Arc::clone(&asked))?;
        Ok::<_, io::Error>(())
    };
    [SIGINT, SIGTERM]
        .into_iter()
        .try_for_each(register)
        .doing(|| "asking for signals".to_owned())?;
    Ok(asked)
}
