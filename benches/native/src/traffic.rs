//! The saturated workloads and the loop that drives them: one thread over epoll, reads and writes in batches, so that
//! the router and not the generator is what is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::client::{Client, Output, Role, Target};
use crate::process::CpuTime;
use crate::wire::{Head, NO_OPTIONS, Payload, Serializer, Template, Value};

const REGISTER: u64 = 64;
const REGISTERED: u64 = 65;
const SUBSCRIBE: u64 = 32;
const SUBSCRIBED: u64 = 33;
const PUBLISH: u64 = 16;
const EVENT: u64 = 36;
const CALL: u64 = 48;
const INVOCATION: u64 = 68;
const YIELD: u64 = 70;
const RESULT: u64 = 50;

/// A router that finishes nothing for so long has lost something.
const STALLED: Duration = Duration::from_secs(5);

pub struct Settings {
    pub target: Target,
    pub pids: Vec<u32>,
    pub warmup: Duration,
    pub measured: Duration,
    pub payload: Payload,
    /// Callers and as many callees; or subscribers.
    pub peers: u8,
    /// Calls in flight per caller; or publications in flight.
    pub window: u64,
}

/// What was done between two looks at the clocks.
pub struct Measured {
    pub operations: u64,
    /// Messages that the router read or wrote.
    pub messages: u64,
    pub seconds: f64,
    pub cpu: CpuTime,
}

trait Workload {
    fn on_message(&mut self, from: usize, message: &[u8], output: &mut Output) -> Result<()>;
    /// Sends what the window has room for.
    fn refill(&mut self, clients: &mut [Client]);
    fn finished(&self) -> u64;
    fn in_flight(&self) -> u64;
    /// Looks for wrong or doubled answers once nothing is in flight.
    fn verify(&self) -> Result<()>;
}

/// Calls between pairs of a caller and a callee, each with its own procedure.
pub fn call(settings: &Settings) -> Result<Measured> {
    let Settings { target, payload, .. } = settings;
    let (serializer, pairs) = (target.serializer, usize::from(settings.peers));
    let mut clients = Vec::new();
    for pair in 0..settings.peers {
        let mut callee = Client::join(target, Role::Sink, pair)?;
        if !target.relay {
            callee.request(REGISTER, REGISTERED, &format!("com.example.echo.{pair}"))?;
        }
        clients.push(callee);
    }
    for pair in 0..settings.peers {
        clients.push(Client::join(target, Role::Source, pair)?);
    }
    let calls = (0..pairs).map(|pair| {
        let uri = format!("com.example.echo.{pair}");
        payload.with(|args| Template::new(serializer, CALL, &[NO_OPTIONS, Value::String(&uri), args]))
    });
    let workload = Calls {
        pairs,
        window: settings.window,
        calls: calls.collect(),
        yields: payload.with(|args| Template::new(serializer, YIELD, &[NO_OPTIONS, args])),
        callers: vec![Caller::default(); pairs],
        // A relay passes on the CALL and the YIELD as they are.
        invocation: if target.relay { CALL } else { INVOCATION },
        result: if target.relay { YIELD } else { RESULT },
        check: Check::new(serializer, *payload, 2 * pairs),
        answered: 0,
    };
    // CALL and YIELD in, INVOCATION and RESULT out.
    drive(settings, clients, workload, 4.0)
}

struct Calls {
    pairs: usize,
    window: u64,
    calls: Vec<Template>,
    yields: Template,
    callers: Vec<Caller>,
    invocation: u64,
    result: u64,
    check: Check,
    answered: u64,
}

#[derive(Clone, Default)]
struct Caller {
    sent: u64,
    answered: u64,
    /// Sum of the ids answered: differs from 1 + 2 + .. when one is answered twice and another never.
    sum: u64,
}

impl Workload for Calls {
    fn on_message(&mut self, from: usize, message: &[u8], output: &mut Output) -> Result<()> {
        let is_callee = from < self.pairs;
        let expected = if is_callee { self.invocation } else { self.result };
        let id = self.check.message(from, message, expected)?;
        if is_callee {
            output.frame(|out| self.yields.write(id, out));
        } else {
            let caller = &mut self.callers[from - self.pairs];
            caller.answered += 1;
            caller.sum += id;
            self.answered += 1;
        }
        Ok(())
    }

    fn refill(&mut self, clients: &mut [Client]) {
        for (index, caller) in self.callers.iter_mut().enumerate() {
            while caller.sent - caller.answered < self.window {
                caller.sent += 1;
                clients[self.pairs + index].output.frame(|out| self.calls[index].write(caller.sent, out));
            }
        }
    }

    fn finished(&self) -> u64 {
        self.answered
    }

    fn in_flight(&self) -> u64 {
        self.callers.iter().map(|caller| caller.sent - caller.answered).sum()
    }

    fn verify(&self) -> Result<()> {
        for caller in &self.callers {
            ensure!(caller.sum == caller.sent * (caller.sent + 1) / 2, "a call was answered twice");
        }
        Ok(())
    }
}

/// One publisher, many subscribers of its topic.
pub fn fan(settings: &Settings) -> Result<Measured> {
    let Settings { target, payload, .. } = settings;
    let topic = "com.example.topic";
    let mut clients = Vec::new();
    for _ in 0..settings.peers {
        let mut subscriber = Client::join(target, Role::Sink, 0)?;
        if !target.relay {
            subscriber.request(SUBSCRIBE, SUBSCRIBED, topic)?;
        }
        clients.push(subscriber);
    }
    clients.push(Client::join(target, Role::Source, 0)?);
    let subscribers = u64::from(settings.peers);
    let workload = Fan {
        window: settings.window * subscribers,
        publish: payload.with(|args| {
            Template::new(target.serializer, PUBLISH, &[NO_OPTIONS, Value::String(topic), args])
        }),
        event: if target.relay { PUBLISH } else { EVENT },
        published: 0,
        received: vec![0; usize::from(settings.peers)],
        total: 0,
        check: Check::new(target.serializer, *payload, clients.len()),
    };
    // Every event is written, and one in so many is read.
    drive(settings, clients, workload, 1.0 + 1.0 / subscribers as f64)
}

