//! Guests on hosts: the sizes advertised to a guest, and the requirement that a send of any size
//! ever advertised to it passes wherever it is.

use control::Profile;
use model::LargeSendLimits;
use model::{
    Completion, Config, Nic, Order, Packet,
    host::{Delivery, Guest, Host, Mac, migrate},
};
use scenarios::{
    Machine,
    adapter::{assert_last_indication, profile, raised, set, times},
    assert_clean,
    packets::{MSS, large, one_stage},
};
use testpkt::synth::Synth;

const ONE: Mac = [2, 0, 0, 0, 0, 0x11];
const OTHER: Mac = [2, 0, 0, 0, 0, 0x22];
const FAR: Mac = [2, 0, 0, 0, 0, 0x99];

/// A machine that raises `multiple` times over a NIC of `max`, and the host on it.
fn host(name: &str, max: u32, multiple: u32) -> (Machine, Host) {
    let machine = Machine::start(Config {
        parameters: vec![("Multiple".into(), multiple)],
        ..Config::with_nic(Nic::new(max, 2))
    });
    let host = Host::new(name, machine.world.clone());
    (machine, host)
}

/// The largest payload that is advertised.
fn most(limits: LargeSendLimits, v6: bool) -> u32 {
    if v6 {
        limits.v2_ipv6.max_payload
    } else {
        limits.v2_ipv4.max_payload
    }
}

/// A transfer to `to`: packets of a flow, one after the other.
struct Transfer {
    to: Mac,
    v6: bool,
    seq: u32,
    ip_id: u16,
}

impl Transfer {
    fn new(to: Mac, v6: bool) -> Self {
        Self {
            to,
            v6,
            seq: 0xFFFF_0000,
            ip_id: 1,
        }
    }

    /// The next packet, with `payload` bytes.
    fn next(&mut self, payload: u32) -> Packet {
        let synth = if self.v6 {
            Synth::v6(payload, MSS)
        } else {
            Synth::v4(payload, MSS).ip_id(self.ip_id)
        };
        let mut packet = large(&synth.seq(self.seq));
        packet.frame[..6].copy_from_slice(&self.to);
        self.seq = self.seq.wrapping_add(payload);
        self.ip_id = self.ip_id.wrapping_add(payload.div_ceil(MSS) as u16);
        packet
    }

    /// Sends the next packet through `host`, as large as `size` computes from the guest's
    /// indicator. The wire must match one stage's result. Returns its payload.
    #[track_caller]
    fn send(
        &mut self,
        guest: &Guest,
        host: &Host,
        size: impl FnOnce(LargeSendLimits) -> u32,
    ) -> u32 {
        let world = host.world();
        let _ = (world.take_wire(), world.take_children());
        let payload = size(guest.indicator());
        let packet = self.next(payload);
        let expected = one_stage(&packet, world.nic().id_bits);
        let Delivery::Down(number) = guest.send(host, |_| packet) else {
            panic!("it leaves the host");
        };
        while world.deliver() > 0 {}
        assert_eq!(world.completed(number).map(|done| done.status), Some(0));
        assert!(world.take_wire() == expected, "the wire differs");
        payload
    }
}

#[test]
fn two_guests_on_one_host_talk_unsplit() {
    let (machine, host) = host("host", 62_780, 16);
    let one = host.add_guest("one", ONE);
    let other = host.add_guest("other", OTHER);
    for v6 in [false, true] {
        let packet = Transfer::new(OTHER, v6).next(most(one.indicator(), v6));
        let frame = packet.frame.clone();
        let delivery = one.send(&host, |_| packet);
        assert_eq!(delivery, Delivery::Whole("other".into()));
        let received = other.take_received();
        assert_eq!(received.len(), 1);
        assert!(received[0].frame == frame, "whole");
    }
    assert_eq!(machine.statistics().sends, 0, "the filter never saw it");
    let mut outward = Transfer::new(FAR, false);
    assert_eq!(outward.send(&one, &host, |now| most(now, false)), 1_004_480);
    assert_eq!(machine.statistics().split, 1);
    machine.stop_clean();
}

