//! Recorded conversations: the same input gives the same outputs, byte for byte, natively (here) and in WebAssembly
//! (`tests/node/replay.test.mjs`, with the same files).
//!
//! A file of `tests/replay` is JSON Lines: first the configuration and the seed, then one step a line with its input and
//! what must come of it. Inputs are `["open", who]`, `["say", who, head, tail]` (JSON text, the head without its closing
//! bracket), `["lose", who]`, `["advance", ms]` and `["shutdown"]`; `@who@` stands for the session id of somebody's last
//! WELCOME. Outputs are `[who, head, tail]`, or `[who, null, close code]`.
//!
//! `WAMPLET_RECORD=1 cargo test --test replay` writes the outputs anew. Read the difference before you commit it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wamplet::codec::{self, Serializer};
use wamplet::config::Config;
use wamplet::id::SessionKey;
use wamplet::payload::EncodedPayload;
use wamplet::router::{Action, Close, Now, Outbox, Router, Transport};

struct Player {
    router: Router<EncodedPayload>,
    outbox: Outbox<EncodedPayload>,
    now_ms: u64,
    keys: BTreeMap<String, SessionKey>,
    /// Session ids as text.
    sessions: BTreeMap<String, String>,
}

impl Player {
    fn new(header: &Value) -> Self {
        let config = Config::from_value(&header["config"]).expect("a valid configuration").config;
        let seed = u8::try_from(header["seed"].as_u64().expect("a seed")).expect("one byte");
        Self {
            router: Router::new(config, [seed; 32]),
            outbox: Outbox::new(),
            now_ms: 1_000,
            keys: BTreeMap::new(),
            sessions: BTreeMap::new(),
        }
    }

    fn now(&self) -> Now {
        Now { mono_ms: self.now_ms, unix_ns: self.now_ms * 1_000_000 }
    }

    /// What the router does with one input.
    fn play(&mut self, input: &Value) -> Vec<Value> {
        let text =
            |index: usize| input[index].as_str().unwrap_or_else(|| panic!("no text at {index}: {input}"));
        let now = self.now();
        match text(0) {
            "open" => self.open(text(1)),
            "say" => {
                let (head, tail) = (self.with_ids(text(2)), self.with_ids(text(3)));
                let comma = if tail.is_empty() { "" } else { "," };
                let frame = format!("{head}{comma}{tail}]");
                self.router.handle(self.keys[text(1)], frame.into(), now, &mut self.outbox);
            }
            "lose" => self.router.handle_closed(self.keys[text(1)], now, &mut self.outbox),
            "advance" => return self.advance(input[1].as_u64().expect("milliseconds")),
            "shutdown" => self.router.handle_shutdown(now, &mut self.outbox),
            other => panic!("no input is called {other}"),
        }
        self.drain()
    }

    fn open(&mut self, who: &str) {
        // The details that the WebAssembly build adds by itself.
        let extra =
            json!({ "channel_type": "memory", "channel_framing": "native", "channel_serializer": "json" });
        let Value::Object(extra) = extra else { unreachable!("a json! object is an object") };
        let transport = Transport {
            kind: "messageport".into(),
            protocol: "wamp.2.json".into(),
            peer: format!("port:{who}"),
            serializer: Serializer::Json,
            extra,
            ..Transport::default()
        };
        let key = self.router.handle_open(transport, self.now()).expect("there is room for one more");
        self.keys.insert(who.into(), key);
    }

    fn advance(&mut self, ms: u64) -> Vec<Value> {
        let end = self.now_ms + ms;
        let mut outputs = Vec::new();
        while let Some(deadline) = self.router.next_timeout().filter(|deadline| *deadline <= end) {
            self.now_ms = self.now_ms.max(deadline);
            let now = self.now();
            self.router.handle_timeout(now, &mut self.outbox);
            outputs.extend(self.drain());
        }
        self.now_ms = end;
        outputs
    }

    fn with_ids(&self, text: &str) -> String {
        let replace = |text: String, (who, id): (&String, &String)| text.replace(&format!("@{who}@"), id);
        self.sessions.iter().fold(text.to_owned(), replace)
    }

    fn drain(&mut self) -> Vec<Value> {
        let who = |key| self.keys.iter().find(|(_, of)| **of == key).map(|(who, _)| who.clone());
        let mut outputs = Vec::new();
        for (key, action) in self.outbox.drain() {
            let who = who(key).expect("the router acts on transports that were opened");
            outputs.push(match action {
                Action::Send { head, payload, .. } => {
                    assert_eq!(codec::closing(Serializer::Json), b"]");
                    let head = std::str::from_utf8(head).expect("JSON is UTF-8");
                    let tail = std::str::from_utf8(&payload.bytes).expect("JSON is UTF-8");
                    if let Some((id, _)) = head.strip_prefix("[2,").and_then(|rest| rest.split_once(',')) {
                        self.sessions.insert(who.clone(), id.into());
                    }
                    json!([who, head, tail])
                }
                Action::Close(close) => {
                    let code = match close {
                        Close::Normal => 1000,
                        Close::ProtocolViolation => 1002,
                        Close::Timeout => 1008,
                        Close::Lost => unreachable!("no driver of a page hangs up"),
                    };
                    json!([who, null, code])
                }
            });
        }
        outputs
    }
}

/// Plays one file; with `record`, writes what came of it.
fn replay(path: &Path, record: bool) {
    let text = fs::read_to_string(path).expect("a readable file");
    let mut lines = text.lines();
    let header = lines.next().expect("a header");
    let mut player = Player::new(&serde_json::from_str(header).expect("a header in JSON"));
    let mut recorded = format!("{header}\n");
    let mut inputs = 0;
    for (number, line) in (2..).zip(lines) {
        let step: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{}:{number}: {error}", path.display()));
        let outputs = Value::Array(player.play(&step["in"]));
        if record {
            recorded += &format!("{{\"in\":{},\"out\":{outputs}}}\n", step["in"]);
        } else {
            assert_eq!(outputs, step["out"], "{}:{number}: {}", path.display(), step["in"]);
        }
        inputs += 1;
    }
    assert!(inputs >= 10, "{} holds something", path.display());
    if record {
        fs::write(path, recorded).expect("a writable file");
    }
}

#[test]
fn recorded_conversations_go_the_same_way_again() {
    let record = std::env::var_os("WAMPLET_RECORD").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        replay(&file, record);
    }
}
