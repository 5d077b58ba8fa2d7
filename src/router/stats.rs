//! Session statistics: how much each session of a realm with [`Stats`] sends and receives.
//!
//! Owns the meter of a session and the event `wamp.session.on_stats`. When a session joins and leaves is decided in
//! [`router`](super). Where no realm has statistics nothing is measured.
//!
//! A message counts as the bytes that its serializer writes, without the framing of the transport; in the batched
//! serializers with what separates it from the next. Events of the router's own topics are not counted for those who
//! get them: whoever listens to statistics would otherwise cause more of them.

use super::Router;
use super::context::Now;
use super::outbox::Outbox;
use super::session::{Joined, State, Transport};
use super::timers::{Timer, TimerId};
use crate::codec::Serializer;
use crate::config::Stats;
use crate::id::SessionKey;
use crate::message::Dict;
use crate::payload::{Payload, Values};

pub(super) const ON_STATS: &str = "wamp.session.on_stats";

/// What came before there was a session to count for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshake {
    /// When the transport was opened, or its last session ended: nanoseconds of [`Now::unix_ns`].
    pub since_ns: u64,
    /// Bytes of HELLO, CHALLENGE and AUTHENTICATE, each; nothing where no realm has statistics.
    pub lengths: Vec<usize>,
}

/// What a session has sent and received since its last `on_stats`.
#[derive(Debug)]
pub(crate) struct Meter {
    pub stats: Stats,
    /// As subprotocols name it: `json`, `msgpack.batched`.
    name: String,
    /// What the peer reads and writes.
    wire: Serializer,
    /// Bytes between two messages of a batch.
    separator: usize,
    /// How many times statistics were published.
    cycle: u64,
    since_ns: u64,
    bytes: u64,
    messages: u64,
    rated: u64,
    /// Runs where statistics are published after a duration.
    pub timer: Option<TimerId>,
}

impl Meter {
    /// Counts from the first byte of the handshake.
    pub(crate) fn new(stats: Stats, transport: &Transport, handshake: Handshake) -> Self {
        let (name, wire) = wire(transport);
        let separator = match wire {
            _ if !name.ends_with(".batched") => 0,
            Serializer::Json => 1,
            Serializer::MsgPack | Serializer::Cbor => 4,
        };
        let mut meter = Self {
            stats,
            name: name.into(),
            wire,
            separator,
            cycle: 0,
            since_ns: handshake.since_ns,
            bytes: 0,
            messages: 0,
            rated: 0,
            timer: None,
        };
        for length in handshake.lengths {
            meter.add(length);
        }
        meter
    }

    /// Counts a message; true if it is the one after which statistics are to be published.
    fn add(&mut self, length: usize) -> bool {
        let was_due = self.is_due();
        let length = (length + self.separator) as u64;
        self.bytes += length;
        self.messages += 1;
        self.rated += length.div_ceil(u64::from(self.stats.rated_message_size.max(1)));
        !was_due && self.is_due()
    }

    fn is_due(&self) -> bool {
        let after = u64::from(self.stats.trigger_after_rated_messages);
        after > 0 && self.rated >= after
    }

    /// Ends the cycle, and begins the next one at the same nanosecond. Answers the arguments of the event.
    fn next_cycle(&mut self, details: &Dict, now: Now, last: bool) -> Values {
        self.cycle += 1;
        // The wall clock may have been set back.
        let duration_ns = now.unix_ns.saturating_sub(self.since_ns);
        let mut session = Dict::new();
        for key in ["realm", "session", "authid", "authrole"] {
            session.insert(key.into(), details[key].clone());
        }
        let mut stats = Dict::new();
        for (key, number) in [
            ("bytes", self.bytes),
            ("cycle", self.cycle),
            ("duration", duration_ns),
            ("messages", self.messages),
            ("rated_messages", self.rated),
            ("timestamp", self.since_ns),
        ] {
            stats.insert(key.into(), number.into());
        }
        stats.insert("first".into(), (self.cycle == 1).into());
        stats.insert("last".into(), last.into());
        stats.insert("serializer".into(), self.name.as_str().into());
        (self.bytes, self.messages, self.rated) = (0, 0, 0);
        self.since_ns += duration_ns;
        Values::args([session.into(), stats.into()])
    }
}

/// What a transport speaks, as subprotocols name it, and the serializer of that.
fn wire(transport: &Transport) -> (&str, Serializer) {
    let name = transport.protocol.strip_prefix("wamp.2.").unwrap_or(transport.serializer.name());
    let wire = Serializer::ALL.into_iter().find(|serializer| name.starts_with(serializer.name()));
    (name, wire.unwrap_or(transport.serializer))
}

