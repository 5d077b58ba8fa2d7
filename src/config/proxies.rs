//! Proxy workers, whose transports are here the router's own.
//!
//! Owns what a proxy says of its clients: into which realms they are routed, and as which roles. Crossbar.io has proxies so
//! that several processes speak with clients; here threads do, and nothing stands between them and the realms. Refuses what
//! only a process in between could do: routes to other nodes, and keeping out a role that authentication may well give.

use serde_json::{Map, Value};

use super::crossbar::MAX_TRANSPORTS;
use super::cursor::{Cursor, Key, Object, quote};
use super::keys;
use super::node::{Listener, Node};
use super::node_reader::NodeReader;
use super::processes::Host;
use super::{RealmConfig, Realms};
use crate::auth::authorizer::Role;
use crate::auth::{ANONYMOUS, Anonymous};

/// A transport of a proxy, without its id, and all that says where it leads.
type Whole<'a> = (Option<Map<String, Value>>, Option<&'a Value>, Option<&'a Value>);

/// What proxies say, one after the other.
#[derive(Default)]
pub(super) struct Proxies<'a> {
    transports: Vec<Whole<'a>>,
}

/// A realm, and a role in it that a proxy does not route.
type Unrouted = (String, String);

/// A realm, and the roles in it as which clients of a proxy may join.
struct Route<'a> {
    realm: String,
    roles: Vec<&'a str>,
}

impl<'a> Proxies<'a> {
    /// The listeners of one proxy. `node` has those of all router workers.
    pub fn read(
        &mut self,
        worker: &Cursor<'a>,
        node: &Node,
        reader: &mut NodeReader<'_>,
    ) -> Option<Vec<Listener>> {
        let object = worker.object(&PROXY_KEYS, &mut reader.report)?;
        reader.note(&object, "id");
        reader.worker_options(&object, Host::Router);
        let routes = routes(&object, node, reader)?;
        let (own, unrouted) = reader.named_realms().map(|realms| routed(realms, &routes)).unzip();
        let unrouted = unrouted.unwrap_or_default();
        let list = object.get("transports");
        let transports =
            list.and_then(|list| list.elements(MAX_TRANSPORTS, "transports", &mut reader.report));
        Some(reader.with_realms(own, |reader| {
            let listener = |transport| self.listener(&transport, worker, &unrouted, reader);
            transports.unwrap_or_default().into_iter().filter_map(listener).collect()
        }))
    }

    /// A listener, unless a proxy before has it: several processes at one port.
    fn listener(
        &mut self,
        transport: &Cursor<'a>,
        worker: &Cursor<'a>,
        unrouted: &[Unrouted],
        reader: &mut NodeReader<'_>,
    ) -> Option<Listener> {
        let whole = whole(transport, worker);
        if self.transports.contains(&whole) {
            return None;
        }
        self.transports.push(whole);
        let listener = reader.listener(transport)?;
        if let Some((realm, role)) = within_reach(&listener, unrouted) {
            let (role, realm, path) = (quote(role), quote(realm), &listener.path);
            let expected =
                format!("a route for role {role} of realm {realm}, which clients of {path} may get");
            worker.at("routes").problem_found::<()>(&expected, "none", &mut reader.report);
        }
        Some(listener)
    }
}

