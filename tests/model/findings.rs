//! What random operations have found, each made short and given a name.

use super::entropy;
use super::operation::Operation;
use super::run::Run;

/// Router and model agree about these operations, one in a line.
fn agree(settings: usize, operations: &str) {
    let mut run = Run::new(settings, entropy(1), true);
    for line in operations.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let operation: Operation = line.parse().expect("an operation");
        run.apply(&operation).unwrap_or_else(|difference| panic!("{difference}\n{}", run.transcript()));
    }
    run.finish().expect("nothing is left");
}

#[test]
fn operations_are_read_as_they_are_written() {
    for line in [
        "0 opens msgpack joe",
        "3 says [16,\"$next\",{\"eligible\":[\"$session 1\"]},\"a.b\",[\"$tag\"]]",
        "5 is lost",
        "answer 0 [{\"allow\":true}]",
        "wait 500",
        "reload 1",
        "shut down",
    ] {
        assert_eq!(line.parse::<Operation>().expect("an operation").to_string(), line);
    }
    assert!("7 sings".parse::<Operation>().is_err());
}

#[test]
fn a_call_and_a_publication_agree() {
    agree(
        0,
        r#"
        0 opens json nobody
        0 says [1,"realm1",{"roles":{"callee":{},"subscriber":{}}}]
        0 says [64,"$next",{},"a.b"]
        0 says [32,"$next",{},"a.c"]
        1 opens cbor joe
        1 says [1,"realm1",{"roles":{"caller":{},"publisher":{}}}]
        1 says [48,"$next",{"timeout":100},"a.b",["$tag"]]
        0 says [70,"$invocation 0",{},["$tag"]]
        1 says [16,"$next",{"acknowledge":true},"a.c"]
        1 says [48,"$next",{"timeout":100},"a.b"]
        wait 100
        "#,
    );
}

#[test]
fn a_realm_that_a_refused_hello_brought_into_being_is_gone_with_it() {
    agree(
        2,
        r#"
        0 opens json user
        0 says [1,"realm1",{"roles":{"caller":{}}}]
        0 opens json user
        0 says [1,"realm2",{"roles":{"caller":{}}}]
        1 opens json nobody
        1 says [1,"realm3",{"roles":{"caller":{}}}]
        "#,
    );
}

#[test]
fn who_leaves_because_its_role_is_gone_leaves_no_testament() {
    agree(
        1,
        r#"
        0 opens json nobody
        0 says [1,"realm1",{"roles":{"caller":{}}}]
        0 says [48,"$next",{},"wamp.session.add_testament",["a.c",["$tag"],{}],{}]
        1 opens json user
        1 says [1,"realm1",{"roles":{"subscriber":{}}}]
        1 says [32,"$next",{},"a.c"]
        reload 3
        "#,
    );
}

#[test]
fn what_has_expired_is_not_counted_among_the_retained_events_that_are_cleared() {
    agree(
        2,
        r#"
        0 opens msgpack trusted
        0 says [1,"realm1",{"roles":{"publisher":{},"caller":{}}}]
        0 says [16,"$next",{"retain":true,"x_retain_ms":1},"a",["$tag"]]
        wait 1000
        0 says [48,"$next",{},"wamplet.retention.clear",["",{"match":"wildcard"}]]
        "#,
    );
}

#[test]
fn who_logs_in_is_not_told_that_the_authenticator_has_no_time() {
    agree(
        6,
        r#"
        0 opens msgpack admin
        0 says [1,"realm1",{"roles":{"callee":{},"caller":{}}}]
        0 says [64,"$next",{"match":"prefix","concurrency":1},""]
        0 says [48,"$next",{},"a.c",["$tag"]]
        3 opens json nobody
        3 says [1,"realm1",{"roles":{"subscriber":{}},"authmethods":["ticket"],"authid":"joe"}]
        3 says [5,"top",{}]
        "#,
    );
}

#[test]
fn a_shutdown_withdraws_what_an_authenticator_is_asked() {
    agree(
        6,
        r#"
        4 opens cbor nobody
        2 opens msgpack joe
        2 says [1,"realm1",{"roles":{"callee":{"features":{"call_canceling":true}}}}]
        2 says [64,"$next",{},"b.c"]
        4 says [1,"realm1",{"roles":{"subscriber":{}},"authmethods":["ticket"],"authid":"joe"}]
        4 says [5,"",{}]
        shut down
        "#,
    );
}
