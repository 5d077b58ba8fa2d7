//! The grammar of incoming messages: positions, arity and types, once for all serializers.
//!
//! Owns the way from tokens to a [`Message`] and the texts that say where a frame is wrong. Dictionaries are in
//! [`options`](super::options). Does not judge URIs, directions or features: that is the router's business.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use crate::id::{MAX_ID, PublicationId, RegistrationId, RequestId, SubscriptionId};
use crate::message::{Dict, Message, MessageType, Passthru};

use super::reader::{
    Container, Fault, Found, MAX_DEPTH, Reader, Step, Token, expected, not_from_client, too_deep, untagged,
};
use super::{DecodeError, DecodeLimits, TailSpan, values};

/// Which part of a message stands in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// Without the tail and without the closing bracket.
    Head,
}

/// Reads one message and proves that nothing follows it.
pub(super) fn decode<'a, R: Reader<'a> + ?Sized>(
    reader: &mut R,
    part: Part,
    limits: &DecodeLimits,
) -> Result<(Message<'a, ()>, TailSpan), DecodeError> {
    let mut decoder = Decoder {
        reader,
        part,
        depth: limits.depth.min(MAX_DEPTH),
        only_from_client: limits.only_from_client,
        values: limits.values,
        audience: limits.audience,
        place: Place::default(),
        message: Container::open(None),
        has_ended: false,
        tail: TailSpan::default(),
        frame: PhantomData,
    };
    match decoder.frame() {
        Ok(message) => Ok((message, decoder.tail)),
        Err(fault) => Err(decoder.place.error(&fault)),
    }
}

/// Where in the message the reader is; becomes the beginning of the error text.
#[derive(Default)]
pub(super) struct Place {
    message: Option<MessageType>,
    field: &'static str,
    pub key: &'static str,
    pub index: Option<usize>,
}

impl Place {
    #[cold]
    fn error(&self, fault: &Fault) -> DecodeError {
        let mut message = self.message.map_or("message", MessageType::name).to_owned();
        for name in [self.field, self.key] {
            if !name.is_empty() {
                message.push('.');
                message.push_str(name);
            }
        }
        if let Some(index) = self.index {
            let _ = write!(message, "[{index}]");
        }
        let _ = write!(message, ": {fault}");
        DecodeError { message }
    }
}

/// The state of reading one message.
pub(super) struct Decoder<'r, 'a, R: ?Sized> {
    pub reader: &'r mut R,
    part: Part,
    /// Levels of containers that a frame may have.
    pub depth: usize,
    only_from_client: bool,
    values: usize,
    pub audience: usize,
    pub place: Place,
    /// The message array.
    message: Container,
    /// The message array has been left.
    has_ended: bool,
    tail: TailSpan,
    frame: PhantomData<&'a ()>,
}

