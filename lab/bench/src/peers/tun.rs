//! tun-rs, whose offload for TUN devices cuts a packet in memory: it copies the payload and
//! computes all checksums. It supports neither chains of buffers, nor Ethernet, nor packets above
//! 64 KiB.

use anyhow::ensure;
use tun_rs::{VIRTIO_NET_HDR_GSO_TCPV4, VirtioNetHdr, gso_split};

use crate::{
    cases::{Case, Nic, Traffic, Unit},
    frame, packets,
    time::Work,
};

pub(crate) fn prepare(case: &Case) -> anyhow::Result<Option<Work<'static>>> {
    let (Traffic::Tcp(mss), Nic::Nothing, Unit::Packet) = (case.traffic, case.nic, case.unit)
    else {
        return Ok(None);
    };
    let mut input = packets::header(case.traffic).split_off(frame::ETHERNET as usize);
    let header = VirtioNetHdr {
        flags: 1,
        gso_type: VIRTIO_NET_HDR_GSO_TCPV4,
        hdr_len: input.len() as u16,
        gso_size: mss as u16,
        csum_start: (frame::TRANSPORT - frame::ETHERNET) as u16,
        csum_offset: 16,
    };
    // It adds up lengths in 16 bits, those of the headers with.
    let segments = (u32::from(u16::MAX) - input.len() as u32) / mss;
    input.resize(input.len() + (segments * mss) as usize, 0xA5);
    let mut packets = vec![vec![0; 9100]; segments as usize];
    let mut sizes = vec![0; packets.len()];
    let mut split = move || gso_split(&mut input, header, &mut packets, &mut sizes, 0, false);
    let made = split()?;
    ensure!(made == segments as usize, "tun-rs made {made} packets");
    Ok(Some(Work::new(u64::from(segments), move |times| {
        for _ in 0..times {
            let _ = std::hint::black_box(split());
        }
    })))
}
