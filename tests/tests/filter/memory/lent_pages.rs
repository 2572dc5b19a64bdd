//! Live traffic: packets that are sent from where they lie, and a wire that reads them as they
//! leave.
#![expect(
    unsafe_code,
    reason = "breaks rules on purpose by changing NBLs on their way"
)]

use std::sync::{Arc, Mutex};

use model::{
    Backing, Completion, Config, Lent, Nic, Order, Outgoing, Pages, Rule, SendCall, Tamper,
    Violation, Wire, parts,
};
use ndis::{LargeSendInfo, sys};
use scenarios::{Machine, packets::MSS, tampering::nbls};
use testpkt::synth::Synth;

/// Five children of three segments each.
const PAYLOAD: u32 = 5 * 3 * MSS;

/// The packets that left: the payload's place and length of each slice behind the headers, and the
/// sequence.
#[derive(Clone, Default)]
struct Left(Arc<Mutex<Vec<Packet>>>);

#[derive(Clone, Debug)]
struct Packet {
    sequence: u32,
    frame: Vec<u8>,
    /// Addresses of payload slices.
    places: Vec<usize>,
}

impl Wire for Left {
    fn transmit(&mut self, packets: &[Outgoing<'_>]) {
        let mut left = self.0.lock().unwrap();
        left.extend(packets.iter().map(|packet| {
            let tcp = parts(packet.bytes[0]).unwrap().tcp;
            let sequence = &packet.bytes[0][tcp + 4..tcp + 8];
            Packet {
                sequence: u32::from_be_bytes(sequence.try_into().unwrap()),
                frame: packet.bytes.concat(),
                places: packet.bytes[1..]
                    .iter()
                    .map(|part| part.as_ptr().addr())
                    .collect(),
            }
        }));
    }
}

impl Left {
    fn take(&self) -> Vec<Packet> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn machine(completion: Completion) -> (Machine, Left) {
    let mut nic = Nic::new(3 * MSS, 2);
    nic.completion = completion;
    let machine = Machine::start(Config::with_nic(nic));
    let left = Left::default();
    machine.world.set_wire(left.clone());
    (machine, left)
}

/// A large send that starts 70 bytes into its pages, and its frame.
fn lent(fully: bool, backing: Backing) -> (Lent, Vec<u8>) {
    const START: usize = 70;
    let frame = Synth::v4(PAYLOAD, MSS).frame(false);
    let mut pages = Pages::new(START + frame.len());
    pages.bytes_mut()[START..].copy_from_slice(&frame);
    let tcp = parts(&frame).unwrap().tcp;
    let lent = Lent {
        pages,
        start: START,
        length: frame.len(),
        large_send: LargeSendInfo::v2(MSS, tcp as u32, false),
        oob: Vec::new(),
        buffer: 7000,
        backing,
        fully,
    };
    (lent, frame)
}

#[test]
fn payload_leaves_from_where_it_was_received() {
    for backing in [Backing::NonPagedPool, Backing::LockedPages] {
        let (machine, left) = machine(Completion::default());
        let (packet, frame) = lent(true, backing);
        let start = packet.pages.bytes().as_ptr().addr();
        let memory = start..start + packet.pages.bytes().len();
        machine.world.send_lent(vec![packet], SendCall::default());
        let children = left.take();
        assert_eq!(children.len(), 5);
        let places = children.iter().flat_map(|child| &child.places);
        assert!(places.clone().count() >= 5 && places.clone().all(|at| memory.contains(at)));
        let header = parts(&frame).unwrap().payload;
        let payload = children.iter().flat_map(|child| &child.frame[header..]);
        assert!(payload.eq(&frame[header..]));
        let returned = machine.world.take_returned();
        assert_eq!(returned.len(), 1);
        assert_eq!(returned[0].completed.status, sys::NDIS_STATUS_SUCCESS);
        assert!(returned[0].pages.bytes()[70..].starts_with(&frame));
        // Packets that a consumer took are not kept.
        assert!(machine.world.take_children().is_empty() && machine.world.take_wire().is_empty());
        machine.stop_clean();
    }
}

#[test]
fn packets_leave_in_order_before_they_are_completed_in_another() {
    let (machine, left) = machine(Completion {
        deferred: true,
        order: Order::Reversed,
        ..Completion::default()
    });
    let (packet, _) = lent(false, Backing::NonPagedPool);
    machine.world.send_lent(vec![packet], SendCall::default());
    assert!(left.take().is_empty() && machine.world.take_returned().is_empty());
    machine.deliver_all();
    let sequences: Vec<_> = left.take().iter().map(|child| child.sequence).collect();
    assert!(sequences.len() == 5 && sequences.is_sorted());
    assert_eq!(machine.world.take_returned().len(), 1);
    machine.stop_clean();
}

#[test]
fn a_send_that_fails_is_not_transmitted() {
    let (machine, left) = machine(Completion::default());
    let failing = machine.world.given_to_nic() + 2;
    machine
        .world
        .set_nic(|nic| nic.failing = vec![(failing, sys::NDIS_STATUS_FAILURE)]);
    let (packet, _) = lent(true, Backing::NonPagedPool);
    machine.world.send_lent(vec![packet], SendCall::default());
    assert_eq!(left.take().len(), 4);
    let returned = machine.world.take_returned();
    assert_eq!(returned[0].completed.status, sys::NDIS_STATUS_FAILURE);
    machine.stop_clean();
}

/// Sends with the children changed on their way down.
fn broken_by(
    fully: bool,
    mut change: impl FnMut(&[*mut sys::NET_BUFFER_LIST]) + Send + 'static,
) -> Vec<Violation> {
    let (machine, _left) = machine(Completion::default());
    machine.world.tamper(move |tamper| {
        if let Tamper::Send(chain) = tamper {
            change(&nbls(*chain));
        }
    });
    let (packet, _) = lent(fully, Backing::NonPagedPool);
    machine.world.send_lent(vec![packet], SendCall::default());
    machine.stop()
}

#[test]
fn rules_hold_for_packets_that_are_not_compared() {
    for fully in [false, true] {
        let broken = broken_by(fully, |nbls| {
            // SAFETY: the children are on their way down.
            unsafe { (*(*nbls[4]).FirstNetBuffer).DataLength -= 2 * MSS };
        });
        assert!(
            broken.iter().any(|one| one.rule == Rule::Limit),
            "{broken:?}"
        );
    }
}

#[test]
fn a_byte_of_payload_is_noticed_where_it_is_compared() {
    let spoil = |nbls: &[*mut sys::NET_BUFFER_LIST]| {
        // SAFETY: the children are on their way down; their second MDL is a part of the payload.
        unsafe {
            let mdl = (*(*(*nbls[1]).FirstNetBuffer).MdlChain).Next;
            *(*mdl).MappedSystemVa.cast::<u8>() ^= 1;
        }
    };
    let rules: Vec<_> = broken_by(true, spoil).iter().map(|one| one.rule).collect();
    assert!(
        rules.contains(&Rule::ParentIntact) && rules.contains(&Rule::Wire),
        "{rules:?}"
    );
    assert!(broken_by(false, spoil).is_empty());
}
