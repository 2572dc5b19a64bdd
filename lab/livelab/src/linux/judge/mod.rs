//! `mslso-lab traffic --judge`: the kernel as the judge of the filter.
//!
//! The same large send goes twice into a wire whose end does not segment, so that the kernel
//! segments it: once unchanged, and once through the filter, as children. Only a packet socket is
//! behind the wire, and it must receive the same packets, byte for byte. The kernel shares no code
//! with the filter or with the lab's own reference, and computes every checksum itself.

mod cases;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use model::{Config, Nic, Outgoing, SendCall, Slots, Wire, World};
use ndis::LargeSendInfo;
use serde::Serialize;

use cases::cases;

use super::doing::Doing;
use super::ethtool::no_send_offloads;
use super::namespace::Namespace;
use super::netlink::{Device, End, Netlink};
use super::packet::{BATCH, Direction, PacketSocket};
use super::second_stage::second_stage;
use super::vnet::{LENGTH, VnetHeader};
use crate::args::{LabArgs, SecondStage};
use crate::error::Error;
use harness::driver::Driver;
use harness::ingest::{LargeSend, LsoVersion, Terms, ingest};
use harness::machine::turned_on;
use harness::text::{ip_name, lined, number};

/// A large send and the kernel's verdict on it.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// The special feature of the case.
    pub case: String,
    /// Its version of IP.
    pub ip: &'static str,
    /// Bytes of TCP payload.
    pub payload: u32,
    pub mss: u32,
    /// The children that the filter made of it.
    pub children: usize,
    /// Packets that the kernel alone made of it.
    pub packets: usize,
    /// Where the two differ, if they do.
    pub difference: Option<String>,
}

/// The MTU between the two: as large as a device's, for the largest MSS.
const MTU: u32 = 9000;
/// How long a packet may take from one end of a cable to the other.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Runs all cases with `driver`.
///
/// # Errors
///
/// This machine cannot be used for it, the driver does not start, or it was interrupted.
pub fn judge(
    driver: &Driver,
    args: &LabArgs,
    stop: &AtomicBool,
) -> Result<(Vec<Judged>, Vec<String>), Error> {
    let bench = Bench::build()?;
    let world = World::new(turned_on(Config {
        mtu: Some(MTU),
        ..Config::with_nic(Nic::new(args.nic_max, args.min_segments))
    }));
    let taken = Taken::default();
    world.set_wire(taken.clone());
    start(driver, &world)?;
    let mut judged = Vec::new();
    for (case, synth) in cases() {
        if stop.load(Relaxed) {
            return Err(Error::Interrupted);
        }
        let terms = Terms {
            lso: LsoVersion::V2,
            min_segments: args.min_segments,
        };
        // All are large sends that a stack may make.
        if let Ok(Some(send)) = ingest(&synth.frame(false), synth.mss, terms) {
            judged.push(bench.judge(&world, &taken, case, &send)?);
        }
    }
    let wrong = world.stop().iter().map(ToString::to_string).collect();
    Ok((judged, wrong))
}

#[expect(unsafe_code, reason = "starts the driver, and lets go of it in time")]
fn start(driver: &Driver, world: &std::sync::Arc<World>) -> Result<(), Error> {
    // SAFETY: the world is stopped and dropped within the borrow of the driver.
    Ok(unsafe { driver.start(world) }?)
}

/// The packets as a person reads them.
pub fn text(judged: &[Judged], wrong: &[String]) -> String {
    let columns = [
        ("large send", false),
        ("IP", false),
        ("bytes", true),
        ("MSS", true),
        ("children", true),
        ("packets", true),
        ("by the kernel alone, and after the filter", false),
    ];
    let rows = judged.iter().map(|one| {
        [
            one.case.clone(),
            one.ip.to_owned(),
            number(one.payload.into()),
            number(one.mss.into()),
            number(one.children as u64),
            number(one.packets as u64),
            match &one.difference {
                None => "✓ same".to_owned(),
                Some(why) => format!("✗ {why}"),
            },
        ]
    });
    let table = lined(&columns, rows);
    let differ = judged.iter().filter(|one| one.difference.is_some()).count() + wrong.len();
    let verdict = if judged.is_empty() && differ == 0 {
        "NOTHING TESTED: the NIC accepts no large send of so few segments.".to_owned()
    } else if differ == 0 {
        format!(
            "PASS: of {} large sends and of their children the kernel makes the same packets, byte for byte.",
            judged.len()
        )
    } else {
        format!("FAIL: {differ} faults were found; they are named above.")
    };
    format!("{table}\n\n{verdict}\n")
}

/// The packets that leave the model's NIC, in the form that the kernel takes.
#[derive(Clone, Default)]
struct Taken(std::sync::Arc<std::sync::Mutex<Vec<Vec<Piece>>>>);

/// One message in one piece.
type Piece = (VnetHeader, Vec<u8>);

impl Taken {
    fn take(&self) -> Vec<Piece> {
        let mut all = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut *all).concat()
    }
}

