//! The story: the events, and the sends between them.

use control::{Multiple, Profile, Raise};
use harness::driver::Driver;
use harness::text::number;
use lso::IpVersion::{V4, V6};

use super::stage::Stage;
use super::step::Report;
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

pub(super) fn run(driver: &Driver) -> Result<Report, Error> {
    let mut stage = Stage::default();
    stage.add_host(driver, NIC)?;
    stage.add_guest();
    stage.add_guest();
    before_tuning(&mut stage)?;
    profiles(&mut stage)?;
    shrink(&mut stage)?;
    stage.add_host(driver, OTHER_NIC)?;
    migration(&mut stage)?;
    pre_detach(&mut stage)?;
    stage.stop()
}

/// Has the guests of host 1, each over its own version of IP, make a large send to the outside.
fn both(stage: &mut Stage<'_>, of_guest_1: u32, of_guest_2: u32) -> Result<(), Error> {
    stage.send(GUEST_1, None, V4, of_guest_1)?;
    stage.send(GUEST_2, None, V6, of_guest_2)
}

fn before_tuning(stage: &mut Stage<'_>) -> Result<(), Error> {
    let nic = number(NIC.into());
    let what = format!(
        "Host 1 starts. Its NIC accepts large sends of {nic} bytes; the filter advertises 8 times that, \
         and both guests learn it from the virtual switch."
    );
    stage.step("start", &what)?;

    stage.send(GUEST_1, Some(GUEST_2), V4, ORDINARY)?;
    let what = "Guest 1 sends to guest 2 on the same host. The switch delivers the large send whole: it \
                is never cut, and neither filter nor NIC sees it.";
    stage.step("guest to guest", what)?;

    both(stage, ORDINARY, ORDINARY)?;
    let what = "Both guests send to the outside. The filter splits each large send into children that \
                the NIC accepts, and the NIC cuts these into packets.";
    stage.step("to the outside", what)
}

fn profiles(stage: &mut Stage<'_>) -> Result<(), Error> {
    let old = stage.advertised(HOST_1, V6);
    stage.tune(HOST_1, Raise::Profile(Profile::Latency))?;
    both(stage, stage.advertised(HOST_1, V4), old)?;
    let what = "The administrator chooses the profile \"latency\", 2 times the NIC's maximum, which is \
                advertised to the guests at once. Guest 2 makes one more large send of the old size, \
                and it is still split.";
    stage.step("latency", what)?;

    stage.tune(HOST_1, Raise::Profile(Profile::Cpu))?;
    both(
        stage,
        stage.advertised(HOST_1, V4),
        stage.advertised(HOST_1, V6),
    )?;
    let what = "The administrator chooses the profile \"cpu\", 16 times the NIC's maximum: the fewest large \
                sends, and the least work per byte.";
    stage.step("cpu", what)
}

fn shrink(stage: &mut Stage<'_>) -> Result<(), Error> {
    let old = [V4, V6].map(|ip| stage.advertised(HOST_1, ip));
    let world = stage.world(HOST_1).clone();
    world.set_nic(|nic| nic.completion.deferred = true);
    stage.send(GUEST_1, None, V4, old[0])?;
    world.nic_changes(|nic| {
        nic.limits.v1.max_payload = SHRUNK;
        nic.limits.v2_ipv4.max_payload = SHRUNK;
        nic.limits.v2_ipv6.max_payload = SHRUNK;
    });
    both(stage, old[0], old[1])?;
    world.set_nic(|nic| nic.completion.deferred = false);
    while world.deliver() > 0 {}
    let what = format!(
        "The NIC lowers its maximum to {} bytes while it is sending, and two more large sends of the \
         old size arrive before the guests notice. None is lost.",
        number(SHRUNK.into())
    );
    stage.step("NIC shrinks", &what)
}

fn migration(stage: &mut Stage<'_>) -> Result<(), Error> {
    let before = stage.advertised(HOST_1, V4);
    let multiple = Multiple::new(OTHER_MULTIPLE).expect("from 1 to 16");
    stage.tune(HOST_2, Raise::Multiple(multiple))?;
    stage.migrate(GUEST_2, HOST_2);
    let after = [V4, V6].map(|ip| stage.advertised(HOST_2, ip));
    stage.send(GUEST_2, None, V4, before)?;
    stage.send(GUEST_2, None, V6, after[1])?;
    stage.send(GUEST_1, Some(GUEST_2), V4, ORDINARY)?;
    let what = format!(
        "Guest 2 migrates to host 2, whose filter advertises {OTHER_MULTIPLE} times the maximum of \
         its own NIC. The guest used {} bytes before, and {} are advertised to it now; a large send of \
         the old size is still split. From now on, guest 1's traffic to guest 2 leaves on the wire.",
        number(before.into()),
        number(after[0].into())
    );
    stage.step("migration", &what)
}

fn pre_detach(stage: &mut Stage<'_>) -> Result<(), Error> {
    let old = stage.advertised(HOST_1, V4);
    stage.pre_detach(HOST_1);
    stage.send(GUEST_1, None, V4, old)?;
    stage.send(GUEST_1, None, V6, stage.advertised(HOST_1, V6))?;
    let what = "The filter of host 1 is about to be removed. It advertises the NIC's own size beforehand, \
                and splits large sends of the old size until it is gone.";
    stage.step("pre-detach", what)
}
