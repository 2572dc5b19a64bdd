//! A summary as a person reads it.

use super::{Row, Summary};
use harness::text::{counted as count, lined, number};

impl Row {
    fn cells(&self) -> [String; 8] {
        let same = self.sha256_sent == self.sha256_received;
        let gigabits = self.bytes as f64 * 8.0 / self.seconds / 1e9;
        [
            self.from.clone(),
            self.to.clone(),
            self.ip.to_owned(),
            number(self.bytes),
            format!("{:.1}", self.seconds),
            format!("{gigabits:.2}"),
            number(self.retransmitted.into()),
            format!(
                "{} {}",
                &self.sha256_received[..16],
                if same { "✓ same" } else { "✗ differs" }
            ),
        ]
    }
}

impl Summary {
    /// As a person reads it.
    pub fn text(&self) -> String {
        let columns = [
            ("from", false),
            ("to", false),
            ("IP", false),
            ("bytes", true),
            ("seconds", true),
            ("Gbit/s", true),
            ("retrans-\nmitted", true),
            ("SHA-256", false),
        ];
        let mut text = String::new();
        if !self.transfers.is_empty() {
            text += &lined(&columns, self.transfers.iter().map(Row::cells));
            text += "\n\n";
        }
        for line in self.lines() {
            text += &line;
            text.push('\n');
        }
        text.push('\n');
        text += &self.verdict();
        text.push('\n');
        text
    }

    fn lines(&self) -> Vec<String> {
        let (counted, filter) = (&self.counted, &self.filter);
        let mut lines = Vec::new();
        if let Some(advertised) = self.advertised {
            lines.push(format!(
                "Advertised to the guest: {} bytes over IPv4, {} over IPv6.",
                number(advertised.ipv4.into()),
                number(advertised.ipv6.into()),
            ));
        }
        lines.extend([
            format!(
                "The guests made {}, up to {} bytes.",
                count(counted.large_sends.get(), "large send", "large sends"),
                number(counted.largest_large_send.get()),
            ),
            format!(
                "The filter split {} of {} into {}; the NIC received {}, up to {} bytes.",
                number(filter.split),
                number(filter.large_sends),
                count(filter.children, "child", "children"),
                count(counted.given_to_nic.get(), "large send", "large sends"),
                number(counted.largest_given_to_nic.get()),
            ),
            format!(
                "{} passed the filter too; {} left the NIC.",
                count(counted.packets.get(), "other packet", "other packets"),
                count(counted.frames.get(), "frame", "frames"),
            ),
        ]);
        if counted.uso.get() + counted.tunnelled.get() > 0 {
            lines.push(format!(
                "Among the large sends were {} of UDP, by USO, and {} in tunnels.",
                number(counted.uso.get()),
                number(counted.tunnelled.get()),
            ));
        }
        if counted.whole_between_guests.get() > 0 {
            lines.push(format!(
                "Between guests, {} large sends were delivered whole without the filter, up to {} bytes of frame.",
                number(counted.whole_between_guests.get()),
                number(counted.largest_whole_frame.get()),
            ));
        }
        let rare = [
            (counted.lost.get(), "frames dropped on purpose"),
            (counted.late.get(), "frames delayed on purpose"),
            (counted.failed.get(), "sends failed"),
            (
                counted.paused.get(),
                "sends arrived while the filter was paused",
            ),
            (
                counted.too_large.get(),
                "sends too large while the filter was away",
            ),
            (
                counted.cut_by_switch.get(),
                "large sends of too few segments or too long, cut by the switch",
            ),
            (
                counted.no_offload.get(),
                "large sends without an offload in NDIS, as in GENEVE, cut by the switch",
            ),
            (
                counted.no_place.get(),
                "frames for which the kernel had no room",
            ),
            (
                counted.overflown.get(),
                "frames that arrived faster than they were read",
            ),
            (counted.uncut.get(), "large sends that could not be cut"),
            (counted.odd.get(), "large sends that nothing can segment"),
        ];
        let rare = rare.iter().filter(|(count, _)| *count > 0);
        let rare: Vec<_> = rare
            .map(|(count, what)| format!("{} {what}", number(*count)))
            .collect();
        if !rare.is_empty() {
            lines.push(rare.join(", ") + ".");
        }
        if let Some(happened) = self.faults {
            lines.push(format!(
                "Meanwhile the NIC's limit changed {} times, its completions {} times, it failed sends {} times; the filter was paused {} times and detached {} times.",
                number(happened.nic_changes),
                number(happened.completions),
                number(happened.failures),
                number(happened.pauses),
                number(happened.detaches),
            ));
        }
        if self.cpu_seconds_per_gigabyte > 0.0 {
            lines.push(format!(
                "Processor time: {:.2} s per gigabyte, including the model, both stacks and both SHA-256.",
                self.cpu_seconds_per_gigabyte
            ));
        }
        lines.push(self.checked());
        lines
    }

    /// The checks that ran, and those that did not.
    fn checked(&self) -> String {
        let bytes = match self.compared_one_in {
            1 => "payload bytes of all large sends".to_owned(),
            many => format!(
                "payload bytes of {} large sends (one in {many})",
                number(self.counted.compared.get())
            ),
        };
        let sums = if self.checksums_verified {
            format!(
                "the peer verified every checksum, {} wrong",
                number(self.wrong_checksums)
            )
        } else {
            "checksums were not verified (--verify-checksums)".to_owned()
        };
        format!("Checked: every rule for every packet, {bytes}; {sums}.")
    }

    fn verdict(&self) -> String {
        if self.is_good() && self.is_empty() {
            return "NOTHING TESTED: no large send reached the filter, so it had nothing to do."
                .to_owned();
        }
        if self.is_good() && self.transfers.is_empty() {
            return "PASS: the command succeeded, and no rule was broken.".to_owned();
        }
        if self.is_good() {
            return "PASS: all data arrived as it was sent, and no rule was broken.".to_owned();
        }
        format!(
            "FAIL: {} found; they are named above.",
            count(self.violations.len() as u64, "fault was", "faults were")
        )
    }
}
