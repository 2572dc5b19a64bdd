//! Every message, byte for byte, and every way in which one can be wrong.

use control::{
    AttachSettings, Cap, DriverVersion, Invalid, IpIdBits, Limit, ListReply, ListRequest,
    MaxSgElements, MemoryBound, Message, Multiple, NicLimits, Profile, Raise, ReadReply, Refused,
    Select, SetRequest, SetSettingsRequest, SettingsChange, SettingsReply, SoftwareSegmentation,
    StatisticsReply, Tuning, VersionRequest,
};

const SELECT: [u8; 12] = [1, 0, 3, 0, 12, 0, 0, 0, 7, 0, 0, 0];

const SET: [u8; 28] = [
    1, 0, 6, 0, 28, 0, 0, 0, // version 1, SetRequest, 28 bytes
    0x11, 0, 0, 0, // interface 17
    4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, // 4 x, 512 KiB
    1, 0, 0, 0, // persist
];

const READ: [u8; 116] = [
    1, 0, 4, 0, 116, 0, 0, 0, // version 1, ReadReply, 116 bytes
    0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, // cpu, no cap
    15, 0, 0, 0, // ip_id_bits
    2, 0, 0, 0, // software: always
    33, 0, 0, 0, // max_sg_elements
    0xDC, 5, 0, 0, // mtu: 1,500
    5, 0, 0, 0, // running, checksums over IPv6
    0x00, 0xEA, 0, 0, 1, 0, 0, 0, // v1: 59,904
    0x3C, 0xF5, 0, 0, 2, 0, 0, 0, // v2_ipv4: 62,780
    0, 0, 0, 0, 0, 0, 0, 0, // v2_ipv6: none
    0x80, 0xA9, 3, 0, 3, 0, 0, 0, // uso_ipv4: 240,000
    0, 0, 0, 0, 0, 0, 0, 0, // uso_ipv6: none
    0xC0, 0x53, 0x0F, 0, 0xC0, 0x53, 0x0F, 0, // advertised: 1,004,480 of LSOv2
    0x00, 0x98, 0x3A, 0, 0, 0, 0, 0, // 3,840,000 and none of USO
    2, 0, 0, 0, // settings_out_of_range
    9, 0, 0, 0, 0, 0, 0, 0, // malformed_offloads
    5, 0, 0, 0, 0, 0, 0, 0, // invalid_oid_headers
];

const SETTINGS: [u8; 52] = [
    1, 0, 9, 0, 52, 0, 0, 0, // version 1, SettingsReply, 52 bytes
    16, 0, 0, 0, 1, 0, 0, 0, 64, 0, 0, 0, 64, 0, 0, 0, // in effect: the defaults
    4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, // registry_tuning: 4 x, 512 KiB
    15, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 0, 0x10, 0, 0, // registry: always, 4 MDLs, 4,096 MiB
];

const SET_SETTINGS: [u8; 32] = [
    1, 0, 10, 0, 32, 0, 0, 0, // version 1, SetSettingsRequest, 32 bytes
    0x11, 0, 0, 0, // interface 17
    0xB, 0, 0, 0, // the bound on elements stays
    15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, // 15 bits, never, -, 128 MiB
];

fn at(bytes: &[u8], place: usize, value: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[place] = value;
    bytes
}

fn bytes_of(message: &impl Message) -> Vec<u8> {
    let mut out = [0xEE; 400];
    let size = message.encode(&mut out).expect("the message is valid");
    assert!(out[size..].iter().all(|byte| *byte == 0xEE));
    out[..size].to_vec()
}

#[test]
fn list_request_and_select() {
    assert_eq!(bytes_of(&ListRequest), [1, 0, 1, 0, 8, 0, 0, 0]);
    assert_eq!(
        ListRequest::decode(&bytes_of(&ListRequest)),
        Ok(ListRequest)
    );
    assert_eq!(bytes_of(&Select { if_index: 7 }), SELECT);
    assert_eq!(Select::decode(&SELECT), Ok(Select { if_index: 7 }));
}

#[test]
fn version_request_and_reply() {
    let request = [1, 0, 7, 0, 8, 0, 0, 0];
    assert_eq!(bytes_of(&VersionRequest), request);
    assert_eq!(VersionRequest::decode(&request), Ok(VersionRequest));
    let version = DriverVersion {
        major: 1,
        minor: 2,
        patch: 0x0103,
    };
    let reply = [1, 0, 8, 0, 20, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 0, 0];
    assert_eq!(bytes_of(&version), reply);
    assert_eq!(DriverVersion::decode(&reply), Ok(version));
}

