//! The surface that `www/lib` drives: heads in, actions out.
//!
//! Owns the crossing between JavaScript and the router, and this build's only clock. Decides nothing. A message comes
//! and goes as the JSON text of its head and, beside it, its tail as an opaque JavaScript value; see [`payload`].

mod payload;

use js_sys::{Array, Function, JsString, Object, Reflect};
use serde_json::Value;
use wasm_bindgen::prelude::*;

use self::payload::JsPayload;
use crate::auth::Failure;
use crate::codec::{self, DecodeLimits, Serializer};
use crate::config::Config;
use crate::id::{SessionKey, Ticket};
use crate::message::{Dict, dict};
use crate::payload::Values;
use crate::router::{Action, Close, Identity, Now, Outbox, Question, RecordedEvent, Router, Transport};

#[wasm_bindgen]
extern "C" {
    /// Milliseconds since the worker or page began; every engine that runs WebAssembly has it, Node too.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// Two kilobytes less to download than the allocator of Rust's standard library.
#[cfg(target_family = "wasm")]
#[global_allocator]
#[expect(unsafe_code, reason = "its contract is that there is one thread, which is what this target has")]
static ALLOCATOR: talc::TalckWasm = unsafe { talc::TalckWasm::new_global() };

/// A router, with its outbox and its clock.
#[wasm_bindgen]
pub struct WasmRouter {
    router: Router<JsPayload>,
    outbox: Outbox<JsPayload>,
    limits: DecodeLimits,
    message_length: usize,
    /// What the transport in each slot of the router sends, if that is whole frames.
    serializers: Vec<Serializer>,
    clock: Option<Function>,
}

#[wasm_bindgen]
impl WasmRouter {
    /// A router for a configuration object (`undefined`: any realm, everything allowed) and 32 bytes of chance.
    ///
    /// `clock`, a function that answers milliseconds, replaces the real time: tests pass one. `functions` are the names of
    /// those that can be asked. Throws an `Error` whose message names each problem of the configuration.
    #[wasm_bindgen(constructor)]
    pub fn new(
        config: JsValue,
        seed: &[u8],
        clock: Option<Function>,
        functions: Option<Array>,
    ) -> Result<WasmRouter, JsError> {
        console_error_panic_hook::set_once();
        let seed: [u8; 32] = seed
            .try_into()
            .map_err(|_| JsError::new(&format!("seed: expected 32 bytes, found {}", seed.len())))?;
        let config = plain("config", &config)?;
        let loaded = Config::from_value(&config).map_err(|error| JsError::new(&error.to_string()))?;
        let functions = functions.unwrap_or_default();
        loaded
            .config
            .check_functions(|name| functions.includes(&name.into(), 0))
            .map_err(|error| JsError::new(&format!("{error}: name it in options.deciders")))?;
        for warning in &loaded.warnings {
            web_sys::console::warn_1(&format!("wamplet: {warning}").into());
        }
        Ok(Self {
            limits: loaded.config.limits.decode(),
            message_length: loaded.config.limits.message_length,
            router: Router::new(loaded.config, seed),
            outbox: Outbox::new(),
            serializers: Vec::new(),
            clock,
        })
    }

    /// Bytes that a message may have, from the configuration.
    #[wasm_bindgen(getter, js_name = messageLength)]
    pub fn message_length(&self) -> usize {
        self.message_length
    }

    /// Lets a transport in and answers its key. `transport` has `type`, `protocol`, `peer` and `serializer`; whatever
    /// else it has appears in the session details. `identity`, which must not come from the peer, fixes the `authrole` of
    /// its sessions, and perhaps their `realm` and `authid`; its `authmethod` says how that is known. Throws when the
    /// router takes no more.
    pub fn open(&mut self, transport: JsValue, identity: JsValue) -> Result<f64, JsError> {
        let extra = object("transport", &transport)?;
        let text = |name| member("transport", &extra, name);
        let identity = match identity.is_undefined() {
            true => None,
            false => Some(identity_from(&object("identity", &identity)?)?),
        };
        let (kind, protocol, peer, serializer) =
            (text("type")?, text("protocol")?, text("peer")?, text("serializer")?);
        let serializer = serializer_named(&serializer)?;
        let mut details = dict([
            ("channel_type", "memory".into()),
            ("channel_framing", "native".into()),
            ("channel_serializer", serializer.name().into()),
        ]);
        for (name, value) in extra {
            // `channel_serializer` says it.
            if name != "serializer" {
                details.insert(name, value);
            }
        }
        // To the router everybody speaks JSON; binary frames are translated here.
        let transport = Transport {
            kind,
            protocol,
            peer,
            serializer: Serializer::Json,
            identity,
            extra: details,
            ..Transport::default()
        };
        let key = self
            .router
            .handle_open(transport, self.now())
            .map_err(|refused| JsError::new(&refused.to_string()))?;
        let slot = key.index as usize;
        self.serializers.resize(self.serializers.len().max(slot + 1), Serializer::Json);
        self.serializers[slot] = serializer;
        Ok(key_to_number(key))
    }

    /// Handles a batch of messages: heads joined by newlines, and as many tails.
    pub fn handle(&mut self, key: f64, heads: &str, tails: &Array) {
        let key = key_from_number(key);
        let now = self.now();
        for (index, head) in (0..).zip(heads.split('\n')) {
            if head.len() > self.router.message_limit(key) {
                self.router.handle_oversized(key, head.len(), now, &mut self.outbox);
                continue;
            }
            let tail = JsPayload::new(tails.get(index));
            // Crossing over to ask a tail for its length is not for free.
            let length = if self.router.is_metering() { tail.received_len(head) } else { 0 };
            let decoded = codec::decode_head(head.as_bytes(), &self.limits);
            let decoded = decoded.map(|message| message.with_payload(tail));
            self.router.handle_message(key, decoded, length, now, &mut self.outbox);
        }
    }

    /// Handles a whole frame of a transport that was opened with `msgpack` or `cbor`.
    #[wasm_bindgen(js_name = handleBytes)]
    pub fn handle_bytes(&mut self, key: f64, frame: &[u8]) {
        let key = key_from_number(key);
        let now = self.now();
        let Some(serializer) = self.serializers.get(key.index as usize).copied() else { return };
        if frame.len() > self.router.message_limit(key) {
            self.router.handle_oversized(key, frame.len(), now, &mut self.outbox);
            return;
        }
        let decoded = codec::decode(serializer, frame, &self.limits).and_then(|(message, tail)| {
            let json = match tail.elements {
                0 => JsPayload::default(),
                elements => {
                    let tail = &frame[tail.start..tail.end];
                    let json = codec::transcode(tail, elements, serializer, Serializer::Json)?;
                    JsPayload::text(text(&json))
                }
            };
            Ok(message.with_payload(json))
        });
        self.router.handle_message(key, decoded, frame.len(), now, &mut self.outbox);
    }

    /// Cleans up after a transport that was lost.
    pub fn closed(&mut self, key: f64) {
        let key = key_from_number(key);
        let now = self.now();
        self.router.handle_closed(key, now, &mut self.outbox);
    }

    /// Does what is due.
    pub fn timeout(&mut self) {
        let now = self.now();
        self.router.handle_timeout(now, &mut self.outbox);
    }

    /// Milliseconds until [`timeout`](Self::timeout) has something to do, if it has.
    #[wasm_bindgen(js_name = nextTimeout)]
    pub fn next_timeout(&self) -> Option<f64> {
        let now = self.now().mono_ms;
        self.router.next_timeout().map(|deadline| deadline.saturating_sub(now) as f64)
    }

    /// Says GOODBYE to all.
    pub fn shutdown(&mut self) {
        let now = self.now();
        self.router.handle_shutdown(now, &mut self.outbox);
    }

    /// Takes out what must be done, as `[key, head, tail, key, head, tail, ...]`: a head that is a string is sent with
    /// its tail; `null` closes the transport, with `{code, reason}` in the place of the tail.
    pub fn drain(&mut self) -> Array {
        let actions = Array::new();
        for (key, action) in self.outbox.drain() {
            actions.push(&key_to_number(key).into());
            match action {
                Action::Send { head, payload, .. } => {
                    actions.push(&text(head).into());
                    actions.push(&payload.into_tail());
                }
                Action::Close(close) => {
                    actions.push(&JsValue::NULL);
                    actions.push(&close_record(close));
                }
            }
        }
        actions
    }

    /// The names of the realms whose kept events are to outlive the router: [`restore`](Self::restore) each before the
    /// first transport opens, also if there is nothing to restore.
    #[wasm_bindgen(js_name = persistentRealms)]
    pub fn persistent_realms(&self) -> Vec<String> {
        self.router.persistent_realms().map(str::to_owned).collect()
    }

    /// Gives a realm back what [`take_records`](Self::take_records) had of it, as `[number, head, tail, number, head,
    /// tail, ...]` in the order of the numbers; from now on there are records to take. Answers how many events are kept.
    /// Throws where the realm is none of [`persistent_realms`](Self::persistent_realms), or a record none of a router.
    pub fn restore(&mut self, realm: &str, records: &Array) -> Result<usize, JsError> {
        let now = self.now();
        let records = (0..records.length() / 3).map(|index| {
            let sequence = records.get(3 * index).as_f64().unwrap_or_default() as u64;
            let head = records.get(3 * index + 1).as_string().unwrap_or_default();
            (sequence, RecordedEvent { head, payload: JsPayload::new(records.get(3 * index + 2)) })
        });
        let restored = self.router.restore(realm, records, now, &mut self.outbox);
        restored.map_err(|error| JsError::new(&error.to_string()))
    }

    /// Takes out what a store must write down, as `[realm, number, head, tail, realm, number, head, tail, ...]`. Head and
    /// tail take the place of what was kept of the realm by this number, if anything was; a head that is `null` says to
    /// forget it. To be called after each input, where a realm was restored. Only the last record of a realm and number
    /// counts.
    #[wasm_bindgen(js_name = takeRecords)]
    pub fn take_records(&mut self) -> Array {
        let records = Array::new();
        for record in self.outbox.take_records() {
            records.push(&JsValue::from_str(&record.realm));
            records.push(&(record.sequence as f64).into());
            let (head, tail) = match record.event {
                Some(RecordedEvent { head, payload }) => (head.into(), payload.into_tail()),
                None => (JsValue::NULL, JsValue::UNDEFINED),
            };
            records.push(&head);
            records.push(&tail);
        }
        records
    }

    /// Takes out what functions of the program are asked, as `[ticket, function, json, ticket, function, json, ...]`: the
    /// JSON text is that of the arguments, and what it has in it of keywords behind a comma.
    #[wasm_bindgen(js_name = takeQuestions)]
    pub fn take_questions(&mut self) -> Array {
        let questions = Array::new();
        for Question { ticket, function, values } in self.outbox.take_questions() {
            let (json, _) = codec::encode_values(&values, Serializer::Json);
            questions.push(&(ticket.0 as f64).into());
            questions.push(&function.into());
            questions.push(&text(&json).into());
        }
        questions
    }

    /// Answers a question: with the JSON text of a list of arguments, or, where `ok` is false, of `[error URI, sentence]`.
    pub fn answer(&mut self, ticket: f64, ok: bool, json: &str) {
        let values = codec::decode_values(json.as_bytes(), 1, Serializer::Json);
        let text_at = |values: &Values, index: usize| {
            values.args.get(index).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let answer = match values {
            Ok(values) if ok => Ok(values),
            Ok(values) => Err(Failure::new(text_at(&values, 0), text_at(&values, 1))),
            Err(error) => Err(Failure::new("wamp.error.invalid_argument", error.to_string())),
        };
        let now = self.now();
        self.router.handle_answer(Ticket(ticket as u64), answer, now, &mut self.outbox);
    }

    /// A complete message as JSON text to a frame of another serializer.
    #[wasm_bindgen(js_name = encodeFrame)]
    pub fn encode_frame(&self, serializer: &str, message: &str) -> Result<Vec<u8>, JsError> {
        let serializer = serializer_named(serializer)?;
        codec::transcode(message.as_bytes(), 1, Serializer::Json, serializer)
            .map_err(|error| JsError::new(&error.to_string()))
    }

    /// Realms with their sessions, subscriptions and registrations, as plain data.
    pub fn inspect(&self) -> JsValue {
        let (json, _) = codec::encode_values(&Values::args([self.router.inspect()]), Serializer::Json);
        let values = js_sys::JSON::parse(&String::from(text(&json))).expect("the JSON codec writes JSON");
        Array::from(&values).get(0)
    }
}

impl WasmRouter {
    fn now(&self) -> Now {
        match &self.clock {
            None => {
                Now { mono_ms: performance_now() as u64, unix_ns: js_sys::Date::now() as u64 * 1_000_000 }
            }
            Some(clock) => {
                let ms = clock.call0(&JsValue::UNDEFINED).ok().and_then(|ms| ms.as_f64()).unwrap_or_default()
                    as u64;
                Now { mono_ms: ms, unix_ns: ms * 1_000_000 }
            }
        }
    }
}

/// 2^20: the index of a transport stands below it, the generation above, so that a key is one exact number (2^52 at
/// most). A configuration allows no more transports than that.
const GENERATION: f64 = 1_048_576.0;

fn key_to_number(key: SessionKey) -> f64 {
    f64::from(key.generation) * GENERATION + f64::from(key.index)
}

fn key_from_number(number: f64) -> SessionKey {
    let generation = (number / GENERATION).trunc();
    SessionKey { index: (number - generation * GENERATION) as u32, generation: generation as u32 }
}

/// A JavaScript value as the data that its JSON text says; nothing for `undefined`.
fn plain(name: &str, value: &JsValue) -> Result<Value, JsError> {
    if value.is_undefined() {
        return Ok(Value::Null);
    }
    let refuse =
        |reason: &str| JsError::new(&format!("{name}: expected plain data, as JSON has it ({reason})"));
    let text = js_sys::JSON::stringify(value).map_err(|_| refuse("JSON.stringify threw"))?;
    let text = text.as_string().ok_or_else(|| refuse("JSON.stringify gave nothing"))?;
    let mut values = codec::decode_values(format!("[{text}]").as_bytes(), 1, Serializer::Json)
        .map_err(|error| refuse(&error.to_string()))?;
    Ok(values.args.pop().unwrap_or_default())
}

fn object(name: &str, value: &JsValue) -> Result<Dict, JsError> {
    match plain(name, value)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsError::new(&format!("{name}: expected an object"))),
    }
}

