//! WAMP messages as bytes: just enough JSON, MessagePack and CBOR to write what the benchmark sends and to read the
//! leading integers of what it receives. It builds no values from input and never looks into a payload.

/// One of the three serializers, with what handshakes call it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Serializer {
    Json,
    MsgPack,
    Cbor,
}

impl Serializer {
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Json, Self::MsgPack, Self::Cbor].into_iter().find(|serializer| serializer.name() == name)
    }

    /// As in the WebSocket subprotocol `wamp.2.<name>`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MsgPack => "msgpack",
            Self::Cbor => "cbor",
        }
    }

    /// As in the second byte of a RawSocket handshake.
    pub fn rawsocket_id(self) -> u8 {
        match self {
            Self::Json => 1,
            Self::MsgPack => 2,
            Self::Cbor => 3,
        }
    }
}

/// What a message is written from. Strings must need no escaping.
pub enum Value<'a> {
    Integer(u64),
    Float(f64),
    Bool(bool),
    String(&'a str),
    List(&'a [Value<'a>]),
    Dict(&'a [(&'a str, Value<'a>)]),
}

pub const NO_OPTIONS: Value<'static> = Value::Dict(&[]);

impl Value<'_> {
    pub fn write(&self, serializer: Serializer, out: &mut Vec<u8>) {
        match serializer {
            Serializer::Json => self.write_json(out),
            Serializer::MsgPack | Serializer::Cbor => self.write_binary(serializer, out),
        }
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(number) => write_decimal(*number, out),
            Self::Float(number) => out.extend_from_slice(format!("{number:?}").as_bytes()),
            Self::Bool(bool) => out.extend_from_slice(bool.to_string().as_bytes()),
            Self::String(text) => {
                out.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            }
            Self::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write_json(out);
                }
                out.push(b']');
            }
            Self::Dict(entries) => {
                out.push(b'{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    Value::String(key).write_json(out);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
        }
    }

    fn write_binary(&self, serializer: Serializer, out: &mut Vec<u8>) {
        let cbor = serializer == Serializer::Cbor;
        match self {
            Self::Integer(number) => write_head(serializer, Major::Integer, *number, out),
            Self::Float(number) => {
                out.push(if cbor { 0xfb } else { 0xcb });
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Bool(bool) => out.push(if cbor { 0xf4 } else { 0xc2 } + u8::from(*bool)),
            Self::String(text) => {
                write_head(serializer, Major::String, text.len() as u64, out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::List(items) => {
                write_head(serializer, Major::List, items.len() as u64, out);
                items.iter().for_each(|item| item.write_binary(serializer, out));
            }
            Self::Dict(entries) => {
                write_head(serializer, Major::Dict, entries.len() as u64, out);
                for (key, value) in *entries {
                    Value::String(key).write_binary(serializer, out);
                    value.write_binary(serializer, out);
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Major {
    Integer,
    String,
    List,
    Dict,
}

fn write_head(serializer: Serializer, major: Major, number: u64, out: &mut Vec<u8>) {
    // The byte for a small number, how many of those there are, and the bytes before 1, 2, 4 and 8 more bytes.
    let (small, count, wide) = match (serializer, major) {
        (Serializer::Cbor, _) => {
            let bits = match major {
                Major::Integer => 0x00,
                Major::String => 0x60,
                Major::List => 0x80,
                Major::Dict => 0xa0,
            };
            (bits, 24, [bits | 24, bits | 25, bits | 26, bits | 27])
        }
        (_, Major::Integer) => (0x00, 0x80, [0xcc, 0xcd, 0xce, 0xcf]),
        (_, Major::String) => (0xa0, 32, [0xd9, 0xda, 0xdb, 0]),
        // MessagePack's lists and dicts have no form with one byte: see `width` below.
        (_, Major::List) => (0x90, 16, [0, 0xdc, 0xdd, 0]),
        (_, Major::Dict) => (0x80, 16, [0, 0xde, 0xdf, 0]),
    };
    if number < count {
        return out.push(small | number as u8);
    }
    let width = if number <= 0xff && wide[0] != 0 {
        0
    } else if number <= 0xffff {
        1
    } else if number <= 0xffff_ffff {
        2
    } else {
        3
    };
    out.push(wide[width]);
    out.extend_from_slice(&number.to_be_bytes()[8 - (1 << width)..]);
}

fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A message `[type, id, ...]` that is written many times with another id.
pub struct Template {
    serializer: Serializer,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Template {
    pub fn new(serializer: Serializer, message_type: u64, rest: &[Value]) -> Self {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        if serializer == Serializer::Json {
            before.push(b'[');
            Value::Integer(message_type).write_json(&mut before);
            before.push(b',');
            for value in rest {
                after.push(b',');
                value.write_json(&mut after);
            }
            after.push(b']');
        } else {
            write_head(serializer, Major::List, rest.len() as u64 + 2, &mut before);
            Value::Integer(message_type).write_binary(serializer, &mut before);
            rest.iter().for_each(|value| value.write_binary(serializer, &mut after));
        }
        Self { serializer, before, after }
    }

    pub fn write(&self, id: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        Value::Integer(id).write(self.serializer, out);
        out.extend_from_slice(&self.after);
    }

    /// Bytes of the message with the shortest id.
    pub fn len(&self) -> usize {
        self.before.len() + 1 + self.after.len()
    }
}

/// Reads the integers that a message begins with.
pub struct Head<'a> {
    serializer: Serializer,
    rest: &'a [u8],
}

impl<'a> Head<'a> {
    /// `None` if the message is no array.
    pub fn open(serializer: Serializer, message: &'a [u8]) -> Option<Self> {
        let (first, rest) = message.split_first()?;
        let skip = match (serializer, first) {
            (Serializer::Json, b'[') => 0,
            (Serializer::MsgPack, 0x90..=0x9f) => 0,
            (Serializer::MsgPack, 0xdc) => 2,
            (Serializer::Cbor, 0x80..=0x97 | 0x9f) => 0,
            (Serializer::Cbor, 0x98) => 1,
            _ => return None,
        };
        Some(Self { serializer, rest: rest.get(skip..)? })
    }

    /// The next element; `None` if it is not an unsigned integer.
    pub fn integer(&mut self) -> Option<u64> {
        match self.serializer {
            Serializer::Json => self.decimal(),
            Serializer::MsgPack => match self.take(1)? {
                small @ 0..=0x7f => Some(small),
                // Signed forms too: some routers write positive ids with them.
                0xcc | 0xd0 => self.take(1),
                0xcd | 0xd1 => self.take(2),
                0xce | 0xd2 => self.take(4),
                0xcf | 0xd3 => self.take(8),
                _ => None,
            },
            Serializer::Cbor => match self.take(1)? {
                small @ 0..=23 => Some(small),
                24 => self.take(1),
                25 => self.take(2),
                26 => self.take(4),
                27 => self.take(8),
                _ => None,
            },
        }
    }

    fn decimal(&mut self) -> Option<u64> {
        let start = self.rest.iter().position(|byte| !matches!(byte, b' ' | b','))?;
        let digits = self.rest[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest[start..].split_at(digits);
        self.rest = rest;
        (digits > 0).then(|| number.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
    }

    fn take(&mut self, bytes: usize) -> Option<u64> {
        let (number, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// What a call or an event carries.
#[derive(Clone, Copy)]
pub enum Payload {
    /// One string of so many bytes.
    Text(usize),
    /// So many dictionaries of about 100 bytes with all kinds of values in them.
    Mixed(usize),
}

impl Payload {
    /// Lends the arguments to `build`.
    pub fn with<T>(self, build: impl FnOnce(Value) -> T) -> T {
        match self {
            Self::Text(bytes) => {
                let text = MARKER.chars().cycle().take(bytes).collect::<String>();
                build(Value::List(&[Value::String(&text)]))
            }
            Self::Mixed(count) => {
                let dicts = (0..count).map(|_| Value::Dict(MIXED)).collect::<Vec<_>>();
                build(Value::List(&[Value::List(&dicts)]))
            }
        }
    }

    /// Whether `message` has the payload in it. A router may have written it anew, so lengths may differ a little.
    pub fn is_in(self, serializer: Serializer, message: &[u8]) -> bool {
        let mut expected = Vec::new();
        self.with(|value| value.write(serializer, &mut expected));
        let marked = message.windows(MARKER.len()).any(|window| window == MARKER.as_bytes());
        marked && message.len() * 10 >= expected.len() * 9
    }
}

const MARKER: &str = "sensor-17/temperature";

const MIXED: &[(&str, Value)] = &[
    ("id", Value::Integer(123_456)),
    ("name", Value::String(MARKER)),
    ("value", Value::Float(21.375)),
    ("ok", Value::Bool(true)),
    ("tags", Value::List(&[Value::String("alpha"), Value::String("beta"), Value::Integer(70_000)])),
];

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Serializer; 3] = [Serializer::Json, Serializer::MsgPack, Serializer::Cbor];

    #[test]
    fn integers_of_every_width_come_back_as_they_were_written() {
        for serializer in ALL {
            let template = Template::new(serializer, 48, &[NO_OPTIONS, Value::String("a.procedure")]);
            for id in
                [0, 9, 23, 24, 127, 128, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, 1 << 53]
            {
                let mut message = Vec::new();
                template.write(id, &mut message);
                let mut head = Head::open(serializer, &message).expect("an array");
                assert_eq!((head.integer(), head.integer()), (Some(48), Some(id)), "{serializer:?}");
                assert_eq!(head.integer(), None, "{serializer:?}: what follows is no integer");
            }
        }
    }

    #[test]
    fn a_message_without_its_payload_is_noticed() {
        for serializer in ALL {
            for payload in [Payload::Text(64), Payload::Mixed(10)] {
                let mut message = Vec::new();
                payload.with(|value| value.write(serializer, &mut message));
                assert!(payload.is_in(serializer, &message));
                assert!(!payload.is_in(serializer, &message[message.len() / 2..]));
                assert!(!payload.is_in(serializer, b"[50,1,{}]"));
            }
        }
    }

    #[test]
    fn json_of_a_mixed_dictionary_is_as_expected() {
        let mut text = Vec::new();
        Value::Dict(MIXED).write(Serializer::Json, &mut text);
        let expected = r#"{"id":123456,"name":"sensor-17/temperature","value":21.375,"ok":true,"tags":["alpha","beta",70000]}"#;
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }
}
