use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Placed, Plan, PlanError, Request, Role, plan};
use crate::machine::{Core, Machine, Wait};

const ROLES: [Role; 7] = [
    Role::Sequencer,
    Role::Stages,
    Role::Features,
    Role::Decision,
    Role::Journal,
    Role::Metrics,
    Role::Links,
];

fn machine(allowed: impl IntoIterator<Item = usize>) -> Machine {
    Machine { allowed: allowed.into_iter().collect(), ..Machine::default() }
}

/// Returns a machine with `cores` physical cores of two hardware threads, numbered as Intel and AMD
/// do: N and N + `cores`.
fn machine_with_siblings(cores: usize) -> Machine {
    let siblings = (0..2 * cores).map(|cpu| (cpu, vec![cpu % cores, cpu % cores + cores]));
    Machine { siblings: siblings.collect(), ..machine(0..2 * cores) }
}

fn request(role: Role, wait: Wait) -> Request {
    Request { role, wait, core: None }
}

fn on(role: Role, wait: Wait, core: usize) -> Request {
    Request { role, wait, core: Some(core) }
}

/// Returns the requests of a live run: the hot threads spin.
fn live() -> [Request; 6] {
    [
        request(Role::Sequencer, Wait::BusySpin),
        request(Role::Stages, Wait::BusySpin),
        request(Role::Features, Wait::Adaptive),
        request(Role::Decision, Wait::Adaptive),
        request(Role::Journal, Wait::Sleep),
        request(Role::Metrics, Wait::Sleep),
    ]
}

/// Returns a plan in short: `sequencer 2 busy_spin, journal - sleep | 0 3`, cores by CPU; or why it
/// is inline.
fn short(machine: &Machine, requests: &[Request]) -> String {
    match plan(machine, requests).unwrap() {
        Plan::Inline { why } => why,
        Plan::Pinned { threads, shared, .. } => {
            let thread = |thread: &Placed| {
                let core = thread.core.map_or("-".into(), |core| core.cpu.to_string());
                format!("{} {core} {}", thread.role, thread.wait)
            };
            let threads: Vec<String> = threads.iter().map(thread).collect();
            let shared: Vec<String> = shared.iter().map(|core| core.cpu.to_string()).collect();
            format!("{} | {}", threads.join(", "), shared.join(" "))
        }
    }
}

fn lines(machine: &Machine, requests: &[Request]) -> Vec<String> {
    match plan(machine, requests).unwrap() {
        Plan::Pinned { lines, .. } => lines,
        Plan::Inline { why } => panic!("{why}"),
    }
}

#[test]
fn a_live_run_on_machines_from_large_to_small() {
    let isolated = Machine { isolated: vec![2, 3], ..machine(0..8) };
    let isolated_sibling = Machine { isolated: vec![1, 5], ..machine_with_siblings(4) };
    for (name, machine, expected) in [
        (
            "64 cores",
            machine(0..64),
            "sequencer 2 busy_spin, stages 1 busy_spin, features 3 adaptive, decision 4 adaptive, \
             journal - sleep, metrics - sleep | 0 ",
        ),
        (
            "8 cores, two of them isolated",
            isolated,
            "sequencer 3 busy_spin, stages 2 busy_spin, features 1 adaptive, decision 4 adaptive, \
             journal - sleep, metrics - sleep | 0 5 6 7",
        ),
        (
            "4 physical cores of two threads: each of ours on its own, the rest beside those that do not spin",
            machine_with_siblings(4),
            "sequencer 2 busy_spin, stages 1 busy_spin, features 3 adaptive, decision 4 adaptive, \
             journal - sleep, metrics - sleep | 0 7",
        ),
        (
            "isolation goes before distinct physical cores",
            isolated_sibling,
            "sequencer 5 busy_spin, stages 1 busy_spin, features 2 adaptive, decision 3 adaptive, \
             journal - sleep, metrics - sleep | 0 4 6 7",
        ),
        (
            "4 cores",
            machine(0..4),
            "sequencer 2 busy_spin, stages 1 busy_spin, features 3 adaptive, decision - adaptive, \
             journal - sleep, metrics - sleep | 0",
        ),
        (
            "3 cores with holes between them",
            machine([1, 3, 5]),
            "sequencer 5 busy_spin, stages 3 busy_spin, features - adaptive, decision - adaptive, \
             journal - sleep, metrics - sleep | 1",
        ),
        (
            "2 cores: nothing spins, everything may run on both",
            machine(0..2),
            "sequencer 0 adaptive, stages 1 adaptive, features - adaptive, decision - adaptive, \
             journal - sleep, metrics - sleep | 0 1",
        ),
        (
            "1 core",
            machine([7]),
            "inline runner: this process may use one core only, where threads would stop each other",
        ),
    ] {
        let got = short(&machine, &live());
        // On a large machine the rest of the shared cores goes without saying.
        match expected.strip_suffix("| 0 ") {
            Some(start) => assert!(got.starts_with(start), "{name}: {got}"),
            None => assert_eq!(got, expected, "{name}"),
        }
    }
}

