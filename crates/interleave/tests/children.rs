//! Children between two sends: each has one owner, and none is lost.

#![expect(
    unsafe_code,
    reason = "children go to other processors, as NBLs that NDIS carries"
)]

use std::sync::Arc;

use children::{Chains, ChildPool, Children};
use interleave::{Preemptions, child_pool_module, driver, explore, finish, limit_nbls, on, wait};
use ndis::{AtDispatch, Status};

/// A pool with two children ready on processor 0, and none on the others.
fn pool() -> Arc<ChildPool> {
    let pool = ChildPool::try_new(child_pool_module(), 3000, Chains::Shared, 2);
    Arc::new(pool.expect("there is memory"))
}

fn take(pool: &ChildPool, count: u32) -> Result<Children, Status> {
    driver(|| pool.take(count, &AtDispatch::enter(false)))
}

/// Writes `mark` to each, and reads it back. Another owner of one of them would write another mark.
fn mark(children: &mut Children, mark: u8) {
    let each = |children: &mut Children, look: fn(&mut u8, u8)| {
        let marked = children.try_for_each(|child| {
            look(&mut child.header()[0], mark);
            Ok::<_, ()>(())
        });
        assert_eq!(marked, Ok(()));
    };
    each(children, |place, mark| *place = mark);
    // Others may run in here.
    driver(|| drop(AtDispatch::enter(false)));
    each(children, |place, mark| assert_eq!(*place, mark));
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
                assert_eq!(taken, Err(Status::RESOURCES));
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
