//! The router, and the way to it from every connection.
//!
//! Owns the one lock around the router: whoever reads messages from a socket handles them under it, in batches, and names
//! the peers that they touched to the `flusher`. Decides nothing about WAMP. Timers are one task that sleeps until the router
//! has something to do.

use std::fmt;
use std::iter;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tracing::warn;

use super::clock::Clock;
use super::flusher::{self, Touched, Turn};
use super::gate::{Gate, Gates};
use super::lock;
use super::news;
use super::outgoing::{BURST, Peer, QueueLimits, Queued};
use super::timers::Timers;
use super::tls::AllCredentials;
use crate::auth::{Decider, Functions};
use crate::codec::DecodeLimits;
use crate::config::node;
use crate::config::{Config, Limits};
use crate::id::SessionKey;
use crate::message::MessageType;
use crate::payload::EncodedPayload;
use crate::router::{Action, News, Now, OpenRefused, Outbox, Question, RealmCounters, Router, Transport};
use crate::store::{self, EventStore, StoreError};

/// The router of a process, shared by all connections.
#[derive(Debug)]
pub struct Hub {
    clock: Clock,
    pub(super) timers: Timers,
    /// Those of the configuration that was taken last.
    limits: Mutex<Limits>,
    /// Of these: every read asks for it.
    message_length: AtomicUsize,
    core: Mutex<Core>,
    /// The functions that the configuration may name.
    decider: Option<Arc<dyn Decider>>,
    /// There are questions for them.
    asked: Notify,
    /// The router has something to do at another time than the timer task knows.
    rearmed: Notify,
    /// A transport was closed.
    closed: Notify,
    /// Whether the router ends.
    ending: watch::Sender<bool>,
    /// What the process listens on.
    listening: Mutex<Vec<Listening>>,
    /// How clients authenticate where it listens.
    pub(super) gates: Gates,
    pub(super) credentials: AllCredentials,
    pub(super) counters: Counters,
}

/// What a node says of one of its listeners.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    /// `tcp 127.0.0.1:8080` with the port that the system gave, `unix`.
    pub address: String,
    /// Of `rawsocket`, `websocket`, `http`.
    pub protocols: &'static [&'static str],
    pub is_secure: bool,
}

struct Core {
    router: Router<EncodedPayload>,
    outbox: Outbox<EncodedPayload>,
    /// By the index of their keys, with the generation.
    peers: Vec<Option<(u32, Arc<Peer>)>>,
    overflowed: Vec<SessionKey>,
    /// What is to be logged when the lock is let go.
    happened: Vec<Happened>,
    questions: Vec<Question>,
    /// When the timer task wakes, in the router's milliseconds.
    wakes_at: u64,
    store: Option<Box<dyn EventStore>>,
}

/// What is to be logged.
#[derive(Debug)]
enum Happened {
    News(News, Option<Arc<Peer>>),
    Overflow(Arc<Peer>),
}

/// What the process did, beside what the router counts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub accepted: AtomicU64,
    pub open: AtomicUsize,
    pub refused: AtomicU64,
    pub handshakes_failed: AtomicU64,
    pub overflows: AtomicU64,
    pub dropped: AtomicU64,
}

impl Hub {
    /// A router for `config`, with 32 bytes of chance, and the functions that decide where the configuration says so; what
    /// it keeps is gone when it ends.
    pub fn new(
        config: Config,
        seed: [u8; 32],
        decider: Option<Arc<dyn Decider>>,
        timers: Timers,
    ) -> Arc<Self> {
        let core = Core::new(config, seed);
        Self::around(core, decider, timers, Clock::start())
    }

    /// A router that has the events again that are in the store, and writes new ones there.
    ///
    /// # Errors
    /// Those of the store, and events in it that the router did not write.
    pub fn with_store(
        config: Config,
        seed: [u8; 32],
        decider: Option<Arc<dyn Decider>>,
        timers: Timers,
        mut store: Box<dyn EventStore>,
    ) -> Result<Arc<Self>, StoreError> {
        let clock = Clock::start();
        let mut core = Core::new(config, seed);
        store::restore(&mut core.router, &mut *store, clock.now(), &mut core.outbox)?;
        core.store = Some(store);
        Ok(Self::around(core, decider, timers, clock))
    }

    fn around(core: Core, decider: Option<Arc<dyn Decider>>, timers: Timers, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            timers,
            limits: Mutex::new(core.router.limits().clone()),
            message_length: core.router.limits().message_length.into(),
            core: Mutex::new(core),
            decider,
            asked: Notify::new(),
            rearmed: Notify::new(),
            closed: Notify::new(),
            ending: watch::Sender::new(false),
            listening: Mutex::default(),
            gates: Gates::default(),
            credentials: AllCredentials::default(),
            counters: Counters::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }

