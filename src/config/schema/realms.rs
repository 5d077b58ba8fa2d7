//! Realms, roles, permissions, statistics and limits.

use serde_json::{Value, json};

use super::{any, choice, described, flag, integer, list, object, power_of_two, reference, text};
use crate::auth::authorizer::Authorizer;
use crate::config::keys::{self, LIMITS, OVERFLOWS};
use crate::config::{Limits, RetentionRule, Stats};

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    let limits = Limits::default();
    let stats = Stats::default();
    let mut limit_fields: Vec<_> = LIMITS
        .iter()
        .map(|(key, most, _)| {
            let (_, default, words) =
                limit_words(&limits).into_iter().find(|(word, ..)| word == key).unwrap_or_default();
            (*key, integer(1, *most, default, words))
        })
        .collect();
    limit_fields.push((
        "overflow",
        choice(
            &OVERFLOWS.map(|(word, _)| word),
            Some("close"),
            "Where queue_length is reached: close the session, or drop events for it.",
        ),
    ));
    let flags = || {
        [
            ("call", flag(false, "Call procedures.")),
            ("register", flag(false, "Register procedures.")),
            ("publish", flag(false, "Publish to topics.")),
            ("subscribe", flag(false, "Subscribe to topics.")),
        ]
    };
    let mut permission_fields = vec![
        (
            "uri",
            json!({
                "type": "string",
                "description": "With \"match\" as it is; without, a \"*\" says what may vary: \"com.example.*\".",
            }),
        ),
        ("match", choice(&keys::MATCH_POLICIES.map(|(word, _)| word), None, "How the URI is compared.")),
        (
            "allow",
            described(object(&keys::ALLOW_KEYS, &[], flags().into()), "What is allowed. Default nothing."),
        ),
        (
            "disclose",
            described(
                object(
                    &keys::DISCLOSE_KEYS,
                    &[],
                    vec![
                        ("caller", disclosure("Tell callees who calls.")),
                        ("publisher", disclosure("Tell subscribers who publishes.")),
                    ],
                ),
                "True: they are revealed without being asked; \"never\": not even by their own wish; false: as they wish.",
            ),
        ),
        (
            "trustlevel",
            json!({
                "type": "integer",
                "minimum": 0,
                "maximum": keys::MAX_TRUSTLEVEL,
                "description": "How far callees and subscribers are told to trust what comes. Default they are told nothing.",
            }),
        ),
        ("cache", flag(false, "No effect: static permissions are looked up in an index anyway.")),
    ];
    permission_fields.extend(flags());
    let mut permission = object(&keys::PERMISSION_KEYS, &["uri"], permission_fields);
    let has_flag = keys::ALLOW_KEYS.map(|(key, _)| json!({ "required": [key] }));
    permission["not"] = json!({ "required": ["allow"], "anyOf": has_flag });

    let realm = object(
        &keys::REALM_KEYS,
        &["name", "roles"],
        vec![
            ("name", text("The name that clients join.")),
            ("id", any("For people.")),
            (
                "roles",
                list(reference("role"), "Who may do what. Clients that prove nothing are \"anonymous\"."),
            ),
            (
                "options",
                object(
                    &keys::REALM_OPTION_KEYS,
                    &[],
                    vec![
                        (
                            "uri_check",
                            choice(
                                &keys::URI_CHECKS.map(|(word, _)| word),
                                Some("loose"),
                                "Which URIs are valid.",
                            ),
                        ),
                        (
                            "session_on_leave",
                            choice(
                                &keys::ON_LEAVE.map(|(word, _)| word),
                                Some("session"),
                                "The arguments of the event wamp.session.on_leave.",
                            ),
                        ),
                        ("enable_meta_api", flag(true, "Serve the procedures and events of the meta API.")),
                        (
                            "strict_request_ids",
                            flag(
                                true,
                                "Abort a session whose request ids begin with 1, and do not go on by 1.",
                            ),
                        ),
                        ("bridge_meta_api", flag(false, "Not served.")),
                    ],
                ),
            ),
            ("store", reference("store")),
            (
                "stats",
                described(
                    object(
                        &keys::STATS_KEYS,
                        &[],
                        vec![
                            (
                                "rated_message_size",
                                power_of_two(
                                    1,
                                    keys::MAX_RATED_SIZE,
                                    stats.rated_message_size.into(),
                                    "Bytes of a rated message.",
                                ),
                            ),
                            (
                                "trigger_after_rated_messages",
                                integer(
                                    0,
                                    keys::MAX_TRIGGER,
                                    0,
                                    "Publish after so many rated messages; 0 is never.",
                                ),
                            ),
                            (
                                "trigger_after_duration",
                                integer(
                                    0,
                                    keys::MAX_TRIGGER,
                                    0,
                                    "Publish after so many seconds; 0 is never.",
                                ),
                            ),
                            ("trigger_on_join", flag(stats.trigger_on_join, "Publish when a session joins.")),
                            (
                                "trigger_on_leave",
                                flag(stats.trigger_on_leave, "Publish when a session leaves."),
                            ),
                        ],
                    ),
                    "When wamp.session.on_stats is published. Default never.",
                ),
            ),
        ],
    );
    let mut role = object(
        &keys::ROLE_KEYS,
        &["name"],
        vec![
            (
                "name",
                json!({ "type": "string", "minLength": 1, "not": { "const": "trusted" }, "description": "The name of the role; not \"trusted\"." }),
            ),
            ("id", any("For people.")),
            (
                "permissions",
                list(
                    reference("permission"),
                    "Rules. The most specific one that matches decides; none denies.",
                ),
            ),
            (
                "authorizer",
                text("The procedure that decides, in the place of permissions: a URI in the same realm."),
            ),
            (
                "allow-by-default",
                flag(false, "Allow everything, where there are neither permissions nor an authorizer."),
            ),
            (
                "authorizer_cache_ms",
                integer(
                    0,
                    keys::A_DAY_MS,
                    Authorizer::CACHE_MS,
                    "Milliseconds for which a decision of the authorizer that says \"cache\" is remembered; 0 is never.",
                ),
            ),
        ],
    );
    let has = |key: &str| json!({ "required": [key], "properties": { key: { "not": { "type": "null" } } } });
    role["not"] = json!({ "allOf": [has("permissions"), has("authorizer")] });
    role["if"] = has("authorizer_cache_ms");
    role["then"] = has("authorizer");
    vec![
        ("limits", described(object(&keys::LIMIT_KEYS, &[], limit_fields), "What a client may use up.")),
        ("realm", realm),
        ("store", store()),
        ("role", role),
        ("permission", permission),
    ]
}

