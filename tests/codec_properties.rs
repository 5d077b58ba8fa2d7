//! What holds for any message, any values and any bytes.

use std::borrow::Cow;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;
use wamplet::codec::{self, DecodeLimits, Serializer};
use wamplet::id::{MAX_ID, PublicationId, RegistrationId, RequestId, SessionId, SubscriptionId};
use wamplet::message::*;
use wamplet::payload::{EncodedPayload, Payload as _, Values};
use wamplet::uri::MatchPolicy;

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn any_message_comes_back_as_it_went(parts in parts(), values in values()) {
        for serializer in Serializer::ALL {
            let payload = payload(&values, serializer);
            for message in parts.messages() {
                let message = message.map_payload(|()| payload.clone());
                let frame = encode(&message, serializer);
                let (decoded, tail) = codec::decode(serializer, &frame, &DecodeLimits::default())
                    .map_err(|error| TestCaseError::fail(format!("{error} in {message:?}")))?;
                prop_assert_eq!(&decoded, &message.clone().map_payload(|_| ()));
                if message.payload().is_some() {
                    prop_assert_eq!(tail.elements, payload.elements);
                    prop_assert_eq!(&frame[tail.start..tail.end], &payload.bytes[..]);
                } else {
                    prop_assert_eq!(tail.elements, 0);
                }
            }
        }
    }

    #[test]
    fn any_json_head_comes_back_as_it_went(parts in parts()) {
        for message in parts.messages() {
            let mut head = Vec::new();
            let message = message.map_payload(|()| EncodedPayload::default());
            codec::encode_head(Serializer::Json, &message, &mut head);
            let decoded = codec::decode_head(&head, &DecodeLimits::default())
                .map_err(|error| TestCaseError::fail(format!("{error} in {message:?}")))?;
            prop_assert_eq!(decoded, message.map_payload(|_| ()));
        }
    }

    #[test]
    fn values_come_back_as_they_went(values in values()) {
        for serializer in Serializer::ALL {
            prop_assert_eq!(&payload(&values, serializer).to_values().expect("our own values"), &values);
        }
    }

    #[test]
    fn a_tail_survives_a_journey_through_the_other_serializers(values in values()) {
        use Serializer::{Cbor, Json, MsgPack};
        for journey in [[MsgPack, Cbor], [Cbor, MsgPack], [MsgPack, MsgPack], [Cbor, Cbor]] {
            let mut tail = payload(&values, Json);
            for stop in journey {
                tail = tail.for_serializer(stop).expect("JSON goes into anything");
                prop_assert_eq!(&tail.to_values().expect("our own values"), &values);
                // Transcoding and encoding agree on the bytes.
                prop_assert_eq!(&tail.bytes, &payload(&values, stop).bytes);
            }
            prop_assert_eq!(tail.for_serializer(Json).expect("back").to_values().expect("values"), values.clone());
        }
    }

    #[test]
    fn binary_data_survives_a_journey_through_json(bytes in vec(any::<u8>(), 0..300)) {
        use Serializer::{Cbor, Json, MsgPack};
        let tail = [&[0x91, 0xc5, (bytes.len() >> 8) as u8, bytes.len() as u8][..], &bytes].concat();
        let json = codec::transcode(&tail, 1, MsgPack, Json).expect("binary data goes into JSON");
        let cbor = codec::transcode(&json, 1, Json, Cbor).expect("and from there into CBOR");
        let mut decoder = minicbor::Decoder::new(&cbor);
        prop_assert_eq!(decoder.array().expect("an array"), Some(1));
        prop_assert_eq!(decoder.bytes().expect("binary data"), &bytes[..]);
        let back = codec::transcode(&cbor, 1, Cbor, Json).expect("and back into JSON");
        prop_assert_eq!(back, json);
    }

    #[test]
    fn arbitrary_bytes_are_answered_with_an_error_or_a_message(bytes in vec(any::<u8>(), 0..200)) {
        read_everything(&bytes);
    }

    #[test]
    fn bytes_that_begin_like_a_message_are_answered_too(
        code in prop::sample::select(&[1u8, 8, 16, 36, 48, 50, 64, 68, 70][..]),
        bytes in vec(any::<u8>(), 0..60),
    ) {
        read_everything(&[&[0x95, code][..], &bytes].concat());
        read_everything(&[&[0x9f, 0x18, code][..], &bytes].concat());
        read_everything(&[format!("[{code},").as_bytes(), &bytes].concat());
    }

    #[test]
    fn damaged_frames_are_answered_with_an_error_or_a_message(
        parts in parts(),
        values in values(),
        damage in vec(damage(), 1..4),
    ) {
        for serializer in Serializer::ALL {
            let payload = payload(&values, serializer);
            for message in parts.messages() {
                let message = message.map_payload(|()| payload.clone());
                let frame = damaged(&encode(&message, serializer), &damage);
                if codec::decode(serializer, &frame, &DecodeLimits::default()).is_ok() {
                    prop_assert!(is_well_formed(&frame, serializer), "{serializer:?} {frame:02x?}");
                }
                read_everything(&frame);
            }
        }
    }

    #[test]
    fn no_beginning_of_a_frame_is_a_frame(parts in parts(), values in values(), cut in any::<prop::sample::Index>()) {
        for serializer in Serializer::ALL {
            let payload = payload(&values, serializer);
            for message in parts.messages() {
                let frame = encode(&message.map_payload(|()| payload.clone()), serializer);
                let cut = &frame[..cut.index(frame.len())];
                prop_assert!(codec::decode(serializer, cut, &DecodeLimits::default()).is_err());
            }
        }
    }

    #[test]
    fn the_walk_takes_exactly_the_json_that_serde_json_takes(
        values in values(),
        damage in vec(damage(), 0..3),
    ) {
        let (json, _) = codec::encode_values(&Values { kwargs: Dict::new(), ..values }, Serializer::Json);
        let damaged = String::from_utf8_lossy(&damaged(&json, &damage)).into_owned();
        let list = format!("[{damaged}]");
        let frame = format!("[36,1,2,{{}},{list}]");
        prop_assert_eq!(
            codec::decode(Serializer::Json, frame.as_bytes(), &DecodeLimits::default()).is_ok(),
            serde_json::from_str::<IgnoredAny>(&list).is_ok(),
            "{}", list
        );
    }
}

