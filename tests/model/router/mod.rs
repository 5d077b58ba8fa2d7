//! A router that is small, slow and easily seen to be right: lists that are searched from the beginning, values in place
//! of bytes, and no table that could contradict another one.
//!
//! Written from the specification and from what ARCHITECTURE.md decides, not from `src/router`. It takes the same
//! inputs as a router and answers what each transport must get. What a router draws by chance it is told: ids of
//! sessions and generated authids from the WELCOMEs that the router sent in the same step, the callee under the policy
//! `random` from its INVOCATION, who leaves first at a shutdown; [`publication`] and [`TEXT`] stand for what only has to fit.

pub mod grammar;
mod guard;
mod meta;
mod pubsub;
mod rpc;
mod uri;

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

pub use self::guard::Question;
use self::guard::{Decision, Task};
use super::settings::{RealmSettings, Settings};

/// In an expectation: any text but the empty one.
pub const TEXT: &str = "<text>";

/// In an expectation: any value.
pub const ANY: &str = "<any>";

/// In an expectation: the id of a publication, drawn at random, and the same wherever this number stands.
pub fn publication(number: u64) -> Value {
    format!("<publication {number}>").into()
}

/// In an expectation: these ids in any order.
pub fn in_any_order(mut ids: Vec<u64>) -> Value {
    ids.sort_unstable();
    json!({ ANY_ORDER: ids })
}

/// The key of [`in_any_order`].
pub const ANY_ORDER: &str = "<in any order>";

/// What one transport got in a step, in order. Closing it is a text: `closed: Normal`.
pub type Heard = Vec<Value>;

/// When a timer goes off: its milliseconds, and which of several comes first.
pub type Deadline = (u64, u64);

/// The whole of it.
pub struct Model {
    pub settings: Settings,
    pub now_ms: u64,
    /// In the order in which they were opened; closed ones stay.
    pub transports: Vec<Transport>,
    pub realms: Vec<Realm>,
    timers: u64,
    publications: u64,
    is_shut_down: bool,
    /// What was asked and is not answered.
    pub questions: Vec<Question>,
    last_question: u64,
    /// What happens when the input has had its effects.
    tasks: VecDeque<Task>,
    /// What authorizers let the router remember.
    decisions: Vec<Decision>,
    /// About the request that is being carried out, where an authorizer decides.
    verdict: Option<Result<bool, &'static str>>,
    /// Whether the testament that this request adds discloses its publisher, as an authorizer says that allows it.
    testament_verdict: Option<bool>,
    /// What the router did in this step, by transport.
    heard: Vec<Heard>,
    /// Whom the router told to go in this step, in its order.
    told_to_go: Vec<usize>,
    expected: Vec<Heard>,
}

/// Who a driver says is at the other end.
#[derive(Clone, Debug)]
pub struct Identity {
    pub realm: Option<&'static str>,
    pub authid: Option<&'static str>,
    pub authrole: &'static str,
    /// In the place of what the client says of itself.
    pub authextra: Option<Value>,
}

pub struct Transport {
    pub serializer: &'static str,
    pub identity: Option<Identity>,
    pub state: State,
}

pub enum State {
    /// Awaits HELLO.
    Open(Deadline),
    Joined(Box<Session>),
    /// Was sent GOODBYE, and has not answered.
    Closing(Deadline),
    Gone,
}

#[derive(Clone)]
pub struct Session {
    pub id: u64,
    pub realm: String,
    pub authid: String,
    pub authrole: String,
    /// What the session meta API says of it.
    pub details: Value,
    /// As HELLO announced them.
    roles: Value,
    /// The last request id; none where the first was not 1, and the client counts in its own way.
    pub last_request: Option<u64>,
    /// INVOCATIONs that it was sent.
    pub invocations: u64,
    testaments: Vec<Testament>,
    /// Requests that wait for the authorizer, the first of which it is asked about.
    waiting: Vec<Value>,
    /// The number of the question.
    asking: Option<u64>,
    /// The first of them adds a testament, and may: whether that discloses. What is asked about now is the testament.
    passed: Option<bool>,
    /// When a GOODBYE, the last that waits, waits no longer.
    leaving: Option<Deadline>,
}

