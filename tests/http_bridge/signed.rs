//! Who may send: requests that are signed with a secret, that say when they were made, and that come from where they are
//! taken.

use std::time::{Duration, UNIX_EPOCH};

use base64ct::{Base64Url, Encoding as _};
use serde_json::json;
use wamplet::native::clock::Clock;

use crate::bridge::*;
use crate::certificates::Certificates;
use crate::hashes::mac;
use crate::http::HttpClient;
use crate::process::{Process, RawClient};

/// A time so many seconds from now, as clients write it.
fn timestamp(seconds: i64) -> String {
    let now = Clock::start().now().unix_ns / 1_000_000_000;
    let then = now.checked_add_signed(seconds).expect("a time after 1970");
    // Sun, 06 Nov 1994 08:49:37 GMT
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(then));
    let parts: Vec<&str> = date.split(' ').collect();
    let [_, day, month, year, time, _] = parts[..] else { panic!("{date}") };
    let month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(month).expect("a month") / 3 + 1;
    format!("{year}-{month:02}-{day}T{time}.123Z")
}

pub struct Signed {
    key: &'static str,
    secret: &'static str,
    timestamp: String,
    seq: &'static str,
    nonce: &'static str,
}

impl Signed {
    pub fn now() -> Self {
        Self { key: "app", secret: "sec/ret", timestamp: timestamp(0), seq: "1", nonce: "4711" }
    }

    pub fn signature(&self, body: &str) -> String {
        let signed = [self.key, &self.timestamp, self.seq, self.nonce, body].concat();
        Base64Url::encode_string(&mac(self.secret.as_bytes(), signed.as_bytes()))
    }

    pub fn path(&self, path: &str, body: &str) -> String {
        let Self { key, timestamp, seq, nonce, .. } = self;
        let [timestamp, signature] =
            [timestamp, &self.signature(body)].map(|text| text.replace(':', "%3A").replace('=', "%3d"));
        format!("{path}?timestamp={timestamp}&seq={seq}&key={key}&nonce={nonce}&signature={signature}")
    }
}

#[test]
fn where_there_is_a_secret_requests_must_be_signed_with_it() {
    let options = json!({ "key": "app", "secret": "sec/ret", "timestamp_delta_limit": 60 });
    let (_router, address) = start(
        "bridge-signed",
        json!({ "publish": service("publisher", options.clone()), "call": service("caller", options) }),
    );
    let mut subscriber = RawClient::join(address);
    subscriber.subscribe("com.example.topic");
    let body = json!({ "topic": "com.example.topic", "args": ["é"] }).to_string();
    let ask = |path: &str| send(address, path, "Content-Type: application/json", body.as_bytes());

    let good = Signed::now().path("/publish", &body);
    assert_published(&ask(&good));
    assert_eq!(subscriber.receive()[4], json!(["é"]));
    // As in Crossbar.io, it is good again as long as it is new.
    assert_published(&ask(&good));

    assert_denied(&ask("/publish"), 400, "key: it is missing");
    for parameter in ["key", "timestamp", "seq", "nonce", "signature"] {
        let says = format!("{parameter}: it is missing");
        assert_denied(&ask(&good.replace(&format!("{parameter}="), "other=")), 400, &says);
    }
    for (seq, nonce, says) in
        [("one", "1", "seq: expected an integer"), ("1", "1.5", "nonce: expected an integer")]
    {
        assert_denied(&ask(&Signed { seq, nonce, ..Signed::now() }.path("/publish", &body)), 400, says);
    }
    for (seconds, is_good) in [(-40, true), (40, true), (-3_600, false), (3_600, false)] {
        let signed = Signed { timestamp: timestamp(seconds), ..Signed::now() };
        let answer = ask(&signed.path("/publish", &body));
        if is_good {
            assert_published(&answer);
        } else {
            assert_denied(&answer, 400, "timestamp: it is too far from now");
        }
    }
    for timestamp in ["", "now", "1700000000", "2024-01-01", "2024-13-01T00:00:00.000Z"] {
        let signed = Signed { timestamp: timestamp.into(), ..Signed::now() };
        assert_denied(&ask(&signed.path("/publish", &body)), 400, "timestamp: expected a time of UTC");
    }
    for wrong in [Signed { key: "other", ..Signed::now() }, Signed { key: "", ..Signed::now() }] {
        assert_denied(&ask(&wrong.path("/publish", &body)), 401, "key: it is not the one of this path");
    }
    let other_body = Signed::now().path("/publish", &body.replace('1', "2").replace("é", "e"));
    let other_secret = Signed { secret: "secret", ..Signed::now() }.path("/publish", &body);
    let other_nonce = good.replace("nonce=4711", "nonce=4712");
    let no_padding = good.replace("%3d", "");
    let nothing = good.split("signature=").next().map(|path| format!("{path}signature="));
    for path in [other_body, other_secret, other_nonce, no_padding, nothing.expect("a path")] {
        assert_denied(&ask(&path), 401, "signature: it is not the one of this request");
    }
    let body = json!({ "procedure": "com.example.nobody" }).to_string();
    let answer = send(address, &Signed::now().path("/call", &body), "", body.as_bytes());
    assert_error(&answer, "wamp.error.no_such_procedure");
}

#[test]
fn requests_that_need_no_signature_may_say_when_they_were_made() {
    let (_router, address) = start(
        "bridge-unsigned",
        json!({
            "publish": service("publisher", json!({})),
            "always": service("publisher", json!({ "timestamp_delta_limit": 0 })),
        }),
    );
    let body = json!({ "topic": "com.example.topic" });
    let ask =
        |path: &str, seconds: i64| post(address, &format!("{path}&timestamp={}", timestamp(seconds)), &body);
    assert_published(&ask("/publish?seq=1", 0));
    assert_denied(&ask("/publish?seq=1", -3_600), 400, "too far from now");
    assert_denied(&ask("/publish?seq=x", 0), 400, "seq: expected an integer");
    assert_published(&ask("/always?seq=1", -3_600));
}

#[test]
fn requests_must_come_from_where_they_are_taken() {
    let (_router, address) = start(
        "bridge-places",
        json!({
            "here": service("publisher", json!({ "require_ip": ["10.0.0.0/8", "127.0.0.0/255.0.0.0"] })),
            "there": service("publisher", json!({ "require_ip": ["10.0.0.0/8", "::1"] })),
            "tls": service("publisher", json!({ "require_tls": true })),
        }),
    );
    let body = json!({ "topic": "com.example.topic" });
    assert_published(&post(address, "/here", &body));
    assert_denied(&post(address, "/there", &body), 400, "this address");
    assert_denied(&post(address, "/tls", &body), 400, "TLS alone");

    let certificates = Certificates::make("bridge");
    let options = json!({ "require_tls": true, "require_ip": ["127.0.0.1"] });
    let mut config = node(json!({ "tls": service("publisher", options) }));
    config["workers"][0]["transports"][0]["endpoint"] = certificates.endpoint(&json!({}));
    let mut router = Process::start("bridge-tls", &config);
    let address = router.tcp_address();
    let mut client = HttpClient { socket: certificates.connect(address, None) };
    let body = body.to_string();
    assert_published(&client.request(&head("POST", "/tls", "", body.as_bytes()), body.as_bytes()));
}
