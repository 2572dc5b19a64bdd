use super::*;
use crate::Nic;

fn get(bytes: &[u8], at: usize) -> u32 {
    word(bytes, at)
}

fn changed(bytes: &[u8], words: &[(usize, u32)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, value) in words {
        put(&mut bytes, *at, *value);
    }
    bytes
}

#[test]
fn every_offer_has_its_words() {
    let bytes = Nic::new(62_780, 2).offload_config();
    // Checksums: IPv4 with its header's, IPv6 without.
    assert_eq!((get(&bytes, 4), get(&bytes, 8)), (2, 0x155));
    assert_eq!((get(&bytes, 20), get(&bytes, 24)), (2, 0x55));
    // LSOv1 with TCP and IP options; LSOv2 over IPv6 with extension headers and TCP options.
    assert_eq!(get(&bytes, 48), 5);
    assert_eq!(
        (get(&bytes, 92), get(&bytes, 96), get(&bytes, 104)),
        (2, 62_780, 5)
    );
    // NVGRE and VXLAN, for all IP versions.
    assert_eq!((get(&bytes, 148), get(&bytes, 152)), (0xF0_0F0F, 256));
    assert_eq!((get(&bytes, 156), get(&bytes, 160)), (0xF0_0F0F, 256));
    assert_eq!((get(&bytes, 164), bytes[176]), (4789, 3));
    // USO: two segments at least, and a shorter last one.
    assert_eq!(
        (get(&bytes, 188), get(&bytes, 192), get(&bytes, 196)),
        (2, 62_780, 0x42)
    );
    assert_eq!(
        (get(&bytes, 200), get(&bytes, 208), get(&bytes, 212)),
        (2, 0x42, 1)
    );
}

#[test]
fn a_revision_has_the_members_of_its_time() {
    for (revision, size) in (1..=7).zip([112, 144, 156, 177, 188, 216, 216]) {
        let mut nic = Nic::new(62_780, 2);
        (nic.offload.revision, nic.offload.size) = (revision, size);
        let bytes = nic.offload_config();
        assert_eq!(bytes.len(), usize::from(size));
        assert_eq!(get(&bytes, 148) != 0, revision >= 3);
        assert_eq!(get(&bytes, 156) != 0, revision >= 4);
        assert_eq!(uso(&bytes), nic.current_uso());
        assert_eq!(nic.current_uso().ipv4.max_payload != 0, revision >= 6);
        assert_eq!(nic.current_uso().ipv6.sub_mss_final, revision >= 7);
        assert_eq!(limits(&bytes), nic.current());
    }
}

#[test]
fn a_capability_that_is_removed_is_not_advertised() {
    let nic = Nic::default()
        .without_lso()
        .without_uso()
        .without_checksum_offload();
    let bytes = nic.offload_config();
    assert!(bytes[4..].iter().all(|byte| *byte == 0));
    let bytes = Nic::default().without_options().offload_config();
    assert_eq!(
        (get(&bytes, 48), get(&bytes, 104), get(&bytes, 212)),
        (0, 0, 0)
    );
}

#[test]
fn maxima_may_rise_and_never_fall() {
    let own = Nic::new(62_780, 2).offload_config();
    for at in [V2_IPV4, V2_IPV6, USO_IPV4, USO_IPV6] {
        let raised = changed(&own, &[(at + 4, 1 << 20)]);
        assert_eq!(wrong_rewrite(&own, &raised, MayAdd::default()), None);
        let lowered = changed(&own, &[(at + 4, 62_779)]);
        assert!(wrong_rewrite(&own, &lowered, MayAdd::default()).is_some());
        let rarer = changed(&own, &[(at + 8, 0x47)]);
        assert!(wrong_rewrite(&own, &rarer, MayAdd::default()).is_some());
    }
}

#[test]
fn large_sends_in_tunnels_are_as_they_were_or_gone() {
    let own = Nic::new(62_780, 2).offload_config();
    for at in ENCAPSULATED {
        assert_eq!(
            wrong_rewrite(&own, &changed(&own, &[(at, 0xF0_000F)]), MayAdd::default()),
            None
        );
        for other in [0xF0_010F, 0xF0_0000, 0xF0_0F00, 0x0F0F] {
            let advertised = changed(&own, &[(at, other)]);
            assert!(wrong_rewrite(&own, &advertised, MayAdd::default()).is_some());
        }
    }
}

#[test]
fn large_sends_may_be_added_to_a_nic_that_has_none_and_computes_checksums_or_anyhow() {
    const IPV4: [(usize, u32); 3] = [(V2_IPV4, 2), (V2_IPV4 + 4, 65_000), (V2_IPV4 + 8, 2)];
    const IPV6: [(usize, u32); 4] = [
        (V2_IPV6, 2),
        (V2_IPV6 + 4, 65_000),
        (V2_IPV6 + 8, 2),
        (V2_IPV6 + 12, 5),
    ];
    let bare = Nic::default().without_lso();
    let own = bare.offload_config();
    for words in [&IPV4[..], &IPV6[..]] {
        let advertised = changed(&own, words);
        assert_eq!(wrong_rewrite(&own, &advertised, bare.may_add()), None);
        // Not without an encapsulation, nor without a least number of segments.
        for left_out in [0, 2] {
            let mut some = words.to_vec();
            some.remove(left_out);
            let advertised = changed(&own, &some);
            assert!(wrong_rewrite(&own, &advertised, bare.may_add()).is_some());
        }
        let dumb = Nic::default().without_lso().without_checksum_offload();
        let own = dumb.offload_config();
        let advertised = changed(&own, words);
        assert!(wrong_rewrite(&own, &advertised, dumb.may_add()).is_some());
        let anyhow = MayAdd {
            anyhow: true,
            ..dumb.may_add()
        };
        assert_eq!(wrong_rewrite(&own, &advertised, anyhow), None);
    }
    // A capability that is turned off stays off.
    let mut off = Nic::default();
    (off.enabled.v2_ipv4, off.enabled.v2_ipv6) = (false, false);
    let own = off.offload_config();
    for words in [&IPV4[..], &IPV6[..]] {
        assert!(wrong_rewrite(&own, &changed(&own, words), off.may_add()).is_some());
    }
    // USO is never added either.
    let own = Nic::default().without_uso().offload_config();
    let advertised = changed(
        &own,
        &[(USO_IPV4, 2), (USO_IPV4 + 4, 65_000), (USO_IPV4 + 8, 2)],
    );
    assert!(wrong_rewrite(&own, &advertised, bare.may_add()).is_some());
}