/// The inputs are large: this many take three seconds.
const CASES: u32 = 48;

/// Whether a second implementation reads all of `frame`.
fn is_well_formed(frame: &[u8], serializer: Serializer) -> bool {
    match serializer {
        Serializer::Json => serde_json::from_slice::<IgnoredAny>(frame).is_ok(),
        Serializer::MsgPack => {
            let mut rest = frame;
            let read = serde::de::Deserialize::deserialize(&mut rmp_serde::Deserializer::new(&mut rest));
            read.map(|IgnoredAny| rest.is_empty()).unwrap_or(false)
        }
        Serializer::Cbor => {
            let mut decoder = minicbor::Decoder::new(frame);
            decoder.skip().is_ok() && decoder.position() == frame.len()
        }
    }
}

/// Puts `bytes` through everything that reads bytes; only a panic is wrong.
fn read_everything(bytes: &[u8]) {
    let limits = DecodeLimits::default();
    let _ = codec::decode_head(bytes, &limits);
    for from in Serializer::ALL {
        let _ = codec::decode(from, bytes, &limits);
        for elements in [1, 2] {
            let _ = codec::decode_values(bytes, elements, from);
            for to in Serializer::ALL {
                let _ = codec::transcode(bytes, elements, from, to);
            }
        }
    }
}

fn encode(message: &Message<'_, EncodedPayload>, serializer: Serializer) -> Vec<u8> {
    let mut frame = Vec::new();
    codec::encode_head(serializer, message, &mut frame);
    if let Some(payload) = message.payload() {
        frame.extend_from_slice(&payload.bytes);
    }
    frame.extend_from_slice(codec::closing(serializer));
    frame
}

fn payload(values: &Values, serializer: Serializer) -> EncodedPayload {
    let (bytes, elements) = codec::encode_values(values, serializer);
    EncodedPayload { bytes: bytes.into(), elements, serializer }
}

