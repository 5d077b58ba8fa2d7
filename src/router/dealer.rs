//! RPC routing of one realm: which callee answers a call, and which answer ends it.
//!
//! Owns registrations: who comes, who goes, who is sent away. Whom a registration chooses is in [`registration`]; how a
//! call gets to a callee in [`invocation`]; how it ends in [`ending`]. Never sees sockets or clocks; deadlines are timers
//! of the router. Matching itself is in [`pattern_index`](super::pattern_index). [wamp: basic/remote_procedure_call,
//! advanced/rpc_*]

#[cfg(debug_assertions)]
mod check;
mod ending;
mod invocation;
mod invoke;
mod kept;
mod registration;

use foldhash::fast::FixedState;
use slab::Slab;

use self::invocation::Invocation;
pub(crate) use self::invocation::{Call, Caller};
use self::registration::Callee;
pub(crate) use self::registration::Registration;
use super::context::Context;
use super::fault::{self, Refusal};
use super::pattern_index::{PatternIndex, SeededMap, sorted};
use crate::id::{RegistrationId, RequestId, SessionId, SessionKey};
use crate::message::{InvokePolicy, Message, RegisterOptions, UnregisteredDetails};
use crate::payload::Payload;
use crate::uri::MatchPolicy;

/// The registrations and open invocations of one realm.
#[derive(Debug)]
pub(crate) struct Dealer<P> {
    index: PatternIndex,
    registrations: SeededMap<RegistrationId, Box<Registration>>,
    last_id: RegistrationId,
    invocations: Slab<Invocation<P>>,
    /// Position of the realm in the router, for the timers of calls.
    realm: usize,
}

/// What a REGISTER has changed.
#[derive(Debug)]
pub(crate) struct Registered {
    pub id: RegistrationId,
    /// Whether the registration came into being with it.
    pub is_created: bool,
    /// Whether the session is a callee only now.
    pub is_added: bool,
    /// Those who lost the procedure to it (`force_reregister`), and their registration with the last of them.
    pub departures: Vec<Departure>,
}

/// A callee's way out of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    pub registration: RegistrationId,
    pub session: SessionId,
    /// Whether the registration went with it.
    pub was_last: bool,
}

impl<P: Payload> Dealer<P> {
    pub(crate) fn new(realm: usize, seed: u64) -> Self {
        Self {
            index: PatternIndex::new(seed),
            registrations: SeededMap::with_hasher(FixedState::with_seed(seed)),
            last_id: RegistrationId(0),
            invocations: Slab::new(),
            realm,
        }
    }

    /// The registration of exactly this URI and match policy.
    pub(crate) fn find(&self, uri: &str, policy: MatchPolicy) -> Option<RegistrationId> {
        self.index.get(uri, policy).map(RegistrationId)
    }

    /// Whether this session is a callee of the registration that a call of `procedure` would go to.
    pub(crate) fn is_callee(&self, key: SessionKey, procedure: &str) -> bool {
        self.index.best_match(procedure).is_some_and(|(_, id)| {
            let registration = &self.registrations[&RegistrationId(id)];
            registration.callees.iter().any(|callee| callee.key == key)
        })
    }

    /// How many registrations there are.
    #[cfg(feature = "native")]
    pub(crate) fn len(&self) -> usize {
        self.registrations.len()
    }

    /// Every registration, sorted by id.
    pub(crate) fn registrations(&self) -> impl Iterator<Item = (RegistrationId, &Registration)> {
        let ids = sorted(self.registrations.keys().map(|id| id.0)).into_iter().map(RegistrationId);
        ids.map(|id| (id, &*self.registrations[&id]))
    }

    /// The registration with this id.
    pub(crate) fn get(&self, id: RegistrationId) -> Option<&Registration> {
        self.registrations.get(&id).map(|registration| &**registration)
    }

    /// The registration that answers calls of `procedure`.
    pub(crate) fn best_match(&self, procedure: &str) -> Option<RegistrationId> {
        self.index.best_match(procedure).map(|(_, id)| RegistrationId(id))
    }

