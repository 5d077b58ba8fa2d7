//! Which messages are WAMP: positions, arity and types of what a client may send.

use serde_json::Value;

const MAX_ID: u64 = 1 << 53;

const PASSTHRU: [(&str, &str); 7] = [
    ("ppt_scheme", "text"),
    ("ppt_serializer", "text"),
    ("ppt_cipher", "text"),
    ("ppt_keyid", "text"),
    ("enc_algo", "cryptobox mqtt xbr"),
    ("enc_key", "text"),
    ("enc_serializer", "json msgpack cbor ubjson flatbuffers opaque"),
];

/// Whether a client may have sent it, whatever it means.
pub fn is_well_formed(message: &Value) -> bool {
    let Some(message) = message.as_array() else { return false };
    let Some(code) = message.first().and_then(Value::as_u64) else { return false };
    let fields = match code {
        1 => "text-or-null dict",
        3 => "dict text tail",
        5 => "text dict",
        6 => "dict text",
        8 => "code id error text tail",
        16 => "id publish text tail",
        32 => "id subscribe text",
        34 | 66 => "id id",
        48 => "id call text tail",
        49 => "id cancel",
        64 => "id register text",
        70 => "id yield tail",
        337 => "id",
        _ => return false,
    };
    let mut rest = &message[1..];
    let mut is_opaque = false;
    for field in fields.split(' ') {
        if field == "tail" {
            return is_tail(rest, is_opaque);
        }
        let Some((value, others)) = rest.split_first() else { return false };
        rest = others;
        let fits = match field {
            "text" => value.is_string(),
            "text-or-null" => value.is_string() || value.is_null(),
            "dict" => value.is_object(),
            "id" => is_id(value),
            "code" => value.as_u64().is_some_and(|code| CODES.contains(&code)),
            options => {
                is_opaque = value.get("enc_algo").is_some_and(|algo| !algo.is_null());
                is_dictionary(value, options)
            }
        };
        if !fits {
            return false;
        }
    }
    rest.is_empty()
}

const CODES: [u64; 25] =
    [1, 2, 3, 4, 5, 6, 8, 16, 17, 32, 33, 34, 35, 36, 48, 49, 50, 64, 65, 66, 67, 68, 69, 70, 337];

fn is_id(value: &Value) -> bool {
    value.as_u64().is_some_and(|id| (1..=MAX_ID).contains(&id))
}

fn is_tail(tail: &[Value], is_opaque: bool) -> bool {
    match tail {
        [] => true,
        [payload] if is_opaque => payload.is_string(),
        [args] => args.is_array(),
        [args, kwargs] => !is_opaque && args.is_array() && kwargs.is_object(),
        _ => false,
    }
}

/// Whether the keys that mean something in this message have the right values; null is as good as absent.
fn is_dictionary(value: &Value, message: &str) -> bool {
    let Some(dictionary) = value.as_object() else { return false };
    let keys: &[(&str, &str)] = match message {
        "publish" => &[
            ("acknowledge", "bool"),
            ("exclude_me", "bool"),
            ("disclose_me", "bool"),
            ("retain", "bool"),
            ("x_retain_ms", "positive"),
            ("eligible", "ids"),
            ("eligible_authid", "texts"),
            ("eligible_authrole", "texts"),
            ("exclude", "ids"),
            ("exclude_authid", "texts"),
            ("exclude_authrole", "texts"),
        ],
        "subscribe" => &[("match", "exact prefix wildcard"), ("get_retained", "bool")],
        "call" => &[
            ("timeout", "count"),
            ("receive_progress", "bool"),
            ("progress", "bool"),
            ("disclose_me", "bool"),
        ],
        "cancel" => &[("mode", "skip kill killnowait")],
        "register" => &[
            ("match", "exact prefix wildcard"),
            ("invoke", "single first last roundrobin random"),
            ("disclose_caller", "bool"),
            ("concurrency", "positive"),
            ("force_reregister", "bool"),
            ("forward_timeout", "bool"),
        ],
        "yield" => &[("progress", "bool")],
        _ => &[],
    };
    let carries = matches!(message, "publish" | "call" | "yield" | "error");
    let passthru = if carries { &PASSTHRU[..] } else { &[] };
    keys.iter().chain(passthru).all(|(key, kind)| match dictionary.get(*key) {
        None | Some(Value::Null) => true,
        Some(value) => is_of_kind(value, kind),
    })
}

fn is_of_kind(value: &Value, kind: &str) -> bool {
    let all = |fits: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(fits));
    match kind {
        "bool" => value.is_boolean(),
        "text" => value.is_string(),
        "ids" => all(is_id),
        "texts" => all(Value::is_string),
        "count" => value.is_u64(),
        "positive" => value.as_u64().is_some_and(|number| number > 0),
        names => value.as_str().is_some_and(|text| {
            let is_private = kind.contains("json") || kind.contains("mqtt");
            names.split(' ').any(|name| name == text) || is_private && text.starts_with("x_")
        }),
    }
}
