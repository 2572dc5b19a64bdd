//! The model and processor that a thread is on, its IRQL, and the driver's use of the thread: spin
//! locks held, handlers nested, stack used.
//!
//! The kernel's routines take no handle that would name a model, so each thread carries that: a
//! thread is in a model from the moment it calls one of its methods until that returns.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::Duration,
};

use ndis::sys;

use crate::{
    clock::Running,
    handles::DRIVER,
    processor_block,
    processors::AtDispatch,
    rules::{Finding, Level, Rule},
    world::World,
};

/// One thread's place in a model.
struct Place {
    world: Arc<World>,
    processor: u32,
    irql: u8,
    /// That the thread runs in the model, where this place is its first there.
    _running: Option<Running>,
    /// The processor, where this place is the thread's first on it at DISPATCH_LEVEL.
    at_dispatch: Option<AtDispatch>,
    /// The IRQL at which this place was entered.
    entry_irql: u8,
    /// The IRQLs that KeRaiseIrql has returned here and KeLowerIrql has not gone back to.
    raised_from: Vec<u8>,
    /// Handlers of the driver that are active because the driver itself called NDIS.
    depth: usize,
    /// Where the thread's stack was when this place was entered.
    stack: usize,
    /// Bytes of stack that the driver's handlers used before this place was entered.
    stack_before: usize,
    /// The same, with the stack that its handler in this place used when it last called NDIS.
    driver_stack: usize,
    /// The oldest of the NIC's limits by which a send from here may go: see
    /// [`Limits`](crate::limits::Limits).
    settled: usize,
}

/// A spin lock that this thread holds.
#[derive(Clone, Copy)]
pub(crate) struct HeldLock {
    pub(crate) address: usize,
    /// The IRQL to go back to, where taking the lock raised it.
    pub(crate) before: Option<u8>,
    /// Whether it was initialized; otherwise its memory is not touched.
    pub(crate) initialized: bool,
    /// How long the thread had stalled its processor before.
    pub(crate) stalled: Duration,
    pub(crate) kind: LockKind,
}

/// How a lock is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LockKind {
    /// A spin lock.
    Spin,
    /// A read/write lock of NDIS, for reading: other threads may have it too.
    Reader,
    /// The same, for writing.
    Writer,
}