#[test]
fn says_in_one_line_what_the_cores_are_too_few_for() {
    assert_eq!(
        lines(&machine(0..2), &live()),
        [
            "pinned runner on 2 cores: sequencer on core 0 (adaptive), stages on core 1 (adaptive), features (adaptive), \
             decision (adaptive), journal (sleep), metrics (sleep); threads without a core share CPU 0-1",
            "2 cores are too few for 2 spinning threads and 4 others: `sequencer`, `stages` wait adaptively instead, which \
             costs some microseconds a hop",
        ]
    );
    // Only as much is given up as must be, the least urgent first.
    let greedy = ROLES.map(|role| request(role, Wait::SpinHint));
    assert_eq!(
        short(&machine(0..4), &greedy),
        "sequencer 2 spin_hint, stages 1 spin_hint, features - adaptive, decision - adaptive, journal - adaptive, \
         metrics - adaptive, links 3 spin_hint | 0"
    );
    assert_eq!(
        lines(&machine(0..4), &greedy)[1],
        "4 cores are too few for 7 spinning threads: `features`, `decision`, `journal`, `metrics` wait adaptively instead, \
         which costs some microseconds a hop"
    );
    // The links go before the decision; on two cores they share, and the line says so.
    let paper = [Role::Sequencer, Role::Stages, Role::Decision, Role::Metrics, Role::Links];
    let paper = paper.map(|role| request(role, Wait::Adaptive));
    let cores = |cores| short(&machine(0..cores), &paper);
    assert!(cores(4).contains("decision - adaptive") && cores(4).contains("links 3 adaptive"));
    assert!(cores(2).contains("links - adaptive"));
    assert!(
        lines(&machine(0..2), &paper)[0]
            .ends_with("links (adaptive); threads without a core share CPU 0-1")
    );
    assert_eq!(lines(&machine(0..8), &greedy).len(), 1);
}

#[test]
fn two_cores_are_enough_for_two_spinning_threads_alone() {
    let two = [request(Role::Sequencer, Wait::BusySpin), request(Role::Stages, Wait::BusySpin)];
    assert_eq!(short(&machine(0..2), &two), "sequencer 0 busy_spin, stages 1 busy_spin | ");
}

#[test]
fn requested_cores_are_indices_into_the_allowed_set_and_are_kept() {
    let requests = [
        on(Role::Sequencer, Wait::BusySpin, 2),
        request(Role::Stages, Wait::BusySpin),
        on(Role::Journal, Wait::Sleep, 0),
        request(Role::Metrics, Wait::Sleep),
    ];
    assert_eq!(
        short(&machine([1, 3, 5, 8]), &requests),
        "sequencer 5 busy_spin, stages 3 busy_spin, journal 1 sleep, metrics - sleep | 8"
    );
    let message =
        plan(&machine([1, 3, 5]), &[on(Role::Stages, Wait::Sleep, 3)]).unwrap_err().to_string();
    assert!(
        message.contains("`stages` asks for core 3")
            && message.contains("cores 0 to 2 (CPUs 1,3,5)"),
        "{message}"
    );
    // Also where all would run inline anyway.
    let message = plan(&machine([4]), &[on(Role::Stages, Wait::Sleep, 4)]).unwrap_err().to_string();
    assert!(message.contains("core 0 only (CPU 4)"), "{message}");
}

