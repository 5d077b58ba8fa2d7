//! One sequence of operations, done to the router and to the model, with every message of both compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use wamplet::auth::Failure;
use wamplet::codec::{self, Serializer};
use wamplet::id::{SessionKey, Ticket};
use wamplet::payload::{EncodedPayload, Values};
use wamplet::router::{Action, Identity, Now, Outbox, Router, Transport};

use super::operation::{self, Operation};
use super::router::{self, ANY, ANY_ORDER, Caller, Heard, Model, Question, TEXT};
use super::settings::Settings;

/// Where router and model do not agree, in words.
pub type Difference = String;

/// How often each kind of message was heard.
pub type Reached = BTreeMap<String, u64>;

pub const CLIENTS: usize = 6;

pub struct Run {
    router: Router<EncodedPayload>,
    outbox: Outbox<EncodedPayload>,
    now: Now,
    pub model: Model,
    /// The transport that each client has open, if any.
    pub clients: [Option<usize>; CLIENTS],
    /// By transport.
    keys: Vec<(SessionKey, Serializer)>,
    /// The tickets of questions to functions, by the numbers that the model gives them.
    asked: Vec<(u64, Ticket)>,
    steps: u64,
    /// What was said and heard, where somebody wants to know.
    transcript: Option<String>,
    /// How often each kind of message was heard: says what a run reached.
    pub reached: Reached,
}

impl Run {
    pub fn new(settings: usize, seed: [u8; 32], is_told: bool) -> Self {
        let settings = Settings::of(settings);
        let now = Now { mono_ms: 1_000, unix_ns: 1_700_000_000_000_000_000 };
        Self {
            router: Router::new(settings.config(), seed),
            outbox: Outbox::new(),
            now,
            model: Model::new(settings, now.mono_ms),
            clients: [None; CLIENTS],
            keys: Vec::new(),
            asked: Vec::new(),
            steps: 0,
            transcript: is_told.then(String::new),
            reached: Reached::default(),
        }
    }

    /// What was said and heard until now.
    pub fn transcript(&self) -> &str {
        self.transcript.as_deref().unwrap_or_default()
    }