#[test]
fn set_request() -> Result<(), Invalid> {
    let request = SetRequest {
        if_index: 17,
        tuning: Tuning {
            raise: Raise::Multiple(Multiple::new(4)?),
            cap: Some(Cap::new(512 << 10)?),
        },
        persist: true,
    };
    assert_eq!(bytes_of(&request), SET);
    assert_eq!(SetRequest::decode(&SET), Ok(request));
    Ok(())
}

#[test]
fn read_reply() {
    let limit = |max_payload, min_segments| Limit {
        max_payload,
        min_segments,
    };
    let reply = ReadReply {
        tuning: Tuning {
            raise: Raise::Profile(Profile::Cpu),
            cap: None,
        },
        ip_id_bits: 15,
        software: SoftwareSegmentation::Always,
        max_sg_elements: 33,
        mtu: 1500,
        running: true,
        nic: NicLimits {
            v1: limit(59_904, 1),
            v2_ipv4: limit(62_780, 2),
            v2_ipv6: Limit::default(),
            uso_ipv4: limit(240_000, 3),
            uso_ipv6: Limit::default(),
            tcp_checksum_ipv4: false,
            tcp_checksum_ipv6: true,
        },
        advertised_v2_ipv4: 16 * 62_780,
        advertised_v2_ipv6: 16 * 62_780,
        advertised_uso_ipv4: 16 * 240_000,
        advertised_uso_ipv6: 0,
        settings_out_of_range: 2,
        malformed_offloads: 9,
        invalid_oid_headers: 5,
    };
    assert_eq!(bytes_of(&reply), READ);
    assert_eq!(ReadReply::decode(&READ), Ok(reply));
}

#[test]
fn settings_reply() -> Result<(), Invalid> {
    let reply = SettingsReply {
        in_effect: AttachSettings::default(),
        registry_tuning: Tuning {
            raise: Raise::Multiple(Multiple::new(4)?),
            cap: Some(Cap::new(512 << 10)?),
        },
        registry: AttachSettings {
            ip_id_bits: IpIdBits::new(15)?,
            software: SoftwareSegmentation::Always,
            max_sg_elements: MaxSgElements::new(4)?,
            memory_bound: MemoryBound::new(4096)?,
        },
    };
    assert_eq!(bytes_of(&reply), SETTINGS);
    assert_eq!(SettingsReply::decode(&SETTINGS), Ok(reply));
    Ok(())
}

#[test]
fn set_settings_request() -> Result<(), Invalid> {
    let request = SetSettingsRequest {
        if_index: 17,
        change: SettingsChange {
            ip_id_bits: Some(IpIdBits::new(15)?),
            software: Some(SoftwareSegmentation::Never),
            max_sg_elements: None,
            memory_bound: Some(MemoryBound::new(128)?),
        },
    };
    assert_eq!(bytes_of(&request), SET_SETTINGS);
    assert_eq!(SetSettingsRequest::decode(&SET_SETTINGS), Ok(request));
    Ok(())
}

