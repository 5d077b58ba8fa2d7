//! The grammar of the messages that a router sends: for clients in this process, and for tests.
//!
//! Owns WELCOME, EVENT, INVOCATION and their like, and the dictionaries that only they have; those of clients are in
//! [`decode`](super::decode) and [`options`](super::options). Not part of what a browser downloads.

use crate::id::{MAX_ID, PublicationId, RegistrationId, RequestId, SessionId, SubscriptionId};
use crate::message::{
    EventDetails, InvocationDetails, Message, MessageType, ResultDetails, UnregisteredDetails,
    UnsubscribedDetails,
};

use super::decode::{Decoder, ID};
use super::keys::Key;
use super::options::OnKey;
use super::reader::{Reader, Step};

impl<'r, 'a, R: Reader<'a> + ?Sized> Decoder<'r, 'a, R> {
    /// The messages that a router sends: for clients in this process, and for tests.
    pub fn router_message(&mut self, kind: MessageType) -> Step<Message<'a, ()>> {
        let payload = ();
        Ok(match kind {
            MessageType::Welcome => Message::Welcome {
                session: SessionId(self.id_element("Session")?),
                details: self.dict("Details")?,
            },
            MessageType::Challenge => {
                Message::Challenge { method: self.text_element("AuthMethod")?, extra: self.dict("Extra")? }
            }
            MessageType::Published => Message::Published {
                request: self.request()?,
                publication: PublicationId(self.id_element("Publication")?),
            },
            MessageType::Subscribed => Message::Subscribed {
                request: self.request()?,
                subscription: SubscriptionId(self.id_element("Subscription")?),
            },
            MessageType::Unsubscribed => Message::Unsubscribed {
                request: self.request_or_zero()?,
                details: self.unsubscribed_details()?,
            },
            MessageType::Event => {
                let subscription = SubscriptionId(self.id_element("Subscription")?);
                let publication = PublicationId(self.id_element("Publication")?);
                let details = self.event_details()?;
                self.tail(&details.passthru)?;
                Message::Event { subscription, publication, details, payload }
            }
            MessageType::Result => {
                let request = self.request()?;
                let details = self.result_details()?;
                self.tail(&details.passthru)?;
                Message::Result { request, details, payload }
            }
            MessageType::Registered => Message::Registered {
                request: self.request()?,
                registration: RegistrationId(self.id_element("Registration")?),
            },
            MessageType::Unregistered => Message::Unregistered {
                request: self.request_or_zero()?,
                details: self.unregistered_details()?,
            },
            MessageType::Invocation => {
                let request = self.request()?;
                let registration = RegistrationId(self.id_element("Registration")?);
                let details = self.invocation_details()?;
                self.tail(&details.passthru)?;
                Message::Invocation { request, registration, details, payload }
            }
            MessageType::Interrupt => {
                let request = self.request()?;
                let (mode, reason) = self.cancel_options(true)?;
                Message::Interrupt { request, mode, reason }
            }
            _ => unreachable!("{} is a message that a client sends", kind.name()),
        })
    }

    fn request_or_zero(&mut self) -> Step<RequestId> {
        self.element("Request", ID)?;
        self.integer("an id from 0 to 2^53", 0..=MAX_ID).map(RequestId)
    }

    fn unsubscribed_details(&mut self) -> Step<Option<UnsubscribedDetails<'a>>> {
        let mut details = UnsubscribedDetails::default();
        let is_there = self.optional_details(&mut |decoder, key| {
            match key {
                Key::Subscription => details.subscription = Some(SubscriptionId(decoder.id()?)),
                Key::Reason => details.reason = Some(decoder.text()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(is_there.then_some(details))
    }

    fn event_details(&mut self) -> Step<EventDetails<'a>> {
        let mut details = EventDetails::default();
        self.details(&mut |decoder, key| {
            match key {
                Key::Publisher => details.publisher = Some(SessionId(decoder.id()?)),
                Key::PublisherAuthid => details.publisher_authid = Some(decoder.text()?),
                Key::PublisherAuthrole => details.publisher_authrole = Some(decoder.text()?),
                Key::Topic => details.topic = Some(decoder.text()?),
                Key::Retained => details.retained = decoder.bool()?,
                Key::Trustlevel => details.trustlevel = Some(decoder.count()?),
                Key::TransactionHash => drop(decoder.text()?),
                Key::AcknowledgedDelivery => drop(decoder.bool()?),
                _ => return decoder.passthru(key, &mut details.passthru),
            }
            Ok(true)
        })?;
        Ok(details)
    }

    fn result_details(&mut self) -> Step<ResultDetails<'a>> {
        let mut details = ResultDetails::default();
        self.details(&mut |decoder, key| {
            decoder.progress(key, &mut details.progress, &mut details.passthru)
        })?;
        Ok(details)
    }

    fn unregistered_details(&mut self) -> Step<Option<UnregisteredDetails<'a>>> {
        let mut details = UnregisteredDetails::default();
        let is_there = self.optional_details(&mut |decoder, key| {
            match key {
                Key::Registration => details.registration = Some(RegistrationId(decoder.id()?)),
                Key::Reason => details.reason = Some(decoder.text()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(is_there.then_some(details))
    }

    fn invocation_details(&mut self) -> Step<InvocationDetails<'a>> {
        let mut details = InvocationDetails::default();
        self.details(&mut |decoder, key| {
            match key {
                Key::Caller => details.caller = Some(SessionId(decoder.id()?)),
                Key::CallerAuthid => details.caller_authid = Some(decoder.text()?),
                Key::CallerAuthrole => details.caller_authrole = Some(decoder.text()?),
                Key::Procedure => details.procedure = Some(decoder.text()?),
                Key::ReceiveProgress => details.receive_progress = decoder.bool()?,
                Key::Progress => details.progress = decoder.bool()?,
                Key::Timeout => details.timeout = Some(decoder.count()?),
                Key::Trustlevel => details.trustlevel = Some(decoder.count()?),
                _ => return decoder.passthru(key, &mut details.passthru),
            }
            Ok(true)
        })?;
        Ok(details)
    }

    fn optional_details(&mut self, on_key: OnKey<'_, 'r, 'a, R>) -> Step<bool> {
        let is_there = self.optional_element("Details")?;
        if is_there {
            self.dictionary(on_key)?;
        }
        Ok(is_there)
    }
}
