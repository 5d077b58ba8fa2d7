//! Configurations: what loads, what it means, and what is said about what does not.
//!
//! Every `configs/broken/NAME.json` has the exact text of its error in `NAME.error.txt`, every `configs/good/NAME.json`
//! the exact text of its warnings in `NAME.warnings.txt` (no file: no warnings). `WAMPLET_BLESS=1 cargo test --test
//! config` writes the texts anew; read the difference before you commit it.

mod configs;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use configs::{assert_text, count, files, folder, read, replace};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Action, Allow, Authorizer, Disclose, Disclosure, Permission, Role};
use wamplet::config::{
    Config, ConfigError, HistoryRule, Limits, Loaded, OnLeave, Overflow, RealmConfig, Realms, RetentionRule,
    SHOWN, Stats, Store, StoreKind,
};
use wamplet::uri::{MatchPolicy, UriCheck, is_valid, is_valid_pattern};

#[test]
fn every_broken_file_is_refused_with_its_sentences() {
    let broken = files("broken");
    assert!(broken.len() >= 25, "only {} broken files", broken.len());
    for file in broken {
        let error = match Config::from_json(&read(&file)) {
            Ok(_) => panic!("{} was taken for a good configuration", file.display()),
            Err(error) => error.to_string(),
        };
        assert_text(&file.with_extension("error.txt"), &error);
    }
}

#[test]
fn every_good_file_loads_with_its_warnings() {
    for file in files("good") {
        let Loaded { warnings, .. } = match Config::from_json(&read(&file)) {
            Ok(loaded) => loaded,
            Err(error) => panic!("{}: {error}", file.display()),
        };
        let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert_text(&file.with_extension("warnings.txt"), &warnings.join("\n"));
    }
}

#[test]
fn no_text_is_left_without_its_file() {
    configs::assert_no_text_is_left("broken");
    configs::assert_no_text_is_left("good");
}

#[test]
fn nothing_configured_is_any_realm_and_the_default_limits() {
    for nothing in ["null", "{}", r#"{"$schema": "wamplet.json"}"#, r#"{"limits": {}}"#] {
        let Loaded { config, warnings } = Config::from_json(nothing).expect(nothing);
        assert!(matches!(config.realms, Realms::Any), "{nothing}");
        assert_eq!(config.limits, Limits::default(), "{nothing}");
        assert_eq!(warnings, [], "{nothing}");
    }
}

#[test]
fn a_node_of_version_1_keeps_its_flat_permissions() {
    let [realm] = good("session-monitor");
    assert_eq!(
        (realm.name.as_str(), realm.uri_check, realm.on_leave),
        ("realm1", UriCheck::Loose, OnLeave::Session)
    );
    let [anonymous, monitor] = &realm.roles[..] else { panic!("two roles") };
    assert_eq!(anonymous.name(), "anonymous");
    assert_eq!(
        anonymous.permissions(),
        [prefix("com.example.", Allow { publish: true, subscribe: true, call: true, register: true })]
    );
    assert_eq!(monitor.name(), "monitor");
    let subscribe = Allow { subscribe: true, ..Allow::default() };
    assert_eq!(monitor.permissions(), [prefix("wamp.metaevent.session.", subscribe)]);

    assert!(monitor.authorize("wamp.metaevent.session.on_join", Action::Subscribe).allow);
    assert!(!monitor.authorize("wamp.metaevent.session.on_join", Action::Publish).allow);
    assert!(!anonymous.authorize("wamp.session.on_join", Action::Subscribe).allow);
    assert!(!anonymous.authorize("com.example", Action::Call).allow);
}

#[test]
fn a_node_of_version_2_keeps_its_realms_of_all_router_workers() {
    let [first, second] = good("version-2-node");
    assert_eq!((first.name.as_str(), second.name.as_str()), ("realm1", "com.example.second"));
    assert_eq!(first.roles[0].permissions(), [prefix("", ALL)]);
    assert_eq!((second.uri_check, second.on_leave), (UriCheck::Strict, OnLeave::SessionAuthidAuthrole));
    assert!(first.checks_request_ids && !second.checks_request_ids);
    assert!(second.roles.is_empty());
}

#[test]
fn a_role_without_permissions_may_do_all_or_nothing_by_default() {
    let [realm] = good("role-without-permissions");
    let [anonymous, open, closed, ruled, asked] = &realm.roles[..] else { panic!("five roles") };
    assert_eq!(open.permissions(), [prefix("", ALL)]);
    for role in [anonymous, closed, ruled, asked] {
        assert_eq!(role.permissions(), [], "{}", role.name());
    }
    assert!(asked.authorizer().is_some());
}

