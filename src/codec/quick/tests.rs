//! The quick way and the careful one: what the first takes, the second takes too, and both find the same in it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use super::super::cbor::CborReader;
use super::super::decode::{self, Part};
use super::super::json::JsonReader;
use super::super::msgpack::MsgPackReader;
use super::super::reader::{Container, Reader, Step, Token, walk};
use super::super::{DecodeError, DecodeLimits, Serializer, TailSpan, encode_values, quick_decode};
use super::{CborScan, JsonScan, MsgPackScan, Scan as _};
use crate::message::Message;
use crate::payload::Values;

mod layouts;

/// A reader that never takes the quick way, and how it walks.
struct Careful<R>(R, fn(&mut R, usize) -> Step<()>);

impl<'a, R: Reader<'a>> Reader<'a> for Careful<R> {
    fn position(&mut self) -> usize {
        self.0.position()
    }

    fn offset(&self) -> usize {
        self.0.offset()
    }

    fn token(&mut self) -> Step<Token<'a>> {
        self.0.token()
    }

    fn key(&mut self) -> Step<Token<'a>> {
        self.0.key()
    }

    fn more(&mut self, container: &mut Container) -> Step<bool> {
        self.0.more(container)
    }

    fn absent(&mut self) -> Step<bool> {
        self.0.absent()
    }

    fn has_integral_floats(&self) -> bool {
        self.0.has_integral_floats()
    }

    fn skip(&mut self, depth: usize) -> Step<()> {
        self.1(&mut self.0, depth)
    }

    fn quick_list(&mut self, _levels: usize) -> bool {
        false
    }

    fn finish(&mut self) -> Step<()> {
        self.0.finish()
    }
}

type Decoded<'a> = Result<(Message<'a, ()>, TailSpan), DecodeError>;

fn careful<'a>(serializer: Serializer, bytes: &'a [u8]) -> Step<Box<dyn Reader<'a> + 'a>> {
    Ok(match serializer {
        Serializer::Json => Box::new(Careful(JsonReader::new(bytes)?, JsonReader::walk)),
        Serializer::MsgPack => Box::new(Careful(MsgPackReader::new(bytes), walk)),
        Serializer::Cbor => Box::new(Careful(CborReader::new(bytes), walk)),
    })
}

fn careful_decode<'a>(serializer: Serializer, frame: &'a [u8], limits: &DecodeLimits) -> Decoded<'a> {
    decode::decode(&mut *careful(serializer, frame)?, Part::Whole, limits)
}

/// The end of the item that `bytes` begin with, as the careful reader finds it.
fn careful_item(serializer: Serializer, bytes: &[u8], levels: usize) -> Step<usize> {
    let mut reader = careful(serializer, bytes)?;
    reader.skip(levels)?;
    Ok(reader.offset())
}

fn quick_item(serializer: Serializer, bytes: &[u8], levels: usize) -> Option<usize> {
    match serializer {
        Serializer::Json => {
            let mut scan = JsonScan::new(std::str::from_utf8(bytes).ok()?, 0);
            scan.item(levels).map(|()| scan.position())
        }
        Serializer::MsgPack => {
            let mut scan = MsgPackScan::new(bytes, 0);
            scan.item(levels).map(|()| scan.position())
        }
        Serializer::Cbor => {
            let mut scan = CborScan::new(bytes, 0);
            scan.item(levels).map(|()| scan.position())
        }
    }
}

/// What the quick way takes, the careful one takes; and `codec::decode`, whichever way it goes, answers as the careful
/// one does.
fn agree(serializer: Serializer, frame: &[u8], limits: &DecodeLimits) -> Result<(), TestCaseError> {
    let careful = careful_decode(serializer, frame, limits);
    if let Some(quick) = quick_decode(serializer, frame, limits, None, |tail| tail) {
        let tail = quick.payload().copied().unwrap_or_default();
        let quick = (quick.map_payload(drop), tail);
        prop_assert_eq!(Ok(&quick), careful.as_ref(), "{:?} {:02x?}", serializer, frame);
    }
    prop_assert_eq!(
        super::super::decode(serializer, frame, limits),
        careful,
        "{:?} {:02x?}",
        serializer,
        frame
    );
    Ok(())
}

