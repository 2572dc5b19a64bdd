//! The MTU that NDIS reports at a restart.
#![expect(unsafe_code, reason = "restart parameters are C structures")]

use std::{mem::offset_of, ptr, ptr::NonNull};

use lso::Refusal;
use model::{Config, Nic};
use ndis::{RestartParameters, sys};
use scenarios::{
    Machine,
    adapter::read,
    packets::{large, large_v4},
};
use testpkt::synth::Synth;

/// One attribute as NDIS lays it out: the structure, its data from `Data` on.
#[repr(C, align(16))]
struct Attribute {
    next: *mut Self,
    oid: u32,
    data_length: u32,
    general: sys::NDIS_RESTART_GENERAL_ATTRIBUTES,
}

const _: () = assert!(
    offset_of!(Attribute, general) == offset_of!(sys::NDIS_RESTART_ATTRIBUTES, Data)
        && offset_of!(Attribute, data_length)
            == offset_of!(sys::NDIS_RESTART_ATTRIBUTES, DataLength)
);

fn attribute(oid: u32, mtu: u32) -> Attribute {
    // SAFETY: numbers and pointers may all be zero.
    let mut general: sys::NDIS_RESTART_GENERAL_ATTRIBUTES = unsafe { std::mem::zeroed() };
    general.Header = sys::NDIS_OBJECT_HEADER {
        Type: sys::NDIS_OBJECT_TYPE_RESTART_GENERAL_ATTRIBUTES,
        Revision: sys::NDIS_RESTART_GENERAL_ATTRIBUTES_REVISION_2,
        Size: sys::NDIS_SIZEOF_RESTART_GENERAL_ATTRIBUTES_REVISION_2,
    };
    general.MtuSize = mtu;
    Attribute {
        next: ptr::null_mut(),
        oid,
        data_length: size_of_val(&general) as u32,
        general,
    }
}

fn general(mtu: u32) -> Attribute {
    attribute(sys::OID_GEN_MINIPORT_RESTART_ATTRIBUTES, mtu)
}

/// The MTU read from these attributes, in a list in their order.
fn mtu_of(attributes: &mut [Attribute]) -> Option<u32> {
    mtu_with(attributes, |_| ())
}

fn mtu_with(
    attributes: &mut [Attribute],
    change: impl FnOnce(&mut sys::NDIS_FILTER_RESTART_PARAMETERS),
) -> Option<u32> {
    let mut next = ptr::null_mut();
    for attribute in attributes.iter_mut().rev() {
        attribute.next = next;
        next = attribute;
    }
    // SAFETY: numbers and pointers may all be zero.
    let mut parameters: sys::NDIS_FILTER_RESTART_PARAMETERS = unsafe { std::mem::zeroed() };
    parameters.Header = sys::NDIS_OBJECT_HEADER {
        Type: sys::NDIS_OBJECT_TYPE_FILTER_RESTART_PARAMETERS,
        Revision: sys::NDIS_FILTER_RESTART_PARAMETERS_REVISION_1,
        Size: sys::NDIS_SIZEOF__FILTER_RESTART_PARAMETERS_REVISION_1,
    };
    parameters.RestartAttributes = next.cast();
    change(&mut parameters);
    // SAFETY: the parameters and their list live as long as the value made here.
    unsafe { RestartParameters::from_raw(NonNull::from(&mut parameters)) }.mtu()
}

#[test]
fn the_mtu_is_found_wherever_it_is_in_the_list() {
    let other = || attribute(sys::OID_GEN_LINK_SPEED, 7);
    assert_eq!(mtu_of(&mut [general(1500)]), Some(1500));
    assert_eq!(mtu_of(&mut [other(), other(), general(9014)]), Some(9014));
    assert_eq!(mtu_of(&mut [general(u32::MAX), other()]), Some(u32::MAX));
}

