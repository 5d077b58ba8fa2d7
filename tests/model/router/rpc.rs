//! Which callee answers a call, and what ends it. [basic/remote_procedure_call, advanced/rpc_*]

use serde_json::{Value, json};

use super::{
    Call, Callee, Caller, Fault, Model, Realm, Registration, Session, TEXT, passthru, uri, with_payload,
};

const FEATURE_NOT_SUPPORTED: Fault = Fault::Refused("wamp.error.feature_not_supported");

impl Model {
    pub(super) fn register(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        self.demand_role(at, "callee")?;
        let (request, options, procedure) = (&message[1], &message[2], message[3].as_str().expect("a URI"));
        let policy = options["match"].as_str().unwrap_or("exact");
        let invoke = options["invoke"].as_str().unwrap_or("single");
        self.check_uri(at, procedure, policy)?;
        if uri::is_reserved(procedure) {
            return Err(Fault::Refused("wamp.error.invalid_uri"));
        }
        self.authorize(at, procedure, policy, "register")?;
        let most = self.settings.limits.registrations;
        let created = self.time_of_day();
        let realm = self.realm_of(at);
        let held = realm.registrations.iter().filter(|held| held.has(at)).count();
        let mut known = realm.registrations.iter_mut();
        let found = known.find(|known| known.uri == procedure && known.policy == policy);
        let is_new = found.as_ref().is_none_or(|known| !known.has(at));
        if is_new && held >= most {
            return Err(Fault::Refused("wamplet.error.limit_exceeded"));
        }
        let is_created = found.is_none();
        let registration = match found {
            Some(known) if known.invoke == "single" && invoke == "single" => {
                return Err(Fault::Refused("wamp.error.procedure_already_exists"));
            }
            Some(known) if known.invoke != invoke => {
                return Err(Fault::Refused("wamp.error.procedure_exists_with_different_invocation_policy"));
            }
            Some(known) => known,
            None => {
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
                realm.registrations.last_mut().expect("it was just added")
            }
        };
        if is_new {
            registration.ever += 1;
            registration.callees.push(Callee {
                transport: at,
                number: registration.ever,
                discloses_caller: options["disclose_caller"] == true,
                forwards_timeout: options["forward_timeout"] == true,
            });
        }
        let id = registration.id;
        self.send(at, json!([65, request, id]));
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
        realm.take_callee(at, Some(id));
        self.send(at, json!([67, message[1]]));
        let session = self.session(at).clone();
        self.announce_end(&session, "registration", id);
        Ok(())
    }

    pub(super) fn call(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        self.demand_role(at, "caller")?;
        let (request, options) = (message[1].as_u64().expect("an id"), &message[2]);
        let procedure = message[3].as_str().expect("a URI");
        if options["progress"] == true {
            // Nobody here announces progressive call invocations.
            return Err(Fault::Violation);
        }
        self.demand_payload(at, "caller", options)?;
        self.check_uri(at, procedure, "exact")?;
        let is_disclosed = self.authorize(at, procedure, "exact", "call")? || options["disclose_me"] == true;
        if uri::is_reserved(procedure) {
            if options["ppt_scheme"].is_string() {
                return Err(FEATURE_NOT_SUPPORTED);
            }
            return self.call_meta(at, message);
        }
        let most = self.settings.limits.calls;
        let realm = self.realm_of(at);
        let Some(found) = realm.best_registration(procedure) else {
            return Err(Fault::Refused("wamp.error.no_such_procedure"));
        };
        let mine = realm.calls.iter().filter(|call| call.caller == Caller::Session(at));
        if mine.clone().any(|call| call.request == request) {
            return Err(Fault::Violation);
        }
        if mine.count() >= most {
            return Err(Fault::Refused("wamplet.error.limit_exceeded"));
        }
        let realm = self.session(at).realm.clone();
        self.invoke(&realm, found, Caller::Session(at), request, is_disclosed, message)
    }

