//! Random requests with an authorizer that allows all, compared with the same requests without one: nobody may hear
//! a difference.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::config::RealmConfig;
use wamplet::payload::Values;
use wamplet::router::Question;

use crate::common::{Peer, Wamp, named};

/// SplitMix64: enough chance for a test, in four lines.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// What a run of random requests had each session send to each other one: who, to whom -> what, in order; and to itself,
/// its answers.
type Transcripts = BTreeMap<(usize, usize), Vec<Value>>;

/// Sessions say random things, each knowing nothing of the others. `patience` is how many messages are said, on average,
/// before the authorizer answers one question; zero is without an authorizer.
fn run(seed: u64, patience: u64) -> Transcripts {
    const PEERS: usize = 5;
    let role = match patience {
        0 => Role::allow_all("user"),
        _ => Role::dynamic("user", Authorizer::new(Ask::Function("decide".into()))),
    };
    let realm = RealmConfig { roles: vec![role, Role::allow_all("free")], ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([realm]));
    let peers: Vec<Peer> = (0..PEERS).map(|n| w.join_as("realm1", &format!("peer{n}"), "user")).collect();
    // Where events and calls go is fixed: when a request is carried out must not matter for whom it reaches.
    let listeners: Vec<Peer> = (0..3).map(|n| w.join_as("realm1", &format!("listener{n}"), "free")).collect();
    let mut patterns = Vec::new();
    for (n, listener) in listeners.iter().enumerate() {
        for (request, (policy, topic)) in
            (1..).zip([("exact", "com.topic0"), ("prefix", "com."), ("wildcard", ".topic1")])
        {
            patterns.push(w.subscribe_with(*listener, request, json!({ "match": policy }), topic));
        }
        w.register(*listener, 4, &format!("com.procedure{n}"));
    }
    let mut random = SplitMix(seed);
    let mut chance = SplitMix(!seed);
    let mut open = VecDeque::new();
    let mut requests = [0; PEERS];
    let answer_one = |w: &mut Wamp, open: &mut VecDeque<_>, chance: &mut SplitMix| {
        open.extend(w.take_questions());
        let Some(question) = open.remove(chance.below(open.len().max(1) as u64) as usize) else {
            return false;
        };
        let question: Question = question;
        let cache = chance.below(3) == 0;
        let cut = chance.below(2) == 0;
        let answer = if cut { json!(true) } else { json!({ "allow": true, "cache": cache }) };
        w.answer(question.ticket, Ok(Values::args([answer])));
        true
    };
    for tag in 0..400 {
        let at = random.below(PEERS as u64) as usize;
        requests[at] += 1;
        let request = requests[at];
        let which = random.below(2);
        let message = match random.below(10) {
            0..5 => {
                let acknowledge = random.below(2) == 0;
                let topic = format!("com.topic{which}");
                json!([16, request, { "acknowledge": acknowledge }, topic, [at, tag]])
            }
            5..8 => json!([48, request, {}, format!("com.procedure{}", random.below(3)), [at, tag]]),
            8 => json!([32, request, {}, format!("org.own{at}")]),
            _ => json!([34, request, 100_000]),
        };
        w.say(peers[at], message);
        if patience > 0 && chance.below(patience) == 0 {
            answer_one(&mut w, &mut open, &mut chance);
        }
        if chance.below(100) == 0 {
            w.router.purge_decisions("realm1", None);
        }
    }
    while answer_one(&mut w, &mut open, &mut chance) {}
    let mut transcripts = Transcripts::new();
    for (n, listener) in listeners.iter().enumerate() {
        for mut message in w.hear_all(*listener) {
            let payload = message.as_array_mut().expect("a message").pop().expect("a payload");
            let from = payload[0].as_u64().expect("who") as usize;
            // Ids that say when something was carried out, among those of others, are not to be compared.
            let kind = json!([message[0], message[0] == 36 && message[1] == patterns[0], payload]);
            transcripts.entry((from, PEERS + n)).or_default().push(kind);
        }
    }
    for (n, peer) in peers.iter().enumerate() {
        let answers = w.hear_all(*peer).into_iter().map(|message| match message[0].as_u64() {
            Some(8) => json!([8, message[2], message[4]]),
            code => json!([code, message[1]]),
        });
        transcripts.insert((n, n), answers.collect());
    }
    transcripts
}

#[test]
fn with_an_authorizer_that_allows_all_each_session_hears_the_same_of_each_other_in_the_same_order() {
    for seed in 0..20 {
        let expected = run(seed, 0);
        assert!(expected.values().all(|heard| heard.len() > 10), "{expected:?}");
        for patience in [1, 2, 20, 1_000] {
            assert_eq!(run(seed, patience), expected, "seed {seed}, patience {patience}");
        }
    }
}
