//! Which model a thread is in, on which processor of it, and at which IRQL.
//!
//! The kernel's routines take no handle that would name a model, so each thread carries that: a
//! thread is in a model from the moment it calls one of its methods until that returns.

use std::{cell::RefCell, sync::Arc};

use crate::{rules::Rule, world::World};

/// One thread's place in a model.
#[derive(Clone)]
struct Place {
    world: Arc<World>,
    processor: u32,
    irql: u8,
}

thread_local! {
    static PLACES: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the thread in its place until it is dropped.
pub(crate) struct Inside(());

/// Puts this thread into `world`, on `processor` at `irql`.
pub(crate) fn enter(world: &Arc<World>, processor: u32, irql: u8) -> Inside {
    let world = Arc::clone(world);
    PLACES.with_borrow_mut(|places| {
        places.push(Place {
            world,
            processor,
            irql,
        });
    });
    Inside(())
}

impl Drop for Inside {
    fn drop(&mut self) {
        PLACES.with_borrow_mut(Vec::pop);
    }
}

/// The model that this thread is in.
///
/// # Panics
/// Where the thread is in none: driver code was called by something else than a model.
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

/// Changes the IRQL and returns the one before.
pub(crate) fn set_irql(irql: u8) -> u8 {
    PLACES.with_borrow_mut(|places| match places.last_mut() {
        Some(place) => std::mem::replace(&mut place.irql, irql),
        None => 0,
    })
}

/// Checks that `routine` may be called at the current IRQL.
pub(crate) fn require_irql_at_most(most: u8, routine: &str) {
    let now = irql();
    if now > most {
        world().violation(
            Rule::Irql,
            routine,
            format!("called at IRQL {now}, allowed up to {most}"),
        );
    }
}
