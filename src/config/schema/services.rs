//! What a web transport serves at which path.

use serde_json::{Value, json};

use super::{any, described, flag, integer, label, not_served, object, one_of, path_names, reference, text};
use crate::config::node::{LongPoll, Paths, Web};
use crate::config::{bridge, web};

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    let id = || ("id", label("For people."));
    let kind = |word: &str| ("type", json!({ "const": word }));
    let poll = LongPoll::default();
    let web_defaults = Web::new(Paths::default());
    let static_options = object(
        &web::STATIC_OPTION_KEYS,
        &[],
        vec![
            ("enable_directory_listing", flag(false, "List directories that have no index.html.")),
            (
                "mime_types",
                json!({
                    "type": "object",
                    "propertyNames": { "pattern": r"^\.[^/]+$" },
                    "additionalProperties": { "type": "string", "pattern": "/" },
                    "description": "Ending (\".js\", \".tar.gz\") to content type, beside the usual ones; the longest one counts.",
                }),
            ),
            ("allow_cross_origin", flag(true, "Let pages of other origins read the files.")),
            (
                "cache_timeout",
                integer(0, web::MAX_AGE, 0, "Seconds that browsers keep a file without asking."),
            ),
            (
                "default_file",
                json!({ "type": "string", "pattern": r"^[^/\\]+(/[^/\\]+)*$", "description": "What is shown for everything that is not there." }),
            ),
        ],
    );
    let json_options = object(
        &web::JSON_OPTION_KEYS,
        &[],
        vec![
            ("prettify", flag(false, "With line breaks.")),
            ("allow_cross_origin", flag(true, "Let pages of other origins read it.")),
            ("discourage_caching", flag(false, "Forbid caches.")),
        ],
    );
    let poll_options = object(
        &web::LONG_POLL_OPTION_KEYS,
        &[],
        vec![
            (
                "request_timeout",
                integer(
                    0,
                    web::MAX_SECONDS,
                    poll.request_timeout.as_secs(),
                    "Seconds that a receive waits; 0 stands for a day.",
                ),
            ),
            (
                "session_timeout",
                integer(
                    0,
                    web::MAX_SECONDS,
                    poll.session_timeout.as_secs(),
                    "Seconds that a session lives without a receive; 0 stands for a day.",
                ),
            ),
            (
                "queue_limit_bytes",
                integer(
                    1,
                    web::MAX_QUEUE_BYTES,
                    poll.queue_limit_bytes as u64,
                    "Bytes that wait for a receive.",
                ),
            ),
            (
                "queue_limit_messages",
                integer(
                    1,
                    web::MAX_QUEUE_MESSAGES,
                    poll.queue_limit_messages as u64,
                    "Messages that wait for a receive.",
                ),
            ),
            ("debug", flag(false, "No effect.")),
        ],
    );
    let plain = |word: &str, words: &str| {
        described(object(&web::PLAIN_KEYS, &["type"], vec![kind(word), id()]), words)
    };
    let service = one_of(vec![
        reference("websocket"),
        described(
            object(
                &web::STATIC_KEYS,
                &["type", "directory"],
                vec![
                    kind("static"),
                    id(),
                    ("directory", text("Relative to the directory of the configuration.")),
                    ("options", static_options),
                ],
            ),
            "Files.",
        ),
        described(
            object(
                &web::LONG_POLL_KEYS,
                &["type"],
                vec![
                    kind("longpoll"),
                    id(),
                    ("options", poll_options),
                    ("auth", reference("auth")),
                    ("cookie", reference("cookie")),
                    ("debug", flag(false, "No effect.")),
                ],
            ),
            "WAMP over HTTP long polling.",
        ),
        described(
            bridge(&["publisher", "caller"], &["type", "realm", "role"], options_of_bridge()),
            "HTTP requests that become events, or calls.",
        ),
        described(
            bridge(&["webhook"], &["type", "realm", "role", "options"], options_of_webhook()),
            "HTTP requests of others that become events of one topic.",
        ),
        described(
            object(
                &web::JSON_KEYS,
                &["type", "value"],
                vec![kind("json"), id(), ("value", any("What is served.")), ("options", json_options)],
            ),
            "A JSON value.",
        ),
        described(
            object(
                &web::REDIRECT_KEYS,
                &["type", "url"],
                vec![kind("redirect"), id(), ("url", text("Where to."))],
            ),
            "Another address.",
        ),
        described(
            object(
                &web::PATH_KEYS,
                &["type", "paths"],
                vec![kind("path"), id(), ("paths", reference("paths"))],
            ),
            "More paths below this one.",
        ),
        plain("nodeinfo", "A page about the node."),
        plain("metrics", "Counters for Prometheus."),
        plain("status", "A page that says what runs here and how to connect."),
        not_served(&web::SERVICE_TYPES),
    ]);
    let paths = json!({
        "type": "object",
        "propertyNames": path_names(),
        "properties": { "/": { "properties": { "type": { "not": { "const": "path" } } } } },
        "additionalProperties": reference("service"),
        "description": "\"/\", or one segment, to what is there.",
    });
    let mut paths = paths;
    paths["properties"]["/"]["$ref"] = reference("service")["$ref"].clone();
    let web_options = object(
        &web::OPTION_KEYS,
        &[],
        vec![
            ("access_log", flag(false, "Log every request.")),
            ("hsts", flag(false, "Send Strict-Transport-Security over TLS.")),
            ("hsts_max_age", integer(0, web::MAX_AGE, web::HSTS_AGE.as_secs(), "Its age in seconds.")),
            (
                "client_timeout",
                integer(
                    1,
                    web::MAX_SECONDS,
                    web_defaults.client_timeout.as_secs(),
                    "Seconds for a request's head, its body, an answer that stalls, an idle connection.",
                ),
            ),
        ],
    );
    vec![("service", service), ("paths", paths), ("web_options", web_options)]
}