#[test]
fn refuses_two_spinning_threads_on_one_core_and_a_role_twice() {
    let requests = [
        on(Role::Sequencer, Wait::BusySpin, 1),
        on(Role::Journal, Wait::Sleep, 1),
        on(Role::Stages, Wait::SpinHint, 1),
    ];
    assert_eq!(
        plan(&machine(0..64), &requests),
        Err(PlanError::TwoSpinOnOneCore { first: Role::Sequencer, second: Role::Stages, index: 1 })
    );
    // One that gives way is not refused, but warned of.
    let warned = lines(&machine(0..64), &requests[..2]);
    assert!(
        warned[1].contains("`journal` is to run on core 1, where `sequencer` spins"),
        "{warned:?}"
    );
    let twice = [request(Role::Journal, Wait::Sleep), request(Role::Journal, Wait::Yield)];
    assert_eq!(plan(&machine(0..64), &twice), Err(PlanError::RoleTwice { role: Role::Journal }));
}

#[test]
fn warns_of_hardware_threads_that_slow_each_other() {
    let requests = [on(Role::Sequencer, Wait::BusySpin, 1), on(Role::Stages, Wait::BusySpin, 5)];
    let warned = lines(&machine_with_siblings(4), &requests);
    assert!(warned[1].contains("two hardware threads of one physical core"), "{warned:?}");
    let apart = [on(Role::Sequencer, Wait::BusySpin, 1), on(Role::Stages, Wait::BusySpin, 6)];
    assert_eq!(lines(&machine_with_siblings(4), &apart).len(), 1);
    let waiting = [on(Role::Sequencer, Wait::BusySpin, 1), on(Role::Stages, Wait::Adaptive, 5)];
    assert_eq!(lines(&machine_with_siblings(4), &waiting).len(), 1);
}

#[test]
fn warns_of_isolated_cpus_that_go_unused_or_hold_everything() {
    let unused = Machine { isolated: vec![4, 5, 6], ..machine(0..4) };
    assert!(
        lines(&unused, &live())[1].contains("CPU 4-6 is isolated, but this process may not use it")
    );
    let all = Machine { isolated: vec![4, 5, 6, 7, 8, 9], ..machine(4..10) };
    assert!(lines(&all, &live())[1].contains("share isolated CPUs"));
}

#[test]
fn a_quota_below_what_spinning_needs_means_inline() {
    let limited = |quota, cores| Machine { quota: Some(quota), ..machine(0..cores) };
    // Two that spin, and one core's worth for the others.
    assert!(
        short(&limited(2.9, 8), &live())
            .starts_with("inline runner: control groups allow 2.9 cores")
    );
    assert!(short(&limited(3.0, 8), &live()).starts_with("sequencer 2 busy_spin"));
    // Threads that give way need less, but two at work need two.
    let sleeping = ROLES.map(|role| request(role, Wait::Sleep));
    assert!(short(&limited(2.0, 8), &sleeping).starts_with("sequencer 2 sleep"));
    assert!(short(&limited(1.5, 8), &sleeping).starts_with("inline runner"));
    assert!(
        short(&limited(0.5, 1), &live())
            .starts_with("inline runner: this process may use one core")
    );
    // Two cores cannot spin, quota or not.
    assert!(short(&limited(2.0, 2), &live()).starts_with("sequencer 0 adaptive"));
}

#[test]
fn names_are_those_of_the_configuration() {
    for role in ROLES {
        assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
    }
}

