//! Patterns: which subscriptions get an event, and which one registration gets a call.
//! [wamp: advanced/pubsub_pattern_based_subscription, advanced/rpc_pattern_based_registration]

mod common;

use common::Wamp;
use serde_json::{Value, json};

fn matching(policy: &str) -> Value {
    json!({ "match": policy })
}

/// Whether a subscriber to `pattern` gets what is published to `topic`, and with which details.
fn event_details(policy: &str, pattern: &str, topic: &str) -> Option<Value> {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe_with(bob, 1, matching(policy), pattern);
    // A pattern that matches everything matches the news of itself.
    w.hear_all(bob);
    w.publish(alice, 1, topic);
    w.hear_all(bob).pop().map(|event| event[3].clone())
}

#[test]
fn a_prefix_subscription_matches_by_characters() {
    // The examples of the specification.
    for topic in [
        "com.myapp.topic.emergency.11",
        "com.myapp.topic.emergency-low",
        "com.myapp.topic.emergency.category.severe",
        "com.myapp.topic.emergency",
    ] {
        let details = event_details("prefix", "com.myapp.topic.emergency", topic);
        assert_eq!(details, Some(json!({ "topic": topic })), "{topic}");
    }
    for topic in ["com.myapp.topic.emergenc", "com.myapp.topic", "com.myapp.topic.emergencx"] {
        assert_eq!(event_details("prefix", "com.myapp.topic.emergency", topic), None, "{topic}");
    }
}

#[test]
fn a_prefix_may_end_in_a_dot_and_may_be_empty() {
    assert!(event_details("prefix", "com.myapp.", "com.myapp.topic1").is_some());
    assert!(event_details("prefix", "com.myapp.", "com.myapp").is_none());
    assert!(event_details("prefix", "", "com.myapp.topic1").is_some());
    assert!(event_details("prefix", "com.übe", "com.übung").is_none());
    assert!(event_details("prefix", "com.üb", "com.übung").is_some());
}

#[test]
fn a_wildcard_subscription_matches_whole_components() {
    // The examples of the specification.
    for topic in ["com.myapp.foo.userevent", "com.myapp.bar.userevent", "com.myapp.a12.userevent"] {
        let details = event_details("wildcard", "com.myapp..userevent", topic);
        assert_eq!(details, Some(json!({ "topic": topic })), "{topic}");
    }
    for topic in ["com.myapp.foo.userevent.bar", "com.myapp.foo.user", "com.myapp2.foo.userevent"] {
        assert_eq!(event_details("wildcard", "com.myapp..userevent", topic), None, "{topic}");
    }
}

#[test]
fn a_wildcard_may_stand_in_any_place() {
    for (pattern, topic, matches) in [
        (".myapp.topic1", "com.myapp.topic1", true),
        ("com.myapp.", "com.myapp.topic1", true),
        ("com.myapp.", "com.myapp", false),
        ("com.myapp.", "com.myapp.topic1.x", false),
        ("..", "com.myapp.topic1", true),
        ("..", "com.myapp", false),
        ("", "com", true),
        ("", "com.myapp", false),
        ("com.myapp.topic1", "com.myapp.topic1", true),
    ] {
        assert_eq!(event_details("wildcard", pattern, topic).is_some(), matches, "{pattern:?} {topic:?}");
    }
}

#[test]
fn an_exact_subscription_matches_nothing_else_and_is_not_told_the_topic() {
    assert_eq!(event_details("exact", "com.myapp.topic1", "com.myapp.topic1"), Some(json!({})));
    assert_eq!(event_details("exact", "com.myapp.topic1", "com.myapp.topic1.more"), None);
}

#[test]
fn an_event_comes_once_for_each_matching_subscription_with_one_publication_id() {
    let mut w = Wamp::new();
    let [alice, bob, carol] = w.join("realm1");
    let exact = w.subscribe(bob, 1, "com.myapp.topic1");
    let short = w.subscribe_with(bob, 2, matching("prefix"), "com");
    let long = w.subscribe_with(bob, 3, matching("prefix"), "com.myapp.");
    let wildcard = w.subscribe_with(bob, 4, matching("wildcard"), "com..topic1");
    w.subscribe_with(bob, 5, matching("wildcard"), "com..topic2");
    assert_eq!(w.subscribe_with(carol, 1, matching("wildcard"), "com..topic1"), wildcard);

    w.say(alice, json!([16, 1, { "acknowledge": true }, "com.myapp.topic1", ["x"]]));
    let publication = w.expect(alice, json!([17, 1, "*"]))[2].clone();
    let mut events = w.hear_all(bob);
    events.sort_by_key(|event| event[1].as_u64());
    let topic = json!({ "topic": "com.myapp.topic1" });
    assert_eq!(
        events,
        [
            json!([36, exact, publication, {}, ["x"]]),
            json!([36, short, publication, topic, ["x"]]),
            json!([36, long, publication, topic, ["x"]]),
            json!([36, wildcard, publication, topic, ["x"]]),
        ]
    );
    w.expect(carol, json!([36, wildcard, publication, topic, ["x"]]));
    w.expect_silence();
}

