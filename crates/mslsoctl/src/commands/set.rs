//! `set`: how far an adapter's large sends are raised.

use control::{Profile, Raise, SetRequest, SetSettingsRequest, SettingsChange, Tuning};
use serde::Serialize;

use super::{Session, show};
use crate::adapter::Adapter;
use crate::cli::{Change, Choice, SetArgs};
use crate::failure::Failure;

/// The output of `set`: the tuning now in effect, and whether it will last.
#[derive(Serialize)]
struct Set {
    #[serde(flatten)]
    show: show::Show,
    persisted: bool,
    /// Whether multiple, profile or cap were set.
    #[serde(skip)]
    tuning: bool,
    /// Whether settings were set that are read at attach.
    #[serde(skip)]
    settings: bool,
}

pub(super) fn run(session: &mut Session<'_>, args: &SetArgs) -> Result<(), Failure> {
    let Some(name) = &args.adapter else {
        let all = Choice {
            adapter: None,
            all: true,
        };
        return session.each(&all, |session, adapter| set(session, adapter, args));
    };
    let adapter = session.named(name)?;
    set(session, adapter, args)
}

fn set(session: &mut Session<'_>, adapter: Adapter, args: &SetArgs) -> Result<(), Failure> {
    let change = args.change.settings();
    let (tuning, settings) = (
        args.change.is_of_tuning(),
        change != SettingsChange::default(),
    );
    // First those that change nothing yet, so that a driver without them changes nothing at all.
    if settings {
        session.driver.set_settings(&SetSettingsRequest {
            if_index: adapter.if_index,
            change,
        })?;
    }
    if tuning {
        let before = session.driver.read(&adapter)?.tuning;
        session.driver.set(&SetRequest {
            if_index: adapter.if_index,
            tuning: changed(before, &args.change),
            persist: args.persist,
        })?;
    }
    let set = Set {
        show: show::read(session, adapter)?,
        persisted: args.persist,
        tuning,
        settings,
    };
    Ok(session.print(&set, text)?)
}

/// The tuning with the change made. Values that are not named stay.
fn changed(before: Tuning, change: &Change) -> Tuning {
    let raise = match (change.off, change.profile, change.multiple) {
        (true, _, _) => Some(Raise::Profile(Profile::Off)),
        (_, Some(profile), _) => Some(Raise::Profile(profile)),
        (_, _, multiple) => multiple.map(Raise::Multiple),
    };
    Tuning {
        raise: raise.unwrap_or(before.raise),
        cap: change.cap.map_or(before.cap, |cap| cap.0),
    }
}

fn text(set: &Set) -> String {
    let mut text = show::text(&set.show);
    if set.tuning && set.persisted {
        text += "The change is in effect, and in the registry.\n";
    } else if set.tuning {
        text += "The change is in effect until the adapter restarts; --persist makes it last.\n";
    }
    if set.settings {
        text += &show::settings_text(&set.show);
    }
    text
}
