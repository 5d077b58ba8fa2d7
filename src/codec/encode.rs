//! The grammar of outgoing messages: positions, options and their defaults, once for all serializers.
//!
//! Owns heads, written straight into the caller's buffer. Leaves out what equals its default, so that the ordinary
//! options are `{}`. The primitives behind it are in [`writer`](super::writer).

use std::borrow::Cow;

use crate::id::SessionId;
use crate::message::{Audience, CancelMode, InvokePolicy, Message, MessageType, Passthru, Restrictions};
use crate::payload::Payload;
use crate::uri::MatchPolicy;

use super::Serializer;
use super::keys::Key;
use super::values::write_dict;
use super::writer::{MapStart, Writer};

/// Appends the head of `message` to `out`.
pub(super) fn encode_head<P: Payload>(serializer: Serializer, message: &Message<'_, P>, out: &mut Vec<u8>) {
    let elements = message.payload().map_or(0, P::elements);
    let mut head = Head { writer: Writer::new(serializer, out), elements };
    head.message(message);
    head.writer.end_head(elements > 0);
}

struct Head<'o> {
    writer: Writer<'o>,
    /// How many elements the tail will add.
    elements: u8,
}

/// A dictionary in the making.
struct Options<'w, 'o> {
    writer: &'w mut Writer<'o>,
    map: MapStart,
}