#[derive(Clone, Debug)]
enum Damage {
    Change(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Delete(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(&b"[]{},:\"\\0-+.eu \n"[..])];
    prop_oneof![
        (any::<prop::sample::Index>(), byte()).prop_map(|(at, byte)| Damage::Change(at, byte)),
        (any::<prop::sample::Index>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<prop::sample::Index>().prop_map(Damage::Delete),
    ]
}

fn damaged(bytes: &[u8], damage: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damage {
        match damage {
            Damage::Insert(at, byte) => bytes.insert(at.index(bytes.len() + 1), *byte),
            _ if bytes.is_empty() => {}
            Damage::Change(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Damage::Delete(at) => drop(bytes.remove(at.index(bytes.len()))),
        }
    }
    bytes
}

/// Values as any client may send them.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-40i64..300).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(|bytes| {
            use base64ct::{Base64, Encoding as _};
            Value::from(format!("\0{}", Base64::encode_string(&bytes)))
        }),
    ];
    leaf.prop_recursive(4, 40, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::from),
            btree_map(text(), inner, 0..20).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    let char = prop_oneof![any::<char>(), prop::sample::select(&['a', '"', '\\', '\0', '\n', 'é', '😀'][..])];
    vec(char, 0..40).prop_map(String::from_iter)
}

