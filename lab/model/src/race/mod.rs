//! Data races: two threads that access the same memory, one of them writing, with nothing that
//! orders the two accesses.
//!
//! The accesses are reported by the driver itself: a driver in C that clang built with
//! `-fsanitize=thread` calls a routine of `exports::thread_sanitizer` at each of them. The order is that of vector clocks
//! (happens-before): spin locks, events and atomic operations order, and so does NDIS, where it
//! hands an NBL or a request from one thread to another, or lets the handlers of the module's life
//! return before it calls others. Watched is the memory that the driver
//! shares with itself alone: its pool blocks and the data of its image.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{guard, rules::Rule, thread};

/// Whether the driver reports its accesses.
static REPORTED: AtomicBool = AtomicBool::new(false);
/// Threads that are in the driver now.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);
static JITTERS: AtomicUsize = AtomicUsize::new(0);
static RACES: Mutex<Option<Races>> = Mutex::new(None);

thread_local! {
    /// This thread's number, once it has one.
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    /// How many handlers of the driver this thread is in.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A vector clock: the steps of each thread that happened before.
type Clock = Vec<u64>;

/// Makes `clock` at least as late as `other`.
fn join(clock: &mut Clock, other: &Clock) {
    if clock.len() < other.len() {
        clock.resize(other.len(), 0);
    }
    for (mine, theirs) in clock.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}

/// An access to some bytes of a word.
#[derive(Clone, Copy)]
struct Access {
    thread: usize,
    step: u64,
    bytes: u8,
    /// The address of the instruction behind it.
    instruction: usize,
}

/// The last accesses to a word.
#[derive(Default)]
struct Word {
    write: Option<Access>,
    reads: Vec<Access>,
}

/// Bytes in a word.
const WORD: usize = 8;

/// The handlers of the driver's and the module's life: NDIS calls no others before they return.
const LIFE: [&str; 8] = [
    "entry point",
    "attach handler",
    "restart handler",
    "pause handler",
    "detach handler",
    "unload routine",
    "network event handler",
    "device event handler",
];

/// The handlers that NDIS calls when all others have returned.
const LAST: [&str; 2] = ["detach handler", "unload routine"];

#[derive(Default)]
struct Races {
    /// The clock of each thread, by number.
    clocks: Vec<Clock>,
    /// The clock that a thread joins when it acquires an object, by the object's address.
    objects: HashMap<usize, Clock>,
    words: BTreeMap<usize, Word>,
    /// The memory that is watched: its length by its start.
    watched: BTreeMap<usize, usize>,
    /// The clock of the handlers that have returned.
    returned: Clock,
    /// The clock of the handlers of the life that have returned.
    life: Clock,
    /// Pairs of instructions that were reported.
    reported: BTreeSet<(usize, usize)>,
}

impl Races {
    /// This thread's number and clock.
    fn me(&mut self) -> (usize, &mut Clock) {
        let number = NUMBER.get().unwrap_or_else(|| {
            let number = self.clocks.len();
            let mut clock = vec![0; number + 1];
            clock[number] = 1;
            self.clocks.push(clock);
            NUMBER.set(Some(number));
            number
        });
        (number, &mut self.clocks[number])
    }

    /// Ends a step of this thread, and returns the clock of all until now.
    fn step(&mut self) -> Clock {
        let (number, clock) = self.me();
        let before = clock.clone();
        clock[number] += 1;
        before
    }

    fn learn(&mut self, known: &Clock) {
        let (_, clock) = self.me();
        join(clock, known);
    }

    fn is_watched(&self, address: usize) -> bool {
        let below = self.watched.range(..=address).next_back();
        below.is_some_and(|(start, length)| address < start + length)
    }

    /// Records an access, and returns the earlier one that it races with.
    fn access(
        &mut self,
        word: usize,
        bytes: u8,
        instruction: usize,
        writes: bool,
    ) -> Option<Access> {
        let (thread, clock) = self.me();
        let clock = clock.clone();
        let now = Access {
            thread,
            step: clock[thread],
            bytes,
            instruction,
        };
        let unordered = |before: &Access| {
            before.thread != thread
                && before.bytes & bytes != 0
                && before.step > clock.get(before.thread).copied().unwrap_or(0)
        };
        let word = self.words.entry(word).or_default();
        let mut race = word.write.filter(&unordered);
        if writes {
            race = race.or_else(|| word.reads.iter().copied().find(&unordered));
            word.reads.clear();
            word.write = Some(now);
        } else {
            word.reads
                .retain(|read| read.thread != thread || read.bytes != bytes);
            word.reads.push(now);
        }
        race
    }
}

/// The state, where the driver reports its accesses.
fn races() -> Option<MutexGuard<'static, Option<Races>>> {
    REPORTED
        .load(Ordering::Relaxed)
        .then(|| RACES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Applies `body` to the state, where the driver reports its accesses.
fn with(body: impl FnOnce(&mut Races)) {
    if let Some(mut races) = races() {
        body(races.get_or_insert_default());
    }
}

/// A handler of the driver begins on this thread.
pub(crate) fn enter(handler: &str) {
    with(|races| {
        let depth = DEPTH.get();
        DEPTH.set(depth + 1);
        if depth > 0 {
            return;
        }
        ACTIVE.fetch_add(1, Ordering::Relaxed);
        let life = races.life.clone();
        races.learn(&life);
        if LAST.contains(&handler) {
            let returned = races.returned.clone();
            races.learn(&returned);
        }
    });
}

/// It has returned.
pub(crate) fn leave(handler: &str) {
    with(|races| {
        let Some(depth) = DEPTH.get().checked_sub(1) else {
            return;
        };
        DEPTH.set(depth);
        let done = races.step();
        if LIFE.contains(&handler) {
            join(&mut races.life, &done);
        }
        if depth == 0 {
            ACTIVE.fetch_sub(1, Ordering::Relaxed);
            join(&mut races.returned, &done);
        }
    });
}

/// This thread hands on the object at `address`: its steps until now happened before the next owner's.
pub(crate) fn release(address: usize) {
    with(|races| {
        let done = races.step();
        join(races.objects.entry(address).or_default(), &done);
    });
}

/// This thread has its processor at DISPATCH_LEVEL: what the thread before it did there is ordered
/// before its own steps.
pub(crate) fn raised() {
    acquire(thread::processor() as usize);
}

/// This thread leaves DISPATCH_LEVEL, or the driver.
pub(crate) fn lowers() {
    release(thread::processor() as usize);
}

/// Lets other threads that are in the driver go first, now and then: a section that is not locked
/// gets wide enough for them to meet in it.
pub(crate) fn jitter() {
    const SELDOM: usize = 5;
    if ACTIVE.load(Ordering::Relaxed) > 1
        && JITTERS
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(SELDOM)
    {
        std::thread::sleep(Duration::from_micros(20));
    }
}

/// This thread gets the object at `address`.
pub(crate) fn acquire(address: usize) {
    with(|races| {
        if let Some(known) = races.objects.get(&address).cloned() {
            races.learn(&known);
        }
    });
}

/// The driver has memory at `range` now.
pub(crate) fn allocated(range: Range<usize>) {
    with(|races| {
        races.watched.insert(range.start, range.len());
    });
}

/// It no longer has.
pub(crate) fn freed(range: Range<usize>) {
    with(|races| {
        races.watched.remove(&range.start);
        let words: Vec<_> = races
            .words
            .range(range.clone())
            .map(|(at, _)| *at)
            .collect();
        for word in words {
            races.words.remove(&word);
        }
        races.objects.retain(|object, _| !range.contains(object));
    });
}

/// The place of an access that a routine of the model makes for the driver.
const IN_A_ROUTINE: usize = 0;

/// A routine of the model accesses `length` bytes at `start` for the driver.
pub(crate) fn access_by_routine(start: usize, length: usize, writes: bool) {
    access(start, length, IN_A_ROUTINE, writes);
}

/// The driver is one that reports its accesses.
pub(crate) fn begin() {
    if !REPORTED.swap(true, Ordering::SeqCst) {
        with(|races| *races = Races::default());
    }
}

/// The driver accesses `length` bytes at `address`, just before `instruction`.
pub(crate) fn access(address: usize, length: usize, instruction: usize, writes: bool) {
    let Some(mut state) = races() else {
        return;
    };
    let races = state.get_or_insert_default();
    let image = guard::image();
    if !image.contains(&address) && !races.is_watched(address) {
        return;
    }
    let mut found = None;
    let (mut at, end) = (address, address + length);
    while at < end {
        let word = at & !(WORD - 1);
        let until = end.min(word + WORD);
        let bytes = ((1_u16 << (until - word)) - (1 << (at - word))) as u8;
        found = found.or(races.access(word, bytes, instruction, writes));
        at = until;
    }
    let Some(before) = found else {
        return;
    };
    let pair = (before.instruction, instruction);
    let pair = (pair.0.min(pair.1), pair.0.max(pair.1));
    if !races.reported.insert(pair) {
        return;
    }
    let place = races.watched.range(..=address).next_back();
    let place = place.filter(|(start, length)| address < *start + *length);
    let place = match place {
        Some((start, size)) => format!("offset {} of a block of {size} bytes", address - start),
        None => format!("the driver's data at RVA {:#x}", address - image.start),
    };
    drop(state);
    let at = |instruction: usize| match instruction {
        IN_A_ROUTINE => "in a memory routine".into(),
        address => format!("before RVA {:#x}", address.wrapping_sub(image.start)),
    };
    let how = if writes { "written" } else { "read" };
    let found = format!(
        "{place} is {how} {}, and accessed by another thread {}, with nothing that orders them",
        at(instruction),
        at(before.instruction)
    );
    thread::world().violation(Rule::Race, "driver", found);
}
