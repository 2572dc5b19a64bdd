//! Network namespaces without names.
//!
//! A namespace lives as long as a process has it open or runs in it. The lab keeps only an open
//! file of each, so that the kernel removes namespaces and all devices in them with the process,
//! however it ends; and as there are no names, any number of labs run side by side.

use std::{fs::File, io, thread};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};

use super::doing::Doing;
use crate::error::Error;

/// A network namespace.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

/// The calling thread's own network namespace.
const OWN: &str = "/proc/thread-self/ns/net";

impl Namespace {
    /// Makes a namespace, which messages call `name`.
    ///
    /// # Errors
    ///
    /// [`Error::NotPermitted`], or another error of the system.
    pub fn new(name: &str) -> Result<Self, Error> {
        // On a thread of its own, which is not in this process's namespace from then on.
        let made = on_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open(OWN)
        });
        match made {
            Ok(file) => Ok(Self {
                name: name.to_owned(),
                file,
            }),
            Err(why) if why.raw_os_error() == Some(Errno::EPERM as i32) => {
                Err(Error::NotPermitted(why))
            }
            Err(why) => Err(why).doing(|| format!("making the network namespace of {name}")),
        }
    }

    /// The name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The open file, which identifies the namespace.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Runs `body` on a thread in this namespace, and waits for it. Sockets, files of `/proc` and
    /// processes that it opens belong to the namespace, and keep doing so afterwards.
    ///
    /// # Errors
    ///
    /// The namespace cannot be entered, or what `body` returns.
    pub fn inside<T: Send>(
        &self,
        body: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        on_a_thread(|| {
            self.enter()?;
            body()
        })
    }

    /// Puts the calling thread into this namespace, for the rest of its life.
    pub fn enter(&self) -> Result<(), Error> {
        setns(&self.file, CloneFlags::CLONE_NEWNET)
            .doing(|| format!("entering the network namespace of {}", self.name))
    }

    /// Writes to a file below `/proc/sys/net`, which is the namespace's own.
    pub fn sysctl(&self, path: &str, value: &str) -> Result<(), Error> {
        self.inside(|| {
            let file = format!("/proc/sys/net/{path}");
            std::fs::write(&file, value).doing(|| format!("writing {value} to {file}"))
        })
    }
}

/// Runs `body` on a thread of its own.
fn on_a_thread<T: Send, E: Send + From<Lost>>(
    body: impl FnOnce() -> Result<T, E> + Send,
) -> Result<T, E> {
    thread::scope(|scope| scope.spawn(body).join()).unwrap_or_else(|_| Err(Lost.into()))
}

/// A thread ended without a result.
struct Lost;

impl From<Lost> for io::Error {
    fn from(_: Lost) -> Self {
        Self::other("a thread of the lab ended early")
    }
}

impl From<Lost> for Error {
    fn from(lost: Lost) -> Self {
        Self::System {
            doing: "working in a network namespace".to_owned(),
            why: lost.into(),
        }
    }
}
