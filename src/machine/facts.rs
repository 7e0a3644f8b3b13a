//! Facts about this machine, as its kernel reports them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use super::{cpu_list, quota};

/// A core that this process may use.
///
/// Settings name a core by its `index`, so that one configuration holds on any machine and under
/// any CPU set: on a process that may use the CPUs 1, 3 and 5, core 2 is CPU 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Core {
    /// Place among the allowed CPUs, from 0.
    pub index: usize,
    /// The system's number of it: N of `/sys/devices/system/cpu/cpuN`.
    pub cpu: usize,
}

impl fmt::Display for Core {
    /// Writes `core 2`, and `core 2 (CPU 5)` where the numbers differ.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "core {}", self.index)?;
        if self.index != self.cpu { write!(f, " (CPU {})", self.cpu) } else { Ok(()) }
    }
}

/// The known facts about the machine. A fact that the system does not tell is absent.
///
/// Inside a virtual machine the kernel knows what the host chose to tell: siblings may be missing,
/// and a core may be taken away at any time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// The processor's model.
    pub processor: Option<String>,
    /// CPUs that this process may use, ascending.
    pub allowed: Vec<usize>,
    /// For each allowed CPU that tells: the CPUs that are hardware threads of the same physical
    /// core, itself among them.
    pub siblings: BTreeMap<usize, Vec<usize>>,
    /// CPUs that the scheduler leaves alone (`isolcpus=`), ascending; also those that we may not
    /// use.
    pub isolated: Vec<usize>,
    /// CPUs without a timer tick while one thread runs (`nohz_full=`), ascending.
    pub tickless: Vec<usize>,
    /// Processor time that the control groups leave to this process, in cores.
    pub quota: Option<f64>,
    /// The kernel's clock source, such as `tsc`.
    pub clock_source: Option<String>,
    /// `true` if the time stamp counter runs at one speed, in every sleep state. Absent on other
    /// processors than x86.
    pub invariant_time_stamps: Option<bool>,
    /// `true` if this is a virtual machine. Absent on other processors than x86.
    pub virtual_machine: Option<bool>,
    /// Which memory gets transparent huge pages: `always`, `madvise` or `never`.
    pub transparent_huge_pages: Option<String>,
}

impl Machine {
    /// Reads this machine.
    ///
    /// The allowed CPUs are the calling thread's: call it once, before any thread is pinned.
    pub fn read() -> Machine {
        let allowed = core_affinity::get_core_ids().unwrap_or_default();
        Machine::read_from(Path::new("/"), allowed.into_iter().map(|core| core.id).collect())
    }

    /// Reads the machine whose `/proc` and `/sys` lie under `root`, and of which this process may
    /// use the CPUs `allowed`.
    pub fn read_from(root: &Path, mut allowed: Vec<usize>) -> Machine {
        allowed.sort_unstable();
        allowed.dedup();
        let text = |path: &str| {
            let text = fs::read_to_string(root.join(path)).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let cpus = |path: &str| text(path).map(|text| cpu_list::parse(&text)).unwrap_or_default();
        let siblings = allowed.iter().filter_map(|&cpu| {
            let together =
                cpus(&format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"));
            together.contains(&cpu).then_some((cpu, together))
        });

        let information = text("proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            information.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                (key.trim() == name).then(|| value.trim().to_owned())
            })
        };
        let flags = field("flags");
        let has = |flag: &str| Some(flags.as_deref()?.split(' ').any(|word| word == flag));

        Machine {
            processor: field("model name"),
            siblings: siblings.collect(),
            isolated: cpus("sys/devices/system/cpu/isolated"),
            tickless: cpus("sys/devices/system/cpu/nohz_full"),
            quota: quota::read(root),
            clock_source: text("sys/devices/system/clocksource/clocksource0/current_clocksource"),
            invariant_time_stamps: has("constant_tsc")
                .zip(has("nonstop_tsc"))
                .map(|(constant, nonstop)| constant && nonstop),
            virtual_machine: has("hypervisor"),
            // `always [madvise] never`: the chosen one stands in brackets.
            transparent_huge_pages: text("sys/kernel/mm/transparent_hugepage/enabled")
                .and_then(|text| Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())),
            allowed,
        }
    }

    /// Returns the cores that this process may use, in order of their indices.
    pub fn cores(&self) -> impl Iterator<Item = Core> + '_ {
        self.allowed.iter().enumerate().map(|(index, &cpu)| Core { index, cpu })
    }

    /// Returns whether `one` and `other` are hardware threads of one physical core. Not known means
    /// no.
    pub fn are_siblings(&self, one: Core, other: Core) -> bool {
        one.cpu != other.cpu
            && self.siblings.get(&one.cpu).is_some_and(|cpus| cpus.contains(&other.cpu))
    }

    /// Returns whether the scheduler leaves `core` alone.
    pub fn is_isolated(&self, core: Core) -> bool {
        self.isolated.contains(&core.cpu)
    }

    /// Returns the machine in one line of a report: `AMD EPYC, 2 cores`.
    pub fn summary(&self) -> String {
        let processor = self.processor.as_deref().unwrap_or("processor of unknown model");
        format!("{processor}, {}", count(self.allowed.len(), "core"))
    }

    /// Returns the facts that bear on latency, one a line, in plain words.
    pub fn facts(&self) -> Vec<String> {
        let mut facts = vec![format!("allowed CPUs: {}", cpu_list::write(&self.allowed))];
        facts.push(match self.isolated.as_slice() {
            [] => "isolated CPUs: none; the scheduler may put other work on any core".into(),
            cpus => format!("isolated CPUs: {}", cpu_list::write(cpus)),
        });
        if !self.tickless.is_empty() {
            facts.push(format!("CPUs without a timer tick: {}", cpu_list::write(&self.tickless)));
        }
        if !self.siblings.is_empty() {
            let mut shared: Vec<_> = self
                .siblings
                .values()
                .filter(|cpus| cpus.len() > 1)
                .map(|cpus| cpu_list::write(cpus))
                .collect();
            shared.sort();
            shared.dedup();
            facts.push(match shared.len() {
                0 => "hardware threads: one a physical core".into(),
                _ => format!("hardware threads that share a physical core: {}", shared.join("; ")),
            });
        }
        if let Some(quota) = self.quota {
            facts.push(format!("processor time is limited by control groups to {quota} cores"));
        }
        if let Some(source) = &self.clock_source {
            let stamps = match self.invariant_time_stamps {
                Some(true) => "; the time stamp counter runs at one speed",
                Some(false) => {
                    "; the time stamp counter changes its speed, so latencies are timed by the system's clock"
                }
                None => "",
            };
            facts.push(format!("clock source: {source}{stamps}"));
        }
        if self.virtual_machine == Some(true) {
            facts.push("virtual machine: its host may take a core away at any time".into());
        }
        if let Some(mode) = &self.transparent_huge_pages {
            facts.push(format!("transparent huge pages: {mode}"));
        }
        facts
    }
}

