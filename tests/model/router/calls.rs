//! Calls under way: sent, sent on in pieces, waiting for a callee, given to another one, ended.
//! [basic/remote_procedure_call, advanced/rpc_progressive_call_invocations, rpc_progressive_call_results,
//! rpc_call_rerouting, rpc_call_canceling, rpc_call_timeout]

use serde_json::{Map, Value, json};

use super::permissions::Grant;
use super::registrations::Callee;
use super::{Deadline, Fault, Model, Session, TEXT, passthru, uri, with_payload};

const FEATURE_NOT_SUPPORTED: &str = "wamp.error.feature_not_supported";

/// Who waits for the end of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Caller {
    Session(usize),
    /// The router itself, with the number of its question.
    Router(u64),
    /// The call is over, and its callee works on it all the same because nobody has told it.
    Nobody,
}

/// A call under way. Those of a realm are in the order in which they came.
pub struct Call {
    number: u64,
    pub caller: Caller,
    pub request: u64,
    pub registration: u64,
    /// Who was asked last; nobody yet while it waits until a callee is free.
    pub delivery: Option<Delivery>,
    /// The first CALL; its options hold for all pieces.
    message: Value,
    grant: Grant,
    /// The CALLs until now, as long as another callee may have to get them.
    pieces: Vec<Value>,
    is_unfinished: bool,
    /// Who was unavailable.
    tried: Vec<usize>,
    has_progressed: bool,
    is_interrupted: bool,
    timeout_ms: u64,
    pub(super) deadline: Option<Deadline>,
}

/// An INVOCATION that was sent.
#[derive(Clone)]
pub struct Delivery {
    pub callee: usize,
    pub invocation: u64,
    /// Whether it is one of those by which its callee is busy.
    is_counted: bool,
    registration: u64,
    /// What each INVOCATION of the call says, but for `progress`.
    details: Map<String, Value>,
}

impl Call {
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether its arguments are in a form that only its peers know.
    pub fn is_encoded(&self) -> bool {
        self.message[2]["enc_algo"].is_string()
    }

    pub fn procedure(&self) -> &Value {
        &self.message[3]
    }

    pub fn callee(&self) -> Option<usize> {
        self.delivery.as_ref().map(|delivery| delivery.callee)
    }

    pub fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    /// Its callee is a limited one from now on.
    pub(super) fn count(&mut self, at: usize) {
        if let Some(delivery) = self.delivery.as_mut().filter(|delivery| delivery.callee == at) {
            delivery.is_counted = true;
        }
    }

    /// Whether this callee of this registration is busy with it.
    pub(super) fn counts_for(&self, at: usize, registration: u64) -> bool {
        let counts = |delivery: &Delivery| delivery.is_counted && delivery.callee == at;
        self.registration == registration && self.delivery.as_ref().is_some_and(counts)
    }
}

