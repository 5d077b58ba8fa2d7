//! Clients of every method, and those in a browser: what they say to prove who they are.

use std::io::{Read, Write};
use std::net::SocketAddr;

use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wamplet::auth::hex;

use crate::hashes::{mac, pbkdf2};
use crate::http::{Answer, HttpClient};
use crate::websocket::{TEXT, masked};

/// Two realms with roles that may do everything.
pub fn node(transports: Value) -> Value {
    let role = |name: &str| {
        let all = json!({ "call": true, "register": true, "publish": true, "subscribe": true });
        json!({ "name": name, "permissions": [{ "uri": "", "match": "prefix", "allow": all }] })
    };
    let realms = json!([{ "name": "realm1", "roles": [role("anonymous"), role("user")] }]);
    json!({ "version": 2, "workers": [{ "type": "router", "realms": realms, "transports": transports }] })
}

pub fn principals(principals: Value) -> Value {
    json!({ "type": "static", "principals": principals, "default-role": "user" })
}

/// Every method that needs no more than messages; `joe` has the password `pencil` and [`signing_key`].
pub fn all_methods() -> Value {
    let salted = pbkdf2(b"pencil", b"salty", 4_096);
    let stored_key: [u8; 32] = Sha256::digest(mac(&salted, b"Client Key")).into();
    json!({
        "anonymous": { "type": "static" },
        "ticket": principals(json!({ "joe": { "ticket": "pencil" } })),
        "wampcra": { "type": "static", "default-role": "user", "users": { "joe": { "secret": "pencil" } } },
        "scram": principals(json!({ "joe": {
            "kdf": "pbkdf2", "iterations": 4_096, "memory": 0, "salt": hex::encode(b"salty"),
            "stored-key": hex::encode(&stored_key), "server-key": hex::encode(&mac(&salted, b"Server Key")),
        } })),
        "cryptosign": principals(json!({ "joe": {
            "authorized_keys": [hex::encode(signing_key().verifying_key().as_bytes())],
        } })),
    })
}

pub fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub fn hello(method: &str, authextra: Value) -> Value {
    let roles = json!({ "publisher": {}, "subscriber": {}, "caller": {}, "callee": {} });
    json!([1, "realm1", { "roles": roles, "authmethods": [method], "authid": "joe", "authextra": authextra }])
}

pub const NONCE: &str = "Zm9vIGJhciBiYXogMTIzNA==";

/// What a client makes of the extra of a CHALLENGE: signature and extra.
pub type Answering = fn(&Value) -> (String, Value);

/// HELLO, and how a client answers the CHALLENGE.
pub fn client(method: &str) -> (Value, Answering) {
    let key = hex::encode(signing_key().verifying_key().as_bytes());
    match method {
        "ticket" => (hello(method, json!({})), |_| ("pencil".into(), json!({}))),
        "wampcra" => (hello(method, json!({})), |extra| {
            let challenge = extra["challenge"].as_str().expect("a text");
            (Base64::encode_string(&mac(b"pencil", challenge.as_bytes())), json!({}))
        }),
        "wamp-scram" => (hello(method, json!({ "nonce": NONCE })), |extra| {
            let text = |key: &str| extra[key].as_str().expect("a text");
            let (nonce, salt) = (text("nonce"), text("salt"));
            let salted = pbkdf2(b"pencil", &Base64::decode_vec(salt).expect("base64"), 4_096);
            let message = format!("n=joe,r={NONCE},r={nonce},s={salt},i=4096,c=biws,r={nonce}");
            let client_key = mac(&salted, b"Client Key");
            let signature = mac(&Sha256::digest(client_key), message.as_bytes());
            let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, byte)| key ^ byte).collect();
            let extra = json!({ "nonce": nonce, "channel_binding": null, "cbind_data": null });
            (Base64::encode_string(&proof), extra)
        }),
        _ => (hello(method, json!({ "pubkey": key })), |extra| (signed(extra, None), json!({}))),
    }
}

/// The challenge of cryptosign, signed, and bound to a channel.
pub fn signed(extra: &Value, channel: Option<[u8; 32]>) -> String {
    let challenge = hex::decode_array::<32>(extra["challenge"].as_str().expect("a text")).expect("digits");
    let channel = channel.unwrap_or_default();
    let message: Vec<u8> = challenge.iter().zip(channel).map(|(byte, channel)| byte ^ channel).collect();
    hex::encode(&[&signing_key().sign(&message).to_bytes(), &message[..]].concat())
}

#[track_caller]
pub fn assert_joe(welcome: &Value, method: &str) {
    assert_eq!(welcome[0], 2, "expected a WELCOME, found {welcome}");
    for (key, value) in
        [("authid", "joe"), ("authrole", "user"), ("authmethod", method), ("authprovider", "static")]
    {
        assert_eq!(welcome[2][key], value, "{key}");
    }
}

pub const UPGRADE: &str = "GET /ws HTTP/1.1\nHost: localhost:8080\nUpgrade: websocket\nConnection: Upgrade\n\
     Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: wamp.2.json";

/// Shakes hands as a browser with these headers, says HELLO, and goes on to WELCOME or ABORT. Answers that, and the
/// handshake.
pub fn by_browser(address: SocketAddr, headers: &str, methods: &[&str]) -> (HttpClient, Answer, Value) {
    let mut http = HttpClient::connect(address);
    let head = format!("{UPGRADE}\n{headers}");
    let answer = http.request(&head, b"");
    assert_eq!(answer.status, 101, "{answer:?}");
    let mut message = hello("ticket", json!({}));
    message[2]["authmethods"] = json!(methods);
    say(&mut http.socket, &message);
    let mut heard = hear(&mut http.socket);
    if heard[0] == 4 {
        say(&mut http.socket, &json!([5, "pencil", {}]));
        heard = hear(&mut http.socket);
    }
    (http, answer, heard)
}

pub fn say(socket: &mut impl Write, message: &Value) {
    socket.write_all(&masked(TEXT, message.to_string().as_bytes())).expect("the router reads");
}

pub fn hear(socket: &mut impl Read) -> Value {
    let mut head = [0; 2];
    socket.read_exact(&mut head).expect("the router answers");
    assert_eq!(head[0], TEXT);
    let mut length = usize::from(head[1]);
    if head[1] == 126 {
        let mut long = [0; 2];
        socket.read_exact(&mut long).expect("the router answers");
        length = u16::from_be_bytes(long).into();
    }
    let mut text = vec![0; length];
    socket.read_exact(&mut text).expect("the router answers");
    serde_json::from_slice(&text).expect("JSON")
}
