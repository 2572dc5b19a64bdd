//! The Hyper-V virtual switch, as its extensions see it: two ports with a NIC each, the destinations of
//! NBLs, and the answers to its OIDs.

use std::collections::BTreeMap;

use ndis::sys;

use crate::{
    memory::Block,
    oid::{OidCall, OidKind},
};

/// The port of the physical NIC, and that of a virtual machine, whose packets the overlying driver
/// sends.
const EXTERNAL: u32 = 1;
pub(crate) const MACHINE: u32 = 2;
/// The port that comes and goes.
const PASSING: u32 = 3;

/// SwitchForwardingDetail of a packet of the virtual machine: its port, room for one destination, and
/// that its data is in memory of the host.
pub(crate) const DETAIL: usize = (MACHINE as usize) << 16 | 1 | 1 << 42;
/// The bits of it that extensions change through the switch: the room for destinations.
pub(crate) const ROOM: usize = 0xFFFF;

/// What the switch keeps for its extensions.
#[derive(Default)]
pub(crate) struct VirtualSwitch {
    /// The destinations of NBLs.
    pub(crate) destinations: BTreeMap<usize, Destinations>,
    /// The contexts of NBLs, by the NBL and the type of context.
    pub(crate) contexts: BTreeMap<(usize, usize), usize>,
    /// How often ports are referenced, and their NICs.
    pub(crate) ports: BTreeMap<u32, u32>,
    pub(crate) nics: BTreeMap<u32, u32>,
}

/// NDIS_SWITCH_FORWARDING_DESTINATION_ARRAY with its elements.
pub(crate) struct Destinations {
    pub(crate) array: Block,
    pub(crate) elements: Block,
}

/// Bytes of the array's header and of an element.
pub(crate) const ARRAY: usize = 24;
pub(crate) const ELEMENT: usize = 8;

/// Whether there is such a port.
pub(crate) fn has_port(port: u32) -> bool {
    (EXTERNAL..=PASSING).contains(&port)
}

/// OIDs of the switch.
const PARAMETERS: u32 = 0x0001_0275;
const PORT_ARRAY: u32 = 0x0001_0276;
const NIC_ARRAY: u32 = 0x0001_0277;
const PROPERTY_ENUM: u32 = 0x0001_0266;
const PORT_PROPERTY_ENUM: u32 = 0x0001_0274;
const PORT_CREATE: u32 = 0x0001_0278;
const PORT_DELETE: u32 = 0x0001_0279;
const NIC_CREATE: u32 = 0x0001_027A;
const NIC_CONNECT: u32 = 0x0001_027B;
const NIC_DISCONNECT: u32 = 0x0001_027C;
const NIC_DELETE: u32 = 0x0001_027D;
const PORT_TEARDOWN: u32 = 0x0001_027F;
/// The first and the last of them.
const FIRST: u32 = 0x0001_0263;
const LAST: u32 = 0x0001_029A;

/// The states of ports and NICs.
const CREATED: u32 = 1;
const CONNECTED: u32 = 2;
const DISCONNECTED: u32 = 3;
const DELETED: u32 = 4;

