//! What a role may do by its authorizer: requests that wait, in order, while the authorizer of their session thinks. [advanced/authorization]

use serde_json::{Value, json};

use super::super::settings::{Authorizer, Disclosure};
use super::meta::wanted_testament as wanted;
use super::permissions::Grant;
use super::{ANY, Call, Caller, Deadline, Fault, Model, Session, is_request, uri};

/// Something that the router asks a procedure, or a function of its driver.
#[derive(Clone, Debug)]
pub struct Question {
    pub number: u64,
    /// The transport whose first waiting request it is about, or whose client authenticates.
    at: usize,
    /// A function is asked; how long a procedure may take is watched like any call.
    pub function: Option<&'static str>,
    pub values: Value,
    pub(super) deadline: Option<Deadline>,
    /// Decisions were forgotten since: so will this one be.
    is_outdated: bool,
}

pub enum Task {
    /// What somebody answered: positional arguments, or an error.
    Answered {
        question: Question,
        answer: Result<Value, String>,
    },
    GoOn(usize),
}

/// A request that waits.
#[derive(Clone)]
pub struct Waiting {
    pub message: Value,
    /// A CALL that goes on with one that has been decided about, or waits before it.
    is_piece: bool,
}

/// What an authorizer lets the router remember.
pub struct Decision {
    pub realm: String,
    about: Value,
    until_ms: u64,
    verdict: Result<Grant, &'static str>,
}

impl Model {
    /// Whether a message has to wait. YIELD, ERROR and ABORT never do, and GOODBYE only behind something.
    pub(super) fn must_wait(&mut self, at: usize, code: u64, message: &Value, is_piece: bool) -> bool {
        let is_first = self.session(at).waiting.is_empty();
        match code {
            6 => !is_first,
            _ => is_request(code) && !(is_first && (is_piece || self.may_go_on(at, message))),
        }
    }

    /// Whether nothing is done with a message: what comes after a GOODBYE that waits.
    pub(super) fn is_too_late(&self, at: usize, code: u64) -> bool {
        self.session(at).leaving.is_some() && (code == 6 || is_request(code))
    }

    /// Ends a call that waits, with its pieces; whether there was one. Pieces alone are of a call that is under way.
    pub(super) fn cancel_waiting(&mut self, at: usize, request: &Value) -> bool {
        let session = self.session_mut(at);
        let is_of_call = |waiting: &Waiting| waiting.message[0] == 48 && waiting.message[1] == *request;
        if !session.waiting.iter().any(|waiting| is_of_call(waiting) && !waiting.is_piece) {
            return false;
        }
        let is_first = is_of_call(&session.waiting[0]);
        let last = session.waiting.iter().rfind(|waiting| is_of_call(waiting)).cloned();
        session.waiting.retain(|waiting| !is_of_call(waiting));
        let call = last.expect("there is one").message;
        self.conclude(at, 48, &call, Err(Fault::Refused("wamp.error.canceled")));
        if is_first {
            self.ask_anew(at);
        }
        true
    }

    /// A GOODBYE has waited for long enough.
    pub(super) fn leave_at_last(&mut self, at: usize) {
        let goodbye = self.session_mut(at).waiting.pop().expect("a GOODBYE waits");
        let _ = self.request(at, 6, &goodbye.message);
    }

    pub(super) fn wait(&mut self, at: usize, message: &Value, is_piece: bool) -> Result<(), Fault> {
        let most = self.settings.limits.waiting_requests;
        let is_goodbye = message[0] == 6;
        if is_goodbye {
            let deadline = self.timer(self.settings.limits.answer_timeout_ms);
            self.session_mut(at).leaving = Some(deadline);
        }
        let session = self.session_mut(at);
        if !is_goodbye && session.waiting.len() >= most {
            if is_piece {
                // The call cannot do without it.
                return Err(Fault::Violation);
            }
            // There is no ERROR for a CANCEL.
            let is_answered = message[0] != 49;
            return if is_answered { Err(Fault::Refused("wamplet.error.limit_exceeded")) } else { Ok(()) };
        }
        session.waiting.push(Waiting { message: message.clone(), is_piece });
        if session.waiting.len() == 1 {
            self.ask_authorizer(at);
        }
        Ok(())
    }