impl<'o> Head<'o> {
    fn message<P>(&mut self, message: &Message<'_, P>) {
        let kind = message.message_type();
        match message {
            Message::Hello { realm, details } => {
                let writer = self.start(kind, 2);
                match realm {
                    Some(realm) => writer.str(realm),
                    None => writer.null(),
                }
                write_dict(writer, details);
            }
            Message::Welcome { session, details } => {
                let writer = self.start(kind, 2);
                writer.uint(session.0);
                write_dict(writer, details);
            }
            Message::Abort { details, reason, .. } | Message::Goodbye { details, reason } => {
                let writer = self.start(kind, 2);
                write_dict(writer, details);
                writer.str(reason);
            }
            Message::Challenge { method: text, extra } | Message::Authenticate { signature: text, extra } => {
                let writer = self.start(kind, 2);
                writer.str(text);
                write_dict(writer, extra);
            }
            Message::Error { request_type, request, details, error, .. } => {
                let writer = self.start(kind, 4);
                writer.uint(u64::from(request_type.code()));
                writer.uint(request.0);
                writer.options(|options| options.passthru(details));
                writer.str(error);
            }
            Message::Publish { request, options: given, topic, .. } => {
                let writer = self.start(kind, 3);
                writer.uint(request.0);
                writer.options(|options| {
                    options.flag(Key::Acknowledge, given.acknowledge);
                    if !given.exclude_me {
                        options.bool(Key::ExcludeMe, false);
                    }
                    options.flag(Key::DiscloseMe, given.disclose_me);
                    options.flag(Key::Retain, given.retain);
                    options.number(Key::RetainMs, given.retain_ms);
                    if let Some(restrictions) = &given.restrictions {
                        let Restrictions { eligible, exclude } = &**restrictions;
                        let keys = [Key::Eligible, Key::EligibleAuthid, Key::EligibleAuthrole];
                        options.audience(keys, eligible);
                        options.audience([Key::Exclude, Key::ExcludeAuthid, Key::ExcludeAuthrole], exclude);
                    }
                    options.passthru(&given.passthru);
                });
                writer.str(topic);
            }
            Message::Subscribe { request, options: given, topic } => {
                let writer = self.start(kind, 3);
                writer.uint(request.0);
                writer.options(|options| {
                    options.match_policy(given.match_policy);
                    options.flag(Key::GetRetained, given.get_retained);
                });
                writer.str(topic);
            }
            Message::Published { request, publication } => self.ids(kind, request.0, publication.0),
            Message::Subscribed { request, subscription }
            | Message::Unsubscribe { request, subscription } => {
                self.ids(kind, request.0, subscription.0);
            }
            Message::Registered { request, registration } | Message::Unregister { request, registration } => {
                self.ids(kind, request.0, registration.0);
            }
            Message::Unsubscribed { request, details } => {
                let writer = self.start(kind, 1 + u8::from(details.is_some()));
                writer.uint(request.0);
                if let Some(details) = details {
                    writer.options(|options| {
                        options.number(Key::Subscription, details.subscription.map(|id| id.0));
                        options.text(Key::Reason, details.reason.as_ref());
                    });
                }
            }
            Message::Unregistered { request, details } => {
                let writer = self.start(kind, 1 + u8::from(details.is_some()));
                writer.uint(request.0);
                if let Some(details) = details {
                    writer.options(|options| {
                        options.number(Key::Registration, details.registration.map(|id| id.0));
                        options.text(Key::Reason, details.reason.as_ref());
                    });
                }
            }
            Message::Event { subscription, publication, details, .. } => {
                let writer = self.start(kind, 3);
                writer.uint(subscription.0);
                writer.uint(publication.0);
                writer.options(|options| {
                    options.number(Key::Publisher, details.publisher.map(|id| id.0));
                    options.text(Key::PublisherAuthid, details.publisher_authid.as_ref());
                    options.text(Key::PublisherAuthrole, details.publisher_authrole.as_ref());
                    options.text(Key::Topic, details.topic.as_ref());
                    options.flag(Key::Retained, details.retained);
                    options.number(Key::Trustlevel, details.trustlevel);
                    options.passthru(&details.passthru);
                });
            }
            Message::EventReceived { publication } => self.start(kind, 1).uint(publication.0),
            Message::Call { request, options: given, procedure, .. } => {
                let writer = self.start(kind, 3);
                writer.uint(request.0);
                writer.options(|options| {
                    options.number(Key::Timeout, (given.timeout > 0).then_some(given.timeout));
                    options.flag(Key::ReceiveProgress, given.receive_progress);
                    options.flag(Key::Progress, given.progress);
                    options.flag(Key::DiscloseMe, given.disclose_me);
                    options.passthru(&given.passthru);
                });
                writer.str(procedure);
            }
            Message::Cancel { request, mode } => {
                let writer = self.start(kind, 2);
                writer.uint(request.0);
                writer.options(|options| options.mode(*mode));
            }
            Message::Interrupt { request, mode, reason } => {
                let writer = self.start(kind, 2);
                writer.uint(request.0);
                writer.options(|options| {
                    options.mode(*mode);
                    options.text(Key::Reason, reason.as_ref());
                });
            }
            Message::Result { request, details, .. } => {
                self.progress(kind, request.0, details.progress, &details.passthru);
            }
            Message::Yield { request, options, .. } => {
                self.progress(kind, request.0, options.progress, &options.passthru);
            }
            Message::Register { request, options: given, procedure } => {
                let writer = self.start(kind, 3);
                writer.uint(request.0);
                writer.options(|options| {
                    options.match_policy(given.match_policy);
                    if given.invoke != InvokePolicy::Single {
                        options.str(Key::Invoke, given.invoke.as_str());
                    }
                    options.flag(Key::DiscloseCaller, given.disclose_caller);
                    options.number(Key::Concurrency, given.concurrency);
                    options.flag(Key::ForceReregister, given.force_reregister);
                    options.flag(Key::ForwardTimeout, given.forward_timeout);
                });
                writer.str(procedure);
            }
            Message::Invocation { request, registration, details, .. } => {
                let writer = self.start(kind, 3);
                writer.uint(request.0);
                writer.uint(registration.0);
                writer.options(|options| {
                    options.number(Key::Caller, details.caller.map(|id| id.0));
                    options.text(Key::CallerAuthid, details.caller_authid.as_ref());
                    options.text(Key::CallerAuthrole, details.caller_authrole.as_ref());
                    options.text(Key::Procedure, details.procedure.as_ref());
                    options.flag(Key::ReceiveProgress, details.receive_progress);
                    options.flag(Key::Progress, details.progress);
                    options.number(Key::Timeout, details.timeout);
                    options.number(Key::Trustlevel, details.trustlevel);
                    options.passthru(&details.passthru);
                });
            }
        }
    }