/// The realms that a proxy leads to, with the roles that it routes; and the other roles of these.
fn routed(realms: &[RealmConfig], routes: &[Route<'_>]) -> (Vec<RealmConfig>, Vec<Unrouted>) {
    let (mut routed, mut unrouted) = (Vec::new(), Vec::new());
    for realm in realms {
        let here = |route: &&Route<'_>| route.realm == realm.name;
        if !routes.iter().any(|route| here(&route)) {
            continue;
        }
        let mut realm = realm.clone();
        let is_routed =
            |role: &Role| routes.iter().filter(here).any(|route| route.roles.contains(&role.name()));
        let (roles, others): (Vec<_>, Vec<_>) = realm.roles.drain(..).partition(is_routed);
        unrouted.extend(others.iter().map(|role| (realm.name.clone(), role.name().to_owned())));
        realm.roles = roles;
        routed.push(realm);
    }
    (routed, unrouted)
}

fn whole<'a>(transport: &Cursor<'a>, worker: &Cursor<'a>) -> Whole<'a> {
    let mut map = transport.value().and_then(Value::as_object).cloned();
    if let Some(map) = &mut map {
        map.shift_remove("id");
    }
    (map, worker.at("connections").value(), worker.at("routes").value())
}

/// `routes`: realm -> role -> connections.
fn routes<'a>(object: &Object<'a>, node: &Node, reader: &mut NodeReader<'_>) -> Option<Vec<Route<'a>>> {
    let connections = object.required("connections");
    for (_, connection) in entries(object, "connections", reader)? {
        own_connection(&connection, node, reader);
    }
    let mut routes = Vec::new();
    for (realm, roles) in entries(object, "routes", reader)? {
        let Some(roles) = roles.any_object(&mut reader.report) else { continue };
        if let Some(Realms::Named(realms)) = &reader.realms {
            let known: Vec<_> = realms.iter().map(|realm| realm.name.as_str()).collect();
            reader.report.known(object.required("routes").path(), "realms of this node", realm, &known);
        }
        let mut route = Route { realm: realm.to_owned(), roles: Vec::new() };
        for (role, names) in roles.entries() {
            let list = names.items();
            let names = if list.is_empty() { vec![names] } else { list };
            for name in names {
                let Some(text) = name.string(CONNECTION, &mut reader.report) else { continue };
                if connections.at(text).is_null() {
                    name.problem::<()>(CONNECTION, &mut reader.report);
                }
            }
            route.roles.push(role);
        }
        routes.push(route);
    }
    Some(routes)
}

/// The entries of the object at a key that may be left out.
fn entries<'a>(
    object: &Object<'a>,
    key: &str,
    reader: &mut NodeReader<'_>,
) -> Option<Vec<(&'a str, Cursor<'a>)>> {
    match object.get(key) {
        Some(value) => value.any_object(&mut reader.report).map(|object| object.entries()),
        None => Some(Vec::new()),
    }
}

/// Checks that a connection leads to a router worker of this node.
fn own_connection(connection: &Cursor<'_>, node: &Node, reader: &mut NodeReader<'_>) -> Option<()> {
    let object = connection.object(&CONNECTION_KEYS, &mut reader.report)?;
    let endpoint = object.required("transport").at("endpoint");
    let read = reader.connecting_endpoint(&endpoint)?;
    if node.listener_at(&read).is_none() {
        let written = endpoint.at("path").value().or(read.get("host")).and_then(Value::as_str);
        let found = match read.get("port") {
            Some(port) => format!("{}:{port}", written.unwrap_or_default()),
            None => quote(written.unwrap_or_default()),
        };
        return endpoint.problem_found(OWN_ROUTER, &found, &mut reader.report);
    }
    Some(())
}

/// One of these roles of realms that clients of the listener may get.
fn within_reach<'u>(listener: &Listener, unrouted: &'u [Unrouted]) -> Option<(&'u str, &'u str)> {
    // Other roles of principals are only those that the reader knew.
    let is_within = |(_, role): &&Unrouted| {
        listener.places().iter().any(|place| {
            // Whose role was looked for among those that are routed.
            if place.bridge.is_some() {
                return false;
            }
            let Some(auth) = place.auth else { return role == ANONYMOUS };
            let is_anonymous =
                matches!(&auth.methods.anonymous, Some(Anonymous::Static(grant)) if grant.role == *role);
            // An authenticator may say any role.
            is_anonymous || auth.methods.authenticators().next().is_some()
        })
    };
    unrouted.iter().find(is_within).map(|(realm, role)| (realm.as_str(), role.as_str()))
}

const CONNECTION: &str = "the name of one of \"connections\"";
const OWN_ROUTER: &str =
    "the address of a transport of a router worker of this node (there are no proxies to other nodes)";

pub(super) const PROXY_KEYS: [(&str, Key); 7] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("options", Key::Served),
    ("connections", Key::Served),
    ("routes", Key::Served),
    ("transports", Key::Served),
    ("manhole", keys::NO_MANHOLE),
];

/// Of a connection to a router worker, which is none here.
pub(super) const CONNECTION_KEYS: [(&str, Key); 3] =
    [("id", Key::Served), ("transport", Key::Served), ("auth", Key::Served)];
