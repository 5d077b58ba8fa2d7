//! Workers, components and guests.

use serde_json::{Value, json};

use super::{
    VARIABLE, any, choice, described, integer, label, list, not_served, object, one_of, port, reference,
    serializers, text,
};
use crate::config::load;
use crate::config::node::Restart;
use crate::config::node_reader::SERIALIZERS;
use crate::config::processes::{self, RESTART_POLICIES};
use crate::config::proxies;

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    let id = || ("id", label("The name in the log."));
    let kind = |word: &str| ("type", json!({ "const": word }));
    let classname = || {
        let words = "A Python class and its module: \"package.module.Class\".";
        ("classname", described(json!({ "type": "string", "pattern": r"^[^.\s]+(\.[^.\s]+)+$" }), words))
    };
    let realm = || ("realm", text("The realm that it joins."));
    let extra = || ("extra", any("Handed to the component, with the directory of this file as \"cbdir\"."));
    let restart = || ("restart", reference("restart"));

    let component = one_of(vec![
        object(
            &processes::COMPONENT_KEYS,
            &["type", "classname", "realm"],
            vec![
                kind("class"),
                id(),
                classname(),
                realm(),
                ("role", text("The role that it has. Default \"anonymous\".")),
                extra(),
                restart(),
            ],
        ),
        not_served(&processes::COMPONENT_TYPES),
    ]);
    let container_component = one_of(vec![
        object(
            &processes::CONTAINER_COMPONENT_KEYS,
            &["type", "classname", "realm", "transport"],
            vec![
                kind("class"),
                id(),
                classname(),
                realm(),
                ("transport", reference("connection")),
                extra(),
                restart(),
            ],
        ),
        not_served(&processes::COMPONENT_TYPES),
    ]);
    let guest = object(
        &processes::GUEST_KEYS,
        &["type", "executable"],
        vec![
            kind("guest"),
            id(),
            (
                "executable",
                text("A path relative to \"workdir\", or a name that is looked up there and in PATH."),
            ),
            ("arguments", list(json!({ "type": "string" }), "Its arguments.")),
            ("options", guest_options()),
        ],
    );
    let router = object(
        &load::NODE.router,
        &["type"],
        vec![
            kind("router"),
            ("id", any("For people.")),
            ("options", object(&processes::ROUTER_OPTION_KEYS, &[], worker_options())),
            (
                "realms",
                json!({
                    "type": "array",
                    "items": reference("realm"),
                    "minItems": 1,
                    "description": "The realms of the router: its transports and components have no others.",
                }),
            ),
            ("transports", list(reference("transport"), "Where clients connect.")),
            ("components", list(reference("component"), "What is started, and joins from the inside.")),
        ],
    );
    let container = object(
        &load::CONTAINER_KEYS,
        &["type"],
        vec![
            kind("container"),
            id(),
            ("options", object(&processes::CONTAINER_OPTION_KEYS, &[], worker_options())),
            (
                "components",
                list(reference("container_component"), "What is started, and connects as any client."),
            ),
        ],
    );
    let connection_of_proxy = object(
        &proxies::CONNECTION_KEYS,
        &["transport"],
        vec![
            ("id", label("For people.")),
            ("transport", reference("connection")),
            ("auth", any("No effect: nothing connects.")),
        ],
    );
    let proxy = object(
        &proxies::PROXY_KEYS,
        &["type"],
        vec![
            kind("proxy"),
            id(),
            ("options", object(&processes::ROUTER_OPTION_KEYS, &[], worker_options())),
            (
                "connections",
                json!({
                    "type": "object",
                    "additionalProperties": connection_of_proxy,
                    "description": "Names for transports of router workers of this node.",
                }),
            ),
            (
                "routes",
                json!({
                    "type": "object",
                    "additionalProperties": {
                        "type": "object",
                        "additionalProperties": {
                            "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
                        },
                    },
                    "description": "Realm -> role -> connections: who may join what at these transports.",
                }),
            ),
            ("transports", list(reference("transport"), "Where clients connect.")),
        ],
    );
    vec![
        ("worker", one_of(vec![router, container, guest, proxy, not_served(&load::NODE.workers)])),
        ("component", component),
        ("container_component", container_component),
        ("connection", connection()),
        ("restart", restart_policy()),
        ("env", environment()),
    ]
}

