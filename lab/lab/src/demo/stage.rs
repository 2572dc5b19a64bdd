//! The stage: hosts with guests, their sends, and the sizes advertised on each of them.
#![expect(unsafe_code, reason = "starts the driver, and lets go of it in time")]

use control::{Profile, Raise, Tuning, keyword};
use model::host::{Delivery, Guest, Host, Mac};
use model::{Config, Nic, Packet, World};
use ndis::sys::NDIS_STATUS_SUCCESS;

use super::Counted;
use super::actor::Actor;
use super::step::{HostView, SendRecord};
use crate::error::Error;
use harness::device;
use harness::driver::Driver;
use harness::ingest::LargeSend;
use harness::judge::{Verdict, judge};
use harness::machine::{SendError, Sent, turned_on};

/// Hosts on which one driver runs, which therefore outlives them.
pub(super) struct Stage<'driver> {
    driver: &'driver Driver,
    actors: Vec<Actor>,
    /// Faults since the last call of [`take_wrong`](Self::take_wrong).
    wrong: Vec<String>,
}

/// A large send that has gone down, to be judged once it is back.
pub(super) struct UnderWay {
    host: usize,
    number: u64,
    send: LargeSend,
    sent: Sent,
    from: String,
    to: String,
}

/// The receiver of a large send.
#[derive(Clone, Copy)]
pub(super) enum To<'a> {
    /// The peer behind the wire.
    Outside,
    Guest(&'a Guest),
}

impl To<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Outside => "outside",
            Self::Guest(guest) => guest.name(),
        }
    }

    fn mac(&self) -> Mac {
        match self {
            Self::Outside => [2, 0, 0, 0, 0, 0xFF],
            Self::Guest(guest) => guest.mac(),
        }
    }
}

