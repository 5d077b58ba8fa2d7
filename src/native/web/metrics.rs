//! Counters in the text format of Prometheus.
//!
//! Owns the names of the metrics, which dashboards rely on. The numbers are kept by [`Hub`] and by the router's realms.
//!
//! | Metric | Kind | Labels | What it says |
//! |---|---|---|---|
//! | `wamplet_build_info` | gauge | `version`, `os`, `arch` | always 1 |
//! | `wamplet_uptime_seconds` | gauge | | time since the router was started |
//! | `wamplet_connections` | gauge | | open connections, whatever they speak |
//! | `wamplet_connections_accepted_total` | counter | | connections that came, with those that were refused |
//! | `wamplet_connections_refused_total` | counter | | connections over `limits.transports` |
//! | `wamplet_handshakes_failed_total` | counter | | connections that ended before they were one |
//! | `wamplet_queue_overflows_total` | counter | | connections closed because they took too little |
//! | `wamplet_queue_dropped_messages_total` | counter | | messages dropped because a queue was full |
//! | `wamplet_sessions` | gauge | `realm` | sessions that have joined |
//! | `wamplet_subscriptions` | gauge | `realm` | topics and patterns that somebody listens to |
//! | `wamplet_registrations` | gauge | `realm` | procedures and patterns that somebody answers |
//! | `wamplet_messages_received_total` | counter | `realm`, `type` | messages that sessions sent |
//! | `wamplet_messages_sent_total` | counter | `realm`, `type` | messages that sessions were sent |
//! | `wamplet_events_dropped_total` | counter | `realm` | events that a receiver could not take |
//!
//! `type` is the name of a message type: `PUBLISH`, `EVENT`. Counters begin at 0 with the process.

use std::env::consts;
use std::fmt::{Display, Write};
use std::sync::atomic::Ordering;

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use super::answer::{self, Answer};
use crate::native::hub::Hub;
use crate::router::RealmCounters;

pub(super) fn answer(hub: &Hub) -> Answer {
    let text = text(hub);
    let mut answer = answer::whole(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn text(hub: &Hub) -> String {
    let mut metrics = Metrics::default();
    metrics.begin("wamplet_build_info", "gauge", "What was built for which system; always 1.");
    let build = [("version", env!("CARGO_PKG_VERSION")), ("os", consts::OS), ("arch", consts::ARCH)];
    metrics.sample(&build, 1);
    metrics.begin("wamplet_uptime_seconds", "gauge", "Time since the router was started.");
    metrics.sample(&[], hub.uptime().as_secs_f64());
    metrics.begin("wamplet_connections", "gauge", "Connections that are open, whatever they speak.");
    metrics.sample(&[], hub.connections());
    let counters = &hub.counters;
    for (name, help, counter) in [
        ("wamplet_connections_accepted_total", "Connections that were accepted.", &counters.accepted),
        (
            "wamplet_connections_refused_total",
            "Connections that were refused because there were as many as there may be.",
            &counters.refused,
        ),
        (
            "wamplet_handshakes_failed_total",
            "Connections that ended before they were one: TLS, HTTP, WebSocket and RawSocket handshakes.",
            &counters.handshakes_failed,
        ),
        (
            "wamplet_queue_overflows_total",
            "Connections that were closed because they took too little of what was sent to them.",
            &counters.overflows,
        ),
        (
            "wamplet_queue_dropped_messages_total",
            "Messages that were dropped because the queue of their receiver was full.",
            &counters.dropped,
        ),
    ] {
        metrics.begin(name, "counter", help);
        metrics.sample(&[], counter.load(Ordering::Relaxed));
    }

    let realms = hub.realm_counters();
    let gauges: [(&str, &str, Gauge); 3] = [
        ("wamplet_sessions", "Sessions that have joined.", |realm| realm.sessions),
        ("wamplet_subscriptions", "Topics and patterns that somebody listens to.", |realm| {
            realm.subscriptions
        }),
        ("wamplet_registrations", "Procedures and patterns that somebody answers.", |realm| {
            realm.registrations
        }),
    ];
    for (name, help, number) in gauges {
        metrics.begin(name, "gauge", help);
        for realm in &realms {
            metrics.sample(&[("realm", &realm.name)], number(realm));
        }
    }
    metrics.begin("wamplet_messages_received_total", "counter", "Messages that sessions sent, by type.");
    for realm in &realms {
        for (message_type, count) in &realm.received {
            metrics.sample(&[("realm", &realm.name), ("type", message_type.name())], count);
        }
    }
    metrics.begin("wamplet_messages_sent_total", "counter", "Messages that sessions were sent, by type.");
    for realm in &realms {
        for (message_type, count) in &realm.sent {
            metrics.sample(&[("realm", &realm.name), ("type", message_type.name())], count);
        }
    }
    metrics.begin(
        "wamplet_events_dropped_total",
        "counter",
        "Events that a receiver could not take: too long for it, or not to be said in its serializer.",
    );
    for realm in &realms {
        metrics.sample(&[("realm", &realm.name)], realm.dropped_events);
    }
    metrics.text
}

type Gauge = fn(&RealmCounters) -> usize;

/// Metrics as they are written.
#[derive(Default)]
struct Metrics {
    text: String,
    name: &'static str,
}

impl Metrics {
    fn begin(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            for char in text.chars() {
                match char {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    char => self.text.push(char),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        // Writing to a String does not fail.
        let _ = writeln!(self.text, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn labels_are_escaped() {
        let mut metrics = Metrics::default();
        metrics.begin("a_total", "counter", "Of what.");
        metrics.sample(&[("realm", "a\"b\\c\nd"), ("type", "CALL")], 7);
        let expected = "# HELP a_total Of what.\n# TYPE a_total counter\n\
                        a_total{realm=\"a\\\"b\\\\c\\nd\",type=\"CALL\"} 7\n";
        assert_eq!(metrics.text, expected);
    }
}
