//! Who answers a procedure: registrations, and the choice of a callee for one call.
//! [basic/remote_procedure_call, advanced/rpc_shared_registration, rpc_pattern_based_registration]

use serde_json::{Value, json};

use super::{Call, Fault, Model, Realm, fits, uri};

pub struct Registration {
    pub id: u64,
    pub uri: String,
    pub policy: String,
    pub invoke: String,
    pub created: String,
    /// In the order of registration.
    pub callees: Vec<Callee>,
    /// How many callees there ever were.
    ever: u64,
    /// The number of the callee that was called last.
    last_called: u64,
}

#[derive(Clone)]
pub struct Callee {
    pub transport: usize,
    /// The how manieth of its registration.
    number: u64,
    pub(super) discloses_caller: bool,
    pub(super) forwards_timeout: bool,
    /// Most invocations at once.
    pub(super) concurrency: Option<u64>,
}

impl Model {
    pub(super) fn register(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        self.demand_role(at, "callee")?;
        let (request, options, procedure) = (&message[1], &message[2], message[3].as_str().expect("a URI"));
        let policy = options["match"].as_str().unwrap_or("exact");
        let invoke = options["invoke"].as_str().unwrap_or("single");
        self.check_uri(at, procedure, policy)?;
        if uri::is_of_router(procedure) {
            return Err(Fault::Refused("wamp.error.invalid_uri"));
        }
        self.authorize(at, procedure, policy, "register")?;
        let most = self.settings.limits.registrations;
        let realm = self.realm_of(at);
        let held = realm.registrations.iter().filter(|held| held.has(at)).count();
        let same = |known: &&Registration| known.uri == procedure && known.policy == policy;
        let found = realm.registrations.iter().find(same);
        if found.is_none_or(|known| !known.has(at)) && held >= most {
            return Err(Fault::Refused("wamplet.error.limit_exceeded"));
        }
        let is_forced = options["force_reregister"] == true;
        let mut removed = Vec::new();
        let mut waiting = Vec::new();
        match found {
            Some(known) if is_forced => {
                let (old, callees) = (known.id, known.callees.clone());
                // Those who wait are the new callee's.
                waiting = realm.waiting(old);
                for number in &waiting {
                    self.open_call(*number).registration = 0;
                }
                for callee in callees {
                    let session = self.session(callee.transport).clone();
                    self.take_registration(old, callee.transport, Some(&json!("wamp.error.unregistered")));
                    let is_last = self.realm_of(at).registrations.iter().all(|known| known.id != old);
                    removed.push((session, old, is_last));
                }
            }
            Some(known) if known.invoke == "single" && invoke == "single" => {
                return Err(Fault::Refused("wamp.error.procedure_already_exists"));
            }
            Some(known) if known.invoke != invoke => {
                return Err(Fault::Refused("wamp.error.procedure_exists_with_different_invocation_policy"));
            }
            _ => {}
        }
        let created = self.time_of_day();
        let realm = self.realm_of(at);
        let position = realm.registrations.iter().position(|known| same(&known));
        let is_created = position.is_none();
        let position = position.unwrap_or_else(|| {
            realm.last_registration += 1;
            realm.registrations.push(Registration {
                id: realm.last_registration,
                uri: procedure.into(),
                policy: policy.into(),
                invoke: invoke.into(),
                created,
                callees: Vec::new(),
                ever: 0,
                last_called: 0,
            });
            realm.registrations.len() - 1
        });
        let registration = &mut realm.registrations[position];
        let id = registration.id;
        let is_new = !registration.has(at);
        if is_new {
            registration.ever += 1;
            let callee = Callee {
                transport: at,
                number: registration.ever,
                discloses_caller: options["disclose_caller"] == true,
                forwards_timeout: options["forward_timeout"] == true,
                concurrency: options["concurrency"].as_u64(),
            };
            if callee.concurrency.is_some() {
                // What it was sent before it went, and has not answered, keeps it busy still.
                realm.calls.iter_mut().filter(|call| call.registration == id).for_each(|call| call.count(at));
            }
            realm.registrations[position].callees.push(callee);
        }
        for number in waiting {
            self.open_call(number).registration = id;
        }
        self.send(at, json!([65, request, id]));
        let realm = self.session(at).realm.clone();
        self.serve(&realm, id);
        for (session, id, is_last) in removed {
            self.announce_departure(&session, "registration", id, is_last);
        }
        if is_new {
            self.announce_beginning(at, "registration", id, is_created);
        }
        Ok(())
    }

