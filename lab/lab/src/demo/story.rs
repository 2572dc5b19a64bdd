//! The story: the events, and the sends between them.

use control::Profile;
use harness::ingest::LsoVersion;
use model::host::{Guest, migrate};

use super::Report;
use super::stage::{Stage, To};
use super::step::{Family, SendRecord, Sizes, Step};
use crate::error::Error;
use harness::driver::Driver;
use harness::ingest::{LargeSend, Terms, ingest};
use harness::text::number;
use testpkt::synth::Synth;

/// The first host's NIC maximum: 43 × 1,460 bytes, as Hyper-V's virtual NIC reports it.
const NIC: u32 = 62_780;
/// The same after it has shrunk: 28 × 1,460 bytes.
const SHRUNK: u32 = 40_880;
/// The second host's NIC maximum, and its multiple.
const OTHER_NIC: u32 = 128_000;
const OTHER_MULTIPLE: u32 = 4;

/// An ordinary large send of a guest.
const ORDINARY: u32 = 500_000;

/// The hosts, in the order in which they come.
const HOST_1: usize = 0;
const HOST_2: usize = 1;

/// Tells it with `driver`.
///
/// # Errors
///
/// The driver does not start or does not answer.
pub(super) fn run(driver: &Driver) -> Result<Report, Error> {
    let mut story = Story::begin(driver)?;
    story.start()?;
    story.guest_to_guest()?;
    story.outside()?;
    story.latency()?;
    story.cpu()?;
    story.shrink()?;
    story.migration()?;
    story.pre_detach()?;
    let (counted, at_end) = story.stage.stop()?;
    Ok(Report {
        steps: story.steps,
        at_end,
        counted,
    })
}

struct Story<'driver> {
    stage: Stage<'driver>,
    guest_1: Guest,
    guest_2: Guest,
    steps: Vec<Step>,
}

/// A large send of `payload` bytes over Ethernet, as a guest's TCP makes it.
///
/// # Panics
///
/// Never: the story's sizes are those of large sends.
pub(super) fn large_send(ip: Family, payload: u32) -> LargeSend {
    let synth = match ip {
        Family::Ipv4 => Synth::v4(payload, 1448),
        Family::Ipv6 => Synth::v6(payload, 1428),
    };
    let terms = Terms {
        lso: LsoVersion::V2,
        min_segments: 2,
    };
    ingest(&synth.frame(false), synth.mss, terms)
        .expect("a packet that may be split")
        .expect("more payload than the MSS")
}

impl<'driver> Story<'driver> {
    fn begin(driver: &'driver Driver) -> Result<Self, Error> {
        let mut stage = Stage::new(driver);
        stage.add_host("host 1", NIC, None)?;
        let guest = |number| {
            let mac = [2, 0, 0, 0, 0, number];
            let name = format!("guest {number}");
            stage.host(HOST_1).add_guest(&name, mac)
        };
        let (guest_1, guest_2) = (guest(1), guest(2));
        Ok(Self {
            stage,
            guest_1,
            guest_2,
            steps: Vec::new(),
        })
    }

    /// Ends a step: records every host and guest.
    fn step(
        &mut self,
        name: &'static str,
        what: String,
        sends: Vec<SendRecord>,
    ) -> Result<(), Error> {
        let hosts = self.stage.look()?;
        self.steps.push(Step {
            step: self.steps.len() + 1,
            name,
            what,
            hosts,
            sends,
            violations: self.stage.take_wrong(),
        });
        Ok(())
    }

    /// The sizes advertised on a host.
    fn advertised(&self, host: usize) -> Sizes {
        self.stage.host(host).filter_advertises().into()
    }

    /// Has a guest on `host` make a large send to the outside.
    fn out(&mut self, host: usize, guest: &Guest, ip: Family, payload: u32) -> SendRecord {
        let send = large_send(ip, payload);
        self.stage.send(host, guest, To::Outside, send)
    }

    fn start(&mut self) -> Result<(), Error> {
        let what = format!(
            "Host 1 starts. Its NIC accepts large sends of {} bytes; the filter advertises 8 \
             times that, and both guests learn it from the virtual switch.",
            number(NIC.into())
        );
        self.step("start", what, Vec::new())
    }

    fn guest_to_guest(&mut self) -> Result<(), Error> {
        let (from, to) = (self.guest_1.clone(), self.guest_2.clone());
        let send = large_send(Family::Ipv4, ORDINARY);
        let whole = self.stage.whole(HOST_1, &from, &to, send)?;
        let what = "Guest 1 sends to guest 2 on the same host. The switch passes the large send on \
                    whole: nobody ever cuts it, and neither filter nor NIC sees it.";
        self.step("guest to guest", what.to_owned(), vec![whole])
    }

    fn outside(&mut self) -> Result<(), Error> {
        let (guest_1, guest_2) = (self.guest_1.clone(), self.guest_2.clone());
        let sends = vec![
            self.out(HOST_1, &guest_1, Family::Ipv4, ORDINARY),
            self.out(HOST_1, &guest_2, Family::Ipv6, ORDINARY),
        ];
        let what = "Both guests send to the outside. The filter splits each large send into \
                    children that the NIC accepts, and the NIC cuts these into packets.";
        self.step("to the outside", what.to_owned(), sends)
    }

