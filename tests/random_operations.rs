//! Random operations of several peers, and what must hold whatever they do: nobody hears what it should not, every
//! request is answered exactly once, and the router's tables say what the peers think.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Peer, Wamp, named};
use serde_json::{Value, json};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::codec::Serializer;
use wamplet::config::{Config, Limits, RealmConfig};
use wamplet::payload::Values;

const CLIENTS: usize = 7;

/// Names that meet as topics, procedures, prefixes and wildcards.
const URIS: [(&str, &str); 11] = [
    ("exact", "a.b"),
    ("exact", "a.c"),
    ("exact", "a.b.c"),
    ("exact", "not valid"),
    ("prefix", "a."),
    ("prefix", ""),
    ("wildcard", "a."),
    ("wildcard", "..c"),
    ("exact", "wamp.session.on_leave"),
    ("prefix", "wamp.subscription."),
    ("wildcard", "wamp.registration."),
];

/// One end of a transport and what it knows.
struct Client {
    peer: Peer,
    can_cancel: bool,
    session: Option<Session>,
    /// It has not answered the router's GOODBYE yet.
    is_told_to_go: bool,
}

#[derive(Default)]
struct Session {
    id: u64,
    realm: String,
    last_request: u64,
    /// Requests without an answer -> their message code, and the id that they would end.
    pending: BTreeMap<u64, (u64, u64)>,
    subscriptions: BTreeSet<u64>,
    registrations: BTreeSet<u64>,
    last_invocation: u64,
    /// Invocations that it may answer; some of them are over, which it cannot know.
    invocations: BTreeSet<u64>,
}

/// SplitMix64: enough chance for a test, in four lines.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

struct Run {
    w: Wamp,
    random: SplitMix,
    clients: Vec<Client>,
    /// Messages heard, by code: proves that the run went everywhere.
    heard: BTreeMap<u64, usize>,
    /// Who heard what, in order.
    transcript: Vec<(usize, Value)>,
    /// How often an authorizer was asked.
    questions: usize,
}

impl Run {
    fn new(seed: u64) -> Self {
        Self::with_role(seed, Role::allow_all("anonymous"))
    }