fn disclosure(words: &str) -> Value {
    json!({ "oneOf": [{ "type": "boolean" }, { "const": keys::NEVER }], "default": false, "description": words })
}

fn store() -> Value {
    let uri = || {
        json!({
            "type": "string",
            "description": "With \"match\" as it is; without, a \"*\" says what may vary: \"com.example.*\".",
        })
    };
    let policy = || choice(&keys::MATCH_POLICIES.map(|(word, _)| word), None, "How the URI is compared.");
    let history_limit = |words| integer(1, keys::MAX_HISTORY, keys::HISTORY_LIMIT as u64, words);
    let history = object(
        &keys::HISTORY_KEYS,
        &["uri"],
        vec![
            ("uri", uri()),
            ("match", policy()),
            ("limit", history_limit("Events of this history. Default the limit of the store.")),
        ],
    );
    let retention = object(
        &keys::RETENTION_KEYS,
        &["uri"],
        vec![
            ("uri", uri()),
            ("match", policy()),
            (
                "limit",
                integer(
                    0,
                    keys::MAX_RETAINED,
                    RetentionRule::LIMIT as u64,
                    "Events of a topic: one for everybody, and newer ones for some; 0 retains nothing.",
                ),
            ),
            (
                "expires_after",
                json!({
                    "type": "integer", "minimum": 1, "maximum": keys::MAX_TRIGGER,
                    "description": "Seconds after which an event is not retained any more. Default never.",
                }),
            ),
        ],
    );
    let queue = object(
        &keys::CALL_QUEUE_KEYS,
        &["uri"],
        vec![
            ("uri", uri()),
            ("match", policy()),
            (
                "limit",
                integer(
                    1,
                    keys::MAX_QUEUED_CALLS,
                    keys::QUEUED_CALLS as u64,
                    "Calls that wait for the callees of one registration.",
                ),
            ),
        ],
    );
    let fields = vec![
        (
            "type",
            choice(
                &keys::STORE_KINDS.map(|(word, _)| word),
                Some("memory"),
                "Whether events are kept when the router ends; \"cfxdb\" is \"database\" at its default path.",
            ),
        ),
        ("path", text("The file of the database. Default events.redb beside the configuration.")),
        ("limit", history_limit("Events of a history that does not say.")),
        ("event-history", list(history, "Topics whose events can be asked for later.")),
        ("event-retention", list(retention, "How events are retained that are published to be.")),
        (
            "call-queue",
            list(queue, "Which calls wait where all callees are busy. Default none: they are refused."),
        ),
    ];
    described(object(&keys::STORE_KEYS, &[], fields), "Which events are kept, and which calls wait.")
}

