//! The stage: hosts with guests, their sends, and the sizes advertised on each of them.

use std::sync::Arc;

use control::{Raise, Tuning, first_stage_size};
use harness::device;
use harness::driver::Driver;
use harness::ingest::LargeSend;
use harness::judge::{Verdict, judge};
use harness::machine::{Machine, Sent, Setup};
use harness::text::ip_name;
use lso::IpVersion::{self, V4, V6};
use model::World;
use model::host::{Delivery, Guest, Host, migrate};
use testpkt::synth::Synth;

use super::step::{GuestView, HostView, Report, SendRecord, Sizes, Step};
use crate::error::Error;

/// Hosts on which one driver runs. Hosts and guests are named by their indexes, in the order in
/// which they came.
#[derive(Default)]
pub(super) struct Stage<'driver> {
    hosts: Vec<Actor<'driver>>,
    /// Each with its host.
    guests: Vec<(Guest, usize)>,
    /// The large sends since the last step.
    sends: Vec<UnderWay>,
    report: Report,
}

/// A host.
struct Actor<'driver> {
    host: Host,
    machine: Machine<'driver>,
    /// Whether the coming detach was signaled to its filter.
    leaving: bool,
}

/// A large send that a guest has made, to be judged at the end of the step.
struct UnderWay {
    host: usize,
    delivery: Delivery,
    /// For one to a guest of the same host: whether it got it whole, and no filter or NIC saw it.
    whole: Option<bool>,
    send: LargeSend,
    sent: Sent,
    record: SendRecord,
}

impl<'driver> Stage<'driver> {
    /// Adds a host with a NIC of `nic_max` bytes, and starts the driver on it, with the profile
    /// `throughput`.
    pub(super) fn add_host(&mut self, driver: &'driver Driver, nic_max: u32) -> Result<(), Error> {
        let machine = Machine::start(driver, Setup::new(nic_max, 2))?;
        let name = format!("host {}", self.hosts.len() + 1);
        let (host, leaving) = (Host::new(&name, machine.world().clone()), false);
        self.hosts.push(Actor {
            host,
            machine,
            leaving,
        });
        Ok(())
    }

    /// Adds a guest to the first host.
    pub(super) fn add_guest(&mut self) {
        let number = self.guests.len() as u8 + 1;
        let (name, mac) = (format!("guest {number}"), [2, 0, 0, 0, 0, number]);
        let guest = self.hosts[0].host.add_guest(&name, mac);
        self.guests.push((guest, 0));
    }

    pub(super) fn world(&self, host: usize) -> &Arc<World> {
        self.hosts[host].machine.world()
    }

    /// The size advertised on a host.
    pub(super) fn advertised(&self, host: usize, ip: IpVersion) -> u32 {
        Sizes::from(self.hosts[host].host.filter_advertises()).over(ip)
    }

    /// Has the filter of a host raise the NIC's sizes so, as an administrator does.
    pub(super) fn tune(&self, host: usize, raise: Raise) -> Result<(), Error> {
        Ok(device::tune(self.world(host), Tuning { raise, cap: None })?)
    }

    /// Signals to the filter of a host that it is about to be detached.
    pub(super) fn pre_detach(&mut self, host: usize) {
        self.hosts[host].leaving = true;
        self.world(host).pre_detach();
    }

    /// Moves a guest to another host.
    pub(super) fn migrate(&mut self, guest: usize, to: usize) {
        let (guest, host) = &mut self.guests[guest];
        migrate(guest, &self.hosts[*host].host, &self.hosts[to].host);
        *host = to;
    }

    /// Has a guest make a large send to another guest, or to the peer behind the wire (`None`).
    pub(super) fn send(
        &mut self,
        from: usize,
        to: Option<usize>,
        ip: IpVersion,
        payload: u32,
    ) -> Result<(), Error> {
        let (guest, host) = &self.guests[from];
        let to = to.map(|to| &self.guests[to]);
        let local = to.is_some_and(|(_, of)| of == host);
        let (to, actor) = (to.map(|(to, _)| to), &self.hosts[*host]);
        let mut send = LargeSend::of(&match ip {
            V4 => Synth::v4(payload, 1448),
            V6 => Synth::v6(payload, 1428),
        });
        let mac = to.map_or([2, 0, 0, 0, 0, 0xFF], Guest::mac);
        send.frame[..12].copy_from_slice([mac, guest.mac()].as_flattened());
        let before = actor.machine.statistics()?;
        let delivery = guest.send(&actor.host, |_| send.packet());
        let unseen = actor.machine.statistics()? == before;
        let received = to.filter(|_| local).map(Guest::take_received);
        let sent = actor.machine.gone();
        self.sends.push(UnderWay {
            host: *host,
            whole: received.map(|got| unseen && got.len() == 1 && got[0].frame == send.frame),
            record: SendRecord {
                from: guest.name().to_owned(),
                to: to.map_or("outside", Guest::name).to_owned(),
                ip: ip_name(ip),
                payload,
                children: sent.children.iter().map(|child| child.payload).collect(),
                wire_packets: sent.wire.len(),
                verdict: "wrong",
            },
            delivery,
            send,
            sent,
        });
        Ok(())
    }

