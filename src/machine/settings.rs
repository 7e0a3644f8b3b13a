//! Requests to the system. All of it is best effort: a run continues without, and its log says
//! what came of it.
//!
//! Policy, core set and priority are the calling thread's, and a thread that it spawns later
//! inherits them: spawn every thread from one that was left as it was, and let each ask for itself.

use std::fmt;
use std::io;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, CpuSet, capabilities, sched_setaffinity};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use super::facts::Core;

/// The outcome of a request to the system, in one plain line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The request was granted.
    Done(String),
    /// The request was refused: the reason, and how to allow it.
    Refused(String),
}

impl Outcome {
    /// Returns whether the request was granted.
    pub fn is_done(&self) -> bool {
        matches!(self, Outcome::Done(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Outcome::Done(line) | Outcome::Refused(line)) = self;
        f.write_str(line)
    }
}

/// Binds the calling thread to `core`.
pub fn pin_current_thread(core: Core) -> Outcome {
    if core_affinity::set_for_current(core_affinity::CoreId { id: core.cpu }) {
        Outcome::Done(format!("pinned to {core}"))
    } else {
        Outcome::Refused(format!(
            "not pinned to {core}, because the system refused it; `cpuset.cpus` of the control group must hold \
             CPU {}, and the CPU must be online",
            core.cpu
        ))
    }
}

/// Lets the calling thread run on `cores` only, wherever the scheduler likes among them: for
/// threads without a core of their own, so that they stay away from those that spin.
pub fn keep_current_thread_on(cores: &[Core]) -> Outcome {
    let names: Vec<String> = cores.iter().map(Core::to_string).collect();
    let names = names.join(", ");
    let mut set = CpuSet::new();
    for core in cores.iter().filter(|core| core.cpu < CpuSet::MAX_CPU) {
        set.set(core.cpu);
    }
    match sched_setaffinity(None, &set) {
        Ok(()) => Outcome::Done(format!("kept on {names}")),
        Err(error) => Outcome::Refused(format!(
            "not kept on {names}, because the system refused it ({}); `cpuset.cpus` of the control group must hold one \
             of these CPUs",
            io::Error::from(error)
        )),
    }
}

/// Puts the calling thread under `SCHED_FIFO` with `priority`, 1 to 99: it runs before every
/// ordinary thread of its core for as long as it wants.
///
/// A thread that spins under this policy lets nothing else run on its core but what the kernel
/// reserves for ordinary threads (50 ms of each second by default, which then show as the tail of
/// the latencies). Give it only to threads on cores of their own, and stay below 50, where the
/// kernel runs its interrupt threads.
pub fn real_time(priority: u8) -> Outcome {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let asked = ThreadPriorityValue::try_from(priority)
        .map_err(|reason| reason.to_string())
        .and_then(|value| {
            set_thread_priority_and_policy(
                thread_native_id(),
                ThreadPriority::Crossplatform(value),
                policy,
            )
            .map_err(|error| match error {
                thread_priority::Error::OS(code) => io::Error::from_raw_os_error(code).to_string(),
                other => other.to_string(),
            })
        });
    match asked {
        Ok(()) => Outcome::Done(format!("real-time priority {priority} (SCHED_FIFO)")),
        Err(reason) => Outcome::Refused(format!(
            "no real-time priority {priority} ({reason}); the priority must lie in 1 to 99 and within the limit that \
             `ulimit -r` shows: raise it by LimitRTPRIO= of the unit, rtprio in /etc/security/limits.conf, or the \
             capability CAP_SYS_NICE"
        )),
    }
}

/// Keeps every page that the process has touched, and each that it will touch, in memory: no page
/// fault waits for a disk again.
///
/// Pages are locked when they are first touched, so a large mapped file is not read whole at once.
/// But what was touched stays: replaying a history that is larger than the memory ends the process.
/// For live trading and paced replay, not for long backtests.
///
/// Refused where there is a finite limit on locked memory, even if what is mapped now lies within
/// it: a later mapping that went beyond would fail, in the middle of trading.
pub fn lock_memory() -> Outcome {
    const REMEDY: &str = "allow it by `ulimit -l unlimited`, LimitMEMLOCK=infinity of the unit, or the capability \
                          CAP_IPC_LOCK";
    let privileged =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    if let (Some(limit), false) = (getrlimit(Resource::Memlock).current, privileged) {
        return Outcome::Refused(format!(
            "memory is not locked, because locked memory is limited to {} KiB; {REMEDY}",
            limit / 1024
        ));
    }
    match mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT) {
        Ok(()) => Outcome::Done("memory is locked: a page once touched stays".into()),
        Err(error) => {
            Outcome::Refused(format!("memory is not locked ({}); {REMEDY}", io::Error::from(error)))
        }
    }
}