    /// Adds a callee, to the registration of its URI and match policy if there is one; or takes the procedure from those
    /// who have it, if it must. When the callee has been told, calls may wait for it: [`serve`](Self::serve).
    pub(crate) fn register(
        &mut self,
        cx: &mut Context<'_, P>,
        key: SessionKey,
        uri: &str,
        options: &RegisterOptions,
    ) -> Result<Registered, Refusal> {
        let mut departures = Vec::new();
        let mut queue = Default::default();
        let mut found = self.find(uri, options.match_policy);
        if let Some(id) = found.take_if(|_| options.force_reregister) {
            let registration = self.registrations.get_mut(&id).expect("an indexed registration exists");
            queue = std::mem::take(&mut registration.queue);
            let keys: Vec<SessionKey> = registration.callees.iter().map(|callee| callee.key).collect();
            departures.extend(
                keys.into_iter().filter_map(|key| self.revoke(cx, id, key, Some(fault::UNREGISTERED))),
            );
        }
        let (_, joined) = cx.sessions.joined_mut(key).expect("only a joined session registers");
        let mut callee = Callee::new(key, options);
        let Some(id) = found else {
            self.last_id = RegistrationId(self.last_id.0 + 1);
            let id = self.last_id;
            self.index.insert(uri, options.match_policy, id.0);
            let mut registration = Registration::new(uri, options, cx.now);
            registration.callees.push(callee);
            for slot in &queue {
                self.invocations[*slot].registration = id;
            }
            registration.queue = queue;
            self.registrations.insert(id, Box::new(registration));
            joined.registrations.insert(id, ());
            return Ok(Registered { id, is_created: true, is_added: true, departures });
        };
        let registration = self.registrations.get_mut(&id).expect("an indexed registration exists");
        if registration.invoke == InvokePolicy::Single && options.invoke == InvokePolicy::Single {
            return Err(Refusal::new(
                fault::PROCEDURE_ALREADY_EXISTS,
                format!("the procedure '{uri}' is already registered"),
            ));
        }
        if registration.invoke != options.invoke {
            return Err(Refusal::new(
                fault::DIFFERENT_INVOCATION_POLICY,
                format!(
                    "the procedure '{uri}' is registered with the invocation policy '{}', not '{}'",
                    registration.invoke.as_str(),
                    options.invoke.as_str()
                ),
            ));
        }
        let is_added = registration.callee_mut(key).is_none();
        if is_added {
            if callee.is_limited() {
                // What it was sent before it went, and has not answered, keeps it busy still.
                for (_, slot) in joined.invocations.iter() {
                    let invocation = &mut self.invocations[*slot];
                    if let Some(delivery) = &mut invocation.delivery
                        && invocation.registration == id
                    {
                        delivery.is_counted = callee.take_on();
                    }
                }
            }
            registration.callees.push(callee);
            joined.registrations.insert(id, ());
        }
        Ok(Registered { id, is_created: false, is_added, departures })
    }

    /// Takes a callee away by its own wish, and the registration with its last one; `None` if it did not hold it. Its
    /// open invocations go on.
    pub(crate) fn unregister(
        &mut self,
        cx: &mut Context<'_, P>,
        id: RegistrationId,
        key: SessionKey,
    ) -> Option<Departure> {
        let (_, joined) = cx.sessions.joined_mut(key).expect("only a joined session unregisters");
        joined.registrations.remove(id)?;
        let session = joined.id;
        let was_last = self.remove_callee(cx, id, key);
        Some(Departure { registration: id, session, was_last })
    }

    /// Takes a callee away against its will, and tells it, if it announced that it understands that. `None` if it did
    /// not hold the registration. Its open invocations go on: it may still answer.
    /// [wamp: advanced/rpc_registration_revocation]
    pub(crate) fn revoke(
        &mut self,
        cx: &mut Context<'_, P>,
        id: RegistrationId,
        key: SessionKey,
        reason: Option<&str>,
    ) -> Option<Departure> {
        let (transport, joined) = cx.sessions.joined_mut(key)?;
        joined.registrations.remove(id)?;
        let session = joined.id;
        if joined.announced.callee_registration_revocation {
            let details = UnregisteredDetails { registration: Some(id), reason: reason.map(Into::into) };
            let message = Message::Unregistered { request: RequestId(0), details: Some(details) };
            cx.outbox.send(key, transport.accepts(), message);
        }
        let was_last = self.remove_callee(cx, id, key);
        Some(Departure { registration: id, session, was_last })
    }

    /// Takes a callee out of a registration that it holds. Whether the registration went with it: then the calls that
    /// waited for a callee end.
    fn remove_callee(&mut self, cx: &mut Context<'_, P>, id: RegistrationId, key: SessionKey) -> bool {
        let registration = self.registrations.get_mut(&id).expect("the registration of a callee exists");
        registration.remove(key);
        if !registration.callees.is_empty() {
            return false;
        }
        let queue = std::mem::take(&mut registration.queue);
        self.index.remove(&registration.uri, registration.policy);
        self.registrations.remove(&id);
        for slot in queue {
            let text = "the procedure was unregistered while the call waited for a callee to be free";
            self.finish(cx, slot, ending::Ending::Refusal(Refusal::new(fault::CANCELED, text)));
        }
        true
    }
}
