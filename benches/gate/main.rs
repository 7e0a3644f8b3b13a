//! The gate against regressions: instructions and allocations of the hot stages beside
//! `perf/baseline.txt`, and two ratios of times.
//!
//! `cargo bench --bench gate` exits with status 1 on a regression; `perf/README.md` says how to
//! read it. `-- WORD` runs the rows whose names contain the word, and no ratio. `PERF_UPDATE=1`
//! rewrites the baseline.

use std::env;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use baseline::{Baseline, Bound, Key, Verdict, change_percent};
use ratios::RATIOS;
use rows::{ROWS, Row};

mod baseline;
mod callgrind;
#[path = "../../tests/no_allocation/counting_allocator/mod.rs"]
mod counting_allocator;
mod measured;
#[path = "../plain_loop/mod.rs"]
mod plain_loop;
#[path = "../queues/mod.rs"]
mod queues;
mod ratios;
mod rows;
#[path = "../whole_pipeline/mod.rs"]
mod whole_pipeline;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/perf/baseline.txt");

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [child, row] = arguments.as_slice()
        && child == callgrind::CHILD
    {
        let run = ROWS.iter().find(|(name, _)| name == row).expect("a row's name").1;
        run();
        return ExitCode::SUCCESS;
    }
    let word = arguments.iter().find(|argument| !argument.starts_with('-'));
    let word = word.map_or("", String::as_str);
    let is_update = env::var_os("PERF_UPDATE").is_some_and(|value| value == "1");
    match run(word, is_update) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the gate cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the gate passes.
fn run(word: &str, is_update: bool) -> Result<bool, String> {
    let chosen: Vec<usize> = (0..ROWS.len()).filter(|&row| ROWS[row].0.contains(word)).collect();
    if chosen.is_empty() {
        println!("SKIPPED: no row's name contains `{word}`");
        return Ok(true);
    }
    let mut passes = allocations(&chosen);
    if !callgrind::is_there() {
        println!("\n!!! SKIPPED: there is no valgrind, so no instruction was counted\n");
    } else if is_update {
        if !word.is_empty() {
            return Err("PERF_UPDATE=1 writes all rows; leave the word out".to_owned());
        }
        update(&chosen)?;
    } else {
        passes &= instructions(&chosen)?;
    }
    if word.is_empty() {
        passes &= ratios();
    }
    Ok(passes)
}

/// Counts the rows' allocations; returns whether no row made any.
fn allocations(chosen: &[usize]) -> bool {
    let mut passes = true;
    for &(name, row) in chosen.iter().map(|&row| &ROWS[row]) {
        row();
        let allocations = measured::take_measured_allocations();
        if allocations != 0 {
            println!("{name}: {allocations} ALLOCATIONS");
            passes = false;
        }
    }
    if passes {
        println!("allocations: none in {} rows", chosen.len());
    }
    passes
}

/// Compares the rows' instructions with the baseline; whether none regressed.
fn instructions(chosen: &[usize]) -> Result<bool, String> {
    let text = std::fs::read_to_string(BASELINE).map_err(|error| {
        format!("{BASELINE}: {error}; PERF_UPDATE=1 cargo bench --bench gate writes it")
    })?;
    let baseline: Baseline = text.parse().map_err(|error| format!("{BASELINE}: {error}"))?;
    let key = key()?;
    let bound = baseline.bound(&key);
    match bound {
        Bound::Same => {}
        Bound::OtherBuild => println!(
            "!!! the baseline is of another build, so the bound is wide\n    baseline: {}\n    now:      {key}",
            baseline.key
        ),
        Bound::OtherTarget => println!(
            "\n!!! SKIPPED: the baseline is of another target, so nothing is compared\n    baseline: {}\n    now:      {key}\n",
            baseline.key
        ),
    }
    match bound.percent() {
        Some(percent) => println!("instructions an operation; fails above +{percent} %"),
        None => println!("instructions an operation"),
    }
    println!("{:<42} {:>12} {:>12} {:>9}", "", "baseline", "now", "change");
    let (mut passes, mut improved) = (true, false);
    for (name, now) in count(chosen)? {
        let verdict = baseline.verdict(name, now, bound);
        let before = baseline.get(name).unwrap_or(f64::NAN);
        // Rounded as it is shown, so that nothing is shown as -0.00.
        let change = (change_percent(before, now) * 100.0).round() / 100.0 + 0.0;
        println!("{name:<42} {before:>12.2} {now:>12.2} {change:>+8.2}%  {}", verdict.name());
        passes &= !verdict.fails();
        improved |= verdict == Verdict::Improved;
    }
    for (name, _) in &baseline.rows {
        if ROWS.iter().all(|row| row.0 != name) {
            println!("{name}: IN THE BASELINE, BUT NO LONGER MEASURED");
            passes = false;
        }
    }
    if improved || !passes {
        println!(
            "where this is meant: PERF_UPDATE=1 cargo bench --bench gate, and commit {BASELINE}"
        );
    }
    Ok(passes)
}

