//! Which thread runs on which core and how it waits there.
//!
//! The rule is a measurement: on two cores, an event needs 0.1 µs to the next thread while each
//! thread spins on a core of its own, but 6 to 16 ms through a chain in which four to six threads
//! spin, and 2 to 60 µs if these yield or wait adaptively. So a thread that spins has its core for
//! itself, and a core is left to the threads that do not spin. Where there are too few cores for
//! that, threads wait adaptively instead; where threads cannot help at all, everything runs inline.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::cpu_list;
use super::facts::{Core, Machine, count};
use super::settings::{Outcome, keep_current_thread_on, pin_current_thread};
use super::wait::Wait;

#[cfg(test)]
mod tests;

/// The role of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Puts all that happens into one order.
    Sequencer,
    /// Bars, orders, account: what each tick must pass.
    Stages,
    /// Indicators and feature rows, at the close of a bar.
    Features,
    /// The model or rule that decides.
    Decision,
    /// Writes everything down.
    Journal,
    /// Gathers latencies.
    Metrics,
    /// Reads and writes the sockets of a paper or live run.
    Links,
}

impl fmt::Display for Role {
    /// Writes its name in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Sequencer => "sequencer",
            Role::Stages => "stages",
            Role::Features => "features",
            Role::Decision => "decision",
            Role::Journal => "journal",
            Role::Metrics => "metrics",
            Role::Links => "links",
        })
    }
}

impl Role {
    /// Returns whether every tick passes this thread.
    fn is_hot(self) -> bool {
        matches!(self, Role::Sequencer | Role::Stages)
    }
}

/// The order in which cores are given out, and the reverse of that in which spinning is given up.
const BY_URGENCY: [Role; 7] = [
    Role::Stages,
    Role::Sequencer,
    Role::Links,
    Role::Features,
    Role::Decision,
    Role::Journal,
    Role::Metrics,
];

/// A thread that the runner wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its role; each at most once.
    pub role: Role,
    /// Its preferred way of waiting.
    pub wait: Wait,
    /// Index of its core among the cores that this process may use (see [`Core`]), or none to leave
    /// it to the plan.
    pub core: Option<usize>,
}

/// A thread that has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its role.
    pub role: Role,
    /// The core to pin it to; without one it runs on the plan's [`shared`](Plan::Pinned::shared)
    /// cores.
    pub core: Option<Core>,
    /// Its way of waiting: as requested, or adaptively where the cores do not suffice for spinning.
    pub wait: Wait,
}

impl Placed {
    /// Puts the current thread in its place: on its core, or on the `shared` ones. `None` without
    /// any, where the system chooses.
    pub fn take_place(&self, shared: &[Core]) -> Option<Outcome> {
        match self.core {
            Some(core) => Some(pin_current_thread(core)),
            None if shared.is_empty() => None,
            None => Some(keep_current_thread_on(shared)),
        }
    }
}

/// The plan of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Threads on their cores.
    Pinned {
        /// One a request, in the order of the requests.
        threads: Vec<Placed>,
        /// Cores for threads without one of their own; no thread spins there. Empty if every
        /// thread has its core. A thread spawned by a pinned one inherits its single core, so give
        /// these to each thread that is not pinned.
        shared: Vec<Core>,
        /// Lines for the user, each plain text: first the plan, then what was changed, then
        /// warnings.
        lines: Vec<String>,
    },
    /// Everything in one thread.
    Inline {
        /// One line for the user.
        why: String,
    },
}

/// A request that makes no sense on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A role is requested twice.
    #[error("`{role}` is requested twice; one thread can have the role")]
    RoleTwice {
        /// The role.
        role: Role,
    },
    /// The process may not use this core.
    #[error(
        "`{role}` asks for core {index}, but this process may use {allowed}; choose one of these, leave the core out, \
         or allow more CPUs (`taskset`, CPUAffinity= of the unit)"
    )]
    CoreNotAllowed {
        /// The role that asks.
        role: Role,
        /// The index that it asks for.
        index: usize,
        /// The cores there are, in words.
        allowed: String,
    },
    /// Two threads on one core spin: each would stop the other for milliseconds.
    #[error(
        "`{first}` and `{second}` both spin on core {index}, where each would stop the other for milliseconds; give one of \
         them another core, or let it wait by `adaptive`, `yield` or `sleep`"
    )]
    TwoSpinOnOneCore {
        /// One of the two.
        first: Role,
        /// The other.
        second: Role,
        /// Their core.
        index: usize,
    },
}

