//! Rules 39 to 42, and 9, 17, 18 and 32: children that are packets of the wire.

use std::sync::Arc;

use model::{Config, Nic, Packet, Rule, SendCall, Tamper, Violation, World};
use ndis::sys;
use scenarios::{
    packets::{MSS, large, large_v4, large_v6, tunnelled, uso},
    tampering::nbls,
};
use testpkt::synth::{Synth, Tunnel};

use crate::{
    Nbl, Run, assert_breaks, header, packet,
    packets::reversed,
    set_slot,
    software::{
        cut::{OFFLOADED, WHOLE},
        start,
    },
};

const PAYLOAD: u32 = 5 * MSS + 100;

/// A NIC without large sends.
fn plain_nic() -> Nic {
    Nic::default().without_lso().without_uso()
}

pub(crate) fn config(nic: Nic) -> Config {
    Config::with_nic(nic)
}

fn udp(payload: u32) -> Packet {
    uso(&Synth::udp_v4(payload, 1400))
}

fn in_vxlan() -> Packet {
    let tunnel = Tunnel {
        udp_checksum: true,
        ..Tunnel::vxlan_v4()
    };
    tunnelled(&Synth::v4(PAYLOAD, 1398), &tunnel)
}

pub(crate) fn pass(world: &Arc<World>, packets: Vec<Packet>) -> Vec<u64> {
    world.send(packets, SendCall::default())
}

/// `rule` is broken by `change` to the children of `sent`.
#[track_caller]
pub(crate) fn assert_change_breaks<const CUT: u8>(
    nic: &Nic,
    rule: Rule,
    subject: &str,
    sent: &Packet,
    change: impl Fn(&[Nbl]) + Clone + Send + 'static,
) {
    assert_chain_breaks::<CUT>(nic, rule, subject, sent, move |chain| {
        change(&nbls(chain));
        chain
    });
}

/// The same with a change to the chain.
#[track_caller]
pub(crate) fn assert_chain_breaks<const CUT: u8>(
    nic: &Nic,
    rule: Rule,
    subject: &str,
    sent: &Packet,
    change: impl Fn(Nbl) -> Nbl + Clone + Send + 'static,
) {
    assert_breaks(rule, subject, |run| {
        let world = start::<CUT>(config(nic.clone()));
        if run == Run::Wrong {
            let change = change.clone();
            world.tamper(move |tamper| {
                if let Tamper::Send(chain) = tamper {
                    *chain = change(*chain);
                }
            });
        }
        pass(&world, vec![sent.clone()]);
        world.stop()
    });
}

/// Changes bits of a byte of the second child's frame.
fn flipped(at: usize, bits: u8) -> impl Fn(&[Nbl]) + Clone + Send + 'static {
    // SAFETY: the children are on their way down, their frames longer than that.
    move |nbls| unsafe { *header(nbls[1]).add(at) ^= bits }
}

#[track_caller]
fn assert_whole_breaks(
    rule: Rule,
    sent: &Packet,
    change: impl Fn(&[Nbl]) + Clone + Send + 'static,
) {
    assert_change_breaks::<WHOLE>(&plain_nic(), rule, "child NBL", sent, change);
}

#[test]
fn lengths_are_the_true_ones() {
    assert_whole_breaks(Rule::PacketLength, &large_v4(PAYLOAD), flipped(17, 1));
    assert_whole_breaks(Rule::PacketLength, &large_v6(PAYLOAD), flipped(19, 1));
    // IPv4's and UDP's own.
    assert_whole_breaks(Rule::PacketLength, &udp(5000), flipped(17, 1));
    assert_whole_breaks(Rule::PacketLength, &udp(5000), flipped(39, 1));
    // Outer IPv4, outer UDP, and inner IPv4.
    for at in [17, 39, 50 + 17] {
        assert_whole_breaks(Rule::PacketLength, &in_vxlan(), flipped(at, 1));
    }
}

#[test]
fn a_packet_carries_no_more_than_a_segment() {
    // The NIC's MSS is the one that the overlying driver requested, so the second child has too
    // much.
    let sent = large_v4(PAYLOAD);
    assert_whole_breaks(Rule::PacketLength, &sent, |nbls| {
        // SAFETY: the children are on their way down, each with one MDL.
        unsafe {
            let (this, next) = (packet(nbls[1]), packet(nbls[2]));
            (*(*this).MdlChain).Next = (*next).MdlChain;
            (*this).DataLength += MSS;
        }
    });
}

#[test]
fn an_ip_header_has_its_checksum() {
    for (sent, at) in [
        (large_v4(PAYLOAD), 25),
        (udp(5000), 25),
        (in_vxlan(), 50 + 25),
    ] {
        assert_whole_breaks(Rule::PacketChecksum, &sent, flipped(at, 1));
    }
}