    /// Ends a step: records and judges every host, guest and large send. All of these are back.
    pub(super) fn step(&mut self, name: &'static str, what: &str) -> Result<(), Error> {
        let (mut sends, mut hosts, mut violations) = (Vec::new(), Vec::new(), Vec::new());
        for send in std::mem::take(&mut self.sends) {
            let machine = &mut self.hosts[send.host].machine;
            sends.push(send.settle(machine, &mut violations));
        }
        for actor in &mut self.hosts {
            hosts.push(actor.look(&mut violations)?);
            let broken = actor.machine.newly_broken();
            let host = actor.host.name();
            violations.extend(broken.iter().map(|rule| format!("{host}: {rule}")));
        }
        let steps = &mut self.report.steps;
        let step = steps.len() + 1;
        let faults = violations.iter().map(|line| format!("step {step}: {line}"));
        self.report.faults.extend(faults);
        steps.push(Step {
            step,
            name,
            what: what.to_owned(),
            hosts,
            sends,
            violations,
        });
        Ok(())
    }

    /// Stops the drivers.
    pub(super) fn stop(mut self) -> Result<Report, Error> {
        for Actor { host, machine, .. } in self.hosts {
            let counters = machine.statistics()?;
            let more = [counters.large_sends, counters.split, counters.children];
            self.report.counted = [0, 1, 2].map(|at| self.report.counted[at] + more[at]);
            let broken = machine.stop().into_iter();
            let broken = broken.map(|rule| format!("{}: {rule}", host.name()));
            self.report.faults.extend(broken);
        }
        Ok(self.report)
    }
}

impl UnderWay {
    /// Judges it; adds what is wrong to `wrong`, in one line each.
    fn settle(mut self, machine: &mut Machine<'_>, wrong: &mut Vec<String>) -> SendRecord {
        if let Delivery::Down(number) = self.delivery {
            self.sent.error = machine.error(number);
        }
        let mut record = self.record;
        let (from, to) = (&record.from, &record.to);
        match self.whole {
            Some(true) => record.verdict = "whole",
            Some(false) => wrong.push(format!("{to} did not get the large send whole")),
            None => match judge(&self.send, &self.sent, machine.world().nic().id_bits) {
                Verdict::Same { untouched: false } => record.verdict = "same",
                Verdict::Same { untouched: true } => record.verdict = "as-is",
                Verdict::NotSent(why) => wrong.push(format!("from {from} to {to}: {why}")),
                Verdict::Wrong(lines) => wrong.extend(lines),
            },
        }
        record
    }
}

impl Actor<'_> {
    /// The sizes in use on the host. Adds a line to `wrong` for each wrong one: in the filter's
    /// report through its device, in the advertised configuration, or at a guest.
    fn look(&self, wrong: &mut Vec<String>) -> Result<HostView, Error> {
        let read = device::read(self.machine.world())?;
        let tuning = match self.leaving {
            true => Tuning::default(),
            false => read.tuning,
        };
        let guest = |guest: &Guest| GuestView {
            name: guest.name().to_owned(),
            uses: guest.indicator().into(),
        };
        let view = HostView {
            name: self.host.name().to_owned(),
            multiple: tuning.multiple(),
            nic: self.host.nic_limits().into(),
            advertised: self.host.filter_advertises().into(),
            guests: self.host.guests().iter().map(guest).collect(),
        };
        for (ip, of_nic, of_itself) in [
            (V4, read.nic.v2_ipv4, read.advertised_v2_ipv4),
            (V6, read.nic.v2_ipv6, read.advertised_v2_ipv6),
        ] {
            let (name, ip_name) = (&view.name, ip_name(ip));
            let (nic, advertised) = (view.nic.over(ip), view.advertised.over(ip));
            let mut check = |who: &str, due, found| {
                if due != found {
                    wrong.push(format!("{name}, {ip_name}: {who} is {found}, not {due}"));
                }
            };
            check("the filter's report of the NIC", nic, of_nic.max_payload);
            check("the filter's report of itself", advertised, of_itself);
            check(
                "what is advertised",
                first_stage_size(nic, tuning),
                advertised,
            );
            for guest in &view.guests {
                check(&guest.name, advertised, guest.uses.over(ip));
            }
        }
        Ok(view)
    }
}

#[cfg(test)]
mod tests;