/// Returns `1 core`, `2 cores`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Core, Machine};

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn reads_a_server_with_hardware_threads_and_isolated_cpus() {
        let root = tree(&[
            (
                "proc/cpuinfo",
                "processor\t: 0\nmodel name\t: Some Processor 9000\nflags\t\t: fpu constant_tsc nonstop_tsc\n\n\
                 processor\t: 1\nmodel name\t: Some Processor 9000\n",
            ),
            ("sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,5\n"),
            ("sys/devices/system/cpu/cpu5/topology/thread_siblings_list", "1,5\n"),
            ("sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "3,7\n"),
            ("sys/devices/system/cpu/isolated", "2-5\n"),
            ("sys/devices/system/cpu/nohz_full", "2-5\n"),
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ]);
        let machine = Machine::read_from(root.path(), vec![5, 3, 1]);
        let cores: Vec<Core> = machine.cores().collect();
        assert_eq!(cores[2], Core { index: 2, cpu: 5 });
        assert_eq!(cores[2].to_string(), "core 2 (CPU 5)");
        assert!(machine.are_siblings(cores[0], cores[2]));
        assert!(!machine.are_siblings(cores[0], cores[1]));
        assert!(!machine.are_siblings(cores[0], cores[0]));
        assert!(machine.is_isolated(cores[1]) && !machine.is_isolated(cores[0]));
        assert_eq!(machine.virtual_machine, Some(false));
        assert_eq!(machine.summary(), "Some Processor 9000, 3 cores");
        assert_eq!(
            machine.facts(),
            [
                "allowed CPUs: 1,3,5",
                "isolated CPUs: 2-5",
                "CPUs without a timer tick: 2-5",
                "hardware threads that share a physical core: 1,5; 3,7",
                "clock source: tsc; the time stamp counter runs at one speed",
                "transparent huge pages: madvise",
            ]
        );
    }

    #[test]
    fn says_what_disturbs_a_rented_machine() {
        let root = tree(&[
            ("proc/cpuinfo", "flags : fpu hypervisor constant_tsc\n"),
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/mountinfo", "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
            ("sys/fs/cgroup/cpu.max", "150000 100000\n"),
            ("sys/devices/system/cpu/isolated", "\n"),
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "kvm-clock\n"),
        ]);
        let machine = Machine::read_from(root.path(), vec![0]);
        assert_eq!(machine.summary(), "processor of unknown model, 1 core");
        assert_eq!(
            machine.facts(),
            [
                "allowed CPUs: 0",
                "isolated CPUs: none; the scheduler may put other work on any core",
                "processor time is limited by control groups to 1.5 cores",
                "clock source: kvm-clock; the time stamp counter changes its speed, so latencies are timed by the system's clock",
                "virtual machine: its host may take a core away at any time",
            ]
        );
    }

    #[test]
    fn knows_the_allowed_cpus_where_nothing_else_is_told() {
        let machine = Machine::read_from(Path::new("/nonexistent"), vec![0, 1]);
        assert_eq!(machine, Machine { allowed: vec![0, 1], ..Machine::default() });
    }

    #[test]
    fn reads_this_machine() {
        let machine = Machine::read();
        // The standard library counts the same CPUs, less those beyond a quota.
        let parallelism = std::thread::available_parallelism().unwrap().get();
        let quota = machine.quota.map_or(usize::MAX, |quota| (quota as usize).max(1));
        assert_eq!(machine.allowed.len().min(quota), parallelism);
    }
}