#[test]
fn queues_of_calls_disclosures_and_trust_levels_are_what_the_file_says() {
    let [realm, other] = good("call-queues");
    for (procedure, limit) in [
        ("com.example.fast", Some(2)),
        ("com.example.slow", Some(100_000)),
        ("com.any.busy", Some(1_000)),
        ("com.any", None),
    ] {
        assert_eq!(realm.call_queues.limit(procedure), limit, "{procedure}");
    }
    assert!(other.call_queues.rules().is_empty());
    let role = &realm.roles[0];
    for (uri, action, disclose, trustlevel) in [
        ("com.any", Action::Call, Disclosure::Never, Some(0)),
        ("com.any", Action::Publish, Disclosure::Always, Some(0)),
        ("com.example.fast", Action::Call, Disclosure::OnRequest, Some(1 << 31)),
        ("com.example.fast", Action::Publish, Disclosure::Never, Some(1 << 31)),
        ("com.example.slow", Action::Register, Disclosure::OnRequest, None),
    ] {
        let decision = role.authorize(uri, action);
        assert_eq!((decision.disclose, decision.trustlevel), (disclose, trustlevel), "{uri} {action:?}");
    }
}

#[test]
fn a_store_says_which_events_are_kept() {
    use MatchPolicy::{Exact, Prefix, Wildcard};
    let history = |uri: &str, match_policy, limit| HistoryRule { uri: uri.into(), match_policy, limit };
    let retention = |uri: &str, match_policy, limit, expires_after_s| RetentionRule {
        uri: uri.into(),
        match_policy,
        limit,
        expires_after_s,
    };
    let [defaults, crossbar, database, off] = good("store");
    assert_eq!((defaults.store, off.store), (Some(Store::default()), None));
    let expected = Store {
        history: vec![
            history("com.example.oncounter", Exact, 20),
            history("com.example.", Prefix, 100),
            history("com..update", Wildcard, 100),
            history("com.starred.", Prefix, 100),
        ],
        ..Store::default()
    };
    assert_eq!(crossbar.store, Some(expected));
    let expected = Store {
        kind: StoreKind::Database,
        path: Some("data/events.redb".into()),
        history: vec![history("com.example.a", Exact, 1_000)],
        retention: vec![
            retention("com.example.none", Exact, 0, None),
            retention("com.example.", Prefix, 3, Some(60)),
            retention("", Prefix, 16, None),
        ],
    };
    assert_eq!(database.store, Some(expected));
}

#[test]
fn permissions_of_both_styles_stand_side_by_side() {
    let [realm] = good("both-styles");
    let call = Allow { call: true, ..Allow::default() };
    let rule = |uri: &str, match_policy, allow| Permission {
        uri: uri.into(),
        match_policy,
        allow,
        disclose: Disclose::default(),
        trustlevel: None,
    };
    let expected = [
        rule("com.example.add", MatchPolicy::Exact, call),
        rule("com.example.", MatchPolicy::Prefix, call),
        rule("com.exam", MatchPolicy::Prefix, Allow::default()),
        rule("", MatchPolicy::Prefix, Allow { subscribe: true, ..Allow::default() }),
        rule("com..update.", MatchPolicy::Wildcard, call),
        rule(".update", MatchPolicy::Wildcard, call),
        rule("com.*.literal", MatchPolicy::Exact, call),
        rule("com..door", MatchPolicy::Wildcard, Allow { register: true, publish: true, ..Allow::default() }),
        Permission {
            disclose: Disclose { caller: Disclosure::Always, publisher: Disclosure::OnRequest },
            ..rule(
                "com.example.who",
                MatchPolicy::Exact,
                Allow { call: true, register: true, ..Allow::default() },
            )
        },
    ];
    assert_eq!(realm.roles[0].permissions(), expected);
}

#[test]
fn every_limit_can_be_set() {
    let text = read(&folder("good").join("limits.json"));
    let Loaded { config, .. } = Config::from_json(&text).expect("a good file");
    let expected = Limits {
        transports: 1,
        realms: 2,
        message_depth: 3,
        message_length: 4,
        hello_length: 11,
        audience: 12,
        uri_length: 5,
        subscriptions: 6,
        registrations: 7,
        calls: 8,
        answer_timeout_ms: 14,
        kept_length: 20,
        waiting_requests: 15,
        waiting_length: 16,
        authorization_cache: 17,
        testaments: 18,
        testament_length: 19,
        retained_topics: 20,
        retained_length: 21,
        history_length: 22,
        events_at_once: 23,
        hello_timeout_ms: 9,
        failed_logins: 24,
        goodbye_timeout_ms: 10_000,
        queue_length: 13,
        overflow: Overflow::Drop,
    };
    assert_eq!(config.limits, expected);
    assert!(matches!(config.realms, Realms::Any));
}

