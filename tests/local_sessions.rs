//! Sessions in this process: futures and streams over the router, with nothing to spawn.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{join, ready};
use futures::{FutureExt, StreamExt};
use serde_json::json;
use wamplet::auth::Functions;
use wamplet::config::{Config, RealmConfig, Realms};
use wamplet::id::MAX_ID;
use wamplet::local::{LocalRouter, LocalSession, QUEUE_LENGTH};
use wamplet::message::{InvokePolicy, RegisterOptions, SubscribeOptions};
use wamplet::payload::Values;
use wamplet::router::Now;
use wamplet::uri::MatchPolicy;

fn router() -> LocalRouter {
    LocalRouter::new(Config::default(), [7; 32], Now::default)
}

fn join_two(router: &LocalRouter) -> [LocalSession; 2] {
    std::array::from_fn(|_| router.join("realm1").expect("any realm will do"))
}

#[test]
fn a_session_knows_its_id_and_what_it_was_welcomed_with() {
    let session = router().join("realm1").expect("any realm will do");
    assert!((1..=MAX_ID).contains(&session.id().0));
    assert_eq!(session.details()["realm"], "realm1");
}

#[test]
fn a_realm_that_there_is_not_is_refused_with_its_error() {
    let config = Config { realms: Realms::Named(vec![RealmConfig::open("realm1")]), ..Config::default() };
    let router = LocalRouter::new(config, [7; 32], Now::default);
    let failure = router.join("realm2").err().expect("there is no realm2");
    assert_eq!(failure.error, "wamp.error.no_such_realm");
    assert_eq!(failure.to_string(), "wamp.error.no_such_realm: this router has no realm 'realm2'");
}

#[test]
fn a_call_is_answered_by_the_callee() {
    let [alice, bob] = join_two(&router());
    block_on(async {
        let mut invocations = bob.register("com.example.add2").await.expect("nobody has it");
        let answer = async {
            let invocation = invocations.next().await.expect("alice calls");
            let sum: i64 = invocation.values.args.iter().filter_map(|value| value.as_i64()).sum();
            invocation.succeed(&Values::args([json!(sum)]));
        };
        let (result, ()) =
            join(alice.call("com.example.add2", &Values::args([json!(2), json!(3)])), answer).await;
        assert_eq!(result.expect("bob answers").args, [json!(5)]);
    });
}

#[test]
fn a_callee_fails_a_call_by_error_or_by_dropping_it() {
    let [alice, bob] = join_two(&router());
    block_on(async {
        let mut invocations = bob.register("com.example.fail").await.expect("nobody has it");
        let answer = async {
            let first = invocations.next().await.expect("alice calls");
            first.fail("com.example.error.no", &Values::args([json!("no")]));
            drop(invocations.next().await.expect("alice calls again"));
        };
        let nothing = Values::default();
        let calls = async {
            let failed = alice.call("com.example.fail", &nothing).await.expect_err("bob fails it");
            let dropped = alice.call("com.example.fail", &nothing).await.expect_err("bob drops it");
            [failed, dropped]
        };
        let ([failed, dropped], ()) = join(calls, answer).await;
        assert_eq!((failed.error.as_str(), failed.values.args), ("com.example.error.no", vec![json!("no")]));
        assert_eq!(dropped.error, "wamp.error.canceled");
    });
}

#[test]
fn patterns_tell_the_concrete_uri() {
    let [alice, bob] = join_two(&router());
    block_on(async {
        let prefix = SubscribeOptions { match_policy: MatchPolicy::Prefix, ..SubscribeOptions::default() };
        let mut events = bob.subscribe_with("com.example.", prefix).await.expect("bob may subscribe");
        alice.publish("com.example.one", &Values::default()).await.expect("alice may publish");
        assert_eq!(events.next().await.expect("an event").topic.as_deref(), Some("com.example.one"));

        let wildcard = RegisterOptions { match_policy: MatchPolicy::Wildcard, ..RegisterOptions::default() };
        let mut invocations = bob.register_with("com..get", wildcard).await.expect("nobody has it");
        let nothing = Values::default();
        let call = alice.call("com.example.get", &nothing);
        let (_, procedure) =
            join(call, async { invocations.next().await.expect("a call").procedure.clone() }).await;
        assert_eq!(procedure.as_deref(), Some("com.example.get"));
    });
}

#[test]
fn two_listeners_of_one_topic_each_get_its_events_until_they_are_dropped() {
    let [alice, bob] = join_two(&router());
    block_on(async {
        let mut first = bob.subscribe("com.example.topic").await.expect("bob may subscribe");
        let mut second = bob.subscribe("com.example.topic").await.expect("bob may subscribe again");
        alice.publish("com.example.topic", &Values::args([json!(1)])).await.expect("alice may publish");
        assert_eq!(first.next().await.expect("an event").values.args, [json!(1)]);
        assert_eq!(second.next().await.expect("an event").values.args, [json!(1)]);
        drop(first);
        alice.publish("com.example.topic", &Values::args([json!(2)])).await.expect("alice may publish");
        assert_eq!(second.next().await.expect("an event").values.args, [json!(2)]);
        drop(second);
        alice.publish("com.example.topic", &Values::args([json!(3)])).await.expect("nobody listens");
    });
}