impl<'a, R: Reader<'a> + ?Sized> Decoder<'_, 'a, R> {
    fn frame(&mut self) -> Step<Message<'a, ()>> {
        let at = self.reader.position();
        let items = match self.token()? {
            Token::Array(_) if self.depth == 0 => return Err(too_deep(at)),
            Token::Array(items) => items,
            other => return Err(expected("a list", at, Found::Kind(other.kind()))),
        };
        self.message = match self.part {
            Part::Whole => Container::array(items),
            Part::Head => Container::open(items),
        };
        self.element("", "a message code")?;
        let kind = self.message_type("a message code of WAMP")?;
        self.place.message = Some(kind);
        if self.only_from_client && !kind.is_from_client() {
            return Err(not_from_client());
        }
        let message = self.client_message(kind)?;
        if self.optional_element("")? {
            let at = self.reader.position();
            return Err(expected("the end of the message", at, Found::Kind("another element")));
        }
        self.reader.finish()?;
        Ok(message)
    }

    /// The messages that a client sends.
    fn client_message(&mut self, kind: MessageType) -> Step<Message<'a, ()>> {
        let payload = ();
        Ok(match kind {
            MessageType::Hello => {
                self.element("Realm", "a string or null")?;
                let realm = if self.reader.absent()? { None } else { Some(self.text()?) };
                Message::Hello { realm, details: self.dict("Details")? }
            }
            MessageType::Abort => {
                let (details, reason) = (self.dict("Details")?, self.text_element("Reason")?);
                self.tail(&Passthru::default())?;
                Message::Abort { details, reason, payload }
            }
            MessageType::Authenticate => Message::Authenticate {
                signature: self.text_element("Signature")?,
                extra: self.dict("Extra")?,
            },
            MessageType::Goodbye => {
                Message::Goodbye { details: self.dict("Details")?, reason: self.text_element("Reason")? }
            }
            MessageType::Error => {
                self.element("REQUEST.Type", "a message code")?;
                let request_type = self.message_type("the message code of a request")?;
                let request = self.request()?;
                let details = self.error_details()?;
                let error = self.text_element("Error")?;
                self.tail(&details)?;
                Message::Error { request_type, request, details, error, payload }
            }
            MessageType::Publish => {
                let request = self.request()?;
                let options = self.publish_options()?;
                let topic = self.text_element("Topic")?;
                self.tail(&options.passthru)?;
                Message::Publish { request, options, topic, payload }
            }
            MessageType::Subscribe => Message::Subscribe {
                request: self.request()?,
                options: self.subscribe_options()?,
                topic: self.text_element("Topic")?,
            },
            MessageType::Unsubscribe => Message::Unsubscribe {
                request: self.request()?,
                subscription: SubscriptionId(self.id_element("Subscription")?),
            },
            MessageType::EventReceived => {
                Message::EventReceived { publication: PublicationId(self.id_element("Publication")?) }
            }
            MessageType::Call => {
                let request = self.request()?;
                let options = self.call_options()?;
                let procedure = self.text_element("Procedure")?;
                self.tail(&options.passthru)?;
                Message::Call { request, options, procedure, payload }
            }
            MessageType::Cancel => {
                let request = self.request()?;
                let (mode, _) = self.cancel_options(false)?;
                Message::Cancel { request, mode }
            }
            MessageType::Register => Message::Register {
                request: self.request()?,
                options: self.register_options()?,
                procedure: self.text_element("Procedure")?,
            },
            MessageType::Unregister => Message::Unregister {
                request: self.request()?,
                registration: RegistrationId(self.id_element("Registration")?),
            },
            MessageType::Yield => {
                let request = self.request()?;
                let options = self.yield_options()?;
                self.tail(&options.passthru)?;
                Message::Yield { request, options, payload }
            }
            #[cfg(not(all(target_family = "wasm", feature = "wasm")))]
            _ => return self.router_message(kind),
            // In a tab there are only clients at the other end: a decoder for what they do not send is needless download.
            #[cfg(all(target_family = "wasm", feature = "wasm"))]
            _ => return Err(not_from_client()),
        })
    }

    /// Moves on to an element of the message, which must be there.
    pub fn element(&mut self, field: &'static str, what: &'static str) -> Step<()> {
        let at = self.reader.position();
        if self.optional_element(field)? {
            return Ok(());
        }
        Err(expected(what, at, Found::Kind("the end of the message")))
    }

    /// Moves on to an element of the message, if there is one.
    pub fn optional_element(&mut self, field: &'static str) -> Step<bool> {
        self.place.field = field;
        if !self.has_ended {
            self.has_ended = !self.reader.more(&mut self.message)?;
        }
        Ok(!self.has_ended)
    }

    pub fn id_element(&mut self, field: &'static str) -> Step<u64> {
        self.element(field, ID)?;
        self.id()
    }

    pub fn request(&mut self) -> Step<RequestId> {
        self.id_element("Request").map(RequestId)
    }

    pub fn text_element(&mut self, field: &'static str) -> Step<Cow<'a, str>> {
        self.element(field, "a string")?;
        self.text()
    }

    pub fn dict(&mut self, field: &'static str) -> Step<Dict> {
        self.element(field, "a map")?;
        let pairs = self.map()?;
        values::dict(self.reader, pairs, self.depth.saturating_sub(2), self.values)
    }

    /// Walks and locates the tail.
    pub fn tail(&mut self, passthru: &Passthru<'_>) -> Step<()> {
        let is_opaque = passthru.0.as_ref().is_some_and(|attributes| attributes.enc_algo.is_some());
        if self.part == Part::Head || !self.optional_element("Args")? {
            return Ok(());
        }
        let start = self.reader.position();
        if is_opaque {
            // Autobahn's payload transparency: one string or binary, no kwargs.
            match self.token()? {
                Token::Str(_) | Token::Bytes(_) => {}
                other => return Err(expected("a string or binary data", start, Found::Kind(other.kind()))),
            }
        } else if !self.quick_args() {
            let mut args = self.list()?;
            let depth = self.depth.saturating_sub(2);
            while self.reader.more(&mut args)? {
                self.reader.skip(depth)?;
            }
        }
        self.tail = TailSpan { start, end: self.reader.offset(), elements: 1 };
        if is_opaque || !self.optional_element("Kwargs")? {
            return Ok(());
        }
        let mut kwargs = self.map()?;
        let depth = self.depth.saturating_sub(2);
        while self.reader.more(&mut kwargs)? {
            self.key()?;
            self.reader.skip(depth)?;
        }
        self.tail = TailSpan { start, end: self.reader.offset(), elements: 2 };
        Ok(())
    }

    /// Leaves arguments that are plainly well-formed.
    #[cfg(not(target_family = "wasm"))]
    fn quick_args(&mut self) -> bool {
        self.depth > 1 && self.reader.quick_list(self.depth - 1)
    }

    /// The browser's build has no quick way.
    #[cfg(target_family = "wasm")]
    fn quick_args(&mut self) -> bool {
        false
    }

    fn message_type(&mut self, what: &'static str) -> Step<MessageType> {
        let at = self.reader.position();
        let code = self.integer(what, 0..=u64::MAX)?;
        MessageType::from_code(code).ok_or_else(|| expected(what, at, Found::Number(code)))
    }

    pub fn token(&mut self) -> Step<Token<'a>> {
        untagged(self.reader)
    }

    pub fn id(&mut self) -> Step<u64> {
        self.integer(ID, 1..=MAX_ID)
    }

    pub fn integer(&mut self, what: &'static str, range: RangeInclusive<u64>) -> Step<u64> {
        let at = self.reader.position();
        let token = self.token()?;
        let value = match token {
            Token::Unsigned(value) => value,
            Token::Float(value) if self.reader.has_integral_floats() && (value as u64) as f64 == value => {
                value as u64
            }
            other => return Err(expected(what, at, Found::Kind(other.kind()))),
        };
        if range.contains(&value) { Ok(value) } else { Err(expected(what, at, Found::Number(value))) }
    }

    pub fn bool(&mut self) -> Step<bool> {
        let at = self.reader.position();
        match self.token()? {
            Token::Bool(value) => Ok(value),
            other => Err(expected("a boolean", at, Found::Kind(other.kind()))),
        }
    }

    pub fn text(&mut self) -> Step<Cow<'a, str>> {
        let at = self.reader.position();
        match self.token()? {
            Token::Str(text) => Ok(text),
            other => Err(expected("a string", at, Found::Kind(other.kind()))),
        }
    }

    /// A string out of a fixed set, which `what` lists.
    pub fn choice<T>(&mut self, what: &'static str, choose: impl FnOnce(&str) -> Option<T>) -> Step<T> {
        let at = self.reader.position();
        match self.token()? {
            Token::Str(text) => choose(&text).ok_or_else(|| expected(what, at, Found::text(&text))),
            other => Err(expected(what, at, Found::Kind(other.kind()))),
        }
    }

    pub fn key(&mut self) -> Step<Cow<'a, str>> {
        let at = self.reader.position();
        match self.reader.key()? {
            Token::Str(key) => Ok(key),
            other => Err(expected("a string as key", at, Found::Kind(other.kind()))),
        }
    }

    pub fn list(&mut self) -> Step<Container> {
        let at = self.reader.position();
        match self.token()? {
            Token::Array(items) => Ok(Container::array(items)),
            other => Err(expected("a list", at, Found::Kind(other.kind()))),
        }
    }

    pub fn map(&mut self) -> Step<Container> {
        let at = self.reader.position();
        match self.token()? {
            Token::Map(pairs) => Ok(Container::map(pairs)),
            other => Err(expected("a map", at, Found::Kind(other.kind()))),
        }
    }
}

pub(super) const ID: &str = "an id from 1 to 2^53";
