//! Waiting for work.

use std::hint;
use std::thread;
use std::time::Duration;

use crate::settings::names;

/// Idle steps of an adaptive wait that only spin.
const SPINS: u32 = 200;
/// Idle steps after them that offer the core to other threads.
const YIELDS: u32 = 50;
/// A sleep asked for. The kernel may add as much again (its timer slack is 50 µs by default).
const NAP: Duration = Duration::from_micros(50);

names! {
    /// Way of waiting for work. The hop to a waiting thread was measured to take, at the median,
    /// from the first to the last: 0.1 µs, 0.1 µs, 0.3 µs, 0.1 to 0.5 µs (60 µs once it sleeps), 60
    /// µs.
    #[derive(Hash)]
    pub enum Wait {
        /// Looks again at once. Takes its core whole.
        BusySpin = "busy_spin",
        /// Looks again after the processor's pause for such loops, which spares a sibling thread
        /// and power. Takes its core whole.
        SpinHint = "spin_hint",
        /// Lets other threads of the core run first.
        Yield = "yield",
        /// Spins a little, then yields a little, then sleeps.
        Adaptive = "adaptive",
        /// Sleeps 50 µs at a time. Takes next to nothing of its core.
        Sleep = "sleep",
    }
}

impl Wait {
    /// Returns whether it never gives its core to another thread. Two such threads on one core stop
    /// each other for whole time slices of the scheduler: milliseconds a hop.
    pub fn spins(self) -> bool {
        matches!(self, Wait::BusySpin | Wait::SpinHint)
    }
}

/// One thread's waiting.
///
/// ```
/// # use algospace_hft::machine::{Wait, Waiter};
/// let mut work = [None, None, Some(7)].into_iter();
/// let mut waiter = Waiter::new(Wait::Adaptive);
/// let found = loop {
///     match work.next().flatten() {
///         Some(found) => break found,
///         None => waiter.wait(),
///     }
/// };
/// waiter.reset();
/// # assert_eq!(found, 7);
/// ```
#[derive(Clone, Debug)]
pub struct Waiter {
    wait: Wait,
    /// Idle steps since work was found, as far as they matter.
    idle: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Pause,
    Yield,
    Nap,
}

impl Waiter {
    /// Creates a waiter that has just had work.
    pub fn new(wait: Wait) -> Waiter {
        Waiter { wait, idle: 0 }
    }

    /// Takes one idle step: call it each time there was nothing to do. Allocates nothing; makes a
    /// system call where it yields or sleeps.
    #[inline]
    pub fn wait(&mut self) {
        match self.step() {
            Step::Nothing => {}
            Step::Pause => hint::spin_loop(),
            Step::Yield => thread::yield_now(),
            Step::Nap => thread::sleep(NAP),
        }
    }

    /// Tells that work was found: an adaptive wait starts over.
    #[inline]
    pub fn reset(&mut self) {
        self.idle = 0;
    }

    #[inline]
    fn step(&mut self) -> Step {
        match self.wait {
            Wait::BusySpin => Step::Nothing,
            Wait::SpinHint => Step::Pause,
            Wait::Yield => Step::Yield,
            Wait::Sleep => Step::Nap,
            Wait::Adaptive if self.idle < SPINS => {
                self.idle += 1;
                Step::Pause
            }
            Wait::Adaptive if self.idle < SPINS + YIELDS => {
                self.idle += 1;
                Step::Yield
            }
            Wait::Adaptive => Step::Nap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Step, Wait, Waiter};

    fn steps(waiter: &mut Waiter, number: usize) -> Vec<(Step, usize)> {
        let steps: Vec<Step> = (0..number).map(|_| waiter.step()).collect();
        steps.chunk_by(|before, after| before == after).map(|run| (run[0], run.len())).collect()
    }

    #[test]
    fn only_a_spinning_wait_keeps_its_core() {
        for wait in Wait::ALL {
            let gives_way = steps(&mut Waiter::new(wait), 1_000)
                .iter()
                .any(|(step, _)| matches!(step, Step::Yield | Step::Nap));
            assert_eq!(wait.spins(), !gives_way, "{wait}");
        }
    }

    #[test]
    fn an_adaptive_wait_gives_way_step_by_step_and_begins_anew_after_work() {
        let mut waiter = Waiter::new(Wait::Adaptive);
        let idle = [(Step::Pause, 200), (Step::Yield, 50), (Step::Nap, 30)];
        assert_eq!(steps(&mut waiter, 280), idle);
        waiter.reset();
        assert_eq!(steps(&mut waiter, 280), idle);
    }

    #[test]
    fn names_are_those_of_the_configuration() {
        for wait in Wait::ALL {
            let name = serde_json::to_string(&wait).unwrap();
            assert_eq!(name, format!("\"{wait}\""));
            assert_eq!(serde_json::from_str::<Wait>(&name).unwrap(), wait);
        }
    }
}
