//! However a large send lies in memory, its payload is lent to the children and never copied.

use model::{Backing, Config, Nic, Packet};
use scenarios::{
    Machine,
    packets::{MSS, header_length, large_v4, large_v6},
};
use testpkt::synth::IpVersion;

/// A NIC with a maximum of three segments, so that short sends have several children.
fn short_machine() -> Machine {
    Machine::with_nic(Nic::new(3 * MSS, 2))
}

#[test]
fn a_header_in_several_mdls_is_gathered() {
    for nic in [Nic::default(), Nic::default().without_lso()] {
        let machine = Machine::with_nic(nic);
        for buffers in [vec![0], vec![40], vec![65], vec![13, 1, 20, 40]] {
            machine.assert_split(Packet {
                buffers,
                ..large_v4(100_000)
            });
        }
        machine.stop_clean();
    }
}

#[test]
fn buffers_of_every_size_are_lent() {
    let machine = Machine::start(Config::default());
    for size in [64 << 10, 4096, 4095, 1448, 62_780] {
        machine.assert_split(large_v4(300_000).in_buffers(size));
        machine.assert_split(large_v6(300_000).in_buffers(size));
    }
    machine.stop_clean();
}

#[test]
fn buffers_of_one_byte_are_lent() {
    let machine = short_machine();
    machine.assert_split(large_v4(9_000).in_buffers(1));
    machine.stop_clean();
}

#[test]
fn mixed_and_empty_buffers_are_lent() {
    let machine = short_machine();
    let header = header_length(IpVersion::V4);
    for buffers in [
        vec![header, 1, 0, 0, 4343, 4344, 0, 5000, 1],
        vec![header + 4344, 4344, 4344],
        vec![header, 4344, 4344, 4344],
        vec![header + 1, 0, 8687],
        vec![header, 20_000, 0],
    ] {
        let packet = large_v4(20_000);
        machine.assert_split(Packet { buffers, ..packet });
    }
    machine.stop_clean();
}

#[test]
fn a_packet_may_start_anywhere_in_its_first_mdl_and_on_its_page() {
    let machine = short_machine();
    for (data_offset, page_offset) in [(0, 1), (64, 0), (256, 4095), (5000, 2048), (4096, 4090)] {
        for packet in [
            large_v4(20_000),
            large_v6(20_000).in_buffers(4096),
            large_v4(20_000).in_buffers(777),
        ] {
            machine.assert_split(Packet {
                data_offset,
                page_offset,
                ..packet
            });
        }
    }
    machine.stop_clean();
}

#[test]
fn locked_pages_are_mapped_where_they_must_be_and_no_more() {
    let machine = short_machine();
    for packet in [large_v4(20_000), large_v4(20_000).in_buffers(4096)] {
        for page_offset in [0, 99] {
            // Twice, so that children with a partial MDL that was mapped are used again.
            for _ in 0..2 {
                machine.assert_split(Packet {
                    backing: Backing::LockedPages,
                    page_offset,
                    ..packet.clone()
                });
            }
        }
    }
    machine.stop_clean();
}
