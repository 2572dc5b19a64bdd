//! The out-of-band slots of a child, as a large send and as a packet, and those of its parent when
//! it is completed.
#![expect(unsafe_code, reason = "NBLs are made and read as the kernel has them")]

use std::sync::Arc;

use children::{ChildNbl, ChildOob, ChildPool, ChildRun, MdlSource, PoolLimits};
use model::{Backing, Config, World};
use ndis::{
    AtDispatch, BufferError, ChecksumInfo, EncapsulationInfo, InnerOffsets, LargeSendInfo,
    ModuleHandle, Nbl, NblChain, UdpSendInfo, sys,
};
use scenarios::{assert_clean, packets::CARRIED, raw::RawPacket};

const CHECKSUM: usize = sys::TcpIpChecksumNetBufferListInfo;
const LSO: usize = sys::TcpLargeSendNetBufferListInfo;
const USO: usize = sys::UdpSegmentationOffloadInfo;
const SUPPLEMENTAL: usize = sys::TcpSendOffloadsSupplementalNetBufferListInfo;

/// A pool of children with up to so many bytes of payload and MDLs.
fn pool(module: ModuleHandle, capacity: u32, max_sg_elements: u32) -> ChildPool {
    let limits = PoolLimits {
        capacity,
        max_sg_elements,
        memory: 1 << 20,
        ready: 1,
    };
    let pool = ChildPool::try_new(module, limits).expect("memory");
    pool.preallocate().expect("memory");
    pool
}

/// Children of one parent.
const COUNT: usize = 3;

