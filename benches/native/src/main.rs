//! Measures WAMP routers on loopback, and relays that forward the same frames unparsed over the same sockets.
//!
//! One run is one workload against one server and prints one line of JSON; `run.mjs` starts the servers, alternates the
//! runs and makes ratios of them. [`traffic`] has the workloads, [`relay`] their lower bound, [`tokio_relay`]
//! what the usual libraries make of it.

mod client;
mod frame;
mod process;
mod relay;
mod sessions;
mod tokio_relay;
mod traffic;
mod wire;

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use client::Target;
use traffic::{Measured, Settings};
use wire::{Payload, Serializer};

const USAGE: &str = "\
wamplet-bench relay [--kind lean|tokio]
wamplet-bench call|fan|churn|idle --url URL --pid PID[,PID..] [options]

  --url URL          ws://127.0.0.1:PORT/PATH or rs://127.0.0.1:PORT
  --pid PIDS         the processes whose CPU time and memory are read
  --serializer NAME  json, msgpack or cbor (json)
  --relay            the url is one of our relays
  --quick-ack        acknowledge every read at once, for routers without TCP_NODELAY
  --seconds N        how long to measure (1), after a fifth of that to warm up
  --text N           carry one string of N bytes (64)
  --mixed N          carry N dictionaries of about 100 bytes instead
  --peers N          callers and as many callees, or subscribers (4)
  --window N         calls in flight per caller, or publications in flight (16)
  --cpu N            keep generator and router on this CPU
  --sessions N       of idle: how many (2000); of churn: at most so many (20000)";

fn main() {
    process::raise_file_limit();
    if let Err(error) = run(std::env::args().skip(1).collect()) {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
}

fn run(arguments: Vec<String>) -> Result<()> {
    let mut arguments = Arguments(arguments);
    let command = arguments.command().context(USAGE)?;
    if command == "relay" {
        let kind = arguments.take("kind", "lean".to_owned())?;
        arguments.end()?;
        return match kind.as_str() {
            "lean" => relay::serve(),
            "tokio" => tokio_relay::serve(),
            _ => bail!("--kind: expected lean or tokio, found {kind}"),
        };
    }
    let url: String = arguments.take("url", String::new())?;
    let serializer: String = arguments.take("serializer", "json".to_owned())?;
    let serializer =
        Serializer::from_name(&serializer).context("--serializer: expected json, msgpack or cbor")?;
    let target = Target::parse(&url, serializer, arguments.flag("relay"), arguments.flag("quick-ack"))?;
    let pids: String = arguments.take("pid", String::new())?;
    let pids = pids.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>().context("--pid")?;
    let measured = Duration::from_secs_f64(arguments.take("seconds", 1.0_f64)?.clamp(0.1, 60.0));
    let payload = match arguments.take("mixed", 0)? {
        0 => Payload::Text(arguments.take("text", 64)?),
        count => Payload::Mixed(count),
    };
    let settings = Settings {
        target,
        pids,
        warmup: measured / 5,
        measured,
        payload,
        peers: arguments.take("peers", 4)?,
        window: arguments.take("window", 16)?,
    };
    let cpu = arguments.take("cpu", usize::MAX)?;
    let sessions = arguments.take("sessions", if command == "idle" { 2000 } else { 20_000 })?;
    arguments.end()?;

    let _pinned = (cpu != usize::MAX).then(|| process::Pinned::to(cpu, &settings.pids)).transpose()?;
    match command.as_str() {
        "call" => print(&traffic::call(&settings)?),
        "fan" => print(&traffic::fan(&settings)?),
        "churn" => print(&sessions::churn(&settings.target, &settings.pids, measured, sessions as u64)?),
        "idle" => {
            let (before, after) = sessions::idle(&settings.target, &settings.pids, sessions)?;
            println!("{{\"sessions\":{sessions},\"before\":{before},\"after\":{after}}}");
        }
        _ => bail!("{USAGE}"),
    }
    Ok(())
}

fn print(measured: &Measured) {
    let Measured { operations, messages, seconds, cpu } = measured;
    let (servers, own, foreign) = (cpu.servers, cpu.own, cpu.foreign());
    println!(
        "{{\"operations\":{operations},\"messages\":{messages},\"seconds\":{seconds:.6},\
         \"cpu\":{servers:.6},\"own\":{own:.6},\"foreign\":{foreign:.3}}}"
    );
}

/// `--name value` pairs and flags, taken one by one so that what is left is unknown.
struct Arguments(Vec<String>);

impl Arguments {
    fn command(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    fn flag(&mut self, name: &str) -> bool {
        let at = self.0.iter().position(|argument| argument.strip_prefix("--") == Some(name));
        at.map(|at| self.0.remove(at)).is_some()
    }

    fn take<T: FromStr>(&mut self, name: &str, default: T) -> Result<T> {
        let Some(at) = self.0.iter().position(|argument| argument.strip_prefix("--") == Some(name)) else {
            return Ok(default);
        };
        self.0.remove(at);
        let value = if at < self.0.len() { self.0.remove(at) } else { String::new() };
        value.parse().ok().with_context(|| format!("--{name}: \"{value}\" will not do"))
    }

    fn end(self) -> Result<()> {
        match self.0.first() {
            Some(unknown) => bail!("unknown argument {unknown}\n\n{USAGE}"),
            None => Ok(()),
        }
    }
}