    /// Does it to both. An operation of a client that cannot do it is none.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), Difference> {
        self.steps += 1;
        if let Some(transcript) = &mut self.transcript {
            let _ = writeln!(transcript, "{operation}");
        }
        match operation {
            Operation::Opens { client, serializer, identity } => {
                self.lose(*client)?;
                self.open(*client, serializer, identity)
            }
            Operation::IsLost { client } => self.lose(*client),
            Operation::Says { client, message } => {
                let Some(at) = self.clients[*client] else { return Ok(()) };
                let message = self.resolve(at, message);
                let text = message.to_string();
                if let Some(transcript) = &mut self.transcript {
                    let _ = writeln!(transcript, "    {client} -> {text}");
                }
                let (key, serializer) = self.keys[at];
                let frame = codec::transcode(text.as_bytes(), 1, Serializer::Json, serializer);
                let frame = frame.expect("what is said fits every serializer");
                self.router.handle(key, frame.into(), self.now, &mut self.outbox);
                self.compare(|model| model.receive(at, &message))
            }
            Operation::Wait { ms } => self.wait(*ms),
            Operation::Reload { settings } => {
                let settings = Settings::of(*settings);
                self.router.reload(settings.config(), self.now, &mut self.outbox);
                self.compare(|model| model.reload(settings))
            }
            Operation::Answers { position, answer } => {
                let open = self.model.questions.iter().filter(|question| question.function.is_some());
                let numbers: Vec<u64> = open.map(|question| question.number).collect();
                let Some(number) = numbers.get(position % numbers.len().max(1)).copied() else {
                    return Ok(());
                };
                let asked = self.asked.iter().find(|(known, _)| *known == number);
                let ticket = asked.map(|(_, ticket)| *ticket).ok_or("a question without a ticket")?;
                let values = answer.as_array().map(|args| Values::args(args.iter().cloned()));
                let failure = || Failure::new("a.failure", "the function failed");
                self.router.handle_answer(ticket, values.ok_or_else(failure), self.now, &mut self.outbox);
                let answer = answer.as_array().map(|_| answer.clone());
                self.compare(|model| model.answered(number, answer.ok_or_else(|| "a.failure".into())))
            }
            Operation::ShutDown => {
                self.router.handle_shutdown(self.now, &mut self.outbox);
                self.compare(Model::shut_down)
            }
        }
    }

    /// Everybody leaves; nothing may be left.
    pub fn finish(&mut self) -> Result<(), Difference> {
        for client in 0..CLIENTS {
            self.apply(&Operation::IsLost { client })?;
        }
        match self.router.next_timeout() {
            None => Ok(()),
            Some(deadline) => Err(format!("everybody has left, and a timer still runs until {deadline}")),
        }
    }

    /// The router says the same of its tables as the model.
    pub fn check_tables(&self) -> Result<(), Difference> {
        let sorted = |mut ids: Vec<u64>| -> Value {
            ids.sort_unstable();
            ids.into()
        };
        let id_of = |at: usize| self.model.session(at).id;
        let mut expected = Vec::new();
        for realm in &self.model.realms {
            let mut sessions: Vec<Value> = (0..self.keys.len())
                .filter_map(|at| self.model.joined(at))
                .filter(|session| session.realm == realm.name)
                .map(|session| Value::clone(&session.details))
                .collect();
            sessions.sort_by_key(|details| details["session"].as_u64());
            let mut subscriptions: Vec<&router::Subscription> = realm.subscriptions.iter().collect();
            subscriptions.sort_by_key(|subscription| subscription.id);
            let subscriptions: Vec<Value> = subscriptions
                .into_iter()
                .map(|subscription| {
                    let subscribers = subscription.subscribers.iter().map(|at| id_of(*at)).collect();
                    json!({
                        "id": subscription.id,
                        "created": subscription.created,
                        "uri": subscription.uri,
                        "match": subscription.policy,
                        "subscribers": sorted(subscribers),
                    })
                })
                .collect();
            let mut registrations: Vec<&router::Registration> = realm.registrations.iter().collect();
            registrations.sort_by_key(|registration| registration.id);
            let registrations: Vec<Value> = registrations
                .into_iter()
                .map(|registration| {
                    let callees: Vec<u64> =
                        registration.callees.iter().map(|callee| id_of(callee.transport)).collect();
                    json!({
                        "id": registration.id,
                        "created": registration.created,
                        "uri": registration.uri,
                        "match": registration.policy,
                        "invoke": registration.invoke,
                        "callees": callees,
                    })
                })
                .collect();
            expected.push(json!({
                "name": realm.name,
                "sessions": sessions,
                "subscriptions": subscriptions,
                "registrations": registrations,
            }));
        }
        let mut found = self.router.inspect();
        let realms = found["realms"].as_array_mut().expect("a list of realms");
        for realm in realms.iter_mut() {
            for subscription in realm["subscriptions"].as_array_mut().expect("a list") {
                let subscribers = subscription["subscribers"].as_array().expect("a list");
                subscription["subscribers"] = sorted(subscribers.iter().filter_map(Value::as_u64).collect());
            }
        }
        let by_name = |realms: &mut [Value]| realms.sort_by_key(|realm| realm["name"].to_string());
        by_name(realms);
        by_name(&mut expected);
        if *realms == expected {
            return Ok(());
        }
        Err(format!("the tables are\n    {}\nand should be\n    {}", json!(realms), json!(expected)))
    }

    fn open(&mut self, client: usize, serializer: &'static str, name: &str) -> Result<(), Difference> {
        let identity = operation::identity(name);
        let spoken = Serializer::ALL.into_iter().find(|spoken| spoken.name() == serializer);
        let spoken = spoken.expect("the name of a serializer");
        let transport = Transport {
            kind: "test".into(),
            protocol: format!("wamp.2.{serializer}"),
            peer: "model".into(),
            serializer: spoken,
            is_unordered: name == "poller",
            identity: identity.as_ref().map(|identity| Identity {
                realm: identity.realm.map(str::to_owned),
                authid: identity.authid.map(str::to_owned),
                authrole: identity.authrole.into(),
                authmethod: "test".into(),
                authprovider: "tests".into(),
                authextra: identity.authextra.as_ref().and_then(|extra| extra.as_object().cloned()),
            }),
            ..Transport::default()
        };
        let opened = self.router.handle_open(transport, self.now);
        if self.model.open(serializer, identity, name == "poller") != opened.is_ok() {
            return Err(format!("a transport is let in, or not: {opened:?}"));
        }
        if let Ok(key) = opened {
            self.clients[client] = Some(self.keys.len());
            self.keys.push((key, spoken));
        }
        Ok(())
    }

    fn lose(&mut self, client: usize) -> Result<(), Difference> {
        let Some(at) = self.clients[client].take() else { return Ok(()) };
        self.router.handle_closed(self.keys[at].0, self.now, &mut self.outbox);
        self.compare(|model| model.lose(at))
    }

    fn wait(&mut self, ms: u64) -> Result<(), Difference> {
        let end = self.now.mono_ms + ms;
        loop {
            let (found, expected) = (self.router.next_timeout(), self.model.next_deadline());
            if found != expected {
                return Err(format!("the next timeout is at {found:?}, not at {expected:?}"));
            }
            let Some(deadline) = found.filter(|deadline| *deadline <= end) else { break };
            self.set_time(deadline);
            self.router.handle_timeout(self.now, &mut self.outbox);
            self.compare(|model| model.pass(deadline))?;
        }
        self.set_time(end);
        Ok(())
    }

    fn set_time(&mut self, mono_ms: u64) {
        self.now.unix_ns += (mono_ms - self.now.mono_ms) * 1_000_000;
        self.now.mono_ms = mono_ms;
        self.model.now_ms = mono_ms;
    }

    /// Puts ids in the place of their names.
    fn resolve(&mut self, at: usize, message: &Value) -> Value {
        match message {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) => self.resolve_name(at, name).into(),
                None => message.clone(),
            },
            Value::Array(values) => values.iter().map(|value| self.resolve(at, value)).collect(),
            Value::Object(pairs) => {
                pairs.iter().map(|(key, value)| (key.clone(), self.resolve(at, value))).collect()
            }
            other => other.clone(),
        }
    }

    fn resolve_name(&mut self, at: usize, name: &str) -> u64 {
        const NONE: u64 = 777;
        let (kind, position) = name.split_once(' ').unwrap_or((name, "0"));
        let position: usize = position.parse().expect("a position");
        if kind == "tag" {
            return self.steps;
        }
        if kind == "session" {
            let other = self.clients.get(position).copied().flatten();
            return other.and_then(|other| self.model.joined(other)).map_or(NONE, |session| session.id);
        }
        if kind == "publication" {
            let ids = &self.model.known_ids;
            return if ids.is_empty() { NONE } else { ids[position % ids.len()].1 };
        }
        let Some(session) = self.model.joined(at) else { return 1 };
        let last_request = session.last_request;
        let realm = self.model.realm_of(at);
        let ids: Vec<u64> = match kind {
            // Who counts in its own way takes what nobody else has.
            "next" => return last_request.map_or(1_000 + self.steps, |last| last + 1),
            "subscription" => {
                let held = realm.subscriptions.iter().filter(|held| held.has(at));
                held.map(|held| held.id).collect()
            }
            "registration" => {
                realm.registrations.iter().filter(|held| held.has(at)).map(|held| held.id).collect()
            }
            "invocation" => {
                let deliveries = realm.calls.iter().filter_map(|call| call.delivery.as_ref());
                deliveries.filter(|it| it.callee == at).map(|it| it.invocation).collect()
            }
            "call" => realm
                .calls
                .iter()
                .filter(|call| call.caller == Caller::Session(at))
                .map(|call| call.request)
                .collect(),
            "cut" => self.model.session(at).cut_short.clone(),
            _ => panic!("no such name: {name}"),
        };
        if ids.is_empty() { NONE } else { ids[position % ids.len()] }
    }

    /// Takes what the router did, lets the model do the same, and compares what each transport got.
    fn compare(&mut self, step: impl FnOnce(&mut Model)) -> Result<(), Difference> {
        let mut heard: Vec<Heard> = vec![Vec::new(); self.keys.len()];
        let (mut closed, mut told_to_go) = (Vec::new(), Vec::new());
        for (key, action) in self.outbox.drain() {
            let known = self.keys.iter().rposition(|(known, _)| *known == key);
            let at = known.ok_or_else(|| format!("{key} was never opened"))?;
            match action {
                Action::Send { head, payload, .. } => {
                    let serializer = self.keys[at].1;
                    let frame = [head, &payload.bytes, codec::closing(serializer)].concat();
                    let text = codec::transcode(&frame, 1, serializer, Serializer::Json)
                        .map_err(|error| format!("what {key} gets is not well-formed: {error}"))?;
                    let message: Value =
                        serde_json::from_slice(&text).map_err(|error| format!("no JSON: {error}"))?;
                    for kind in kinds_of(&message) {
                        *self.reached.entry(kind).or_default() += 1;
                    }
                    if message[0] == 6 {
                        told_to_go.push(at);
                    }
                    heard[at].push(message);
                }
                Action::Close(close) => {
                    closed.push(at);
                    told_to_go.push(at);
                    heard[at].push(format!("closed: {close:?}").into());
                }
            }
        }
        if let Some(transcript) = &mut self.transcript {
            for (at, messages) in heard.iter().enumerate() {
                let client = self.clients.iter().position(|client| *client == Some(at));
                for message in messages {
                    let _ = writeln!(transcript, "    {} <- {message}", client.unwrap_or(usize::MAX));
                }
            }
        }
        let known = self.model.questions.iter().map(|question| question.number).max();
        self.model.begin(heard, told_to_go);
        step(&mut self.model);
        let (heard, expected) = self.model.end();
        self.compare_questions(known)?;
        for at in closed {
            self.clients.iter_mut().filter(|client| **client == Some(at)).for_each(|client| *client = None);
        }
        for (at, (found, expected)) in heard.into_iter().zip(expected).enumerate() {
            let (found, expected) = (in_order(found), in_order(expected));
            let fits = found.len() == expected.len()
                && found.iter().zip(&expected).all(|(found, expected)| self.is_like(found, expected));
            if !fits {
                let list = |messages: &[Value]| -> String {
                    messages.iter().map(|message| format!("\n      {message}")).collect()
                };
                let (found, expected) = (list(&found), list(&expected));
                return Err(format!("transport {at}\n    got{found}\n    and should have got{expected}"));
            }
        }
        let (found, expected) = (self.router.next_timeout(), self.model.next_deadline());
        if found != expected {
            return Err(format!("the next timeout is at {found:?}, not at {expected:?}"));
        }
        Ok(())
    }

    /// Functions are asked the same in the same order. Those that were asked only to be asked anew in the same step are
    /// not in the model any more.
    fn compare_questions(&mut self, known: Option<u64>) -> Result<(), Difference> {
        let found = self.outbox.take_questions();
        let asked = self.model.questions.iter();
        let expected: Vec<Question> = asked
            .filter(|question| question.function.is_some() && Some(question.number) > known)
            .cloned()
            .collect();
        let mut found = found.iter().rev();
        for expected in expected.iter().rev() {
            let args = |question: &wamplet::router::Question| Value::from(question.values.args.clone());
            let is_same = |run: &mut Self, found: &wamplet::router::Question| {
                Some(&*found.function) == expected.function && run.is_like(&args(found), &expected.values)
            };
            let Some(asked) = found.by_ref().find(|found| is_same(self, found)) else {
                return Err(format!("nobody asked {expected:?}"));
            };
            self.asked.push((expected.number, asked.ticket));
        }
        Ok(())
    }

    fn is_like(&mut self, found: &Value, expected: &Value) -> bool {
        match (found, expected) {
            (_, Value::String(text)) if text == ANY => true,
            (Value::String(found), Value::String(text)) if text == TEXT => !found.is_empty(),
            (_, Value::String(text)) if text.starts_with("<publication ") => {
                let Some(id) = found.as_u64().filter(|id| (1..=1 << 53).contains(id)) else { return false };
                if let Some((_, known)) = self.model.known_ids.iter().find(|(name, _)| name == text) {
                    return *known == id;
                }
                let is_new = self.model.known_ids.iter().all(|(_, known)| *known != id);
                self.model.known_ids.push((text.clone(), id));
                is_new
            }
            (Value::Array(found), Value::Object(expected)) => {
                let mut found = found.clone();
                found.sort_by_key(Value::as_u64);
                expected.get(ANY_ORDER) == Some(&Value::from(found))
            }
            (Value::Array(found), Value::Array(expected)) => {
                found.len() == expected.len()
                    && found.iter().zip(expected).all(|(found, expected)| self.is_like(found, expected))
            }
            (Value::Object(found), Value::Object(expected)) => {
                found.len() == expected.len()
                    && expected.iter().all(|(key, expected)| {
                        found.get(key).is_some_and(|found| self.is_like(found, expected))
                    })
            }
            _ => found == expected,
        }
    }
}