impl<'driver> Stage<'driver> {
    pub(super) fn new(driver: &'driver Driver) -> Self {
        Self {
            driver,
            actors: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// Adds a host with a NIC of `nic_max` bytes, and starts the driver on it, with the profile
    /// `throughput` or the multiple in the registry.
    pub(super) fn add_host(
        &mut self,
        name: &str,
        nic_max: u32,
        multiple: Option<u32>,
    ) -> Result<(), Error> {
        let mut config = turned_on(Config::with_nic(Nic::new(nic_max, 2)));
        let parameter = multiple.map(|multiple| (keyword::MULTIPLE.to_owned(), multiple));
        config.parameters.extend(parameter);
        let world = World::new(config);
        // SAFETY: only the stage has the world, and the driver is borrowed for its life.
        unsafe { self.driver.start(&world) }?;
        self.actors.push(Actor::new(Host::new(name, world)));
        Ok(())
    }

    pub(super) fn host(&self, host: usize) -> &Host {
        &self.actors[host].host
    }

    /// Puts a profile into effect, as an administrator does.
    pub(super) fn tune(&self, host: usize, profile: Profile) -> Result<(), Error> {
        let tuning = Tuning {
            raise: Raise::Profile(profile),
            cap: None,
        };
        Ok(device::tune(self.host(host).world(), tuning)?)
    }

    /// Tells the filter of a host that it is about to be detached.
    pub(super) fn pre_detach(&mut self, host: usize) {
        self.actors[host].leaving = true;
        self.host(host).world().pre_detach();
    }

    /// Has `from` make a large send to another guest of its host.
    pub(super) fn whole(
        &mut self,
        host: usize,
        from: &Guest,
        to: &Guest,
        send: LargeSend,
    ) -> Result<SendRecord, Error> {
        let before = device::statistics(self.host(host).world())?;
        let (packet, send) = addressed(send, from, To::Guest(to));
        let delivery = from.send(self.host(host), |_| packet);
        let after = device::statistics(self.host(host).world())?;
        let received = to.take_received();
        let is_whole = delivery == Delivery::Whole(to.name().to_owned())
            && received.len() == 1
            && received[0].frame == send.frame
            && after == before;
        if !is_whole {
            let line = format!("{} did not get the large send whole", to.name());
            self.wrong.push(line);
        }
        Ok(SendRecord {
            from: from.name().to_owned(),
            to: to.name().to_owned(),
            ip: send.ip.into(),
            payload: send.payload,
            children: Vec::new(),
            wire_packets: 0,
            verdict: if is_whole { "whole" } else { "wrong" },
        })
    }

    /// Has `from` make a large send that leaves the host.
    pub(super) fn send(
        &mut self,
        host: usize,
        from: &Guest,
        to: To<'_>,
        send: LargeSend,
    ) -> SendRecord {
        let under_way = self.begin(host, from, to, send);
        self.settle(under_way)
    }

    /// The same, without a look at whether it came back.
    pub(super) fn begin(
        &mut self,
        host: usize,
        from: &Guest,
        to: To<'_>,
        send: LargeSend,
    ) -> UnderWay {
        let (packet, send) = addressed(send, from, to);
        let delivery = from.send(self.host(host), |_| packet);
        let number = match delivery {
            Delivery::Down(number) => number,
            // No number of a send, so that it counts as lost.
            Delivery::Whole(_) => u64::MAX,
        };
        let world = self.host(host).world();
        let sent = Sent {
            children: world.take_children(),
            wire: world.take_wire(),
            error: None,
            broken: Vec::new(),
        };
        UnderWay {
            host,
            number,
            send,
            sent,
            from: from.name().to_owned(),
            to: to.name().to_owned(),
        }
    }

    /// Judges a large send, which must be back by now.
    pub(super) fn settle(&mut self, under_way: UnderWay) -> SendRecord {
        let UnderWay {
            host,
            number,
            send,
            mut sent,
            from,
            to,
        } = under_way;
        let world = self.host(host).world();
        sent.error = match world.completed(number).map(|completed| completed.status) {
            Some(NDIS_STATUS_SUCCESS) => None,
            Some(status) => Some(SendError::Failed(status)),
            None => Some(SendError::Lost),
        };
        let verdict = judge(&send, &sent, world.nic().id_bits);
        let verdict = match verdict {
            Verdict::Same { untouched: false } => "same",
            Verdict::Same { untouched: true } => "as-is",
            Verdict::NotSent(why) => {
                self.wrong.push(format!("from {from} to {to}: {why}"));
                "wrong"
            }
            Verdict::Wrong(lines) => {
                self.wrong.extend(lines);
                "wrong"
            }
        };
        SendRecord {
            from,
            to,
            ip: send.ip.into(),
            payload: send.payload,
            children: sent.children.iter().map(|child| child.payload).collect(),
            wire_packets: sent.wire.len(),
            verdict,
        }
    }

    /// The sizes on every host, which are judged too.
    pub(super) fn look(&mut self) -> Result<Vec<HostView>, Error> {
        let mut views = Vec::new();
        for actor in &self.actors {
            let (view, wrong) = actor.look()?;
            views.push(view);
            self.wrong.extend(wrong);
        }
        Ok(views)
    }

    /// Takes the faults since the last call: in large sends, in sizes, and broken rules.
    pub(super) fn take_wrong(&mut self) -> Vec<String> {
        let mut wrong = std::mem::take(&mut self.wrong);
        for actor in &mut self.actors {
            let broken = actor.host.world().violations();
            wrong.extend(actor.newly_broken(broken));
        }
        wrong
    }

    /// Stops the drivers. Returns their counters, and the faults found meanwhile.
    pub(super) fn stop(self) -> Result<(Counted, Vec<String>), Error> {
        let mut counted = Counted::default();
        let mut wrong = self.wrong;
        for mut actor in self.actors {
            let statistics = device::statistics(actor.host.world())?;
            counted.large_sends += statistics.large_sends;
            counted.split += statistics.split;
            counted.children += statistics.children;
            let broken = actor.host.world().stop();
            wrong.extend(actor.newly_broken(broken));
        }
        Ok((counted, wrong))
    }
}

/// The large send with the addresses of sender and receiver.
fn addressed(mut send: LargeSend, from: &Guest, to: To<'_>) -> (Packet, LargeSend) {
    send.frame[..6].copy_from_slice(&to.mac());
    send.frame[6..12].copy_from_slice(&from.mac());
    let packet = Packet::large_send(send.frame.clone(), send.mss).in_buffers(send.buffer);
    (packet, send)
}

#[cfg(test)]
mod tests;