/// The same for an item alone; says whether the quick way took it.
fn agree_on_item(serializer: Serializer, bytes: &[u8], levels: usize) -> Result<bool, TestCaseError> {
    let Some(end) = quick_item(serializer, bytes, levels) else { return Ok(false) };
    let careful = careful_item(serializer, bytes, levels);
    prop_assert_eq!(Ok(end), careful, "{:?} {:02x?}", serializer, bytes);
    Ok(true)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..200u8).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::from),
            vec((text(), inner), 0..20).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    let char = prop_oneof![
        Just('a'),
        any::<char>(),
        select(&['"', '\\', '\0', '\n', '\u{7f}', '\u{80}', 'é', '😀', '['][..])
    ];
    prop_oneof!["[a-z/ ]{0,90}", vec(char, 0..20).prop_map(String::from_iter)]
}

fn values() -> impl Strategy<Value = Values> {
    (vec(value(), 0..5), vec((text(), value()), 0..5))
        .prop_map(|(args, kwargs)| Values { args, kwargs: kwargs.into_iter().collect() })
}

/// Of these the quick way reads the first ones.
const HEADS: [&str; 10] = [
    "[48,7,{},\"com.example.add\"",
    "[70,9007199254740992,{}",
    "[16,300,{},\"com.example.topic\"",
    "[48,1,{\"timeout\":30000,\"receive_progress\":true,\"disclose_me\":true},\"com.example.add\"",
    "[70,1,{\"progress\":true}",
    "[16,1,{\"acknowledge\":true,\"exclude_me\":false,\"disclose_me\":true,\"retain\":true},\"com.example.topic\"",
    "[16,70000,{\"acknowledge\":true,\"eligible\":[1,2]},\"com.example.topic\"",
    "[48,7,{\"ppt_scheme\":\"x_own\"},\"com.example.add\"",
    "[8,68,1,{},\"com.example.error\"",
    "[36,1,2,{}",
];
const QUICK_HEADS: usize = 6;

/// A frame that a client may send, in this serializer.
fn frame(serializer: Serializer, head: usize, values: &Values) -> Vec<u8> {
    let head = HEADS[head];
    let message = super::super::decode_head(head.as_bytes(), &DecodeLimits::default());
    let (tail, elements) = encode_values(values, serializer);
    let payload = crate::payload::EncodedPayload { bytes: tail.clone().into(), elements, serializer };
    let mut frame = Vec::new();
    let message = message.expect("a head").map_payload(|()| payload);
    super::super::encode_head(serializer, &message, &mut frame);
    [&frame, &tail, super::super::closing(serializer)].concat()
}

/// Puts a byte somewhere, in the place of another or before it.
fn damage() -> impl Strategy<Value = (Index, bool, u8)> {
    let byte = prop_oneof![any::<u8>(), select(&b"[]{},:\"\\0-+.eEu \n\x1f\x7f\xf8\xff\xc1"[..])];
    (any::<Index>(), any::<bool>(), byte)
}

