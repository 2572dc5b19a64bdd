//! Any bytes as an NDIS_OFFLOAD: the rewrite never panics, is idempotent, and never lowers.
#![no_main]

use control::{Multiple, Raise, Tuning};
use filter::{
    nic_caps::NicCaps,
    offload::{SoftwareLso, rewrite},
};
use libfuzzer_sys::fuzz_target;
use ndis::OffloadConfig;

fuzz_target!(|input: (u8, [u32; 4], [bool; 2], Vec<u8>)| {
    let (multiple, [ipv4, ipv6, udp_ipv4, udp_ipv6], [v4, v6], mut offload) = input;
    let mut nic = NicCaps::default();
    nic.lso_v2_ipv4.max_payload = ipv4;
    nic.lso_v2_ipv6.max_payload = ipv6;
    nic.uso_ipv4.max_payload = udp_ipv4;
    nic.uso_ipv6.max_payload = udp_ipv6;
    let software = SoftwareLso { ipv4: v4, ipv6: v6 };
    let maxima = |config: &OffloadConfig| {
        let caps = NicCaps::from(config);
        // Software LSO, for a NIC that has none, need not be more than the configuration had.
        (
            (!v4 || ipv4 > 0).then_some(caps.lso_v2_ipv4.max_payload),
            (!v6 || ipv6 > 0).then_some(caps.lso_v2_ipv6.max_payload),
        )
    };
    let multiple = Multiple::new(u32::from(multiple % 16) + 1).expect("in range");
    let tuning = Tuning {
        raise: Raise::Multiple(multiple),
        cap: None,
    };
    let Ok(before) = OffloadConfig::copy_from(&offload) else {
        return;
    };
    let rewritten = |offload: &[u8]| {
        let mut config = OffloadConfig::copy_from(offload).expect("well formed");
        rewrite(&mut config, &nic, tuning, software);
        config
    };
    let header = offload[..4].to_vec();
    let once = rewritten(&offload);
    let (was, is) = (maxima(&before), maxima(&once));
    assert!(is.0 >= was.0 && is.1 >= was.1);
    once.copy_to(&mut offload);
    assert_eq!(offload[..4], header);
    let first = offload.clone();
    rewritten(&first).copy_to(&mut offload);
    assert_eq!(offload, first);
});
