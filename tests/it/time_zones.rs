//! The program's own time zones, independent of the machine's.

use std::fs;
use std::path::Path;
use std::process::Command;

use algospace_hft::source::native::TickFile;

fn run_well(folder: &Path, line: &str, zones: Option<&str>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_algospace-hft"));
    command.current_dir(folder).args(line.split(' '));
    if let Some(zones) = zones {
        command.env("TZDIR", folder.join(zones));
    }
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{line}, {zones:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

fn configure(folder: &Path, name: &str) {
    let yaml = format!(
        "data_handler: {{ backtest_settings: {{ file_path: es.ticks }} }}\noutput: {{ directory: {name} }}\n"
    );
    fs::write(folder.join(format!("{name}.yaml")), yaml).unwrap();
}

/// A zone file that is nine hours ahead of UTC, always.
fn another_zone() -> Vec<u8> {
    let mut block = b"TZif2".to_vec();
    block.extend([0; 15]);
    for count in [0_u32, 0, 0, 0, 1, 4] {
        block.extend(count.to_be_bytes());
    }
    block.extend(32_400_i32.to_be_bytes());
    block.extend([0, 0]);
    block.extend(b"XST\0");
    [&block[..], &block, b"\nXST-9\n"].concat()
}

#[test]
fn the_time_zones_of_the_machine_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let synth =
        "synth --market martingale --days 3 --seed 5 --trades-per-day 3000 --output es.ticks";
    run_well(folder, synth, None);
    configure(folder, "run");
    run_well(folder, "--config run.yaml", None);
    let mut bars = "Timestamp,Open,High,Low,Close,Volume\n".to_owned();
    for minute in 10..50 {
        bars.push_str(&format!("2013-10-07 10:{minute},1684,1685,1683,1684.25,{minute}\n"));
    }
    fs::write(folder.join("bars.csv"), bars).unwrap();
    let import = "import --format bar-csv --time-zone America/New_York --input bars.csv --output";
    run_well(folder, &format!("{import} here.ticks"), None);
    // A folder without zones, and one in which two cities are somewhere else.
    fs::create_dir(folder.join("none")).unwrap();
    fs::create_dir_all(folder.join("wrong/America")).unwrap();
    for city in ["Chicago", "New_York"] {
        fs::write(folder.join("wrong/America").join(city), another_zone()).unwrap();
    }
    let table = |run: &str, name| fs::read(folder.join(run).join(name)).unwrap();
    let daily = |run: &str| {
        let json: serde_json::Value = serde_json::from_slice(&table(run, "summary.json")).unwrap();
        (json["sharpe"].clone(), json["days"].clone())
    };
    for zones in ["none", "wrong"] {
        let run = format!("run_{zones}");
        configure(folder, &run);
        run_well(folder, &format!("--config {run}.yaml"), Some(zones));
        for name in ["trades.csv", "equity.csv"] {
            assert!(table(&run, name) == table("run", name), "{zones}: {name}");
        }
        assert_eq!(daily(&run), daily("run"), "{zones}");
        run_well(folder, &format!("{import} {zones}.ticks"), Some(zones));
        let ticks = |name: &str| TickFile::open(&folder.join(name)).unwrap().ticks().to_vec();
        assert!(ticks(&format!("{zones}.ticks")) == ticks("here.ticks"), "{zones}");
    }
}