fn damaged(frame: &[u8], damage: &[(Index, bool, u8)]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    for (at, is_in_place, byte) in damage {
        let at = at.index(frame.len());
        frame.splice(at..at + usize::from(*is_in_place), [*byte]);
    }
    frame
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whole_frames_are_decoded_alike_and_the_quick_way_takes_ordinary_ones(
        head in 0..HEADS.len(),
        values in values(),
        depth in 0..9usize,
    ) {
        for serializer in Serializer::ALL {
            let frame = frame(serializer, head, &values);
            agree(serializer, &frame, &DecodeLimits::default())?;
            agree(serializer, &frame, &DecodeLimits { depth, ..DecodeLimits::default() })?;
            if head < QUICK_HEADS && (serializer != Serializer::Json || !frame.contains(&b'\\')) {
                prop_assert!(
                    quick_decode(serializer, &frame, &DecodeLimits::default(), None, |_| ()).is_some(),
                    "{:?} {:02x?}", serializer, frame
                );
            }
        }
    }

    #[test]
    fn damaged_frames_are_decoded_alike(
        head in 0..HEADS.len(),
        values in values(),
        damage in vec(damage(), 1..4),
        cut in any::<Index>(),
    ) {
        for serializer in Serializer::ALL {
            let frame = frame(serializer, head, &values);
            let limits = DecodeLimits::default();
            agree(serializer, &damaged(&frame, &damage), &limits)?;
            agree(serializer, &frame[..cut.index(frame.len())], &limits)?;
        }
    }

    #[test]
    fn lists_of_records_end_alike(
        record in vec((text(), value()), 1..6),
        count in 1..15usize,
        damage in vec((any::<Index>(), damage()), 0..4),
    ) {
        let record: Value = record.into_iter().collect();
        let values = Values { args: vec![record], ..Values::default() };
        for serializer in [Serializer::MsgPack, Serializer::Cbor] {
            let mut records = vec![encode_values(&values, serializer).0[1..].to_vec(); count];
            prop_assert!(agree_on_item(serializer, &list(serializer, &records), 9)?);
            for (record, damage) in &damage {
                let record = record.index(count);
                records[record] = damaged(&records[record], &[*damage]);
            }
            agree_on_item(serializer, &list(serializer, &records), 9)?;
        }
    }

    #[test]
    fn arbitrary_items_end_alike(bytes in vec(any::<u8>(), 0..40), levels in 0..5usize) {
        for serializer in [Serializer::MsgPack, Serializer::Cbor] {
            agree_on_item(serializer, &bytes, levels)?;
            // Many items that arbitrary bytes hardly ever make.
            for marker in [0x82, 0x94, 0xa3, 0x43, 0x62, 0x83, 0xa1, 0xc7, 0xd9, 0xdc, 0xde, 0x98, 0xb8, 0xc2, 0xf8] {
                agree_on_item(serializer, &[&[marker], &bytes[..]].concat(), levels)?;
            }
        }
    }

    #[test]
    fn items_of_the_bytes_that_json_is_made_of_end_alike(
        pieces in vec(select(&[
            "[", "]", "{", "}", ",", ":", "\"", "\"a\"", "\"k\":", "1", "0", "-", ".5", "e+1", "E", "true", "false",
            "null", " ", "\n", "\\", "\\\"", "\\u00e9", "\\ud800", "\\u12", "é", "\u{1f}", "\u{7f}",
        ][..]), 0..30),
        levels in 0..5usize,
    ) {
        let text = pieces.concat();
        agree_on_item(Serializer::Json, text.as_bytes(), levels)?;
        agree_on_item(Serializer::Json, format!("[{text}]").as_bytes(), levels)?;
        agree_on_item(Serializer::Json, format!("{{\"{text}").as_bytes(), levels)?;
    }
}

/// Strings and numbers of every length end where they end, wherever in a window they stand, and not before.
#[test]
fn strings_and_numbers_of_any_length_end_alike() {
    let check = |text: &str, is_good: bool| {
        let taken = agree_on_item(Serializer::Json, text.as_bytes(), 3).expect("both ways agree");
        assert_eq!(taken, is_good, "{text}");
    };
    for before in (0..70).chain(120..135) {
        let space = " ".repeat(before);
        for len in (0..70).chain(120..135) {
            let (x, digits) = ("x".repeat(len), "1".repeat(len));
            for behind in ["", " ", ",\"y\",1"] {
                check(&format!("[{space}\"{x}\"{behind}]"), true);
                check(&format!("[{space}1{digits}{behind}]"), true);
                check(&format!("[{space}-1{digits}.0{digits}E-{digits}1{behind}]"), true);
                check(
                    &format!("[{space}{{\"{x}\":true,\"b\":[null],\"c\":{{}},\"d\":[],\"\":false}}{behind}]"),
                    true,
                );
            }
            check(&format!("[{space}\"{x}\\\"{x}\"]"), true);
            check(&format!("{{{space}\"{x}\"{space}:{space}\"{x}\\u00e9{x}\"}}"), true);
            for bad in [
                format!("[{space}\"{x}\n\"]"),
                format!("[{space}\"{x}"),
                format!("[{space}\"{x}\\\""),
                format!("[{space}0{digits}1]"),
                format!("[{space}1{digits}.]"),
                format!("[{space}1{digits}"),
                format!("[{space}-]"),
                format!("[{space}1{digits}e]"),
                format!("[\"{x}\",{space}truee]"),
                format!("[\"{x}\",{space}fals]"),
                format!("[{space}{{\"{x}\"}}]"),
                format!("[{space}{{\"{x}\",\"b\"}}]"),
                format!("[{space}{{\"{x}\":}}]"),
                format!("[{space}{{\"{x}\":1,}}]"),
                format!("[{space}{{\"{x}\":1,2}}]"),
                format!("[{space}{{\"{x}\":\"b\":1}}]"),
                format!("[{space}{{\"a\":[],\"{x}\":1:1}}]"),
                format!("[{space}\"{x}\":1]"),
                format!("[{{}},{space}\"{x}\":1]"),
                format!("[{space}\"{x}\"1]"),
                format!("[{space}\"{x}\",]"),
                format!("[{space}[1{digits},[]}}]"),
                format!("[{space}[1{digits}],[[]"),
            ] {
                check(&bad, false);
            }
        }
    }
}