impl Wire for Taken {
    fn transmit(&mut self, packets: &[Outgoing<'_>]) {
        let pieces = for_kernel(packets);
        let mut all = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        all.push(pieces);
    }
}

fn for_kernel(packets: &[Outgoing<'_>]) -> Vec<Piece> {
    let mut messages = Vec::new();
    for packet in packets {
        // A packet that cannot be segmented is missing at the other end.
        let _ = second_stage(SecondStage::Kernel, packet, &mut messages);
    }
    let pieces = messages.iter().map(|one| (one.header, one.frame()));
    pieces.collect()
}

/// Two ends of a cable with no other station on it.
struct Bench {
    from: PacketSocket,
    to: PacketSocket,
}

impl Bench {
    fn build() -> Result<Self, Error> {
        let (near, far) = (Namespace::new("the NIC")?, Namespace::new("the judge")?);
        for end in [&near, &far] {
            end.sysctl("ipv6/conf/default/disable_ipv6", "1")?;
        }
        let mut here = Netlink::open(&near)?;
        let mut there = Netlink::open(&far)?;
        let end = |namespace, last| End {
            name: "eth0",
            namespace,
            mac: [2, 0x4C, 0x53, 0x4F, 2, last],
        };
        here.add_veth(&end(&near, 1), &end(&far, 2), MTU)?;
        let (near_device, far_device) = (up(&mut here)?, up(&mut there)?);
        no_send_offloads(&near, "eth0")?;
        let bench = Self {
            from: PacketSocket::open(&near, near_device, Direction::Send)?,
            to: PacketSocket::open(&far, far_device, Direction::Both)?,
        };
        bench.await_cable()?;
        Ok(bench)
    }

    /// Waits until frames pass: a device that was turned on drops them for some time yet.
    fn await_cable(&self) -> Result<(), Error> {
        // Between the two ends, of the EtherType for experiments (IEEE 802, 9.2.3).
        let mut probe = vec![0; 60];
        probe[..14].copy_from_slice(&[
            2, 0x4C, 0x53, 0x4F, 2, 2, 2, 0x4C, 0x53, 0x4F, 2, 1, 0x88, 0xB5,
        ]);
        let begun = Instant::now();
        while begun.elapsed() < TIMEOUT {
            let sent = [(VnetHeader::default(), probe.clone())];
            if !self.cross(&sent, 1, Duration::from_millis(20))?.is_empty() {
                // Late ones of the probes before must not count as packets of a large send.
                self.cross(&[], usize::MAX, Duration::from_millis(100))?;
                return Ok(());
            }
        }
        let line = "no frame comes through a cable of the lab's; is a firewall in the way?";
        Err(Error::Transfer(line.to_owned()))
    }

    fn judge(
        &self,
        world: &std::sync::Arc<World>,
        taken: &Taken,
        case: String,
        send: &LargeSend,
    ) -> Result<Judged, Error> {
        let ipv6 = send.ip == lso::IpVersion::V6;
        let parts = model::parts(&send.frame);
        let tcp = parts.map_or(0, |parts| parts.tcp) as u32;
        let alone = for_kernel(&[Outgoing {
            slots: Slots {
                large_send: LargeSendInfo::v2(send.mss, tcp, ipv6),
                ..Slots::default()
            },
            parent: None,
            bytes: vec![&send.frame],
        }]);
        let count = send.payload.div_ceil(send.mss) as usize;
        let alone = self.cross(&alone, count, TIMEOUT)?;
        let packet = model::Packet::large_send(send.frame.clone(), send.mss);
        world.send(vec![packet.in_buffers(send.buffer)], SendCall::default());
        let children = taken.take();
        let split = self.cross(&children, count, TIMEOUT)?;
        Ok(Judged {
            case,
            ip: ip_name(send.ip),
            payload: send.payload,
            mss: send.mss,
            children: children.len(),
            packets: alone.len(),
            difference: difference(&alone, &split, count),
        })
    }

    /// The packets of `pieces` that arrive within `patience`; the kernel should make `count` of
    /// them.
    fn cross(
        &self,
        pieces: &[Piece],
        count: usize,
        patience: Duration,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let sending = || "sending to the judge".to_owned();
        for (header, frame) in pieces {
            let message = super::packet::Message {
                header: *header,
                front: Vec::new(),
                rest: vec![frame],
            };
            let lost = self.from.send(&[message]).doing(sending)?;
            if lost > 0 {
                let line = format!(
                    "the kernel has no place for a frame of {} bytes",
                    frame.len()
                );
                return Err(Error::Transfer(line));
            }
        }
        let mut arrived = Vec::new();
        let begun = Instant::now();
        let mut memory = vec![vec![0; 16 << 10]; BATCH];
        while arrived.len() < count && begun.elapsed() < patience {
            let receiving = || "receiving as the judge".to_owned();
            PacketSocket::wait(std::iter::once(&self.to), 20).doing(receiving)?;
            let mut buffers: Vec<_> = memory.iter_mut().map(|one| &mut one[..]).collect();
            let lengths = self.to.receive(&mut buffers).doing(receiving)?;
            for (bytes, one) in memory.iter().zip(lengths) {
                arrived.push(bytes[LENGTH..one.length].to_vec());
            }
        }
        Ok(arrived)
    }
}

fn up(netlink: &mut Netlink) -> Result<Device, Error> {
    let device = netlink.device("eth0")?;
    netlink.up(device)?;
    Ok(device)
}

/// The first difference, or the missing packets.
fn difference(alone: &[Vec<u8>], split: &[Vec<u8>], count: usize) -> Option<String> {
    if alone.len() != count || split.len() != count {
        return Some(format!(
            "{} and {} packets, {count} are right",
            alone.len(),
            split.len()
        ));
    }
    let mut pairs = alone.iter().zip(split).enumerate();
    let (number, (a, b)) = pairs.find(|(_, (a, b))| a != b)?;
    let at = a.iter().zip(b).position(|(a, b)| a != b);
    let at = at.unwrap_or(a.len().min(b.len()));
    Some(format!("packet {} differs at byte {at}", number + 1))
}