/// A structure of `size` bytes with a header of `revision`.
fn structure(revision: u8, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[0] = sys::NDIS_OBJECT_TYPE_DEFAULT;
    bytes[1] = revision;
    bytes[2..4].copy_from_slice(&(size as u16).to_le_bytes());
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Writes an IF_COUNTED_STRING.
fn name(bytes: &mut [u8], at: usize, text: &str) {
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes[at..at + 2].copy_from_slice(&(wide.len() as u16).to_le_bytes());
    bytes[at + 2..at + 2 + wide.len()].copy_from_slice(&wide);
}

/// NDIS_SWITCH_PARAMETERS.
fn parameters() -> Vec<u8> {
    let mut bytes = structure(1, 1048);
    name(&mut bytes, 8, "7E2A94B2-63C1-4C3B-9B4B-0C1B3C2B9D10");
    name(&mut bytes, 524, "a virtual switch of the model");
    put(&mut bytes, 1040, MACHINE);
    bytes[1044] = 1; // IsActive
    bytes
}

/// NDIS_SWITCH_PORT_PARAMETERS.
fn port(id: u32, state: u32) -> Vec<u8> {
    let mut bytes = structure(1, 1056);
    put(&mut bytes, 8, id);
    name(&mut bytes, 12, &format!("port {id}"));
    name(&mut bytes, 528, &format!("port {id}"));
    put(&mut bytes, 1044, u32::from(id == EXTERNAL)); // PortType
    put(&mut bytes, 1052, state);
    bytes
}

/// The index of a port's NIC: 1 for a physical one.
pub(crate) fn nic_index(port: u32) -> u16 {
    u16::from(port == EXTERNAL)
}

/// NDIS_SWITCH_NIC_PARAMETERS.
fn nic(port: u32, state: u32) -> Vec<u8> {
    let mut bytes = structure(2, 2224);
    name(&mut bytes, 8, &format!("NIC {port}"));
    name(&mut bytes, 524, &format!("NIC {port}"));
    put(&mut bytes, 1040, port);
    bytes[1044..1046].copy_from_slice(&nic_index(port).to_le_bytes());
    put(&mut bytes, 1048, u32::from(port != EXTERNAL)); // NicType
    put(&mut bytes, 1052, state);
    put(&mut bytes, 2104, 1500); // MTU
    for address in [2110, 2142, 2174] {
        bytes[address..address + 6].copy_from_slice(&[2, 0, 0, 0, 0, port as u8]);
    }
    bytes
}

/// NDIS_SWITCH_PORT_ARRAY or NDIS_SWITCH_NIC_ARRAY with `elements`.
fn array(elements: [Vec<u8>; 2]) -> Vec<u8> {
    /// Where elements begin, at a multiple of 8.
    const HEAD: usize = 24;
    let mut bytes = structure(1, 20);
    bytes.resize(HEAD, 0);
    bytes[8] = HEAD as u8;
    put(&mut bytes, 12, elements.len() as u32);
    put(&mut bytes, 16, elements[0].len() as u32);
    elements.iter().for_each(|one| bytes.extend(one));
    bytes
}

/// The switch's answer to `call`; `None` for OIDs that are not the switch's. An answer to a set is
/// empty.
pub(crate) fn answer(call: &OidCall) -> Option<Vec<u8>> {
    let both = |make: fn(u32, u32) -> Vec<u8>, state| [EXTERNAL, MACHINE].map(|id| make(id, state));
    match (call.kind, call.oid) {
        (OidKind::Query, PARAMETERS) => Some(parameters()),
        (OidKind::Query, PORT_ARRAY) => Some(array(both(port, CREATED))),
        (OidKind::Query, NIC_ARRAY) => Some(array(both(nic, CONNECTED))),
        // The policies that are asked for, of which there are none.
        (OidKind::Method(_), PROPERTY_ENUM | PORT_PROPERTY_ENUM) => Some(call.input.clone()),
        (OidKind::Set, FIRST..=LAST) => Some(Vec::new()),
        _ => None,
    }
}

/// The requests by which the switch tells its extensions that a port and its NIC come and go.
pub(crate) fn passing_port() -> Vec<OidCall> {
    let calls = [
        (PORT_CREATE, port(PASSING, CREATED)),
        (NIC_CREATE, nic(PASSING, CREATED)),
        (NIC_CONNECT, nic(PASSING, CONNECTED)),
        (NIC_DISCONNECT, nic(PASSING, DISCONNECTED)),
        (NIC_DELETE, nic(PASSING, DELETED)),
        (PORT_TEARDOWN, port(PASSING, CREATED)),
        (PORT_DELETE, port(PASSING, CREATED)),
    ];
    calls
        .into_iter()
        .map(|(oid, input)| OidCall::set(oid, input))
        .collect()
}