/// Options come in any order and form, and each only once.
#[test]
fn options_are_read_alike() {
    let options = [
        "{}",
        " { } ",
        "{ \"progress\" : true }",
        "{\"progress\":true,\"progress\":false}",
        "{\"progress\":null}",
        "{\"progress\":1}",
        "{\"progress\":tru}",
        "{\"progress\":true,}",
        "{\"progress\"true}",
        "{,}",
        "{",
        "{\"progress\":false,\"x\":[]}",
        "{\"pro\\u0067ress\":true}",
        "{\"timeout\":0}",
        "{\"timeout\":10}",
        "{\"timeout\":010}",
        "{\"timeout\":1e3}",
        "{\"timeout\":1.0}",
        "{\"timeout\":-1}",
        "{\"timeout\":18446744073709551615}",
        "{\"timeout\":18446744073709551616}",
        "{\"timeout\":1,\"timeout\":1}",
        "{\"timeout\":1 , \"disclose_me\":true}",
        "{\"acknowledge\":true}",
        "{\"acknowledge\":\"true\"}",
        "{\"exclude_me\":false,\"acknowledge\":true,\"exclude_me\":false}",
        "{\"retain\":true,\"disclose_me\":false}",
        "{\"retain\":true,\"x_retain_ms\":5000}",
        "{\"x_retain_ms\":0}",
        "{\"receive_progress\":true}",
        "[]",
        "null",
        "{\"disclose_me\":true}{}",
        "{\"timeout\":7}7",
    ];
    for options in options {
        for frame in [
            format!("[48,1,{options},\"com.example.add\",[1]]"),
            format!("[16,1,{options},\"com.example.topic\"]"),
            format!("[70,1,{options},[],{{\"k\":{options}}}]"),
            format!("[70,1,{{}},[],{options}]"),
        ] {
            agree(Serializer::Json, frame.as_bytes(), &DecodeLimits::default()).expect("both ways agree");
            for serializer in [Serializer::MsgPack, Serializer::Cbor] {
                let Ok(frame) = super::super::transcode(frame.as_bytes(), 1, Serializer::Json, serializer)
                else {
                    continue;
                };
                agree(serializer, &frame, &DecodeLimits::default()).expect("both ways agree");
            }
        }
    }
}

/// A carried tail is deep rarely: the quick way may give up there, and the careful one must not.
#[test]
fn deep_tails_are_decoded_alike() {
    for levels in [1, 30, 31, 32, 33, 61, 62, 63, 64, 65, 126, 127, 128, 129] {
        let json = format!("[70,1,{{}},{}{}]", "[".repeat(levels), "]".repeat(levels));
        let msgpack = [&b"\x94\x46\x01\x80"[..], &vec![0x91; levels - 1], b"\x90"].concat();
        let cbor = [&b"\x84\x18\x46\x01\xa0"[..], &vec![0x81; levels - 1], b"\x80"].concat();
        for (serializer, frame) in
            [(Serializer::Json, json.as_bytes()), (Serializer::MsgPack, &msgpack), (Serializer::Cbor, &cbor)]
        {
            agree(serializer, frame, &DecodeLimits::default()).expect("both ways agree");
            let decoded = super::super::decode(serializer, frame, &DecodeLimits::default());
            assert_eq!(decoded.is_ok(), levels <= 127, "{serializer:?} {levels}");
        }
    }
}

