//! Children between two sends: each has one owner, and none is lost.

#![expect(
    unsafe_code,
    reason = "children go to other processors, as NBLs that NDIS carries"
)]

use std::{mem::zeroed, ptr::NonNull, sync::Arc};

use children::{CHILD_BYTES, ChildOob, ChildPool, Children, MdlSource, PoolLimits};
use interleave::{Preemptions, child_pool_module, driver, explore, finish, limit_nbls, on, wait};
use ndis::{AtDispatch, BufferError, EncapsulationInfo, LargeSendInfo, Nbl, UdpSendInfo, sys};

/// A pool with two children ready on processor 0, and none on the others, in so much memory.
fn pool_in(memory: usize) -> Arc<ChildPool> {
    let limits = PoolLimits {
        capacity: 3000,
        max_sg_elements: 64,
        memory,
        ready: 2,
    };
    let pool = ChildPool::try_new(child_pool_module(), limits).expect("there is memory");
    pool.preallocate().expect("there is memory");
    Arc::new(pool)
}

fn pool() -> Arc<ChildPool> {
    pool_in(64 << 20)
}

fn take(pool: &ChildPool, count: u32) -> Option<Children> {
    driver(|| pool.take(count, 0, &AtDispatch::enter(false)))
}

/// A packet in more buffers than a child has room for.
struct Parent {
    nbl: sys::NET_BUFFER_LIST,
    packet: sys::NET_BUFFER,
    mdls: [sys::MDL; BUFFERS],
}

const BUFFERS: usize = 9;
const BUFFER: u32 = 10;

impl Parent {
    fn new() -> Box<Self> {
        // SAFETY: numbers and raw pointers may all be zero.
        let mut parent: Box<Self> = Box::new(unsafe { zeroed() });
        let mdls = parent.mdls.as_mut_ptr();
        for at in 0..BUFFERS {
            let mdl = &mut parent.mdls[at];
            mdl.ByteCount = BUFFER;
            if at + 1 < BUFFERS {
                mdl.Next = mdls.wrapping_add(at + 1);
            }
        }
        parent.packet.CurrentMdl = mdls;
        parent.packet.DataLength = BUFFERS as u32 * BUFFER;
        parent.nbl.FirstNetBuffer = &raw mut parent.packet;
        parent
    }

    fn nbl(&mut self) -> Nbl {
        // SAFETY: it is this function's caller's.
        unsafe { Nbl::from_raw(NonNull::from(&mut self.nbl)) }
    }
}

/// Calls `look` for the first byte of each child's header.
fn each(children: &mut Children, mut look: impl FnMut(&mut u8)) {
    let mut parent = Parent::new();
    let nbl = parent.nbl();
    let looked = children.fill(&nbl, &oob(), |mut child| {
        look(&mut child.next_packet().expect("its first").header()[0]);
        Ok::<_, ()>(())
    });
    assert_eq!(looked, Ok(()));
}

fn oob() -> ChildOob {
    ChildOob {
        module: child_pool_module(),
        large_send: LargeSendInfo::default(),
        udp_send: UdpSendInfo::default(),
        encapsulation: EncapsulationInfo::default(),
    }
}

/// Writes `mark` to each, and reads it back. Another owner of one of them would write another mark.
fn mark(children: &mut Children, mark: u8) {
    each(children, |place| *place = mark);
    // Others may run in here.
    driver(|| drop(AtDispatch::enter(false)));
    each(children, |place| assert_eq!(*place, mark));
}

fn take_and_return(pool: &ChildPool, count: u32, by: u8) {
    let mut children = take(pool, count).expect("children");
    mark(&mut children, by);
    driver(|| pool.recycle(children));
}

/// Children on their way to another processor.
struct Away(Children);

// SAFETY: NBLs are not tied to a thread.
unsafe impl Send for Away {}

impl Away {
    fn come_home(mut self, pool: &ChildPool, by: u8) {
        mark(&mut self.0, by);
        driver(|| pool.recycle(self.0));
    }
}

/// Frees the pool, which must have all its children.
fn end(pool: Arc<ChildPool>) {
    drop(Arc::into_inner(pool).expect("nobody else has it"));
    finish();
}

/// Children of processor 0 are returned from processors 1 and 2 while processor 0 takes more.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn children_come_home_from_other_processors() {
    let orders = explore(Preemptions::Most(3), || {
        let pool = pool();
        let mut threads = vec![];
        for processor in [1, 2] {
            let away = Away(take(&pool, 1).expect("a child"));
            let pool = pool.clone();
            threads.push(on(processor, move || {
                away.come_home(&pool, processor as u8);
            }));
        }
        let taker = pool.clone();
        threads.push(on(0, move || {
            take_and_return(&taker, 1, 10);
            take_and_return(&taker, 2, 11);
        }));
        wait(threads);
        // Two were ready. At worst both were away, and then those that were allocated instead.
        assert!(
            (2..=4).contains(&pool.allocations()),
            "{}",
            pool.allocations()
        );
        end(pool);
    });
    assert!(orders > 1000, "{orders}");
}

