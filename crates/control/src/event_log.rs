//! The entries that the driver writes to the System event log, whose texts are the image's message
//! table.

/// The driver could not be loaded. `%2` is the status.
pub const LOAD_FAILED: u32 = ERROR | 1;

/// The driver could not be attached to an adapter. `%2` is the status, `%3` the adapter's interface
/// index, `%4` its name.
pub const ATTACH_FAILED: u32 = ERROR | 2;

/// The severity "error", of a message that is no system's ("Defining Custom Error Types").
const ERROR: u32 = 0b111 << 29;

/// The texts in ascending order of their codes. The event log shows the code's lower half as the
/// event's number; `%1` is the driver, by the I/O manager.
pub const MESSAGES: [(u32, &str); 2] = [
    (
        LOAD_FAILED,
        "The driver mslso could not be loaded: status %2. Large sends pass to every NIC as without \
         it. Status 0xC0010004: this Windows has an NDIS older than 6.84. Status 0xC000009A: there \
         was no memory; start the driver again with: sc.exe start mslso",
    ),
    (
        ATTACH_FAILED,
        "The driver mslso could not be attached to interface %3 (%4): status %2. Its large sends \
         pass to the NIC as without mslso. Status 0xC000009A: there was no memory, or 64 adapters \
         have the filter already; take its binding off an adapter that does not need it. Status \
         0xC0010019: the adapter is no Ethernet adapter.",
    ),
];