/// The same where each of these levels is a list of records.
#[test]
fn deep_lists_of_records_are_read_alike() {
    for depth in 1..20 {
        for (serializer, list) in [(Serializer::MsgPack, 0x94), (Serializer::Cbor, 0x84)] {
            let bytes = [vec![list; depth], vec![1; 3 * depth + 1]].concat();
            for levels in 0..20 {
                let is_taken = agree_on_item(serializer, &bytes, levels).expect("both ways agree");
                assert_eq!(is_taken, depth <= levels.min(16), "{serializer:?} {depth} {levels}");
            }
        }
    }
}

/// Texts of every length end where they end, as keys and as values, however many bytes are behind them; and the quick
/// way takes them if they are UTF-8, wherever in them a byte is not ASCII.
#[test]
fn binary_texts_of_any_length_end_alike() {
    for serializer in [Serializer::MsgPack, Serializer::Cbor] {
        for len in (0..70).chain(250..260) {
            for behind in (0..12).chain(28..36) {
                let check = |text: &str, is_utf8: bool| {
                    let last = "v".repeat(behind);
                    for value in [Value::from(vec![text, &last]), Value::from_iter([(text, last.as_str())])] {
                        let values = Values { args: vec![value], ..Values::default() };
                        let mut item = encode_values(&values, serializer).0;
                        if !is_utf8 {
                            let at = item.iter().position(|byte| *byte == 0x7f).expect("the byte to replace");
                            item[at] = 0x80;
                        }
                        for junk in [&b""[..], &[0xff; 40]] {
                            let bytes = [&item, junk].concat();
                            let taken = agree_on_item(serializer, &bytes, 3).expect("both ways agree");
                            assert_eq!(taken, is_utf8, "{serializer:?} {len} {behind} {text}");
                        }
                    }
                };
                check(&"x".repeat(len), true);
                for at in (0..len).filter(|at| *at < 9 || at + 9 > len || behind == 0) {
                    check(&format!("{}\x7f{}", "x".repeat(at), "x".repeat(len - at - 1)), false);
                    if at + 1 < len {
                        check(&format!("{}é{}", "x".repeat(at), "x".repeat(len - at - 2)), true);
                    }
                }
            }
        }
    }
}

/// Every marker is read alike as an item, an element, a key and a value, whatever counts and bytes are behind it, and
/// wherever the frame is cut.
#[test]
fn every_marker_is_read_alike_and_so_is_what_is_left_of_it() {
    for serializer in [Serializer::MsgPack, Serializer::Cbor] {
        let (text, list, map): (&[u8], &[u8], &[u8]) = match serializer {
            Serializer::MsgPack => (b"\xa1k", b"\x92", b"\x82"),
            _ => (b"\x61k", b"\x82", b"\xa2"),
        };
        for marker in 0..=u8::MAX {
            for behind in [&[0; 40][..], &[1; 300], &[b'x'; 300], &[0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 1, 1, 1, 1]]
            {
                let item = [&[marker], behind].concat();
                let end = careful_item(serializer, &item, 9).unwrap_or(item.len());
                let item = &item[..end];
                let pair = [text, item].concat();
                for whole in [
                    [item, behind].concat(),
                    [list, item, item].concat(),
                    [map, &pair, &pair].concat(),
                    [map, text, text, item, text].concat(),
                ] {
                    for cut in (0..=whole.len()).filter(|cut| *cut < 30 || cut + 20 > whole.len()) {
                        for levels in 0..4 {
                            agree_on_item(serializer, &whole[..cut], levels).expect("both ways agree");
                        }
                    }
                }
            }
        }
    }
}

