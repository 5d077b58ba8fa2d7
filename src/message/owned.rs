//! Messages that outlive the frame they came in.

use std::borrow::Cow;

use super::{
    Audience, CallOptions, EventDetails, InvocationDetails, Message, Passthru, PassthruAttributes,
    PublishOptions, ResultDetails, UnregisteredDetails, UnsubscribedDetails, YieldOptions,
};
use crate::payload::Payload;

impl<P: Payload> Message<'_, P> {
    /// The same message, with nothing borrowed from the frame, and a tail that keeps no more than itself in memory.
    pub fn into_owned(self) -> Message<'static, P> {
        match self.map_payload(P::into_owned) {
            Message::Hello { realm, details } => Message::Hello { realm: maybe(realm), details },
            Message::Welcome { session, details } => Message::Welcome { session, details },
            Message::Abort { details, reason, payload } => {
                Message::Abort { details, reason: text(reason), payload }
            }
            Message::Challenge { method, extra } => Message::Challenge { method: text(method), extra },
            Message::Authenticate { signature, extra } => {
                Message::Authenticate { signature: text(signature), extra }
            }
            Message::Goodbye { details, reason } => Message::Goodbye { details, reason: text(reason) },
            Message::Error { request_type, request, details, error, payload } => Message::Error {
                request_type,
                request,
                details: details.into_owned(),
                error: text(error),
                payload,
            },
            Message::Publish { request, options, topic, payload } => {
                Message::Publish { request, options: options.into_owned(), topic: text(topic), payload }
            }
            Message::Published { request, publication } => Message::Published { request, publication },
            Message::Subscribe { request, options, topic } => {
                Message::Subscribe { request, options, topic: text(topic) }
            }
            Message::Subscribed { request, subscription } => Message::Subscribed { request, subscription },
            Message::Unsubscribe { request, subscription } => Message::Unsubscribe { request, subscription },
            Message::Unsubscribed { request, details } => {
                let details = details.map(|UnsubscribedDetails { subscription, reason }| {
                    UnsubscribedDetails { subscription, reason: maybe(reason) }
                });
                Message::Unsubscribed { request, details }
            }
            Message::Event { subscription, publication, details, payload } => {
                let details = EventDetails {
                    publisher_authid: maybe(details.publisher_authid),
                    publisher_authrole: maybe(details.publisher_authrole),
                    topic: maybe(details.topic),
                    passthru: details.passthru.into_owned(),
                    ..details
                };
                Message::Event { subscription, publication, details, payload }
            }
            Message::EventReceived { publication } => Message::EventReceived { publication },
            Message::Call { request, options, procedure, payload } => {
                let options = CallOptions { passthru: options.passthru.into_owned(), ..options };
                Message::Call { request, options, procedure: text(procedure), payload }
            }
            Message::Cancel { request, mode } => Message::Cancel { request, mode },
            Message::Result { request, details, payload } => {
                let details = ResultDetails { passthru: details.passthru.into_owned(), ..details };
                Message::Result { request, details, payload }
            }
            Message::Register { request, options, procedure } => {
                Message::Register { request, options, procedure: text(procedure) }
            }
            Message::Registered { request, registration } => Message::Registered { request, registration },
            Message::Unregister { request, registration } => Message::Unregister { request, registration },
            Message::Unregistered { request, details } => {
                let details = details.map(|UnregisteredDetails { registration, reason }| {
                    UnregisteredDetails { registration, reason: maybe(reason) }
                });
                Message::Unregistered { request, details }
            }
            Message::Invocation { request, registration, details, payload } => {
                let details = InvocationDetails {
                    caller_authid: maybe(details.caller_authid),
                    caller_authrole: maybe(details.caller_authrole),
                    procedure: maybe(details.procedure),
                    passthru: details.passthru.into_owned(),
                    ..details
                };
                Message::Invocation { request, registration, details, payload }
            }
            Message::Interrupt { request, mode, reason } => {
                Message::Interrupt { request, mode, reason: maybe(reason) }
            }
            Message::Yield { request, options, payload } => {
                let options = YieldOptions { passthru: options.passthru.into_owned(), ..options };
                Message::Yield { request, options, payload }
            }
        }
    }
}

impl Passthru<'_> {
    /// The same attributes, with nothing borrowed.
    pub fn into_owned(self) -> Passthru<'static> {
        Passthru(self.0.map(|attributes| {
            let PassthruAttributes {
                ppt_scheme,
                ppt_serializer,
                ppt_cipher,
                ppt_keyid,
                enc_algo,
                enc_key,
                enc_serializer,
            } = *attributes;
            Box::new(PassthruAttributes {
                ppt_scheme: maybe(ppt_scheme),
                ppt_serializer: maybe(ppt_serializer),
                ppt_cipher: maybe(ppt_cipher),
                ppt_keyid: maybe(ppt_keyid),
                enc_algo: maybe(enc_algo),
                enc_key: maybe(enc_key),
                enc_serializer: maybe(enc_serializer),
            })
        }))
    }
}

impl Audience<'_> {
    /// The same lists, with nothing borrowed.
    pub fn into_owned(self) -> Audience<'static> {
        let texts = |list: Option<Vec<Cow<'_, str>>>| {
            list.map(|texts| texts.into_iter().map(text).collect::<Vec<Cow<'static, str>>>())
        };
        Audience { sessions: self.sessions, authids: texts(self.authids), authroles: texts(self.authroles) }
    }
}

impl PublishOptions<'_> {
    /// The same options, with nothing borrowed.
    pub fn into_owned(self) -> PublishOptions<'static> {
        PublishOptions {
            eligible: self.eligible.into_owned(),
            exclude: self.exclude.into_owned(),
            passthru: self.passthru.into_owned(),
            ..self
        }
    }
}

fn text(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

fn maybe(text_or_none: Option<Cow<'_, str>>) -> Option<Cow<'static, str>> {
    text_or_none.map(text)
}