/// What a session wants published when it has ended.
#[derive(Clone)]
struct Testament {
    scope: String,
    publication: Value,
    /// As if the session sent it.
    publish: Value,
    /// Of an authorizer that allowed it: whether it discloses.
    decision: Option<bool>,
}

/// What is there while somebody has joined, or because it is configured.
#[derive(Default)]
pub struct Realm {
    pub name: String,
    pub is_transient: bool,
    pub subscriptions: Vec<Subscription>,
    pub registrations: Vec<Registration>,
    pub calls: Vec<Call>,
    last_subscription: u64,
    last_registration: u64,
}

pub struct Subscription {
    pub id: u64,
    pub uri: String,
    pub policy: String,
    pub created: String,
    /// Transports.
    pub subscribers: Vec<usize>,
}

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
    discloses_caller: bool,
    forwards_timeout: bool,
}

/// Who waits for the end of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Caller {
    Session(usize),
    /// The router itself, with the number of its question.
    Router(u64),
}

/// A call under way.
pub struct Call {
    pub caller: Caller,
    pub request: u64,
    pub callee: usize,
    pub invocation: u64,
    receives_progress: bool,
    is_interrupted: bool,
    timeout_ms: u64,
    deadline: Option<Deadline>,
}

/// Why a request is not carried out.
pub enum Fault {
    Violation,
    Refused(&'static str),
}

impl Model {
    pub fn new(settings: Settings, now_ms: u64) -> Self {
        let realms = settings.realms.iter().map(|realm| Realm::new(realm.name, false)).collect();
        Self {
            settings,
            now_ms,
            transports: Vec::new(),
            realms,
            timers: 0,
            publications: 0,
            is_shut_down: false,
            questions: Vec::new(),
            last_question: 0,
            tasks: VecDeque::new(),
            decisions: Vec::new(),
            verdict: None,
            testament_verdict: None,
            heard: Vec::new(),
            told_to_go: Vec::new(),
            expected: Vec::new(),
        }
    }

    /// Begins a step, in which the router did this; answers afterwards are in [`expected`](Self::take_expected).
    pub fn begin(&mut self, heard: &[Heard], told_to_go: Vec<usize>) {
        self.heard = heard.to_vec();
        self.told_to_go = told_to_go;
        self.expected = vec![Vec::new(); self.transports.len()];
    }

    /// What each transport must have got in this step.
    pub fn take_expected(&mut self) -> Vec<Heard> {
        self.do_tasks();
        std::mem::take(&mut self.expected)
    }

    /// A new transport, unless nobody is let in any more.
    pub fn open(&mut self, serializer: &'static str, identity: Option<Identity>) -> bool {
        if !self.is_shut_down {
            let state = self.open_state();
            self.transports.push(Transport { serializer, identity, state });
        }
        !self.is_shut_down
    }

    /// The frame that a transport sent, if it is any kind of value.
    pub fn receive(&mut self, at: usize, message: &Value) {
        let is_well_formed = grammar::is_well_formed(message);
        let code = if is_well_formed { message[0].as_u64().expect("a code") } else { 0 };
        let fault = match &self.transports[at].state {
            State::Gone => return,
            State::Closing(_) => {
                // [basic/sessions] after its GOODBYE the router discards all but the answer.
                if matches!(code, 3 | 6) {
                    self.close(at, "Normal");
                }
                return;
            }
            State::Open(_) => match code {
                1 => self.hello(at, message),
                3 => {
                    self.close(at, "Normal");
                    Ok(())
                }
                _ => Err(Fault::Violation),
            },
            State::Joined(_) if is_well_formed => self.arrive(at, code, message),
            State::Joined(_) => Err(Fault::Violation),
        };
        (self.verdict, self.testament_verdict) = (None, None);
        self.conclude(at, code, message, fault);
    }

