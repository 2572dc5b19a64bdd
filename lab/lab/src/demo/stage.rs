//! The stage: hosts with guests, their sends, and the sizes advertised on each of them.
#![expect(unsafe_code, reason = "starts the driver, and lets go of it in time")]

use control::{Profile, Raise, Tuning, first_stage_size, keyword};
use harness::device;
use harness::driver::Driver;
use harness::ingest::LargeSend;
use harness::judge::{Verdict, judge};
use harness::machine::{SendError, Sent, turned_on};
use harness::text::ip_name;
use lso::IpVersion::{V4, V6};
use model::host::{Delivery, Guest, Host, migrate};
use model::{Config, Nic, Packet, World};
use ndis::sys::NDIS_STATUS_SUCCESS;

use super::step::{GuestView, HostView, Report, SendRecord, Sizes, Step};
use crate::error::Error;

/// Hosts on which one driver runs, which therefore outlives them. Hosts and guests are named by
/// their indexes, in the order in which they came.
pub(super) struct Stage<'driver> {
    driver: &'driver Driver,
    hosts: Vec<Actor>,
    guests: Vec<Guest>,
    steps: Vec<Step>,
    /// Faults since the last step.
    wrong: Vec<String>,
}

/// A host.
struct Actor {
    host: Host,
    /// Broken rules that were already reported.
    reported: usize,
    /// Whether the coming detach was signalled to its filter.
    leaving: bool,
}

/// A large send that has gone down, to be judged once it is back.
pub(super) struct UnderWay {
    host: usize,
    number: u64,
    send: LargeSend,
    sent: Sent,
    record: SendRecord,
}