    /// Whether a transport would be let in now: for those who can tell its peer only before it is one.
    pub(super) fn check_open(&self) -> Result<(), OpenRefused> {
        self.lock().router.check_open()
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        lock(&self.limits)
    }

    /// Lets a transport in, whose peer authenticates as its gate says, if it has one.
    pub(super) fn open(
        &self,
        transport: Transport,
        gate: Option<&Gate>,
        peer: Arc<Peer>,
    ) -> Result<SessionKey, OpenRefused> {
        let now = self.clock.now();
        let mut core = self.lock();
        // Asked under the lock: a reload changes the gates before it has the lock, and looks then for who has the old ways.
        let auth = gate.map(Gate::methods);
        let key = core.router.handle_open(Transport { auth, ..transport }, now)?;
        let index = key.index as usize;
        if core.peers.len() <= index {
            core.peers.resize(index + 1, None);
        }
        core.peers[index] = Some((key.generation, peer));
        self.rearm(&mut core);
        Ok(key)
    }

    /// Handles a message of one transport.
    pub(super) fn handle(&self, key: SessionKey, message: Bytes) {
        self.handle_some(key, &mut iter::once(message));
    }

    /// Handles messages of one transport until none is left or the turn is over; answers how long its next one may be,
    /// if there was any.
    pub(super) fn handle_turn(
        &self,
        key: SessionKey,
        messages: &mut impl ExactSizeIterator<Item = Bytes>,
        turn: &mut Turn,
    ) -> Option<usize> {
        let mut limit = None;
        while messages.len() > 0 {
            limit = Some(self.handle_some(key, messages));
            if messages.len() > 0 && turn.is_over() {
                break;
            }
        }
        limit
    }

    /// Handles so many messages that others need not wait for long.
    fn handle_some(&self, key: SessionKey, messages: &mut impl Iterator<Item = Bytes>) -> usize {
        self.with(|core, now, touched| {
            let sent = touched.messages();
            for message in messages.take(HANDLED_AT_ONCE) {
                core.router.handle(key, message, now, &mut core.outbox);
                self.deliver(core, now, touched);
                if touched.messages() - sent >= SENT_AT_ONCE {
                    break;
                }
            }
            core.router.message_limit(key)
        })
    }

    /// Answers a message that is too long to be read.
    pub(super) fn oversized(&self, key: SessionKey, length: usize) {
        self.input(|router, now, outbox| router.handle_oversized(key, length, now, outbox));
    }

    /// Open connections, with those that have not said what they are.
    pub fn connections(&self) -> usize {
        self.counters.open.load(Ordering::Relaxed)
    }

    /// Waits for the router's end to begin: what is idle then has nothing to wait for.
    pub(super) async fn ending(&self) {
        // An error would say that the router is gone.
        let _ = self.ending.subscribe().wait_for(|is_ending| *is_ending).await;
    }