    /// The answer to what could not be done.
    fn conclude(&mut self, at: usize, code: u64, message: &Value, done: Result<(), Fault>) {
        match done {
            Ok(()) => {}
            Err(Fault::Violation) => {
                self.send(at, json!([3, { "message": TEXT }, "wamp.error.protocol_violation"]));
                self.leave(at, true);
                self.close(at, "ProtocolViolation");
            }
            Err(Fault::Refused(error)) if is_request(code) => {
                // [basic/publish_subscribe] nobody waits for the answer to an unacknowledged PUBLISH.
                if code != 16 || message[2]["acknowledge"] == true {
                    self.send(at, json!([8, code, message[1], {}, error, [TEXT]]));
                }
            }
            Err(Fault::Refused(error)) => {
                self.send(at, json!([3, { "message": TEXT }, error]));
                self.close(at, "Normal");
            }
        }
    }

    /// A transport is lost.
    pub fn lose(&mut self, at: usize) {
        self.leave(at, true);
        self.transports[at].state = State::Gone;
    }

    /// When something will happen by itself.
    pub fn next_deadline(&self) -> Option<u64> {
        self.first_timer().map(|(deadline, _)| deadline.0)
    }

    /// What is due at this time.
    pub fn pass(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        while let Some((deadline, what)) = self.first_timer()
            && deadline.0 <= now_ms
        {
            match what {
                Due::Transport(at) => self.close(at, "Timeout"),
                Due::Call { realm, call } => self.time_out(realm, call),
                Due::Question(number) => self.answered(number, None),
                Due::Leave(at) => self.leave_at_last(at),
            }
            self.do_tasks();
        }
    }

    /// GOODBYE to all that have joined, and nobody hears of the others.
    pub fn shut_down(&mut self) {
        self.is_shut_down = true;
        // Who leaves first is nowhere said.
        let mut order = std::mem::take(&mut self.told_to_go);
        order.extend((0..self.transports.len()).filter(|at| !order.contains(at)).collect::<Vec<_>>());
        for at in order {
            match self.transports[at].state {
                State::Joined(_) => self.say_goodbye(at, "wamp.close.system_shutdown", json!({}), false),
                State::Open(_) => self.close(at, "Normal"),
                _ => {}
            }
        }
    }

    /// Another configuration: who has lost its role or its realm leaves.
    pub fn reload(&mut self, settings: Settings) {
        self.settings = settings;
        let details = json!({ "message": TEXT });
        let names: Vec<String> = self.realms.iter().map(|realm| realm.name.clone()).collect();
        for name in names {
            let sessions = self.sessions(&name);
            let realm = self.realm(&name);
            realm.is_transient = true;
            if let Some(configured) = self.configured(&name) {
                let is_transient = self.settings.any_realm;
                self.realm(&name).is_transient = is_transient;
                self.decisions.retain(|decision| decision.realm != name);
                let (mut staying, mut leaving) = (Vec::new(), Vec::new());
                for (_, at) in sessions {
                    let has_role = configured.has_role(&self.session(at).authrole);
                    if has_role { staying.push(at) } else { leaving.push(at) }
                }
                for at in staying {
                    self.ask_anew(at);
                }
                for at in leaving {
                    self.say_goodbye(at, "wamp.close.killed", details.clone(), true);
                }
            } else {
                for (_, at) in sessions {
                    self.say_goodbye(at, "wamp.close.close_realm", details.clone(), false);
                }
            }
            self.drop_if_empty(&name);
        }
        for realm in &self.settings.realms {
            if self.realms.iter().all(|known| known.name != realm.name) {
                self.realms.push(Realm::new(realm.name, false));
            }
        }
    }

    /// The session on a transport, which must have one.
    pub fn session(&self, at: usize) -> &Session {
        let State::Joined(session) = &self.transports[at].state else { panic!("transport {at} has joined") };
        session
    }

    /// The session on a transport, if it has one.
    pub fn joined(&self, at: usize) -> Option<&Session> {
        match &self.transports[at].state {
            State::Joined(session) => Some(session),
            _ => None,
        }
    }

    fn session_mut(&mut self, at: usize) -> &mut Session {
        let State::Joined(session) = &mut self.transports[at].state else {
            panic!("transport {at} has joined")
        };
        session
    }

