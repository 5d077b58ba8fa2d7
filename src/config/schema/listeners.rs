//! Transports, endpoints, authentication, and the options of a WebSocket.

use serde_json::{Value, json};

use super::{
    described, flag, integer, label, list, not_served, object, one_of, path_names, port, reference,
    serializers, text,
};
use crate::config::node::{BACKLOG, Deflate, RawSocket, WebSocketOptions};
use crate::config::{transports, websocket};

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    let id = || ("id", label("For people."));
    let endpoint = || ("endpoint", reference("endpoint"));
    let kind = |word: &str| ("type", json!({ "const": word }));
    let websocket_fields = || {
        vec![
            ("url", text("For people: the address at which clients find it.")),
            ("serializers", serializers()),
            ("options", reference("websocket_options")),
            ("auth", reference("auth")),
            ("cookie", reference("cookie")),
            ("debug", flag(false, "No effect.")),
        ]
    };
    let with = |fields: Vec<(&'static str, Value)>, mut rest: Vec<(&'static str, Value)>| {
        rest.extend(fields);
        rest
    };
    let size = |words| {
        let default = RawSocket::default().max_message_size as u64;
        (transports::MAX_MESSAGE_SIZE, integer(1, transports::MAX_RAWSOCKET_WRITTEN, default, words))
    };
    let rawsocket_fields = || {
        vec![
            ("serializers", serializers()),
            (
                "options",
                object(
                    &transports::RAWSOCKET_OPTION_KEYS,
                    &[],
                    vec![size(
                        "Bytes of a message that a client may send; the next power of two from 512 to 16777216.",
                    )],
                ),
            ),
            size("The same, in the place of that in the options."),
            ("auth", reference("auth")),
            ("debug", flag(false, "No effect.")),
        ]
    };
    let web_fields = || vec![("paths", reference("paths")), ("options", reference("web_options"))];
    let part = |word: &'static str| vec![id(), kind(word)];
    let whole = |word: &'static str| vec![id(), kind(word), endpoint()];
    let required = ["type", "endpoint"];
    let mut universal = described(
        object(
            &transports::UNIVERSAL_KEYS,
            &required,
            with(
                vec![
                    (
                        "rawsocket",
                        object(
                            &transports::RAWSOCKET_PART_KEYS,
                            &[],
                            with(rawsocket_fields(), part("rawsocket")),
                        ),
                    ),
                    (
                        "websocket",
                        json!({
                            "type": "object",
                            "description": "Path to WebSocket.",
                            "propertyNames": path_names(),
                            "additionalProperties": object(
                                &websocket::SERVICE_KEYS,
                                &[],
                                with(websocket_fields(), part("websocket")),
                            ),
                        }),
                    ),
                    ("web", object(&transports::WEB_PART_KEYS, &["paths"], with(web_fields(), part("web")))),
                ],
                whole("universal"),
            ),
        ),
        "RawSocket, WebSocket and HTTP on one port.",
    );
    universal["anyOf"] =
        ["rawsocket", "websocket", "web", "mqtt"].iter().map(|key| json!({ "required": [key] })).collect();
    let transport = one_of(vec![
        described(
            object(&transports::WEB_KEYS, &["type", "endpoint", "paths"], with(web_fields(), whole("web"))),
            "HTTP: services by path.",
        ),
        described(
            object(&transports::WEBSOCKET_KEYS, &required, with(websocket_fields(), whole("websocket"))),
            "WebSocket, whatever the path.",
        ),
        described(
            object(
                &transports::WEBSOCKET_KEYS,
                &required,
                with(websocket_fields(), whole("websocket.testee")),
            ),
            "A WebSocket that sends every message back, for protocol test suites.",
        ),
        described(
            object(&transports::RAWSOCKET_KEYS, &required, with(rawsocket_fields(), whole("rawsocket"))),
            "RawSocket.",
        ),
        universal,
        not_served(&transports::TRANSPORT_TYPES),
    ]);
    let service = object(&websocket::SERVICE_KEYS, &["type"], with(websocket_fields(), part("websocket")));
    vec![
        ("transport", transport),
        ("websocket", described(service, "WAMP over WebSocket.")),
        ("endpoint", listening_endpoint()),
        ("websocket_options", websocket_options()),
    ]
}