#[test]
fn every_checksum_on_the_wire_is_right() {
    for (sent, at) in [
        (large_v4(PAYLOAD), 50),
        (large_v6(PAYLOAD), 70),
        (udp(5000), 40),
        (in_vxlan(), 40),
        (in_vxlan(), 50 + 50),
    ] {
        assert_whole_breaks(Rule::PacketChecksum, &sent, flipped(at, 1));
        let (rule, change) = (Rule::Wire, flipped(at, 1));
        assert_change_breaks::<WHOLE>(&plain_nic(), rule, "large send 0", &sent, change);
    }
    let nic = plain_nic();
    for (sent, at) in [(large_v4(PAYLOAD), 50), (udp(5000), 40)] {
        let (rule, change) = (Rule::PacketChecksum, flipped(at, 1));
        assert_change_breaks::<OFFLOADED>(&nic, rule, "child NBL", &sent, change);
    }
}

#[test]
fn a_wrong_seed_of_the_overlying_driver_is_not_the_filters_fault() {
    let mut sent = large_v4(PAYLOAD);
    sent.frame[50] ^= 1;
    for start in [start::<WHOLE>, start::<OFFLOADED>] {
        let world = start(config(plain_nic()));
        pass(&world, vec![sent.clone()]);
        scenarios::assert_clean(&world.stop());
    }
}

/// Rule 41 for `sent`, on a NIC without the capabilities that `lacks` removes.
#[track_caller]
fn assert_not_offered(sent: &Packet, lacks: fn(&mut Nic)) {
    assert_breaks(Rule::ChecksumOffload, "child NBL", |run| {
        let mut nic = plain_nic();
        if run == Run::Wrong {
            lacks(&mut nic);
        }
        let world = start::<OFFLOADED>(config(nic));
        pass(&world, vec![sent.clone()]);
        world.stop()
    });
}

#[test]
fn a_checksum_is_left_to_a_nic_that_computes_it() {
    let plain = Synth::v6(PAYLOAD, 1440).tcp_options(&[]);
    let padding = [0, 0, 1, 4, 0, 0, 0, 0];
    let extended = Synth::v6(PAYLOAD, 1432)
        .tcp_options(&[])
        .extension(60, &padding);
    let optional = Synth::v4(PAYLOAD, 1400).ip_options(&[1, 1, 1, 1]);
    assert_not_offered(&large_v4(PAYLOAD), |nic| nic.checksum.ipv4.tcp = false);
    assert_not_offered(&large_v4(PAYLOAD), |nic| nic.enabled.tcp_ipv4 = false);
    assert_not_offered(&large_v4(PAYLOAD), |nic| {
        nic.checksum.ipv4.tcp_options = false
    });
    assert_not_offered(&large(&optional), |nic| {
        nic.checksum.ipv4.ip_options = false
    });
    assert_not_offered(&large(&plain), |nic| nic.checksum.ipv6.tcp = false);
    assert_not_offered(&large(&extended), |nic| {
        nic.checksum.ipv6.ip_options = false
    });
    assert_not_offered(&udp(5000), |nic| nic.checksum.ipv4.udp = false);
    assert_not_offered(&uso(&Synth::udp_v6(5000, 1400)), |nic| {
        nic.enabled.udp_ipv6 = false
    });
}

#[test]
fn a_packet_is_within_the_mtu() {
    let longer = |nbls: &[Nbl]| {
        // SAFETY: the children are on their way down, each with one MDL.
        unsafe {
            let (this, next) = (packet(nbls[1]), packet(nbls[2]));
            (*(*this).MdlChain).Next = (*next).MdlChain;
            (*this).DataLength += 1;
        }
    };
    assert_whole_breaks(Rule::Mtu, &large_v4(PAYLOAD), longer);
    // The MSS that the overlying driver requested makes no difference.
    let world = start::<WHOLE>(config(plain_nic()));
    pass(&world, vec![large(&Synth::v4(PAYLOAD, 2000))]);
    let broken = world.stop();
    let is_mtu = |one: &Violation| one.rule == Rule::Mtu;
    assert!(
        !broken.is_empty() && broken.iter().all(is_mtu),
        "{broken:?}"
    );
}

#[test]
fn a_segment_in_the_middle_is_full() {
    for sent in [large_v4(PAYLOAD), udp(5000), in_vxlan()] {
        assert_whole_breaks(Rule::MssMultiple, &sent, |nbls| {
            // SAFETY: the children are on their way down.
            unsafe { (*packet(nbls[1])).DataLength -= 1 };
        });
    }
}

