//! The program: a gateway on this machine that replays a tick file.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use algospace_hft::market::Timestamp;
use algospace_hft::source::native::TickFile;
use algospace_hft::source::synthetic::{self, SyntheticMarket, SyntheticSettings};
use clap::Parser;
use clap::builder::TypedValueParser;
use rithmic_sim::script::Pause;
use rithmic_sim::{Gateway, Market, Script, Server, Settings, certificates};
use tempfile::TempDir;

/// Prints a line. A reader that has gone away (`| head -1`) does not end the gateway.
macro_rules! say {
    ($($text:tt)*) => { _ = writeln!(std::io::stdout(), $($text)*) };
}

/// Prints a line to standard error, in the same way.
macro_rules! warn {
    ($($text:tt)*) => { _ = writeln!(std::io::stderr(), $($text)*) };
}

/// Trades on an average day of the synthetic market: fewer than in ES, so that it is made in
/// seconds.
const TRADES_PER_DAY: u32 = 50_000;

/// Replays a tick file as a gateway that speaks Rithmic's protocol, on this machine.
///
/// It stands in for the real gateway, of which it knows what independent clients know: market data,
/// history, and an account whose orders an exchange of its own fills. The market stands until a
/// client subscribes to a contract or sends an order; ticks before that time are history. What it
/// prints first is what a client needs.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
    rithmic-sim --synthetic 5                       a made-up market, without any file\n  \
    rithmic-sim --ticks es.ticks --speed 60         a minute of the market a second\n  \
    rithmic-sim --ticks es.ticks --tls              under TLS, as the real one\n  \
    rithmic-sim --ticks es.ticks --script a.yaml    with the faults of a script\n\n\
    A script; docs/rithmic-sim.md has all that one can say:\n  \
    seed: 7\n  \
    quirks: { tick_replay_loss: 0.02 }\n  \
    faults:\n    \
    - { when: { after_ticks: 4000 }, plant: ticker, do: mute, for: 12s }\n    \
    - { when: { template: 206, nth: 2 }, do: drop }"
)]
struct Arguments {
    /// Native tick file, as `algospace-hft import` writes it
    #[arg(long, value_name = "FILE", required_unless_present = "synthetic")]
    ticks: Option<PathBuf>,
    /// Make up a market of that many trading days instead
    #[arg(long, value_name = "DAYS", conflicts_with = "ticks", value_parser = days())]
    synthetic: Option<u32>,
    /// Seed of the synthetic market
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Time at which the market begins, such as 2024-01-03T14:30:00Z; what is before is history.
    /// Default: the first tick
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Seconds of the market in one second
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Serve wss:// instead of ws://, under an authority of its own
    #[arg(long)]
    tls: bool,
    /// Faults, quirks and stops of the market, as YAML: below is one
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Stop the market behind the first trade of each bar, so that a client answers the bar before
    /// the next trade: the bar's length, and the stop by the clock. Instead of the script's
    #[arg(long, value_name = "SECONDS:MILLISECONDS", value_parser = pause)]
    pause_at_bars: Option<Pause>,
    /// Folder for the authority's certificate, `ca.pem`
    #[arg(long, value_name = "FOLDER", default_value = ".", requires = "tls")]
    certificates: PathBuf,
    /// Port on this machine; 0: any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// User that may log in
    #[arg(long, default_value = "paper")]
    user: String,
    /// The user's password. It protects nothing: do not use a real one
    #[arg(long, default_value = "paper")]
    password: String,
    /// Name of the system
    #[arg(long, value_name = "NAME", default_value = "Rithmic Simulator")]
    system: String,
    /// File for the trades that were told, as CSV, at the end: what a client should have seen.
    /// Orders and fills go beside it: from `dump.csv` to `dump.orders.csv` and `dump.fills.csv`
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
    /// Seconds between two heartbeats that clients are asked for
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = heartbeat)]
    heartbeat: f64,
}

fn days() -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(1..=250)
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed: &f64| *speed > 0.0);
    speed.ok_or_else(|| "a factor above zero is expected".to_owned())
}

fn heartbeat(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
    seconds.ok_or_else(|| "seconds above zero are expected".to_owned())
}