fn update(chosen: &[usize]) -> Result<(), String> {
    let rows = count(chosen)?.into_iter().map(|(name, now)| (name.to_owned(), now)).collect();
    let baseline = Baseline { key: key()?, rows };
    std::fs::write(BASELINE, baseline.to_string())
        .map_err(|error| format!("{BASELINE}: {error}"))?;
    println!("{baseline}\nwritten to {BASELINE}");
    Ok(())
}

/// Instructions an operation of rows, by name; several rows are counted at once.
fn count(chosen: &[usize]) -> Result<Vec<(&'static str, f64)>, String> {
    let scratch = tempfile::tempdir().map_err(|error| format!("a temporary folder: {error}"))?;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut counted = Vec::new();
        while let Some(&row) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            counted.push((
                row,
                callgrind::instructions(ROWS[row].0, &scratch.path().join(row.to_string())),
            ));
        }
        counted
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut counted: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it only waits")).collect()
    });
    counted.sort_by_key(|&(row, _)| row);
    let per_operation = |(row, instructions): (usize, Result<u64, String>)| {
        let (name, run): Row = ROWS[row];
        let instructions = instructions.map_err(|error| format!("{name}: {error}"))?;
        Ok((name, instructions as f64 / run() as f64))
    };
    counted.into_iter().map(per_operation).collect()
}

/// Measures the ratios; whether all are within their bounds.
fn ratios() -> bool {
    let mut passes = true;
    for ratio in &RATIOS {
        if let Some(measured) = ratio.measured() {
            let is_within = measured <= ratio.bound;
            let verdict = if is_within { "ok" } else { "REGRESSED" };
            println!("{:<42} {measured:>5.2} (at most {})  {verdict}", ratio.name, ratio.bound);
            passes &= is_within;
        }
    }
    passes
}

/// Returns the key of this program's build. It was built in the environment in which it runs.
fn key() -> Result<Key, String> {
    let rustc = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into())).arg("-V").output();
    let rustc = rustc.map_err(|error| format!("rustc -V: {error}"))?;
    let mut target = format!("{}-{}", env::consts::ARCH, env::consts::OS);
    for (name, is_on) in [
        ("sse4.2", cfg!(target_feature = "sse4.2")),
        ("avx2", cfg!(target_feature = "avx2")),
        ("avx512f", cfg!(target_feature = "avx512f")),
    ] {
        if is_on {
            target = format!("{target}+{name}");
        }
    }
    let mut changed: Vec<_> = env::vars()
        .filter(|(name, _)| {
            ["CARGO_PROFILE_BENCH_", "CARGO_PROFILE_RELEASE_", "RUSTFLAGS"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        })
        .map(|(name, value)| format!(" {name}={value}"))
        .collect();
    changed.sort();
    let profile = if cfg!(debug_assertions) { "debug" } else { "bench" };
    Ok(Key {
        compiler: String::from_utf8_lossy(&rustc.stdout).trim().to_owned(),
        target,
        profile: format!("{profile}{}", changed.concat()),
    })
}
