//! Any bytes as an NDIS_OFFLOAD: the rewrite never panics, is idempotent, and never lowers.
#![no_main]

use control::{Multiple, Raise, Tuning};
use filter::offload::{InSoftware, capabilities, rewrite};
use libfuzzer_sys::fuzz_target;
use ndis::{Capabilities, LargeSendLimits};

fuzz_target!(|input: (u8, [u32; 4], [bool; 2], Vec<u8>)| {
    let (multiple, [ipv4, ipv6, udp_ipv4, udp_ipv6], [v4, v6], mut offload) = input;
    let mut nic = Capabilities::default();
    nic.v2_ipv4.max_payload = ipv4;
    nic.v2_ipv6.max_payload = ipv6;
    nic.uso_ipv4.max_payload = udp_ipv4;
    nic.uso_ipv6.max_payload = udp_ipv6;
    let in_software = InSoftware { ipv4: v4, ipv6: v6 };
    let limits = |offload: &[u8]| capabilities(offload).map(|nic| nic.large_sends());
    let in_place = |said: LargeSendLimits| {
        // What stands in the place of a NIC that has nothing need not be more than was said.
        (
            (!v4 || ipv4 > 0).then_some(said.v2_ipv4.max_payload),
            (!v6 || ipv6 > 0).then_some(said.v2_ipv6.max_payload),
        )
    };
    let multiple = Multiple::new(u32::from(multiple % 16) + 1).expect("in range");
    let tuning = Tuning {
        raise: Raise::Multiple(multiple),
        cap: None,
    };
    let before = offload.clone();
    let said = limits(&offload);
    if rewrite(&mut offload, &nic, tuning, in_software).is_err() {
        assert!(said.is_err());
        assert_eq!(offload, before);
        return;
    }
    let (said, says) = (said.expect("well formed"), limits(&offload).expect("still"));
    let (said, says) = (in_place(said), in_place(says));
    assert!(says.0 >= said.0 && says.1 >= said.1);
    assert_eq!(offload[..4], before[..4]);
    let once = offload.clone();
    rewrite(&mut offload, &nic, tuning, in_software).expect("well formed as before");
    assert_eq!(offload, once);
});