    /// Ids and transports of those who have joined, by their ids.
    fn sessions(&self, realm: &str) -> Vec<(u64, usize)> {
        let joined = (0..self.transports.len()).filter_map(|at| Some((self.joined(at)?, at)));
        let mut sessions: Vec<(u64, usize)> = joined
            .filter(|(session, _)| session.realm == realm)
            .map(|(session, at)| (session.id, at))
            .collect();
        sessions.sort_unstable();
        sessions
    }

    fn realm(&mut self, name: &str) -> &mut Realm {
        self.realms.iter_mut().find(|realm| realm.name == name).expect("the realm is there")
    }

    /// The realm of the session on a transport.
    pub fn realm_of(&mut self, at: usize) -> &mut Realm {
        let name = self.session(at).realm.clone();
        self.realm(&name)
    }

    /// What is configured for a realm of this name.
    fn configured(&self, name: &str) -> Option<RealmSettings> {
        if self.settings.any_realm {
            return Some(RealmSettings::open());
        }
        self.settings.realms.iter().find(|realm| realm.name == name).cloned()
    }

    fn send(&mut self, at: usize, message: Value) {
        self.expected[at].push(message);
    }

    fn close(&mut self, at: usize, close: &str) {
        self.send(at, format!("closed: {close}").into());
        self.transports[at].state = State::Gone;
    }

    fn timer(&mut self, ms: u64) -> Deadline {
        self.timers += 1;
        (self.now_ms + ms, self.timers)
    }

    fn open_state(&mut self) -> State {
        State::Open(self.timer(self.settings.limits.hello_timeout_ms))
    }

    fn first_timer(&self) -> Option<(Deadline, Due)> {
        let transports =
            self.transports.iter().enumerate().filter_map(|(at, transport)| match transport.state {
                State::Open(deadline) | State::Closing(deadline) => Some((deadline, Due::Transport(at))),
                _ => None,
            });
        let calls = self.realms.iter().enumerate().flat_map(|(realm, known)| {
            let calls = known.calls.iter().enumerate();
            calls.filter_map(move |(call, known)| Some((known.deadline?, Due::Call { realm, call })))
        });
        let questions = self.questions.iter();
        let questions =
            questions.filter_map(|question| Some((question.deadline?, Due::Question(question.number))));
        let leaving =
            (0..self.transports.len()).filter_map(|at| Some((self.joined(at)?.leaving?, Due::Leave(at))));
        transports.chain(leaving).chain(calls).chain(questions).min_by_key(|(deadline, _)| *deadline)
    }

    /// [basic/sessions] HELLO is answered with WELCOME or ABORT.
    fn hello(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let roles = &message[2]["roles"];
        let is_role = |role: &Value| {
            let features = &role["features"];
            role.is_object() && (features.is_null() || features.is_object())
        };
        let known = ["publisher", "subscriber", "caller", "callee"];
        let Some(announced) = roles.as_object() else { return Err(Fault::Violation) };
        if !announced.values().all(is_role) || !known.iter().any(|role| announced.contains_key(*role)) {
            return Err(Fault::Violation);
        }
        let identity = self.transports[at].identity.clone();
        let fixed = identity.as_ref().and_then(|identity| identity.realm);
        let name = message[1].as_str().or(fixed).ok_or(Fault::Refused("wamp.error.no_such_realm"))?;
        if name.len() > self.settings.limits.uri_length || !uri::is_valid(name, "exact", false) {
            return Err(Fault::Refused("wamp.error.invalid_uri"));
        }
        // Who has an identity need not authenticate; nobody else can but as anonymous.
        let methods = &message[2]["authmethods"];
        let offers = match methods {
            Value::Null => true,
            Value::Array(methods) => methods.is_empty() || methods.iter().any(|method| method == "anonymous"),
            _ => false,
        };
        if identity.is_none() && !offers {
            return Err(Fault::Refused("wamp.error.no_matching_auth_method"));
        }
        let configured = self.configured(name).ok_or(Fault::Refused("wamp.error.no_such_realm"))?;
        if fixed.is_some_and(|fixed| fixed != name) {
            return Err(Fault::Refused("wamp.error.not_authorized"));
        }
        let is_new = self.realms.iter().all(|realm| realm.name != name);
        if is_new && self.realms.len() >= self.settings.limits.realms {
            return Err(Fault::Refused("wamp.error.no_such_realm"));
        }
        let authrole = identity.as_ref().map_or("anonymous", |identity| identity.authrole);
        if !configured.has_role(authrole) {
            return Err(Fault::Refused("wamp.error.no_such_role"));
        }
        if is_new {
            self.realms.push(Realm::new(name, true));
        }
        self.join(at, name, authrole, identity.as_ref().and_then(|identity| identity.authid), &message[2]);
        Ok(())
    }