    /// INVOCATION to the callee that the registration chooses. The router itself is never disclosed, and watches its own
    /// timeouts.
    pub(super) fn invoke(
        &mut self,
        name: &str,
        found: usize,
        caller: Caller,
        request: u64,
        is_disclosed: bool,
        message: &Value,
    ) -> Result<(), Fault> {
        let options = &message[2];
        let callee = self.choose(name, found, options);
        if !self.takes_payload(callee.transport, "callee", options) {
            return Err(FEATURE_NOT_SUPPORTED);
        }
        let registration = &self.realm(name).registrations[found];
        let (registration, is_pattern) = (registration.id, registration.policy != "exact");
        let receives_progress = options["receive_progress"] == true
            && self.has_feature(callee.transport, "callee", "progressive_call_results");
        let timeout_ms = options["timeout"].as_u64().unwrap_or_default();
        let is_forwarded = matches!(caller, Caller::Session(_))
            && callee.forwards_timeout
            && self.has_feature(callee.transport, "callee", "call_timeout");
        let mut details = passthru(options);
        if let Caller::Session(at) = caller
            && (is_disclosed || callee.discloses_caller)
        {
            let caller = self.session(at);
            details.insert("caller".into(), caller.id.into());
            details.insert("caller_authid".into(), caller.authid.clone().into());
            details.insert("caller_authrole".into(), caller.authrole.clone().into());
        }
        if is_pattern {
            details.insert("procedure".into(), message[3].clone());
        }
        if receives_progress {
            details.insert("receive_progress".into(), true.into());
        }
        if is_forwarded && timeout_ms > 0 {
            details.insert("timeout".into(), timeout_ms.into());
        }
        let session = self.session_mut(callee.transport);
        session.invocations += 1;
        let invocation = session.invocations;
        let head = json!([68, invocation, registration, details]);
        self.send(callee.transport, with_payload(head, message, 4));
        let timeout_ms = if is_forwarded { 0 } else { timeout_ms };
        let deadline = (timeout_ms > 0).then(|| self.timer(timeout_ms));
        self.realm(name).calls.push(Call {
            caller,
            request,
            callee: callee.transport,
            invocation,
            receives_progress,
            is_interrupted: false,
            timeout_ms,
            deadline,
        });
        Ok(())
    }

    /// YIELD.
    pub(super) fn answer(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let options = &message[2];
        self.demand_payload(at, "callee", options)?;
        let Some((realm, call)) = self.open_invocation(at, &message[1])? else { return Ok(()) };
        if options["progress"] != true {
            self.finish(realm, call, |request| {
                with_payload(json!([50, request, passthru(options)]), message, 3)
            });
            return Ok(());
        }
        let Call { caller, request, receives_progress, timeout_ms, .. } = self.realms[realm].calls[call];
        if let Caller::Session(caller) = caller
            && receives_progress
        {
            // [advanced/rpc_progressive_call_results] the timeout is one between results.
            let deadline = (timeout_ms > 0).then(|| self.timer(timeout_ms));
            self.realms[realm].calls[call].deadline = deadline;
            if !self.takes_payload(caller, "caller", options) {
                self.interrupt(realm, call, "killnowait");
                self.finish_with_error(realm, call, "wamp.error.feature_not_supported");
                return Ok(());
            }
            let mut details = passthru(options);
            details.insert("progress".into(), true.into());
            self.send(caller, with_payload(json!([50, request, details]), message, 3));
        }
        Ok(())
    }

    /// ERROR of a callee.
    pub(super) fn fail(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        self.demand_payload(at, "callee", &message[3])?;
        if let Some((realm, call)) = self.open_invocation(at, &message[2])? {
            self.finish(realm, call, |request| {
                with_payload(json!([8, 48, request, passthru(&message[3]), message[4]]), message, 5)
            });
        }
        Ok(())
    }

    /// [advanced/rpc_call_canceling] for a callee that cannot be interrupted every mode is a skip.
    pub(super) fn cancel(&mut self, at: usize, message: &Value) {
        let mode = message[2]["mode"].as_str().unwrap_or("skip");
        let realm = self.realm_index(at);
        let calls = &self.realms[realm].calls;
        let Some(call) =
            calls.iter().position(|call| call.caller == Caller::Session(at) && message[1] == call.request)
        else {
            // It is over: the two messages crossed.
            return;
        };
        let callee = calls[call].callee;
        let mode = if self.has_feature(callee, "callee", "call_canceling") { mode } else { "skip" };
        if mode != "skip" {
            self.interrupt(realm, call, mode);
        }
        if mode != "kill" {
            self.finish_with_error(realm, call, "wamp.error.canceled");
        }
    }

    pub(super) fn time_out(&mut self, realm: usize, call: usize) {
        self.interrupt(realm, call, "killnowait");
        self.finish_with_error(realm, call, "wamp.error.timeout");
    }

    /// A session has left: nobody answers its callers any more, nobody waits for its callees.
    pub(super) fn leave_registrations_and_calls(&mut self, at: usize, session: &Session) {
        let name = session.realm.clone();
        let realm = self.realms.iter().position(|realm| realm.name == name).expect("it was there");
        self.realms[realm].take_callee(at, None);
        loop {
            let calls = self.realms[realm].calls.iter().enumerate();
            let mine = calls.filter(|(_, call)| call.caller == Caller::Session(at));
            let Some((call, _)) = mine.min_by_key(|(_, call)| call.request) else { break };
            self.interrupt(realm, call, "killnowait");
            self.realms[realm].calls.remove(call);
        }
        while let Some(call) = self.realms[realm].calls.iter().position(|call| call.callee == at) {
            self.finish_with_error(realm, call, "wamp.error.canceled");
        }
    }

