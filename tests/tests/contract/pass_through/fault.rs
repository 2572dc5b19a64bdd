//! The faults that the driver can have.

/// No fault.
pub(crate) const NONE: u8 = 0;
/// A clone is never freed.
pub(crate) const CLONE_LEFT: u8 = 1;
/// A clone is freed after its original was completed.
pub(crate) const CLONE_FREED_LATE: u8 = 2;
/// The clone does not carry the RequestId.
pub(crate) const NO_REQUEST_ID: u8 = 3;
/// The byte counts are not copied.
pub(crate) const NO_COUNTS: u8 = 4;
/// A request is completed twice.
pub(crate) const OID_TWICE: u8 = 5;
/// A request is completed, and then answered.
pub(crate) const OID_ANSWERED_TOO: u8 = 6;
/// The original goes down instead of a clone.
pub(crate) const OID_ORIGINAL_DOWN: u8 = 7;
/// Two clones go down at a time.
pub(crate) const OID_TWO: u8 = 8;
/// The original's SourceReserved is written.
pub(crate) const OID_WRITES: u8 = 9;
/// A request is completed with another status.
pub(crate) const OID_STATUS: u8 = 10;
/// The answer is changed.
pub(crate) const OID_ANSWER: u8 = 11;
/// A request is never completed.
pub(crate) const OID_NEVER: u8 = 12;
/// A clone is written to while the miniport has it.
pub(crate) const OID_TOUCHES_BELOW: u8 = 13;
/// A request is written to after it was completed.
pub(crate) const OID_TOUCHES_AFTER: u8 = 14;
/// A clone is freed while the miniport has it.
pub(crate) const OID_FREES_BELOW: u8 = 15;
/// A request is made from FilterDetach.
pub(crate) const OID_WHILE_DETACHING: u8 = 16;
/// An indication is not forwarded.
pub(crate) const STATUS_SWALLOWED: u8 = 17;
/// An indication is forwarded twice.
pub(crate) const STATUS_TWICE: u8 = 18;
/// An indication is forwarded for another port.
pub(crate) const STATUS_CHANGED: u8 = 19;
/// The miniport's own memory is rewritten.
pub(crate) const STATUS_IN_PLACE: u8 = 20;
/// An advertised maximum is below the NIC's.
pub(crate) const STATUS_LOWERED: u8 = 21;
/// An indication of the filter's names another driver as its source.
pub(crate) const STATUS_OTHER_SOURCE: u8 = 22;
/// StatusBufferSize is not the NDIS_OFFLOAD's.
pub(crate) const STATUS_WRONG_SIZE: u8 = 23;
/// An indication has no header.
pub(crate) const STATUS_NO_HEADER: u8 = 24;
/// An indication of the filter's is for a port.
pub(crate) const STATUS_FOR_A_PORT: u8 = 25;
/// FilterAttach indicates.
pub(crate) const STATUS_WHILE_ATTACHING: u8 = 26;
/// FilterDetach indicates.
pub(crate) const STATUS_WHILE_DETACHING: u8 = 27;
/// LSO is advertised that the NIC has turned off.
pub(crate) const RESURRECTED: u8 = 28;
/// FilterAttach fails and leaves the configuration changed.
pub(crate) const ATTACH_CHANGES: u8 = 29;
/// A network event is not forwarded.
pub(crate) const EVENT_SWALLOWED: u8 = 30;
/// A network event is forwarded twice.
pub(crate) const EVENT_TWICE: u8 = 31;
/// A network event's status is not returned.
pub(crate) const EVENT_STATUS: u8 = 32;
/// A network event is changed.
pub(crate) const EVENT_CHANGED: u8 = 33;
/// Pre-detach does not indicate the true configuration.
pub(crate) const STAYS_RAISED: u8 = 34;
/// Sends pass while paused.
pub(crate) const SENDS_PAUSED: u8 = 35;
/// A pause that was answered is completed too.
pub(crate) const PAUSE_TWICE: u8 = 36;
/// Large sends above 10,000 bytes are refused.
pub(crate) const REFUSES_LARGE: u8 = 37;
/// A completed send is sent again from its completion, 40 times.
pub(crate) const RESENDS: u8 = 38;
/// The send handler uses much stack.
pub(crate) const BIG_FRAME: u8 = 39;
/// A spin lock is held across a send.
pub(crate) const LOCK_ACROSS: u8 = 40;
/// A spin lock is taken twice.
pub(crate) const LOCK_TWICE: u8 = 41;
/// A spin lock is not initialized.
pub(crate) const LOCK_UNINITIALISED: u8 = 42;
/// A spin lock is taken in freed memory.
pub(crate) const LOCK_FREED: u8 = 43;
/// A spin lock's memory is freed while it is held.
pub(crate) const LOCK_FREED_HELD: u8 = 44;
/// The send handler returns with a spin lock held.
pub(crate) const LOCK_KEPT: u8 = 45;
/// A spin lock is released to another IRQL.
pub(crate) const LOCK_OTHER_IRQL: u8 = 46;
/// A spin lock is released that is not held.
pub(crate) const LOCK_NOT_HELD: u8 = 47;
/// A spin lock that does not raise the IRQL is taken at PASSIVE_LEVEL.
pub(crate) const LOCK_LOW: u8 = 48;
/// The configuration is opened at whatever IRQL.
pub(crate) const PASSIVE_HIGH: u8 = 49;
/// Unload leaves the control device.
pub(crate) const DEVICE_LEFT: u8 = 50;
/// Everybody may open the control device.
pub(crate) const DEVICE_OPEN_TO_ALL: u8 = 51;
/// A request is completed twice.
pub(crate) const IRP_TWICE: u8 = 52;
/// A request is never completed.
pub(crate) const IRP_NEVER: u8 = 53;
/// The handler returns another status.
pub(crate) const IRP_OTHER_STATUS: u8 = 54;
/// Information is more than the output has room for.
pub(crate) const IRP_TOO_MUCH: u8 = 55;
/// Information is more than was written.
pub(crate) const IRP_DISCLOSES: u8 = 56;
/// A request is written to after it was completed.
pub(crate) const IRP_TOUCHED: u8 = 57;
/// The system buffer is overrun.
pub(crate) const IRP_BEHIND: u8 = 58;
/// The handler returns the status that it reads from the completed request.
pub(crate) const IRP_READ_BACK: u8 = 59;
/// The status handler returns at another IRQL.
pub(crate) const STATUS_KEEPS_IRQL: u8 = 60;
/// A running module refuses sends as if it were paused.
pub(crate) const REFUSES_RUNNING: u8 = 61;
/// None: restart queries the miniport's hardware capabilities, and the answer is indicated as a
/// link state.
pub(crate) const OWN_OID: u8 = 62;
/// None: the same, whenever FilterStatus is called.
pub(crate) const OWN_OID_FROM_STATUS: u8 = 63;
/// Such a request is freed at once.
pub(crate) const OWN_OID_FREED: u8 = 64;
/// Such a request is made twice.
pub(crate) const OWN_OID_TWICE: u8 = 65;
/// The revision that the miniport reports is not copied.
pub(crate) const NO_REVISION: u8 = 66;
/// A request is answered by a thread that can be suspended.
pub(crate) const REGION_NONE: u8 = 67;
/// The handler returns in the critical region.
pub(crate) const REGION_KEPT: u8 = 68;
/// The handler leaves the critical region twice.
pub(crate) const REGION_LEFT_TWICE: u8 = 69;
/// The handler enters the critical region at DISPATCH_LEVEL.
pub(crate) const REGION_HIGH: u8 = 70;
/// A request is cloned without a check of its header.
pub(crate) const CLONED_UNSEEN: u8 = 71;
/// A request's header stays as it was written for the time of cloning.
pub(crate) const HEADER_KEPT: u8 = 72;
/// Sends are not looped back although that was asked for.
pub(crate) const LOOPBACK_LOST: u8 = 73;