fn pause(text: &str) -> Result<Pause, String> {
    let pause = || {
        let (seconds, milliseconds) = text.split_once(':')?;
        let bar_seconds = seconds.parse().ok().filter(|seconds| (1..=86_400).contains(seconds))?;
        let milliseconds = milliseconds.parse().ok().filter(|length| *length <= 60_000)?;
        Some(Pause { bar_seconds, length: Duration::from_millis(milliseconds) })
    };
    pause().ok_or_else(|| {
        "seconds from 1 to 86400 and milliseconds to 60000 are expected, such as 60:50".to_owned()
    })
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            warn!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))?;
    let script = arguments.script.as_deref().map(Script::load).transpose()?;
    let mut script = script.unwrap_or_default();
    script.pause = arguments.pause_at_bars.or(script.pause);
    // Kept until the end: the file in it is mapped.
    let folder = tempfile::tempdir()?;
    let path = match &arguments.ticks {
        Some(path) => path.clone(),
        None => make_up(arguments, &folder, &stop)?,
    };
    let mut market = Market::of_file(TickFile::open(&path)?)?;
    if let Some(from) = arguments.from {
        market.start_at(from);
        if market.next_time().is_none() {
            return Err(format!("there are no ticks from {from} on").into());
        }
    }
    let settings = Settings {
        user: arguments.user.clone(),
        password: arguments.password.clone(),
        system: arguments.system.clone(),
        heartbeat_seconds: arguments.heartbeat,
        speed: arguments.speed,
        script,
        ..Settings::default()
    };
    let authority = arguments.certificates.join("ca.pem");
    let tls = arguments.tls.then(|| certificates::create(&authority)).transpose()?;
    let authority = arguments.tls.then_some(authority);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let gateway = Gateway::new(settings, market);
    explain(arguments, &gateway);
    let begin = gateway.market().time();
    let server = Server::bind(address, tls, gateway)?;
    connect_with(arguments, &server.url(), authority.as_deref().map(std::path::absolute))?;
    let gateway = server.run(&stop, |event| {
        warn!("{event}");
    })?;
    if let Some(path) = &arguments.dump {
        write(&path.with_extension("orders.csv"), |into| gateway.write_orders(into))?;
        write(&path.with_extension("fills.csv"), |into| gateway.write_fills(into))?;
    }
    let mut market = gateway.into_market();
    say!("stopped at {}, before tick {}", market.time(), market.position());
    if let Some(path) = &arguments.dump {
        write(path, |into| market.write_past(begin, into))?;
    }
    Ok(())
}

/// Writes a file.
fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), String> {
    let written = File::create(path).and_then(|file| content(&mut BufWriter::new(file)));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn make_up(
    arguments: &Arguments,
    folder: &TempDir,
    stop: &AtomicBool,
) -> Result<PathBuf, synthetic::SyntheticError> {
    let path = folder.path().join("synthetic.ticks");
    let days = arguments.synthetic.unwrap_or(1);
    let market = SyntheticSettings::new(SyntheticMarket::Regimes, days, TRADES_PER_DAY);
    let mut settings = synthetic::Settings::new(market, arguments.seed);
    settings.write_regimes = false;
    synthetic::write_file(settings, &path, stop, |_, _| ())?;
    Ok(path)
}

/// Says what is replayed.
fn explain(arguments: &Arguments, gateway: &Gateway) {
    let market = gateway.market();
    let front = &market.symbols()[usize::from(market.front())];
    let (all, past, time) = (market.ticks().len(), market.position(), market.time());
    let speed = arguments.speed;
    say!("market: {all} ticks, {past} of them history; {front} in front; from {time}, × {speed}");
    if let Some(path) = &arguments.script {
        say!("script: {}", path.display());
    }
    say!("it begins when a client subscribes to a contract or sends an order");
}

/// Says how a client connects.
fn connect_with(
    arguments: &Arguments,
    url: &str,
    authority: Option<std::io::Result<PathBuf>>,
) -> std::io::Result<()> {
    let Arguments { user, password, system, .. } = arguments;
    say!("\nIn the configuration of algospace-hft:\n");
    say!("data_handler:\n  live_settings:");
    say!("    gateway: \"{url}\"\n    system_name: \"{system}\"");
    say!("    user: \"{user}\"\n    password: \"${{RITHMIC_PASSWORD}}\"");
    if let Some(authority) = authority.transpose()? {
        say!("    certificate_authority: \"{}\"", authority.display());
    }
    if arguments.speed != 1.0 {
        say!("    simulated_pace: true");
    }
    say!("\nand before its start: export RITHMIC_PASSWORD='{password}'\n");
    say!("Ctrl-C ends the gateway.");
    Ok(())
}
