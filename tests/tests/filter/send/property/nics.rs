//! NICs with any capabilities, that complete and fail in any order.

use model::{
    ChecksumOffload, ChecksumOffloads, Completion, Enabled, LargeSendOptions, Nic, OffloadShape,
    Order, TunnelOffload, TunnelOffloads, UsoLimit, UsoLimits,
};
use model::{LargeSendLimit, LargeSendLimits};
use ndis::sys;
use proptest::{array, collection::vec, prelude::*, sample::select};

/// The setting of the number of elements in a child's MDL chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chains {
    Any,
    AtMost(u32),
}

impl Chains {
    pub fn parameters(self) -> Vec<(String, u32)> {
        match self {
            Self::Any => Vec::new(),
            Self::AtMost(most) => vec![("MaxSgElements".into(), most)],
        }
    }
}

fn chains() -> impl Strategy<Value = Chains> {
    prop_oneof![
        3 => Just(Chains::Any),
        1 => (4..=64_u32).prop_map(Chains::AtMost)
    ]
}

/// The NIC's maximum of payload bytes; often none.
fn max_payload() -> impl Strategy<Value = u32> {
    prop_oneof![
        2 => Just(0),
        4 => 1_000..70_000_u32,
        2 => Just(62_780),
        1 => 70_000..400_000_u32,
    ]
}

fn min_segments() -> impl Strategy<Value = u32> {
    prop_oneof![3 => 0..4_u32, 1 => 0..=60_u32]
}

prop_compose! {
    fn limit()(max_payload in max_payload(), min_segments in min_segments()) -> LargeSendLimit {
        LargeSendLimit { max_payload, min_segments }
    }
}

prop_compose! {
    fn uso()(
        limit in limit(),
        sub_mss_final in prop::bool::weighted(0.7),
        extensions in any::<bool>(),
    ) -> UsoLimit {
        let LargeSendLimit { max_payload, min_segments } = limit;
        UsoLimit { max_payload, min_segments, sub_mss_final, extensions }
    }
}

fn checksum() -> impl Strategy<Value = ChecksumOffload> {
    let any = any::<[bool; 5]>().prop_map(|[ip_header, tcp, udp, ip_options, tcp_options]| {
        ChecksumOffload {
            ip_header,
            tcp,
            udp,
            ip_options,
            tcp_options,
        }
    });
    prop_oneof![
        Just(ChecksumOffload::ALL),
        Just(ChecksumOffload::default()),
        any
    ]
}

fn tunnel() -> impl Strategy<Value = TunnelOffload> {
    let header = select(vec![100, 150, 256, 600]);
    let any = (0..16_u32, 0..16_u32, header).prop_map(|(lso_v2, uso, max_header)| TunnelOffload {
        lso_v2,
        uso,
        transmit_checksum: 0,
        max_header,
    });
    prop_oneof![Just(TunnelOffload::ALL), any]
}

prop_compose! {
    fn tunnels()(
        (nvgre, vxlan) in (tunnel(), tunnel()),
        vxlan_port in prop_oneof![4 => Just(TunnelOffloads::VXLAN_PORT), 1 => Just(8472)],
    ) -> TunnelOffloads {
        TunnelOffloads { nvgre, vxlan, vxlan_port }
    }
}

fn options() -> impl Strategy<Value = LargeSendOptions> {
    array::uniform4(prop::bool::weighted(0.7)).prop_map(
        |[v1_ip, v1_tcp, v2_ipv6_extensions, v2_ipv6_tcp]| LargeSendOptions {
            v1_ip,
            v1_tcp,
            v2_ipv6_extensions,
            v2_ipv6_tcp,
        },
    )
}

fn enabled() -> impl Strategy<Value = Enabled> {
    let some = any::<[bool; 11]>().prop_map(|on| Enabled {
        v1: on[0],
        v2_ipv4: on[1],
        v2_ipv6: on[2],
        uso_ipv4: on[3],
        uso_ipv6: on[4],
        ip_header: on[5],
        tcp_ipv4: on[6],
        udp_ipv4: on[7],
        tcp_ipv6: on[8],
        udp_ipv6: on[9],
        tunnels: on[10],
    });
    prop_oneof![4 => Just(Enabled::default()), 1 => some]
}

/// Mostly the newest revision of NDIS_OFFLOAD; older ones have no words for some of it.
fn shape() -> impl Strategy<Value = OffloadShape> {
    let revision = select(vec![
        (7, 216),
        (1, 112),
        (2, 144),
        (3, 156),
        (4, 176),
        (5, 188),
        (6, 216),
    ]);
    let any = (revision, any::<bool>()).prop_map(|((revision, size), set_off)| OffloadShape {
        revision,
        size,
        set_off,
        ..OffloadShape::default()
    });
    prop_oneof![4 => Just(OffloadShape::default()), 1 => any]
}

prop_compose! {
    fn completion()(
        deferred in any::<bool>(),
        order in prop_oneof![
            Just(Order::Sent),
            Just(Order::Reversed),
            any::<u64>().prop_map(Order::Shuffled),
        ],
        (merged, at_dispatch) in any::<(bool, bool)>(),
        on_processor in prop_oneof![Just(None), Just(Some(1))],
    ) -> Completion {
        Completion { deferred, order, merged, on_processor, at_dispatch }
    }
}

fn failing() -> impl Strategy<Value = Vec<(u64, i32)>> {
    let status = select(vec![
        sys::NDIS_STATUS_FAILURE,
        sys::NDIS_STATUS_RESET_IN_PROGRESS,
        sys::NDIS_STATUS_INVALID_LENGTH,
    ]);
    prop_oneof![3 => Just(Vec::new()), 1 => vec((0..60_u64, status), 1..3)]
}

prop_compose! {
    /// A NIC, and how the filter over it is set for MDL chains, to which the model holds it.
    pub fn nic()(
        [v1, v2_ipv4, v2_ipv6] in array::uniform3(limit()),
        [uso_v4, uso_v6] in array::uniform2(uso()),
        [ipv4, ipv6] in array::uniform2(checksum()),
        (options, tunnels, enabled) in (options(), tunnels(), enabled()),
        (offload, chains) in (shape(), chains()),
        (completion, failing) in (completion(), failing()),
        id_bits in select(vec![15, 16]),
    ) -> (Chains, Nic) {
        let nic = Nic {
            limits: LargeSendLimits { v1, v2_ipv4, v2_ipv6 },
            options,
            checksum: ChecksumOffloads { ipv4, ipv6 },
            uso: UsoLimits { ipv4: uso_v4, ipv6: uso_v6 },
            tunnels,
            completion,
            failing,
            id_bits,
            enabled,
            offload,
            max_elements: match chains {
                // A child has no room for more.
                Chains::Any => Some(64),
                Chains::AtMost(most) => Some(most as usize),
            },
            ..Nic::default()
        };
        (chains, nic)
    }
}
