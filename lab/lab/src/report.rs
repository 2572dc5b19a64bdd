//! The text report: the table, the numbers, the verdict.

use harness::ingest::LsoVersion;

use crate::session::{End, Row, Totals};
use harness::judge::Verdict;
use harness::machine::{ETHERNET_MTU, Setup};
use harness::text::{counted, ip_name, lined, number, sizes};
use reference::Kind;

/// The heads of the table's columns, and whether a column holds numbers.
const COLUMNS: [(&str, bool); 8] = [
    ("large send", false),
    ("IP, LSO", false),
    ("bytes", true),
    ("MSS", true),
    ("children", true),
    ("child sizes", false),
    ("wire\npackets", true),
    ("verdict", false),
];

/// A line with the settings that differ from the usual; empty if there are none.
pub fn setup_line(setup: Setup) -> String {
    let parts = [
        (!setup.nic_lso).then(|| "the NIC accepts no large sends".to_owned()),
        (!setup.nic_checksum).then(|| "the NIC computes no checksums".to_owned()),
        (setup.mtu != ETHERNET_MTU).then(|| format!("MTU {}", number(setup.mtu.into()))),
        setup
            .max_sg_elements
            .map(|most| format!("at most {most} MDLs")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("Setup: {}.\n", parts.join("; "))
}

/// One line for each large send. Sizes are bytes of payload.
pub fn table(rows: &[Row]) -> String {
    lined(&COLUMNS, rows.iter().map(cells)) + "\n\n"
}

fn cells(row: &Row) -> [String; 8] {
    [
        row.source.clone(),
        offload(row),
        number(row.payload.into()),
        number(row.mss.into()),
        number(row.children.len() as u64),
        child_sizes(row),
        number(row.wire as u64),
        verdict(&row.verdict),
    ]
}

/// The sizes of the large sends that the NIC was given, and how many packets.
fn child_sizes(row: &Row) -> String {
    let (large, packets) = row
        .children
        .split_at(row.children.len().saturating_sub(row.packets));
    let packets = packets.len() as u64;
    let parts = [
        (!large.is_empty()).then(|| sizes(large)),
        (packets > 0).then(|| counted(packets, "packet", "packets")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    parts.join(" + ")
}

/// The offload of a large send, and its out-of-band information.
fn offload(row: &Row) -> String {
    let name = kind_name(row.kind, row.lso);
    let tag = if row.tag_beside { ", tag" } else { "" };
    format!("{} {name}{tag}", ip_name(row.ip))
}

/// The offload of a large send of this kind.
pub(crate) fn kind_name(kind: Kind, lso: LsoVersion) -> &'static str {
    match kind {
        Kind::Tcp => lso_name(lso),
        Kind::Udp => "USO",
        Kind::Encapsulated => "tunnel",
    }
}

fn lso_name(lso: LsoVersion) -> &'static str {
    match lso {
        LsoVersion::V1 => "v1",
        LsoVersion::V2 => "v2",
    }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Same { untouched: false } => "✓ same".to_owned(),
        Verdict::Same { untouched: true } => "✓ as is".to_owned(),
        Verdict::NotSent(why) if why.is_refusal() => format!("– refused: {}", why.name()),
        Verdict::NotSent(why) => format!("✗ {}", why.name()),
        Verdict::Wrong(_) => "✗ wrong".to_owned(),
    }
}

/// Numbers of a run in words, a line each.
pub fn summary(end: &End) -> String {
    let (totals, filter) = (&end.totals, &end.statistics);
    let mut lines = Vec::new();
    if filter.large_sends > 0 {
        lines.push(format!(
            "The overlying driver sent {} (frames up to {} bytes); the filter split {} into {}.",
            counted(filter.large_sends, "large send", "large sends"),
            number(filter.largest_large_send),
            number(filter.split),
            counted(filter.children, "child", "children"),
        ));
        lines.push(format!(
            "The NIC received {}, with up to {} bytes of payload each.",
            given(totals),
            number(totals.largest_child_payload),
        ));
        lines.push(format!(
            "That is {} bytes of payload in all, sent in {} on the wire.",
            number(totals.bytes),
            counted(totals.wire_packets, "packet", "packets"),
        ));
    }
    if totals.passed > 0 {
        let passed = counted(totals.passed, "packet", "packets");
        lines.push(format!("{passed} passed unchanged."));
    }
    if !totals.refused.is_empty() {
        lines.push(refused(totals));
    }
    lines.join("\n") + "\n"
}

/// The children that the NIC got for large sends.
fn given(totals: &Totals) -> String {
    let large = totals.children - totals.packets;
    let large_sends = counted(large, "large send", "large sends");
    let packets = counted(totals.packets, "single packet", "single packets");
    match (large, totals.packets) {
        (_, 0) => large_sends,
        (0, _) => packets,
        _ => format!("{large_sends} and {packets}"),
    }
}

fn refused(totals: &Totals) -> String {
    let reasons = totals.refused.iter();
    let reasons: Vec<_> = reasons
        .map(|(reason, count)| format!("{reason} {}", number(*count)))
        .collect();
    let in_all = counted(totals.refused_in_all(), "packet", "packets");
    format!("{in_all} did not go out: {}.", reasons.join(", "))
}

/// The last line.
pub fn verdict_line(end: &End) -> String {
    let totals = &end.totals;
    if !end.is_good() {
        let wrong = counted(totals.violations, "fault was", "faults were");
        return format!("FAIL: {wrong} found; they are named above.\n");
    }
    if totals.parents == 0 && totals.refused_in_all() > 0 {
        let refused = counted(totals.refused_in_all(), "packet was", "packets were");
        return format!("REFUSED: {refused} refused and nothing was split; no rule was broken.\n");
    }
    let refused = match totals.refused_in_all() {
        0 => String::new(),
        count => format!(", but for {} refused", counted(count, "packet", "packets")),
    };
    if totals.parents == 0 {
        return "NOTHING TO SPLIT: no packet is longer than a segment; no rule was broken.\n"
            .to_owned();
    }
    format!(
        "PASS{refused}: {} left on the wire byte for byte as if cut in a single stage, and no rule of NDIS was broken.\n",
        counted(totals.parents, "large send", "large sends")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unusual_is_said() {
        assert_eq!(setup_line(Setup::new(62_780, 2)), "");
        let setup = Setup {
            nic_lso: false,
            max_sg_elements: Some(8),
            ..Setup::new(62_780, 2)
        };
        let line = "Setup: the NIC accepts no large sends; at most 8 MDLs.\n";
        assert_eq!(setup_line(setup), line);
    }
}