struct Fan {
    /// Events in flight at most.
    window: u64,
    publish: Template,
    event: u64,
    published: u64,
    received: Vec<u64>,
    total: u64,
    check: Check,
}

impl Workload for Fan {
    fn on_message(&mut self, from: usize, message: &[u8], _: &mut Output) -> Result<()> {
        self.check.message(from, message, self.event)?;
        let received = self.received.get_mut(from).context("the publisher got a message")?;
        *received += 1;
        self.total += 1;
        Ok(())
    }

    fn refill(&mut self, clients: &mut [Client]) {
        let Some(publisher) = clients.last_mut() else { return };
        if self.in_flight() > self.window / 2 {
            return;
        }
        while self.in_flight() < self.window {
            self.published += 1;
            publisher.output.frame(|out| self.publish.write(self.published, out));
        }
    }

    fn finished(&self) -> u64 {
        self.total
    }

    fn in_flight(&self) -> u64 {
        self.published * self.received.len() as u64 - self.total
    }

    fn verify(&self) -> Result<()> {
        let all = self.received.iter().all(|received| *received == self.published);
        ensure!(all, "{} publications, received {:?} times", self.published, self.received);
        Ok(())
    }
}

/// Looks at every message as closely as costs nothing, and at the first on each connection as a whole.
struct Check {
    serializer: Serializer,
    payload: Payload,
    /// No message is shorter than this many bytes.
    least: usize,
    seen: Vec<bool>,
}

impl Check {
    fn new(serializer: Serializer, payload: Payload, clients: usize) -> Self {
        let least = payload.with(|args| Template::new(serializer, 0, &[args]).len()) * 9 / 10;
        Self { serializer, payload, least, seen: vec![false; clients] }
    }

    /// The id in a message of the expected type.
    fn message(&mut self, from: usize, message: &[u8], expected: u64) -> Result<u64> {
        let ids = Head::open(self.serializer, message)
            .and_then(|mut head| Some((head.integer()?, head.integer()?)));
        let Some((message_type, id)) = ids else {
            bail!("no WAMP message: {}", String::from_utf8_lossy(message));
        };
        ensure!(message_type == expected, "expected {expected}, got {}", String::from_utf8_lossy(message));
        ensure!(message.len() >= self.least, "a message of only {} bytes", message.len());
        if !std::mem::replace(&mut self.seen[from], true) {
            ensure!(self.payload.is_in(self.serializer, message), "a message came without its payload");
        }
        Ok(id)
    }
}

fn drive(
    settings: &Settings,
    mut clients: Vec<Client>,
    mut workload: impl Workload,
    messages_per_operation: f64,
) -> Result<Measured> {
    let mut poll = Poll::new()?;
    for (index, client) in clients.iter().enumerate() {
        let socket = client.set_nonblocking()?;
        let both = Interest::READABLE.add(Interest::WRITABLE);
        poll.registry().register(&mut SourceFd(&socket), Token(index), both)?;
    }
    let mut events = Events::with_capacity(1024);
    let mut phases = Phases::new(settings);
    loop {
        if phases.are_over(workload.finished())? {
            if workload.in_flight() == 0 {
                break;
            }
        } else {
            workload.refill(&mut clients);
        }
        for client in &mut clients {
            if !client.output.is_empty() {
                client.flush()?;
            }
        }
        match poll.poll(&mut events, Some(Duration::from_millis(50))) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            let index = event.token().0;
            let client = &mut clients[index];
            while event.is_readable() && {
                let more = client.fill()?;
                client.drain(|message, output| workload.on_message(index, message, output))?;
                more
            } {}
        }
    }
    workload.verify()?;
    let (operations, seconds, cpu) = phases.measured.context("nothing was measured")?;
    Ok(Measured { operations, messages: (operations as f64 * messages_per_operation) as u64, seconds, cpu })
}

/// Warm-up, measurement, and then the wait for what is in flight.
struct Phases<'a> {
    settings: &'a Settings,
    begun: Instant,
    /// When the measurement began, and what had been done and used by then.
    first: Option<(Instant, u64, CpuTime)>,
    measured: Option<(u64, f64, CpuTime)>,
    progress: (u64, Instant),
}

impl<'a> Phases<'a> {
    fn new(settings: &'a Settings) -> Self {
        let now = Instant::now();
        Self { settings, begun: now, first: None, measured: None, progress: (0, now) }
    }

    fn are_over(&mut self, finished: u64) -> Result<bool> {
        let now = Instant::now();
        if finished != self.progress.0 {
            self.progress = (finished, now);
        } else if now - self.progress.1 > STALLED {
            bail!("no progress for {STALLED:?} after {finished} operations: a message was lost");
        }
        if self.measured.is_some() {
            return Ok(true);
        }
        match self.first {
            None if now - self.begun >= self.settings.warmup => {
                self.first = Some((Instant::now(), finished, CpuTime::now(&self.settings.pids)?));
            }
            Some((then, before, cpu)) if now - then >= self.settings.measured => {
                let used = CpuTime::now(&self.settings.pids)?.since(cpu);
                self.measured = Some((finished - before, then.elapsed().as_secs_f64(), used));
            }
            _ => {}
        }
        Ok(self.measured.is_some())
    }
}
