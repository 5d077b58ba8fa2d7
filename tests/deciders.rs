//! Functions of the program decide: in the same process as the router, and behind the sockets of the native one.

use std::future::{pending, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::future::{Either, join_all, select};
use serde_json::{Value, json};
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::auth::{Ask, Failure, Functions};
use wamplet::config::{Config, RealmConfig, Realms};
use wamplet::local::LocalRouter;
use wamplet::payload::Values;
use wamplet::router::Now;

/// A realm where this function decides.
fn asking(function: &str) -> Config {
    let roles = vec![Role::dynamic("anonymous", Authorizer::new(Ask::Function(function.into())))];
    Config {
        realms: Realms::Named(vec![RealmConfig { roles, ..RealmConfig::open("realm1") }]),
        ..Config::default()
    }
}

/// Allows topics that begin with `com.`.
fn only_com() -> Functions {
    Functions::default().with("only_com", |asked: Values| {
        ready(Ok(Values::args([json!(asked.args[1].as_str().is_some_and(|uri| uri.starts_with("com.")))])))
    })
}

/// Runs the test while the functions answer.
fn with_decider<T>(config: Config, functions: Functions, test: impl AsyncFnOnce(LocalRouter) -> T) -> T {
    let (router, deciding) =
        LocalRouter::with_decider(config, [7; 32], Now::default, functions).expect("there is the function");
    match block_on(select(pin!(test(router)), pin!(deciding))) {
        Either::Left((done, _)) => done,
        Either::Right(_) => panic!("it goes on as long as the router"),
    }
}

#[test]
fn a_function_decides_for_sessions_of_the_same_process() {
    with_decider(asking("only_com"), only_com(), async |router| {
        let alice = router.join("realm1").expect("there is this realm");
        alice.subscribe("com.example.topic").await.expect("it is allowed");
        let refused = alice.subscribe("org.example.topic").await.err().expect("it is not allowed");
        assert_eq!(refused.error, "wamp.error.not_authorized");
        // Many at once, each in its turn.
        let values = Values::default();
        let topics: Vec<String> =
            (0..50).map(|n| format!("{}.topic{n}", if n % 2 == 0 { "com" } else { "org" })).collect();
        let published = join_all(topics.iter().map(|topic| alice.publish(topic, &values))).await;
        for (topic, published) in topics.iter().zip(published) {
            assert_eq!(published.is_ok(), topic.starts_with("com."), "{topic}");
        }
    });
}

#[test]
fn a_function_may_think_and_others_are_answered_meanwhile() {
    let (sender, receiver) = futures::channel::oneshot::channel::<()>();
    let receiver = Mutex::new(Some(receiver));
    let functions = Functions::default().with("think", move |asked: Values| {
        let wait = receiver.lock().expect("nobody panics").take().filter(|_| asked.args[1] == "com.slow");
        async move {
            if let Some(wait) = wait {
                wait.await.map_err(|_| Failure::new("com.gone", ""))?;
            }
            Ok(Values::args([json!(true)]))
        }
    });
    with_decider(asking("think"), functions, async |router| {
        let slow = router.join("realm1").expect("there is this realm");
        let quick = router.join("realm1").expect("there is this realm");
        let slow = pin!(slow.subscribe("com.slow"));
        let Either::Right((events, slow)) = select(slow, pin!(quick.subscribe("com.quick"))).await else {
            panic!("the function has not decided about it");
        };
        events.expect("it is allowed");
        sender.send(()).expect("the function waits");
        slow.await.expect("it is allowed");
    });
}

#[test]
fn a_function_that_fails_fails_the_request() {
    let functions = Functions::default().with("fail", |_| ready(Err(Failure::new("com.oops", "why"))));
    with_decider(asking("fail"), functions, async |router| {
        let alice = router.join("realm1").expect("there is this realm");
        let failed = alice.subscribe("com.example.topic").await.err().expect("it failed");
        assert_eq!(failed.error, "wamp.error.authorization_failed");
        assert!(failed.to_string().contains("com.oops"), "{failed}");
    });
}

#[test]
fn a_function_that_never_answers_is_not_waited_for_forever() {
    let functions = Functions::default().with("never", |_| pending());
    let clock = Arc::new(AtomicUsize::new(0));
    let time = Arc::clone(&clock);
    let now = move || Now { mono_ms: time.load(Ordering::Relaxed) as u64, unix_ns: 0 };
    let (router, deciding) =
        LocalRouter::with_decider(asking("never"), [7; 32], now, functions).expect("there is the function");
    let alice = router.join("realm1").expect("there is this realm");
    let subscribing = pin!(alice.subscribe("com.example.topic"));
    let waiting = async {
        clock.store(10_000, Ordering::Relaxed);
        router.handle_timeout();
        pending::<()>().await;
    };
    let Either::Left((failed, _)) =
        block_on(select(subscribing, pin!(select(pin!(deciding), pin!(waiting)))))
    else {
        panic!("neither ends")
    };
    assert_eq!(failed.err().expect("it failed").error, "wamp.error.authorization_failed");
}

#[test]
fn a_configuration_with_a_function_that_there_is_not_is_refused() {
    let refused = LocalRouter::with_decider(asking("onlycom"), [7; 32], Now::default, only_com()).err();
    let sentence = refused.expect("there is none of this name").to_string();
    assert!(sentence.contains("realm1") && sentence.contains("anonymous") && sentence.contains("onlycom"));
}

#[test]
fn a_program_without_functions_refuses_what_one_would_have_to_decide() {
    let router = LocalRouter::new(asking("only_com"), [7; 32], Now::default);
    let alice = router.join("realm1").expect("there is this realm");
    let failed = block_on(alice.subscribe("com.example.topic")).err().expect("nobody can be asked");
    assert_eq!(failed.error, "wamp.error.authorization_failed");
}

#[test]
fn what_asks_the_functions_ends_with_the_router() {
    let (router, deciding) = LocalRouter::with_decider(asking("only_com"), [7; 32], Now::default, only_com())
        .expect("it is there");
    drop(router);
    block_on(deciding);
}

#[cfg(feature = "native")]
mod native {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::time::Duration;

    use wamplet::config::node::Node;
    use wamplet::native::{Options, RunError, run};

    use super::*;

    /// Longer than anything here takes on a slow machine.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn node(path: &str, function: &str) -> Node {
        let config = json!({
            "realms": [{ "name": "realm1", "roles": [] }],
            "transports": [{ "type": "rawsocket", "endpoint": { "type": "unix", "path": path } }],
        });
        let loaded = Node::from_json(&config.to_string(), std::path::Path::new("/")).expect("it is valid");
        Node { config: asking(function), ..loaded.node }
    }

    fn options(decider: Option<Functions>) -> Options {
        let decider = decider.map(|functions| Arc::new(functions) as Arc<_>);
        Options { source: None, threads: 1, hang_up: false, decider }
    }

    fn send(stream: &mut UnixStream, message: &Value) {
        let text = message.to_string();
        let length = u32::try_from(text.len()).expect("a short one");
        stream.write_all(&[&length.to_be_bytes()[..], text.as_bytes()].concat()).expect("the router reads");
    }

    fn receive(stream: &mut UnixStream) -> Value {
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("the router writes");
        let mut text = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut text).expect("the router writes");
        serde_json::from_slice(&text).expect("JSON")
    }

    #[test]
    fn a_function_decides_for_those_who_connect_to_the_server() {
        let folder = std::env::temp_dir().join(format!("wamplet-test-{}-deciders", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let path: PathBuf = folder.join("socket");
        let node = node(path.to_str().expect("a plain path"), "only_com");
        // It runs until the process of the test ends.
        std::thread::spawn(move || run(&node, &options(Some(only_com()))));
        let connected = (0..3_000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            UnixStream::connect(&path).ok()
        });
        let mut stream = connected.expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream.write_all(&[0x7f, 0xf1, 0, 0]).expect("the router reads");
        stream.read_exact(&mut [0; 4]).expect("the router writes");
        send(&mut stream, &json!([1, "realm1", { "roles": { "subscriber": {} } }]));
        assert_eq!(receive(&mut stream)[0], 2);
        for request in 1..=20 {
            let topic = if request % 2 == 0 { "com.topic" } else { "org.topic" };
            send(&mut stream, &json!([32, request, {}, topic]));
        }
        for request in 1..=20u64 {
            let answer = receive(&mut stream);
            let (code, at) = if request % 2 == 0 { (33, 1) } else { (8, 2) };
            assert_eq!((&answer[0], &answer[at]), (&json!(code), &json!(request)), "{answer}");
        }
        std::fs::remove_dir_all(&folder).expect("it is there");
    }

    #[test]
    fn a_server_does_not_start_with_a_function_that_there_is_not() {
        for functions in [None, Some(only_com())] {
            let refused = run(&node("/nowhere/socket", "other"), &options(functions));
            assert!(matches!(refused, Err(RunError::Config(_))), "{refused:?}");
        }
    }
}