#[test]
fn statistics_are_off_unless_a_realm_has_them_and_then_have_their_defaults() {
    let [realm] = good("session-monitor");
    assert_eq!(realm.stats, None);
    let [defaults, set, null] = good("stats");
    let expected = Stats {
        rated_message_size: 512,
        trigger_after_rated_messages: 0,
        trigger_after_duration: 0,
        trigger_on_join: true,
        trigger_on_leave: true,
    };
    assert_eq!(defaults.stats, Some(expected));
    let expected = Stats {
        rated_message_size: 256,
        trigger_after_rated_messages: 10,
        trigger_after_duration: 3_600,
        trigger_on_join: false,
        trigger_on_leave: false,
    };
    assert_eq!(set.stats, Some(expected));
    assert_eq!(null.stats, None);
}

#[test]
fn a_role_may_have_an_authorizer_a_procedure_or_a_function() {
    let [realm] = good("authorizer");
    let ask = Ask::Procedure { uri: "com.example.authorize".into(), realm: None };
    let expected = [Authorizer { ask: ask.clone(), cache_ms: 60_000 }, Authorizer { ask, cache_ms: 0 }];
    let authorizers = |realm: &RealmConfig| -> Vec<Authorizer> {
        realm.roles.iter().filter_map(|role| Some(Authorizer::clone(role.authorizer()?))).collect()
    };
    assert_eq!(authorizers(&realm), expected);

    let roles = json!([{ "name": "anonymous", "authorizer": { "type": "function", "create": "decide" } }]);
    let config = json!({ "realms": [{ "name": "realm1", "roles": roles }] });
    let config = Config::from_value(&config).expect("a valid configuration").config;
    let Realms::Named(realms) = &config.realms else { panic!("one realm") };
    assert_eq!(authorizers(&realms[0]), [Authorizer::new(Ask::Function("decide".into()))]);
    // Whether there is one, only the program knows.
    assert_eq!(config.check_functions(|name| name == "decide"), Ok(()));
    let refused = config.check_functions(|_| false).expect_err("there is none");
    let sentence = "authorizer of the role 'anonymous' in the realm 'realm1': expected a function of this program, \
                    found \"decide\"";
    assert_eq!(refused.to_string(), sentence);
}

#[test]
fn a_number_of_realms_that_no_file_has_is_refused() {
    let realms: Vec<_> = (0..1_001).map(|n| json!({ "name": format!("realm{n}"), "roles": [] })).collect();
    let error = Config::from_value(&json!({ "realms": realms })).expect_err("too many realms");
    assert_eq!(error.to_string(), "realms: expected at most 1000 realms, found 1001");
    let permissions = vec![json!({ "uri": "*" }); 10_001];
    let role = json!({ "name": "anonymous", "permissions": permissions });
    let error = Config::from_value(&json!({ "realms": [{ "name": "realm1", "roles": [role] }] }))
        .expect_err("too many permissions");
    assert_eq!(
        error.to_string(),
        "realms[0].roles[0].permissions: expected at most 10000 permissions, found 10001"
    );
}

#[test]
fn a_flood_of_problems_and_warnings_is_counted_not_listed() {
    let with = |permission: Value| {
        let role = json!({ "name": "anonymous", "permissions": vec![permission; SHOWN + 7] });
        Config::from_value(&json!({ "realms": [{ "name": "realm1", "roles": [role] }] }))
    };
    let error = with(json!({ "uri": 1 })).expect_err("no URI");
    assert!(matches!(&error, ConfigError::Invalid { problems, more: 7, .. } if problems.len() == SHOWN));
    let text = error.to_string();
    assert_eq!((text.lines().count(), text.lines().last()), (SHOWN + 1, Some("and 7 more")));

    let Loaded { warnings, .. } =
        with(json!({ "uri": "*", "validate": { "call": "x" } })).expect("warnings only");
    assert_eq!(warnings.len(), SHOWN + 1);
    // Each one has a warning about `validate`; all but the first replace the one before.
    assert_eq!(warnings[SHOWN].to_string(), format!("config: {} more warnings are not listed", SHOWN + 13));
}