#[test]
fn a_registration_that_is_dropped_is_free_for_others() {
    let [alice, bob] = join_two(&router());
    block_on(async {
        let held = alice.register("com.example.one").await.expect("nobody has it");
        let refused = bob.register("com.example.one").await.err().expect("alice has it");
        assert_eq!(refused.error, "wamp.error.procedure_already_exists");
        drop(held);
        bob.register("com.example.one").await.expect("alice gave it up");
    });
}

#[test]
fn dropping_a_session_leaves_the_realm_and_fails_the_calls_that_it_was_to_answer() {
    let [alice, bob] = join_two(&router());
    block_on(async {
        let mut left = alice.subscribe("wamp.session.on_leave").await.expect("alice may subscribe");
        let invocations = bob.register("com.example.never").await.expect("nobody has it");
        let id = bob.id().0;
        let nothing = Values::default();
        let mut call = Box::pin(alice.call("com.example.never", &nothing));
        assert!(call.as_mut().now_or_never().is_none(), "bob has not answered");
        drop(bob);
        assert_eq!(call.await.expect_err("bob is gone").error, "wamp.error.canceled");
        assert_eq!(left.next().await.expect("an event").values.args, [json!(id)]);
        assert_eq!(invocations.map(|_| ()).skip(1).count().await, 0, "the stream ends with the session");
    });
}

#[test]
fn a_session_that_is_killed_learns_why() {
    let [alice, bob] = join_two(&router());
    block_on(async {
        let mut kill = Values::args([json!(bob.id().0)]);
        kill.kwargs.insert("reason".into(), json!("com.example.because"));
        kill.kwargs.insert("message".into(), json!("foobar"));
        alice.call("wamp.session.kill", &kill).await.expect("alice may kill");
        let failure = bob.call("wamp.session.count", &Values::default()).await.expect_err("bob is gone");
        assert_eq!(failure.to_string(), "com.example.because: foobar");
    });
}

#[test]
fn a_session_that_does_not_keep_up_is_closed_and_the_others_go_on() {
    let [alice, bob] = join_two(&router());
    block_on(async {
        let events = bob.subscribe("com.example.flood").await.expect("bob may subscribe");
        // The channel of a stream has one place more for each sender.
        for _ in 0..QUEUE_LENGTH + 2 {
            alice.publish("com.example.flood", &Values::default()).await.expect("alice goes on");
        }
        let failure = bob.call("wamp.session.count", &Values::default()).await.expect_err("bob is closed");
        assert_eq!(failure.error, "wamplet.error.limit_exceeded");
        assert_eq!(
            alice.call("wamp.session.count", &Values::default()).await.expect("alice").args,
            [json!(1)]
        );
        assert!(events.take_while(|_| ready(true)).count().await > QUEUE_LENGTH);
    });
}

#[test]
fn a_session_that_is_killed_says_goodbye_so_that_the_router_waits_for_nothing() {
    let router = router();
    let [alice, bob] = join_two(&router);
    block_on(alice.call("wamp.session.kill", &Values::args([json!(bob.id().0)]))).expect("alice may kill");
    assert_eq!(router.next_timeout(), None);
}

#[test]
fn the_events_of_a_subscription_end_when_it_is_taken_away() {
    let [alice, bob] = join_two(&router());
    block_on(async {
        let mut events = bob.subscribe("com.example.topic").await.expect("it may");
        let _others = alice.subscribe("com.example.topic").await.expect("it may");
        alice.publish("com.example.topic", &Values::args([json!(1)])).await.expect("it may");
        let answer =
            alice.call("wamp.subscription.lookup", &Values::args([json!("com.example.topic")])).await;
        let id = answer.expect("it is there").args.remove(0);
        let take = Values::args([id, json!(bob.id().0)]);
        alice.call("wamp.subscription.remove_subscriber", &take).await.expect("bob has it");
        assert_eq!(events.next().await.expect("it came before").values.args, [json!(1)]);
        assert!(events.next().await.is_none(), "it was taken away");
        // What is dropped late takes nothing away from who has asked again.
        let mut again = bob.subscribe("com.example.topic").await.expect("it may");
        drop(events);
        alice.publish("com.example.topic", &Values::args([json!(2)])).await.expect("it may");
        assert_eq!(again.next().await.expect("it is there").values.args, [json!(2)]);
    });
}

#[test]
fn the_calls_of_a_registration_end_when_it_is_taken_away() {
    let [alice, bob] = join_two(&router());
    let shared = || RegisterOptions { invoke: InvokePolicy::Last, ..RegisterOptions::default() };
    block_on(async {
        let _others = alice.register_with("com.example.echo", shared()).await.expect("nobody has it");
        let mut invocations = bob.register_with("com.example.echo", shared()).await.expect("it is shared");
        let answer = alice.call("wamp.registration.lookup", &Values::args([json!("com.example.echo")])).await;
        let take = Values::args([answer.expect("it is there").args.remove(0), json!(bob.id().0)]);
        alice.call("wamp.registration.remove_callee", &take).await.expect("bob has it");
        assert!(invocations.next().await.is_none(), "it was taken away");
        let mut again = bob.register_with("com.example.echo", shared()).await.expect("it is shared");
        drop(invocations);
        let answer = async { again.next().await.expect("alice calls").succeed(&Values::args([json!(3)])) };
        let (result, ()) = join(alice.call("com.example.echo", &Values::default()), answer).await;
        assert_eq!(result.expect("bob answers").args, [json!(3)]);
    });
}

