//! The page of a router that was just started: what runs here and how to connect to it.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{self, HeaderMap};

use super::answer::{self, Answer};
use super::page::{escape, page};
use crate::config::node::{Listener, Paths, Service};
use crate::native::gate::Gate;
use crate::native::hub::Hub;

/// What is served on the listener of the page.
#[derive(Debug)]
pub(super) struct Status {
    /// The path of its first WebSocket.
    websocket: Option<String>,
    rawsocket: bool,
    is_secure: bool,
    /// Says which realms the listener has.
    gate: Arc<Gate>,
}

impl Status {
    pub fn new(listener: &Listener, gate: Arc<Gate>) -> Self {
        let paths = listener.web.as_ref().map(|web| &web.paths);
        Self {
            websocket: paths.and_then(|paths| websocket_path(paths, "")),
            rawsocket: listener.rawsocket.is_some(),
            is_secure: listener.endpoint.tls.is_some(),
            gate,
        }
    }

    pub fn answer(&self, request: &HeaderMap, hub: &Hub) -> Answer {
        let host = host(request).unwrap_or("localhost");
        // A proxy in front has the host of the browser from it, and speaks TLS in our place. Nothing rests on it but this page.
        let is_behind_tls = request.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
        let ws = if self.is_secure || is_behind_tls { "wss" } else { "ws" };
        let rs = if self.is_secure { "rss" } else { "rs" };
        let mut realms = hub.realm_counters();
        realms.retain(|realm| self.gate.offers(&realm.name));
        let realm = realms.first().map_or("realm1", |realm| realm.name.as_str());
        let mut addresses = String::new();
        let mut row = |name: &str, value: &str| {
            addresses
                .push_str(&format!("<div><dt>{name}</dt><dd><code>{}</code></dd></div>\n", escape(value)));
        };
        let websocket = self.websocket.as_ref().map(|path| format!("{ws}://{host}{path}"));
        if let Some(url) = &websocket {
            row("WebSocket", url);
        }
        if self.rawsocket {
            row("RawSocket", &format!("{rs}://{host}"));
        }
        for realm in &realms {
            row("Realm", &realm.name);
        }
        let snippet = websocket.map(|url| snippet(&url, realm)).unwrap_or_default();
        let content = format!(
            "<p class=\"state\">Running</p>\n<h1>A WAMP router is here</h1>\n\
             <p>Publish and subscribe, call and register: WAMP clients connect to these addresses.</p>\n\
             <h2>Addresses</h2>\n<dl>\n{addresses}</dl>\n{snippet}"
        );
        answer::html(StatusCode::OK, page("Running", &content))
    }
}

fn snippet(url: &str, realm: &str) -> String {
    let (url, realm) = (quote(url), quote(realm));
    let code = format!("{SNIPPET_BEGIN}  url: {url},\n  realm: {realm},\n{SNIPPET_END}");
    format!(
        "<h2>Try it</h2>\n<p>With Node.js: <code>npm install autobahn</code>, save this as \
         <code>try.mjs</code>, then <code>node try.mjs</code>.</p>\n\
         <pre tabindex=\"0\" aria-label=\"try.mjs\"><code>{}</code></pre>\n",
        escape(&code)
    )
}

/// A text as a literal of JavaScript.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Where the client says it is connected; `None` where that is nothing to show in an address.
fn host(request: &HeaderMap) -> Option<&str> {
    let host = request.get(header::HOST)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    (!host.is_empty() && host.len() <= 255 && host.bytes().all(is_plain)).then_some(host)
}

fn websocket_path(paths: &Paths, above: &str) -> Option<String> {
    if let Some(Service::WebSocket(_)) = paths.root.as_deref() {
        return Some(format!("{above}/"));
    }
    // The names of paths are as plain as an address wants them.
    paths.children.iter().find_map(|(name, service)| match service {
        Service::WebSocket(_) => Some(format!("{above}/{name}")),
        Service::Path(paths) => websocket_path(paths, &format!("{above}/{name}")),
        _ => None,
    })
}

const SNIPPET_BEGIN: &str = r#"import autobahn from "autobahn";

const connection = new autobahn.Connection({
"#;

const SNIPPET_END: &str = r#"});

connection.onopen = async (session) => {
  await session.register("com.example.add", ([a, b]) => a + b);
  console.log("2 + 3 =", await session.call("com.example.add", [2, 3]));

  const hello = "com.example.hello";
  await session.subscribe(hello, ([name]) => console.log("Hello,", name));
  session.publish(hello, ["world"], {}, { exclude_me: false });
};

connection.onclose = (reason, details) => console.log(reason, details);
connection.open();
"#;
