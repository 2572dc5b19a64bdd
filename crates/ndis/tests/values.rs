//! The slots and capabilities as values, against words spelled out by hand.

use ndis::{ChecksumInfo, EncapsulationInfo, InnerOffsets, UdpSendInfo};

#[test]
fn a_udp_send_says_what_it_was_made_from() {
    let v6 = UdpSendInfo::new(1472, 62, true);
    assert_eq!(v6.to_raw(), 0x83e0_05c0);
    assert_eq!(UdpSendInfo::from_raw(v6.to_raw()), v6);
    assert_eq!(
        (v6.mss(), v6.udp_header_offset(), v6.is_ipv6(), v6.is_none()),
        (1472, 62, true, false)
    );
    let v4 = UdpSendInfo::new(1472, 42, false);
    assert_eq!(v4.to_raw(), 0x02a0_05c0);
    assert!(!v4.is_ipv6());
    assert!(UdpSendInfo::default().is_none());
    // The reserved bit and the upper half of the slot are not the driver's.
    assert_eq!(UdpSendInfo::from_raw(0x1_4000_0000).mss(), 0);
}

#[test]
fn a_checksum_is_asked_for_in_the_right_bits() {
    let tcp = ChecksumInfo::tcp(false, 34);
    assert_eq!(tcp.to_raw(), 0x0022_0005);
    let udp = ChecksumInfo::udp(true, 54);
    assert_eq!(udp.to_raw(), 0x0036_000a);
    assert_eq!(ChecksumInfo::default().to_raw(), 0);
}

#[test]
fn inner_headers_are_found_each_from_the_one_before() {
    let inner = InnerOffsets {
        frame: 50,
        ip: 64,
        transport: 104,
    };
    let info = EncapsulationInfo::new(inner, true, true);
    assert_eq!(info.to_raw(), 0x0c28_38cb);
    assert!(info.is_encapsulated() && info.is_inner_ipv6() && info.has_tcp_options());
    assert_eq!(info.offsets(), Some(inner));
    // The largest offsets that the fields can hold.
    let far = EncapsulationInfo::from_raw(0x03ff_ffff).offsets();
    assert_eq!(far.map(|inner| inner.transport), Some(255 + 63 + 1023));
}

#[test]
fn offsets_that_are_not_valid_are_not_read() {
    for word in [0, 0x0c28_38ca, 0x0c28_38c9] {
        let info = EncapsulationInfo::from_raw(word);
        assert_eq!(info.offsets(), None, "{word:#x}");
        assert_eq!(info.is_encapsulated(), word & 1 != 0);
    }
}
