//! The large sends that are judged.

use testpkt::synth::{Synth, flag};

/// Most packets that a large send may make here: a receiver's queue holds 1,000
/// (`net.core.netdev_max_backlog`), which is the whole machine's and not the lab's to change.
const MOST_PACKETS: u32 = 990;

/// Each with its special feature.
pub(super) fn cases() -> Vec<(String, Synth)> {
    let mut cases = Vec::new();
    for (mss, v6_mss) in [(536, 536), (1448, 1428), (8948, 8928)] {
        for payload in [2 * mss, 65_000, 200_001, 524_288, 1 << 20] {
            let payload = payload.min(mss * MOST_PACKETS);
            cases.push(("sizes".to_owned(), Synth::v4(payload, mss)));
            cases.push(("sizes".to_owned(), Synth::v6(payload, v6_mss)));
        }
    }
    // Lengths that the kernel has no place for, without a hint for their layout.
    for payload in [519_500, 536_000, 544_000, 551_900] {
        cases.push(("awkward sizes".to_owned(), Synth::v4(payload, 1448)));
        cases.push(("awkward sizes".to_owned(), Synth::v6(payload, 1428)));
    }
    let special = |case: &str, change: &dyn Fn(&mut Synth)| {
        let both = [Synth::v4(300_000, 1448), Synth::v6(300_000, 1428)];
        both.map(|mut synth| {
            change(&mut synth);
            (case.to_owned(), synth)
        })
    };
    cases.extend(special("the sequence wraps", &|synth| {
        synth.seq = 0xFFFF_8000
    }));
    cases.extend(special("the identification wraps", &|synth| {
        synth.ip_id = 0xFFF0
    }));
    cases.extend(special("FIN and PSH", &|synth| {
        synth.flags |= flag::FIN | flag::PSH
    }));
    cases.extend(special("CWR", &|synth| synth.flags |= flag::CWR));
    cases.extend(special("CWR, ECE, FIN, PSH", &|synth| {
        synth.flags |= flag::CWR | flag::ECE | flag::FIN | flag::PSH;
    }));
    cases.extend(special("no TCP options", &|synth| {
        synth.tcp_options.clear()
    }));
    cases.extend(special("ECT, DSCP", &|synth| synth.traffic_class = 0xBA));
    cases
}
