//! A machine on which the driver runs: the actions of NDIS and of an administrator on it.

use std::{mem::zeroed, ptr};

use control::{
    IoControl, Message, Multiple, Raise, ReadReply, Select, SetRequest, StatisticsReply, Tuning,
};
use ndis::sys::{self, NDIS_HANDLE};
use nullndis::Driver;
use shuttle::thread::{self, JoinHandle};

use crate::{
    kernel::leaked,
    offload::{Nic, maxima},
    points::{driver, wake},
    world,
};

/// A thread of the case, on `processor`.
pub fn on<T>(processor: u32, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || {
        world::with(|world| world.move_to(processor));
        work();
    })
}

/// Waits for threads of the case.
///
/// # Panics
/// If one of them has panicked.
pub fn wait(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    // All of them are started before the first is waited for.
    let threads: Vec<_> = threads.into_iter().collect();
    for thread in threads {
        thread.join().expect("it has not panicked");
    }
}

/// Calls a handler of the driver.
pub(crate) fn call<R>(handler: impl FnOnce() -> R) -> R {
    driver(handler)
}

/// The adapter's interface index.
const IF_INDEX: u32 = 7;

/// See the module. It can be copied to every thread of a case.
#[derive(Clone, Copy)]
pub struct Machine {
    pub(crate) driver: Driver,
    pub(crate) module: NDIS_HANDLE,
}

// SAFETY: handlers and contexts may be used on every processor.
unsafe impl Send for Machine {}

/// The handler that the driver registered.
macro_rules! handler {
    ($machine:expr, $name:ident) => {
        $machine.driver.handlers.$name.expect("a handler")
    };
}
pub(crate) use handler;

impl Machine {
    /// Loads the driver, attaches it to `nic` and restarts it.
    ///
    /// # Panics
    /// If the driver fails.
    #[must_use]
    pub fn start(nic: Nic) -> Self {
        call(nullndis::load).expect("DriverEntry");
        let driver = nullndis::loaded().expect("it is registered");
        let mut offload = nic.offload();
        let module = call(|| driver.attach(IF_INDEX, &mut offload)).expect("FilterAttach");
        // SAFETY: FilterAttach left the NDIS_OFFLOAD valid.
        let maxima = unsafe { maxima(&raw const offload) };
        world::with(|world| world.indicated.push(maxima));
        let machine = Self { driver, module };
        machine.restart();
        machine
    }

    /// Restarts the module.
    pub fn restart(&self) {
        let restart = handler!(self, RestartHandler);
        // SAFETY: the module is attached and paused.
        call(|| unsafe { restart(self.module, ptr::null_mut()) });
        world::with(|world| world.paused = false);
    }

    /// NDIS notifies the module that it is about to be detached.
    pub fn pre_detach(&self) {
        // SAFETY: numbers and raw pointers may all be zero.
        let mut event: sys::NET_PNP_EVENT_NOTIFICATION = unsafe { zeroed() };
        event.NetPnPEvent.NetEvent = sys::NetEventFilterPreDetach;
        let handler = handler!(self, NetPnPEventHandler);
        // SAFETY: the event lives during the call.
        call(|| unsafe { handler(self.module, &raw mut event) });
    }

    /// Pauses the module.
    pub fn pause(&self) {
        let pause = handler!(self, PauseHandler);
        // SAFETY: the module runs.
        call(|| unsafe { pause(self.module, ptr::null_mut()) });
        world::with(|world| world.paused = true);
    }

    /// Frees the module, which is paused.
    pub fn detach(&self) {
        let detach = handler!(self, DetachHandler);
        // SAFETY: the module is paused.
        call(|| unsafe { detach(self.module) });
        world::with(|world| world.detached = true);
        wake();
    }

    /// An administrator tunes the adapter to so many times the NIC's maximum. Returns whether there
    /// is an adapter.
    pub fn retune(&self, multiple: u32) -> bool {
        let multiple = Multiple::new(multiple).expect("1 to 16");
        let request = SetRequest {
            if_index: IF_INDEX,
            tuning: Tuning {
                raise: Raise::Multiple(multiple),
                cap: None,
            },
            persist: false,
        };
        self.control(IoControl::SET, &request, 0).is_some()
    }