    /// The session has left: what waited is forgotten, and whoever was asked may stop thinking.
    pub(super) fn give_up_waiting(&mut self, at: usize, session: &Session) {
        if let Some(number) = session.asking {
            self.withdraw(number);
        }
        self.tasks.retain(|task| !matches!(task, Task::GoOn(other) if *other == at));
    }

    /// What was asked does not matter any more: a new configuration decides about what waits, or something else is the
    /// first to wait.
    pub(super) fn ask_anew(&mut self, at: usize) {
        let session = self.session_mut(at);
        session.passed = None;
        let asking = session.asking.take();
        if let Some(number) = asking {
            self.withdraw(number);
        }
        self.tasks.push_back(Task::GoOn(at));
    }

    /// Takes the answer to a question; what it means is looked at when the input has had its effects.
    pub fn answered(&mut self, number: u64, answer: Result<Value, String>) {
        if let Some(position) = self.questions.iter().position(|question| question.number == number) {
            let question = self.questions.remove(position);
            self.tasks.push_back(Task::Answered { question, answer });
        }
    }

    pub(super) fn do_tasks(&mut self) {
        while let Some(task) = self.tasks.pop_front() {
            match task {
                Task::Answered { question, answer } => {
                    self.authenticated(question.at, question.number, &answer);
                    self.decide(&question, answer.as_ref().ok());
                }
                Task::GoOn(at) => self.go_on(at),
            }
        }
    }

    fn go_on(&mut self, at: usize) {
        let Some(session) = self.joined(at) else { return };
        let first = session.waiting.first().filter(|_| session.asking.is_none());
        let Some(Waiting { message, is_piece }) = first.cloned() else { return };
        if is_piece || self.may_go_on(at, &message) {
            self.let_pass(at);
        } else {
            self.ask_authorizer(at);
        }
    }

    /// Carries out the first request that waits; then the next is looked at.
    fn let_pass(&mut self, at: usize) {
        let session = self.session_mut(at);
        session.passed = None;
        let Waiting { message, is_piece } = session.waiting.remove(0);
        let code = message[0].as_u64().expect("a code");
        self.tasks.push_back(Task::GoOn(at));
        let done = if is_piece { self.resume(at, &message) } else { self.request(at, code, &message) };
        (self.verdict, self.testament_verdict) = (None, None);
        self.conclude(at, code, &message, done);
    }

    fn decide(&mut self, question: &Question, answer: Option<&Value>) {
        let at = question.at;
        let asks = |session: &&Session| session.asking == Some(question.number);
        let Some(session) = self.joined(at).filter(asks).cloned() else { return };
        self.session_mut(at).asking = None;
        let message = &session.waiting[0].message;
        let about = asked_about(&session, message);
        let (verdict, is_remembered) = match answer.and_then(|args| read(args.get(0)?)) {
            None => (Err("wamp.error.authorization_failed"), false),
            Some((false, _, cache)) => (Err("wamp.error.not_authorized"), cache),
            Some((true, disclose, cache)) => {
                let disclosure = if disclose { Disclosure::Always } else { Disclosure::OnRequest };
                (Ok(Grant { disclosure, trustlevel: None }), cache)
            }
        };
        let cache_ms = self.authorizer(at).map_or(0, |authorizer| authorizer.cache_ms);
        if is_remembered && cache_ms > 0 && !question.is_outdated {
            let (realm, until_ms) = (session.realm, self.now_ms + cache_ms);
            self.decisions.retain(|decision| decision.realm != realm || decision.about != about);
            self.decisions.push(Decision { realm, about, until_ms, verdict });
        }
        match (session.passed, verdict) {
            (Some(passed), Ok(grant)) => {
                self.verdict = Some(Ok(passed));
                self.testament_verdict = Some(grant);
            }
            (None, Ok(grant)) if wanted(message).is_some() => {
                self.session_mut(at).passed = Some(grant);
                self.tasks.push_back(Task::GoOn(at));
                return;
            }
            _ => self.verdict = Some(verdict),
        }
        self.let_pass(at);
    }

