//! The measured load: a bulk transfer, and latency-sensitive requests beside it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lso::IpVersion;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::super::doing::Doing;
use super::super::network::Station;
use super::super::stream::accept;
use super::super::system::thread_time;
use crate::error::Error;

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Processor seconds of the thread that sends, its stack's work for it included, for a gigabyte
    /// (10^9 bytes). The receiver, the driver and the model run on other threads, and are not
    /// included.
    pub cpu: f64,
    /// Gigabits per second.
    pub throughput: f64,
    /// Microseconds from a request to its answer, for nine of ten.
    pub latency: f64,
}

/// Bytes of a request, and of its answer.
const REQUEST: usize = 64;
/// Time between an answer and the next request.
const PAUSE: Duration = Duration::from_micros(200);
/// How long anything may stand still.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes written or taken at once.
const CHUNK: usize = 4 << 20;

/// Sends `bytes` from `from` to `to`, with requests beside them, and measures that.
///
/// # Errors
///
/// The system's error, or the end was asked for.
pub fn measure(
    from: &Station,
    to: &Station,
    ip: IpVersion,
    bytes: u64,
    stop: &AtomicBool,
) -> Result<Measured, Error> {
    let doing = || format!("measuring from {} to {}", from.name, to.name);
    let listen = || {
        let address = SocketAddr::new(to.address(ip), 0);
        to.namespace
            .inside(|| TcpListener::bind(address).doing(doing))
    };
    let (bulk, requests) = (listen()?, listen()?);
    let (bulk_at, requests_at) = (
        bulk.local_addr().doing(doing)?,
        requests.local_addr().doing(doing)?,
    );
    let done = AtomicBool::new(false);
    let begun = Instant::now();
    let early = |_| Error::Transfer(format!("{}: a thread ended early", doing()));
    let (arrived, latencies) = thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || answer(&requests, stop));
        let asking = scope.spawn(move || {
            from.namespace.enter()?;
            ask(requests_at, done).doing(doing)
        });
        let taking = scope.spawn(move || take(&bulk, stop));
        let sending = scope.spawn(move || {
            from.namespace.enter()?;
            send(bulk_at, bytes, stop).doing(doing)
        });
        let sent = sending.join().map_err(early).and_then(|sent| sent);
        let arrived = taking.join().map(|arrived| arrived.doing(doing));
        done.store(true, Relaxed);
        let asked = asking.join();
        let arrived = sent.and_then(|used| Ok((arrived.map_err(early)??, used)));
        (arrived, asked.map_err(early).and_then(|asked| asked))
    });
    let time = begun.elapsed();
    if stop.load(Relaxed) {
        return Err(Error::Interrupted);
    }
    let (arrived, used) = arrived?;
    let arrived = arrived as f64;
    Ok(Measured {
        cpu: used.as_secs_f64() * 1e9 / arrived,
        throughput: arrived * 8.0 / time.as_secs_f64() / 1e9,
        latency: slowest_of_nine_in_ten(latencies?),
    })
}

fn slowest_of_nine_in_ten(mut latencies: Vec<Duration>) -> f64 {
    latencies.sort_unstable();
    let at = latencies.len() * 9 / 10;
    let latency = latencies.get(at.min(latencies.len().saturating_sub(1)));
    latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
}

/// Sends, and returns the processor time of this thread that it took.
fn send(to: SocketAddr, bytes: u64, stop: &AtomicBool) -> io::Result<Duration> {
    let mut stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let chunk = vec![0x5A; CHUNK];
    let before = thread_time();
    let mut left = bytes;
    while left > 0 && !stop.load(Relaxed) {
        let length = left.min(CHUNK as u64) as usize;
        stream.write_all(&chunk[..length])?;
        left -= length as u64;
    }
    Ok(thread_time().saturating_sub(before))
}

/// Receives without copying: the receiver's own work is not measured.
fn take(listener: &TcpListener, stop: &AtomicBool) -> io::Result<u64> {
    let stream = accept(listener, stop)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut memory = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        match recv(stream.as_raw_fd(), &mut memory, MsgFlags::MSG_TRUNC) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes += count as u64,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Answers requests until there are no more.
fn answer(listener: &TcpListener, stop: &AtomicBool) -> io::Result<()> {
    let mut stream = accept(listener, stop)?;
    stream.set_nodelay(true)?;
    let mut request = [0; REQUEST];
    while stream.read_exact(&mut request).is_ok() {
        stream.write_all(&request)?;
    }
    Ok(())
}

fn ask(to: SocketAddr, done: &AtomicBool) -> io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut latencies = Vec::new();
    let mut request = [7; REQUEST];
    while !done.load(Relaxed) {
        let begun = Instant::now();
        stream.write_all(&request)?;
        stream.read_exact(&mut request)?;
        latencies.push(begun.elapsed());
        thread::sleep(PAUSE);
    }
    Ok(latencies)
}