/// Key, default and description of each limit.
fn limit_words(limits: &Limits) -> [(&'static str, u64, &'static str); LIMITS.len()] {
    [
        ("transports", limits.transports as u64, "Open connections."),
        ("realms", limits.realms as u64, "Realms that come into being by themselves."),
        ("message_depth", limits.message_depth as u64, "Deepest nesting of a message."),
        ("message_length", limits.message_length as u64, "Bytes of a message."),
        ("hello_length", limits.hello_length as u64, "Bytes of a HELLO."),
        ("audience", limits.audience as u64, "Receivers that a PUBLISH may name as eligible or excluded."),
        ("uri_length", limits.uri_length as u64, "Bytes of a URI."),
        ("subscriptions", limits.subscriptions as u64, "Subscriptions of a session."),
        ("registrations", limits.registrations as u64, "Registrations of a session."),
        ("calls", limits.calls as u64, "Calls of a session that wait for their result."),
        (
            "kept_length",
            limits.kept_length as u64,
            "Bytes that are kept of a session's calls, for another callee.",
        ),
        (
            "waiting_requests",
            limits.waiting_requests as u64,
            "Requests of a session that wait for its authorizer.",
        ),
        (
            "waiting_length",
            limits.waiting_length as u64,
            "Bytes of the requests of a session that wait for its authorizer.",
        ),
        (
            "authorization_cache",
            limits.authorization_cache as u64,
            "Decisions of authorizers that a realm remembers.",
        ),
        (
            "answer_timeout_ms",
            limits.answer_timeout_ms,
            "Milliseconds in which an authorizer or authenticator must answer.",
        ),
        ("testaments", limits.testaments as u64, "Testaments of a session."),
        ("testament_length", limits.testament_length as u64, "Bytes of all testaments of a session."),
        ("retained_topics", limits.retained_topics as u64, "Topics with retained events, in a realm."),
        ("retained_length", limits.retained_length as u64, "Bytes of the retained events of a realm."),
        ("history_length", limits.history_length as u64, "Bytes of the events in the histories of a realm."),
        ("events_at_once", limits.events_at_once as u64, "Kept events that one request brings."),
        ("hello_timeout_ms", limits.hello_timeout_ms, "Milliseconds in which a connection must say HELLO."),
        (
            "goodbye_timeout_ms",
            limits.goodbye_timeout_ms,
            "Milliseconds in which a GOODBYE must be answered, and what waits for a connection that ends be taken.",
        ),
        ("failed_logins", limits.failed_logins as u64, "Logins that may fail at one address in a minute."),
        ("queue_length", limits.queue_length as u64, "Bytes that wait for one session's connection."),
    ]
}
