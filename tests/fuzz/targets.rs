//! What each fuzz target does with its bytes: shared by the fuzzer (`fuzz_targets`) and by `cargo test`
//! (`tests/fuzz_corpus.rs`), which replays the corpus.
//!
//! A target panics where something does not hold that holds for all bytes. None of them reads a file, a clock or the
//! environment, so that the same bytes always do the same.

#![allow(dead_code, reason = "each of the programs that this is a part of uses one target")]

#[path = "../model/generate/mod.rs"]
mod generate;
#[path = "../model/operation.rs"]
mod operation;
#[path = "../model/router/mod.rs"]
mod router;
#[path = "../model/run.rs"]
mod run;
#[path = "../model/settings.rs"]
mod settings;

use std::cell::Cell;
use std::path::Path;

use wamplet::codec::{self, DecodeLimits, Serializer};
use wamplet::config::node::Node;
use wamplet::config::{Config, Format, upgrade};
use wamplet::payload::{EncodedPayload, Payload as _};
use wamplet::rawsocket::{self, FrameHeader};

use self::generate::Chance;
use self::run::Run;
use self::settings::Settings;

pub fn json(data: &[u8]) {
    frame(data, Serializer::Json);
    // The browser's build gets heads without tails.
    if let Ok(message) = codec::decode_head(data, &DecodeLimits::default()) {
        let mut head = Vec::new();
        let message = message.map_payload(|()| EncodedPayload::default());
        codec::encode_head(Serializer::Json, &message, &mut head);
        let again = codec::decode_head(&head, &DecodeLimits::default()).expect("what we write we can read");
        assert_eq!(again, message.map_payload(|_| ()));
    }
}

pub fn msgpack(data: &[u8]) {
    frame(data, Serializer::MsgPack);
}

pub fn cbor(data: &[u8]) {
    frame(data, Serializer::Cbor);
}

/// A frame is refused with a sentence, or it is a message that comes back as it went; its tail is well-formed, says the
/// same in every serializer that can say it, and can be read.
fn frame(data: &[u8], serializer: Serializer) {
    let (message, tail) = match codec::decode(serializer, data, &DecodeLimits::default()) {
        Ok(decoded) => decoded,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let bytes = &data[tail.start..tail.end];
    let payload = EncodedPayload { bytes: bytes.to_vec().into(), elements: tail.elements, serializer };
    let message = message.map_payload(|()| payload.clone());
    let mut written = Vec::new();
    codec::encode_head(serializer, &message, &mut written);
    if message.payload().is_some() {
        written.extend_from_slice(bytes);
    }
    written.extend_from_slice(codec::closing(serializer));
    let (again, span) =
        codec::decode(serializer, &written, &DecodeLimits::default()).expect("what we write we can read");
    assert_eq!(again, message.clone().map_payload(|_| ()));
    assert_eq!((span.elements, &written[span.start..span.end]), (tail.elements, bytes));
    // A tail of somebody's own encoding is no list of arguments, and stays none.
    let is_readable = payload.to_values().is_ok();
    for other in Serializer::ALL {
        let Ok(translated) = payload.for_serializer(other) else { continue };
        assert_eq!(translated.elements, payload.elements);
        assert_eq!(translated.to_values().is_ok(), is_readable, "in {}", other.name());
        for third in Serializer::ALL {
            if let Ok(further) = translated.for_serializer(third) {
                assert_eq!(
                    further.to_values().is_ok(),
                    is_readable,
                    "by {} in {}",
                    other.name(),
                    third.name()
                );
            }
        }
    }
}

/// The first four octets are a handshake, each next four a frame header.
pub fn rawsocket(data: &[u8]) {
    let mut octets = data.chunks_exact(4).map(|octets| <[u8; 4]>::try_from(octets).expect("four octets"));
    let Some(first) = octets.next() else { return };
    match rawsocket::read_handshake(first, &Serializer::ALL) {
        Ok(handshake) => {
            assert_eq!(rawsocket::accept(handshake), first, "we take what the client asks for");
            assert!((1 << 9..=rawsocket::MAX_LENGTH).contains(&handshake.max_length));
        }
        Err(error) => {
            let is_rawsocket = first[0] == rawsocket::MAGIC;
            let reply = error.reply();
            assert_eq!(reply.is_some(), is_rawsocket, "only RawSocket is answered");
            assert!(reply.is_none_or(|reply| reply[0] == rawsocket::MAGIC && reply[1] & 0x0f == 0));
        }
    }
    for octets in octets {
        let Ok(header) = FrameHeader::decode(octets) else { continue };
        assert!(header.length <= rawsocket::MAX_LENGTH);
        assert_eq!(FrameHeader::decode(header.encode()), Ok(header), "a header comes back as it went");
        assert_eq!(header.encode(), octets, "there is one way to write a header");
    }
}

/// Text is no configuration and every problem of it is a sentence, or it is one, of a tab and of a server.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = Config::from_json(text) {
        assert!(!error.to_string().is_empty());
    }
    let environment = |name: &str| (name == "SECRET").then(|| "a secret".to_owned());
    for format in [Format::Json, Format::Yaml] {
        if let Err(error) = Node::from_text(text, format, Path::new("/nowhere"), &environment) {
            assert!(!error.to_string().is_empty());
        }
        let Ok(value) = format.parse(text) else { continue };
        if let Ok(upgraded) = upgrade(&value) {
            let again = upgrade(&upgraded.value).expect("what was upgraded can be upgraded");
            assert_eq!(again.value, upgraded.value, "an upgrade has nothing left to do");
        }
    }
}

/// The first byte chooses a configuration, the others what happens to the router; the model says what must come of it.
pub fn operations(data: &[u8]) {
    let Some((settings, choices)) = data.split_first() else { return };
    let mut run = Run::new(usize::from(*settings) % Settings::COUNT, [7; 32], false);
    let chance = Choices { bytes: choices, taken: Cell::new(0) };
    let mut operations = Vec::new();
    while chance.taken.get() < choices.len() && operations.len() < MAX_OPERATIONS {
        let operation = generate::operation(&chance, &run);
        let done = run.apply(&operation);
        operations.push(operation);
        if let Err(difference) = done.and_then(|()| run.check_tables()) {
            let lines: String = operations.iter().map(|operation| format!("{operation}\n")).collect();
            panic!("router and model do not agree: {difference}\n\nafter\n{lines}");
        }
    }
    run.finish().expect("nothing is left when everybody has left");
}

/// Operations that one input makes, so that an input takes milliseconds.
const MAX_OPERATIONS: usize = 400;

/// Chance from the bytes of the fuzzer: two for each choice, the same in every build.
struct Choices<'a> {
    bytes: &'a [u8],
    taken: Cell<usize>,
}

impl Chance for Choices<'_> {
    fn below(&self, end: usize) -> usize {
        let at = self.taken.get();
        let byte = |at: usize| usize::from(self.bytes.get(at).copied().unwrap_or_default());
        let width = if end > 256 { 2 } else { 1 };
        self.taken.set(at + width);
        let number = if width == 2 { byte(at) << 8 | byte(at + 1) } else { byte(at) };
        number % end
    }
}
