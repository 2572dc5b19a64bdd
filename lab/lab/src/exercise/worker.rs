//! The process of a phase: it runs the driver, and reports each step and each finding.

use std::ffi::{CStr, c_char};
use std::io::{self, Write};

use harness::driver::{Build, Driver};
use harness::random::Random;
use harness::worker::reply;

use super::observe::{faulted, report_image, report_meanwhile};
use super::reply::Reply;
use super::subject::{Refused, Subject};
use super::{lifecycle, starve};
use crate::cli::{ExerciseArgs, Pages, Phase};
use crate::error::Error;

/// The driver calls a routine that the model does not have: there is no verdict.
pub(super) extern "efiapi" fn missing(routine: *const c_char) -> ! {
    // SAFETY: the loader passes text that ends with a zero.
    #[expect(unsafe_code, reason = "called by a driver")]
    let routine = unsafe { CStr::from_ptr(routine) };
    reply(&Reply::Missing(routine.to_string_lossy().into_owned()));
    let _ = io::stdout().flush();
    std::process::exit(model::guard::EXIT)
}

/// Runs `phase` and reports on stdout.
pub(super) fn work(args: &ExerciseArgs, phase: Phase, build: &Build) -> Result<(), Error> {
    match args.pages {
        Pages::Off => {}
        Pages::End => model::guard::turn_on(model::guard::Edge::End, faulted),
        Pages::Start => model::guard::turn_on(model::guard::Edge::Start, faulted),
    }
    report_meanwhile();
    let mut subject = Subject {
        driver: Driver::load_with_gaps(build, missing)?,
        random: Random::new(args.seed),
        codes: args.ioctl.clone(),
        stress: args.stress,
        // Every other round, as the place of blocks in their pages.
        attaches_in_registration: phase == Phase::Life && args.pages == Pages::Start,
        level: args.level,
    };
    if phase == Phase::Life
        && matches!(&subject.driver, Driver::Image(image) if image.has_writable_code())
    {
        report_image("a section is executable and writable");
    }
    let result = match phase {
        Phase::Life => lifecycle::run(&mut subject),
        Phase::Starve => starve::run(&mut subject),
    };
    match result {
        Ok(()) => reply(&Reply::Finished),
        Err(Refused { step, status }) => {
            reply(&Reply::Refused(
                step.into(),
                format!("status {status:#010x}"),
            ));
        }
    }
    // Its memory goes with the process: the driver may have left threads or pointers.
    let _ = io::stdout().flush();
    std::process::exit(0)
}
