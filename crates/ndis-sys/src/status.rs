//! Status codes: the return values of routines and the codes of indications.

/// A status code from its usual, unsigned spelling.
const fn code(bits: u32) -> i32 {
    bits.cast_signed()
}

constants! {
    i32 {
        NDIS_STATUS_SUCCESS = 0;
        NDIS_STATUS_PENDING = 0x0000_0103;
        NDIS_STATUS_FAILURE = code(0xc000_0001);
        NDIS_STATUS_INVALID_PARAMETER = code(0xc000_000d);
        NDIS_STATUS_RESOURCES = code(0xc000_009a);
        NDIS_STATUS_NOT_SUPPORTED = code(0xc000_00bb);
        NDIS_STATUS_BAD_VERSION = code(0xc001_0004);
        NDIS_STATUS_BAD_CHARACTERISTICS = code(0xc001_0005);
        NDIS_STATUS_REQUEST_ABORTED = code(0xc001_000c);
        NDIS_STATUS_RESET_IN_PROGRESS = code(0xc001_000d);
        NDIS_STATUS_INVALID_PACKET = code(0xc001_000f);
        NDIS_STATUS_INVALID_LENGTH = code(0xc001_0014);
        NDIS_STATUS_INVALID_DATA = code(0xc001_0015);
        NDIS_STATUS_BUFFER_TOO_SHORT = code(0xc001_0016);
        NDIS_STATUS_ADAPTER_REMOVED = code(0xc001_0018);
        NDIS_STATUS_UNSUPPORTED_MEDIA = code(0xc001_0019);
        NDIS_STATUS_SEND_ABORTED = code(0xc023_000c);
        NDIS_STATUS_PAUSED = code(0xc023_002a);

        // Codes of status indications.
        NDIS_STATUS_RESET_START = 0x4001_0004;
        NDIS_STATUS_RESET_END = 0x4001_0005;
        NDIS_STATUS_MEDIA_CONNECT = 0x4001_000b;
        NDIS_STATUS_MEDIA_DISCONNECT = 0x4001_000c;
        NDIS_STATUS_MEDIA_SPECIFIC_INDICATION = 0x4001_0012;
        NDIS_STATUS_LINK_STATE = 0x4001_0017;
        NDIS_STATUS_NETWORK_CHANGE = 0x4001_0018;
        NDIS_STATUS_OPER_STATUS = 0x4001_0023;
        NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG = 0x4002_0006;
        NDIS_STATUS_TASK_OFFLOAD_HARDWARE_CAPABILITIES = 0x4002_0007;
        /// The WDK's own spelling.
        NDIS_STATUS_OFFLOAD_ENCASPULATION_CHANGE = 0x4002_0008;

        STATUS_SUCCESS = 0;
        STATUS_PENDING = 0x0000_0103;
        STATUS_BUFFER_OVERFLOW = code(0x8000_0005);
        STATUS_UNSUCCESSFUL = code(0xc000_0001);
        STATUS_INVALID_PARAMETER = code(0xc000_000d);
        STATUS_INVALID_DEVICE_REQUEST = code(0xc000_0010);
        STATUS_BUFFER_TOO_SMALL = code(0xc000_0023);
        STATUS_OBJECT_NAME_NOT_FOUND = code(0xc000_0034);
        STATUS_OBJECT_NAME_COLLISION = code(0xc000_0035);
    }
}

/// The miniport's MTU has changed: a ULONG.
pub const NDIS_STATUS_L2_MTU_SIZE_CHANGE: i32 = 0x4002_00b1;
/// A wait ended because its time was over.
pub const STATUS_TIMEOUT: i32 = 0x0000_0102;
/// The requested object does not exist.
pub const STATUS_NOT_FOUND: i32 = code(0xc000_0225);
/// The two sides use different revisions of a protocol.
pub const STATUS_REVISION_MISMATCH: i32 = code(0xc000_0059);
