//! A transfer: one station sends a pseudo-random stream by TCP, another receives it, and both take
//! its SHA-256.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lso::IpVersion;
use nix::libc;
use nix::sys::socket::getsockopt;
use sha2::{Digest, Sha256};

use super::doing::Doing;
use super::network::Station;
use crate::error::Error;
use harness::random::Random;

mod option {
    use nix::libc;
    // Used by the other without its path.
    use nix::{getsockopt_impl, sockopt_impl};

    sockopt_impl!(
        /// The kernel's state of a connection.
        TcpInfo, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, libc::tcp_info
    );
}

/// How much is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many bytes.
    Bytes(u64),
    /// As much as goes in this time.
    For(Duration),
}

/// A transfer to be made.
pub struct Transfer<'a> {
    /// The sender.
    pub from: &'a Station,
    /// The receiver.
    pub to: &'a Station,
    pub ip: IpVersion,
    /// How much.
    pub amount: Amount,
    /// The seed that the stream's bytes are made from.
    pub seed: u64,
}

/// The result of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// Bytes that went in.
    pub sent: u64,
    /// Bytes that came out.
    pub received: u64,
    /// SHA-256 of what went in.
    pub sent_digest: [u8; 32],
    /// SHA-256 of what came out.
    pub received_digest: [u8; 32],
    /// How long it took.
    pub time: Duration,
    /// Packets that the sender sent again.
    pub retransmitted: u32,
}

impl Transferred {
    /// Whether all arrived as it was sent.
    pub fn is_whole(&self) -> bool {
        self.sent == self.received && self.sent_digest == self.received_digest
    }
}

/// Bytes written at once.
const CHUNK: usize = 1 << 20;
/// How long a transfer may stand still.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a station looks whether to end.
const LOOK: Duration = Duration::from_millis(200);

impl Transfer<'_> {
    /// Makes the transfer, counting in `progress` the bytes that have arrived, until it is done or
    /// `stop`.
    ///
    /// # Errors
    ///
    /// The system's error, or the stream stalls.
    pub fn run(&self, progress: &AtomicU64, stop: &AtomicBool) -> Result<Transferred, Error> {
        let name = || format!("the transfer from {} to {}", self.from.name, self.to.name);
        let address = SocketAddr::new(self.to.address(self.ip), 0);
        let listener = self
            .to
            .namespace
            .inside(|| TcpListener::bind(address).doing(name))?;
        let address = listener.local_addr().doing(name)?;
        // On the way through the driver, even the system's errors are faults of the driver.
        let failed = |why: io::Error| Error::Transfer(format!("{}: {why}", name()));
        let begun = Instant::now();
        let (sent, received) = thread::scope(|scope| {
            let receiver = scope.spawn(|| receive(&listener, progress, stop));
            let sender = scope.spawn(|| {
                self.from.namespace.enter()?;
                send(address, self.amount, self.seed, stop).map_err(failed)
            });
            (sender.join(), receiver.join())
        });
        if stop.load(Relaxed) {
            return Err(Error::Interrupted);
        }
        let early = || Error::Transfer(format!("{}: a thread ended early", name()));
        let sent = sent.map_err(|_| early())??;
        let (received, received_digest) = received.map_err(|_| early())?.map_err(failed)?;
        Ok(Transferred {
            sent: sent.bytes,
            received,
            sent_digest: sent.digest,
            received_digest,
            time: begun.elapsed(),
            retransmitted: sent.retransmitted,
        })
    }
}

struct Sent {
    bytes: u64,
    digest: [u8; 32],
    retransmitted: u32,
}

fn send(to: SocketAddr, amount: Amount, seed: u64, stop: &AtomicBool) -> io::Result<Sent> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(10))?;
    stream.set_write_timeout(Some(LOOK))?;
    let (mut random, mut hash, mut bytes) = (Random::new(seed), Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK];
    let begun = Instant::now();
    loop {
        let left = match amount {
            Amount::Bytes(all) => all - bytes,
            Amount::For(time) if begun.elapsed() < time => u64::MAX,
            Amount::For(_) => 0,
        };
        let length = left.min(CHUNK as u64) as usize;
        if length == 0 || stop.load(Relaxed) {
            break;
        }
        random.fill(&mut chunk[..length]);
        hash.update(&chunk[..length]);
        write_all(&mut stream, &chunk[..length], stop)?;
        bytes += length as u64;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    // Until the other side has all bytes, retransmits are still to be counted.
    stream.set_read_timeout(Some(LOOK))?;
    await_end(&mut stream, stop)?;
    Ok(Sent {
        bytes,
        digest: hash.finalize().into(),
        retransmitted: retransmitted(&stream)?,
    })
}

/// Writes all, however long, as long as there is progress.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8], stop: &AtomicBool) -> io::Result<()> {
    let mut moved = Instant::now();
    while !bytes.is_empty() && !stop.load(Relaxed) {
        match stream.write(bytes) {
            Ok(count) => {
                bytes = &bytes[count..];
                moved = Instant::now();
            }
            Err(error) if is_waiting(&error) => still(moved)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn await_end(stream: &mut TcpStream, stop: &AtomicBool) -> io::Result<()> {
    let begun = Instant::now();
    while !stop.load(Relaxed) {
        match stream.read(&mut [0; 16]) {
            Ok(_) => break,
            Err(error) if is_waiting(&error) => still(begun)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn receive(
    listener: &TcpListener,
    progress: &AtomicU64,
    stop: &AtomicBool,
) -> io::Result<(u64, [u8; 32])> {
    let mut stream = accept(listener, stop)?;
    stream.set_read_timeout(Some(LOOK))?;
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK];
    let mut moved = Instant::now();
    while !stop.load(Relaxed) {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => {
                hash.update(&chunk[..count]);
                bytes += count as u64;
                progress.fetch_add(count as u64, Relaxed);
                moved = Instant::now();
            }
            Err(error) if is_waiting(&error) => still(moved)?,
            Err(error) => return Err(error),
        }
    }
    Ok((bytes, hash.finalize().into()))
}

/// Takes the first connection.
pub(super) fn accept(listener: &TcpListener, stop: &AtomicBool) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let begun = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if is_waiting(&error) && !stop.load(Relaxed) => still(begun)?,
            Err(error) => return Err(error),
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn is_waiting(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// Fails where nothing has moved for too long.
fn still(moved: Instant) -> io::Result<()> {
    if moved.elapsed() < TIMEOUT {
        return Ok(());
    }
    let seconds = TIMEOUT.as_secs();
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        format!("nothing moved for {seconds} seconds"),
    ))
}

fn retransmitted(stream: &TcpStream) -> io::Result<u32> {
    let info: libc::tcp_info = getsockopt(stream, option::TcpInfo)?;
    Ok(info.tcpi_total_retrans)
}