fn worker_options() -> Vec<(&'static str, Value)> {
    vec![
        ("pythonpath", list(text("A directory."), "Directories that Python searches first.")),
        ("python", text("The interpreter. Default python3.")),
        ("env", reference("env")),
        ("restart", reference("restart")),
        (
            "disabled",
            json!({
                "oneOf": [{ "const": false }, { "type": "string", "pattern": format!("^{VARIABLE}$") }],
                "description": "False, or a variable that is unset: a worker that is not wanted is to be taken out.",
            }),
        ),
    ]
}

fn guest_options() -> Value {
    let output = || choice(&["log", "close", "drop"], Some("log"), "Always goes to the log.");
    object(
        &processes::GUEST_OPTION_KEYS,
        &[],
        vec![
            ("env", reference("env")),
            ("workdir", text("Where it runs. Default the directory of the configuration.")),
            ("stdin", any("\"close\": it ends at once. Default: it is empty, and ends with the router.")),
            ("stdout", output()),
            ("stderr", output()),
            ("restart", reference("restart")),
        ],
    )
}

fn environment() -> Value {
    object(
        &processes::ENV_KEYS,
        &[],
        vec![
            (
                "inherit",
                json!({
                    "oneOf": [{ "type": "boolean" }, { "type": "array", "items": { "type": "string" } }],
                    "default": true,
                    "description": "Whether the router's environment is handed on, or which variables of it.",
                }),
            ),
            (
                "vars",
                json!({
                    "type": "object",
                    "propertyNames": { "pattern": "^[^=]+$" },
                    "additionalProperties": { "type": "string" },
                    "description": "More variables.",
                }),
            ),
        ],
    )
}

fn restart_policy() -> Value {
    let defaults = Restart::default();
    let policy =
        || choice(&RESTART_POLICIES.map(|(word, _)| word), Some("failed"), "When it is started again.");
    let delay = defaults.delay.as_millis() as u64;
    one_of(vec![
        policy(),
        object(
            &processes::RESTART_KEYS,
            &[],
            vec![
                ("policy", policy()),
                (
                    "delay_ms",
                    integer(
                        1,
                        processes::MAX_RESTART_DELAY,
                        delay,
                        "Milliseconds before the first new start; each one after doubles it.",
                    ),
                ),
                (
                    "attempts",
                    integer(
                        1,
                        processes::MAX_RESTART_ATTEMPTS,
                        defaults.attempts.into(),
                        "Failed starts in a row before it is given up.",
                    ),
                ),
            ],
        ),
    ])
}

/// `transport` of a component of a container.
fn connection() -> Value {
    let id = || ("id", label("For people."));
    let kind = |word: &str| ("type", json!({ "const": word }));
    let timeout = || {
        json!({
            "type": "integer",
            "minimum": 0,
            "maximum": processes::MAX_CONNECT_SECONDS,
            "description": "Seconds in which the connection must be there.",
        })
    };
    let tls = object(
        &processes::CONNECT_TLS_KEYS,
        &["hostname"],
        vec![
            ("hostname", text("The name in the certificate of the server.")),
            ("ca_certificates", list(text("A file (PEM)."), "Authorities. Default those of the system.")),
            ("certificate", text("File of the client's certificate (PEM).")),
            ("key", text("File of the client's private key (PEM).")),
        ],
    );
    let endpoint = || {
        one_of(vec![
            object(
                &processes::CONNECT_TCP_KEYS,
                &["type", "host", "port"],
                vec![
                    kind("tcp"),
                    ("host", text("Name or address.")),
                    ("port", port(1, "Where it connects.")),
                    ("version", json!({ "enum": [4, 6], "description": "Of IP." })),
                    ("timeout", timeout()),
                    ("tls", tls.clone()),
                ],
            ),
            object(
                &processes::CONNECT_UNIX_KEYS,
                &["type", "path"],
                vec![kind("unix"), ("path", text("The socket.")), ("timeout", timeout())],
            ),
        ])
    };
    one_of(vec![
        object(
            &processes::CONNECT_WEBSOCKET_KEYS,
            &["type", "endpoint", "url"],
            vec![
                kind("websocket"),
                id(),
                ("endpoint", endpoint()),
                (
                    "url",
                    described(json!({ "type": "string", "pattern": r"^(wss?://|\$)" }), "ws:// or wss://"),
                ),
                ("serializers", serializers()),
            ],
        ),
        object(
            &processes::CONNECT_RAWSOCKET_KEYS,
            &["type", "endpoint", "serializer"],
            vec![
                kind("rawsocket"),
                id(),
                ("endpoint", endpoint()),
                ("serializer", choice(&SERIALIZERS.map(|(word, _)| word), None, "What it speaks.")),
            ],
        ),
    ])
}
