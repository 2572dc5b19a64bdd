//! The packets of the exercise.

use etherparse::PacketBuilder;
use model::Packet;

use testpkt::synth::Synth;

/// The addresses of the packets' Ethernet headers.
const STATION: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 9];
/// Bytes of payload in a segment of a large send.
pub(super) const MSS: u32 = 1448;

/// Makes packets that all differ.
#[derive(Default)]
pub(super) struct Frames {
    made: u32,
}

impl Frames {
    /// Frames for another thread, of other connections.
    pub(super) fn of_thread(thread: u32) -> Self {
        Self {
            made: (thread + 1) << 20,
        }
    }

    fn next(&mut self) -> u32 {
        self.made += 1;
        self.made
    }

    /// A TCP frame with `payload` bytes.
    pub(super) fn tcp(&mut self, payload: usize) -> Vec<u8> {
        let number = self.next();
        let port = 0xC000 | (number >> 20) as u16;
        let sequence = number.wrapping_mul(0x1_0001);
        let header = PacketBuilder::ethernet2(STATION, PEER)
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .tcp(port, 80, sequence, 0x4000)
            .ack(1);
        let payload: Vec<u8> = (0..payload)
            .map(|at| (at as u32 * 7 + number) as u8)
            .collect();
        let mut frame = Vec::new();
        // Frames of this size cannot fail to be written.
        let _ = header.write(&mut frame, &payload);
        frame
    }

    /// A packet with `payload` bytes of TCP.
    pub(super) fn packet(&mut self, payload: usize) -> Packet {
        Packet::new(self.tcp(payload))
    }

    /// A large send of TCP with `payload` bytes, in buffers of 4 KiB.
    pub(super) fn large(&mut self, payload: u32) -> Packet {
        let number = self.next();
        let send = match number % 3 {
            0 => Synth::v6(payload, MSS),
            _ => Synth::v4(payload, MSS),
        };
        let send = send.seq(number.wrapping_mul(0x10_0000)).seed(number.into());
        Packet::large_send(send.frame(false), MSS).in_buffers(4096)
    }
}