    fn latency(&mut self) -> Result<(), Error> {
        let old = self.advertised(HOST_1);
        self.stage.tune(HOST_1, Profile::Latency)?;
        let new = self.advertised(HOST_1);
        let (guest_1, guest_2) = (self.guest_1.clone(), self.guest_2.clone());
        let sends = vec![
            self.out(HOST_1, &guest_1, Family::Ipv4, new.ipv4),
            self.out(HOST_1, &guest_2, Family::Ipv6, old.ipv6),
        ];
        let what = "The administrator chooses the profile \"latency\", 2 times the NIC's size, and \
                    that is advertised to the guests at once. Guest 2 still sends one of the old \
                    size: it passes.";
        self.step("latency", what.to_owned(), sends)
    }

    fn cpu(&mut self) -> Result<(), Error> {
        self.stage.tune(HOST_1, Profile::Cpu)?;
        let new = self.advertised(HOST_1);
        let (guest_1, guest_2) = (self.guest_1.clone(), self.guest_2.clone());
        let sends = vec![
            self.out(HOST_1, &guest_1, Family::Ipv4, new.ipv4),
            self.out(HOST_1, &guest_2, Family::Ipv6, new.ipv6),
        ];
        let what = "The profile \"cpu\", 16 times: the fewest large sends, and the least work for \
                    each byte.";
        self.step("cpu", what.to_owned(), sends)
    }

    fn shrink(&mut self) -> Result<(), Error> {
        let old = self.advertised(HOST_1);
        let (guest_1, guest_2) = (self.guest_1.clone(), self.guest_2.clone());
        let world = self.stage.host(HOST_1).world().clone();
        world.set_nic(|nic| nic.completion.deferred = true);
        let mut under_way = Vec::new();
        let first = large_send(Family::Ipv4, old.ipv4);
        under_way.push(self.stage.begin(HOST_1, &guest_1, To::Outside, first));
        world.nic_changes(|nic| {
            nic.limits.v1.max_payload = SHRUNK;
            nic.limits.v2_ipv4.max_payload = SHRUNK;
            nic.limits.v2_ipv6.max_payload = SHRUNK;
        });
        for (guest, ip) in [(&guest_1, Family::Ipv4), (&guest_2, Family::Ipv6)] {
            let late = large_send(ip, old.over(ip));
            under_way.push(self.stage.begin(HOST_1, guest, To::Outside, late));
        }
        world.set_nic(|nic| nic.completion.deferred = false);
        while world.deliver() > 0 {}
        let settle = |one| self.stage.settle(one);
        let sends = under_way.into_iter().map(settle).collect();
        let what = format!(
            "The NIC shrinks to {} bytes while a large send is under way in it, and two more of \
             the old size arrive before the guests take note. None is lost.",
            number(SHRUNK.into())
        );
        self.step("NIC shrinks", what, sends)
    }

    fn migration(&mut self) -> Result<(), Error> {
        let (guest_1, guest_2) = (self.guest_1.clone(), self.guest_2.clone());
        let before = Sizes::from(guest_2.indicator());
        self.stage
            .add_host("host 2", OTHER_NIC, Some(OTHER_MULTIPLE))?;
        migrate(&guest_2, self.stage.host(HOST_1), self.stage.host(HOST_2));
        let after = Sizes::from(guest_2.indicator());
        let ordinary = large_send(Family::Ipv4, ORDINARY);
        let sends = vec![
            self.out(HOST_2, &guest_2, Family::Ipv4, before.ipv4),
            self.out(HOST_2, &guest_2, Family::Ipv6, after.ipv6),
            self.stage
                .send(HOST_1, &guest_1, To::Guest(&guest_2), ordinary),
        ];
        let what = format!(
            "Guest 2 migrates to host 2, whose filter advertises {OTHER_MULTIPLE} times what another \
             NIC accepts. It used {} bytes before, and {} is advertised to it now; a large send of \
             the old size still passes. What guest 1 sends to it now goes by the wire.",
            number(before.ipv4.into()),
            number(after.ipv4.into())
        );
        self.step("migration", what, sends)
    }

    fn pre_detach(&mut self) -> Result<(), Error> {
        let old = self.advertised(HOST_1);
        self.stage.pre_detach(HOST_1);
        let new = self.advertised(HOST_1);
        let guest_1 = self.guest_1.clone();
        let sends = vec![
            self.out(HOST_1, &guest_1, Family::Ipv4, old.ipv4),
            self.out(HOST_1, &guest_1, Family::Ipv6, new.ipv6),
        ];
        let what = "The filter of host 1 is about to be removed. It advertises the NIC's own size \
                    in time, and splits what still comes of the old size until it goes.";
        self.step("pre-detach", what.to_owned(), sends)
    }
}
