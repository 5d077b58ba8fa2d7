//! What a browser sends by itself: the cookie of a login, how long it is worth something and to whom, and certificates.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wamplet::auth::hex;

use crate::certificates::Certificates;
use crate::clients::*;
use crate::http::{Answer, HttpClient};
use crate::process::{Process, loopback};

/// A WebSocket and long polling with cookies that log in.
fn with_cookies(cookie: Value, options: Value) -> Value {
    let auth = json!({
        "ticket": principals(json!({ "joe": { "ticket": "pencil" } })),
        "anonymous": { "type": "static" },
        "cookie": {},
    });
    let websocket = json!({ "type": "websocket", "auth": auth, "cookie": cookie, "options": options });
    let long_poll = json!({ "type": "longpoll", "auth": auth, "cookie": cookie });
    let paths = json!({ "ws": websocket, "lp": long_poll });
    node(json!([{ "type": "web", "endpoint": loopback(), "paths": paths }]))
}

/// `name=value` of the cookie that an answer sets.
fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

#[test]
fn a_browser_that_has_logged_in_is_known_again_by_its_cookie() {
    let cookie = json!({ "name": "id", "max_age": 3_600, "http_strict": true, "same_site": "Lax" });
    let mut router = Process::start("auth-cookie", &with_cookies(cookie, json!({})));
    let address = router.tcp_address();
    let methods = ["cookie", "ticket"];

    let (_first, answer, welcome) = by_browser(address, "", &methods);
    assert_joe(&welcome, "ticket");
    let header = answer.header("set-cookie");
    let value = cookie_of(&answer);
    assert_eq!(header, format!("{value}; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax"));
    assert_eq!(value.len(), "id=".len() + 24);

    let (_second, answer, welcome) = by_browser(address, &format!("Cookie: a=b; {value}"), &["cookie"]);
    assert_eq!(cookie_of(&answer), value);
    assert_eq!((&welcome[0], &welcome[2]["authid"]), (&json!(2), &json!("joe")));
    assert_eq!(welcome[2]["authprovider"], "cookie");

    // Another program of the host may have set a cookie that is no ASCII.
    let (_third, answer, welcome) = by_browser(address, &format!("Cookie: a=ü; {value}"), &["cookie"]);
    assert_eq!((cookie_of(&answer), &welcome[0]), (value, &json!(2)));

    // A value that was never handed out is not taken, whoever has thought of it.
    let (_, answer, abort) = by_browser(address, "Cookie: id=AAAAAAAAAAAAAAAAAAAAAAAA", &["cookie"]);
    assert_ne!(cookie_of(&answer), "id=AAAAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(abort[2], "wamp.error.no_matching_auth_method");
    // An anonymous session makes its cookie stand for nobody.
    let (_, answer, welcome) = by_browser(address, "", &["anonymous"]);
    assert_eq!(welcome[0], 2);
    let (_, _, abort) = by_browser(address, &format!("Cookie: {}", cookie_of(&answer)), &["cookie"]);
    assert_eq!(abort[0], 3);
}

#[test]
fn who_proves_nothing_keeps_its_authid_as_long_as_its_cookie() {
    let websocket = |auth: Value| {
        let mut service = json!({ "type": "websocket", "cookie": {} });
        if auth != json!(null) {
            service["auth"] = auth;
        }
        node(json!([{ "type": "web", "endpoint": loopback(), "paths": { "ws": service } }]))
    };
    for (name, auth) in
        [("auth-serial-open", json!(null)), ("auth-serial", json!({ "anonymous": { "type": "static" } }))]
    {
        let mut router = Process::start(name, &websocket(auth));
        let address = router.tcp_address();
        let authid = |headers: &str| {
            let (_, answer, welcome) = by_browser(address, headers, &["anonymous"]);
            (cookie_of(&answer), welcome[2]["authid"].as_str().expect("an authid").to_owned())
        };
        let (cookie, first) = authid("");
        assert_eq!(first.len(), "QWKN-EVF9-STW3-UUJ6-67KF-9UG4".len());
        assert_eq!(authid(&format!("Cookie: {cookie}")), (cookie.clone(), first.clone()));
        assert_ne!(authid("").1, first);
        // Neither is the cookie told to others, nor a page of another site taken for one of this.
        assert!(!cookie.contains(&first));
        assert_ne!(authid(&format!("Cookie: {cookie}\nOrigin: https://evil.example")).1, first);
    }
}

#[test]
fn a_page_of_another_site_cannot_use_the_cookie_unless_it_is_named() {
    let options = json!({ "allowed_origins": ["*", "https://app.example.com"] });
    let mut router = Process::start("auth-origin", &with_cookies(json!({}), options));
    let address = router.tcp_address();
    let (_, answer, _) = by_browser(address, "", &["ticket"]);
    let cookie = cookie_of(&answer);
    for (origin, expected) in [
        ("http://localhost:8080", 2),
        ("https://app.example.com", 2),
        ("https://evil.example", 3),
        ("http://localhost:9090", 3),
        ("null", 3),
    ] {
        let headers = format!("Cookie: {cookie}\nOrigin: {origin}");
        let (_, _, heard) = by_browser(address, &headers, &["cookie"]);
        assert_eq!(heard[0], expected, "{origin}");
    }
}

#[test]
fn a_page_of_another_site_cannot_use_the_certificate_unless_it_is_named() {
    let certificates = Certificates::make("auth-certificate-origin");
    let joe = certificates.sign("joe");
    let der = CertificateDer::from_pem_slice(joe.0.as_bytes()).expect("PEM");
    let certificate = json!({ "certificate-sha256": hex::encode(&Sha256::digest(&der)) });
    let auth = json!({ "tls": principals(json!({ "joe": certificate })) });
    let options = json!({ "allowed_origins": ["*", "https://app.example.com"] });
    let changes = json!({ "ca_certificates": ["ca.pem"] });
    let web = json!({
        "type": "web",
        "endpoint": certificates.endpoint(&changes),
        "paths": {
            "ws": { "type": "websocket", "auth": auth, "options": options },
            "lp": { "type": "longpoll", "auth": auth },
        },
    });
    let mut router = Process::start("auth-certificate-origin", &node(json!([web])));
    let address = router.tcp_address();
    let connect = || HttpClient { socket: certificates.connect(address, Some(joe.clone())) };
    for (origin, by_websocket, by_longpoll) in [
        ("", 2, 2),
        ("Origin: https://localhost:8080", 2, 2),
        ("Origin: https://app.example.com", 2, 3),
        ("Origin: https://evil.example", 3, 3),
    ] {
        let mut http = connect();
        assert_eq!(http.request(&format!("{UPGRADE}\n{origin}"), b"").status, 101);
        say(&mut http.socket, &hello("tls", json!({})));
        assert_eq!(hear(&mut http.socket)[0], by_websocket, "{origin:?}");

        let mut http = connect();
        let mut post = |path: &str, body: &str| {
            let length = body.len();
            let head =
                format!("POST {path} HTTP/1.1\nHost: localhost:8080\nContent-Length: {length}\n{origin}");
            http.request(&head, body.as_bytes())
        };
        let opened = post("/lp/open", "{\"protocols\": [\"wamp.2.json\"]}").json();
        let id = opened["transport"].as_str().expect("an id");
        post(&format!("/lp/{id}/send"), &hello("tls", json!({})).to_string());
        assert_eq!(post(&format!("/lp/{id}/receive"), "").json()[0], by_longpoll, "{origin:?}");
    }
}

#[test]
fn logging_out_makes_a_cookie_worthless() {
    let mut router = Process::start("auth-logout", &with_cookies(json!({}), json!({})));
    let address = router.tcp_address();
    let (mut first, answer, _) = by_browser(address, "", &["ticket"]);
    let header = format!("Cookie: {}", cookie_of(&answer));
    let (mut second, _, welcome) = by_browser(address, &header, &["cookie"]);
    assert_eq!(welcome[0], 2);
    say(&mut first.socket, &json!([6, {}, "wamp.close.logout"]));
    assert_eq!(hear(&mut first.socket)[2], "wamp.close.goodbye_and_out");
    assert_eq!(hear(&mut second.socket)[2], "wamp.close.logout", "the other tab");
    let (_, _, abort) = by_browser(address, &header, &["cookie"]);
    assert_eq!(abort[0], 3);
}

#[test]
fn the_cookie_of_a_session_that_was_killed_is_worthless() {
    let mut router = Process::start("auth-kill", &with_cookies(json!({}), json!({})));
    let address = router.tcp_address();
    let (_first, answer, welcome) = by_browser(address, "", &["ticket"]);
    let header = format!("Cookie: {}", cookie_of(&answer));
    let (mut admin, _, _) = by_browser(address, "", &["anonymous"]);
    say(&mut admin.socket, &json!([48, 1, {}, "wamp.session.kill", [welcome[1]]]));
    assert_eq!(hear(&mut admin.socket)[0], 50);
    let (_, _, abort) = by_browser(address, &header, &["cookie"]);
    assert_eq!(abort[0], 3);
}

#[test]
fn a_cookie_logs_in_nobody_whom_the_configuration_does_not_know_any_more() {
    let folder = std::env::temp_dir().join(format!("wamplet-cookies-known-{}", std::process::id()));
    let store = json!({ "type": "file", "filename": folder.join("cookies.json") });
    let config = |auth: Value| {
        let mut config = with_cookies(json!({ "store": store }), json!({}));
        for path in ["ws", "lp"] {
            config["workers"][0]["transports"][0]["paths"][path]["auth"] = auth.clone();
        }
        config
    };
    let known = |name: &str, role: &str| {
        let known = json!({ name: { "ticket": "pencil", "role": role } });
        config(json!({ "ticket": { "type": "static", "principals": known }, "cookie": {} }))
    };
    let mut router = Process::start("auth-cookie-known", &known("joe", "user"));
    let address = router.tcp_address();
    let (_, answer, welcome) = by_browser(address, "", &["ticket"]);
    assert_eq!(welcome[0], 2);
    let header = format!("Cookie: {}", cookie_of(&answer));
    let changed = json!({ "ticket": principals(json!({ "joe": { "ticket": "other" } })), "cookie": {} });
    let method_gone = json!({ "wampcra": { "type": "static", "users": { "joe": {
        "secret": "pencil", "role": "user",
    } } }, "cookie": {} });
    let dynamic =
        json!({ "ticket": { "type": "dynamic", "authenticator": "com.example.check" }, "cookie": {} });
    for (config, expected) in [
        (known("amy", "user"), 3),
        (known("joe", "user"), 2),
        (known("joe", "anonymous"), 3),
        (config(changed), 2),
        (config(method_gone), 3),
        (config(dynamic), 2),
        (known("amy", "user"), 3),
    ] {
        router.reload(&config);
        let (_, _, heard) = by_browser(address, &header, &["cookie"]);
        assert_eq!(heard[0], expected, "{config}");
    }
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
    drop(router);
    // Nor does one from before the start.
    for (name, expected) in [("amy", 3), ("joe", 2)] {
        let mut router = Process::start("auth-cookie-known", &known(name, "user"));
        let (_, _, heard) = by_browser(router.tcp_address(), &header, &["cookie"]);
        assert_eq!(heard[0], expected, "{name}");
        router.signal("TERM");
        assert_eq!(router.exit_code(), Some(0));
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn a_cookie_logs_in_nobody_whom_only_a_path_knew_that_is_gone() {
    let known =
        |name: &str| json!({ "ticket": principals(json!({ name: { "ticket": "pencil" } })), "cookie": {} });
    let config = |name: &str| {
        let mut config = with_cookies(json!({}), json!({}));
        let paths = &mut config["workers"][0]["transports"][0]["paths"];
        (paths["ws"]["auth"], paths["lp"]["auth"]) = (known(name), known("joe"));
        config
    };
    let mut router = Process::start("auth-cookie-path", &config("joe"));
    let address = router.tcp_address();
    let (_, answer, welcome) = by_browser(address, "", &["ticket"]);
    assert_joe(&welcome, "ticket");
    let header = format!("Cookie: {}", cookie_of(&answer));
    router.reload(&config("amy"));
    assert_eq!(by_browser(address, &header, &["cookie"]).2[0], 2, "the other path knows joe");
    let mut without = config("amy");
    without["workers"][0]["transports"][0]["paths"].as_object_mut().expect("paths").remove("lp");
    router.reload(&without);
    assert_eq!(by_browser(address, &header, &["cookie"]).2[0], 3);
}

#[test]
fn who_was_logged_in_at_a_crossbar_node_stays_so_and_its_file_is_kept() {
    let folder = std::env::temp_dir().join(format!("wamplet-cookies-crossbar-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let file = folder.join("cookies.dat");
    let line = |id: &str, value: &str, created: &str, authid: Value| {
        let role = if authid.is_null() { json!(null) } else { json!("user") };
        let method = if authid.is_null() { json!(null) } else { json!("ticket") };
        json!({
            id: value, "created": created, "max_age": 604_800, "authid": authid, "authrole": role,
            "authmethod": method, "authrealm": "realm1", "authextra": null,
        })
    };
    let mut deleted = line("cbtid", "deleted", "2099-01-01T00:00:00.000Z", json!("joe"));
    deleted["deleted"] = json!("2099-01-02T00:00:00.000Z");
    let lines = [
        line("cbtid", "known", "2020-01-01T00:00:00.000Z", json!(null)),
        line("cbtid", "known", "2099-01-01T00:00:00.000Z", json!("joe")),
        line("id", "of-old", "2099-01-01T00:00:00.000Z", json!("joe")),
        line("cbtid", "no-login", "2099-01-01T00:00:00.000Z", json!(null)),
        line("cbtid", "nobody", "2099-01-01T00:00:00.000Z", json!("amy")),
        line("cbtid", "too-old", "2020-01-01T00:00:00.000Z", json!("joe")),
        line("cbtid", "deleted", "2099-01-01T00:00:00.000Z", json!("joe")),
        deleted,
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, &text).expect("a temporary file");
    let store = json!({ "type": "file", "filename": file });
    let config = with_cookies(json!({ "store": store }), json!({}));
    for start in ["with the file of Crossbar.io", "with our own"] {
        let mut router = Process::start("auth-cookie-crossbar", &config);
        let address = router.tcp_address();
        let values =
            [("known", 2), ("of-old", 2), ("no-login", 3), ("nobody", 3), ("too-old", 3), ("deleted", 3)];
        for (value, expected) in values {
            let header = format!("Cookie: cbtid={value}");
            let (_, _, heard) = by_browser(address, &header, &["cookie"]);
            assert_eq!(heard[0], expected, "{value}, {start}");
            if expected == 2 {
                assert_eq!((&heard[2]["authid"], &heard[2]["authrole"]), (&json!("joe"), &json!("user")));
            }
        }
        router.signal("TERM");
        assert_eq!(router.exit_code(), Some(0));
    }
    let copy = std::fs::read_to_string(folder.join("cookies.dat.crossbar"));
    assert_eq!(copy.expect("it was kept"), text);
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn logins_in_a_file_outlive_the_process() {
    let folder = std::env::temp_dir().join(format!("wamplet-cookies-{}", std::process::id()));
    let file = folder.join("kept/cookies.json");
    let store = |purge: bool| {
        let store = json!({ "type": "file", "filename": file, "purge_on_startup": purge });
        with_cookies(json!({ "store": store }), json!({}))
    };
    let mut router = Process::start("auth-file", &store(false));
    let (_, answer, welcome) = by_browser(router.tcp_address(), "", &["ticket"]);
    assert_eq!(welcome[0], 2);
    let header = format!("Cookie: {}", cookie_of(&answer));
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
    drop(router);

    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&file).expect("it was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else's business");
    let mut router = Process::start("auth-file", &store(false));
    let (_, _, welcome) = by_browser(router.tcp_address(), &header, &["cookie"]);
    assert_eq!((&welcome[2]["authid"], &welcome[2]["authmethod"]), (&json!("joe"), &json!("ticket")));
    drop(router);
    let mut router = Process::start("auth-file", &store(true));
    let (_, _, abort) = by_browser(router.tcp_address(), &header, &["cookie"]);
    assert_eq!(abort[0], 3, "forgotten at the start");
    drop(router);

    std::fs::write(&file, "no cookies").expect("a temporary file");
    let mut router = Process::start("auth-file", &store(false));
    assert!(router.wait_for("cookies.json").contains("expected cookies"));
    assert_ne!(router.exit_code(), Some(0));
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn cookies_that_are_kept_in_one_file_stand_for_the_same_logins() {
    let folder = std::env::temp_dir().join(format!("wamplet-cookies-shared-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let file = folder.join("cookies.json");
    let config = |second: Value, known: &str| {
        let auth = json!({ "ticket": principals(json!({ known: { "ticket": "pencil" } })), "cookie": {} });
        let listener = |name: &str, store: Value| {
            let websocket =
                json!({ "type": "websocket", "auth": auth, "cookie": { "name": name, "store": store } });
            json!({ "type": "web", "endpoint": loopback(), "paths": { "ws": websocket } })
        };
        node(json!([listener("one", json!({ "type": "file", "filename": file })), listener("two", second)]))
    };
    let kept = || {
        let text = std::fs::read_to_string(&file).expect("it was written");
        serde_json::from_str::<Vec<Value>>(&text).expect("JSON").len()
    };
    // The process runs in a folder beside that of the file.
    let relative = format!("../{}/./cookies.json", folder.file_name().expect("a name").display());
    let relative = json!({ "type": "file", "filename": relative });
    let mut router = Process::start("auth-shared", &config(relative.clone(), "joe"));
    let mut cookies = Vec::new();
    for _ in 0..2 {
        let address = router.tcp_address();
        let (_, answer, welcome) = by_browser(address, "", &["ticket"]);
        assert_joe(&welcome, "ticket");
        cookies.push(cookie_of(&answer));
    }
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
    drop(router);
    assert_eq!(kept(), 2, "no listener overwrites the logins of another one");

    let mut router = Process::start("auth-shared", &config(relative, "joe"));
    let addresses = [router.tcp_address(), router.tcp_address()];
    let values = cookies.iter().filter_map(|cookie| cookie.split_once('=')).map(|(_, value)| value);
    let all: Vec<_> = addresses
        .iter()
        .zip(["one", "two"])
        .flat_map(|(address, name)| {
            values.clone().map(move |value| (*address, format!("Cookie: {name}={value}")))
        })
        .collect();
    for (address, header) in &all {
        assert_eq!(by_browser(*address, header, &["cookie"]).2[0], 2, "{header} at {address}");
    }
    // Which file it is stays as it was at the start; who may log in does not.
    let elsewhere = json!({ "type": "file", "filename": folder.join("elsewhere.json") });
    router.reload(&config(elsewhere, "amy"));
    for (address, header) in &all {
        assert_eq!(by_browser(*address, header, &["cookie"]).2[0], 3, "{header} at {address}");
    }
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
    drop(router);
    assert_eq!(kept(), 2);

    // One that wants it forgotten is enough.
    let purge = json!({ "type": "file", "filename": file, "purge_on_startup": true });
    let mut router = Process::start("auth-shared", &config(purge, "joe"));
    let address = router.tcp_address();
    let (_, header) = &all[0];
    assert_eq!(by_browser(address, header, &["cookie"]).2[0], 3);
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn long_polling_has_the_cookies_of_the_websocket_beside_it() {
    let mut router = Process::start("auth-longpoll", &with_cookies(json!({}), json!({})));
    let address = router.tcp_address();
    let (_, answer, _) = by_browser(address, "", &["ticket"]);
    let cookie = cookie_of(&answer);
    for (headers, expected) in [
        (format!("Cookie: {cookie}"), 2),
        (format!("Cookie: {cookie}\nOrigin: http://localhost:8080"), 2),
        (format!("Cookie: {cookie}\nOrigin: https://evil.example"), 3),
        (String::new(), 3),
    ] {
        let mut http = HttpClient::connect(address);
        let mut post = |path: &str, body: &Value| {
            let body = body.to_string();
            let length = body.len();
            let head = format!(
                "POST /lp/{path} HTTP/1.1\nHost: localhost:8080\nContent-Length: {length}\n{headers}"
            );
            http.request(&head, body.as_bytes())
        };
        let opened = post("open", &json!({ "protocols": ["wamp.2.json"] }));
        assert_eq!(cookie_of(&opened) == cookie, !headers.is_empty(), "{headers}");
        let id = opened.json()["transport"].as_str().expect("an id").to_owned();
        let mut message = hello("cookie", json!({}));
        message[2]["authid"] = json!(null);
        post(&format!("{id}/send"), &message);
        let heard = post(&format!("{id}/receive"), &json!(""));
        assert_eq!(heard.json()[0], expected, "{headers}");
    }
}
