//! Any values survive the round trip; no bytes make the decoder panic.

use control::{
    AdapterEntry, AttachSettings, Cap, IoControl, IpIdBits, Limit, ListReply, ListRequest,
    ListWriter, MaxSgElements, MemoryBound, Message, Multiple, Name, NicLimits, Profile, Raise,
    ReadReply, Refused, Select, SetRequest, SetSettingsRequest, SettingsChange, SettingsReply,
    SoftwareSegmentation, StatisticsReply, Tuning,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn tuning() -> impl Strategy<Value = Tuning> {
    let raise = prop_oneof![
        (0..=3_u32).prop_map(|n| Raise::Profile(Profile::from_number(n).expect("in range"))),
        (Multiple::MIN..=Multiple::MAX)
            .prop_map(|n| Raise::Multiple(Multiple::new(n).expect("in range"))),
    ];
    let cap =
        proptest::option::of((Cap::MIN..=Cap::MAX).prop_map(|n| Cap::new(n).expect("in range")));
    (raise, cap).prop_map(|(raise, cap)| Tuning { raise, cap })
}

fn limit() -> impl Strategy<Value = Limit> {
    any::<(u32, u32)>().prop_map(|(max_payload, min_segments)| Limit {
        max_payload,
        min_segments,
    })
}

prop_compose! {
    fn nic()(limits in [limit(), limit(), limit(), limit(), limit()], checksums: [bool; 2]) -> NicLimits {
        let [v1, v2_ipv4, v2_ipv6, uso_ipv4, uso_ipv6] = limits;
        let [tcp_checksum_ipv4, tcp_checksum_ipv6] = checksums;
        NicLimits {
            v1,
            v2_ipv4,
            v2_ipv6,
            uso_ipv4,
            uso_ipv6,
            tcp_checksum_ipv4,
            tcp_checksum_ipv6,
        }
    }
}

prop_compose! {
    fn settings()(
        bits in 15..=16_u32,
        software in proptest::sample::select(&SoftwareSegmentation::ALL),
        elements in MaxSgElements::MIN..=MaxSgElements::MAX,
        memory in MemoryBound::MIN..=MemoryBound::MAX,
    ) -> AttachSettings {
        AttachSettings {
            ip_id_bits: IpIdBits::new(bits).expect("in range"),
            software,
            max_sg_elements: MaxSgElements::new(elements).expect("in range"),
            memory_bound: MemoryBound::new(memory).expect("in range"),
        }
    }
}

prop_compose! {
    fn change()(new in settings(), named: [bool; 4]) -> SettingsChange {
        SettingsChange {
            ip_id_bits: named[0].then_some(new.ip_id_bits),
            software: named[1].then_some(new.software),
            max_sg_elements: named[2].then_some(new.max_sg_elements),
            memory_bound: named[3].then_some(new.memory_bound),
        }
    }
}

prop_compose! {
    fn read_reply()(
        tuning in tuning(),
        ip_id_bits in 15..=16_u32,
        software in proptest::sample::select(&SoftwareSegmentation::ALL),
        max_sg_elements: u32,
        mtu: u32,
        running: bool,
        nic in nic(),
        advertised: [u32; 4],
        settings_out_of_range: u32,
        malformed_offloads: u64,
        invalid_oid_headers: u64,
    ) -> ReadReply {
        ReadReply {
            tuning,
            ip_id_bits,
            software,
            max_sg_elements,
            mtu,
            running,
            nic,
            advertised_v2_ipv4: advertised[0],
            advertised_v2_ipv6: advertised[1],
            advertised_uso_ipv4: advertised[2],
            advertised_uso_ipv6: advertised[3],
            settings_out_of_range,
            malformed_offloads,
            invalid_oid_headers,
        }
    }
}

prop_compose! {
    fn statistics_reply()(n: [u64; 12], refused in vec(any::<u64>(), 0..=Refused::MAX)) -> StatisticsReply {
        StatisticsReply {
            sends: n[0],
            large_sends: n[1],
            split: n[2],
            children: n[3],
            packets: n[4],
            bytes: n[5],
            largest_large_send: n[6],
            completed: n[7],
            failed: n[8],
            low_memory: n[9],
            paused: n[10],
            children_allocated: n[11],
            refused: Refused::new(&refused).expect("as many as fit"),
        }
    }
}

prop_compose! {
    fn entry()(
        if_index: u32,
        base_if_index: u32,
        running: bool,
        units in vec(any::<u16>(), 0..=Name::MAX),
    ) -> AdapterEntry {
        AdapterEntry { if_index, base_if_index, running, name: Name::new(&units) }
    }
}

fn comes_back<M: Message + PartialEq + std::fmt::Debug>(message: M) {
    let mut out = vec![0xEE; M::SIZE];
    assert_eq!(message.encode(&mut out), Ok(M::SIZE));
    assert_eq!(M::decode(&out), Ok(message));
}

fn decode_all(bytes: &[u8]) {
    let _ = ListRequest::decode(bytes);
    let _ = Select::decode(bytes);
    let _ = SetRequest::decode(bytes);
    let _ = ReadReply::decode(bytes);
    let _ = StatisticsReply::decode(bytes);
    let _ = SettingsReply::decode(bytes);
    let _ = SetSettingsRequest::decode(bytes);
    if let Ok(list) = ListReply::decode(bytes) {
        list.iter().for_each(|entry| drop(entry.name.to_string()));
    }
}

/// Under Miri, a few cases of each; it is slow, and cannot keep files of failures.
fn config() -> ProptestConfig {
    if cfg!(miri) {
        ProptestConfig {
            cases: 4,
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    } else {
        ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn messages_come_back(
        if_index in 1..=u32::MAX,
        tuning in tuning(),
        persist: bool,
        read in read_reply(),
        statistics in statistics_reply(),
        in_effect in settings(),
        registry in settings(),
        change in change(),
    ) {
        comes_back(Select { if_index });
        comes_back(SetRequest { if_index, tuning, persist });
        comes_back(read);
        comes_back(statistics);
        comes_back(SettingsReply { in_effect, registry_tuning: tuning, registry });
        comes_back(SetSettingsRequest { if_index, change });
    }

    #[test]
    fn lists_come_back(entries in vec(entry(), 0..5), room in 16..1600_usize) {
        let mut out = vec![0xEE; room];
        let mut writer = ListWriter::new(&mut out).expect("there is room for an empty list");
        entries.iter().for_each(|entry| writer.push(entry));
        let size = writer.finish().expect("there is room");
        let list = ListReply::decode(&out[..size]).expect("it was written so");
        let fit = entries.len().min((room - 16) / AdapterEntry::SIZE);
        prop_assert_eq!(list.iter().collect::<Vec<_>>(), &entries[..fit]);
        prop_assert_eq!(list.total() as usize, entries.len());
    }

    #[test]
    fn no_bytes_make_decode_panic(bytes in vec(any::<u8>(), 0..600)) {
        decode_all(&bytes);
    }

    /// Random bytes seldom get past the header, so here it is right.
    #[test]
    fn no_body_makes_decode_panic(kind in 1..=10_u16, mut bytes in vec(0..=33_u8, 8..600)) {
        let sizes = [
            8, 16 + AdapterEntry::SIZE, 12, ReadReply::SIZE, StatisticsReply::SIZE, 28, 8, 20,
            SettingsReply::SIZE, SetSettingsRequest::SIZE,
        ];
        bytes.resize(sizes[usize::from(kind) - 1], 0);
        bytes[..2].copy_from_slice(&1_u16.to_le_bytes());
        bytes[2..4].copy_from_slice(&kind.to_le_bytes());
        let size = u32::try_from(bytes.len()).expect("it is short");
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
        decode_all(&bytes);
    }

    #[test]
    fn no_code_is_recognized_as_another(code: u32) {
        if let Ok(known) = IoControl::from_code(code) {
            prop_assert_eq!(known.code(), code);
        }
    }
}