/// Lists and maps that say they have more than memory can hold do not end where their few items do.
#[test]
fn counts_beyond_the_frame_are_read_alike() {
    for count in [3, 1 << 31, u64::from(u32::MAX), 1 << 32, (1 << 62) + 1, 1 << 63, (1 << 63) + 1, u64::MAX] {
        for (serializer, initial) in [(Serializer::Cbor, 0x9b), (Serializer::Cbor, 0xbb)] {
            for items in [&b"\x80\x80"[..], b"\x01\x80", b"\x80", b"\x61k\x80", b"\x61k\x80\x61k\xa0"] {
                let inner = [&[initial], &count.to_be_bytes()[..], items].concat();
                for bytes in
                    [inner.clone(), [&b"\x81"[..], &inner].concat(), [&b"\x82"[..], &inner, &inner].concat()]
                {
                    agree_on_item(serializer, &bytes, 5).expect("both ways agree");
                }
            }
        }
        let Ok(count) = u32::try_from(count) else { continue };
        for marker in [0xdd, 0xdf] {
            for items in [&b"\x90\x90"[..], b"\x01\x90", b"\xa1k\x90", b"\xa1k\x90\xa1k\x80"] {
                let bytes = [&[0x91, marker], &count.to_be_bytes()[..], items].concat();
                agree_on_item(Serializer::MsgPack, &bytes, 5).expect("both ways agree");
            }
        }
    }
}

/// A list of `records`.
fn list(serializer: Serializer, records: &[Vec<u8>]) -> Vec<u8> {
    let marker = if serializer == Serializer::MsgPack { 0x90 } else { 0x80 };
    [&[marker | records.len() as u8], &records.concat()[..]].concat()
}

/// In a list of records that are alike, whatever byte of one is another: it is read alike, wherever the list is cut.
#[test]
fn records_that_are_nearly_alike_are_read_alike() {
    let record = |name: &str, note: &str| {
        serde_json::json!({
            "id": 123_456, "name": name, "value": 21.375, "ok": true, "none": null, "small": [7, -3, 200, -200, 70_000],
            "note": note, "far": [-70_000, 1_u64 << 40, -(1_i64 << 40), [], {}, ""],
        })
    };
    let records = [
        record("sensor-17/temperature", "plain"),
        record("température", "plain"),
        record("n", "a text that is longer than thirty-one bytes"),
        serde_json::json!(["2026-11-22", 1.5, 2.25, 1.0, 2.0, 100, [true, false]]),
        serde_json::json!([(0..30).collect::<Vec<_>>()]),
        serde_json::json!({"x": 1, "y": 2}),
    ];
    let odd: [(Serializer, &[u8]); 2] = [
        (Serializer::MsgPack, b"\x85\xa1b\xc4\x04\x01\x02\x03\x04\xa1e\xd5\x01xy\xa1f\xca\x3f\x80\0\0\x07\xd4\x01x\xa1t\xd6\xff\0\0\0\0"),
        (Serializer::Cbor, b"\xa5\x61b\x44\x01\x02\x03\x04\x61e\xc1\x1a\0\0\0\0\x61f\xf9\x3c\0\x07\xf7\x61t\xc0\x66monday"),
    ];
    let encoded = [Serializer::MsgPack, Serializer::Cbor].into_iter().flat_map(|serializer| {
        records.iter().map(move |record| {
            let values = Values { args: vec![record.clone()], ..Values::default() };
            // Behind the marker of a list of one.
            (serializer, encode_values(&values, serializer).0[1..].to_vec())
        })
    });
    for (serializer, record) in encoded.chain(odd.map(|(serializer, record)| (serializer, record.to_vec()))) {
        let mut records = vec![record.clone(); 6];
        let whole = list(serializer, &records);
        let check = |bytes: &[u8], levels| agree_on_item(serializer, bytes, levels).expect("both ways agree");
        assert!(check(&whole, 9), "{serializer:?} {whole:02x?}");
        for levels in 0..6 {
            check(&whole, levels);
        }
        for cut in 0..whole.len() {
            assert!(!check(&whole[..cut], 9), "{serializer:?} {cut}");
        }
        for changed in [1, 2, 5] {
            for at in 0..record.len() {
                for byte in 0..=u8::MAX {
                    records[changed][at] = byte;
                    check(&list(serializer, &records), 9);
                }
                records[changed][at] = record[at];
            }
        }
    }
}