    fn with_role(seed: u64, role: Role) -> Self {
        let limits = Limits { subscriptions: 4, registrations: 4, calls: 5, ..Limits::default() };
        let realm = |name| RealmConfig { roles: vec![role.clone()], ..RealmConfig::open(name) };
        let config = Config { limits, ..named(["realm1", "realm2"].map(realm)) };
        let random = SplitMix(seed);
        let mut run = Self {
            w: Wamp::with_config(config),
            random,
            clients: Vec::new(),
            heard: BTreeMap::new(),
            transcript: Vec::new(),
            questions: 0,
        };
        for _ in 0..CLIENTS {
            let client = run.connect();
            run.clients.push(client);
        }
        run
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.random.next() % end as u64).expect("less than a usize")
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: impl IntoIterator<Item = T>) -> Option<T> {
        let from: Vec<T> = from.into_iter().collect();
        if from.is_empty() { None } else { Some(from[self.below(from.len())]) }
    }

    fn connect(&mut self) -> Client {
        let serializer = Serializer::ALL[self.below(3)];
        let can_cancel = self.one_in(2);
        Client { peer: self.w.open_with(serializer), can_cancel, session: None, is_told_to_go: false }
    }

    fn say(&mut self, at: usize, message: Value) {
        self.w.say(self.clients[at].peer, message);
    }

    /// Says a request with the next id; it will be answered.
    fn ask(&mut self, at: usize, code: u64, options: Value, last: Value) {
        let session = self.clients[at].session.as_mut().expect("a session asks");
        session.last_request += 1;
        let request = session.last_request;
        if code != 16 || options["acknowledge"] == true {
            session.pending.insert(request, (code, last.as_u64().unwrap_or_default()));
        }
        let message = match code {
            34 | 66 => json!([code, request, last]),
            16 | 48 => json!([code, request, options, last, [request]]),
            _ => json!([code, request, options, last]),
        };
        self.say(at, message);
    }

    fn step(&mut self) {
        let at = self.below(CLIENTS);
        if self.clients[at].is_told_to_go {
            // It may be slow to answer, or never do.
            if self.one_in(2) {
                self.say(at, json!([6, {}, "wamp.close.goodbye_and_out"]));
            } else {
                self.w.advance_ms(3_000);
            }
        } else if self.clients[at].session.is_none() {
            self.hello(at);
        } else {
            self.act(at);
        }
        self.hear();
        self.check_tables();
    }

    fn hello(&mut self, at: usize) {
        let realm = if self.one_in(5) { "realm2" } else { "realm1" };
        let features =
            json!({ "call_canceling": self.clients[at].can_cancel, "progressive_call_results": true });
        let roles =
            json!({ "publisher": {}, "subscriber": {}, "caller": {}, "callee": { "features": features } });
        self.say(at, json!([1, realm, { "roles": roles }]));
        self.clients[at].session = Some(Session { realm: realm.into(), ..Session::default() });
    }

    fn act(&mut self, at: usize) {
        let (policy, uri) = URIS[self.below(URIS.len())];
        let operation = self.below(100);
        let session = self.clients[at].session.as_ref().expect("checked above");
        let (subscriptions, registrations, invocations) =
            (session.subscriptions.clone(), session.registrations.clone(), session.invocations.clone());
        let calls: Vec<u64> = session.pending.keys().copied().collect();
        match operation {
            0..15 => self.ask(at, 32, json!({ "match": policy }), json!(uri)),
            15..22 => {
                let id = self.pick(subscriptions).unwrap_or(777);
                self.ask(at, 34, json!({}), json!(id));
            }
            22..36 => {
                let options = json!({ "acknowledge": self.one_in(2), "exclude_me": self.one_in(2) });
                self.ask(at, 16, options, json!(uri));
            }
            36..48 => {
                let invoke = ["single", "first", "last", "roundrobin", "random"][self.below(5)];
                self.ask(at, 64, json!({ "match": policy, "invoke": invoke }), json!(uri));
            }
            48..52 => {
                let id = self.pick(registrations).unwrap_or(777);
                self.ask(at, 66, json!({}), json!(id));
            }
            52..70 => {
                let timeout = if self.one_in(4) { 500 } else { 0 };
                let options = json!({ "receive_progress": self.one_in(2), "timeout": timeout });
                self.ask(at, 48, options, json!(uri));
            }
            70..82 => {
                if let Some(invocation) = self.pick(invocations) {
                    let progress = self.one_in(3);
                    if !progress {
                        let session = self.clients[at].session.as_mut().expect("checked above");
                        session.invocations.remove(&invocation);
                    }
                    self.say(at, json!([70, invocation, { "progress": progress }, [invocation]]));
                }
            }
            82..85 => {
                if let Some(invocation) = self.pick(invocations) {
                    self.clients[at].session.as_mut().expect("checked above").invocations.remove(&invocation);
                    self.say(at, json!([8, 68, invocation, {}, "a.error"]));
                }
            }
            85..90 => {
                let mode = ["skip", "kill", "killnowait"][self.below(3)];
                let call = self.pick(calls).unwrap_or(777);
                self.say(at, json!([49, call, { "mode": mode }]));
            }
            90..92 => self.goodbye(at),
            92..94 => self.lose(at),
            94 => {
                self.say(at, json!([99]));
            }
            95 => {
                let victim = self.below(CLIENTS);
                let id = self.clients[victim].session.as_ref().map_or(777, |session| session.id);
                let session = self.clients[at].session.as_mut().expect("checked above");
                session.last_request += 1;
                session.pending.insert(session.last_request, (48, 0));
                let request = session.last_request;
                self.say(at, json!([48, request, {}, "wamp.session.kill", [id]]));
            }
            _ => self.w.advance_ms(200),
        }
    }

    fn goodbye(&mut self, at: usize) {
        self.say(at, json!([6, {}, "wamp.close.close_realm"]));
    }

    fn lose(&mut self, at: usize) {
        self.w.lose(self.clients[at].peer);
        self.clients[at] = self.connect();
    }

    /// The authorizer, where there is one, allows everything at once.
    fn authorize(&mut self) {
        loop {
            let questions = self.w.take_questions();
            if questions.is_empty() {
                return;
            }
            for question in questions {
                self.questions += 1;
                self.w.answer(question.ticket, Ok(Values::args([json!(true)])));
            }
        }
    }

    /// Everybody reads what came, and checks that it may have come.
    fn hear(&mut self) {
        self.authorize();
        for at in 0..CLIENTS {
            let peer = self.clients[at].peer;
            for message in self.w.hear_all(peer) {
                self.transcript.push((at, message.clone()));
                *self.heard.entry(message[0].as_u64().expect("a code")).or_default() += 1;
                self.clients[at].understand(&message);
            }
            if self.w.closed(peer).is_some() {
                self.clients[at] = self.connect();
            }
        }
    }

    /// What the router says of itself is what its peers know; and only calls wait for an answer.
    fn check_tables(&self) {
        let mut expected: BTreeMap<String, [BTreeMap<u64, BTreeSet<u64>>; 2]> = BTreeMap::new();
        let mut ids: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for session in self.clients.iter().filter_map(|client| client.session.as_ref()) {
            assert!(session.pending.values().all(|(code, _)| *code == 48), "{:?}", session.pending);
            ids.entry(session.realm.clone()).or_default().insert(session.id);
            let [subscriptions, registrations] = expected.entry(session.realm.clone()).or_default();
            for id in &session.subscriptions {
                subscriptions.entry(*id).or_default().insert(session.id);
            }
            for id in &session.registrations {
                registrations.entry(*id).or_default().insert(session.id);
            }
        }
        let inspected = self.w.router.inspect();
        assert_eq!(inspected["transports"], CLIENTS);
        for realm in inspected["realms"].as_array().expect("a list of realms") {
            let name = realm["name"].as_str().expect("a name");
            let ids_of = |list: &Value| -> BTreeSet<u64> {
                list.as_array().expect("a list").iter().filter_map(Value::as_u64).collect()
            };
            let table = |rows: &Value, members: &str| -> BTreeMap<u64, BTreeSet<u64>> {
                let rows = rows.as_array().expect("a list");
                rows.iter().map(|row| (row["id"].as_u64().expect("an id"), ids_of(&row[members]))).collect()
            };
            let tables =
                [table(&realm["subscriptions"], "subscribers"), table(&realm["registrations"], "callees")];
            assert_eq!(tables, expected.remove(name).unwrap_or_default());
            let sessions: BTreeSet<u64> = realm["sessions"]
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(|session| session["session"].as_u64())
                .collect();
            assert_eq!(sessions, ids.remove(name).unwrap_or_default());
        }
    }

    /// Everything that is open is answered; then no call waits, and when all have left nothing is there.
    fn finish(mut self) -> BTreeMap<u64, usize> {
        for at in 0..CLIENTS {
            let Some(session) = &mut self.clients[at].session else { continue };
            for invocation in std::mem::take(&mut session.invocations) {
                self.say(at, json!([70, invocation, {}]));
            }
        }
        self.hear();
        for client in &self.clients {
            if let Some(session) = &client.session {
                assert!(session.pending.is_empty(), "calls without an answer: {:?}", session.pending);
            }
        }
        for at in 0..CLIENTS {
            let peer = self.clients[at].peer;
            self.w.lose(peer);
            self.w.hear_all(peer);
        }
        let inspected = self.w.router.inspect();
        assert_eq!(inspected["transports"], 0);
        for realm in inspected["realms"].as_array().expect("a list of realms") {
            for table in ["sessions", "subscriptions", "registrations"] {
                assert_eq!(realm[table], json!([]), "{table}");
            }
        }
        assert_eq!(self.w.router.next_timeout(), None);
        self.heard
    }
}

