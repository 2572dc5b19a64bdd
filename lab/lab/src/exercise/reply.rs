//! The replies of a worker to its parent.

use serde::{Deserialize, Serialize};

/// A reply of a worker; one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// It takes this step.
    Step(String),
    /// It found this, or found it again; the key is the cause's.
    Cause(String, Cause),
    /// The driver failed this step, with this detail.
    Refused(String, String),
    /// The driver touched what it must not, and the process ends.
    Faulted(String, Cause),
    /// The driver called this routine, which the model does not have, and the process ends.
    Missing(String),
    /// The phase has come to its end.
    Finished,
}

/// One cause, with how often it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The rule's number.
    pub rule: u8,
    /// Its name.
    pub name: String,
    /// The level of the finding.
    pub level: String,
    /// The address of the page that documents the obligation.
    pub page: Option<String>,
    /// How often it was found.
    pub count: u64,
    /// The first finding.
    pub first: String,
}
