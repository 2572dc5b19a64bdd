//! The story: the events, and the sends between them.

use control::Profile;
use harness::driver::Driver;
use harness::ingest::{LargeSend, LsoVersion, Terms, ingest};
use harness::text::number;
use lso::IpVersion::{self, V4, V6};
use testpkt::synth::Synth;

use super::stage::Stage;
use super::step::{Report, SendRecord};
use crate::error::Error;

/// The first host's NIC maximum: 43 × 1,460 bytes, as Hyper-V's virtual NIC reports it.
const NIC: u32 = 62_780;
/// The same after it has shrunk: 28 × 1,460 bytes.
const SHRUNK: u32 = 40_880;
/// The second host's NIC maximum, and its multiple.
const OTHER_NIC: u32 = 128_000;
const OTHER_MULTIPLE: u32 = 4;

/// An ordinary large send of a guest.
const ORDINARY: u32 = 500_000;

/// Hosts and guests, in the order in which they come.
const HOST_1: usize = 0;
const HOST_2: usize = 1;
const GUEST_1: usize = 0;
const GUEST_2: usize = 1;

/// Runs it with `driver`.
///
/// # Errors
///
/// The driver does not start or does not answer.
pub(super) fn run(driver: &Driver) -> Result<Report, Error> {
    let mut stage = Stage::new(driver);
    stage.add_host(NIC, None)?;
    stage.add_guest();
    stage.add_guest();
    before_tuning(&mut stage)?;
    profiles(&mut stage)?;
    shrink(&mut stage)?;
    migration(&mut stage)?;
    pre_detach(&mut stage)?;
    stage.stop()
}

/// A large send of `payload` bytes over Ethernet, as a guest's TCP makes it.
///
/// # Panics
///
/// Never: the story's sizes are those of large sends.
pub(super) fn large_send(ip: IpVersion, payload: u32) -> LargeSend {
    let synth = match ip {
        V4 => Synth::v4(payload, 1448),
        V6 => Synth::v6(payload, 1428),
    };
    let terms = Terms {
        lso: LsoVersion::V2,
        min_segments: 2,
    };
    ingest(&synth.frame(false), synth.mss, terms)
        .expect("a packet that may be split")
        .expect("more payload than the MSS")
}

/// Has the guests of host 1, each over its own version of IP, make a large send to the outside.
fn both(stage: &mut Stage<'_>, of_guest_1: u32, of_guest_2: u32) -> Vec<SendRecord> {
    let first = stage.send(GUEST_1, None, large_send(V4, of_guest_1));
    let second = stage.send(GUEST_2, None, large_send(V6, of_guest_2));
    vec![first, second]
}

fn before_tuning(stage: &mut Stage<'_>) -> Result<(), Error> {
    let what = format!(
        "Host 1 starts. Its NIC accepts large sends of {} bytes; the filter advertises 8 times that, \
         and both guests learn it from the virtual switch.",
        number(NIC.into())
    );
    stage.step("start", what, Vec::new())?;

    let whole = stage.whole(GUEST_1, GUEST_2, large_send(V4, ORDINARY))?;
    let what = "Guest 1 sends to guest 2 on the same host. The switch passes the large send on whole: \
                nobody ever cuts it, and neither filter nor NIC sees it.";
    stage.step("guest to guest", what, vec![whole])?;

    let sends = both(stage, ORDINARY, ORDINARY);
    let what = "Both guests send to the outside. The filter splits each large send into children that \
                the NIC accepts, and the NIC cuts these into packets.";
    stage.step("to the outside", what, sends)
}

fn profiles(stage: &mut Stage<'_>) -> Result<(), Error> {
    let old = stage.advertised(HOST_1);
    stage.tune(HOST_1, Profile::Latency)?;
    let new = stage.advertised(HOST_1);
    let sends = both(stage, new.ipv4, old.ipv6);
    let what = "The administrator chooses the profile \"latency\", 2 times the NIC's size, and that is \
                advertised to the guests at once. Guest 2 still sends one of the old size: it passes.";
    stage.step("latency", what, sends)?;

    stage.tune(HOST_1, Profile::Cpu)?;
    let new = stage.advertised(HOST_1);
    let sends = both(stage, new.ipv4, new.ipv6);
    let what =
        "The profile \"cpu\", 16 times: the fewest large sends, and the least work for each byte.";
    stage.step("cpu", what, sends)
}

fn shrink(stage: &mut Stage<'_>) -> Result<(), Error> {
    let old = stage.advertised(HOST_1);
    let world = stage.world(HOST_1).clone();
    world.set_nic(|nic| nic.completion.deferred = true);
    let mut under_way = vec![stage.begin(GUEST_1, None, large_send(V4, old.ipv4))];
    world.nic_changes(|nic| {
        nic.limits.v1.max_payload = SHRUNK;
        nic.limits.v2_ipv4.max_payload = SHRUNK;
        nic.limits.v2_ipv6.max_payload = SHRUNK;
    });
    for (guest, ip) in [(GUEST_1, V4), (GUEST_2, V6)] {
        under_way.push(stage.begin(guest, None, large_send(ip, old.over(ip))));
    }
    world.set_nic(|nic| nic.completion.deferred = false);
    while world.deliver() > 0 {}
    let sends = under_way.into_iter().map(|one| stage.settle(one)).collect();
    let what = format!(
        "The NIC shrinks to {} bytes while a large send is under way in it, and two more of the old \
         size arrive before the guests take note. None is lost.",
        number(SHRUNK.into())
    );
    stage.step("NIC shrinks", what, sends)
}

fn migration(stage: &mut Stage<'_>) -> Result<(), Error> {
    let before = stage.advertised(HOST_1);
    stage.add_host(OTHER_NIC, Some(OTHER_MULTIPLE))?;
    stage.migrate(GUEST_2, HOST_2);
    let after = stage.advertised(HOST_2);
    let sends = vec![
        stage.send(GUEST_2, None, large_send(V4, before.ipv4)),
        stage.send(GUEST_2, None, large_send(V6, after.ipv6)),
        stage.send(GUEST_1, Some(GUEST_2), large_send(V4, ORDINARY)),
    ];
    let what = format!(
        "Guest 2 migrates to host 2, whose filter advertises {OTHER_MULTIPLE} times what another NIC \
         accepts. It used {} bytes before, and {} is advertised to it now; a large send of the old size \
         still passes. What guest 1 sends to it now goes by the wire.",
        number(before.ipv4.into()),
        number(after.ipv4.into())
    );
    stage.step("migration", what, sends)
}

fn pre_detach(stage: &mut Stage<'_>) -> Result<(), Error> {
    let old = stage.advertised(HOST_1);
    stage.pre_detach(HOST_1);
    let new = stage.advertised(HOST_1);
    let sends = vec![
        stage.send(GUEST_1, None, large_send(V4, old.ipv4)),
        stage.send(GUEST_1, None, large_send(V6, new.ipv6)),
    ];
    let what = "The filter of host 1 is about to be removed. It advertises the NIC's own size in time, \
                and splits what still comes of the old size until it goes.";
    stage.step("pre-detach", what, sends)
}