/// Places `requests` on the cores of `machine`.
///
/// Requested cores are kept. Of the others, a thread that spins has a core that nobody else has;
/// `sequencer` and `stages` have one in any case, isolated if there is one, then of another
/// physical core than the threads placed before; `links`, `features` and `decision` have one if
/// another is left for the rest; `journal` and `metrics` share what is left, away from cores whose
/// threads spin.
///
/// # Errors
///
/// If a role is requested twice, a requested core does not exist, or two spinning threads request
/// one core. This does not depend on whether the machine is large enough otherwise.
pub fn plan(machine: &Machine, requests: &[Request]) -> Result<Plan, PlanError> {
    refuse_nonsense(machine, requests)?;
    let cores = machine.allowed.len();
    if cores < 2 {
        let why = match cores {
            0 => "inline runner: the system does not tell which cores this process may use".into(),
            _ => "inline runner: this process may use one core only, where threads would stop each other".into(),
        };
        return Ok(Plan::Inline { why });
    }

    let mut layout = Layout::new(machine, requests);
    let given_up = layout.give_up_spinning();
    if let Some(why) = layout.quota_shortage() {
        return Ok(Plan::Inline { why });
    }
    layout.place();
    let shared = layout.shared();
    let mut lines = vec![layout.describe(&shared)];
    if !given_up.is_empty() {
        lines.push(too_few_cores(cores, requests, &given_up));
    }
    lines.extend(layout.warnings(&shared));
    Ok(Plan::Pinned { threads: layout.threads, shared, lines })
}

fn refuse_nonsense(machine: &Machine, requests: &[Request]) -> Result<(), PlanError> {
    let cores = machine.allowed.len();
    for (place, request) in requests.iter().enumerate() {
        let role = request.role;
        let before = &requests[..place];
        if before.iter().any(|other| other.role == role) {
            return Err(PlanError::RoleTwice { role });
        }
        let Some(index) = request.core else { continue };
        if index >= cores {
            let cpus = cpu_list::write(&machine.allowed);
            let allowed = match cores {
                0 => "none that the system tells of".into(),
                1 => format!("core 0 only (CPU {cpus})"),
                _ => format!("cores 0 to {} (CPUs {cpus})", cores - 1),
            };
            return Err(PlanError::CoreNotAllowed { role, index, allowed });
        }
        let rival = before.iter().find(|other| other.core == Some(index) && other.wait.spins());
        if let (Some(rival), true) = (rival, request.wait.spins()) {
            return Err(PlanError::TwoSpinOnOneCore { first: rival.role, second: role, index });
        }
    }
    Ok(())
}

/// Threads on their way to their cores.
struct Layout<'a> {
    machine: &'a Machine,
    cores: Vec<Core>,
    threads: Vec<Placed>,
}

impl<'a> Layout<'a> {
    fn new(machine: &'a Machine, requests: &[Request]) -> Layout<'a> {
        let cores: Vec<Core> = machine.cores().collect();
        let threads = requests.iter().map(|request| Placed {
            role: request.role,
            core: request.core.map(|index| cores[index]),
            wait: request.wait,
        });
        Layout { machine, threads: threads.collect(), cores }
    }

    fn spinning(&self) -> impl Iterator<Item = &Placed> {
        self.threads.iter().filter(|thread| thread.wait.spins())
    }

    fn is_spun_on(&self, core: Core) -> bool {
        self.spinning().any(|thread| thread.core == Some(core))
    }

    /// Returns the cores that no thread has.
    fn free(&self) -> impl Iterator<Item = Core> + '_ {
        self.cores
            .iter()
            .copied()
            .filter(|&core| self.threads.iter().all(|thread| thread.core != Some(core)))
    }