    fn join(&mut self, at: usize, realm: &str, authrole: &str, authid: Option<&str>, hello: &Value) {
        let welcome = self.heard[at].iter().find(|message| message[0] == 2).cloned().unwrap_or_default();
        let id = welcome[1].as_u64().unwrap_or_default();
        let is_free =
            (1..=1 << 53).contains(&id) && self.sessions(realm).iter().all(|(other, _)| *other != id);
        let authid = authid.or(welcome[2]["authid"].as_str()).unwrap_or_default().to_owned();
        let has_identity = self.transports[at].identity.is_some();
        let given = self.transports[at].identity.as_ref().and_then(|identity| identity.authextra.as_ref());
        let authextra = given.or(Some(&hello["authextra"]).filter(|extra| extra.is_object())).cloned();
        let details = json!({
            "session": if is_free { json!(id) } else { json!("an id that no other session of the realm has") },
            "realm": realm,
            "authid": authid,
            "authrole": authrole,
            "authmethod": if has_identity { "test" } else { "anonymous" },
            "authprovider": if has_identity { "tests" } else { "static" },
            "authextra": authextra.unwrap_or_else(|| json!({})),
            "transport": {
                "type": "test",
                "protocol": format!("wamp.2.{}", self.transports[at].serializer),
                "peer": "model",
                "channel_serializer": self.transports[at].serializer,
            },
        });
        let mut told = details.clone();
        let told = told.as_object_mut().expect("a dictionary");
        let session = told.remove("session").expect("an id");
        told.remove("transport");
        told.insert("agent".into(), TEXT.into());
        told.insert("roles".into(), json!({ "broker": { "features": ANY }, "dealer": { "features": ANY } }));
        self.send(at, json!([2, session, told]));
        self.transports[at].state = State::Joined(Box::new(Session {
            id,
            realm: realm.into(),
            authid,
            authrole: authrole.into(),
            details: details.clone(),
            roles: hello["roles"].clone(),
            last_request: Some(0),
            invocations: 0,
            testaments: Vec::new(),
            waiting: Vec::new(),
            asking: None,
            passed: None,
            leaving: None,
        }));
        for topic in ["wamp.session.on_join", "wamp.metaevent.session.on_join"] {
            self.announce(realm, topic, &json!([details]));
        }
    }

    /// A message of a session, which may have to wait.
    fn arrive(&mut self, at: usize, code: u64, message: &Value) -> Result<(), Fault> {
        if is_request(code) {
            self.check_request_id(at, message[1].as_u64().expect("an id"))?;
        }
        let is_canceled = code == 49 && self.cancel_waiting(at, &message[1]);
        if is_canceled || self.is_too_late(at, code) {
            return Ok(());
        }
        if self.must_wait(at, code, message) {
            return self.wait(at, message);
        }
        self.request(at, code, message)
    }

