//! Reading a packet's bytes, wherever they lie: its front gathered, its payload summed up.

use std::sync::Arc;

use checksum::Sum;
use model::{Backing, Config, Failing, World};
use ndis::{BufferError, NetBuffer};
use scenarios::{assert_clean, raw::RawPacket};

/// So many different bytes.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// `bytes` in buffers of these lengths, the rest in a last one, each at another place in a page.
fn cut<'a>(bytes: &'a [u8], lengths: &[usize]) -> Vec<(usize, &'a [u8])> {
    let mut rest = bytes;
    let mut buffers = Vec::new();
    for length in lengths {
        let (part, after) = rest.split_at(*length);
        buffers.push((buffers.len() * 1021, part));
        rest = after;
    }
    buffers.push((4095, rest));
    buffers
}

/// Where to cut 6,000 bytes.
fn cuts() -> Vec<Vec<usize>> {
    vec![
        vec![],
        vec![1],
        vec![0, 0, 1, 0],
        vec![1; 5_999],
        vec![511, 2, 513, 0, 1023],
        vec![4096],
        vec![3; 1_000],
    ]
}

fn inside(test: impl FnOnce(&Arc<World>)) {
    let world = World::new(Config::default());
    world.inside(|| test(&world));
    assert_clean(&world.finish());
}

/// The packet of `all`, however it is cut, and whether or not it is mapped.
fn however_cut(all: &[u8], test: impl Fn(&NetBuffer<'_>)) {
    inside(|_| {
        for backing in [Backing::NonPagedPool, Backing::LockedPages] {
            for lengths in cuts() {
                let mut packet = RawPacket::new(&cut(all, &lengths), 0, backing);
                let nbl = packet.nbl();
                test(&nbl.first_net_buffer().expect("a packet"));
                packet.unmap();
            }
        }
    });
}

#[test]
fn the_front_is_gathered_from_wherever_it_is() {
    let all = bytes(6_000);
    however_cut(&all, |first| {
        for room in [0, 1, 54, 256, 6_000, 7_000] {
            let mut into = vec![0; room];
            let front = first.copy_front_gathered(&mut into).expect("a front");
            assert_eq!(front, &all[..room.min(6_000)]);
        }
    });
}

#[test]
fn the_front_begins_where_the_packet_does_and_ends_with_it() {
    let all = bytes(300);
    inside(|_| {
        let mut packet = RawPacket::new(&cut(&all, &[100, 5]), 99, Backing::NonPagedPool);
        let nbl = packet.nbl();
        let first = nbl.first_net_buffer().expect("a packet");
        let mut into = [0; 256];
        let front = first.copy_front_gathered(&mut into).expect("a front");
        assert_eq!(front, &all[99..]);
        // The bytes in the first MDL alone.
        assert_eq!(first.copy_front(&mut into), Ok(&all[99..100]));
    });
}

/// The ones' complement sum of `bytes`, word by word (RFC 1071).
fn ones_sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2);
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)))
        .sum();
    (0..2).fold(sum, |sum, _| (sum >> 16) + (sum & 0xFFFF)) as u16
}

#[test]
fn payload_is_summed_however_it_is_cut() {
    let all = bytes(6_000);
    however_cut(&all, |first| {
        for (skip, length) in [(0, 6_000), (1, 1_448), (54, 5_946), (999, 1), (6_000, 0)] {
            let cursor = first.payload(skip).expect("within the packet");
            let expected = ones_sum(&all[skip as usize..(skip + length) as usize]);
            // Twice: summing does not move the cursor.
            assert_eq!(cursor.sum(length).map(Sum::folded), Ok(expected));
            assert_eq!(cursor.sum(length).map(Sum::folded), Ok(expected));
        }
    });
}

#[test]
fn bytes_beyond_the_packet_are_not_read() {
    let all = bytes(1_000);
    inside(|_| {
        for lengths in [vec![], vec![999], vec![100, 0, 900]] {
            let mut packet = RawPacket::new(&cut(&all, &lengths), 0, Backing::NonPagedPool);
            packet.lengthen(1);
            let nbl = packet.nbl();
            let first = nbl.first_net_buffer().expect("a packet");
            let mut into = [0; 2_000];
            let gathered = first.copy_front_gathered(&mut into);
            assert_eq!(gathered, Err(BufferError::Malformed));
            let cursor = first.payload(10).expect("within the packet");
            assert_eq!(cursor.sum(991), Err(BufferError::Malformed));
            assert_eq!(cursor.sum(990).map(|_| ()), Ok(()));
        }
    });
}

#[test]
fn a_mapping_that_fails_is_an_error() {
    let all = bytes(1_000);
    inside(|world| {
        for n in 0..4 {
            let mut packet = RawPacket::new(&cut(&all, &[300, 300, 300]), 0, Backing::LockedPages);
            let asked = world.fail_allocations(Failing::None);
            world.fail_allocations(Failing::Nth(asked + n));
            let nbl = packet.nbl();
            let first = nbl.first_net_buffer().expect("a packet");
            let mut into = [0; 1_000];
            let gathered = first.copy_front_gathered(&mut into);
            assert_eq!(gathered, Err(BufferError::NotMapped));
            world.fail_allocations(Failing::None);
            packet.unmap();

            let asked = world.fail_allocations(Failing::None);
            world.fail_allocations(Failing::Nth(asked + n));
            let cursor = first.payload(0).expect("a packet");
            assert_eq!(cursor.sum(1_000), Err(BufferError::NotMapped));
            // A mapping stays until its owner unmaps it.
            assert_eq!(cursor.sum(1_000).map(|_| ()), Ok(()));
            packet.unmap();
        }
    });
}