    /// Lets threads wait adaptively, the least urgent first, until those that spin can have a core
    /// each and the others one more. Returns them in the order of the requests.
    fn give_up_spinning(&mut self) -> Vec<Role> {
        let mut given_up = Vec::new();
        let mut urgency = BY_URGENCY.len();
        while !self.spinning_fits() && urgency > 0 {
            urgency -= 1;
            let role = BY_URGENCY[urgency];
            // Every tick passes both hot threads, so it would still wait for the one if only the
            // other spun, and all that is not hot would compete with that one for its core.
            let roles = |other: Role| other == role || (role.is_hot() && other.is_hot());
            for thread in
                self.threads.iter_mut().filter(|thread| roles(thread.role) && thread.wait.spins())
            {
                thread.wait = Wait::Adaptive;
                given_up.push(thread.role);
            }
        }
        given_up.sort_by_key(|role| self.threads.iter().position(|thread| thread.role == *role));
        given_up
    }

    /// Returns, before anything is placed, whether each spinning thread without a core can have a
    /// free one, and all threads without a core that do not spin still have one left that nobody
    /// spins on.
    fn spinning_fits(&self) -> bool {
        let (spinning, sharing): (Vec<&Placed>, Vec<&Placed>) = self
            .threads
            .iter()
            .filter(|thread| thread.core.is_none())
            .partition(|thread| thread.wait.spins());
        let not_spun_on = self.cores.iter().filter(|&&core| !self.is_spun_on(core)).count();
        spinning.len() <= self.free().count()
            && (sharing.is_empty() || spinning.len() < not_spun_on)
    }

    /// Returns why the control groups leave too little processor time, if they do. A spinning
    /// thread uses up its core's time whether or not there is work, and who has used up the quota
    /// stands still for the rest of a period: tens of milliseconds, for all threads together.
    fn quota_shortage(&self) -> Option<String> {
        let quota = self.machine.quota?;
        let spinning = self.spinning().count();
        let others = usize::from(spinning < self.threads.len());
        let needed = (spinning + others).max(2);
        (quota < needed as f64).then(|| {
            format!(
                "inline runner: control groups allow {quota} cores of processor time, and {} would need {needed} not to be \
                 stopped in the middle of a period; raise the quota (CPUQuota= of the unit, --cpus of the \
                 container){}",
                if spinning == 0 { "two threads at work".into() } else { count(spinning, "spinning thread") },
                if spinning == 0 { "" } else { ", or let threads wait by `adaptive`" },
            )
        })
    }

    fn place(&mut self) {
        let spins = |thread: &Placed| thread.wait.spins();
        let hot = |thread: &Placed| thread.role.is_hot();
        for wanted in [&spins as &dyn Fn(&Placed) -> bool, &hot] {
            for role in BY_URGENCY {
                let Some(place) =
                    self.without_core(role).filter(|&place| wanted(&self.threads[place]))
                else {
                    continue;
                };
                let core = self.best_free().or_else(|| self.least_crowded());
                self.threads[place].core = core;
            }
        }
        for role in [Role::Links, Role::Features, Role::Decision] {
            if let Some(place) = self.without_core(role)
                && self.free().count() >= 2
            {
                self.threads[place].core = self.best_free();
            }
        }
    }

    fn without_core(&self, role: Role) -> Option<usize> {
        self.threads.iter().position(|thread| thread.role == role && thread.core.is_none())
    }

    /// Returns the free core on which a thread is least disturbed. The first core comes last, since
    /// systems put their interrupts and daemons there.
    fn best_free(&self) -> Option<Core> {
        self.free().min_by_key(|&core| {
            let beside = self
                .threads
                .iter()
                .filter_map(|thread| thread.core)
                .any(|other| self.machine.are_siblings(core, other));
            (!self.machine.is_isolated(core), beside, core.index == 0, core.index)
        })
    }

    /// Returns the core with the fewest threads, of those on which no thread spins.
    fn least_crowded(&self) -> Option<Core> {
        let threads = |core| self.threads.iter().filter(|thread| thread.core == Some(core)).count();
        let candidates = self.cores.iter().copied().filter(|&core| !self.is_spun_on(core));
        candidates.min_by_key(|&core| (threads(core), core.index == 0))
    }