/// Two threads of one processor take children: the IRQL keeps them apart.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn two_threads_share_a_processor() {
    explore(Preemptions::Most(3), || {
        let pool = pool();
        wait([10, 11].map(|by| {
            let pool = pool.clone();
            on(0, move || take_and_return(&pool, 2, by))
        }));
        assert!(pool.allocations() <= 4);
        end(pool);
    });
}

/// The same after children were returned, so that each takes a list of them and keeps the rest.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn two_threads_of_a_processor_take_lists() {
    let orders = explore(Preemptions::Most(2), || {
        let pool = pool();
        take_and_return(&pool, 2, 9);
        let (one, other) = (pool.clone(), pool.clone());
        wait([
            on(0, move || take_and_return(&one, 1, 10)),
            on(0, move || {
                take_and_return(&other, 2, 11);
                take_and_return(&other, 1, 12);
            }),
        ]);
        end(pool);
    });
    assert!(orders > 100, "{orders}");
}

/// There is no memory for a third: a caller that asks for three takes none, and the two remain for
/// others, one of them returned meanwhile.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn who_cannot_have_all_takes_none() {
    explore(Preemptions::Most(3), || {
        let pool = pool();
        limit_nbls(0);
        let away = Away(take(&pool, 1).expect("a child"));
        let returner = pool.clone();
        let taker = pool.clone();
        wait([
            on(1, move || away.come_home(&returner, 1)),
            on(0, move || {
                let taken = take(&taker, 3).map(drop);
                assert_eq!(taken, None);
            }),
        ]);
        assert_eq!(pool.allocations(), 2);
        on(0, {
            let pool = pool.clone();
            move || take_and_return(&pool, 2, 10)
        })
        .join()
        .expect("both are home");
        end(pool);
    });
}

/// Processors whose children exceed the bound together. Those that rest with another processor are
/// freed for it, unless that one takes them first.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn the_bound_holds_for_all_processors_together() {
    const BOUND: usize = 3 * CHILD_BYTES;
    let orders = explore(Preemptions::Most(2), || {
        let pool = pool_in(BOUND);
        let within = |pool: &ChildPool| assert!(pool.memory() <= BOUND, "{}", pool.memory());
        wait([0, 1].map(|processor| {
            let pool = pool.clone();
            on(processor, move || {
                for count in [1, 2] {
                    if let Some(mut children) = take(&pool, count) {
                        within(&pool);
                        mark(&mut children, processor as u8);
                        driver(|| pool.recycle(children));
                    }
                    within(&pool);
                }
            })
        }));
        // A processor keeps one for itself; all that is left of the bound is for the asking.
        let taker = pool.clone();
        let taken = on(2, move || {
            assert!(take(&taker, 1).map(|it| taker.recycle(it)).is_some());
        });
        wait([taken]);
        within(&pool);
        end(pool);
    });
    assert!(orders > 100, "{orders}");
}

/// Makes a child of `pool` a packet in many buffers, for which it takes an array of MDLs.
fn with_array(pool: &ChildPool) -> Children {
    let mut children = take(pool, 1).expect("a child");
    let mut parent = Parent::new();
    let nbl = parent.nbl();
    let packet = nbl.first_net_buffer().expect("one");
    let source = MdlSource::new(pool, None);
    let filled = driver(|| {
        children.fill(&nbl, &oob(), |mut child| {
            let mut payload = packet.payload(0)?;
            let packet = child.next_packet().ok_or(BufferError::NoMemory)?;
            packet.set_payload(54, &mut payload, BUFFERS as u32 * BUFFER, false, &source)
        })
    });
    assert_eq!(filled, Ok(()));
    children
}

/// Arrays of MDLs of processor 0 are returned from processor 1 while processor 0 takes more.
#[test]
#[cfg_attr(not(interleave), ignore = "cargo make interleave runs it")]
fn arrays_come_home_from_other_processors() {
    let orders = explore(Preemptions::Most(2), || {
        let pool = pool();
        let away = Away(with_array(&pool));
        let (returner, taker) = (pool.clone(), pool.clone());
        wait([
            on(1, move || driver(|| returner.recycle({ away }.0))),
            on(0, move || {
                for _ in 0..2 {
                    let children = with_array(&taker);
                    driver(|| taker.recycle(children));
                }
            }),
        ]);
        end(pool);
    });
    assert!(orders > 100, "{orders}");
}