    /// What `work` answers, unless the router's end begins before that: nobody waits for who has not said anything yet.
    pub(super) async fn unless_ending<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            answer = work => Some(answer),
            () = self.ending() => None,
        }
    }

    /// The numbers of each realm, in no particular order.
    pub(super) fn realm_counters(&self) -> Vec<RealmCounters> {
        self.lock().router.counters().collect()
    }

    /// Takes note of a socket that listens, as long as the process.
    pub(super) fn add_listening(&self, listening: Listening) {
        lock(&self.listening).push(listening);
    }

    /// What the process listens on, in the order of the configuration.
    pub(super) fn listening(&self) -> Vec<Listening> {
        lock(&self.listening).clone()
    }

    /// The time.
    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Time since the start.
    pub(super) fn uptime(&self) -> Duration {
        Duration::from_millis(self.clock.mono_ms())
    }

    /// How long the next message of a transport may be.
    pub(super) fn message_limit(&self, key: SessionKey) -> usize {
        self.lock().router.message_limit(key)
    }

    /// Takes note of a connection that ended before it was one.
    pub(super) fn reject_handshake(&self, peer: &str, reason: &str) {
        self.counters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
        warn!(peer, reason, "rejected connection");
    }

    /// The most transports there may be.
    pub(super) fn transport_limit(&self) -> usize {
        self.limits().transports
    }

    /// What the codecs refuse of clients.
    pub(super) fn decode_limits(&self) -> DecodeLimits {
        self.limits().decode()
    }

    /// Bytes of the longest message.
    pub(super) fn message_length(&self) -> usize {
        self.message_length.load(Ordering::Relaxed)
    }

    /// Time in which peers must answer GOODBYE.
    pub(super) fn goodbye_timeout(&self) -> Duration {
        Duration::from_millis(self.limits().goodbye_timeout_ms)
    }

    /// What may wait for each peer that connects now.
    pub(super) fn queue_limits(&self) -> QueueLimits {
        let Limits { queue_length, overflow, .. } = *self.limits();
        QueueLimits { bytes: queue_length, messages: usize::MAX, burst: BURST, overflow }
    }

    /// Sends a frame that is no message, a ping or a pong, at once.
    pub(super) fn send_frame(&self, peer: &Peer, bytes: &[u8]) {
        if peer.send_frame(bytes) == Queued::Overflow {
            self.overflowed(peer);
        }
        peer.flush();
    }

    /// Takes note of bytes that break the framing of a transport, whose connection ends.
    pub(super) fn reject(&self, peer: &Peer, reason: &str) {
        warn!(peer = &*peer.address, "rejected input: {reason}");
    }

    /// Replaces the configuration, see [`Router::reload`], and how clients authenticate: at these listeners, and nowhere
    /// else. What may wait for the peers that are there stays as it was.
    pub fn reload(&self, config: Config, listeners: &[node::Listener]) {
        let replaced = self.gates.reload(listeners);
        self.limits().clone_from(&config.limits);
        self.message_length.store(config.limits.message_length, Ordering::Relaxed);
        self.input(|router, now, outbox| {
            router.replace_methods(&replaced);
            router.reload(config, now, outbox);
        });
    }

    /// Cleans up after a transport that was lost.
    pub(super) fn closed(&self, key: SessionKey) {
        self.with(|core, now, touched| {
            core.router.handle_closed(key, now, &mut core.outbox);
            self.deliver(core, now, touched);
            // Only now: what is logged of the session names its peer.
            core.peers[key.index as usize].take_if(|(generation, _)| *generation == key.generation);
        });
    }

    /// Does what is due whenever it is due. Runs as long as the router.
    pub(super) async fn run_timers(&self) {
        loop {
            let next = {
                let mut core = self.lock();
                let next = core.router.next_timeout();
                core.wakes_at = next.unwrap_or(u64::MAX);
                next
            };
            let Some(next) = next else {
                self.rearmed.notified().await;
                continue;
            };
            let wait = next.saturating_sub(self.clock.mono_ms());
            if wait > 0 {
                tokio::select! {
                    () = self.timers.sleep(Duration::from_millis(wait.min(A_DAY_MS))) => {}
                    () = self.rearmed.notified() => continue,
                }
            }
            self.input(|router, now, outbox| router.handle_timeout(now, outbox));
        }
    }

    /// Asks the functions of the program what the router wants to know of them. Runs as long as the router.
    pub(super) async fn run_questions(self: Arc<Self>) {
        // Without one, what it is asked fails at once.
        let decider = self.decider.clone().unwrap_or_else(|| Arc::new(Functions::default()));
        loop {
            self.asked.notified().await;
            let questions = std::mem::take(&mut self.lock().questions);
            for Question { ticket, function, values } in questions {
                let answer = decider.decide(&function, values);
                let hub = Arc::clone(&self);
                tokio::spawn(async move {
                    // The router does not wait any longer.
                    let patience = Duration::from_millis(hub.limits().answer_timeout_ms);
                    if let Ok(answer) = tokio::time::timeout(patience, answer).await {
                        hub.input(|router, now, outbox| router.handle_answer(ticket, answer, now, outbox));
                    }
                });
            }
        }
    }

    /// Says GOODBYE to all, and waits until everybody has gone, at most as long as the router gives them. `hang_up`: not over
    /// WebSocket and long polling, where browsers are; see [`Router::hang_up`].
    pub async fn shut_down(&self, hang_up: bool, at_most: Duration) {
        self.ending.send_replace(true);
        self.input(|router, now, outbox| {
            if hang_up {
                router.hang_up(&["websocket", "longpoll"], now, outbox);
            }
            router.handle_shutdown(now, outbox);
        });
        let everybody_left = async {
            loop {
                let closed = self.closed.notified();
                if self.counters.open.load(Ordering::Relaxed) == 0 {
                    return;
                }
                closed.await;
            }
        };
        let _ = tokio::time::timeout(at_most, everybody_left).await;
    }

    /// Waits until the store has written everything; what is published from now on is not written.
    pub fn close_store(&self) {
        let store = self.lock().store.take();
        drop(store);
    }

    /// Counts a connection as long as the answer lives; `None` if there are as many as there may be.
    pub(super) fn count_connection(self: &Arc<Self>) -> Option<Counted> {
        self.counters.accepted.fetch_add(1, Ordering::Relaxed);
        let counted = self.count_child();
        if self.counters.open.load(Ordering::Relaxed) > self.transport_limit() {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(counted)
    }

    /// Counts a connection that is never one too many.
    pub(super) fn count_child(self: &Arc<Self>) -> Counted {
        self.counters.open.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(self))
    }

    /// Gives the router one input, and delivers what comes of it.
    fn input(&self, act: impl FnOnce(&mut Router<EncodedPayload>, Now, &mut Outbox<EncodedPayload>)) {
        self.with(|core, now, touched| {
            act(&mut core.router, now, &mut core.outbox);
            self.deliver(core, now, touched);
        });
    }

    /// Locks the router for `act`, and has those written to that it touched.
    fn with<T>(&self, act: impl FnOnce(&mut Core, Now, &mut Touched) -> T) -> T {
        let now = self.clock.now();
        let (answer, happened) = flusher::flush_after(|touched| {
            let mut core = self.lock();
            let answer = act(&mut core, now, touched);
            self.rearm(&mut core);
            if !core.questions.is_empty() {
                self.asked.notify_one();
            }
            (answer, std::mem::take(&mut core.happened))
        });
        for happened in happened {
            match happened {
                Happened::News(news, peer) => news::log(&news, peer.as_deref()),
                Happened::Overflow(peer) => self.overflowed(&peer),
            }
        }
        answer
    }

    /// Puts what the router wants sent into the queues of the peers.
    fn deliver(&self, core: &mut Core, now: Now, touched: &mut Touched) {
        loop {
            if !core.outbox.has_actions_only() {
                core.take_asides();
            }
            for (key, action) in core.outbox.drain() {
                let slot = &mut core.peers[key.index as usize];
                let Some((_, peer)) = slot else { continue };
                let queued = match action {
                    Action::Send { head, payload, message_type } => {
                        peer.send(head, payload, message_type == MessageType::Event)
                    }
                    Action::Close(close) => peer.close(close),
                };
                match queued {
                    Queued::First => touched.put_first(peer),
                    Queued::Behind => touched.put_behind(),
                    Queued::Closed => {}
                    Queued::Dropped => {
                        self.counters.dropped.fetch_add(1, Ordering::Relaxed);
                    }
                    Queued::Overflow => {
                        core.happened.push(Happened::Overflow(Arc::clone(peer)));
                        core.overflowed.push(key);
                    }
                }
            }
            if core.overflowed.is_empty() {
                return;
            }
            while let Some(key) = core.overflowed.pop() {
                core.router.handle_closed(key, now, &mut core.outbox);
            }
        }
    }

    /// Takes note of a peer that is closed because more waits for it than may.
    fn overflowed(&self, peer: &Peer) {
        self.counters.overflows.fetch_add(1, Ordering::Relaxed);
        let limits = peer.limits();
        warn!(peer = &*peer.address, "it takes too little of what is sent to it: closed ({limits} may wait)");
    }

    fn rearm(&self, core: &mut Core) {
        let next = core.router.next_timeout().unwrap_or(u64::MAX);
        // Waking too early is no harm, and calls with timeouts come and go. But whoever has joined leaves a long timer
        // behind that means nothing any more.
        if next < core.wakes_at || next > core.wakes_at && !core.happened.is_empty() {
            core.wakes_at = next;
            self.rearmed.notify_one();
        }
    }
}