    /// Returns the cores for the threads that have none: cores that nobody spins on, and if
    /// possible free ones, which the scheduler does not leave alone, beside no sibling that spins.
    fn shared(&self) -> Vec<Core> {
        if self.threads.iter().all(|thread| thread.core.is_some()) {
            return Vec::new();
        }
        let mut shared: Vec<Core> =
            self.cores.iter().copied().filter(|&core| !self.is_spun_on(core)).collect();
        let free: Vec<Core> = self.free().collect();
        let beside_spinning = |core| {
            self.spinning()
                .filter_map(|thread| thread.core)
                .any(|other| self.machine.are_siblings(core, other))
        };
        let wishes: [&dyn Fn(Core) -> bool; 3] =
            [&|core| free.contains(&core), &|core| !self.machine.is_isolated(core), &|core| {
                !beside_spinning(core)
            }];
        for wish in wishes {
            if shared.iter().any(|&core| wish(core)) {
                shared.retain(|&core| wish(core));
            }
        }
        shared
    }

    fn describe(&self, shared: &[Core]) -> String {
        let threads = self.threads.iter().map(|thread| match thread.core {
            Some(core) => format!("{} on {core} ({})", thread.role, thread.wait),
            None => format!("{} ({})", thread.role, thread.wait),
        });
        let threads: Vec<String> = threads.collect();
        let cpus: Vec<usize> = shared.iter().map(|core| core.cpu).collect();
        let rest = match cpus.as_slice() {
            [] => String::new(),
            _ => format!("; threads without a core share CPU {}", cpu_list::write(&cpus)),
        };
        format!(
            "pinned runner on {}: {}{rest}",
            count(self.cores.len(), "core"),
            threads.join(", ")
        )
    }

    fn warnings(&self, shared: &[Core]) -> Vec<String> {
        let mut warnings = Vec::new();
        let spinning: Vec<(Role, Core)> =
            self.spinning().filter_map(|thread| Some((thread.role, thread.core?))).collect();
        for (place, &(role, core)) in spinning.iter().enumerate() {
            for &(other, its_core) in &spinning[place + 1..] {
                if self.machine.are_siblings(core, its_core) {
                    warnings.push(format!(
                        "`{role}` on {core} and `{other}` on {its_core} spin on two hardware threads of one physical core and slow \
                         each other: give one of them a core of another, or let it wait by `adaptive`"
                    ));
                }
            }
            for thread in self
                .threads
                .iter()
                .filter(|thread| thread.core == Some(core) && !thread.wait.spins())
            {
                warnings.push(format!(
                    "`{}` is to run on {core}, where `{role}` spins: it will stop it for milliseconds at a time; give it \
                     another core",
                    thread.role
                ));
            }
        }
        if !self.machine.isolated.is_empty()
            && !self.cores.iter().any(|&core| self.machine.is_isolated(core))
        {
            let cpus = cpu_list::write(&self.machine.isolated);
            warnings.push(format!(
                "CPU {cpus} is isolated, but this process may not use it: start it by `taskset -c` or with CPUAffinity= \
                 of the unit, with CPU {cpus} and one more"
            ));
        }
        if shared.len() > 1 && shared.iter().all(|&core| self.machine.is_isolated(core)) {
            warnings.push(
                "threads without a core share isolated CPUs, where the scheduler never moves them apart: allow a CPU \
                 that is not isolated"
                    .into(),
            );
        }
        warnings
    }
}

/// Returns why `given_up` do not spin, in one line.
fn too_few_cores(cores: usize, requests: &[Request], given_up: &[Role]) -> String {
    let spinning = requests.iter().filter(|request| request.wait.spins()).count();
    let others = match requests.len() - spinning {
        0 => String::new(),
        number => format!(" and {}", count(number, "other")),
    };
    let roles: Vec<String> = given_up.iter().map(|role| format!("`{role}`")).collect();
    let wait = if roles.len() == 1 { "waits" } else { "wait" };
    format!(
        "{} are too few for {}{others}: {} {wait} adaptively instead, which costs some microseconds a hop",
        count(cores, "core"),
        count(spinning, "spinning thread"),
        roles.join(", "),
    )
}
