//! Random calls in pieces, rerouted, canceled, queued, taken over: whatever happens, each has one answer, nobody hears of a
//! call that is not its own, and when all is over every callee is free.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Peer, Wamp, all_features, named};
use serde_json::{Value, json};
use wamplet::config::{CallQueue, CallQueues, Config, Limits, RealmConfig};
use wamplet::uri::MatchPolicy;

const POLICIES: [&str; 5] = ["single", "first", "last", "roundrobin", "random"];
/// Each procedure has the policy of its number.
const PROCEDURES: usize = POLICIES.len();
const CLIENTS: usize = 6;

struct Client {
    peer: Peer,
    can_cancel: bool,
    last_request: u64,
    /// Calls without an answer -> their procedure, and whether there are more pieces to come.
    calls: BTreeMap<u64, (usize, bool)>,
    /// Invocations without an answer; some of them are over, which it cannot know.
    invocations: BTreeSet<u64>,
    last_invocation: u64,
    registrations: BTreeSet<u64>,
    /// REGISTERs without an answer.
    registering: BTreeSet<u64>,
}

struct Run {
    w: Wamp,
    state: u64,
    clients: Vec<Client>,
    heard: BTreeMap<String, usize>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let queue = |procedure: usize, limit| CallQueue {
            uri: uri(procedure),
            match_policy: MatchPolicy::Exact,
            limit,
        };
        // Some procedures have a queue.
        let call_queues = CallQueues::new(vec![queue(1, 2), queue(3, 1), queue(4, 50)]);
        let realm = RealmConfig { call_queues, ..RealmConfig::open("realm1") };
        // Some calls are kept, and some are not.
        let limits = Limits { kept_length: 8, ..Limits::default() };
        let w = Wamp::with_config(Config { limits, ..named([realm]) });
        let mut run = Self { w, state: seed, clients: Vec::new(), heard: BTreeMap::new() };
        for _ in 0..CLIENTS {
            let client = run.join();
            run.clients.push(client);
        }
        run
    }

    /// SplitMix64.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).expect("less than a usize")
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: impl IntoIterator<Item = T>) -> Option<T> {
        let from: Vec<T> = from.into_iter().collect();
        if from.is_empty() { None } else { Some(from[self.below(from.len())]) }
    }

    fn join(&mut self) -> Client {
        let mut roles = all_features();
        let can_cancel = self.one_in(2);
        roles["callee"]["features"]["call_canceling"] = can_cancel.into();
        roles["callee"]["features"]["call_reroute"] = self.one_in(2).into();
        let peer = self.w.open();
        Client {
            peer: self.w.hello(peer, "realm1", roles),
            can_cancel,
            last_request: 0,
            calls: BTreeMap::new(),
            invocations: BTreeSet::new(),
            last_invocation: 0,
            registrations: BTreeSet::new(),
            registering: BTreeSet::new(),
        }
    }

    fn say(&mut self, at: usize, message: Value) {
        self.w.say(self.clients[at].peer, message);
        self.hear();
    }

    fn next_request(&mut self, at: usize) -> u64 {
        self.clients[at].last_request += 1;
        self.clients[at].last_request
    }

    fn step(&mut self) {
        let at = self.below(CLIENTS);
        match self.below(16) {
            0 | 1 => self.register(at),
            2 => {
                if let Some(id) = self.pick(self.clients[at].registrations.clone()) {
                    let request = self.next_request(at);
                    self.clients[at].registrations.remove(&id);
                    self.say(at, json!([66, request, id]));
                }
            }
            3..=6 => self.call(at),
            7 | 8 => self.send_piece(at),
            9 => {
                if let Some(call) = self.pick(self.clients[at].calls.keys().copied().collect::<Vec<_>>()) {
                    let mode = self.pick(["skip", "kill", "killnowait"]);
                    self.say(at, json!([49, call, { "mode": mode }]));
                }
            }
            10 if self.one_in(6) => {
                let peer = self.clients[at].peer;
                self.w.lose(peer);
                self.hear();
                self.clients[at] = self.join();
            }
            11 => {
                self.w.advance_ms(40);
                self.hear();
            }
            _ => self.answer(at),
        }
    }

    fn register(&mut self, at: usize) {
        let procedure = self.below(PROCEDURES);
        let mut options = json!({ "invoke": POLICIES[procedure], "force_reregister": self.one_in(5) });
        if self.one_in(2) {
            options["concurrency"] = (1 + self.below(2)).into();
        }
        let request = self.next_request(at);
        self.clients[at].registering.insert(request);
        self.say(at, json!([64, request, options, uri(procedure)]));
    }

    fn call(&mut self, at: usize) {
        let procedure = self.below(PROCEDURES);
        let is_unfinished = self.one_in(3);
        let mut options = json!({ "progress": is_unfinished, "receive_progress": self.one_in(2) });
        if self.one_in(4) {
            options["timeout"] = (1 + self.below(200)).into();
        }
        let request = self.next_request(at);
        self.clients[at].calls.insert(request, (procedure, is_unfinished));
        self.say(at, json!([48, request, options, uri(procedure), [request, 0]]));
    }

    fn send_piece(&mut self, at: usize) {
        let unfinished = self.clients[at].calls.iter().filter(|(_, (_, is_unfinished))| *is_unfinished);
        let unfinished: Vec<_> = unfinished.map(|(call, (procedure, _))| (*call, *procedure)).collect();
        if let Some((call, procedure)) = self.pick(unfinished) {
            let is_unfinished = self.one_in(2);
            self.clients[at].calls.insert(call, (procedure, is_unfinished));
            self.say(at, json!([48, call, { "progress": is_unfinished }, uri(procedure), [call, 1]]));
        }
    }

    fn answer(&mut self, at: usize) {
        let Some(invocation) = self.pick(self.clients[at].invocations.clone()) else { return };
        let is_final = !self.one_in(4);
        if is_final {
            self.clients[at].invocations.remove(&invocation);
        }
        let answer = match self.below(3) {
            _ if !is_final => json!([70, invocation, { "progress": true }]),
            0 => json!([8, 68, invocation, {}, "wamp.error.unavailable"]),
            1 => json!([8, 68, invocation, {}, "com.myapp.error1"]),
            _ => json!([70, invocation, {}]),
        };
        self.say(at, answer);
    }

    fn hear(&mut self) {
        for at in 0..CLIENTS {
            for message in self.w.hear_all(self.clients[at].peer) {
                self.hear_one(at, &message);
            }
        }
    }

    fn hear_one(&mut self, at: usize, message: &Value) {
        let id = |at: usize| message[at].as_u64().expect("an id");
        let client = &mut self.clients[at];
        let mut name = message[0].to_string();
        match message[0].as_u64() {
            Some(8) => {
                name = message[4].as_str().expect("a URI").to_owned();
                match id(1) {
                    48 => assert!(client.calls.remove(&id(2)).is_some(), "one answer to a call: {message}"),
                    64 => assert!(client.registering.remove(&id(2)), "one answer to a REGISTER: {message}"),
                    _ => panic!("{message}"),
                }
            }
            Some(50) if message[2]["progress"] == true => {
                assert!(client.calls.contains_key(&id(1)), "no piece of a result behind the last: {message}");
            }
            Some(50) => assert!(client.calls.remove(&id(1)).is_some(), "one answer to a call: {message}"),
            Some(65) => {
                assert!(client.registering.remove(&id(1)), "one answer to a REGISTER: {message}");
                client.registrations.insert(id(2));
            }
            Some(67) if id(1) == 0 => {
                let revoked = message[2]["registration"].as_u64().expect("a registration");
                assert!(client.registrations.remove(&revoked), "it held what it loses: {message}");
                name = "revoked".into();
            }
            Some(67) => {}
            Some(68) => {
                if id(1) > client.last_invocation {
                    assert_eq!(id(1), client.last_invocation + 1, "no id is left out: {message}");
                    client.last_invocation = id(1);
                    client.invocations.insert(id(1));
                } else {
                    // A piece; it may have crossed the answer.
                    name = "piece".into();
                }
            }
            Some(69) => {
                assert!(client.can_cancel, "it understands what it is sent: {message}");
                assert!(id(1) <= client.last_invocation);
            }
            _ => panic!("{message}"),
        }
        *self.heard.entry(name).or_default() += 1;
    }

    /// All callees answer all that they were sent, and all calls are over.
    fn settle(&mut self) {
        for at in 0..CLIENTS {
            let unfinished: Vec<_> = self.clients[at].calls.iter().map(|(call, of)| (*call, *of)).collect();
            for (call, (procedure, is_unfinished)) in unfinished {
                if is_unfinished && self.clients[at].calls.contains_key(&call) {
                    self.say(at, json!([48, call, {}, uri(procedure)]));
                }
            }
        }
        while let Some(at) = (0..CLIENTS).find(|at| !self.clients[*at].invocations.is_empty()) {
            let invocation = self.clients[at].invocations.pop_first().expect("one");
            self.say(at, json!([70, invocation, {}]));
        }
        for client in &self.clients {
            assert!(client.calls.is_empty(), "every call is answered: {:?}", client.calls);
            assert!(client.registering.is_empty());
        }
        assert_eq!(self.w.router.next_timeout(), None, "no timer is left");
    }

    /// Whoever has a limit is as free as in the beginning.
    fn check_that_all_are_free(&mut self) {
        for procedure in 0..PROCEDURES {
            let caller = 0;
            let request = self.next_request(caller);
            self.clients[caller].calls.insert(request, (procedure, false));
            let busy = self.heard.get("crossbar.error.max_concurrency_reached").copied();
            self.say(caller, json!([48, request, {}, uri(procedure)]));
            assert_eq!(self.heard.get("crossbar.error.max_concurrency_reached").copied(), busy);
            let is_asked = self.clients.iter().any(|client| !client.invocations.is_empty());
            let is_refused = !self.clients[caller].calls.contains_key(&request);
            assert!(is_asked || is_refused, "a call of {} waits though nobody is busy", uri(procedure));
            self.settle();
        }
    }
}

fn uri(procedure: usize) -> String {
    format!("com.myapp.{}", POLICIES[procedure])
}

#[test]
fn whatever_happens_to_calls_each_has_one_answer_and_frees_its_callee_once() {
    let mut heard = BTreeMap::new();
    for seed in 0..40 {
        let mut run = Run::new(seed);
        for _ in 0..4 {
            for _ in 0..250 {
                run.step();
            }
            run.settle();
            run.check_that_all_are_free();
        }
        for (name, count) in run.heard {
            *heard.entry(name).or_default() += count;
        }
    }
    for name in [
        "50",
        "68",
        "69",
        "piece",
        "revoked",
        "com.myapp.error1",
        "crossbar.error.max_concurrency_reached",
        "wamp.error.canceled",
        "wamp.error.feature_not_supported",
        "wamp.error.no_available_callee",
        "wamp.error.no_such_procedure",
        "wamp.error.procedure_already_exists",
        "wamp.error.timeout",
        "wamp.error.unavailable",
        "wamplet.error.limit_exceeded",
    ] {
        let count: usize = heard.get(name).copied().unwrap_or_default();
        assert!(count > 20, "{name} only {count} times: {heard:?}");
    }
}
