//! Message vectors: those of the wamp-proto test suite where they lie beside this checkout, and our own.
//!
//! The rule of that suite: for each serializer at least one variant decodes, all that decode agree, and our encoding
//! equals at least one variant. Samples without bytes say which options a router must accept and refuse.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wamplet::codec::{self, DecodeLimits, Serializer};
use wamplet::message::Message;
use wamplet::payload::{EncodedPayload, Payload as _};

#[test]
fn vectors_of_the_wamp_test_suite_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/singlemessage");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let samples = check_folder(&folder);
    assert!(samples >= 100, "only {samples} samples in {}", folder.display());
}

#[test]
fn our_own_vectors_hold_and_cover_every_message_type() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    check_folder(&folder);
    let mut codes: Vec<u64> =
        files(&folder).iter().map(|file| number(&read(file)["wamp_message_code"])).collect();
    codes.sort_unstable();
    let all = [1, 2, 3, 4, 5, 6, 8, 16, 17, 32, 33, 34, 35, 36, 48, 49, 50, 64, 65, 66, 67, 68, 69, 70, 337];
    assert_eq!(codes, all);
}

fn check_folder(folder: &Path) -> usize {
    let mut count = 0;
    for file in files(folder) {
        let vector = read(&file);
        let samples = vector["samples"].as_array().expect("samples are a list");
        for sample in samples {
            let name = format!("{}: {}", file.display(), text(&sample["description"]));
            if sample.get("serializers").is_some() {
                check_bytes(&name, sample, number(&vector["wamp_message_code"]));
            } else {
                check_options(&name, sample);
            }
            count += 1;
        }
    }
    count
}

fn check_bytes(name: &str, sample: &Value, code: u64) {
    let mut agreed: Option<Message<'static, Value>> = None;
    for serializer in Serializer::ALL {
        let frames: Vec<Vec<u8>> = sample["serializers"][serializer.name()]
            .as_array()
            .unwrap_or_else(|| panic!("{name}: no {} variant", serializer.name()))
            .iter()
            .map(|variant| bytes_of_hex(text(&variant["bytes_hex"])))
            .collect();
        let mut decoded = 0;
        let mut refused = Vec::new();
        for frame in &frames {
            let (message, tail) = match codec::decode(serializer, frame, &DecodeLimits::default()) {
                Ok(decoded) => decoded,
                Err(error) => {
                    refused.push(error.to_string());
                    continue;
                }
            };
            decoded += 1;
            assert_eq!(u64::from(message.message_type().code()), code, "{name}");
            let payload = EncodedPayload {
                bytes: frame[tail.start..tail.end].to_vec().into(),
                elements: tail.elements,
                serializer,
            };
            let message = message.map_payload(|()| payload);
            check_attributes(name, &message, &sample["expected_attributes"]);
            if !has_forward_for(sample) {
                check_encoding(name, &message, sample);
            }
            let message = owned(message);
            assert_eq!(
                agreed.get_or_insert_with(|| message.clone()),
                &message,
                "{name}: {}",
                serializer.name()
            );
        }
        assert!(decoded > 0, "{name}: no {} variant decodes: {refused:?}", serializer.name());
    }
}

/// Our encoding of `message`, in each serializer, is among the variants.
fn check_encoding(name: &str, message: &Message<'_, EncodedPayload>, sample: &Value) {
    for serializer in Serializer::ALL {
        let frame = encode(message, serializer);
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let variants = sample["serializers"][serializer.name()].as_array().expect("variants are a list");
        assert!(
            variants.iter().any(|variant| text(&variant["bytes_hex"]) == hex),
            "{name}: our {} is none of the variants: {hex}",
            serializer.name()
        );
    }
}

/// What the vector says that the message holds stands in it: as an element, or as a key of a dictionary.
fn check_attributes(name: &str, message: &Message<'_, EncodedPayload>, attributes: &Value) {
    let json: Value = serde_json::from_slice(&encode(message, Serializer::Json)).expect("our JSON is JSON");
    let elements = json.as_array().expect("a message is an array");
    for (key, value) in attributes.as_object().expect("attributes are an object") {
        if value.is_null() || key == "payload" || !value["forward_for"].is_null() {
            continue;
        }
        let holds =
            elements.contains(value) || elements.iter().any(|element| element.get(key) == Some(value));
        assert!(holds, "{name}: {key} is not {value} in {json}");
    }
}

fn check_options(name: &str, sample: &Value) {
    for serializer in Serializer::ALL {
        let wmsg = &sample["wmsg"];
        let frame = match serializer {
            Serializer::Json => serde_json::to_vec(wmsg).expect("JSON goes into JSON"),
            Serializer::MsgPack => rmp_serde::to_vec(wmsg).expect("JSON goes into MessagePack"),
            Serializer::Cbor => minicbor_serde::to_vec(wmsg).expect("JSON goes into CBOR"),
        };
        match (codec::decode(serializer, &frame, &DecodeLimits::default()), sample.get("expected_error")) {
            (Ok(_), None) => {}
            (Err(error), Some(expected)) => {
                let key = text(&expected["contains"]);
                assert!(error.to_string().contains(key), "{name}: {error:?} does not name {key}");
            }
            (Err(error), None) => panic!("{name}: {error}"),
            (Ok(_), Some(_)) => panic!("{name}: accepted in {}", serializer.name()),
        }
    }
}

fn encode(message: &Message<'_, EncodedPayload>, serializer: Serializer) -> Vec<u8> {
    // A detour through another serializer takes the white space out of JSON.
    let detour = if serializer == Serializer::Json { Serializer::MsgPack } else { Serializer::Json };
    let tail = message.payload().cloned().unwrap_or_default();
    let tail = tail.for_serializer(detour).and_then(|tail| tail.for_serializer(serializer));
    let mut frame = Vec::new();
    codec::encode_head(serializer, message, &mut frame);
    frame.extend_from_slice(&tail.expect("tails of the vectors go into any serializer").bytes);
    frame.extend_from_slice(codec::closing(serializer));
    frame
}

/// The message with its tail as a JSON list, independent of its frame.
fn owned(message: Message<'_, EncodedPayload>) -> Message<'static, Value> {
    let mut head = Vec::new();
    codec::encode_head(
        Serializer::MsgPack,
        &message.clone().map_payload(|_| EncodedPayload::default()),
        &mut head,
    );
    let head: &'static [u8] = head.leak();
    let (head, _) =
        codec::decode(Serializer::MsgPack, head, &DecodeLimits::default()).expect("our head decodes");
    let tail = message.payload().cloned().unwrap_or_default();
    let tail = tail.for_serializer(Serializer::Json).expect("tails of the vectors go into JSON").bytes;
    let tail = [b"[", &tail[..], b"]"].concat();
    head.map_payload(|()| serde_json::from_slice(&tail).expect("a tail of JSON is JSON"))
}

/// Attributes of router-to-router links are checked, but not carried.
fn has_forward_for(sample: &Value) -> bool {
    let attributes = &sample["expected_attributes"];
    ["options", "details"].iter().any(|dict| !attributes[dict]["forward_for"].is_null())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of vectors can be read") {
        let path = entry.expect("the folder of vectors can be read").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("vectors can be read")).expect("vectors are JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no integer"))
}

fn bytes_of_hex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("hex is ASCII");
            u8::from_str_radix(pair, 16).expect("hex is hex")
        })
        .collect()
}