    pub(super) fn unregister(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let realm = self.realm_of(at);
        let mut held = realm.registrations.iter().filter(|held| held.has(at));
        let Some(id) = held.find(|held| message[2] == held.id).map(|held| held.id) else {
            return Err(Fault::Refused("wamp.error.no_such_registration"));
        };
        let name = self.session(at).realm.clone();
        self.remove_callee(&name, at, id);
        self.send(at, json!([67, message[1]]));
        let session = self.session(at).clone();
        self.announce_end(&session, "registration", id);
        Ok(())
    }

    /// Takes a registration from a session against its will. [advanced/rpc_registration_revocation]
    pub(super) fn take_registration(&mut self, id: u64, at: usize, reason: Option<&Value>) {
        if self.has_feature(at, "callee", "registration_revocation") {
            let mut details = json!({ "registration": id });
            if let Some(reason) = reason {
                details["reason"] = reason.clone();
            }
            self.send(at, json!([67, 0, details]));
        }
        let name = self.session(at).realm.clone();
        self.remove_callee(&name, at, id);
    }

    /// Takes a callee out of a registration, which goes with its last one; and then nobody waits for it any more.
    pub(super) fn remove_callee(&mut self, realm: &str, at: usize, id: u64) {
        let known = self.realm(realm);
        let registration = known.registrations.iter_mut().find(|held| held.id == id).expect("it is held");
        registration.callees.retain(|callee| callee.transport != at);
        if registration.callees.is_empty() {
            let waiting = known.waiting(id);
            known.registrations.retain(|known| known.id != id);
            for number in waiting {
                self.finish_with_error(number, "wamp.error.canceled");
            }
        }
    }

    /// The callee for one call: the first by the policy that is not busy, and is none of those that were asked before.
    pub(super) fn choose(
        &mut self,
        realm: &str,
        id: u64,
        message: &Value,
        tried: &[usize],
    ) -> Option<Callee> {
        let realm = self.realms.iter().find(|known| known.name == realm)?;
        let registration = realm.registrations.iter().find(|known| known.id == id)?;
        let may = |callee: &&Callee| {
            let busy = realm.calls.iter().filter(|call| call.counts_for(callee.transport, id)).count();
            let is_free = callee.concurrency.is_none_or(|most| (busy as u64) < most);
            is_free && !tried.contains(&callee.transport)
        };
        let mut free = registration.callees.iter().filter(may);
        let chosen = match registration.invoke.as_str() {
            "single" | "first" => free.next(),
            "last" => free.next_back(),
            "roundrobin" => {
                let next = free.clone().find(|callee| callee.number > registration.last_called);
                next.or_else(|| free.next())
            }
            // Whichever it was, it must have been one of them: one that got the call, or did not understand it.
            _ => {
                let got = free.clone().find(|callee| {
                    let next = self.session(callee.transport).invocations + 1;
                    self.heard[callee.transport].iter().any(|heard| {
                        heard[0] == 68 && heard[1] == next && heard[2] == id && fits(&heard[4], &message[4])
                    })
                });
                let refuses = |callee: &&Callee| !self.understands(callee.transport, &message[2]);
                got.or_else(|| free.clone().find(refuses)).or_else(|| free.next())
            }
        };
        let chosen = chosen.cloned()?;
        let registration = self.realms.iter_mut().flat_map(|known| &mut known.registrations);
        let registration = registration.filter(|known| known.id == id);
        registration
            .filter(|known| known.has(chosen.transport))
            .for_each(|known| known.last_called = chosen.number);
        Some(chosen)
    }
}

impl Registration {
    /// Whether the meta API tells of it: always, since nobody registers the router's own procedures.
    pub(super) fn is_told(&self) -> bool {
        !uri::is_reserved(&self.uri)
    }

    pub fn has(&self, at: usize) -> bool {
        self.callees.iter().any(|callee| callee.transport == at)
    }
}

impl Realm {
    /// The registration that answers calls of a procedure.
    pub(super) fn best_registration(&self, procedure: &str) -> Option<usize> {
        let patterns = self.registrations.iter().map(|known| (known.uri.as_str(), known.policy.as_str()));
        uri::best(patterns, procedure)
    }

    /// The numbers of the calls that wait until a callee of a registration is free, the oldest first.
    pub(super) fn waiting(&self, id: u64) -> Vec<u64> {
        let waiting = self.calls.iter().filter(|call| call.delivery.is_none() && call.registration == id);
        waiting.map(Call::number).collect()
    }
}