    /// Begins a message with `fields` elements behind the code and before the tail.
    fn start(&mut self, kind: MessageType, fields: u8) -> &mut Writer<'o> {
        self.writer.begin_head(1 + fields + self.elements);
        self.writer.uint(u64::from(kind.code()));
        &mut self.writer
    }

    /// A whole message of two ids.
    fn ids(&mut self, kind: MessageType, request: u64, id: u64) {
        let writer = self.start(kind, 2);
        writer.uint(request);
        writer.uint(id);
    }

    /// RESULT and YIELD.
    fn progress(&mut self, kind: MessageType, request: u64, progress: bool, passthru: &Passthru<'_>) {
        let writer = self.start(kind, 2);
        writer.uint(request);
        writer.options(|options| {
            options.flag(Key::Progress, progress);
            options.passthru(passthru);
        });
    }
}

impl<'o> Writer<'o> {
    fn options(&mut self, write: impl FnOnce(&mut Options<'_, 'o>)) {
        let map = self.begin_map();
        let mut options = Options { writer: self, map };
        write(&mut options);
        let map = options.map;
        self.end_map(map);
    }
}

impl Options<'_, '_> {
    fn key(&mut self, key: Key) {
        self.map.pairs += 1;
        self.writer.key(key.name());
    }

    fn bool(&mut self, key: Key, value: bool) {
        self.key(key);
        self.writer.bool(value);
    }

    fn str(&mut self, key: Key, value: &str) {
        self.key(key);
        self.writer.str(value);
    }

    /// A boolean whose default is false.
    fn flag(&mut self, key: Key, value: bool) {
        if value {
            self.bool(key, true);
        }
    }

    fn number(&mut self, key: Key, value: Option<u64>) {
        if let Some(value) = value {
            self.key(key);
            self.writer.uint(value);
        }
    }

    fn text(&mut self, key: Key, value: Option<&Cow<'_, str>>) {
        if let Some(value) = value {
            self.str(key, value);
        }
    }

    fn match_policy(&mut self, policy: MatchPolicy) {
        if policy != MatchPolicy::Exact {
            self.str(Key::Match, policy.as_str());
        }
    }

    fn mode(&mut self, mode: Option<CancelMode>) {
        if let Some(mode) = mode {
            self.str(Key::Mode, mode.as_str());
        }
    }

    fn audience(&mut self, [ids, authids, authroles]: [Key; 3], audience: &Audience<'_>) {
        if let Some(sessions) = &audience.sessions {
            self.key(ids);
            self.writer.begin_array(sessions.len());
            for SessionId(id) in sessions {
                self.writer.uint(*id);
            }
            self.writer.end_array();
        }
        for (key, texts) in [(authids, &audience.authids), (authroles, &audience.authroles)] {
            let Some(texts) = texts else { continue };
            self.key(key);
            self.writer.begin_array(texts.len());
            for text in texts {
                self.writer.str(text);
            }
            self.writer.end_array();
        }
    }

    fn passthru(&mut self, passthru: &Passthru<'_>) {
        let Some(attributes) = &passthru.0 else { return };
        self.text(Key::PptScheme, attributes.ppt_scheme.as_ref());
        self.text(Key::PptSerializer, attributes.ppt_serializer.as_ref());
        self.text(Key::PptCipher, attributes.ppt_cipher.as_ref());
        self.text(Key::PptKeyid, attributes.ppt_keyid.as_ref());
        self.text(Key::EncAlgo, attributes.enc_algo.as_ref());
        self.text(Key::EncKey, attributes.enc_key.as_ref());
        self.text(Key::EncSerializer, attributes.enc_serializer.as_ref());
    }
}
