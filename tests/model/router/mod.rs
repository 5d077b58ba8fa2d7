//! A router that is small, slow and easily seen to be right: lists that are searched from the beginning, values in place
//! of bytes, and no table that could contradict another one.
//!
//! Written from the specification and from what ARCHITECTURE.md decides, not from `src/router`. It takes the same
//! inputs as a router and answers what each transport must get. What a router draws by chance it is told: ids of
//! sessions and generated authids from the WELCOMEs that the router sent in the same step, the callee under the policy
//! `random` from its INVOCATION, who leaves first at a shutdown; [`publication`] and [`TEXT`] stand for what only has to fit.

mod authorization;
mod broker;
mod calls;
pub mod grammar;
mod handshake;
mod kept;
mod meta;
mod permissions;
mod registrations;
mod requests;
mod uri;

use std::collections::VecDeque;
use std::rc::Rc;

use serde_json::{Value, json};

pub use self::authorization::Question;
use self::authorization::{Decision, Task, Waiting};
pub use self::calls::{Call, Caller};
use self::handshake::Pending;
pub use self::kept::Kept;
use self::permissions::Grant;
pub use self::registrations::Registration;
use self::requests::{is_request, passthru, with_payload};
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

/// Whether arguments are those that were expected.
fn fits(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (_, Value::String(text)) if text == ANY => true,
        (Value::String(found), Value::String(text)) if text == TEXT => !found.is_empty(),
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| fits(found, expected))
        }
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && expected
                    .iter()
                    .all(|(key, expected)| found.get(key).is_some_and(|found| fits(found, expected)))
        }
        _ => found == expected,
    }
}

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
    /// Ids of publications, by the names that [`publication`] gives them.
    pub known_ids: Vec<(String, u64)>,
    last_call: u64,
    is_shut_down: bool,
    /// What was asked and is not answered.
    pub questions: Vec<Question>,
    last_question: u64,
    /// What happens when the input has had its effects.
    tasks: VecDeque<Task>,
    /// What authorizers let the router remember.
    decisions: Vec<Decision>,
    /// About the request that is being carried out, where an authorizer decides.
    verdict: Option<Result<Grant, &'static str>>,
    /// About the testament that this request adds, where an authorizer allows it.
    testament_verdict: Option<Grant>,
    /// What the router did in this step, by transport.
    heard: Vec<Heard>,
    /// Whom the router told to go in this step or closed, in its order.
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
    /// Messages may come in another order than they were sent in.
    pub is_unordered: bool,
    pub state: State,
    /// A session on it has ended before.
    pub has_left: bool,
}

pub enum State {
    /// Awaits HELLO.
    Open(Deadline),
    Authenticating(Deadline, Box<Pending>),
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
    pub details: Rc<Value>,
    /// As HELLO announced them.
    pub roles: Rc<Value>,
    /// The last request id; none where the first was not 1, and the client counts in its own way.
    pub last_request: Option<u64>,
    /// INVOCATIONs that it was sent.
    pub invocations: u64,
    testaments: Vec<Testament>,
    /// Progressive calls that ended before their last piece came, where the client counts in its own way.
    pub cut_short: Vec<u64>,
    /// Requests that wait for the authorizer, the first of which it is asked about.
    waiting: Vec<Waiting>,
    /// The number of the question.
    asking: Option<u64>,
    /// The first of them adds a testament, and may: how. What is asked about now is the testament.
    passed: Option<Grant>,
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
    /// Of an authorizer that allowed it.
    decision: Option<Grant>,
}

/// What is there while somebody has joined, or because it is configured.
#[derive(Default)]
pub struct Realm {
    pub name: String,
    pub is_transient: bool,
    pub subscriptions: Vec<Subscription>,
    pub registrations: Vec<Registration>,
    pub calls: Vec<Call>,
    pub kept: Vec<Kept>,
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
    /// How many events the router keeps, where it subscribes itself.
    pub history: Option<usize>,
}