fn member(name: &str, object: &Dict, key: &str) -> Result<String, JsError> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err(JsError::new(&format!("{name}.{key}: expected a string"))),
    }
}

fn identity_from(identity: &Dict) -> Result<Identity, JsError> {
    let text = |name| member("identity", identity, name);
    let optional = |name| identity.contains_key(name).then(|| text(name)).transpose();
    Ok(Identity {
        realm: optional("realm")?,
        authid: optional("authid")?,
        authrole: text("authrole")?,
        authmethod: text("authmethod")?,
        authprovider: "static".into(),
        authextra: None,
    })
}

fn serializer_named(name: &str) -> Result<Serializer, JsError> {
    Serializer::named(name)
        .ok_or_else(|| JsError::new(&format!("serializer: expected json, msgpack or cbor, found {name}")))
}

fn text(json: &[u8]) -> JsString {
    std::str::from_utf8(json).expect("the JSON codec writes UTF-8").into()
}

/// Close codes as WebSocket has them (RFC 6455, 7.4.1), for the transports that show them.
fn close_record(close: Close) -> JsValue {
    let (code, reason) = match close {
        Close::Normal => (1000, ""),
        Close::ProtocolViolation => (1002, "protocol violation"),
        Close::Timeout => (1008, "timeout"),
        #[cfg(feature = "native")]
        Close::Lost => (1001, ""),
    };
    let record = Object::new();
    for (name, value) in [("code", JsValue::from(code)), ("reason", JsValue::from(reason))] {
        // Setting a property of a fresh plain object cannot fail.
        let _ = Reflect::set(&record, &name.into(), &value);
    }
    record.into()
}
