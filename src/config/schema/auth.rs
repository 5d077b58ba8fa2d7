//! Authentication of a transport, and its cookies.

use serde_json::{Value, json};

use super::{VARIABLE, described, flag, integer, list, object, one_of, reference, text};
use crate::config::cookie;
use crate::config::cursor::Key;
use crate::config::node::Cookie;
use crate::config::{auth, auth_keys};

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    vec![
        ("auth", methods()),
        ("authenticator", authenticator()),
        ("authenticator_function", authenticator_function()),
        ("cookie", tracking()),
    ]
}

fn methods() -> Value {
    let kind = || ("type", json!({ "const": "static" }));
    let grant = || {
        vec![
            ("role", text("The role that it gets. Default \"default-role\".")),
            ("realm", text("The realm that it joins, whichever it asks for. Default the one it asks for.")),
            ("extra", json!({ "type": "object", "description": "authextra of its sessions." })),
        ]
    };
    let with = |mut fields: Vec<(&'static str, Value)>| {
        fields.extend(grant());
        fields
    };
    let anonymous = object(
        &auth_keys::ANONYMOUS_KEYS,
        &["type"],
        with(vec![kind(), ("authid", text("The authid that clients get. Default random."))]),
    );
    // A method that knows principals: the schema of one.
    let provider = |key: &'static str, principal: Value| {
        let keys =
            [("type", Key::Served), (key, Key::Served), ("default-role", Key::Served), auth_keys::TRUSTROOTS];
        let known = if key == "principals" { &keys[..] } else { &keys[..3] };
        let principals = json!({
            "type": "object",
            "description": "Authid to what its client must prove.",
            "propertyNames": { "minLength": 1 },
            "additionalProperties": principal,
        });
        let fields =
            vec![kind(), (key, principals), ("default-role", text("The role of those without one."))];
        by(object(known, &["type", key], fields))
    };
    let secret =
        |words: &str| text(&format!("{words}, or \"$NAME\" or \"${{NAME}}\" of an environment variable."));
    let hex = |digits: u32, words: &str| {
        let pattern = format!("^([0-9a-fA-F]{{{digits}}}|{VARIABLE})$");
        json!({ "type": "string", "pattern": pattern, "description": words })
    };
    let fingerprint = |bytes: u32, words: &str| {
        let pattern = format!("^(([0-9a-fA-F]{{2}}:?){{{bytes}}}|{VARIABLE})$");
        let one = json!({ "type": "string", "pattern": pattern });
        json!({ "oneOf": [one, { "type": "array", "items": one }], "description": words })
    };
    let mut public_keys = list(hex(64, "An Ed25519 public key."), "The keys that it may sign with.");
    public_keys["minItems"] = 1.into();
    let kdfs = auth_keys::KDFS.map(|(word, _)| word);
    let mut methods = described(
        object(
            &auth_keys::AUTH_KEYS_BEHIND_PROXIES,
            &[],
            vec![
                ("anonymous", by(anonymous)),
                (
                    "ticket",
                    provider(
                        "principals",
                        object(
                            &auth_keys::TICKET_KEYS,
                            &["ticket"],
                            with(vec![("ticket", secret("The ticket"))]),
                        ),
                    ),
                ),
                (
                    "wampcra",
                    provider(
                        "users",
                        object(
                            &auth_keys::WAMPCRA_KEYS,
                            &["secret"],
                            with(vec![
                                (
                                    "secret",
                                    secret("The password or, with a salt, the key derived from it in base64"),
                                ),
                                (
                                    "salt",
                                    text("The salt with which clients derive the key from the password."),
                                ),
                                (
                                    "iterations",
                                    integer(1, auth::MAX_ITERATIONS, auth::CRA_ITERATIONS, "Of PBKDF2."),
                                ),
                                (
                                    "keylen",
                                    integer(
                                        1,
                                        auth::MAX_KEYLEN,
                                        auth::CRA_KEYLEN,
                                        "Bytes of the derived key.",
                                    ),
                                ),
                            ]),
                        ),
                    ),
                ),
                (
                    "scram",
                    provider(
                        "principals",
                        object(
                            &auth_keys::SCRAM_KEYS,
                            &["kdf", "iterations", "salt", "stored-key", "server-key"],
                            with(vec![
                                ("kdf", json!({ "enum": kdfs, "description": "How clients derive a key." })),
                                (
                                    "iterations",
                                    json!({ "type": "integer", "minimum": 1, "maximum": auth::MAX_ITERATIONS, "description": "Of that." }),
                                ),
                                (
                                    "memory",
                                    json!({ "type": "integer", "minimum": 0, "maximum": auth::MAX_MEMORY, "description": "Kibibytes, for Argon2." }),
                                ),
                                ("salt", secret("In hexadecimal digits")),
                                ("stored-key", hex(64, "StoredKey of RFC 5802.")),
                                ("server-key", hex(64, "ServerKey of RFC 5802.")),
                            ]),
                        ),
                    ),
                ),
                (
                    "cryptosign",
                    provider(
                        "principals",
                        object(
                            &auth_keys::CRYPTOSIGN_KEYS,
                            &["authorized_keys"],
                            with(vec![("authorized_keys", public_keys)]),
                        ),
                    ),
                ),
                (
                    "tls",
                    provider(
                        "principals",
                        object(
                            &auth_keys::TLS_KEYS,
                            &[],
                            with(vec![
                                ("certificate-sha1", fingerprint(20, "SHA-1 of its certificates.")),
                                ("certificate-sha256", fingerprint(32, "SHA-256 of its certificates.")),
                            ]),
                        ),
                    ),
                ),
                (
                    "cookie",
                    described(
                        object(&auth_keys::COOKIE_KEYS, &[], vec![kind()]),
                        "Whoever has authenticated by another method may come back with its cookie alone.",
                    ),
                ),
            ],
        ),
        "Who may join, by which methods. Default everybody, as \"anonymous\".",
    );
    methods["minProperties"] = 1.into();
    methods
}