#[test]
fn a_guest_follows_every_retune() {
    let (machine, host) = host("host", 60_000, 8);
    let guest = host.add_guest("one", ONE);
    let mut transfers = [false, true].map(|v6| Transfer::new(FAR, v6));
    for tuning in [times(16), times(2), profile(Profile::Off), times(5)] {
        set(&machine.world, tuning).expect("a tuning");
        let expected = raised(host.nic_limits(), tuning.multiple(), None);
        assert_eq!(guest.indicator(), expected);
        assert_eq!(host.filter_advertises(), expected);
        for transfer in &mut transfers {
            let v6 = transfer.v6;
            transfer.send(&guest, &host, |now| most(now, v6));
            transfer.send(&guest, &host, |_| 16 * 60_000);
        }
    }
    let sizes: Vec<_> = guest
        .advertised()
        .iter()
        .map(|limits| most(*limits, false))
        .collect();
    assert_eq!(sizes, [480_000, 960_000, 120_000, 60_000, 300_000]);
    machine.stop_clean();
}

#[test]
fn a_guest_follows_its_hosts_nic() {
    let (machine, host) = host("host", 60_000, 4);
    let guest = host.add_guest("one", ONE);
    let mut transfer = Transfer::new(FAR, false);
    for max in [20_000, 90_000, 7_000, 60_000] {
        machine
            .world
            .nic_changes(|nic| nic.limits = Nic::new(max, 2).limits);
        assert_eq!(most(guest.indicator(), false), 4 * max);
        transfer.send(&guest, &host, |now| most(now, false));
        transfer.send(&guest, &host, |_| 240_000);
        assert_last_indication(&machine.world);
    }
    machine.world.nic_changes(|nic| nic.enabled.v2_ipv4 = false);
    assert_eq!(most(guest.indicator(), false), 0);
    assert_eq!(most(guest.indicator(), true), 240_000);
    let mut other = Transfer::new(FAR, true);
    other.send(&guest, &host, |now| most(now, true));
    machine.stop_clean();
}

#[test]
fn a_guest_with_a_transfer_under_way_migrates_to_a_host_with_another_nic() {
    let (here, from) = host("here", 62_780, 16);
    let (there, to) = host("there", 9 * MSS, 3);
    let guest = from.add_guest("one", ONE);
    let stays = from.add_guest("stays", OTHER);
    let mut transfers = [false, true].map(|v6| Transfer::new(FAR, v6));
    for transfer in &mut transfers {
        let v6 = transfer.v6;
        for _ in 0..3 {
            transfer.send(&guest, &from, |now| most(now, v6));
        }
    }
    migrate(&guest, &from, &to);
    let small = raised(Nic::new(9 * MSS, 2).limits, 3, None);
    assert_eq!(guest.indicator(), small);
    assert_eq!(
        most(stays.indicator(), false),
        1_004_480,
        "no other guest moved"
    );
    assert_eq!(from.guests().len(), 1);
    for transfer in &mut transfers {
        let v6 = transfer.v6;
        // Sends queued before the move, and one made after it.
        transfer.send(&guest, &to, |_| 1_004_480);
        transfer.send(&guest, &to, |now| most(now, v6));
        transfer.send(&guest, &to, |_| 62_780);
    }
    assert!(there.statistics().children > 2 * 1_004_480 / (9 * 1448));
    // Retuned there, and back again.
    set(&there.world, times(10)).expect("a tuning");
    assert_eq!(most(guest.indicator(), false), 90 * MSS);
    migrate(&guest, &to, &from);
    assert_eq!(most(guest.indicator(), false), 1_004_480);
    for transfer in &mut transfers {
        let v6 = transfer.v6;
        transfer.send(&guest, &from, |_| 90 * MSS);
        transfer.send(&guest, &from, |now| most(now, v6));
    }
    here.stop_clean();
    there.stop_clean();
}