/// Makes children of a parent with these slots, each prepared by `make`, completes them with the
/// last one's `status`, and returns each child's slots and the parent's slots then. `done` is the
/// parent's completion value if all went well.
fn with_children(
    slots: &[(usize, usize)],
    make: impl Fn(ChildNbl<'_>),
    done: LargeSendInfo,
    status: i32,
) -> (Vec<Vec<usize>>, Vec<usize>) {
    let world: Arc<World> = World::new(Config::default());
    let slots = world.inside(|| {
        // SAFETY: the model's only module, as long as this runs.
        let module = unsafe { ModuleHandle::from_raw(world.module_handle()) };
        let pool = pool(module, 10_000, 64);
        let mut parent = RawPacket::new(&[(0, &[0; 100])], 0, Backing::NonPagedPool);
        for slot in CARRIED {
            parent.set_slot(slot, 0x1000 + slot);
        }
        for (slot, value) in slots {
            parent.set_slot(*slot, *value);
        }
        let nbl = parent.nbl();
        let mut children = pool
            .take(COUNT as u32, 0, &AtDispatch::enter(false))
            .expect("children");
        let oob = oob_of(&nbl, module);
        // Slots of an earlier use are not carried over.
        for what in [ChecksumInfo::udp(true, 54), ChecksumInfo::tcp(false, 99)] {
            let made = children.fill(&nbl, &oob, |mut child| {
                child.become_packets(what);
                Ok::<_, ()>(())
            });
            assert_eq!(made, Ok(()));
        }
        let made = children.fill(&nbl, &oob, |child| {
            make(child);
            Ok::<_, ()>(())
        });
        assert_eq!(made, Ok(()));
        let raw = children.attach_to(nbl, done).into_chain().into_raw();
        let mut slots = Vec::new();
        let mut next = raw;
        while !next.is_null() {
            // SAFETY: the children are owned here until they are taken back.
            unsafe {
                slots.push(slots_of(next));
                assert_eq!((*next).Status, 0);
                if slots.len() == COUNT {
                    (*next).Status = status;
                }
                next = (*next).Next;
            }
        }
        assert_eq!(slots.len(), COUNT);
        for slot in CARRIED {
            for child in &slots {
                assert_eq!(child[slot], 0x1000 + slot, "slot {slot}");
            }
        }
        // SAFETY: as above.
        let mut chain = unsafe { NblChain::from_raw(raw) };
        let run = ChildRun::pop(&mut chain, module).expect("children");
        assert!(chain.is_empty());
        assert_eq!(run.count() as usize, COUNT);
        let (completed, parent) = (run.status(), run.return_to_owner_cpu(&pool, None));
        parent.record_first_failure(completed);
        let parent = parent.count_off();
        let parent = parent.expect("the last child yields the parent");
        assert_eq!(parent.status().0, status);
        // SAFETY: the parent is owned here.
        let parent_slots = unsafe { slots_of(parent.into_raw().as_ptr()) };
        (slots, parent_slots)
    });
    assert_clean(&world.finish());
    slots
}

/// Two children that a processor with two idle ones takes one after the other, the second after the
/// first was completed by a caller that passes `at`.
fn taken_in_turn(at: Option<&AtDispatch>) -> [Vec<usize>; 2] {
    let world = World::new(Config::default());
    let taken = world.inside(|| {
        // SAFETY: the model's only module, as long as this runs.
        let module = unsafe { ModuleHandle::from_raw(world.module_handle()) };
        let pool = pool(module, 10_000, 64);
        let send = |count, at: Option<&AtDispatch>| {
            let mut parent = RawPacket::new(&[(0, &[0; 100])], 0, Backing::NonPagedPool);
            let oob = ChildOob {
                module,
                large_send: LargeSendInfo::default(),
                udp_send: UdpSendInfo::default(),
                encapsulation: EncapsulationInfo::default(),
            };
            let nbl = parent.nbl();
            let taken = pool.take(count, 0, &AtDispatch::enter(false));
            let mut children = taken.expect("children");
            let made = children.fill(&nbl, &oob, |_| Ok::<_, ()>(()));
            assert_eq!(made, Ok(()));
            let raw = children.attach_to(nbl, LargeSendInfo::default());
            let raw = raw.into_chain().into_raw();
            let mut addresses = Vec::new();
            let mut next = raw;
            while !next.is_null() {
                addresses.push(next.addr());
                // SAFETY: the children are owned here until they are taken back.
                next = unsafe { (*next).Next };
            }
            // SAFETY: as above.
            let mut chain = unsafe { NblChain::from_raw(raw) };
            let run = ChildRun::pop(&mut chain, module).expect("children");
            let parent = run.return_to_owner_cpu(&pool, at).count_off();
            let _ = parent.expect("the last child yields the parent").into_raw();
            addresses
        };
        send(2, AtDispatch::if_already(true).as_ref());
        [send(1, at), send(1, at)]
    });
    assert_clean(&world.finish());
    taken
}

#[test]
fn children_completed_on_their_owner_cpu_are_used_next() {
    let at = AtDispatch::if_already(true);
    let [first, second] = taken_in_turn(at.as_ref());
    assert_eq!(second, first);
    // One that another caller completes waits until there are no others.
    let [first, second] = taken_in_turn(None);
    assert_ne!(second, first);
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

/// A large send is what it inherits.
fn large_send(_: ChildNbl<'_>) {}

#[test]
fn large_children_of_a_udp_send_are_such_and_the_parents_slots_stay() {
    for status in [0, sys::NDIS_STATUS_RESOURCES] {
        let slots = [(USO, uso().to_raw()), (CHECKSUM, 5)];
        let (children, parent) =
            with_children(&slots, large_send, LargeSendInfo::default(), status);
        for child in children {
            assert_eq!(child[USO], uso().to_raw());
            assert_eq!((child[LSO], child[CHECKSUM]), (0, 5));
        }
        assert_eq!(parent[USO], uso().to_raw(), "as it was sent");
        assert_eq!((parent[LSO], parent[CHECKSUM]), (0, 5));
    }
}

#[test]
fn a_receives_leftover_slot_makes_no_udp_send() {
    let coalesced = 17;
    let done = lso().transmit_complete(0);
    let slots = [(USO, coalesced), (LSO, lso().to_raw())];
    let (children, parent) = with_children(&slots, large_send, done, 0);
    for child in children {
        assert_eq!((child[LSO], child[USO]), (lso().to_raw(), 0));
    }
    assert_eq!((parent[LSO], parent[USO]), (done.to_raw(), coalesced));
}

#[test]
fn large_children_of_a_tunnelled_send_have_the_offsets_of_their_headers() {
    let slots = [(SUPPLEMENTAL, tunnel().to_raw()), (LSO, lso().to_raw())];
    let (children, _) = with_children(&slots, large_send, lso().transmit_complete(0), 0);
    for child in children {
        assert_eq!(child[SUPPLEMENTAL], tunnel().to_raw());
    }
}

#[test]
fn packets_of_any_large_send_are_none_and_ask_for_their_checksum() {
    for slot in [(LSO, lso().to_raw()), (USO, uso().to_raw())] {
        for checksum in [ChecksumInfo::default(), ChecksumInfo::tcp(false, 34)] {
            let slots = [slot, (CHECKSUM, 0x15), (SUPPLEMENTAL, tunnel().to_raw())];
            let packet = |mut child: ChildNbl<'_>| child.become_packets(checksum);
            let (children, parent) = with_children(&slots, packet, LargeSendInfo::default(), 0);
            for child in children {
                assert_eq!((child[LSO], child[USO], child[SUPPLEMENTAL]), (0, 0, 0));
                assert_eq!(child[CHECKSUM], checksum.to_raw());
            }
            assert_eq!(parent[CHECKSUM], 0x15, "the parent's own");
            assert_eq!(parent[SUPPLEMENTAL], tunnel().to_raw());
        }
    }
}

#[test]
fn the_parent_has_its_completion_info() {
    let v1 = LargeSendInfo::v1(1448, 54);
    let slots = [(LSO, v1.to_raw())];
    for status in [0, sys::NDIS_STATUS_RESOURCES] {
        let (_, parent) = with_children(&slots, large_send, v1.transmit_complete(4344), status);
        assert_eq!(parent[LSO], v1.transmit_complete(4344).to_raw());
    }
}

/// The out-of-band data of a child, as its parent has it.
fn oob_of(nbl: &Nbl, module: ModuleHandle) -> ChildOob {
    ChildOob {
        module,
        large_send: nbl.large_send(),
        udp_send: nbl.udp_send(),
        encapsulation: nbl.encapsulation(),
    }
}

#[test]
fn a_window_above_a_childs_capacity_is_refused() {
    let world: Arc<World> = World::new(Config::default());
    world.inside(|| {
        // SAFETY: the model's only module, as long as this runs.
        let module = unsafe { ModuleHandle::from_raw(world.module_handle()) };
        let pool = pool(module, 5_000, 2);
        let bytes = [0; 9_000];
        let buffers = [
            (1, &bytes[..100]),
            (2, &bytes[100..200]),
            (3, &bytes[200..]),
        ];
        let mut parent = RawPacket::new(&buffers, 0, Backing::NonPagedPool);
        let nbl = parent.nbl();
        let packet = nbl.first_net_buffer().expect("a packet");
        let oob = oob_of(&nbl, module);
        let source = MdlSource::new(&pool, None);
        for (length, fits) in [(5_001, false), (5_000, true), (100, true), (0, true)] {
            let mut children = pool.take(1, 0, &AtDispatch::enter(false)).expect("a child");
            let made = children.fill(&nbl, &oob, |mut child| {
                let mut payload = packet.payload(0)?;
                let packet = child.next_packet().ok_or(BufferError::NoMemory)?;
                packet.set_payload(54, &mut payload, length, false, &source)
            });
            assert_eq!(made.is_ok(), fits, "{length} bytes");
            // It is returned with its copy, which is freed on the way.
            pool.recycle(children);
        }
    });
    assert_clean(&world.finish());
}

/// The MDLs of a child with 100 bytes of payload in buffers of one byte, for a NIC with that maximum.
fn mdls_of_a_child(max_sg_elements: u32) -> usize {
    let world: Arc<World> = World::new(Config::default());
    let count = world.inside(|| {
        // SAFETY: the model's only module, as long as this runs.
        let module = unsafe { ModuleHandle::from_raw(world.module_handle()) };
        let pool = pool(module, 10_000, max_sg_elements);
        let mut parent = RawPacket::new(&[(0, &[0; 1][..]); 101], 0, Backing::NonPagedPool);
        let nbl = parent.nbl();
        let packet = nbl.first_net_buffer().expect("a packet");
        let oob = oob_of(&nbl, module);
        let source = MdlSource::new(&pool, None);
        let mut children = pool.take(1, 0, &AtDispatch::enter(false)).expect("a child");
        let made = children.fill(&nbl, &oob, |mut child| {
            let mut payload = packet.payload(0)?;
            let packet = child.next_packet().ok_or(BufferError::NoMemory)?;
            packet.set_payload(54, &mut payload, 100, false, &source)
        });
        assert_eq!(made, Ok(()));
        let chain = children.attach_to(nbl, LargeSendInfo::default());
        let raw = chain.into_chain().into_raw();
        let mut count = 0;
        // SAFETY: the child is owned here until it is taken back.
        let mut chain = unsafe {
            let mut mdl = (*(*raw).FirstNetBuffer).CurrentMdl;
            while !mdl.is_null() {
                (mdl, count) = ((*mdl).Next, count + 1);
            }
            NblChain::from_raw(raw)
        };
        let run = ChildRun::pop(&mut chain, module).expect("a child");
        let parent = run.return_to_owner_cpu(&pool, None).count_off();
        let _ = parent.expect("the last child yields the parent").into_raw();
        count
    });
    assert_clean(&world.finish());
    count
}

#[test]
fn a_child_has_no_more_mdls_than_the_nearest_maximum_in_range() {
    for (max, mdls) in [(0, 2), (2, 2), (40, 40), (64, 64), (101, 64)] {
        assert_eq!(mdls_of_a_child(max), mdls, "{max}");
    }
}