#[test]
fn the_longest_wildcard_fits_on_a_small_stack() {
    let dots = ".".repeat(2_048);
    let load = move || {
        let role = json!({ "name": "anonymous", "permissions": [{ "uri": dots, "match": "wildcard", "call": true }] });
        let config =
            json!({ "limits": { "uri_length": 2_048 }, "realms": [{ "name": "realm1", "roles": [role] }] });
        let Loaded { config, .. } = Config::from_value(&config).expect("a good configuration");
        let copy = config.clone();
        let Realms::Named(realms) = &copy.realms else { panic!("named realms") };
        realms[0].roles[0].authorize(&format!("a{}", ".a".repeat(2_048)), Action::Call).allow
    };
    // What wasm32 has.
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(load).expect("a thread");
    assert!(thread.join().expect("no overflow"));
}

#[test]
fn text_nested_without_end_is_a_syntax_error() {
    let text = "[".repeat(1_000_000);
    let error = Config::from_json(&text).expect_err("too deep");
    assert_eq!(error.to_string(), "line 1, column 128: recursion limit exceeded");
}

#[test]
fn a_file_reads_the_same_as_text_and_as_value() {
    for file in files("broken") {
        let text = read(&file);
        let Err(error @ ConfigError::Invalid { .. }) = Config::from_json(&text) else { continue };
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(Config::from_value(&value).expect_err("broken"), error, "{}", file.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_makes_the_loader_panic_and_what_loads_is_valid(value in values()) {
        check(&value);
    }

    #[test]
    fn no_damage_to_a_good_file_makes_the_loader_panic(
        file in prop::sample::select(files("good")),
        place in any::<prop::sample::Index>(),
        damage in values(),
    ) {
        let mut value: Value = serde_json::from_str(&read(&file)).expect("JSON");
        let places = count(&value);
        replace(&mut value, &mut place.index(places), damage);
        check(&value);
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in ".{0,40}") {
        let _ = Config::from_json(&text);
    }
}

/// JSON of known and unknown words, so that random values get past the first key.
fn values() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 44] = [
        "workers",
        "realms",
        "limits",
        "version",
        "controller",
        "type",
        "router",
        "container",
        "transports",
        "options",
        "name",
        "roles",
        "permissions",
        "authorizer",
        "uri",
        "match",
        "allow",
        "disclose",
        "cache",
        "validate",
        "call",
        "register",
        "publish",
        "subscribe",
        "caller",
        "publisher",
        "exact",
        "prefix",
        "wildcard",
        "trusted",
        "realm1",
        "anonymous",
        "com.example.*",
        "com.*.x.*",
        "*",
        "",
        "uri_check",
        "strict",
        "calls",
        "uri_length",
        "overflow",
        "stats",
        "rated_message_size",
        "trigger_on_join",
    ];
    let word = prop_oneof![4 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => ".{0,8}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_u32..20).prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn check(value: &Value) {
    let config = match Config::from_value(value) {
        Ok(loaded) => loaded.config,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let Realms::Named(realms) = config.realms else { return };
    assert!(!realms.is_empty());
    let names: BTreeSet<_> = realms.iter().map(|realm| &realm.name).collect();
    assert_eq!(names.len(), realms.len(), "realms share a name");
    for realm in &realms {
        assert!(is_valid(&realm.name, UriCheck::Loose));
        let names: BTreeSet<_> = realm.roles.iter().map(Role::name).collect();
        assert_eq!(names.len(), realm.roles.len(), "roles share a name");
        assert!(!names.contains("trusted") && !names.contains(""));
        for permission in realm.roles.iter().flat_map(Role::permissions) {
            assert!(is_valid_pattern(&permission.uri, permission.match_policy, UriCheck::Loose));
        }
    }
}

const ALL: Allow = Allow { call: true, register: true, publish: true, subscribe: true };

fn prefix(uri: &str, allow: Allow) -> Permission {
    let disclose = Disclose::default();
    Permission { uri: uri.into(), match_policy: MatchPolicy::Prefix, allow, disclose, trustlevel: None }
}

/// The realms of a good file.
fn good<const N: usize>(name: &str) -> [RealmConfig; N] {
    let text = read(&folder("good").join(name).with_extension("json"));
    match Config::from_json(&text).expect(name).config.realms {
        Realms::Named(realms) => realms.try_into().expect("this number of realms"),
        Realms::Any => panic!("{name} names no realms"),
    }
}