    /// A message of a session.
    fn request(&mut self, at: usize, code: u64, message: &Value) -> Result<(), Fault> {
        match code {
            3 => {
                self.leave(at, true);
                self.close(at, "Normal");
            }
            6 => {
                self.send(at, json!([6, {}, "wamp.close.goodbye_and_out"]));
                self.leave(at, true);
            }
            8 if message[1] != 68 => return Err(Fault::Violation),
            8 => return self.fail(at, message),
            16 => return self.publish_for(at, message),
            32 => return self.subscribe(at, message),
            34 => return self.unsubscribe(at, message),
            48 => return self.call(at, message),
            49 => self.cancel(at, message),
            64 => return self.register(at, message),
            66 => return self.unregister(at, message),
            70 => return self.answer(at, message),
            337 => {}
            // A second HELLO, an AUTHENTICATE that nobody asked for.
            _ => return Err(Fault::Violation),
        }
        Ok(())
    }

    /// [basic/building_blocks] requests count from 1; a client whose first id is another one counts in its own way.
    fn check_request_id(&mut self, at: usize, request: u64) -> Result<(), Fault> {
        let session = self.session_mut(at);
        match session.last_request {
            Some(last) if request == last + 1 => session.last_request = Some(request),
            Some(0) => session.last_request = None,
            Some(_) => return Err(Fault::Violation),
            None => {}
        }
        Ok(())
    }

    fn demand_role(&self, at: usize, role: &str) -> Result<(), Fault> {
        if self.session(at).roles.get(role).is_some() { Ok(()) } else { Err(Fault::Violation) }
    }

    fn has_feature(&self, at: usize, role: &str, feature: &str) -> bool {
        self.joined(at).is_some_and(|session| session.roles[role]["features"][feature] == true)
    }

    /// [advanced/payload_passthru_mode] whether the role announced the form in which these options say the payload is.
    fn takes_payload(&self, at: usize, role: &str, options: &Value) -> bool {
        let has = |key: &str| options[key].as_str().is_some_and(|text| !text.is_empty());
        (!has("ppt_scheme") || self.has_feature(at, role, "payload_passthru_mode"))
            && (!has("enc_algo") || self.has_feature(at, role, "payload_transparency"))
    }

    fn demand_payload(&self, at: usize, role: &str, options: &Value) -> Result<(), Fault> {
        if self.takes_payload(at, role, options) { Ok(()) } else { Err(Fault::Violation) }
    }

    fn check_uri(&self, at: usize, text: &str, policy: &str) -> Result<(), Fault> {
        let configured = self.configured(&self.session(at).realm).expect("its realm is configured");
        let is_valid = uri::is_valid(text, policy, configured.is_strict);
        if is_valid && text.len() <= self.settings.limits.uri_length {
            return Ok(());
        }
        Err(Fault::Refused("wamp.error.invalid_uri"))
    }

    /// What the role of a session says about an action; whether the session is disclosed by it.
    fn authorize(&self, at: usize, text: &str, policy: &str, action: &str) -> Result<bool, Fault> {
        match self.verdict {
            Some(verdict) => verdict.map_err(Fault::Refused),
            None => self.authorize_session(self.session(at), text, policy, action),
        }
    }

    /// The same by the permissions of its role alone; a role that has an authorizer has none.
    fn authorize_session(
        &self,
        session: &Session,
        text: &str,
        policy: &str,
        action: &str,
    ) -> Result<bool, Fault> {
        let configured = self.configured(&session.realm).expect("its realm is configured");
        let Some(role) = configured.roles.iter().find(|role| role.name == session.authrole) else {
            // The one role that may do everything where nothing else is said.
            let is_trusted = session.authrole == "trusted";
            return if is_trusted { Ok(false) } else { Err(Fault::Refused("wamp.error.not_authorized")) };
        };
        // Whoever asks for a pattern asks for all that it reaches: an exact rule does not allow a pattern, nor a rule
        // that is a wildcard a prefix.
        let covering = |asked: &str| {
            let rules = role.rules.iter().filter(|rule| match asked {
                "exact" => true,
                "prefix" => rule.policy == "prefix",
                _ => rule.policy != "exact",
            });
            let matching = rules.filter(|rule| uri::matches(rule.uri, rule.policy, text));
            matching.max_by_key(|rule| {
                let literal = if rule.policy == "exact" { usize::MAX } else { rule.uri.len() };
                (literal, rule.policy == "wildcard")
            })
        };
        let allows = |asked| covering(asked).is_some_and(|rule| rule.allows(action));
        if !allows("exact") || !allows(policy) {
            return Err(Fault::Refused("wamp.error.not_authorized"));
        }
        Ok(covering("exact").is_some_and(|rule| match action {
            "call" => rule.discloses_caller,
            "publish" => rule.discloses_publisher,
            _ => false,
        }))
    }