impl Model {
    pub(super) fn call(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        self.demand_role(at, "caller")?;
        let (request, options) = (message[1].as_u64().expect("an id"), &message[2]);
        let procedure = message[3].as_str().expect("a URI");
        if options["progress"] == true && !self.has_feature(at, "caller", "progressive_call_invocations") {
            return Err(Fault::Violation);
        }
        self.demand_payload(at, "caller", options)?;
        self.check_uri(at, procedure, "exact")?;
        let grant = self.authorize(at, procedure, "exact", "call")?;
        grant.check(options)?;
        if uri::is_of_router(procedure) {
            if options["progress"] == true || !self.takes_payload_of_router(options) {
                return Err(Fault::Refused(FEATURE_NOT_SUPPORTED));
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
        let id = realm.registrations[found].id;
        let realm = self.session(at).realm.clone();
        self.place(&realm, id, Caller::Session(at), request, grant, message)
    }

    /// A call goes to the callee that its registration chooses, or waits until one is free.
    pub(super) fn place(
        &mut self,
        realm: &str,
        id: u64,
        caller: Caller,
        request: u64,
        grant: Grant,
        message: &Value,
    ) -> Result<(), Fault> {
        let chosen = self.choose(realm, id, message, &[]);
        match &chosen {
            Some(callee) if !self.understands(callee.transport, &message[2]) => {
                return Err(Fault::Refused(FEATURE_NOT_SUPPORTED));
            }
            Some(_) => {}
            None => {
                let configured = self.configured(realm).expect("its realm is configured");
                let patterns = configured.call_queue.iter().map(|rule| (rule.uri, rule.policy));
                let rule = uri::best(patterns, message[3].as_str().expect("a URI"));
                let most = rule.map_or(0, |rule| configured.call_queue[rule].limit);
                if self.realm(realm).waiting(id).len() >= most {
                    return Err(Fault::Refused("crossbar.error.max_concurrency_reached"));
                }
            }
        }
        self.last_call += 1;
        let number = self.last_call;
        self.realm(realm).calls.push(Call {
            number,
            caller,
            request,
            registration: id,
            delivery: None,
            message: message.clone(),
            grant,
            pieces: vec![message.clone()],
            is_unfinished: message[2]["progress"] == true,
            tried: Vec::new(),
            has_progressed: false,
            is_interrupted: false,
            timeout_ms: message[2]["timeout"].as_u64().unwrap_or_default(),
            deadline: None,
        });
        match chosen {
            Some(callee) => self.dispatch(number, &callee),
            None => self.restart_timer(number),
        }
        Ok(())
    }

    /// A CALL with the id of an earlier one: the next piece. [advanced/rpc_progressive_call_invocations]
    pub(super) fn resume(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let (request, is_more) = (message[1].as_u64().expect("an id"), message[2]["progress"] == true);
        let realm = self.realm_of(at);
        let mine = |call: &&mut Call| call.caller == Caller::Session(at) && call.request == request;
        let Some(call) = realm.calls.iter_mut().find(mine) else {
            // It is over: the two crossed.
            if !is_more {
                self.session_mut(at).cut_short.retain(|id| *id != request);
            }
            return Ok(());
        };
        if call.message[2]["progress"] != true {
            return Err(Fault::Violation);
        }
        if call.message[3] != message[3] {
            return Ok(());
        }
        if !call.is_unfinished {
            return Err(Fault::Violation);
        }
        if !message[4].is_null() && message[2]["enc_algo"].is_string() != call.is_encoded() {
            return Err(Fault::Violation);
        }
        call.is_unfinished = is_more;
        if call.is_interrupted {
            return Ok(());
        }
        if !call.pieces.is_empty() {
            call.pieces.push(message.clone());
        }
        let number = call.number;
        if let Some(delivery) = call.delivery.clone() {
            self.invoke(&delivery, message, is_more);
        }
        self.restart_timer(number);
        Ok(())
    }

    /// Calls that wait go to callees that are free.
    pub(super) fn serve(&mut self, realm: &str, id: u64) {
        while let Some(number) = self.realm(realm).waiting(id).first().copied() {
            let message = self.open_call(number).message.clone();
            let Some(callee) = self.choose(realm, id, &message, &[]) else { return };
            if self.understands(callee.transport, &message[2]) {
                self.dispatch(number, &callee);
            } else {
                self.finish_with_error(number, FEATURE_NOT_SUPPORTED);
            }
        }
    }

    /// All that is there of a call, to a callee that understands it.
    fn dispatch(&mut self, number: u64, callee: &Callee) {
        let at = callee.transport;
        let reroutes = self.has_feature(at, "callee", "call_reroute");
        let watches = callee.forwards_timeout && self.has_feature(at, "callee", "call_timeout");
        let is_told_trust = self.has_feature(at, "callee", "call_trustlevels");
        let receives_progress = self.receives_progress(number);
        let session = self.session_mut(at);
        session.invocations += 1;
        let invocation = session.invocations;
        let realm = self.realm_of(at);
        let call = realm.calls.iter().find(|call| call.number == number).expect("the call is open");
        let known = realm.registrations.iter().find(|known| known.id == call.registration);
        let known = known.expect("who is called has a registration");
        let (is_pattern, has_others) = (known.policy != "exact", known.callees.len() > 1);
        let options = call.message[2].clone();
        let (caller, registration, pieces) = (call.caller, call.registration, call.pieces.clone());
        let (grant, is_unfinished) = (call.grant, call.is_unfinished);
        // The router watches its own timeouts.
        let watches = watches && matches!(caller, Caller::Session(_));
        let timeout_ms = options["timeout"].as_u64().unwrap_or_default();
        let mut details = passthru(&options);
        if let Caller::Session(caller) = caller
            && grant.discloses(options["disclose_me"] == true || callee.discloses_caller)
        {
            let caller = self.session(caller);
            details.insert("caller".into(), caller.id.into());
            details.insert("caller_authid".into(), caller.authid.clone().into());
            details.insert("caller_authrole".into(), caller.authrole.clone().into());
        }
        if is_pattern {
            details.insert("procedure".into(), pieces[0][3].clone());
        }
        if receives_progress {
            details.insert("receive_progress".into(), true.into());
        }
        if watches && timeout_ms > 0 {
            details.insert("timeout".into(), timeout_ms.into());
        }
        if let Some(trustlevel) = grant.trustlevel.filter(|_| is_told_trust) {
            details.insert("trustlevel".into(), trustlevel.into());
        }
        let is_counted = callee.concurrency.is_some();
        let delivery = Delivery { callee: at, invocation, is_counted, registration, details };
        for (position, piece) in pieces.iter().enumerate() {
            self.invoke(&delivery, piece, position + 1 < pieces.len() || is_unfinished);
        }
        let call = self.open_call(number);
        call.delivery = Some(delivery);
        if !(reroutes && has_others) {
            call.pieces.clear();
        }
        let is_watched = call.deadline.is_some();
        if watches {
            call.timeout_ms = 0;
            call.deadline = None;
        } else if !is_watched {
            call.timeout_ms = timeout_ms;
            self.restart_timer(number);
        }
    }

    /// One INVOCATION.
    fn invoke(&mut self, delivery: &Delivery, piece: &Value, is_more: bool) {
        let mut details = delivery.details.clone();
        if is_more {
            details.insert("progress".into(), true.into());
        }
        let head = json!([68, delivery.invocation, delivery.registration, details]);
        self.send(delivery.callee, with_payload(head, piece, 4));
    }

    /// Whether a callee announced what a CALL with these options takes.
    pub(super) fn understands(&self, at: usize, options: &Value) -> bool {
        let has = |feature| self.has_feature(at, "callee", feature);
        let takes_pieces = has("progressive_call_invocations") && has("call_canceling");
        (options["progress"] != true || takes_pieces) && self.takes_payload(at, "callee", options)
    }

    fn receives_progress(&mut self, number: u64) -> bool {
        self.open_call(number).message[2]["receive_progress"] == true
    }

    /// YIELD.
    pub(super) fn answer(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let options = &message[2];
        self.demand_payload(at, "callee", options)?;
        let Some(number) = self.open_invocation(at, &message[1])? else { return Ok(()) };
        if options["progress"] != true {
            self.finish(number, true, |request| {
                with_payload(json!([50, request, passthru(options)]), message, 3)
            });
            return Ok(());
        }
        let receives_progress = self.receives_progress(number);
        let call = self.open_call(number);
        let (caller, request) = (call.caller, call.request);
        if let Caller::Session(caller) = caller
            && receives_progress
        {
            call.has_progressed = true;
            // [advanced/rpc_progressive_call_results] the timeout is one between results.
            self.restart_timer(number);
            if !self.takes_payload(caller, "caller", options) {
                self.interrupt(number, "killnowait");
                self.finish_with_error(number, FEATURE_NOT_SUPPORTED);
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
        let Some(number) = self.open_invocation(at, &message[2])? else { return Ok(()) };
        let call = self.open_call(number);
        let stops = call.is_interrupted && message[4] == "wamp.error.runtime_error";
        let is_over = call.caller == Caller::Nobody || call.is_interrupted || call.has_progressed;
        let reroutes = self.has_feature(at, "callee", "call_reroute");
        if message[4] == "wamp.error.unavailable" && reroutes && !is_over {
            self.reroute(number, at);
            return Ok(());
        }
        let is_uri = message[4].as_str().is_some_and(|error| uri::is_valid(error, "exact", false));
        let error = match is_uri {
            _ if stops => json!("wamp.error.canceled"),
            true => message[4].clone(),
            false => json!("wamp.error.invalid_uri"),
        };
        self.finish(number, true, |request| {
            with_payload(json!([8, 48, request, passthru(&message[3]), error]), message, 5)
        });
        Ok(())
    }

    /// Another callee for a call whose callee is unavailable. [advanced/rpc_call_rerouting]
    fn reroute(&mut self, number: u64, at: usize) {
        let realm = self.session(at).realm.clone();
        let call = self.open_call(number);
        let delivery = call.delivery.take().expect("somebody was asked");
        call.tried.push(at);
        let (id, message, can_move) = (call.registration, call.message.clone(), !call.pieces.is_empty());
        let error = loop {
            let tried = self.open_call(number).tried.clone();
            let known = self.realm(&realm).registrations.iter().find(|known| known.id == id);
            let Some(known) = known.filter(|_| can_move) else {
                break Some("wamp.error.no_available_callee");
            };
            let is_left = known.callees.iter().any(|callee| !tried.contains(&callee.transport));
            let Some(callee) = self.choose(&realm, id, &message, &tried) else {
                break Some(match is_left {
                    true => "crossbar.error.max_concurrency_reached",
                    false => "wamp.error.no_available_callee",
                });
            };
            self.open_call(number).tried.push(callee.transport);
            if self.understands(callee.transport, &message[2]) {
                self.dispatch(number, &callee);
                break None;
            }
        };
        if let Some(error) = error {
            self.finish_with_error(number, error);
        }
        if delivery.is_counted {
            self.serve(&realm, id);
        }
    }

    /// [advanced/rpc_call_canceling] for a callee that cannot be interrupted every mode is a skip.
    pub(super) fn cancel(&mut self, at: usize, message: &Value) {
        let mode = message[2]["mode"].as_str().unwrap_or("skip");
        let calls = &self.realm_of(at).calls;
        let mine = |call: &&Call| call.caller == Caller::Session(at) && message[1] == call.request;
        // If it is over, the two messages crossed.
        let Some(number) = calls.iter().find(mine).map(Call::number) else { return };
        if mode != "skip" {
            self.interrupt(number, mode);
        }
        if mode != "kill" || !self.open_call(number).is_interrupted {
            self.finish_with_error(number, "wamp.error.canceled");
        }
    }

    pub(super) fn time_out(&mut self, number: u64) {
        self.open_call(number).deadline = None;
        self.interrupt(number, "killnowait");
        self.finish_with_error(number, "wamp.error.timeout");
    }

    /// Nobody waits for a call any more; answers the registration in which a callee is free now.
    pub(super) fn abandon(&mut self, number: u64) -> Option<u64> {
        self.interrupt(number, "killnowait");
        self.let_go(number, false)
    }

    /// A session has left: nobody answers its callers any more, nobody waits for its callees.
    pub(super) fn leave_registrations_and_calls(&mut self, at: usize, session: &Session) {
        let name = session.realm.clone();
        let mut freed = Vec::new();
        loop {
            let calls = self.realm(&name).calls.iter();
            let mine = calls.filter(|call| call.caller == Caller::Session(at));
            let Some(call) = mine.min_by_key(|call| call.request) else { break };
            let number = call.number;
            freed.extend(self.abandon(number));
        }
        let registrations = self.realm(&name).registrations.iter();
        let mut held: Vec<u64> = registrations.filter(|held| held.has(at)).map(|held| held.id).collect();
        held.sort_unstable();
        for id in held {
            self.remove_callee(&name, at, id);
        }
        loop {
            let calls = self.realm(&name).calls.iter();
            let asked = calls.filter(|call| call.callee() == Some(at));
            let Some(call) = asked.min_by_key(|call| call.delivery.as_ref().map(|it| it.invocation)) else {
                break;
            };
            let number = call.number;
            self.finish_with_error(number, "wamp.error.canceled");
        }
        for id in freed {
            self.serve(&name, id);
        }
    }

    pub(super) fn open_call(&mut self, number: u64) -> &mut Call {
        let mut calls = self.realms.iter_mut().flat_map(|realm| &mut realm.calls);
        calls.find(|call| call.number == number).expect("the call is open")
    }

    /// The call that a callee may answer; none if it ended before the answer came.
    fn open_invocation(&mut self, at: usize, invocation: &Value) -> Result<Option<u64>, Fault> {
        self.demand_role(at, "callee")?;
        // It was never sent such an invocation.
        if invocation.as_u64().expect("an id") > self.session(at).invocations {
            return Err(Fault::Violation);
        }
        let is_it = |delivery: &Delivery| delivery.callee == at && *invocation == delivery.invocation;
        let mut calls = self.realm_of(at).calls.iter();
        Ok(calls.find(|call| call.delivery.as_ref().is_some_and(is_it)).map(Call::number))
    }

    /// INTERRUPT, once, to a callee that announced that it understands it.
    fn interrupt(&mut self, number: u64, mode: &str) {
        let call = self.open_call(number);
        let is_interrupted = call.is_interrupted;
        let Some(Delivery { callee, invocation, .. }) = call.delivery.clone() else { return };
        if !is_interrupted && self.has_feature(callee, "callee", "call_canceling") {
            self.open_call(number).is_interrupted = true;
            self.send(callee, json!([69, invocation, { "mode": mode }]));
        }
    }

    fn restart_timer(&mut self, number: u64) {
        let timeout_ms = self.open_call(number).timeout_ms;
        self.open_call(number).deadline = (timeout_ms > 0).then(|| self.timer(timeout_ms));
    }

    pub(super) fn finish_with_error(&mut self, number: u64, error: &str) {
        self.finish(number, false, |request| json!([8, 48, request, {}, error, [TEXT]]));
    }

    /// The end of a call, and what its caller hears.
    fn finish(&mut self, number: u64, is_answered: bool, answer: impl FnOnce(u64) -> Value) {
        let call = self.open_call(number);
        let (caller, request) = (call.caller, call.request);
        let mut realms = self.realms.iter();
        let realm = realms.find(|realm| realm.calls.iter().any(|call| call.number == number));
        let realm = realm.expect("its realm is there").name.clone();
        let freed = self.let_go(number, is_answered);
        match caller {
            Caller::Session(caller) => {
                let mut answer = answer(request);
                let details = &answer[if answer[0] == 50 { 2 } else { 3 }];
                if !self.takes_payload(caller, "caller", details) {
                    answer = json!([8, 48, request, {}, FEATURE_NOT_SUPPORTED, [TEXT]]);
                }
                self.send(caller, answer);
            }
            Caller::Router(question) => {
                let answer = answer(request);
                let error = || answer[4].as_str().unwrap_or_default().to_owned();
                self.answered(question, if answer[0] == 50 { Ok(answer[3].clone()) } else { Err(error()) });
            }
            Caller::Nobody => {}
        }
        if let Some(id) = freed {
            self.serve(&realm, id);
        }
    }

    /// Forgets a call, but for a callee with a limit that works on it all the same: until its answer it is busy. Answers
    /// the registration in which a callee is free now.
    fn let_go(&mut self, number: u64, is_answered: bool) -> Option<u64> {
        let most = self.settings.limits.calls;
        let call = self.open_call(number);
        let (caller, request, is_unfinished) = (call.caller, call.request, call.is_unfinished);
        let (registration, is_interrupted) = (call.registration, call.is_interrupted);
        let delivery = call.delivery.clone();
        let counted = delivery.filter(|delivery| delivery.is_counted);
        if let Caller::Session(caller) = caller
            && is_unfinished
            && self.joined(caller).is_some()
        {
            self.note_cut_short(caller, request);
        }
        // How many such are kept is bounded.
        let works_on = counted.as_ref().is_some_and(|Delivery { callee, .. }| {
            let calls = self.realms.iter().flat_map(|realm| &realm.calls);
            let open = calls.filter(|call| call.callee() == Some(*callee)).count();
            self.joined(*callee).is_some() && open <= most
        });
        if works_on && !is_answered && !is_interrupted {
            let call = self.open_call(number);
            call.caller = Caller::Nobody;
            call.deadline = None;
            call.is_unfinished = false;
            return None;
        }
        for realm in &mut self.realms {
            realm.calls.retain(|call| call.number != number);
        }
        counted.map(|_| registration)
    }

    /// A progressive call has ended, and its caller may have sent more of it. Where no sequence is checked, only this
    /// tells a piece that comes too late from a new call.
    pub(super) fn note_cut_short(&mut self, at: usize, request: u64) {
        let session = self.session_mut(at);
        if session.last_request.is_none() {
            session.cut_short.push(request);
        }
    }
}