fn listening_endpoint() -> Value {
    let tls = object(
        &transports::TLS_KEYS,
        &["key", "certificate"],
        vec![
            ("key", text("File of the private key (PEM).")),
            ("certificate", text("File of the certificate (PEM).")),
            ("chain_certificates", list(text("A file (PEM)."), "Intermediate certificates.")),
            (
                "ca_certificates",
                list(text("A file (PEM)."), "Authorities; clients must then show a certificate."),
            ),
            (
                "require_client_certificate",
                json!({
                    "type": "boolean",
                    "description": "Whether clients must show a certificate, or may. Default they must if there are authorities.",
                }),
            ),
        ],
    );
    let backlog = || {
        (
            "backlog",
            integer(1, transports::MAX_BACKLOG, BACKLOG.into(), "Connections that the system keeps waiting."),
        )
    };
    one_of(vec![
        object(
            &transports::TCP_KEYS,
            &["type", "port"],
            vec![
                ("type", json!({ "const": "tcp" })),
                ("port", port(0, "0 lets the system choose.")),
                (
                    "interface",
                    json!({ "type": "string", "description": "IP address, or \"localhost\". Default all." }),
                ),
                (
                    "version",
                    json!({ "enum": [4, 6], "description": "Of IP, where there is no interface. Default both." }),
                ),
                backlog(),
                ("tls", tls),
            ],
        ),
        object(
            &transports::UNIX_KEYS,
            &["type", "path"],
            vec![
                ("type", json!({ "const": "unix" })),
                ("path", text("The socket; relative to the directory of the configuration.")),
                backlog(),
            ],
        ),
    ])
}

fn websocket_options() -> Value {
    let mut defaults = WebSocketOptions::default();
    let deflate = Deflate::default();
    let mut fields = Vec::new();
    for (key, option) in websocket::FLAGS {
        fields.push((key, flag(*option(&mut defaults), websocket_words(key))));
    }
    for (key, least, most, option) in websocket::SIZES {
        fields.push((key, integer(least, most, *option(&mut defaults) as u64, websocket_words(key))));
    }
    for (key, option) in websocket::TIMES {
        let default = option(&mut defaults).as_millis() as u64;
        fields.push((key, integer(0, websocket::MAX_MILLISECONDS, default, websocket_words(key))));
    }
    for (key, default, message) in websocket::FIXED {
        fields.push((key, flag(default, &format!("Always {default}: {message}."))));
    }
    fields.push((
        "allowed_origins",
        list(text("An origin; \"*\" stands for any text."), "Pages that may connect. Default all."),
    ));
    let bits = |words| {
        json!({
            "type": "integer",
            "minimum": websocket::MIN_WINDOW_BITS,
            "maximum": websocket::MAX_WINDOW_BITS,
            "description": words,
        })
    };
    let deflate = object(
        &websocket::DEFLATE_KEYS,
        &[],
        vec![
            (
                "request_no_context_takeover",
                flag(false, "Ask the client to forget its window between messages."),
            ),
            (
                "request_max_window_bits",
                bits("Ask the client for a window of 2^n bytes. Default its choice."),
            ),
            ("no_context_takeover", flag(false, "Forget our own window between messages.")),
            ("max_window_bits", bits("Our own window of 2^n bytes. Default 15.")),
            (
                "threshold",
                integer(
                    0,
                    websocket::MAX_SIZE,
                    deflate.threshold as u64,
                    "Bytes of the shortest message that is compressed.",
                ),
            ),
        ],
    );
    fields.push((
        "compression",
        object(
            &websocket::COMPRESSION_KEYS,
            &[],
            vec![("deflate", described(deflate, "permessage-deflate."))],
        ),
    ));
    object(&websocket::OPTION_KEYS, &[], fields)
}

fn websocket_words(key: &str) -> &'static str {
    match key {
        "allow_null_origin" => "Let in pages without an origin.",
        "enable_webstatus" => "Answer an ordinary request with a page.",
        "validate_utf8" => "Close on text that is no UTF-8.",
        "require_masked_client_frames" => "Close on unmasked frames.",
        "fail_by_drop" => "Drop the connection on a failure instead of closing it.",
        "require_websocket_subprotocol" => {
            "Refuse clients that name no served subprotocol, instead of taking JSON."
        }
        "show_server_version" => "Say the version in the Server header.",
        "max_frame_size" => "Bytes of a frame; 0 is no limit of its own.",
        "max_message_size" => "Bytes of a message; 0 is limits.message_length.",
        "auto_fragment_size" => "Cut messages into frames of so many bytes; 0 is never.",
        "auto_ping_size" => "Bytes of a ping.",
        "open_handshake_timeout" => "Milliseconds for the opening handshake, on a listener of its own.",
        "close_handshake_timeout" => "Milliseconds for the answer to a close.",
        "auto_ping_interval" => "Milliseconds of silence before a ping; 0 is never.",
        "auto_ping_timeout" => "Milliseconds for the answer to a ping; 0 is for ever.",
        _ => "",
    }
}
