//! Chooses the order that comes next.

use shuttle::{
    Config, Runner, UngracefulShutdownConfig,
    scheduler::{PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId},
};

use crate::world;

/// How often in one order a thread may lose its processor that could have gone on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preemptions {
    /// Up to so often. Few races need more than two.
    Most(usize),
    /// At every point: every order there is.
    Any,
}

/// Runs `case` in every order with up to so many preemptions. Returns how many orders there are.
///
/// # Panics
/// If `case` does, printing a schedule for `shuttle::replay`.
pub fn explore(preemptions: Preemptions, case: impl Fn() + Send + Sync + 'static) -> usize {
    let most = match preemptions {
        Preemptions::Most(most) => most,
        Preemptions::Any => usize::MAX,
    };
    let scheduler = Exhaustive {
        most,
        path: Vec::new(),
        step: 0,
        preemptions: 0,
    };
    let started = std::time::Instant::now();
    let orders = run(scheduler, case);
    #[expect(clippy::print_stdout, reason = "cargo make interleave shows it")]
    {
        println!(
            "{orders} orders in {:.1} s",
            started.elapsed().as_secs_f32()
        );
    }
    orders
}

/// Runs `case` in `count` orders that are drawn at random, and in as many that have few
/// preemptions, at places that are drawn. The same are drawn each time.
///
/// # Panics
/// As [`explore`].
pub fn sample(count: usize, case: impl Fn() + Send + Sync + Clone + 'static) {
    const SEED: u64 = 0x6D73_6C73_6F21;
    run(RandomScheduler::new_from_seed(SEED, count), case.clone());
    run(PctScheduler::new_from_seed(SEED, 3, count), case);
}

fn run(scheduler: impl Scheduler + 'static, case: impl Fn() + Send + Sync + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = 512 << 10;
    config.silence_warnings = true;
    let mut shutdown = UngracefulShutdownConfig::new();
    shutdown.immediately_return_on_panic = true;
    config.ungraceful_shutdown_config = shutdown;
    Runner::new(scheduler, config).run(move || {
        world::renew();
        case();
    })
}

/// Depth first. A case's first thread only starts the others and waits for them: it is never
/// preempted.
struct Exhaustive {
    most: usize,
    /// The choices of the order under way.
    path: Vec<Choice>,
    step: usize,
    preemptions: usize,
}

struct Choice {
    /// The threads that could go on.
    among: Vec<TaskId>,
    chosen: usize,
}

impl Exhaustive {
    /// The threads that may go on, the one that costs no preemption first.
    fn among(&self, runnable: &[&Task], current: Option<TaskId>, yields: bool) -> Vec<TaskId> {
        let all: Vec<_> = runnable.iter().map(|task| task.id()).collect();
        let Some(current) = current.filter(|current| all.contains(current)) else {
            return all;
        };
        let others = all.iter().copied().filter(|task| *task != current);
        if yields && all.len() > 1 {
            return others.collect();
        }
        if self.preemptions >= self.most || current == TaskId::from(0) {
            return vec![current];
        }
        [current].into_iter().chain(others).collect()
    }
}

impl Scheduler for Exhaustive {
    fn new_execution(&mut self) -> Option<Schedule> {
        (self.step, self.preemptions) = (0, 0);
        if self.path.is_empty() {
            return Some(Schedule::new(0));
        }
        while let Some(last) = self.path.last_mut() {
            last.chosen += 1;
            if last.chosen < last.among.len() {
                return Some(Schedule::new(0));
            }
            self.path.pop();
        }
        None
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        yields: bool,
    ) -> Option<TaskId> {
        if self.step == self.path.len() {
            let among = self.among(runnable, current, yields);
            self.path.push(Choice { among, chosen: 0 });
        }
        let choice = &self.path[self.step];
        let next = choice.among[choice.chosen];
        assert!(
            runnable.iter().any(|task| task.id() == next),
            "a case must do the same in the same order"
        );
        let could_go_on = runnable.iter().any(|task| Some(task.id()) == current);
        if could_go_on && !yields && current != Some(next) {
            self.preemptions += 1;
        }
        self.step += 1;
        Some(next)
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("no case draws numbers")
    }
}