    fn say_goodbye(&mut self, at: usize, reason: &str, details: Value, is_announced: bool) {
        self.send(at, json!([6, details, reason]));
        self.leave(at, is_announced);
        let deadline = self.timer(self.settings.limits.goodbye_timeout_ms);
        self.transports[at].state = State::Closing(deadline);
    }

    /// Ends the session on a transport, if there is one; the transport may have another. The news of it: what it held, its
    /// testaments, itself.
    fn leave(&mut self, at: usize, is_announced: bool) {
        let Some(session) = self.joined(at).cloned() else { return };
        self.transports[at].state = self.open_state();
        self.give_up_waiting(at, &session);
        let realm = self.realm(&session.realm);
        let registered: Vec<u64> = realm
            .registrations
            .iter()
            .filter(|held| held.has(at) && held.is_told())
            .map(|held| held.id)
            .collect();
        let subscribed: Vec<u64> = realm
            .subscriptions
            .iter()
            .filter(|held| held.has(at) && held.is_told())
            .map(|held| held.id)
            .collect();
        self.leave_registrations_and_calls(at, &session);
        self.realm(&session.realm).take_subscriber(at, None);
        if is_announced {
            for id in registered {
                self.announce_end(&session, "registration", id);
            }
            for id in subscribed {
                self.announce_end(&session, "subscription", id);
            }
            self.publish_testaments(at, &session);
            let Session { id, authid, authrole, .. } = &session;
            let has_three =
                self.configured(&session.realm).is_some_and(|configured| configured.leaves_with_three);
            let values = if has_three { json!([id, authid, authrole]) } else { json!([id]) };
            self.announce(&session.realm, "wamp.session.on_leave", &values);
            self.announce(&session.realm, "wamp.metaevent.session.on_leave", &json!([session.details]));
        }
        self.drop_if_empty(&session.realm);
    }

    /// The time of day, as the meta API says it: runs begin at 2023-11-14T22:13:20Z and end on the same day.
    fn time_of_day(&self) -> String {
        let ms = self.now_ms - 1_000 + 1_000 * (20 + 60 * (13 + 60 * 22));
        let (seconds, ms) = (ms / 1_000, ms % 1_000);
        format!("2023-11-14T{:02}:{:02}:{:02}.{ms:03}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }

    fn drop_if_empty(&mut self, name: &str) {
        if self.sessions(name).is_empty() {
            self.realms.retain(|realm| realm.name != name || !realm.is_transient);
        }
    }
}

/// What a timer is for.
#[derive(Clone, Copy)]
enum Due {
    Transport(usize),
    Call { realm: usize, call: usize },
    Question(u64),
    Leave(usize),
}

impl Realm {
    fn new(name: &str, is_transient: bool) -> Self {
        Self { name: name.into(), is_transient, ..Self::default() }
    }
}

/// Messages that are answered with ERROR.
fn is_request(code: u64) -> bool {
    matches!(code, 16 | 32 | 34 | 48 | 64 | 66)
}

/// The payload passthru attributes of options, which become those of details.
fn passthru(options: &Value) -> Map<String, Value> {
    let keys =
        ["ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid", "enc_algo", "enc_key", "enc_serializer"];
    let given = keys.iter().filter_map(|key| Some(((*key).to_owned(), options.get(*key)?.clone())));
    given.filter(|(_, value)| !value.is_null()).collect()
}

/// A message with the payload of another one, which begins at `from`.
fn with_payload(head: Value, message: &Value, from: usize) -> Value {
    let mut head: Vec<Value> = head.as_array().expect("a message").clone();
    head.extend(message.as_array().expect("a message").iter().skip(from).cloned());
    head.into()
}