#[test]
fn one_text_under_three_policies_is_three_subscriptions() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let ids = ["exact", "prefix", "wildcard"].map(|policy| (policy, "com.myapp.topic1"));
    let [exact, prefix, wildcard] = ids.map(|(policy, topic)| {
        let request =
            1 + ["exact", "prefix", "wildcard"].iter().position(|p| *p == policy).expect("a policy") as u64;
        w.subscribe_with(bob, request, matching(policy), topic)
    });
    assert!(exact != prefix && prefix != wildcard && exact != wildcard);
    w.say(bob, json!([34, 4, prefix]));
    w.expect(bob, json!([35, 4]));
    w.publish(alice, 1, "com.myapp.topic1");
    let heard: Vec<Value> = w.hear_all(bob).into_iter().map(|event| event[1].clone()).collect();
    assert_eq!(heard, [json!(exact), json!(wildcard)]);
}

#[test]
fn a_pattern_that_was_unsubscribed_matches_no_more() {
    for (policy, pattern) in
        [("prefix", "com.my"), ("prefix", ""), ("wildcard", "com..topic1"), ("wildcard", "..")]
    {
        let mut w = Wamp::new();
        let [alice, bob] = w.join("realm1");
        let subscription = w.subscribe_with(bob, 1, matching(policy), pattern);
        w.hear_all(bob);
        w.say(bob, json!([34, 2, subscription]));
        w.expect(bob, json!([35, 2]));
        w.publish(alice, 1, "com.myapp.topic1");
        w.expect_silence();
    }
}

/// The registrations of the specification's worked examples.
const EXAMPLES: [(&str, &str); 7] = [
    ("exact", "a1.b2.c3.d4.e55"),
    ("prefix", "a1.b2.c3"),
    ("prefix", "a1.b2.c3.d4"),
    ("wildcard", "a1.b2..d4.e5"),
    ("wildcard", "a1.b2.c33..e5"),
    ("wildcard", "a1.b2..d4.e5..g7"),
    ("wildcard", "a1.b2..d4..f6.g7"),
];

/// Which of the registrations, counted from 1, gets a call of `procedure`; 0 for none.
fn chosen(registrations: &[(&str, &str)], procedure: &str) -> usize {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    for (request, (policy, uri)) in (1..).zip(registrations) {
        assert_eq!(w.register_with(callee, request, matching(policy), uri), request);
    }
    w.call(caller, 1, procedure);
    let Some(invocation) = w.hear_all(callee).pop() else {
        w.expect_error(caller, 48, 1, "wamp.error.no_such_procedure");
        return 0;
    };
    w.expect_silence();
    usize::try_from(invocation[2].as_u64().expect("a registration id")).expect("a small one")
}

#[test]
fn a_call_goes_to_the_one_best_registration() {
    for (procedure, number) in [
        ("a1.b2.c3.d4.e55", 1),
        ("a1.b2.c3.d98.e74", 2),
        ("a1.b2.c3.d4.e325", 3),
        ("a1.b2.c55.d4.e5", 4),
        ("a1.b2.c88.d4.e5.f6.g7", 6),
        ("a2.b2.c2.d2.e2", 0),
    ] {
        assert_eq!(chosen(&EXAMPLES, procedure), number, "{procedure}");
    }
}

#[test]
fn of_two_wildcards_the_one_with_more_leading_literals_gets_the_call() {
    // The fifth worked example says that the prefix `a1.b2.c3` does not match `a1.b2.c33.d4.e5`. By the rule and the
    // examples of Prefix Matching (`com.myapp.myobject1-mysubobject1`) it does, so it is left out here.
    assert_eq!(chosen(&EXAMPLES[3..], "a1.b2.c33.d4.e5"), 2);
    assert_eq!(chosen(&EXAMPLES, "a1.b2.c33.d4.e5"), 2, "the prefix goes first");
    // The text of the algorithm.
    assert_eq!(chosen(&[("wildcard", "a1...d4"), ("wildcard", "a1.b2..d4")], "a1.b2.c3.d4"), 2);
}

#[test]
fn a_prefix_goes_before_a_wildcard_however_specific() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register_with(callee, 1, matching("wildcard"), "com.myapp.object.");
    let prefix = w.register_with(callee, 2, matching("prefix"), "com");
    w.call(caller, 1, "com.myapp.object.method");
    w.expect(callee, json!([68, 1, prefix, { "procedure": "com.myapp.object.method" }]));
    w.expect_silence();
}

