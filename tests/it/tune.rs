//! The scripts of `perf/tune` on a machine of files, so that nothing real is changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const MACHINE: [(&str, &str); 22] = [
    ("proc/sys/vm/swappiness", "60\n"),
    ("proc/sys/vm/stat_interval", "1\n"),
    ("proc/sys/kernel/numa_balancing", "0\n"),
    ("proc/sys/kernel/timer_migration", "1\n"),
    ("proc/sys/kernel/soft_watchdog", "1\n"),
    ("proc/sys/kernel/sched_rt_runtime_us", "950000\n"),
    ("proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n"),
    ("proc/cmdline", "quiet isolcpus=2-3 rcu_nocbs=2-3\n"),
    ("proc/irq/24/smp_affinity_list", "0-3\n"),
    ("proc/irq/25/smp_affinity_list", "1\n"),
    ("sys/devices/system/cpu/online", "0-3\n"),
    ("sys/devices/system/cpu/isolated", "2-3\n"),
    ("sys/devices/system/cpu/smt/active", "1\n"),
    ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
    ("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "schedutil\n"),
    ("sys/devices/system/cpu/cpu0/cpuidle/state1/latency", "100\n"),
    ("sys/devices/system/cpu/cpu0/cpuidle/state1/disable", "0\n"),
    ("sys/devices/system/cpu/cpu2/cpuidle/state0/latency", "1\n"),
    ("sys/devices/system/cpu/cpu2/cpuidle/state0/disable", "0\n"),
    ("sys/devices/system/cpu/cpu2/cpuidle/state1/latency", "100\n"),
    ("sys/devices/system/cpu/cpu2/cpuidle/state1/disable", "0\n"),
    ("sys/kernel/mm/transparent_hugepage/enabled", "always\n"),
];

/// Settings after `apply.sh`.
const TUNED: [(&str, &str); 9] = [
    ("proc/sys/vm/swappiness", "1\n"),
    ("proc/sys/vm/stat_interval", "10\n"),
    ("proc/sys/kernel/timer_migration", "0\n"),
    ("proc/sys/kernel/soft_watchdog", "0\n"),
    ("proc/irq/24/smp_affinity_list", "0,1\n"),
    ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
    ("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "performance\n"),
    ("sys/devices/system/cpu/cpu2/cpuidle/state1/disable", "1\n"),
    ("sys/kernel/mm/transparent_hugepage/enabled", "madvise\n"),
];

struct Machine(TempDir);

impl Machine {
    fn new() -> Machine {
        let machine = Machine(tempfile::tempdir().unwrap());
        for (path, text) in MACHINE {
            let path = machine.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn files(&self) -> BTreeMap<&'static str, String> {
        MACHINE
            .iter()
            .map(|(path, _)| (*path, fs::read_to_string(self.path(path)).unwrap()))
            .collect()
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        Command::new("bash")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("perf/tune").join(script))
            .args(arguments)
            .env("TUNE_ROOT", self.0.path())
            .output()
            .unwrap()
    }

    /// The lines of `check.sh`: status by setting.
    fn check(&self) -> BTreeMap<String, String> {
        let output = self.run("check.sh", &[]);
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| (line[6..28].trim().to_owned(), line[..6].trim().to_owned()))
            .collect()
    }
}

fn originals() -> BTreeMap<&'static str, String> {
    MACHINE.map(|(path, text)| (path, text.to_owned())).into()
}

#[test]
fn revert_puts_back_exactly_what_the_first_apply_found() {
    let machine = Machine::new();
    assert!(machine.run("apply.sh", &[]).status.success());
    let mut tuned = originals();
    tuned.extend(TUNED.map(|(path, text)| (path, text.to_owned())));
    assert_eq!(machine.files(), tuned);

    // Something else changes a setting; the second run sets it again, but remembers the first
    // one's.
    fs::write(machine.path("proc/sys/vm/swappiness"), "30\n").unwrap();
    assert!(machine.run("apply.sh", &[]).status.success());
    assert_eq!(machine.files(), tuned);

    assert!(machine.run("revert.sh", &["--dry-run"]).status.success());
    assert_eq!(machine.files(), tuned);
    assert!(machine.run("revert.sh", &[]).status.success());
    assert_eq!(machine.files(), originals());
    // And no notes are left to go back to a second time.
    let again = machine.run("revert.sh", &[]);
    assert!(String::from_utf8(again.stdout).unwrap().starts_with("nothing to put back"));
}

#[test]
fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let machine = Machine::new();
    let output = machine.run("apply.sh", &["--dry-run"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("would set /proc/sys/vm/swappiness: 60 -> 1\n"), "{text}");
    assert_eq!(text.lines().count(), TUNED.len(), "{text}");
    assert_eq!(machine.files(), originals());
    assert!(!machine.path("run").exists());
}

#[test]
fn the_cores_that_trade_can_be_named_but_not_all_of_them() {
    let machine = Machine::new();
    assert!(machine.run("apply.sh", &["--cpus", "1"]).status.success());
    assert_eq!(machine.files()["proc/irq/24/smp_affinity_list"], "0,2,3\n");
    assert_eq!(machine.files()["proc/irq/25/smp_affinity_list"], "0,2,3\n");
    assert_eq!(machine.files()["sys/devices/system/cpu/cpu2/cpuidle/state1/disable"], "0\n");
    for wrong in [&["--cpus", "0-3"][..], &["--cpus", "two"], &["--cpus"], &["--force"]] {
        assert_eq!(machine.run("apply.sh", wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn what_the_kernel_refuses_is_said_and_does_not_stop_the_rest() {
    let machine = Machine::new();
    let refused = machine.path("proc/sys/vm/swappiness");
    fs::remove_file(&refused).unwrap();
    // Can be read, but not written, not even by root.
    symlink("/proc/version", &refused).unwrap();
    let output = machine.run("apply.sh", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/proc/sys/vm/swappiness: stays "));
    assert_eq!(machine.files()["proc/sys/vm/stat_interval"], "10\n");
    assert!(machine.run("revert.sh", &[]).status.success());
    assert_eq!(machine.files()["proc/sys/vm/stat_interval"], "1\n");
}

#[test]
fn check_warns_of_what_apply_mends() {
    let machine = Machine::new();
    let mended = [
        "governor",
        "huge pages",
        "swappiness",
        "memory statistics",
        "timer migration",
        "watchdog",
        "interrupts",
    ];
    let before = machine.check();
    assert!(machine.run("apply.sh", &[]).status.success());
    let after = machine.check();
    for setting in mended {
        assert_eq!(
            (before[setting].as_str(), after[setting].as_str()),
            ("WARN", "PASS"),
            "{setting}"
        );
    }
    let unchanged = [
        ("isolcpus", "PASS"),
        ("rcu_nocbs", "PASS"),
        ("nohz_full", "WARN"),
        ("hardware threads", "WARN"),
        ("real-time throttling", "WARN"),
        ("clock source", "n.a."),
    ];
    for (setting, status) in unchanged {
        assert_eq!(
            (before[setting].as_str(), after[setting].as_str()),
            (status, status),
            "{setting}"
        );
    }
    assert_eq!(machine.run("check.sh", &["--strict"]).status.code(), Some(1));
}
