//! What a node says of itself: a page for people, or JSON for those who ask for it. Of its realms it names those that can be
//! joined where the page is.

use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderValue};
use serde_json::json;

use super::answer::{self, Answer};
use super::page::{escape, page};
use super::preference::prefers_json;
use crate::native::gate::Gate;
use crate::native::hub::{Hub, Listening};

pub(super) fn answer(request: &HeaderMap, hub: &Hub, gate: &Gate) -> Answer {
    let mut realms = hub.realm_counters();
    realms.retain(|realm| gate.offers(&realm.name));
    let uptime = hub.uptime().as_secs();
    let version = env!("CARGO_PKG_VERSION");
    let connections = hub.connections();
    let listeners = hub.listening();
    let mut answer = if prefers_json(request) {
        let realms: Vec<_> = realms
            .iter()
            .map(|realm| {
                json!({
                    "name": realm.name,
                    "sessions": realm.sessions,
                    "subscriptions": realm.subscriptions,
                    "registrations": realm.registrations,
                })
            })
            .collect();
        let listeners: Vec<_> = listeners
            .iter()
            .map(|Listening { address, protocols, is_secure }| {
                json!({ "address": address, "protocols": protocols, "is_secure": is_secure })
            })
            .collect();
        let value = json!({
            "router": "wamplet",
            "version": version,
            "uptime": uptime,
            "connections": connections,
            "listeners": listeners,
            "realms": realms,
        });
        answer::whole(StatusCode::OK, "application/json", value.to_string())
    } else {
        let rows = realms.iter().map(|realm| {
            let name = escape(&realm.name);
            let numbers = [realm.sessions, realm.subscriptions, realm.registrations];
            let numbers = numbers.map(|number| format!("<td class=\"number\">{number}</td>")).concat();
            format!("<tr><th scope=\"row\">{name}</th>{numbers}</tr>\n")
        });
        let listeners = listeners.iter().map(|Listening { address, protocols, is_secure }| {
            let (address, protocols) = (escape(address), protocols.join(", "));
            let tls = if *is_secure { ", tls" } else { "" };
            format!("<div><dt><code>{address}</code></dt><dd>{protocols}{tls}</dd></div>\n")
        });
        let content = format!(
            "<p class=\"state\">Running</p>\n<h1>This node</h1>\n<dl>\n\
             <div><dt>Router</dt><dd>wamplet {version}</dd></div>\n\
             <div><dt>Up for</dt><dd>{}</dd></div>\n\
             <div><dt>Connections</dt><dd>{connections}</dd></div>\n</dl>\n\
             <h2>Listeners</h2>\n<dl class=\"addresses\">\n{}</dl>\n\
             <h2 id=\"realms\">Realms</h2>\n<table aria-labelledby=\"realms\">\n\
             <thead><tr><th scope=\"col\">Realm</th><th scope=\"col\" class=\"number\">Sessions</th>\
             <th scope=\"col\" class=\"number\">Topics</th>\
             <th scope=\"col\" class=\"number\">Procedures</th></tr></thead>\n<tbody>\n{}</tbody>\n</table>\n",
            duration(uptime),
            listeners.collect::<String>(),
            rows.collect::<String>()
        );
        answer::html(StatusCode::OK, page("This node", &content))
    };
    let headers = answer.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Seconds as people say them: the two largest units.
fn duration(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, size) in units {
        if left >= size || (size == 1 && parts.is_empty()) {
            parts.push(format!("{} {unit}", left / size));
        }
        left %= size;
    }
    parts.truncate(2);
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_have_the_two_largest_units() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3_600, "1 h"), (90_061, "1 d 1 h")]
        {
            assert_eq!(duration(seconds), text);
        }
    }
}