/// The code of a message; with it the error, and each entry of its details that says more.
fn kinds_of(message: &Value) -> Vec<String> {
    let code = &message[0];
    let (details, error) = match code.as_u64() {
        Some(3 | 6) => (&Value::Null, &message[2]),
        Some(8) => (&Value::Null, &message[4]),
        Some(35 | 67) => (&message[2], &Value::Null),
        Some(36 | 68) => (&message[3], &Value::Null),
        Some(50 | 69) => (&message[2], &Value::Null),
        _ => (&Value::Null, &Value::Null),
    };
    let mut kinds = vec![code.to_string()];
    if message[3][0][0]["timestamp"].is_string() {
        kinds.push("50 of a history".into());
    }
    kinds.extend(details.as_object().into_iter().flatten().map(|(key, _)| format!("{code} {key}")));
    kinds.extend(error.as_str().map(|error| format!("{code} {error}")));
    kinds
}

/// Which of the subscriptions of one session gets its EVENT of a publication first is nowhere said.
fn in_order(mut messages: Heard) -> Heard {
    let publication = |message: &Value| (message[0] == 36).then(|| message[2].clone());
    let mut start = 0;
    while start < messages.len() {
        let this = publication(&messages[start]);
        let same = messages[start..].iter().take_while(|message| publication(message) == this).count();
        if this.is_some() {
            messages[start..start + same].sort_by_key(|message| message[1].as_u64());
        }
        start += same;
    }
    messages
}
