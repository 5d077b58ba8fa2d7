//! Cookies that log in: whom a cookie stands for from when to when. Only the native router has cookies.
//!
//! Owns the moments; the store of logins is in [`auth`](crate::auth::Logins), and belongs to the driver.

use super::fault;
use super::outbox::Outbox;
use super::session::Session;
use super::{Now, Router};
use crate::auth::Identity;
use crate::id::SessionKey;
use crate::message::dict;
use crate::payload::Payload;

impl<P: Payload> Router<P> {
    /// Lets the cookie of a transport stand for whom its client has proved to be, if cookies do that here.
    pub(super) fn remember_login(&mut self, key: SessionKey, identity: &Identity, now: Now) {
        let Some(Session { transport, .. }) = self.sessions.get(key) else { return };
        if let Some(methods) = &transport.auth {
            methods.remember(&transport.channel, identity, now);
        }
    }

    /// Lets the cookie of a transport stand for nobody.
    pub(super) fn forget_login(&mut self, key: SessionKey) {
        let Some(Session { transport, .. }) = self.sessions.get(key) else { return };
        if let Some(methods) = &transport.auth {
            methods.forget(&transport.channel);
        }
    }

    /// The same, and says GOODBYE to the other sessions of that cookie: what Crossbar.io does at `wamp.close.logout`.
    pub(super) fn log_out(&mut self, key: SessionKey, now: Now, outbox: &mut Outbox<P>) {
        self.forget_login(key);
        let Some(Session { transport, .. }) = self.sessions.get(key) else { return };
        let has_logins = transport.auth.as_ref().is_some_and(|methods| methods.cookie.is_some());
        let (true, Some(cookie)) = (has_logins, transport.channel.cookie.clone()) else { return };
        let is_same = |session: &&Session| {
            session.key != key
                && session.realm().is_some()
                && session.transport.channel.cookie.as_ref() == Some(&cookie)
        };
        let others: Vec<SessionKey> =
            self.sessions.iter().filter(is_same).map(|session| session.key).collect();
        for other in others {
            let details = dict([("message", "this browser has logged out".into())]);
            self.say_goodbye(other, fault::CLOSE_LOGOUT, details, true, now, outbox);
        }
    }
}