#[test]
fn statistics_reply() {
    let reply = StatisticsReply {
        sends: 1,
        large_sends: 2,
        split: 3,
        children: 4,
        packets: 5,
        bytes: 0x0102_0304_0506_0708,
        largest_large_send: 7,
        completed: 8,
        failed: 9,
        low_memory: 10,
        paused: 11,
        children_allocated: 12,
        refused: Refused::from([13, 14, 15]),
    };
    let bytes = bytes_of(&reply);
    assert_eq!(bytes.len(), 368);
    assert_eq!(bytes[..8], [1, 0, 5, 0, 0x70, 1, 0, 0]);
    assert_eq!(bytes[40..48], [5, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[48..56], [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(
        bytes[96..120],
        [
            12, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0
        ]
    );
    assert_eq!(StatisticsReply::decode(&bytes), Ok(reply));
    assert_eq!(
        (reply.refused.counters(), reply.refused.in_all()),
        (&[13, 14, 15][..], 42)
    );

    let wrong = |place, value| StatisticsReply::decode(&at(&bytes, place, value));
    assert_eq!(wrong(104, 33), Err(Invalid::Refusals));
    assert_eq!(wrong(108, 1), Err(Invalid::Reserved));
    assert_eq!(
        wrong(104, 2),
        Err(Invalid::Reserved),
        "the third has no reason"
    );
    assert_eq!(Refused::new(&[13, 14, 15]), Ok(reply.refused));
    assert_eq!(Refused::new(&[0; 33]), Err(Invalid::Refusals));
}

#[test]
fn the_header_is_checked() {
    let wrong = |place, value| Select::decode(&at(&SELECT, place, value));
    assert_eq!(wrong(0, 2), Err(Invalid::Version));
    assert_eq!(wrong(1, 1), Err(Invalid::Version));
    assert_eq!(wrong(2, 4), Err(Invalid::Kind));
    assert_eq!(wrong(4, 11), Err(Invalid::Size));
    assert_eq!(wrong(7, 1), Err(Invalid::Size));
}

#[test]
fn neither_more_nor_fewer_bytes_are_taken() {
    for length in 0..SELECT.len() {
        let expected = if length < 8 {
            Invalid::Truncated
        } else {
            Invalid::Size
        };
        assert_eq!(Select::decode(&SELECT[..length]), Err(expected));
    }
    let mut longer = SELECT.to_vec();
    longer.push(0);
    assert_eq!(Select::decode(&longer), Err(Invalid::Size));
    // Refused even if the header agrees: the kind has one size.
    longer[4] = 13;
    assert_eq!(Select::decode(&longer), Err(Invalid::Size));
}

#[test]
fn another_version_is_told_whatever_its_size() {
    assert_eq!(
        Select::decode(&[2, 0, 3, 0, 99, 0, 0, 0]),
        Err(Invalid::Version)
    );
    assert_eq!(ListReply::decode(&[2, 0]).err(), Some(Invalid::Version));
}

#[test]
fn each_field_is_checked() {
    let set = |place, value| SetRequest::decode(&at(&SET, place, value)).err();
    assert_eq!(set(8, 0), Some(Invalid::InterfaceIndex));
    assert_eq!(set(12, 17), Some(Invalid::Multiple));
    assert_eq!(
        set(16, 4),
        Some(Invalid::Profile),
        "even where the multiple counts"
    );
    assert_eq!(set(22, 0), None, "no cap");
    assert_eq!(
        SetRequest::decode(&at(&at(&SET, 22, 0), 21, 1)),
        Err(Invalid::Cap)
    );
    assert_eq!(set(23, 2), Some(Invalid::Cap));
    assert_eq!(set(24, 2), Some(Invalid::Reserved));
    assert_eq!(set(27, 0x80), Some(Invalid::Reserved));

    let read = |place, value| ReadReply::decode(&at(&READ, place, value)).err();
    assert_eq!(read(20, 14), Some(Invalid::IpIdBits));
    assert_eq!(read(24, 3), Some(Invalid::SoftwareSegmentation));
    assert_eq!(read(36, 0xD), Some(Invalid::Reserved));
    assert_eq!(read(39, 0x80), Some(Invalid::Reserved));

    let settings = |place, value| SettingsReply::decode(&at(&SETTINGS, place, value)).err();
    assert_eq!(settings(8, 17), Some(Invalid::IpIdBits));
    assert_eq!(settings(12, 3), Some(Invalid::SoftwareSegmentation));
    assert_eq!(settings(16, 0), Some(Invalid::MaxSgElements));
    assert_eq!(settings(20, 3), Some(Invalid::MemoryBound));
    assert_eq!(settings(24, 17), Some(Invalid::Multiple));
    assert_eq!(settings(36, 14), Some(Invalid::IpIdBits));
    assert_eq!(settings(44, 65), Some(Invalid::MaxSgElements));
    assert_eq!(settings(48, 1), Some(Invalid::MemoryBound), "4,097 MiB");

    let set = |place, value| SetSettingsRequest::decode(&at(&SET_SETTINGS, place, value)).err();
    assert_eq!(set(8, 0), Some(Invalid::InterfaceIndex));
    assert_eq!(set(12, 0x1B), Some(Invalid::Reserved));
    assert_eq!(set(15, 0x80), Some(Invalid::Reserved));
    assert_eq!(set(16, 14), Some(Invalid::IpIdBits));
    assert_eq!(set(20, 3), Some(Invalid::SoftwareSegmentation));
    assert_eq!(set(24, 4), Some(Invalid::Reserved), "it is not named");
    assert_eq!(set(12, 0xF), Some(Invalid::MaxSgElements), "it is 0");
    assert_eq!(set(28, 3), Some(Invalid::MemoryBound));
    assert_eq!(set(29, 0x10), Some(Invalid::MemoryBound), "4,224 MiB");
}

#[test]
fn no_message_goes_out_that_would_not_be_taken() {
    let zero = Select { if_index: 0 };
    assert_eq!(zero.encode(&mut [0; 12]), Err(Invalid::InterfaceIndex));
    let reply = ReadReply::decode(&READ).expect("it is valid");
    let bits = ReadReply {
        ip_id_bits: 17,
        ..reply
    };
    assert_eq!(bits.encode(&mut [0; 116]), Err(Invalid::IpIdBits));
}

#[test]
fn a_short_buffer_is_left_alone() {
    let mut out = [0xEE; 11];
    assert_eq!(
        Select { if_index: 7 }.encode(&mut out),
        Err(Invalid::BufferTooSmall)
    );
    assert_eq!(out, [0xEE; 11]);
}