thread_local! {
    static PLACES: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
    static LOCKS: RefCell<Vec<HeldLock>> = const { RefCell::new(Vec::new()) };
    /// How long this thread has stalled its processor.
    static STALLED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Most handlers of the driver that may be nested because the driver called NDIS: a send that is
/// completed from within, an OID whose answer indicates a status, and some more.
const MOST_NESTED: usize = 16;

/// Keeps the thread in its place until it is dropped.
pub(crate) struct Inside(());

/// Puts this thread into `world`, on `processor` at `irql`.
pub(crate) fn enter(world: &Arc<World>, processor: u32, irql: u8) -> Inside {
    let (depth, stack) = PLACES.with_borrow(|places| {
        places
            .last()
            .map_or((0, 0), |place| (place.depth, place.driver_stack))
    });
    push(world, processor, irql, depth, stack)
}

/// The same for a caller outside the driver's own call chain: the overlying driver, which sends
/// again from within a completion.
pub(crate) fn enter_anew(world: &Arc<World>, processor: u32, irql: u8) -> Inside {
    push(world, processor, irql, 0, 0)
}

/// The same for a call of a handler of the driver.
pub(crate) fn enter_handler(world: &Arc<World>, irql: u8) -> Inside {
    let inside = enter(world, processor(), irql);
    let depth = PLACES.with_borrow_mut(|places| {
        places.last_mut().map_or(0, |place| {
            place.depth += 1;
            place.depth
        })
    });
    if depth > MOST_NESTED {
        world.recursion(format!("{depth} of its handlers are nested"));
    }
    inside
}

/// The same on `wanted`, if no other thread has that at DISPATCH_LEVEL; otherwise on the processor
/// where this thread is. It may have that at DISPATCH_LEVEL, where it must not wait for others.
pub(crate) fn enter_if_free(world: &Arc<World>, wanted: u32, irql: u8) -> Inside {
    let taken = match irql {
        sys::DISPATCH_LEVEL.. if !has_processor(world, wanted) => {
            let Some(taken) = world.processors.try_raise(wanted) else {
                return enter(world, processor(), irql);
            };
            Some(taken)
        }
        _ => None,
    };
    let inside = enter(world, wanted, sys::PASSIVE_LEVEL);
    PLACES.with_borrow_mut(|places| {
        if let Some(place) = places.last_mut() {
            (place.irql, place.entry_irql, place.at_dispatch) = (irql, irql, taken);
        }
    });
    inside
}

/// Whether this thread is in `world`.
fn is_in(world: &World) -> bool {
    PLACES.with_borrow(|places| {
        let mut worlds = places.iter().map(|place| Arc::as_ptr(&place.world));
        worlds.any(|one| std::ptr::eq(one, world))
    })
}

/// Whether this thread has `processor` at DISPATCH_LEVEL.
fn has_processor(world: &World, processor: u32) -> bool {
    PLACES.with_borrow(|places| {
        let mut taken = places.iter().filter_map(|place| place.at_dispatch.as_ref());
        taken.any(|taken| taken.is(&world.processors, processor))
    })
}

/// Waits until this thread has `processor` to itself, if `irql` is one at which it does and it had
/// not before.
fn raise(world: &World, processor: u32, irql: u8) -> Option<AtDispatch> {
    if irql < sys::DISPATCH_LEVEL || has_processor(world, processor) {
        return None;
    }
    if let Some(raised) = world.processors.try_raise(processor) {
        return Some(raised);
    }
    let wait = || world.processors.raise(processor);
    Some(match is_in(world) {
        true => world.clock.blocked(wait),
        false => wait(),
    })
}

fn push(world: &Arc<World>, processor: u32, irql: u8, depth: usize, stack_before: usize) -> Inside {
    let is_in = is_in(world);
    let place = Place {
        world: Arc::clone(world),
        processor,
        irql,
        at_dispatch: raise(world, processor, irql),
        _running: (!is_in).then(|| world.clock.come_in()),
        entry_irql: irql,
        raised_from: Vec::new(),
        depth,
        stack: stack_now(),
        stack_before,
        driver_stack: stack_before,
        settled: world.state().advertised.limits.settled(),
    };
    PLACES.with_borrow_mut(|places| places.push(place));
    processor_block::set(processor);
    Inside(())
}

/// This thread leaves all models for good.
pub(crate) fn leave_all() {
    LOCKS.with_borrow_mut(Vec::clear);
    PLACES.with_borrow_mut(Vec::clear);
}

impl Drop for Inside {
    fn drop(&mut self) {
        PLACES.with_borrow_mut(Vec::pop);
        processor_block::set(processor());
    }
}

/// An address near the top of this thread's stack.
#[inline(never)]
pub(crate) fn stack_now() -> usize {
    let here = 0_u8;
    std::hint::black_box(&raw const here).addr()
}

/// Whether `address` is on this thread's stack.
pub(crate) fn is_on_stack(address: usize) -> bool {
    let here = stack_now();
    let deepest = PLACES.with_borrow(|places| places.first().map_or(here, |place| place.stack));
    (here..deepest).contains(&address)
}

/// The model that this thread is in.
///
/// # Panics
/// If the thread is in none: driver code was called by something else than a model.
pub(crate) fn world() -> Arc<World> {
    PLACES.with_borrow(|places| {
        let place = places.last().expect("driver code runs outside of a model");
        Arc::clone(&place.world)
    })
}

/// The processor that this thread is on.
pub(crate) fn processor() -> u32 {
    PLACES.with_borrow(|places| places.last().map_or(0, |place| place.processor))
}

/// The IRQL that this thread is at.
pub(crate) fn irql() -> u8 {
    PLACES.with_borrow(|places| places.last().map_or(0, |place| place.irql))
}

/// The IRQL at which the driver's handler on this thread was called.
pub(crate) fn entry_irql() -> u8 {
    PLACES.with_borrow(|places| places.last().map_or(0, |place| place.entry_irql))
}

/// The oldest of the NIC's limits by which a send from here may go; `None` outside of a model.
pub(crate) fn settled() -> Option<usize> {
    PLACES.with_borrow(|places| places.last().map(|place| place.settled))
}

/// Changes the IRQL and returns the one before.
pub(crate) fn set_irql(irql: u8) -> u8 {
    let raised = raise(&world(), processor(), irql);
    PLACES.with_borrow_mut(|places| {
        let Some(place) = places.last_mut() else {
            return 0;
        };
        if irql < sys::DISPATCH_LEVEL {
            place.at_dispatch = None;
        }
        place.at_dispatch = raised.or(place.at_dispatch.take());
        std::mem::replace(&mut place.irql, irql)
    })
}

/// KeRaiseIrql returns `before`.
pub(crate) fn raised_from(before: u8) {
    PLACES.with_borrow_mut(|places| {
        if let Some(place) = places.last_mut() {
            place.raised_from.push(before);
        }
    });
}

/// KeLowerIrql goes back to `irql`. Returns the IRQL that the last KeRaiseIrql returned, if none has
/// returned `irql`.
pub(crate) fn lowers_to(irql: u8) -> Option<u8> {
    PLACES.with_borrow_mut(|places| {
        let raised_from = &mut places.last_mut()?.raised_from;
        let Some(place) = raised_from.iter().rposition(|before| *before == irql) else {
            return raised_from.last().copied();
        };
        raised_from.truncate(place);
        None
    })
}

/// Checks that `routine` may be called at the current IRQL.
pub(crate) fn require_irql_at_most(most: u8, routine: &str) {
    let now = irql();
    if now > most {
        let rule = if most == sys::PASSIVE_LEVEL {
            Rule::Passive
        } else {
            Rule::Irql
        };
        let found = format!("called at IRQL {now}, allowed up to {most}");
        world().violation(rule, routine, found);
    }
}

/// Checks the requirements of an NDIS routine that returns to its caller without calling another
/// driver: its IRQL, enough stack left. A spin lock held is advice: no deadlock can come of it.
pub(crate) fn ndis_call(most: u8, routine: &str) {
    checked_call(most, routine, Level::Advice);
}

/// Checks the requirements of an NDIS routine that calls other drivers, which may call back: in
/// addition no spin lock may be held.
pub(crate) fn ndis_call_out(most: u8, routine: &str) {
    checked_call(most, routine, Level::Contract);
}

fn checked_call(most: u8, routine: &str, with_a_lock: Level) {
    require_irql_at_most(most, routine);
    let spins = LOCKS.with_borrow(|locks| locks.iter().any(|lock| lock.kind == LockKind::Spin));
    if spins {
        let found = "called with a spin lock held";
        world().finding(routine, Finding::at(with_a_lock, Rule::SpinLock, found));
    } else if locks_held() > 0 && with_a_lock == Level::Contract {
        // No page forbids it of read/write locks, which readers acquire again.
        let found = "called with a read/write lock held";
        world().finding(routine, Finding::at(Level::Advice, Rule::SpinLock, found));
    }
    let used = PLACES.with_borrow_mut(|places| {
        places.last_mut().map_or(0, |place| {
            let here = place.stack.saturating_sub(stack_now());
            place.driver_stack = place.stack_before + here;
            place.driver_stack
        })
    });
    // Miri gives every local a place of its own, anywhere.
    if used > world().config.stack && !cfg!(miri) {
        world().recursion(format!("{used} bytes of stack in use, called {routine}"));
    }
}

/// Checks that `routine` is called with the handle of a module, and runs `body`, which is the routine,
/// on that module's adapter.
pub(crate) fn at_module<T>(
    handle: sys::NDIS_HANDLE,
    routine: &str,
    body: impl FnOnce(&Arc<World>) -> T,
) -> T {
    let world = world();
    if world.is_in_use(handle) {
        return body(&world);
    }
    if world.state().is_other(handle) {
        return world.at_other_adapter(|| body(&world));
    }
    wrong_handle(handle, routine, "which is not the filter module's");
    body(&world)
}

/// Checks that `routine` is called with the handle of the module or of the driver.
pub(crate) fn require_module_or_driver(handle: sys::NDIS_HANDLE, routine: &str) {
    if handle.addr() != DRIVER && !world().state().is_module(handle) {
        wrong_handle(
            handle,
            routine,
            "which is neither the module's nor the driver's",
        );
    }
}

fn wrong_handle(handle: sys::NDIS_HANDLE, routine: &str, why: &str) {
    let found = format!("called with handle {:#x}, {why}", handle.addr());
    world().violation(Rule::Handles, routine, found);
}

/// How long this thread has stalled its processor.
pub(crate) fn stalled() -> Duration {
    STALLED.get()
}

/// This thread stalls its processor for `time`.
pub(crate) fn stall(time: Duration) {
    STALLED.set(STALLED.get() + time);
    world().clock.spend(time);
}

/// How many spin locks this thread holds.
pub(crate) fn locks_held() -> usize {
    LOCKS.with_borrow(Vec::len)
}

/// Whether this thread holds the spin lock at `address`.
pub(crate) fn holds(address: usize) -> bool {
    LOCKS.with_borrow(|locks| locks.iter().any(|lock| lock.address == address))
}

/// How this thread holds the lock at `address`, if it does.
pub(crate) fn held_as(address: usize) -> Option<LockKind> {
    LOCKS.with_borrow(|locks| {
        let mut mine = locks.iter().filter(|lock| lock.address == address);
        mine.next().map(|lock| lock.kind)
    })
}

/// The locks that this thread holds.
pub(crate) fn locks() -> Vec<usize> {
    LOCKS.with_borrow(|locks| locks.iter().map(|lock| lock.address).collect())
}

/// Remembers a lock that was taken.
pub(crate) fn took(lock: HeldLock) {
    LOCKS.with_borrow_mut(|locks| locks.push(lock));
}

/// Forgets a lock that is to be released; `None` where this thread does not hold it.
pub(crate) fn let_go(address: usize) -> Option<HeldLock> {
    LOCKS.with_borrow_mut(|locks| {
        let place = locks.iter().rposition(|lock| lock.address == address)?;
        Some(locks.remove(place))
    })
}
