//! `cookie`.

use std::sync::Arc;

use wamplet::auth::*;

use crate::clients::*;

#[test]
fn a_cookie_stands_for_who_logged_in_with_it_until_it_logs_out() {
    let methods = cookies(1_000, 10);
    let joe = joe();
    assert_eq!(denied(by_cookie(&methods, Some("chip"), "realm1", 0)).error, NO_METHOD);
    methods.remember(&channel_of(Some("chip")), &joe, at(0));
    let again = accepted(by_cookie(&methods, Some("chip"), "realm1", 10));
    assert_eq!(again, Identity { authprovider: "cookie".into(), ..joe.clone() });
    for (cookie, realm) in [(Some("other"), "realm1"), (None, "realm1"), (Some("chip"), "realm2")] {
        assert_eq!(denied(by_cookie(&methods, cookie, realm, 10)).error, NO_METHOD);
    }
    methods.forget(&channel_of(Some("chip")));
    assert_eq!(denied(by_cookie(&methods, Some("chip"), "realm1", 10)).error, NO_METHOD);
}

#[test]
fn a_cookie_is_forgotten_some_time_after_its_last_use() {
    let methods = cookies(1_000, 10);
    methods.remember(&channel_of(Some("chip")), &joe(), at(0));
    accepted(by_cookie(&methods, Some("chip"), "realm1", 999));
    accepted(by_cookie(&methods, Some("chip"), "realm1", 1_998));
    assert_eq!(denied(by_cookie(&methods, Some("chip"), "realm1", 2_998)).error, NO_METHOD);
}

#[test]
fn cookies_beyond_the_limit_replace_those_used_longest_ago() {
    let logins = Arc::new(MemoryLogins::new(1_000_000, 3));
    let methods = Methods { cookie: Some(logins.clone()), ..Methods::default() };
    for (now, cookie) in ["a", "b", "c"].into_iter().enumerate() {
        methods.remember(&channel_of(Some(cookie)), &joe(), at(now as u64));
    }
    accepted(by_cookie(&methods, Some("a"), "realm1", 10));
    methods.remember(&channel_of(Some("d")), &joe(), at(11));
    methods.remember(&channel_of(Some("d")), &joe(), at(12));
    assert_eq!(logins.len(), 3);
    denied(by_cookie(&methods, Some("b"), "realm1", 13));
    for cookie in ["a", "c", "d"] {
        accepted(by_cookie(&methods, Some(cookie), "realm1", 13));
    }
}

#[test]
fn an_anonymous_session_is_not_remembered() {
    let methods = cookies(1_000, 10);
    let nobody = Identity { authmethod: "anonymous".into(), ..joe() };
    methods.remember(&channel_of(Some("chip")), &nobody, at(0));
    assert_eq!(denied(by_cookie(&methods, Some("chip"), "realm1", 1)).error, NO_METHOD);
}
