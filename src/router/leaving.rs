//! The ends of sessions and of their transports, whoever wants them.
//!
//! Owns the order in which a session is taken out of its realm, and what others hear of it. The messages by which it
//! ends are handled in [`request`](super::request), and by the meta API. [wamp: basic/sessions]

#[cfg(feature = "native")]
use super::News;
use super::meta_api::{changes, sessions};
use super::outbox::{Close, Outbox};
use super::session::{Session, State};
use super::timers::Timer;
use super::{Now, Router};
use crate::id::SessionKey;
use crate::message::{Dict, Message, dict};
use crate::payload::Payload;

impl<P: Payload> Router<P> {
    /// Ends sessions from the router's side: GOODBYE, and out of the realm at once.
    pub(super) fn kill(&mut self, kill: sessions::Kill, now: Now, outbox: &mut Outbox<P>) {
        for key in kill.sessions {
            let mut details = Dict::new();
            if let Some(message) = &kill.message {
                details.insert("message".into(), message.as_str().into());
            }
            // Or the next connection would have it back.
            #[cfg(feature = "native")]
            self.forget_login(key);
            self.say_goodbye(key, &kill.reason, details, kill.announce, now, outbox);
        }
    }

    pub(super) fn say_goodbye(
        &mut self,
        key: SessionKey,
        reason: &str,
        details: Dict,
        announce: bool,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let Some(session) = self.sessions.get(key) else { return };
        let accepts = session.transport.accepts();
        outbox.send(key, accepts, Message::Goodbye { details, reason: reason.into() });
        let deadline = now.mono_ms.saturating_add(self.limits.goodbye_timeout_ms);
        let timer = self.timers.start(deadline, Timer::Goodbye(key));
        self.leave_for(key, State::Closing { timer }, announce, now, outbox);
    }

    /// Answers what is no WAMP, or comes at the wrong time, and closes the transport. Without the text, where the peer
    /// cannot take that much.
    pub(super) fn abort(
        &mut self,
        key: SessionKey,
        reason: &str,
        text: &str,
        close: Close,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        #[cfg(feature = "native")]
        if self.sessions.get(key).is_some() {
            outbox.tell(News::Aborted { key, reason: reason.to_owned(), message: text.to_owned() });
        }
        self.end_with_abort(key, reason, text, close, now, outbox);
    }

    /// The same where the driver has been told already.
    pub(super) fn end_with_abort(
        &mut self,
        key: SessionKey,
        reason: &str,
        text: &str,
        close: Close,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let Some(session) = self.sessions.get(key) else { return };
        let accepts = session.transport.accepts();
        let abort = |details| Message::Abort { details, reason: reason.into(), payload: P::default() };
        if !outbox.try_send(key, accepts, abort(dict([("message", text.into())]))) {
            // Closed it is in any case.
            outbox.try_send(key, accepts, abort(Dict::new()));
        }
        self.leave(key, true, now, outbox);
        self.close(key, close, now, outbox);
    }

    /// Forgets a transport without a session and has it closed.
    pub(super) fn close(&mut self, key: SessionKey, close: Close, now: Now, outbox: &mut Outbox<P>) {
        if self.forget(key, now, outbox) {
            outbox.close(key, close);
        }
    }

    /// Forgets a transport without a session; whether there was one.
    pub(super) fn forget(&mut self, key: SessionKey, now: Now, outbox: &mut Outbox<P>) -> bool {
        let Some(session) = self.sessions.remove(key) else { return false };
        self.stop_state_timer(&session.state);
        if let State::Authenticating(pending) = session.state
            && let Some(question) = pending.question
        {
            self.withdraw(question, None, now, outbox);
        }
        true
    }

    /// Ends the session on a transport, which may then have another.
    pub(super) fn leave(&mut self, key: SessionKey, announce: bool, now: Now, outbox: &mut Outbox<P>) {
        if self.sessions.joined(key).is_some() {
            let state = self.open_state(key, now);
            self.leave_for(key, state, announce, now, outbox);
            if let Some(session) = self.sessions.get_mut(key) {
                session.has_left = true;
            }
        }
    }

    /// Ends a session, in this order: out of the tables; its calls; its registrations and subscriptions; and, unless
    /// `announce` is false, the news of what it held, its testaments, the news of itself, its last statistics.
    pub(super) fn leave_for(
        &mut self,
        key: SessionKey,
        next: State,
        announce: bool,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        // What it was sent until now is in its last statistics.
        let Some(realm) = self.sessions.get(key).and_then(Session::realm) else { return };
        self.settle(Some(realm), outbox);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let State::Joined(mut joined) = std::mem::replace(&mut session.state, next) else { return };
        #[cfg(feature = "native")]
        outbox.tell(News::Left {
            key,
            session: joined.id,
            realm: self.realms[joined.realm].config.name.clone(),
        });
        if let Some(guard) = joined.guard {
            self.drop_guard(guard, joined.realm, now, outbox);
        }
        let (realms, mut cx) = self.split(now, outbox);
        let realm = &mut realms[joined.realm];
        let held = if announce { changes::held_by(&joined, realm) } else { Vec::new() };
        realm.sessions.remove(&joined.id);
        realm.dealer.leave(&mut cx, key, &joined);
        for (subscription, ()) in joined.subscriptions.iter() {
            realm.broker.unsubscribe(*subscription, key);
        }
        if announce {
            let style = realm.config.on_leave;
            for held in held {
                let is_gone = held.is_gone(&self.realms[joined.realm]);
                self.publish_removed(joined.realm, joined.id, held, is_gone, now, outbox);
            }
            self.publish_testaments(&joined, now, outbox);
            let session = || sessions::on_leave(&joined, style);
            self.publish_meta(joined.realm, sessions::ON_LEAVE, &session, now, outbox);
            let details = || sessions::details(&joined.details);
            self.publish_meta(joined.realm, sessions::OLD_ON_LEAVE, &details, now, outbox);
            self.publish_last_stats(&mut joined, now, outbox);
        }
        if let Some(timer) = joined.meter.as_ref().and_then(|meter| meter.timer) {
            self.timers.stop(timer);
        }
        self.settle(Some(joined.realm), outbox);
        self.drop_empty_realm(joined.realm);
    }

    pub(super) fn drop_empty_realm(&mut self, index: usize) {
        if self.realms.get(index).is_some_and(|realm| realm.transient && realm.sessions.is_empty()) {
            let realm = self.realms.remove(index);
            self.realm_names.remove(realm.config.name.as_str());
        }
    }

    pub(super) fn stop_state_timer(&mut self, state: &State) {
        match state {
            State::Open { timer, .. } | State::Closing { timer } => self.timers.stop(*timer),
            State::Authenticating(pending) => self.timers.stop(pending.timer),
            State::Joined(_) => {}
        }
    }
}