fn dict() -> impl Strategy<Value = Dict> {
    btree_map(text(), value(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn values() -> impl Strategy<Value = Values> {
    (vec(value(), 0..5), dict()).prop_map(|(args, kwargs)| Values { args, kwargs })
}

/// What messages are made of; each part is used wherever it fits.
#[derive(Clone, Debug)]
struct Parts {
    ids: [u64; 3],
    number: Option<u64>,
    uri: String,
    texts: [Option<String>; 7],
    flags: [bool; 4],
    lists: [Option<Vec<u64>>; 2],
    names: [Option<Vec<String>>; 4],
    choice: u8,
    dict: Dict,
}

fn parts() -> impl Strategy<Value = Parts> {
    let id = || prop_oneof![1..=MAX_ID, 1..=200u64, Just(MAX_ID)];
    (
        [id(), id(), id()],
        option::of(1..=u64::MAX),
        text(),
        std::array::from_fn::<_, 7, _>(|_| option::of(text())),
        any::<[bool; 4]>(),
        [option::of(vec(id(), 0..30)), option::of(vec(id(), 0..3))],
        std::array::from_fn::<_, 4, _>(|_| option::of(vec(text(), 0..3))),
        0u8..6,
        dict(),
    )
        .prop_map(|(ids, number, uri, texts, flags, lists, names, choice, dict)| Parts {
            ids,
            number,
            uri,
            texts,
            flags,
            lists,
            names,
            choice,
            dict,
        })
}

impl Parts {
    fn text(&self, index: usize) -> Option<Cow<'_, str>> {
        self.texts[index].as_deref().map(Cow::from)
    }

    fn passthru(&self) -> Passthru<'_> {
        if self.flags == [true; 4] {
            return Passthru::default();
        }
        let attributes = PassthruAttributes {
            ppt_scheme: self.text(3),
            ppt_serializer: self.text(4),
            ppt_cipher: self.text(5),
            ppt_keyid: self.text(6),
            enc_algo: None,
            enc_key: self.text(2),
            enc_serializer: self.flags[0].then_some("x_own".into()),
        };
        Passthru((attributes != PassthruAttributes::default()).then(|| Box::new(attributes)))
    }

    fn restrictions(&self) -> Option<Box<Restrictions<'_>>> {
        let restrictions = Restrictions { eligible: self.audience(0), exclude: self.audience(1) };
        (restrictions != Restrictions::default()).then(|| Box::new(restrictions))
    }

    fn audience(&self, index: usize) -> Audience<'_> {
        let names = |index: usize| {
            let names = self.names[index].as_ref()?;
            Some(names.iter().map(|name| Cow::from(name.as_str())).collect())
        };
        Audience {
            sessions: self.lists[index].as_ref().map(|ids| ids.iter().copied().map(SessionId).collect()),
            authids: names(index),
            authroles: names(index + 2),
        }
    }

    /// One message of each type.
    fn messages(&self) -> Vec<Message<'_, ()>> {
        let payload = ();
        let [a, b, c] = self.ids;
        let [f, g, h, i] = self.flags;
        let uri = || Cow::from(self.uri.as_str());
        let dict = || self.dict.clone();
        let passthru = || self.passthru();
        let request = RequestId(a);
        let timeout = self.number.unwrap_or_default();
        let match_policy =
            [MatchPolicy::Exact, MatchPolicy::Prefix, MatchPolicy::Wildcard][usize::from(self.choice % 3)];
        let mode = [None, Some(CancelMode::Skip), Some(CancelMode::Kill), Some(CancelMode::KillNoWait)]
            [usize::from(self.choice % 4)];
        let invoke = [
            InvokePolicy::Single,
            InvokePolicy::First,
            InvokePolicy::Last,
            InvokePolicy::RoundRobin,
            InvokePolicy::Random,
        ][usize::from(self.choice % 5)];
        let (session, publication) = (SessionId(a), PublicationId(b));
        let (subscription, registration) = (SubscriptionId(c), RegistrationId(c));
        let options = PublishOptions {
            acknowledge: f,
            exclude_me: g,
            disclose_me: h,
            retain: i,
            retain_ms: self.number.filter(|ms| *ms > 0),
            restrictions: self.restrictions(),
            passthru: passthru(),
        };
        let event = EventDetails {
            publisher: f.then_some(session),
            publisher_authid: self.text(0),
            publisher_authrole: self.text(1),
            topic: self.text(2),
            retained: g,
            trustlevel: self.number,
            passthru: passthru(),
        };
        let call =
            CallOptions { timeout, receive_progress: f, progress: g, disclose_me: h, passthru: passthru() };
        let register = RegisterOptions {
            match_policy,
            invoke,
            disclose_caller: f,
            concurrency: self.number,
            force_reregister: g,
            forward_timeout: h,
        };
        let invocation = InvocationDetails {
            caller: f.then_some(session),
            caller_authid: self.text(0),
            caller_authrole: self.text(1),
            procedure: self.text(2),
            receive_progress: g,
            progress: h,
            timeout: self.number,
            trustlevel: self.number,
            passthru: passthru(),
        };
        let revoked = UnsubscribedDetails { subscription: f.then_some(subscription), reason: self.text(0) };
        let unregistered =
            UnregisteredDetails { registration: f.then_some(registration), reason: self.text(0) };
        let (zero, reason, request_type) = (RequestId(0), self.text(0), MessageType::Invocation);
        vec![
            Message::Hello { realm: self.text(0), details: dict() },
            Message::Welcome { session, details: dict() },
            Message::Abort { details: dict(), reason: uri(), payload },
            Message::Challenge { method: uri(), extra: dict() },
            Message::Authenticate { signature: uri(), extra: dict() },
            Message::Goodbye { details: dict(), reason: uri() },
            Message::Error { request_type, request, details: passthru(), error: uri(), payload },
            Message::Publish { request, options, topic: uri(), payload },
            Message::Published { request, publication },
            Message::Subscribe {
                request,
                options: SubscribeOptions { match_policy, get_retained: f },
                topic: uri(),
            },
            Message::Subscribed { request, subscription },
            Message::Unsubscribe { request, subscription },
            Message::Unsubscribed { request, details: None },
            Message::Unsubscribed { request: zero, details: Some(revoked) },
            Message::Event { subscription, publication, details: event, payload },
            Message::EventReceived { publication },
            Message::Call { request, options: call, procedure: uri(), payload },
            Message::Cancel { request, mode },
            Message::Result {
                request,
                details: ResultDetails { progress: f, passthru: passthru() },
                payload,
            },
            Message::Register { request, options: register, procedure: uri() },
            Message::Registered { request, registration },
            Message::Unregister { request, registration },
            Message::Unregistered { request, details: None },
            Message::Unregistered { request: zero, details: Some(unregistered) },
            Message::Invocation { request, registration, details: invocation, payload },
            Message::Interrupt { request, mode, reason },
            Message::Yield { request, options: YieldOptions { progress: f, passthru: passthru() }, payload },
        ]
    }
}