/// A method: static, or by an authenticator.
fn by(known: Value) -> Value {
    one_of(vec![known, reference("authenticator"), reference("authenticator_function")])
}

fn authenticator() -> Value {
    object(
        &auth_keys::DYNAMIC_KEYS,
        &["type", "authenticator"],
        vec![
            ("type", json!({ "const": "dynamic" })),
            ("authenticator", text("The procedure that is called with realm, authid and details.")),
            (
                "authenticator-realm",
                text("Where it is registered. Default the realm that the client asks for."),
            ),
            ("default-role", text("The role of those for whom it names none.")),
        ],
    )
}

fn authenticator_function() -> Value {
    object(
        &auth_keys::FUNCTION_KEYS,
        &["type", "create"],
        vec![
            ("type", json!({ "const": "function" })),
            ("create", text("The function of the program that holds the router.")),
            ("default-role", text("The role of those for whom it names none.")),
        ],
    )
}

const FILE: &str = "The file. Cookies with the same file stand for the same logins.";

fn tracking() -> Value {
    let defaults = Cookie::default();
    let kind = |word: &str| ("type", json!({ "const": word }));
    let purge = || ("purge_on_startup", flag(false, "Forget at the start what was kept."));
    let store = one_of(vec![
        object(&cookie::MEMORY_KEYS, &["type"], vec![kind("memory")]),
        object(
            &cookie::FILE_KEYS,
            &["type", "filename"],
            vec![kind("file"), ("filename", text(FILE)), purge()],
        ),
        object(
            &cookie::DATABASE_KEYS,
            &["type", "path"],
            vec![kind("database"), ("path", text("A directory; the file in it is \"cookies\".")), purge()],
        ),
    ]);
    let same_sites = cookie::SAME_SITES.map(|(word, _)| word);
    described(
        object(
            &cookie::COOKIE_KEYS,
            &[],
            vec![
                (
                    "name",
                    json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]+$", "default": defaults.name, "description": "Its name." }),
                ),
                (
                    "length",
                    integer(
                        cookie::MIN_LENGTH,
                        cookie::MAX_LENGTH,
                        defaults.length as u64,
                        "Characters of its value.",
                    ),
                ),
                (
                    "max_age",
                    integer(1, cookie::MAX_AGE, defaults.max_age.as_secs(), "Seconds that it is kept."),
                ),
                ("store", described(store, "Where logins are kept. Default in memory.")),
                ("secure", flag(defaults.secure, "Only over TLS.")),
                ("http_strict", flag(defaults.http_strict, "Not for the scripts of a page.")),
                (
                    "same_site",
                    json!({ "enum": same_sites, "description": "With which requests of other sites." }),
                ),
            ],
        ),
        "A cookie by which a browser is known again. Default none.",
    )
}