impl<'driver> Stage<'driver> {
    pub(super) fn new(driver: &'driver Driver) -> Self {
        Self {
            driver,
            hosts: Vec::new(),
            guests: Vec::new(),
            steps: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// Adds a host with a NIC of `nic_max` bytes, and starts the driver on it, with the profile
    /// `throughput` or the multiple in the registry.
    pub(super) fn add_host(&mut self, nic_max: u32, multiple: Option<u32>) -> Result<(), Error> {
        let mut config = turned_on(Config::with_nic(Nic::new(nic_max, 2)));
        let parameter = multiple.map(|multiple| (keyword::MULTIPLE.to_owned(), multiple));
        config.parameters.extend(parameter);
        let world = World::new(config);
        // SAFETY: only the stage has the world, and the driver is borrowed for its life.
        unsafe { self.driver.start(&world) }?;
        let name = format!("host {}", self.hosts.len() + 1);
        self.hosts.push(Actor {
            host: Host::new(&name, world),
            reported: 0,
            leaving: false,
        });
        Ok(())
    }

    /// Adds a guest to the first host.
    pub(super) fn add_guest(&mut self) {
        let number = self.guests.len() as u8 + 1;
        let mac = [2, 0, 0, 0, 0, number];
        let guest = self.hosts[0]
            .host
            .add_guest(&format!("guest {number}"), mac);
        self.guests.push(guest);
    }

    pub(super) fn world(&self, host: usize) -> &std::sync::Arc<World> {
        self.hosts[host].host.world()
    }

    /// The sizes advertised on a host.
    pub(super) fn advertised(&self, host: usize) -> Sizes {
        self.hosts[host].host.filter_advertises().into()
    }

    /// Puts a profile into effect, as an administrator does.
    pub(super) fn tune(&self, host: usize, profile: Profile) -> Result<(), Error> {
        let tuning = Tuning {
            raise: Raise::Profile(profile),
            cap: None,
        };
        Ok(device::tune(self.world(host), tuning)?)
    }

    /// Signals to the filter of a host that it is about to be detached.
    pub(super) fn pre_detach(&mut self, host: usize) {
        self.hosts[host].leaving = true;
        self.world(host).pre_detach();
    }

    /// Moves a guest to another host.
    pub(super) fn migrate(&self, guest: usize, to: usize) {
        let from = &self.hosts[self.host_of(guest)].host;
        migrate(&self.guests[guest], from, &self.hosts[to].host);
    }

    /// The host that a guest is on.
    fn host_of(&self, guest: usize) -> usize {
        let name = self.guests[guest].name();
        let is_here = |actor: &Actor| actor.host.guests().iter().any(|one| one.name() == name);
        let found = self.hosts.iter().position(is_here);
        found.expect("a guest is on a host from the start")
    }

    /// Has a guest make a large send to another guest, or to the peer behind the wire (`None`).
    fn depart(
        &self,
        from: usize,
        to: Option<usize>,
        send: &mut LargeSend,
    ) -> (Delivery, SendRecord) {
        let host = &self.hosts[self.host_of(from)].host;
        let (from, to) = (&self.guests[from], to.map(|to| &self.guests[to]));
        let mac = to.map_or([2, 0, 0, 0, 0, 0xFF], Guest::mac);
        send.frame[..6].copy_from_slice(&mac);
        send.frame[6..12].copy_from_slice(&from.mac());
        let packet = Packet::large_send(send.frame.clone(), send.mss).in_buffers(send.buffer);
        let delivery = from.send(host, |_| packet);
        let record = SendRecord {
            from: from.name().to_owned(),
            to: to.map_or("outside", Guest::name).to_owned(),
            ip: ip_name(send.ip),
            payload: send.payload,
            children: Vec::new(),
            wire_packets: 0,
            verdict: "wrong",
        };
        (delivery, record)
    }

    /// Has a guest make a large send to another guest of its host.
    pub(super) fn whole(
        &mut self,
        from: usize,
        to: usize,
        mut send: LargeSend,
    ) -> Result<SendRecord, Error> {
        let host = self.host_of(from);
        let before = device::statistics(self.world(host))?;
        let (delivery, mut record) = self.depart(from, Some(to), &mut send);
        let received = self.guests[to].take_received();
        if delivery == Delivery::Whole(record.to.clone())
            && received.len() == 1
            && received[0].frame == send.frame
            && device::statistics(self.world(host))? == before
        {
            record.verdict = "whole";
        } else {
            let line = format!("{} did not get the large send whole", record.to);
            self.wrong.push(line);
        }
        Ok(record)
    }

    /// Has a guest make a large send that leaves the host, to a guest elsewhere or the peer.
    pub(super) fn send(&mut self, from: usize, to: Option<usize>, send: LargeSend) -> SendRecord {
        let under_way = self.begin(from, to, send);
        self.settle(under_way)
    }

    /// The same, without a look at whether it came back.
    pub(super) fn begin(&self, from: usize, to: Option<usize>, mut send: LargeSend) -> UnderWay {
        let host = self.host_of(from);
        let (delivery, record) = self.depart(from, to, &mut send);
        let world = self.world(host);
        UnderWay {
            host,
            number: match delivery {
                Delivery::Down(number) => number,
                // No number of a send, so that it counts as lost.
                Delivery::Whole(_) => u64::MAX,
            },
            send,
            sent: Sent {
                children: world.take_children(),
                wire: world.take_wire(),
                error: None,
                broken: Vec::new(),
            },
            record,
        }
    }

    /// Judges a large send, which must be back by now.
    pub(super) fn settle(&mut self, mut of: UnderWay) -> SendRecord {
        let world = self.world(of.host);
        of.sent.error = match world.completed(of.number).map(|completed| completed.status) {
            Some(NDIS_STATUS_SUCCESS) => None,
            Some(status) => Some(SendError::Failed(status)),
            None => Some(SendError::Lost),
        };
        let verdict = judge(&of.send, &of.sent, world.nic().id_bits);
        let mut record = of.record;
        record.children = of.sent.children.iter().map(|child| child.payload).collect();
        record.wire_packets = of.sent.wire.len();
        match verdict {
            Verdict::Same { untouched: false } => record.verdict = "same",
            Verdict::Same { untouched: true } => record.verdict = "as-is",
            Verdict::NotSent(why) => {
                let line = format!("from {} to {}: {why}", record.from, record.to);
                self.wrong.push(line);
            }
            Verdict::Wrong(lines) => self.wrong.extend(lines),
        }
        record
    }

    /// Ends a step: records and judges every host and guest.
    pub(super) fn step(
        &mut self,
        name: &'static str,
        what: impl Into<String>,
        sends: Vec<SendRecord>,
    ) -> Result<(), Error> {
        let mut hosts = Vec::new();
        for actor in &mut self.hosts {
            let (view, wrong) = actor.look()?;
            hosts.push(view);
            self.wrong.extend(wrong);
            let broken = actor.host.world().violations();
            self.wrong.extend(actor.newly_broken(broken));
        }
        self.steps.push(Step {
            step: self.steps.len() + 1,
            name,
            what: what.into(),
            hosts,
            sends,
            violations: std::mem::take(&mut self.wrong),
        });
        Ok(())
    }

    /// Stops the drivers.
    pub(super) fn stop(self) -> Result<Report, Error> {
        let (mut counted, mut at_end) = ([0; 3], self.wrong);
        for mut actor in self.hosts {
            let counters = device::statistics(actor.host.world())?;
            let more = [counters.large_sends, counters.split, counters.children];
            counted = [0, 1, 2].map(|at| counted[at] + more[at]);
            let broken = actor.host.world().stop();
            at_end.extend(actor.newly_broken(broken));
        }
        Ok(Report {
            steps: self.steps,
            at_end,
            counted,
        })
    }
}

impl Actor {
    /// The new ones among all the rules `broken` on the host.
    fn newly_broken(&mut self, mut broken: Vec<model::Violation>) -> Vec<String> {
        let new = broken.split_off(self.reported);
        self.reported += new.len();
        let name = self.host.name();
        new.iter().map(|rule| format!("{name}: {rule}")).collect()
    }

    /// The sizes in use on the host, and a line for each wrong one: in the filter's report through
    /// its device, in the advertised configuration, or at a guest.
    fn look(&self) -> Result<(HostView, Vec<String>), Error> {
        let read = device::read(self.host.world())?;
        let guest = |guest: &Guest| GuestView {
            name: guest.name().to_owned(),
            uses: guest.indicator().into(),
        };
        let view = HostView {
            name: self.host.name().to_owned(),
            multiple: if self.leaving {
                1
            } else {
                read.tuning.multiple()
            },
            nic: self.host.nic_limits().into(),
            advertised: self.host.filter_advertises().into(),
            guests: self.host.guests().iter().map(guest).collect(),
        };
        let of_nic = Sizes {
            ipv4: read.nic.v2_ipv4.max_payload,
            ipv6: read.nic.v2_ipv6.max_payload,
        };
        let of_itself = Sizes {
            ipv4: read.advertised_v2_ipv4,
            ipv6: read.advertised_v2_ipv6,
        };
        let due = match self.leaving {
            true => view.nic,
            false => view.nic.map(|size| first_stage_size(size, read.tuning)),
        };
        let mut all = vec![
            ("the filter's report of the NIC", view.nic, of_nic),
            ("the filter's report of itself", view.advertised, of_itself),
            ("what is advertised", due, view.advertised),
        ];
        let guests = view.guests.iter();
        all.extend(guests.map(|guest| (guest.name.as_str(), view.advertised, guest.uses)));
        let mut wrong = Vec::new();
        for (who, due, found) in all {
            for ip in [V4, V6]
                .into_iter()
                .filter(|ip| due.over(*ip) != found.over(*ip))
            {
                let (due, found) = (due.over(ip), found.over(ip));
                let line = format!(
                    "{}, {}: {who} is {found}, not {due}",
                    view.name,
                    ip_name(ip)
                );
                wrong.push(line);
            }
        }
        Ok((view, wrong))
    }
}

#[cfg(test)]
mod tests;