/// Returns whether the process's memory lies in huge pages, which take fewer entries of the
/// processor's address cache. Which memory does is the allocator's and the kernel's business: this
/// only tells, and says how to ask for it.
pub fn huge_pages() -> Outcome {
    const REMEDY: &str = "set GLIBC_TUNABLES=glibc.malloc.hugetlb=1 in its environment, with madvise or always in \
                          /sys/kernel/mm/transparent_hugepage/enabled";
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    match huge_kibibytes(&rollup) {
        None => Outcome::Refused(format!("huge pages: the system does not tell; {REMEDY}")),
        Some(0) => {
            Outcome::Refused(format!("huge pages: none under this process's memory; {REMEDY}"))
        }
        Some(size) => {
            Outcome::Done(format!("huge pages: under {size} KiB of this process's memory"))
        }
    }
}

/// Returns the kibibytes of anonymous memory in huge pages, from `/proc/self/smaps_rollup`.
fn huge_kibibytes(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("AnonHugePages:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use rustix::mm::munlockall;
    use rustix::thread::sched_getaffinity;
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy,
    };

    use super::{
        huge_kibibytes, huge_pages, keep_current_thread_on, lock_memory, pin_current_thread,
        real_time,
    };
    use crate::machine::{Core, Machine};

    /// Runs in a thread of its own, which dies with its settings.
    fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        thread::spawn(work).join().unwrap()
    }

    fn cpus_of_this_thread() -> Vec<usize> {
        let set = sched_getaffinity(None).unwrap();
        (0..1024).filter(|&cpu| set.is_set(cpu)).collect()
    }

    #[test]
    fn a_thread_runs_on_the_cores_that_it_was_given() {
        apart(|| {
            let cores: Vec<Core> = Machine::read().cores().collect();
            let last = *cores.last().unwrap();
            assert!(pin_current_thread(last).is_done());
            assert_eq!(cpus_of_this_thread(), [last.cpu]);
            assert!(keep_current_thread_on(&cores).is_done());
            assert_eq!(cpus_of_this_thread().len(), cores.len());
        });
    }

    #[test]
    fn a_core_that_is_not_there_is_refused_by_name() {
        apart(|| {
            let before = cpus_of_this_thread();
            let nowhere = Core { index: 2, cpu: 1023 };
            let outcome = pin_current_thread(nowhere);
            assert!(!outcome.is_done() && outcome.to_string().contains("CPU 1023"), "{outcome}");
            assert!(!keep_current_thread_on(&[nowhere]).is_done());
            assert!(!keep_current_thread_on(&[]).is_done());
            assert_eq!(cpus_of_this_thread(), before);
        });
    }

    #[test]
    fn real_time_is_so_or_names_the_limit() {
        apart(|| {
            let outcome = real_time(10);
            let fifo = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
            assert_eq!(outcome.is_done(), thread_schedule_policy().unwrap() == fifo);
            assert!(outcome.is_done() || outcome.to_string().contains("LimitRTPRIO"), "{outcome}");
        });
        for priority in [0, 100, 255] {
            assert!(!apart(move || real_time(priority)).is_done(), "{priority}");
        }
    }

    #[test]
    fn memory_is_locked_or_the_limit_is_named() {
        let locked = || {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("VmLck:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        let outcome = lock_memory();
        assert_eq!(outcome.is_done(), locked() > 0);
        assert!(outcome.is_done() || outcome.to_string().contains("LimitMEMLOCK"), "{outcome}");
        munlockall().unwrap();
    }

    #[test]
    fn huge_pages_are_counted_or_the_way_to_them_is_named() {
        assert_eq!(huge_kibibytes("Rss: 8 kB\nAnonHugePages:      4096 kB\n"), Some(4096));
        assert_eq!(huge_kibibytes("AnonHugePages: many kB\n"), None);
        assert_eq!(huge_kibibytes(""), None);
        let outcome = huge_pages();
        assert!(outcome.is_done() || outcome.to_string().contains("GLIBC_TUNABLES"), "{outcome}");
    }
}