/// A router whose function says of everything that it may be, but for what is held up until the sender is dropped.
fn router_that_holds_up(action: &'static str) -> (LocalRouter, oneshot::Sender<()>) {
    let config = r#"{ "realms": [{ "name": "realm1", "roles": [
        { "name": "anonymous", "authorizer": { "type": "function", "create": "slow" } }
    ], "store": { "type": "memory", "call-queue": [{ "uri": "com.example.echo", "limit": 10000 }] } }] }"#;
    let config = Config::from_json(config).expect("a valid configuration").config;
    let (end, ended) = oneshot::channel::<()>();
    let ended = ended.map(drop).shared();
    let slow = Functions::default().with("slow", move |asked: Values| {
        let is_held_up = asked.args[1] == "com.example.held" && asked.args[2] == action;
        let ended = ended.clone();
        async move {
            if is_held_up {
                ended.await;
            }
            Ok(Values::args([json!({ "allow": true, "cache": true })]))
        }
    });
    let (router, deciding) =
        LocalRouter::with_decider(config, [7; 32], Now::default, slow).expect("there is this function");
    thread::spawn(move || block_on(deciding));
    (router, end)
}

/// What `work` answers on a thread of its own, which may never end.
#[track_caller]
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, answer) = channel();
    thread::spawn(move || sender.send(work()));
    answer.recv_timeout(Duration::from_secs(30)).expect("it does not wait for ever")
}

#[test]
fn a_call_that_comes_while_its_registration_is_given_up_is_answered() {
    in_time(|| {
        let (router, _end) = router_that_holds_up("publish");
        let [alice, bob] = join_two(&router);
        block_on(async {
            let invocations = bob.register("com.example.echo").await.expect("nobody has it");
            let nothing = Values::default();
            let mut held_up = Box::pin(bob.publish("com.example.held", &nothing));
            assert!(held_up.as_mut().now_or_never().is_none(), "the function thinks about it");
            // It waits behind the publication, so that the router has not heard of it.
            drop(invocations);
            let failure =
                alice.call("com.example.echo", &nothing).await.expect_err("bob takes no more calls");
            assert_eq!(failure.error, "wamp.error.canceled");
        });
    });
}

#[test]
fn many_calls_that_wait_for_a_registration_that_is_given_up_are_answered_one_after_the_other() {
    in_time(|| {
        let (router, _end) = router_that_holds_up("publish");
        let [alice, bob] = join_two(&router);
        block_on(async {
            let options = RegisterOptions { concurrency: Some(1), ..RegisterOptions::default() };
            let invocations = bob.register_with("com.example.echo", options).await.expect("nobody has it");
            let nothing = Values::default();
            let call = || Box::pin(alice.call("com.example.echo", &nothing));
            let mut calls = vec![call()];
            assert!(calls[0].as_mut().now_or_never().is_none(), "nobody answers");
            // Behind that one: about the others the function need not be asked.
            alice.call("wamp.session.count", &nothing).await.expect("it may");
            calls.extend((1..5_000).map(|_| call()));
            for call in &mut calls[1..] {
                assert!(call.as_mut().now_or_never().is_none(), "bob is busy");
            }
            let mut held_up = Box::pin(bob.publish("com.example.held", &nothing));
            assert!(held_up.as_mut().now_or_never().is_none(), "the function thinks about it");
            drop(invocations);
            for call in calls {
                assert_eq!(call.await.expect_err("bob takes no more calls").error, "wamp.error.canceled");
            }
        });
    });
}

#[test]
fn what_is_granted_when_nobody_waits_for_it_is_given_back() {
    in_time(|| {
        for action in ["register", "subscribe"] {
            let (router, end) = router_that_holds_up(action);
            let [alice, bob] = join_two(&router);
            let lookup = match action {
                "register" => "wamp.registration.match",
                _ => "wamp.subscription.lookup",
            };
            block_on(async {
                let nothing = Values::default();
                let mut registering = Box::pin(bob.register("com.example.held"));
                let mut subscribing = Box::pin(bob.subscribe("com.example.held"));
                match action {
                    "register" => assert!(registering.as_mut().now_or_never().is_none(), "it is held up"),
                    _ => assert!(subscribing.as_mut().now_or_never().is_none(), "it is held up"),
                }
                drop((registering, subscribing));
                drop(end);
                // Behind that, so that it is answered later.
                bob.call("wamp.session.count", &nothing).await.expect("it may");
                let found = alice.call(lookup, &Values::args([json!("com.example.held")])).await;
                assert_eq!(found.expect("it may").args, [json!(null)], "{action}");
            });
        }
    });
}