    /// Whether nobody has to be asked; where somebody else would be, the verdict is known.
    fn may_go_on(&mut self, at: usize, message: &Value) -> bool {
        let session = self.session(at).clone();
        let Some(about) = about(&session, message) else { return true };
        let Some(authorizer) = self.authorizer(at) else { return true };
        let (action, text) = (about[2].as_str().expect("an action"), message[3].as_str().expect("a URI"));
        let policy = about[3].as_str().expect("a policy");
        // What is refused in any case is refused without asking.
        let role = match action {
            "call" => "caller",
            "register" => "callee",
            "publish" => "publisher",
            _ => "subscriber",
        };
        let is_refused = self.demand_role(at, role).is_err()
            || self.check_uri(at, text, policy).is_err()
            || matches!(action, "publish" | "register") && uri::is_reserved(text)
            || action == "register" && uri::is_of_router(text);
        if is_refused {
            return true;
        }
        let mut verdict = match session.passed {
            Some(grant) => Ok(grant),
            None => match self.known(at, &authorizer, &about) {
                Some(verdict) => verdict,
                None => return false,
            },
        };
        if let (Ok(grant), Some(topic)) = (verdict, wanted(message))
            && self.check_uri(at, &topic, "exact").is_ok()
            && !uri::is_reserved(&topic)
        {
            match self.known(at, &authorizer, &about_testament(&session, &topic)) {
                None => {
                    self.session_mut(at).passed = Some(grant);
                    return false;
                }
                Some(Ok(grant)) => self.testament_verdict = Some(grant),
                // A call that may not do what it is for is refused like any other.
                Some(refused) => verdict = refused,
            }
        }
        self.verdict = Some(verdict);
        true
    }