#[test]
fn slots_of_a_packet_are_those_of_a_packet() {
    const LSO: usize = sys::TcpLargeSendNetBufferListInfo;
    const USO: usize = sys::UdpSegmentationOffloadInfo;
    const TUNNEL: usize = sys::TcpSendOffloadsSupplementalNetBufferListInfo;
    const CHECKSUM: usize = sys::TcpIpChecksumNetBufferListInfo;
    let slot = |slot: usize, value: usize| move |nbls: &[Nbl]| set_slot(nbls[1], slot, |_| value);
    // A value that is no large send, and not 0 either.
    assert_whole_breaks(Rule::OutOfBand, &large_v4(PAYLOAD), slot(LSO, 1 << 30));
    assert_whole_breaks(Rule::OutOfBand, &udp(5000), slot(USO, 1 << 31));
    assert_whole_breaks(Rule::OutOfBand, &in_vxlan(), slot(TUNNEL, 1));
    assert_whole_breaks(
        Rule::OutOfBand,
        &in_vxlan(),
        slot(CHECKSUM, 34 << 16 | 0x15),
    );
    // IpHeaderChecksum too, TCP as UDP, and another offset.
    for value in [34 << 16 | 0x15, 34 << 16 | 0x09, 35 << 16 | 0x05] {
        let change = slot(CHECKSUM, value);
        assert_whole_breaks(Rule::OutOfBand, &large_v4(PAYLOAD), change);
    }
    // A datagram without a checksum has none to be computed.
    let without = uso(&Synth::udp_v4(5000, 1400).udp_checksum(false));
    assert_whole_breaks(Rule::OutOfBand, &without, slot(CHECKSUM, 34 << 16 | 0x09));
    let tagged = large_v4(PAYLOAD).with_slot(sys::Ieee8021QNetBufferListInfo, 0x70);
    let change = slot(sys::Ieee8021QNetBufferListInfo, 0);
    assert_whole_breaks(Rule::OutOfBand, &tagged, change);
}

#[test]
fn a_stale_slot_of_a_large_send_makes_a_large_send_that_no_nic_takes() {
    for (sent, slot) in [
        (large_v4(PAYLOAD), sys::TcpLargeSendNetBufferListInfo),
        (udp(5000), sys::UdpSegmentationOffloadInfo),
    ] {
        let value = sent.slot(slot);
        assert_whole_breaks(Rule::Limit, &sent, move |nbls| {
            set_slot(nbls[1], slot, |_| value);
        });
    }
}

#[test]
fn a_single_segment_is_no_large_send_of_the_filters() {
    let sent = large_v4(PAYLOAD);
    let value = sent.slot(sys::TcpLargeSendNetBufferListInfo);
    // This NIC would take it.
    let nic = Nic::new(60_000, 1);
    assert_change_breaks::<WHOLE>(&nic, Rule::Limit, "child NBL", &sent, move |nbls| {
        set_slot(nbls[1], sys::TcpLargeSendNetBufferListInfo, |_| value);
    });
}

#[test]
fn packets_without_end_in_an_nbl_are_noticed() {
    assert_whole_breaks(Rule::OneNetBuffer, &udp(5000), |nbls| {
        // SAFETY: the children are on their way down; the model stops at the 64th.
        unsafe { (*packet(nbls[0])).Next = packet(nbls[0]) };
    });
}

#[test]
fn packets_keep_their_order() {
    for sent in [large_v4(PAYLOAD), udp(5000), in_vxlan()] {
        let nic = plain_nic();
        assert_chain_breaks::<WHOLE>(&nic, Rule::Order, "child NBL", &sent, reversed);
    }
}

/// The violations of a driver that forwards everything, and completes it as refused.
fn refused(refuses: bool, sent: &Packet) -> Vec<Violation> {
    let world = start::<WHOLE>(config(plain_nic()));
    world.tamper(move |tamper| {
        if let (true, Tamper::Complete(chain)) = (refuses, tamper) {
            // SAFETY: the parent is on its way up.
            unsafe { (**chain).Status = sys::NDIS_STATUS_NOT_SUPPORTED };
        }
    });
    pass(&world, vec![sent.clone()]);
    world.stop()
}

#[test]
fn nothing_that_is_well_formed_is_refused() {
    for sent in [large_v4(PAYLOAD), udp(5000), in_vxlan(), large_v6(60_000)] {
        assert_breaks(Rule::StaleSize, "large send 0", |run| {
            let mut broken = refused(run == Run::Wrong, &sent);
            broken.retain(|one| one.rule == Rule::StaleSize);
            broken
        });
    }
}