    /// The reply to an administrator's READ.
    ///
    /// # Panics
    /// If no module is attached.
    pub fn read(&self) -> ReadReply {
        let select = Select { if_index: IF_INDEX };
        let answer = self.control(IoControl::READ, &select, ReadReply::SIZE);
        ReadReply::decode(&answer.expect("a module is attached")).expect("the protocol")
    }

    /// The module's counters.
    ///
    /// # Panics
    /// If no module is attached.
    pub fn statistics(&self) -> StatisticsReply {
        let select = Select { if_index: IF_INDEX };
        let answer = self.control(IoControl::STATISTICS, &select, StatisticsReply::SIZE);
        StatisticsReply::decode(&answer.expect("a module is attached")).expect("the protocol")
    }

    /// Resets the module's counters.
    ///
    /// # Panics
    /// If no module is attached.
    pub fn reset_statistics(&self) {
        let select = Select { if_index: IF_INDEX };
        let answer = self.control(IoControl::RESET_STATISTICS, &select, 0);
        assert!(answer.is_some(), "a module is attached");
    }

    /// A request to the control device; `None` where it fails.
    fn control<M: Message>(&self, code: IoControl, input: &M, output: usize) -> Option<Vec<u8>> {
        let mut buffer = vec![0; M::SIZE.max(output)];
        input.encode(&mut buffer).expect("room");
        // SAFETY: numbers and raw pointers may all be zero.
        let (mut irp, mut stack): (sys::IRP, sys::IO_STACK_LOCATION) =
            unsafe { (zeroed(), zeroed()) };
        stack.MajorFunction = sys::IRP_MJ_DEVICE_CONTROL as u8;
        // SAFETY: numbers may all be zero.
        stack.Parameters.DeviceIoControl = unsafe { zeroed() };
        // SAFETY: the member that was just written.
        let parameters = unsafe { &mut stack.Parameters.DeviceIoControl };
        parameters.OutputBufferLength = output as u32;
        parameters.InputBufferLength = M::SIZE as u32;
        parameters.IoControlCode = code.code();
        irp.AssociatedIrp.SystemBuffer = buffer.as_mut_ptr().cast();
        irp.Tail.Overlay.CurrentStackLocation = &raw mut stack;
        let control = self.driver.control.expect("a control device");
        // SAFETY: request, stack location and buffer live during the call.
        let status = call(|| unsafe { control(self.driver.device, &raw mut irp) });
        buffer.truncate(irp.IoStatus.Information);
        (status == sys::NDIS_STATUS_SUCCESS).then_some(buffer)
    }

    /// Pauses and detaches the module, and unloads the driver.
    ///
    /// # Panics
    /// If anything is left behind, or went wrong before.
    pub fn stop(self) {
        assert_right();
        self.pause();
        self.detach();
        self.unload();
    }

    /// The same of a module that is detached.
    ///
    /// # Panics
    /// As [`stop`](Self::stop).
    pub fn unload(self) {
        // SAFETY: the driver is loaded, and its module detached.
        call(|| unsafe { self.driver.unload() });
        finish();
    }
}

/// Checks that no fault was found so far. Otherwise a list may be a ring, and freeing it would not
/// end.
fn assert_right() {
    world::with(|world| assert!(world.wrong.is_empty(), "{}", world.wrong.join("; ")));
}

/// Ends a case.
///
/// # Panics
/// If anything is left behind, or went wrong.
pub fn finish() {
    let mut wrong = world::with(|world| {
        let mut wrong = std::mem::take(&mut world.wrong);
        wrong.extend(world.parents.finish());
        wrong
    });
    match leaked() {
        0 => {}
        count => wrong.push(format!("{count} allocations are not freed")),
    }
    assert!(wrong.is_empty(), "{}", wrong.join("; "));
}