    /// What is decided without asking.
    fn known(
        &mut self,
        at: usize,
        authorizer: &Authorizer,
        about: &Value,
    ) -> Option<Result<Grant, &'static str>> {
        let realm = self.realm_of(at);
        let found = realm.best_registration(authorizer.name).filter(|_| !authorizer.is_function);
        if found.is_some_and(|found| realm.registrations[found].has(at)) {
            // It would have to answer a question about itself.
            return Some(Ok(Grant::default()));
        }
        let name = self.session(at).realm.clone();
        let known = self.decisions.iter().find(|decision| {
            decision.realm == name && decision.about == *about && decision.until_ms > self.now_ms
        });
        known.map(|decision| decision.verdict)
    }

    pub(super) fn authorizer(&self, at: usize) -> Option<Authorizer> {
        self.authorizer_of(self.session(at))
    }

    pub(super) fn authorizer_of(&self, session: &Session) -> Option<Authorizer> {
        let configured = self.configured(&session.realm)?;
        configured.roles.iter().find(|role| role.name == session.authrole)?.authorizer.clone()
    }

    fn ask_authorizer(&mut self, at: usize) {
        let session = self.session(at).clone();
        let authorizer = self.authorizer(at).expect("who waits has an authorizer");
        let message = &session.waiting[0].message;
        let about = asked_about(&session, message);
        // The options of the request are not compared.
        let values = json!([*session.details, about[4], about[2], ANY]);
        let number = self.next_question();
        self.session_mut(at).asking = Some(number);
        let who = if authorizer.is_function { Ok(authorizer.name) } else { Err(authorizer.name) };
        self.ask(number, at, who, Some(session.realm), values);
    }

    pub(super) fn next_question(&mut self) -> u64 {
        self.last_question += 1;
        self.last_question
    }

    /// Asks a function, or a procedure of a realm.
    pub(super) fn ask(
        &mut self,
        number: u64,
        at: usize,
        who: Result<&'static str, &'static str>,
        realm: Option<String>,
        values: Value,
    ) {
        let timeout = self.settings.limits.answer_timeout_ms;
        let function = who.ok();
        let deadline = function.map(|_| self.timer(timeout));
        let is_outdated = false;
        self.questions.push(Question { number, at, function, values: values.clone(), deadline, is_outdated });
        let (Err(procedure), Some(realm)) = (who, realm) else { return };
        let Some(found) = self.realm(&realm).best_registration(procedure) else {
            return self.answered(number, Err("wamp.error.no_such_procedure".into()));
        };
        let call = json!([48, 0, { "timeout": timeout }, procedure, values]);
        let grant = Grant { disclosure: Disclosure::Never, trustlevel: None };
        let id = self.realm(&realm).registrations[found].id;
        if let Err(Fault::Refused(error)) = self.place(&realm, id, Caller::Router(number), 0, grant, &call) {
            self.answered(number, Err(error.into()));
        }
    }

    /// Forgets what was decided about the sessions of an authid, or about all; answers how many decisions, be they too old or not.
    pub(super) fn forget_decisions(&mut self, realm: &str, authid: Option<&str>) -> usize {
        let before = self.decisions.len();
        let is_about = |decision: &Decision| authid.is_none_or(|authid| decision.about[0] == authid);
        self.decisions.retain(|decision| decision.realm != realm || !is_about(decision));
        let asked: Vec<usize> = self.sessions(realm).into_iter().map(|(_, at)| at).collect();
        for question in self.questions.iter_mut().filter(|question| asked.contains(&question.at)) {
            question.is_outdated = true;
        }
        before - self.decisions.len()
    }

    /// Does without an answer.
    pub(super) fn withdraw(&mut self, number: u64) {
        self.questions.retain(|question| question.number != number);
        let asking = |call: &Call| call.caller == Caller::Router(number);
        let Some(realm) = self.realms.iter().find(|realm| realm.calls.iter().any(asking)) else { return };
        let (name, call) =
            (realm.name.clone(), realm.calls.iter().find(|call| asking(call)).map(Call::number));
        if let Some(id) = call.and_then(|call| self.abandon(call)) {
            self.serve(&name, id);
        }
    }
}

/// Whose permission for what: nothing where a message needs none.
fn about(session: &Session, message: &Value) -> Option<Value> {
    let policy = message[2]["match"].as_str().unwrap_or("exact");
    let (action, policy) = match message[0].as_u64()? {
        16 => ("publish", "exact"),
        32 => ("subscribe", policy),
        48 => ("call", "exact"),
        64 => ("register", policy),
        _ => return None,
    };
    Some(json!([session.authid, session.authrole, action, policy, message[3]]))
}

/// What the authorizer is asked about the first request that waits.
fn asked_about(session: &Session, message: &Value) -> Value {
    match wanted(message).filter(|_| session.passed.is_some()) {
        Some(topic) => about_testament(session, &topic),
        None => about(session, message).expect("who waits needs permission"),
    }
}

fn about_testament(session: &Session, topic: &str) -> Value {
    json!([session.authid, session.authrole, "publish", "exact", topic])
}

/// `allow`, `disclose` and `cache` of an answer, if it is one.
fn read(answer: &Value) -> Option<(bool, bool, bool)> {
    match answer {
        Value::Bool(allow) => Some((*allow, false, false)),
        Value::Object(pairs) => {
            let flag = |key: &str| match pairs.get(key) {
                None | Some(Value::Null) => Some(false),
                Some(value) => value.as_bool(),
            };
            let is_known = |(key, value): (&String, &Value)| match key.as_str() {
                "validate" => value.is_null(),
                key => ["allow", "disclose", "cache"].contains(&key),
            };
            let allow = pairs.get("allow")?.as_bool()?;
            pairs.iter().all(is_known).then_some((allow, flag("disclose")?, flag("cache")?))
        }
        _ => None,
    }
}