#[test]
fn sends_that_are_on_the_old_host_when_the_guest_leaves_are_completed_there() {
    let (here, from) = host("here", 30_000, 8);
    here.world.set_nic(|nic| {
        nic.completion = Completion {
            deferred: true,
            order: Order::Reversed,
            ..Completion::default()
        };
    });
    let (there, to) = host("there", 62_780, 2);
    let guest = from.add_guest("one", ONE);
    let mut transfer = Transfer::new(FAR, false);
    let packets: Vec<_> = (0..3).map(|_| transfer.next(240_000)).collect();
    let expected: Vec<_> = packets
        .iter()
        .flat_map(|packet| one_stage(packet, 16))
        .collect();
    let left: Vec<_> = packets
        .into_iter()
        .map(|packet| match guest.send(&from, |_| packet) {
            Delivery::Down(number) => number,
            Delivery::Whole(name) => panic!("it went to {name}"),
        })
        .collect();
    migrate(&guest, &from, &to);
    transfer.send(&guest, &to, |_| 240_000);
    assert!(
        left.iter()
            .all(|number| here.world.completed(*number).is_none())
    );
    here.world.pause();
    assert!(left.iter().all(|number| here.status(*number) == 0));
    assert!(here.world.take_wire() == expected, "the wire differs");
    here.stop_clean();
    there.stop_clean();
}

#[test]
fn a_guest_from_a_host_without_the_filter_learns_of_it_and_the_other_way_round() {
    let bare = Machine::without_driver(Config::with_nic(Nic::new(62_780, 2)));
    let plain = Host::new("plain", bare.world.clone());
    let (machine, filtered) = host("filtered", 10_000, 16);
    let guest = plain.add_guest("one", ONE);
    let mut transfer = Transfer::new(FAR, false);
    assert_eq!(
        transfer.send(&guest, &plain, |now| most(now, false)),
        62_780
    );
    migrate(&guest, &plain, &filtered);
    transfer.send(&guest, &filtered, |_| 62_780);
    let now = transfer.send(&guest, &filtered, |now| most(now, false));
    assert_eq!(now, 160_000);
    migrate(&guest, &filtered, &plain);
    assert_eq!(
        transfer.send(&guest, &plain, |now| most(now, false)),
        62_780
    );
    machine.stop_clean();
    assert_clean(&bare.world.finish());
}

#[test]
fn before_a_detach_guests_get_the_nics_own_size_and_old_sizes_pass_until_then() {
    let (machine, host) = host("host", 62_780, 16);
    let guest = host.add_guest("one", ONE);
    let mut transfers = [false, true].map(|v6| Transfer::new(FAR, v6));
    for _ in 0..3 {
        assert_eq!(most(guest.indicator(), false), 1_004_480);
        machine.world.pre_detach();
        assert_eq!(guest.indicator(), host.nic_limits());
        for transfer in &mut transfers {
            let v6 = transfer.v6;
            transfer.send(&guest, &host, |_| 1_004_480);
            transfer.send(&guest, &host, |now| most(now, v6));
        }
        machine.world.pause();
        machine.world.detach();
        assert_eq!(guest.indicator(), host.nic_limits());
        for transfer in &mut transfers {
            let v6 = transfer.v6;
            transfer.send(&guest, &host, |now| most(now, v6));
        }
        machine.world.attach().expect("an attach");
        assert_eq!(guest.indicator(), raised(host.nic_limits(), 16, None));
        machine.world.restart().expect("a restart");
        for transfer in &mut transfers {
            let v6 = transfer.v6;
            transfer.send(&guest, &host, |now| most(now, v6));
        }
        assert_last_indication(&machine.world);
    }
    machine.stop_clean();
}