impl Client {
    fn understand(&mut self, message: &Value) {
        let field =
            |index: usize| message[index].as_u64().unwrap_or_else(|| panic!("no id at {index}: {message}"));
        let code = field(0);
        assert!(!self.is_told_to_go, "nothing comes after GOODBYE: {message}");
        let session = self.session.as_mut().unwrap_or_else(|| panic!("without a session: {message}"));
        // The answer to a request of this kind; gives the id that it ended.
        let answers = |session: &mut Session, code: u64| {
            let (asked, ended) =
                session.pending.remove(&field(1)).expect("an answer that somebody waits for");
            assert_eq!(asked, code, "{message}");
            ended
        };
        match code {
            2 => session.id = field(1),
            3 => {
                assert_eq!(message[2], "wamp.error.protocol_violation");
                self.session = None;
            }
            6 => {
                self.is_told_to_go = message[2] != "wamp.close.goodbye_and_out";
                self.session = None;
            }
            8 => {
                let (asked, _) =
                    session.pending.remove(&field(2)).expect("an answer that somebody waits for");
                assert_eq!(asked, field(1), "{message}");
            }
            17 => {
                answers(session, 16);
            }
            33 => {
                answers(session, 32);
                session.subscriptions.insert(field(2));
            }
            35 => {
                let ended = answers(session, 34);
                assert!(session.subscriptions.remove(&ended), "{message}");
            }
            36 => assert!(session.subscriptions.contains(&field(1)), "not subscribed: {message}"),
            50 if message[2]["progress"] == true => {
                assert!(session.pending.contains_key(&field(1)), "{message}")
            }
            50 => {
                answers(session, 48);
            }
            65 => {
                answers(session, 64);
                session.registrations.insert(field(2));
            }
            67 => {
                let ended = answers(session, 66);
                assert!(session.registrations.remove(&ended), "{message}");
            }
            68 => {
                session.last_invocation += 1;
                assert_eq!(field(1), session.last_invocation);
                assert!(session.registrations.contains(&field(2)), "not registered: {message}");
                session.invocations.insert(field(1));
            }
            69 => {
                assert!(self.can_cancel, "not announced: {message}");
                assert!(session.invocations.contains(&field(1)), "an answered one: {message}");
                if message[2]["mode"] == "killnowait" {
                    session.invocations.remove(&field(1));
                }
            }
            _ => panic!("no client expects {message}"),
        }
    }
}

#[test]
fn the_invariants_hold_for_random_operations() {
    let mut heard = BTreeMap::new();
    for seed in 0..5 {
        let mut run = Run::new(seed);
        for _ in 0..1_000 {
            run.step();
        }
        for (code, count) in run.finish() {
            *heard.entry(code).or_insert(0) += count;
        }
    }
    for code in [2, 3, 6, 8, 17, 33, 35, 36, 50, 65, 67, 68, 69] {
        assert!(heard.get(&code).is_some_and(|count| *count > 20), "code {code} in {heard:?}");
    }
}

#[test]
fn an_authorizer_that_allows_everything_at_once_changes_nothing() {
    for seed in 0..3 {
        let dynamic = Role::dynamic("anonymous", Authorizer::new(Ask::Function("decide".into())));
        let [mut with, mut without] =
            [dynamic, Role::allow_all("anonymous")].map(|role| Run::with_role(seed, role));
        for _ in 0..500 {
            with.step();
            without.step();
            assert_eq!(with.transcript, without.transcript, "seed {seed}");
        }
        assert!(with.questions > 100 && with.transcript.len() > 200);
        with.finish();
    }
}