impl Core {
    fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            router: Router::new(config, seed),
            outbox: Outbox::new(),
            peers: Vec::new(),
            overflowed: Vec::new(),
            happened: Vec::new(),
            questions: Vec::new(),
            wakes_at: u64::MAX,
            store: None,
        }
    }

    /// Takes out of the outbox what is not for peers.
    fn take_asides(&mut self) {
        if let Some(store) = &mut self.store {
            let records = self.outbox.take_records();
            if !records.is_empty() {
                store.write(records);
            }
        }
        for news in self.outbox.take_news() {
            let (News::Joined { key, .. }
            | News::Left { key, .. }
            | News::AuthenticatorFailed { key, .. }
            | News::Denied { key, .. }
            | News::Aborted { key, .. }) = &news;
            let peer = self.peers[key.index as usize].as_ref().map(|(_, peer)| Arc::clone(peer));
            self.happened.push(Happened::News(news, peer));
        }
        self.questions.append(&mut self.outbox.take_questions());
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("router", &self.router).finish_non_exhaustive()
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Counted(Arc<Hub>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.counters.open.fetch_sub(1, Ordering::Relaxed);
        self.0.closed.notify_waiters();
    }
}

/// Messages that are handled without letting others in, and before what came of them may be written.
const HANDLED_AT_ONCE: usize = 64;

/// The same for what comes of them: each may be for thousands of subscribers.
const SENT_AT_ONCE: usize = 4_096;

/// Longest sleep: timers of the system need not know longer ones.
const A_DAY_MS: u64 = 86_400_000;
