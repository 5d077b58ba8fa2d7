//! A new configuration for a router that runs.
//!
//! Owns what becomes of realms and sessions then. Reading and checking a configuration is in
//! [`config`](crate::config): what comes here is valid.

use std::sync::Arc;

use super::Router;
use super::context::Now;
use super::fault;
use super::outbox::Outbox;
use super::stats::{Handshake, Meter};
use super::testament::Testaments;
use crate::auth::Methods;
use crate::config::{Config, RealmConfig, Realms};
use crate::id::SessionKey;
use crate::message::dict;
use crate::payload::Payload;

impl<P: Payload> Router<P> {
    /// Replaces the configuration, and keeps the sessions that still have a place in it.
    ///
    /// * A realm of the same name gets its new roles, options and statistics. Its sessions keep their role by name, and
    ///   from the next message on it allows what the new one does. Subscriptions, registrations and calls that it would
    ///   not allow any more stay until they end by themselves.
    /// * What authorizers have decided is forgotten, and what they are still thinking about is asked anew of those whom the
    ///   new configuration names, if it names any.
    /// * A session whose role is gone is sent GOODBYE `wamp.close.killed`, and the others hear that it has left.
    /// * A realm that is gone is closed: GOODBYE `wamp.close.close_realm` to all its sessions. Where the configuration
    ///   now has any realm, no realm is gone, and one that it does not name has the one role `anonymous`.
    /// * A session in a realm that its transport does not have any more ([`Methods::realms`], which
    ///   [`replace_methods`](Self::replace_methods) has replaced before) is sent GOODBYE `wamp.close.close_realm`, and the
    ///   others hear that it has left.
    /// * Who begins to authenticate from now on does so by the new [`Config::auth`]; sessions stay as they are.
    /// * Limits hold for what comes; nobody loses what is there already.
    /// * Statistics count from now on in sessions that had none, and are forgotten where the realm has none any more. A
    ///   duration begins anew where they have changed.
    pub fn reload(&mut self, config: Config, now: Now, outbox: &mut Outbox<P>) {
        self.limits = config.limits;
        self.auth = config.auth;
        let (any_realm, mut realms) = match config.realms {
            Realms::Any => (true, Vec::new()),
            Realms::Named(realms) => (false, realms),
        };
        self.any_realm = any_realm;
        self.is_metering = false;
        let served: Vec<usize> = self.realms.iter().map(|(index, _)| index).collect();
        for index in served {
            let name = &self.realms[index].config.name;
            match realms.iter().position(|realm| realm.name == *name) {
                Some(position) => {
                    let realm = realms.remove(position);
                    self.reconfigure(index, realm, false, now, outbox);
                }
                None if any_realm => {
                    let realm = RealmConfig::open(name.as_str());
                    self.reconfigure(index, realm, true, now, outbox);
                }
                None => self.close_realm(index, now, outbox),
            }
        }
        for realm in realms {
            self.add_realm(realm, false);
        }
        #[cfg(feature = "native")]
        self.close_misplaced(now, outbox);
        self.finish_input(None, now, outbox);
    }

    /// Says goodbye to whom its transport would not let into its realm any more.
    #[cfg(feature = "native")]
    fn close_misplaced(&mut self, now: Now, outbox: &mut Outbox<P>) {
        let mut misplaced = Vec::new();
        for session in self.sessions.iter() {
            let Some(realm) = session.realm() else { continue };
            if !session.transport.offers(&self.realms[realm].config.name) {
                misplaced.push(session.key);
            }
        }
        for key in misplaced {
            let details = dict([("message", "this realm is not one of this transport any more".into())]);
            self.say_goodbye(key, fault::CLOSE_REALM, details, true, now, outbox);
        }
    }

    /// Has the clients of transports that are open authenticate by other methods, if they say HELLO from now on: old ones
    /// and what came in their place. Who is authenticating already goes on as it began, but is let in only where the new
    /// ones would take the same proof for the same, and joins a realm of theirs.
    pub fn replace_methods(&mut self, replaced: &[(Arc<Methods>, Arc<Methods>)]) {
        for session in self.sessions.iter_mut() {
            let Some(auth) = &mut session.transport.auth else { continue };
            if let Some((_, new)) = replaced.iter().find(|(old, _)| Arc::ptr_eq(auth, old)) {
                *auth = Arc::clone(new);
            }
        }
    }

    fn reconfigure(
        &mut self,
        index: usize,
        config: RealmConfig,
        transient: bool,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        self.is_metering |= config.stats.is_some();
        let realm = &mut self.realms[index];
        realm.broker.configure(config.store.as_ref(), outbox);
        realm.broker.date(now);
        realm.config = config;
        realm.transient = transient;
        realm.decisions.purge(None);
        let keys: Vec<SessionKey> = realm.sessions().collect();
        let mut without_role = Vec::new();
        for key in keys {
            let (_, joined) = self.sessions.joined_mut(key).expect("a session of the realm has joined");
            match self.realms[index].role(&joined.authrole) {
                Some(role) => {
                    joined.role = role;
                    self.reconfigure_guard(key, index, now, outbox);
                }
                None => {
                    // Whose role is gone has nobody's permission to publish.
                    joined.testaments = Testaments::default();
                    without_role.push(key);
                }
            }
            self.reconfigure_meter(key, index, now);
        }
        // Only now that all have their new roles: what a leaving session causes must not be mixed with the old ones.
        for key in without_role {
            let message = "the role of this session was taken out of the configuration";
            let details = dict([("message", message.into())]);
            self.say_goodbye(key, fault::CLOSE_KILLED, details, true, now, outbox);
        }
        self.drop_empty_realm(index);
    }

    fn reconfigure_meter(&mut self, key: SessionKey, realm: usize, now: Now) {
        let (transport, joined) = self.sessions.joined_mut(key).expect("a session of the realm has joined");
        let stats = self.realms[realm].config.stats;
        if joined.meter.as_ref().map(|meter| meter.stats) == stats {
            return;
        }
        match (stats, &mut joined.meter) {
            (Some(stats), Some(meter)) => meter.stats = stats,
            (Some(stats), none) => {
                let handshake = Handshake { since_ns: now.unix_ns, lengths: Vec::new() };
                *none = Some(Box::new(Meter::new(stats, transport, handshake)));
            }
            (None, meter) => {
                if let Some(timer) = meter.take().and_then(|meter| meter.timer) {
                    self.timers.stop(timer);
                }
            }
        }
        // It may have sent and received enough for what is new.
        self.due.push(key);
        self.restart_meter(key, now);
    }

    fn close_realm(&mut self, index: usize, now: Now, outbox: &mut Outbox<P>) {
        let keys: Vec<SessionKey> = self.realms[index].sessions().collect();
        // A realm that goes with its last session is gone then, and so is any other that nobody can join any more.
        self.realms[index].transient = true;
        for key in keys {
            let details = dict([("message", "this realm was taken out of the configuration".into())]);
            // No meta events: everybody leaves.
            self.say_goodbye(key, fault::CLOSE_REALM, details, false, now, outbox);
        }
        self.drop_empty_realm(index);
    }
}