    fn realm_index(&self, at: usize) -> usize {
        let name = &self.session(at).realm;
        self.realms.iter().position(|realm| realm.name == *name).expect("the realm is there")
    }

    /// The call that a callee may answer; none if it ended before the answer came.
    fn open_invocation(&self, at: usize, invocation: &Value) -> Result<Option<(usize, usize)>, Fault> {
        self.demand_role(at, "callee")?;
        let realm = self.realm_index(at);
        let mut calls = self.realms[realm].calls.iter();
        let call = calls.position(|call| call.callee == at && *invocation == call.invocation);
        // It was never sent such an invocation.
        if invocation.as_u64().expect("an id") > self.session(at).invocations {
            return Err(Fault::Violation);
        }
        Ok(call.map(|call| (realm, call)))
    }

    /// INTERRUPT, once, to a callee that announced that it understands it.
    pub(super) fn interrupt(&mut self, realm: usize, call: usize, mode: &str) {
        let Call { callee, invocation, is_interrupted, .. } = self.realms[realm].calls[call];
        if !is_interrupted && self.has_feature(callee, "callee", "call_canceling") {
            self.realms[realm].calls[call].is_interrupted = true;
            self.send(callee, json!([69, invocation, { "mode": mode }]));
        }
    }

    fn finish_with_error(&mut self, realm: usize, call: usize, error: &str) {
        self.finish(realm, call, |request| json!([8, 48, request, {}, error, [TEXT]]));
    }

    fn finish(&mut self, realm: usize, call: usize, answer: impl FnOnce(u64) -> Value) {
        let Call { caller, request, .. } = self.realms[realm].calls.remove(call);
        match caller {
            Caller::Session(caller) => {
                let mut answer = answer(request);
                let details = &answer[if answer[0] == 50 { 2 } else { 3 }];
                if !self.takes_payload(caller, "caller", details) {
                    answer = json!([8, 48, request, {}, "wamp.error.feature_not_supported", [TEXT]]);
                }
                self.send(caller, answer);
            }
            Caller::Router(question) => {
                let answer = answer(request);
                self.answered(question, (answer[0] == 50).then(|| answer[3].clone()));
            }
        }
    }

    /// The callee for one call. [advanced/rpc_shared_registration]
    fn choose(&mut self, name: &str, found: usize, options: &Value) -> Callee {
        let callees = self.realm(name).registrations[found].callees.clone();
        let refuses = callees.iter().position(|it| !self.takes_payload(it.transport, "callee", options));
        let heard = std::mem::take(&mut self.heard);
        let registration = &mut self.realm(name).registrations[found];
        let callees = &registration.callees;
        let chosen = match registration.invoke.as_str() {
            "single" | "first" => &callees[0],
            "last" => &callees[callees.len() - 1],
            "roundrobin" => {
                let next = callees.iter().find(|callee| callee.number > registration.last_called);
                next.unwrap_or(&callees[0])
            }
            // Whichever it was, it must have been one of them.
            _ => {
                let is_asked = |message: &Value| message[0] == 68 && message[2] == registration.id;
                let asked = callees.iter().find(|callee| heard[callee.transport].iter().any(is_asked));
                asked.unwrap_or(&callees[refuses.unwrap_or_default()])
            }
        };
        let chosen = chosen.clone();
        registration.last_called = chosen.number;
        self.heard = heard;
        chosen
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
    /// Takes a callee out of one registration, or out of all.
    pub(super) fn take_callee(&mut self, at: usize, id: Option<u64>) {
        for registration in &mut self.registrations {
            if id.is_none_or(|id| registration.id == id) {
                registration.callees.retain(|callee| callee.transport != at);
            }
        }
        self.registrations.retain(|registration| !registration.callees.is_empty());
    }

    /// [advanced/rpc_pattern_based_registration] the exact registration; else the longest prefix; else the wildcard
    /// with the longest portions of literal components.
    pub(super) fn best_registration(&self, procedure: &str) -> Option<usize> {
        let known = self.registrations.iter().enumerate();
        let matching = known.filter(|(_, known)| uri::matches(&known.uri, &known.policy, procedure));
        let best = matching.max_by_key(|(_, known)| match known.policy.as_str() {
            "exact" => (2, 0, Vec::new()),
            "prefix" => (1, known.uri.len(), Vec::new()),
            _ => (0, 0, uri::portions(&known.uri)),
        });
        best.map(|(position, _)| position)
    }
}
