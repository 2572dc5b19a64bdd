//! What a child says in its out-of-band slots, as a large send and as a packet, and what its parent
//! says when it is settled.
#![expect(unsafe_code, reason = "NBLs are made and read as the kernel has them")]

use std::{ptr::NonNull, sync::Arc};

use model::{Backing, Config, World};
use ndis::{
    AtDispatch, Chains, ChecksumInfo, Child, ChildPool, EncapsulationInfo, InnerOffsets,
    LargeSendInfo, ModuleHandle, Nbl, UdpSendInfo, sys,
};
use scenarios::{assert_clean, raw::RawPacket};

const CHECKSUM: usize = sys::TcpIpChecksumNetBufferListInfo;
const LSO: usize = sys::TcpLargeSendNetBufferListInfo;
const USO: usize = sys::UdpSegmentationOffloadInfo;
const SUPPLEMENTAL: usize = sys::TcpSendOffloadsSupplementalNetBufferListInfo;

/// Slots that have nothing to do with the offloads, and that every child carries.
const CARRIED: [usize; 9] = [
    sys::ClassificationHandleNetBufferListInfo,
    sys::Ieee8021QNetBufferListInfo,
    sys::NetBufferListCancelId,
    sys::MediaSpecificInformation,
    sys::NetBufferListProtocolId,
    sys::NetBufferListHashValue,
    sys::NetBufferListHashInfo,
    sys::NetBufferListFilteringInfo,
    sys::VirtualSubnetInfo,
];

/// Makes one child of a parent with these slots, settles it, and hands what it said, what its
/// parent says then, and the parent's status, to `check`.
fn with_child(
    slots: &[(usize, usize)],
    make: impl Fn(&mut Child, &Nbl, ModuleHandle),
    status: i32,
) -> (Vec<usize>, Vec<usize>) {
    let world: Arc<World> = World::new(Config::default());
    let said = world.inside(|| {
        // SAFETY: the model's only module, as long as this runs.
        let module = unsafe { ModuleHandle::from_raw(world.module_handle()) };
        let pool = ChildPool::try_new(module, 10_000, Chains::Lent, 1).expect("memory");
        let mut parent = RawPacket::new(&[(0, &[0; 100])], 0, Backing::NonPagedPool);
        for slot in CARRIED {
            parent.set_slot(slot, 0x1000 + slot);
        }
        for (slot, value) in slots {
            parent.set_slot(*slot, *value);
        }
        let nbl = parent.nbl();
        let mut children = pool.take(1, &AtDispatch::enter(false)).expect("a child");
        // What is left in it from before is not carried on.
        let made = children.try_for_each(|child| {
            make(child, &nbl, module);
            Ok::<_, ()>(())
        });
        assert_eq!(made, Ok(()));
        let raw = children.adopted_by(nbl).into_chain().into_raw();
        // SAFETY: the child is owned here until it is claimed.
        let said = unsafe {
            (*raw).Status = status;
            slots_of(raw)
        };
        for slot in CARRIED {
            assert_eq!(said[slot], 0x1000 + slot, "slot {slot}");
        }
        // SAFETY: as above.
        let nbl = unsafe { Nbl::from_raw(NonNull::new(raw).expect("a child")) };
        let child = Child::claim(nbl, module).expect("a child");
        let (child, parent) = child.settle();
        pool.recycler().push(child);
        let parent = parent.expect("the last child yields the parent");
        assert_eq!(parent.status().0, status);
        // SAFETY: the parent is owned here.
        let says = unsafe { slots_of(parent.into_raw().as_ptr()) };
        (said, says)
    });
    assert_clean(&world.finish());
    said
}

/// # Safety
/// `nbl` is live.
unsafe fn slots_of(nbl: *mut sys::NET_BUFFER_LIST) -> Vec<usize> {
    // SAFETY: as the caller vouches.
    unsafe { (*nbl).NetBufferListInfo }
        .map(|slot| slot.addr())
        .to_vec()
}

fn uso() -> UdpSendInfo {
    UdpSendInfo::new(1472, 42, false)
}

fn lso() -> LargeSendInfo {
    LargeSendInfo::v2(1448, 54, false)
}

fn tunnel() -> EncapsulationInfo {
    let inner = InnerOffsets {
        frame: 42,
        ip: 56,
        transport: 76,
    };
    EncapsulationInfo::new(inner, false, false)
}