#[test]
fn an_mtu_that_is_absent_or_malformed_is_none() {
    assert_eq!(mtu_of(&mut []), None);
    assert_eq!(
        mtu_of(&mut [attribute(sys::OID_GEN_LINK_SPEED, 1500)]),
        None
    );
    assert_eq!(mtu_of(&mut [general(0)]), None);
    let changed = |change: fn(&mut Attribute)| {
        let mut one = [general(1500)];
        change(&mut one[0]);
        mtu_of(&mut one)
    };
    assert_eq!(changed(|one| one.data_length = 7), None);
    assert_eq!(changed(|one| one.data_length = 8), Some(1500));
    assert_eq!(changed(|one| one.general.Header.Type = 0), None);
    assert_eq!(changed(|one| one.general.Header.Size = 7), None);
    let in_parameters = |change: fn(&mut sys::NDIS_FILTER_RESTART_PARAMETERS)| {
        mtu_with(&mut [general(1500)], change)
    };
    assert_eq!(in_parameters(|_| ()), Some(1500));
    assert_eq!(in_parameters(|all| all.Header.Type = 0), None);
    assert_eq!(in_parameters(|all| all.Header.Size = 23), None);
}

#[test]
fn a_list_that_never_ends_is_given_up() {
    let mut ring = attribute(sys::OID_GEN_LINK_SPEED, 0);
    let place = &raw mut ring;
    // SAFETY: the attribute lives until the end of the test.
    let found = unsafe {
        (*place).next = place;
        mtu_with(&mut [], |all| all.RestartAttributes = place.cast())
    };
    assert_eq!(found, None);
}

#[test]
fn the_module_restarts_with_or_without_an_mtu() {
    for mtu in [None, Some(0), Some(1500), Some(9014)] {
        let machine = Machine::start(Config {
            mtu,
            ..Config::default()
        });
        machine.assert_split(large_v4(200_000));
        machine.world.pause();
        machine.world.restart().expect("a restart");
        machine.assert_split(large_v4(200_000));
        machine.stop_clean();
    }
}

/// Whether a large send with this MSS is refused for the MTU, on a NIC that cuts none.
fn refused_for_mtu(machine: &Machine, mss: u32) -> bool {
    let before = machine.statistics().refused_for(Refusal::SegmentAboveMtu);
    machine.send_one(large(&Synth::v4(20_000, mss)));
    machine.statistics().refused_for(Refusal::SegmentAboveMtu) > before
}

#[test]
fn an_mtu_that_the_miniport_changes_holds_at_once() {
    let machine = Machine::with_nic(Nic::default().without_lso());
    let changes = |bytes: &[u8]| {
        let code = sys::NDIS_STATUS_L2_MTU_SIZE_CHANGE;
        machine.world.indicate(code, bytes.to_vec());
        read(&machine.world).mtu
    };
    assert!(refused_for_mtu(&machine, 1449));
    assert_eq!(changes(&9000_u32.to_le_bytes()), 9000);
    assert!(!refused_for_mtu(&machine, 8948));
    assert!(refused_for_mtu(&machine, 8949));
    assert_eq!(changes(&1500_u32.to_le_bytes()), 1500);
    assert!(refused_for_mtu(&machine, 1449));
    // Attributes that cannot be parsed leave the MTU unknown.
    assert_eq!(changes(&[1, 2, 3]), 0);
    assert!(!refused_for_mtu(&machine, 8949));
    machine.stop_clean();
}

/// NDIS reports it at the first restart, and then if it has changed.
#[test]
fn the_mtu_is_kept_at_a_restart_without_one() {
    let machine = Machine::with_nic(Nic::default().without_lso());
    for _ in 0..3 {
        assert_eq!(read(&machine.world).mtu, 1500);
        assert!(refused_for_mtu(&machine, 1449));
        machine.world.pause();
        machine.world.restart().expect("a restart");
    }
    machine.stop_clean();
}

#[test]
fn the_module_accepts_another_mtu_at_restart() {
    let machine = Machine::start(Config::default());
    let flags = sys::NDIS_FILTER_DRIVER_SUPPORTS_L2_MTU_SIZE_CHANGE;
    assert_eq!(machine.world.driver_flags(), Some(flags));
    machine.stop_clean();
}