impl<P: Payload> Router<P> {
    /// Whether the lengths of messages are of interest: whether any realm has statistics.
    pub fn is_metering(&self) -> bool {
        self.is_metering
    }

    /// Counts a message that came.
    pub(super) fn meter_received(&mut self, key: SessionKey, length: usize) {
        if !self.is_metering {
            return;
        }
        match self.sessions.get_mut(key).map(|session| &mut session.state) {
            Some(State::Open { handshake, .. }) => handshake.lengths.push(length),
            Some(State::Authenticating(pending)) => pending.handshake.lengths.push(length),
            Some(State::Joined(joined)) => {
                if joined.meter.as_mut().is_some_and(|meter| meter.add(length)) {
                    self.due.push(key);
                }
            }
            Some(State::Closing { .. }) | None => {}
        }
    }

    /// Counts a CHALLENGE, which was sent last.
    pub(super) fn meter_challenge(&mut self, key: SessionKey, outbox: &mut Outbox<P>) {
        if self.is_metering
            && let Some((receiver, head, payload)) = outbox.unsettled().last()
            && receiver == key
            && let Some(session) = self.sessions.get_mut(key)
            && let State::Authenticating(pending) = &mut session.state
        {
            let (_, wire) = wire(&session.transport);
            pending.handshake.lengths.push(payload.message_len(head, session.transport.serializer, wire));
        }
        self.settle(None, outbox);
    }

    /// Counts what was sent and is not settled yet.
    pub(super) fn meter_sent(&mut self, outbox: &Outbox<P>) {
        // An EVENT goes to many, and is measured once.
        let mut last = None;
        for (key, head, payload) in outbox.unsettled() {
            let Some((transport, joined)) = self.sessions.joined_mut(key) else { continue };
            let Some(meter) = &mut joined.meter else { continue };
            let same = (head.as_ptr(), meter.wire);
            let length = match last {
                Some((known, length)) if known == same => length,
                _ => payload.message_len(head, transport.serializer, meter.wire),
            };
            last = Some((same, length));
            if meter.add(length) {
                self.due.push(key);
            }
        }
    }

    /// Publishes the statistics of a session that has joined, if that is wanted or its handshake was enough.
    pub(super) fn start_meter(&mut self, key: SessionKey, now: Now, outbox: &mut Outbox<P>) {
        let meter = self.sessions.joined(key).and_then(|(_, joined)| joined.meter.as_ref());
        if meter.is_some_and(|meter| meter.stats.trigger_on_join || meter.is_due()) {
            self.publish_stats(key, now, outbox);
        } else {
            self.restart_meter(key, now);
        }
    }

    /// Publishes the statistics of those who have just sent and received enough.
    pub(super) fn publish_due_stats(&mut self, now: Now, outbox: &mut Outbox<P>) {
        while let Some(key) = self.due.pop() {
            // Not if they were published since, for another reason.
            let meter = self.sessions.joined(key).and_then(|(_, joined)| joined.meter.as_ref());
            if meter.is_some_and(|meter| meter.is_due()) {
                self.publish_stats(key, now, outbox);
            }
        }
    }

    /// Publishes what a session has sent and received since the last time, and starts anew.
    pub(super) fn publish_stats(&mut self, key: SessionKey, now: Now, outbox: &mut Outbox<P>) {
        self.restart_meter(key, now);
        let Some((_, joined)) = self.sessions.joined_mut(key) else { return };
        let Some(meter) = &mut joined.meter else { return };
        let (realm, values) = (joined.realm, meter.next_cycle(&joined.details, now, false));
        self.publish_meta(realm, ON_STATS, &|| values.clone(), now, outbox);
    }

    /// Publishes the last statistics of a session that has left.
    pub(super) fn publish_last_stats(&mut self, joined: &mut Joined, now: Now, outbox: &mut Outbox<P>) {
        if let Some(meter) = joined.meter.as_mut().filter(|meter| meter.stats.trigger_on_leave) {
            let values = meter.next_cycle(&joined.details, now, true);
            self.publish_meta(joined.realm, ON_STATS, &|| values.clone(), now, outbox);
        }
    }

    /// Sets the timer of a session whose statistics are published after a duration.
    pub(super) fn restart_meter(&mut self, key: SessionKey, now: Now) {
        let Some((_, joined)) = self.sessions.joined_mut(key) else { return };
        let Some(meter) = &mut joined.meter else { return };
        if let Some(timer) = meter.timer.take() {
            self.timers.stop(timer);
        }
        let seconds = u64::from(meter.stats.trigger_after_duration);
        if seconds > 0 {
            let deadline = now.mono_ms.saturating_add(1_000 * seconds);
            meter.timer = Some(self.timers.start(deadline, Timer::Stats(key)));
        }
    }
}