fn bridge(kinds: &[&str], required: &[&str], options: Value) -> Value {
    let fields = vec![
        ("type", json!({ "enum": kinds })),
        ("id", label("For people.")),
        ("realm", text("The realm that the session of this path joins.")),
        ("role", text("The role of that session.")),
        ("options", options),
    ];
    object(&bridge::SERVICE_KEYS, required, fields)
}

fn post_body_limit() -> (&'static str, Value) {
    ("post_body_limit", integer(0, bridge::MAX_BODY, 0, "Bytes of a body; 0 is the length of a message."))
}

fn options_of_bridge() -> Value {
    let networks = json!({
        "type": "array",
        "items": { "type": "string", "minLength": 1 },
        "minItems": 1,
        "description": "Addresses or networks (\"192.168.0.0/16\") that clients must have.",
    });
    let mut options = object(
        &bridge::OPTION_KEYS,
        &[],
        vec![
            (
                "key",
                json!({ "type": "string", "description": "The name of who signs requests; together with a secret." }),
            ),
            (
                "secret",
                text(
                    "What requests are signed with, or \"$NAME\" of an environment variable. Default they need not be.",
                ),
            ),
            post_body_limit(),
            (
                "timestamp_delta_limit",
                integer(
                    0,
                    bridge::MAX_DELTA_SECONDS,
                    bridge::DELTA_SECONDS,
                    "Seconds that the timestamp of a request may be from now; 0 is any time.",
                ),
            ),
            ("require_ip", networks),
            ("require_tls", flag(false, "Refuse requests that do not come over TLS.")),
            ("debug", flag(false, "No effect.")),
        ],
    );
    options["dependentRequired"] = json!({ "key": ["secret"], "secret": ["key"] });
    options
}

fn options_of_webhook() -> Value {
    let response =
        |default: &str, words: &str| json!({ "type": "string", "default": default, "description": words });
    object(
        &bridge::WEBHOOK_OPTION_KEYS,
        &["topic"],
        vec![
            ("topic", text("The topic of the events.")),
            ("success_response", response(bridge::SUCCESS, "The body of the answer to what was published.")),
            ("error_response", response(bridge::ERROR, "The body of the answer to what was not.")),
            (
                "github_secret",
                text(
                    "What GitHub signs with, or \"$NAME\" of an environment variable. Default requests need not be signed.",
                ),
            ),
            post_body_limit(),
            ("debug", flag(false, "No effect.")),
        ],
    )
}