/// Why a request is not carried out.
pub enum Fault {
    Violation,
    Refused(&'static str),
}

impl Model {
    pub fn new(settings: Settings, now_ms: u64) -> Self {
        let realms = settings.realms.iter().map(|realm| Realm::new(realm.name, realm, false)).collect();
        Self {
            settings,
            now_ms,
            transports: Vec::new(),
            realms,
            timers: 0,
            publications: 0,
            known_ids: Vec::new(),
            last_call: 0,
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

    /// Begins a step, in which the router did this; what it should have done says [`end`](Self::end).
    pub fn begin(&mut self, heard: Vec<Heard>, told_to_go: Vec<usize>) {
        self.heard = heard;
        self.told_to_go = told_to_go;
        self.expected = vec![Vec::new(); self.transports.len()];
    }

    /// What each transport got in this step, and what it must have got.
    pub fn end(&mut self) -> (Vec<Heard>, Vec<Heard>) {
        self.do_tasks();
        (std::mem::take(&mut self.heard), std::mem::take(&mut self.expected))
    }

    /// A new transport, unless nobody is let in any more.
    pub fn open(&mut self, serializer: &'static str, identity: Option<Identity>, is_unordered: bool) -> bool {
        if !self.is_shut_down {
            let state = self.open_state();
            self.transports.push(Transport { serializer, identity, is_unordered, state, has_left: false });
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
            // What a caller or callee that has left still says of its calls.
            State::Open(_) | State::Authenticating(..)
                if self.transports[at].has_left
                    && (matches!(code, 49 | 70) || code == 8 && message[1] == 68) =>
            {
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
            State::Authenticating(..) if is_well_formed => self.go_on_with_handshake(at, code, message),
            State::Authenticating(..) => Err(Fault::Violation),
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
                if code == 48 && message[2]["progress"] == true {
                    self.note_cut_short(at, message[1].as_u64().expect("an id"));
                }
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
        self.forget(at);
    }

    /// Nobody need say who it is.
    fn forget(&mut self, at: usize) {
        let asked = self.asked_about_handshake(at);
        self.transports[at].state = State::Gone;
        if let Some(number) = asked {
            self.withdraw(number);
        }
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
                Due::Call(number) => self.time_out(number),
                Due::Leave(at) => self.leave_at_last(at),
                Due::Question(number) => self.answered(number, Err("wamp.error.timeout".into())),
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
                State::Open(_) | State::Authenticating(..) => self.close(at, "Normal"),
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
                let realm = self.realm(&name);
                realm.is_transient = is_transient;
                realm.keep_histories(&configured);
                self.date_histories(&name);
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
                self.realms.push(Realm::new(realm.name, realm, false));
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
    fn configured(&self, name: &str) -> Option<Rc<RealmSettings>> {
        if self.settings.any_realm {
            return Some(RealmSettings::open().into());
        }
        self.settings.realms.iter().find(|realm| realm.name == name).cloned()
    }

    fn send(&mut self, at: usize, message: Value) {
        self.expected[at].push(message);
    }

    fn close(&mut self, at: usize, close: &str) {
        self.send(at, format!("closed: {close}").into());
        self.forget(at);
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
                State::Open(deadline) | State::Closing(deadline) | State::Authenticating(deadline, _) => {
                    Some((deadline, Due::Transport(at)))
                }
                _ => None,
            });
        let calls = self.realms.iter().flat_map(|realm| &realm.calls);
        let calls = calls.filter_map(|call| Some((call.deadline?, Due::Call(call.number()))));
        let questions = self.questions.iter();
        let questions =
            questions.filter_map(|question| Some((question.deadline?, Due::Question(question.number))));
        let leaving =
            (0..self.transports.len()).filter_map(|at| Some((self.joined(at)?.leaving?, Due::Leave(at))));
        transports.chain(leaving).chain(calls).chain(questions).min_by_key(|(deadline, _)| *deadline)
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
        self.transports[at].has_left = true;
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
            self.announce(&session.realm, "wamp.metaevent.session.on_leave", &json!([*session.details]));
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
    Call(u64),
    Question(u64),
    Leave(usize),
}

impl Realm {
    fn new(name: &str, configured: &RealmSettings, is_transient: bool) -> Self {
        let mut realm = Self { name: name.into(), is_transient, ..Self::default() };
        realm.keep_histories(configured);
        realm
    }
}
