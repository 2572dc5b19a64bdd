//! Handles to the device: one is open during a request only, so that none delays an unload.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use clap::Parser;
use control::IoControl;
use mslsoctl::{
    cli::Cli,
    device::{Answer, Device, DeviceError, PerRequest},
    failure::Failure,
};

use crate::{Done, fake::Fake, two};

/// A driver, and the handles to its device.
struct System {
    driver: RefCell<Fake>,
    open: Cell<u32>,
    requests: Cell<u32>,
    /// Requests after which an administrator unloads the driver, which no open handle may delay.
    until_unload: u32,
}

struct Handle(Rc<System>);

impl System {
    fn new(until_unload: u32) -> Rc<Self> {
        Rc::new(Self {
            driver: RefCell::new(two()),
            open: Cell::new(0),
            requests: Cell::new(0),
            until_unload,
        })
    }

    fn open(self: &Rc<Self>) -> Result<Handle, DeviceError> {
        assert_eq!(self.open.get(), 0, "a handle is still open");
        if self.requests.get() == self.until_unload {
            return Err(DeviceError::NotInstalled);
        }
        self.open.set(1);
        Ok(Handle(self.clone()))
    }

    /// Runs a command; every handle is closed when it ends.
    fn run(self: &Rc<Self>, line: &[&str]) -> Done {
        let cli = Cli::try_parse_from(["mslsoctl"].iter().chain(line)).expect("a command");
        let host = self.driver.borrow().host.clone();
        let mut device = PerRequest(|| self.open());
        let done = mslsoctl::run(&cli, &mut device, &host, &mut Vec::new());
        assert_eq!(self.open.get(), 0, "a handle is still open");
        done
    }
}

impl Device for Handle {
    fn control(&mut self, code: IoControl, input: &[u8], output: &mut [u8]) -> Answer {
        assert_eq!(self.0.open.get(), 1);
        self.0.requests.set(self.0.requests.get() + 1);
        self.0.driver.borrow_mut().control(code, input, output)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.open.set(0);
    }
}

#[test]
fn a_handle_is_open_during_a_request_only() -> Done {
    let commands = [
        &["list"][..],
        &["show", "--all"],
        &["set", "7", "--multiple", "4"],
        &["stats", "7", "--reset"],
        &["stats", "--all", "--watch", "0.1", "--count", "2"],
    ];
    for command in commands {
        let system = System::new(u32::MAX);
        system.run(command)?;
        assert!(system.requests.get() > 0, "{command:?}");
    }
    Ok(())
}

#[test]
fn a_watch_ends_when_the_driver_is_unloaded() {
    let failure = System::new(4)
        .run(&["stats", "7", "--watch", "0.1"])
        .expect_err("there is no driver any more");
    let expected = DeviceError::NotInstalled;
    assert!(matches!(failure, Failure::Device(error) if error == expected));
}