#[test]
fn a_large_child_of_a_udp_send_is_one_and_the_parents_slots_stay() {
    for status in [0, sys::NDIS_STATUS_RESOURCES] {
        let (child, parent) = with_child(
            &[(USO, uso().to_raw()), (CHECKSUM, 5)],
            |child, parent, module| {
                assert_eq!(parent.udp_send(), uso());
                child.inherit(parent, module, LargeSendInfo::default());
            },
            status,
        );
        assert_eq!(child[USO], uso().to_raw());
        assert_eq!((child[LSO], child[CHECKSUM]), (0, 5));
        assert_eq!(parent[USO], uso().to_raw(), "as it was sent");
        assert_eq!((parent[LSO], parent[CHECKSUM]), (0, 5));
    }
}

#[test]
fn what_a_receive_left_behind_is_not_made_a_udp_send() {
    let coalesced = 17;
    let done = lso().transmit_complete(0);
    let (child, parent) = with_child(
        &[(USO, coalesced), (LSO, lso().to_raw())],
        |child, parent, module| {
            assert!(parent.udp_send().is_none());
            child.inherit(parent, module, done);
        },
        0,
    );
    assert_eq!((child[LSO], child[USO]), (lso().to_raw(), 0));
    assert_eq!((parent[LSO], parent[USO]), (done.to_raw(), coalesced));
}

#[test]
fn a_large_child_of_a_tunnelled_send_says_where_its_headers_are() {
    let (child, _) = with_child(
        &[(SUPPLEMENTAL, tunnel().to_raw()), (LSO, lso().to_raw())],
        |child, parent, module| {
            assert_eq!(parent.encapsulation(), tunnel());
            child.inherit(parent, module, lso().transmit_complete(0));
        },
        0,
    );
    assert_eq!(child[SUPPLEMENTAL], tunnel().to_raw());
}

#[test]
fn a_packet_of_any_large_send_is_none_and_asks_for_its_checksum() {
    for slots in [(LSO, lso().to_raw()), (USO, uso().to_raw())] {
        for checksum in [ChecksumInfo::default(), ChecksumInfo::tcp(false, 34)] {
            for (clear, left) in [(false, tunnel().to_raw()), (true, 0)] {
                let (child, parent) = with_child(
                    &[slots, (CHECKSUM, 0x15), (SUPPLEMENTAL, tunnel().to_raw())],
                    |child, parent, module| {
                        let done = parent.large_send().transmit_complete(0);
                        child.inherit_as_packet(parent, module, done, checksum, clear);
                    },
                    0,
                );
                assert_eq!((child[LSO], child[USO]), (0, 0));
                assert_eq!(child[CHECKSUM], checksum.to_raw());
                assert_eq!(child[SUPPLEMENTAL], left);
                assert_eq!(parent[CHECKSUM], 0x15, "the parent's own");
                assert_eq!(parent[SUPPLEMENTAL], tunnel().to_raw());
            }
        }
    }
}

#[test]
fn a_child_that_was_a_packet_says_nothing_of_it_in_its_next_life() {
    let (child, _) = with_child(
        &[(LSO, lso().to_raw())],
        |child, parent, module| {
            let done = lso().transmit_complete(0);
            let checksum = ChecksumInfo::udp(true, 54);
            child.inherit_as_packet(parent, module, done, checksum, false);
            child.inherit(parent, module, done);
        },
        0,
    );
    assert_eq!((child[LSO], child[CHECKSUM]), (lso().to_raw(), 0));
}

#[test]
fn a_window_above_a_childs_capacity_is_refused_where_chains_end() {
    let world: Arc<World> = World::new(Config::default());
    world.inside(|| {
        // SAFETY: the model's only module, as long as this runs.
        let module = unsafe { ModuleHandle::from_raw(world.module_handle()) };
        let chains = Chains::Ended {
            max_elements: Some(0),
        };
        let pool = ChildPool::try_new(module, 5_000, chains, 1).expect("memory");
        let bytes = [0; 9_000];
        let buffers = [
            (1, &bytes[..100]),
            (2, &bytes[100..200]),
            (3, &bytes[200..]),
        ];
        let mut parent = RawPacket::new(&buffers, 0, Backing::NonPagedPool);
        let nbl = parent.nbl();
        let packet = nbl.first_net_buffer().expect("a packet");
        let mut children = pool.take(1, &AtDispatch::enter(false)).expect("a child");
        let made = children.try_for_each(|child| {
            for (length, fits) in [(5_001, false), (5_000, true), (100, true), (0, true)] {
                let mut payload = packet.payload(0).expect("a packet");
                let made = child.set_payload(54, &mut payload, length);
                assert_eq!(made.is_ok(), fits, "{length} bytes");
            }
            let mut payload = packet.payload(0).expect("a packet");
            child.set_payload(54, &mut payload, 5_000)
        });
        assert!(made.is_ok());
        // It comes home with its copy, which is freed on the way.
        pool.recycle(children);
    });
    assert_clean(&world.finish());
}