#[test]
fn the_next_best_registration_answers_when_the_best_is_gone() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    let procedure = "com.myapp.object.method";
    let patterns = [
        ("exact", procedure),
        ("prefix", "com.myapp.object."),
        ("prefix", "com.myapp"),
        ("prefix", ""),
        ("wildcard", "com.myapp.object."),
        ("wildcard", "com.myapp..method"),
        ("wildcard", "com...method"),
        ("wildcard", "..."),
    ];
    // Registered in reverse, so that precedence is not the order of registration.
    let mut ids: Vec<u64> = (1..)
        .zip(patterns.iter().rev())
        .map(|(request, (policy, uri))| w.register_with(callee, request, matching(policy), uri))
        .collect();
    ids.reverse();
    for (number, id) in (1..).zip(ids) {
        w.call(caller, number, procedure);
        w.expect(callee, json!([68, number, id, "*"]));
        w.say(callee, json!([66, patterns.len() as u64 + number, id]));
        w.expect(callee, json!([67, patterns.len() as u64 + number]));
        w.expect_silence();
    }
    w.call(caller, 9, procedure);
    w.expect_error(caller, 48, 9, "wamp.error.no_such_procedure");
}

#[test]
fn a_call_meets_a_pattern_only_where_the_pattern_matches() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register_with(callee, 1, matching("prefix"), "com.myapp.myobject1");
    w.register_with(callee, 2, matching("wildcard"), "org.myapp..myprocedure1");
    let mut request = 0;
    for (procedure, matches) in [
        ("com.myapp.myobject1.myprocedure1", true),
        ("com.myapp.myobject1-mysubobject1", true),
        ("com.myapp.myobject1.mysubobject1.myprocedure1", true),
        ("com.myapp.myobject1", true),
        ("com.myapp.myobject2", false),
        ("com.myapp.myobject", false),
        ("org.myapp.myobject1.myprocedure1", true),
        ("org.myapp.myobject2.myprocedure1", true),
        ("org.myapp.myobject1.myprocedure1.mysubprocedure1", false),
        ("org.myapp.myobject1.myprocedure2", false),
        ("org.myapp2.myobject1.myprocedure1", false),
    ] {
        request += 1;
        w.call(caller, request, procedure);
        if matches {
            w.expect(callee, json!([68, "*", "*", { "procedure": procedure }]));
        } else {
            w.expect_error(caller, 48, request, "wamp.error.no_such_procedure");
        }
        w.expect_silence();
    }
}

#[test]
fn one_text_under_two_policies_is_two_registrations() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let exact = w.register(alice, 1, "com.myapp.procedure1");
    let prefix = w.register_with(bob, 1, matching("prefix"), "com.myapp.procedure1");
    assert_ne!(exact, prefix);
    w.say(bob, json!([64, 2, { "match": "prefix" }, "com.myapp.procedure1"]));
    w.expect_error(bob, 64, 2, "wamp.error.procedure_already_exists");
}

#[test]
fn a_broad_pattern_does_not_answer_in_the_routers_name() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register_with(callee, 1, matching("prefix"), "");
    w.register_with(callee, 2, matching("prefix"), "wam");
    w.register_with(callee, 3, matching("wildcard"), ".session.count");
    w.call(caller, 1, "wamp.session.count");
    w.expect(caller, json!([50, 1, {}, [2]]));
    w.call(caller, 2, "wamp.session.juggle");
    w.expect_error(caller, 48, 2, "wamp.error.no_such_procedure");
    w.expect_silence();
}

#[test]
fn a_broad_subscription_gets_the_routers_own_events() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let all = w.subscribe_with(alice, 1, matching("prefix"), "wamp.session.");
    let [bob] = w.join("realm1");
    let event = w.expect(alice, json!([36, all, "*", { "topic": "wamp.session.on_join" }, ["*"]]));
    assert_eq!(event[4][0]["session"], bob.session);
    w.expect_silence();
}

#[test]
fn pattern_texts_are_checked_by_the_rules_of_their_policy() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let mut request = 0;
    for (policy, uri) in [
        ("exact", ""),
        ("exact", "com..topic1"),
        ("exact", "com."),
        ("prefix", "com..topic1"),
        ("prefix", ".com"),
        ("prefix", "my app"),
        ("wildcard", "com. .x"),
        ("wildcard", "com.#"),
    ] {
        request += 1;
        w.say(alice, json!([32, request, matching(policy), uri]));
        w.expect_error(alice, 32, request, "wamp.error.invalid_uri");
        request += 1;
        w.say(alice, json!([64, request, matching(policy), uri]));
        w.expect_error(alice, 64, request, "wamp.error.invalid_uri");
    }
}