prop_compose! {
    fn any_machine()(
        allowed in prop::collection::btree_set(0_usize..24, 0..14),
        isolated in prop::collection::btree_set(0_usize..24, 0..6),
        threads in 1_usize..4,
        quota in prop::option::of(0.1..16.0_f64),
    ) -> Machine {
        // Hardware threads of one physical core have neighbouring numbers here.
        let together = |cpu: usize| (cpu / threads * threads..cpu / threads * threads + threads).collect();
        Machine {
            siblings: allowed.iter().map(|&cpu| (cpu, together(cpu))).collect(),
            allowed: allowed.into_iter().collect(),
            isolated: isolated.into_iter().collect(),
            quota,
            ..Machine::default()
        }
    }
}

fn any_requests() -> impl Strategy<Value = Vec<Request>> {
    let wait = prop::sample::select(vec![
        Wait::BusySpin,
        Wait::SpinHint,
        Wait::Yield,
        Wait::Adaptive,
        Wait::Sleep,
    ]);
    let core = prop::option::weighted(0.3, 0_usize..9);
    let roles = prop::sample::subsequence(ROLES.to_vec(), 0..=ROLES.len()).prop_shuffle();
    (roles, prop::collection::vec((wait, core), ROLES.len())).prop_map(|(roles, wishes)| {
        let request = |(role, (wait, core))| Request { role, wait, core };
        roles.into_iter().zip(wishes).map(request).collect()
    })
}

proptest! {
    #[test]
    fn every_plan_can_be_carried_out(machine in any_machine(), requests in any_requests()) {
        let (threads, shared) = match plan(&machine, &requests) {
            Ok(Plan::Pinned { threads, shared, lines }) => {
                prop_assert!(lines.iter().all(|line| !line.is_empty() && !line.contains('\n')));
                (threads, shared)
            }
            Ok(Plan::Inline { why }) => {
                prop_assert!(machine.allowed.len() < 2 || machine.quota.is_some(), "{}", why);
                return Ok(());
            }
            Err(_) => {
                let spun_on: Vec<usize> =
                    requests.iter().filter(|request| request.wait.spins()).filter_map(|request| request.core).collect();
                let distinct: BTreeSet<&usize> = spun_on.iter().collect();
                prop_assert!(
                    distinct.len() < spun_on.len()
                        || requests.iter().any(|request| request.core >= Some(machine.allowed.len()))
                );
                return Ok(());
            }
        };
        // No role is lost, no request overridden.
        prop_assert_eq!(threads.len(), requests.len());
        for (thread, request) in threads.iter().zip(&requests) {
            prop_assert_eq!(thread.role, request.role);
            prop_assert!(thread.wait == request.wait || (request.wait.spins() && thread.wait == Wait::Adaptive));
            if let Some(index) = request.core {
                prop_assert_eq!(thread.core.map(|core| core.index), Some(index));
            }
            let needs_a_core = thread.wait.spins() || matches!(thread.role, Role::Sequencer | Role::Stages);
            prop_assert!(thread.core.is_some() || !needs_a_core);
        }
        // Only allowed cores.
        let placed: Vec<Core> = threads.iter().filter_map(|thread| thread.core).collect();
        for core in placed.iter().chain(&shared) {
            prop_assert_eq!(machine.allowed.get(core.index), Some(&core.cpu));
        }
        // A spinning thread's core belongs to it alone, but for what the user put there.
        let spun_on: Vec<Core> =
            threads.iter().filter(|thread| thread.wait.spins()).filter_map(|thread| thread.core).collect();
        for core in &spun_on {
            prop_assert_eq!(spun_on.iter().filter(|other| *other == core).count(), 1);
            prop_assert!(!shared.contains(core));
            let uninvited = threads.iter().zip(&requests).filter(|(thread, request)| {
                thread.core == Some(*core) && request.core.is_none() && !thread.wait.spins()
            });
            prop_assert_eq!(uninvited.count(), 0);
        }
        // Threads without a core have somewhere to run.
        prop_assert_eq!(placed.len() == threads.len(), shared.is_empty());
        // No spinning is given up without need: with a core for each thread and nothing requested,
        // all stays.
        if machine.allowed.len() >= requests.len() && requests.iter().all(|request| request.core.is_none()) {
            prop_assert!(threads.iter().zip(&requests).all(|(thread, request)| thread.wait == request.wait));
        }
    }
}
