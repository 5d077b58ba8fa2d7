//! Where a node listens: transports and their endpoints.
//!
//! Owns the types of transports, RawSocket, addresses and TLS. What is at the paths of a web transport is in
//! [`web`](super::web), the options of a WebSocket are in [`websocket`](super::websocket).

use std::net::{IpAddr, Ipv4Addr};

use super::crossbar::{MAX_TRANSPORTS, MESSAGE_PORT};
use super::cursor::{Cursor, Key, Object, quote};
use super::node::{Address, BACKLOG, Endpoint, Listener, Paths, RawSocket, Service, Tls, Web, WebSocket};
use super::node_reader::NodeReader;
use super::websocket::DEBUG;

impl NodeReader<'_> {
    /// `transports` of a router worker.
    pub fn listeners(&mut self, list: &Cursor<'_>) -> Vec<Listener> {
        let transports = list.elements(MAX_TRANSPORTS, "transports", &mut self.report).unwrap_or_default();
        transports.iter().filter_map(|transport| self.listener(transport)).collect()
    }

    pub fn listener(&mut self, transport: &Cursor<'_>) -> Option<Listener> {
        let object = transport.any_object(&mut self.report)?;
        let (kind, key) = object.required("type").kind(&TRANSPORT_TYPES, &mut self.report)?;
        if let Key::NotServed(message) = key {
            self.report.warn(transport.path(), message);
            return None;
        }
        let keys: &[(&str, Key)] = match kind {
            "web" => &WEB_KEYS,
            "websocket" | WEBSOCKET_TESTEE => &WEBSOCKET_KEYS,
            "rawsocket" => &RAWSOCKET_KEYS,
            _ => &UNIVERSAL_KEYS,
        };
        object.check_keys(keys, &mut self.report);
        self.note(&object, "id");
        let endpoint = self.endpoint(&object.required("endpoint"));
        let authorities = object.required("endpoint").at("tls").at("ca_certificates");
        self.has_certificates = !authorities.items().is_empty();
        let is_tls = object.required("endpoint").at("tls").value().is_some_and(|tls| !tls.is_null());
        let (rawsocket, web) = match kind {
            "web" => (None, Some(self.web(&object, is_tls)?)),
            "websocket" => (None, Some(websocket_alone(self.websocket(&object)?))),
            WEBSOCKET_TESTEE => {
                let mut testee = self.websocket(&object)?;
                testee.is_testee = true;
                // A test suite speaks no WAMP.
                testee.options.require_websocket_subprotocol = false;
                (None, Some(websocket_alone(testee)))
            }
            "rawsocket" => (Some(self.rawsocket(&object)?), None),
            _ => self.universal(transport, &object, is_tls)?,
        };
        let realms = self.realms_of_worker.clone();
        Some(Listener { path: transport.path(), endpoint: endpoint?, realms, rawsocket, web })
    }

    /// RawSocket and HTTP on one port.
    fn universal(
        &mut self,
        transport: &Cursor<'_>,
        object: &Object<'_>,
        is_tls: bool,
    ) -> Option<(Option<RawSocket>, Option<Web>)> {
        let rawsocket = self.optional(object, "rawsocket", |reader, rawsocket| {
            let object = rawsocket.object(&RAWSOCKET_PART_KEYS, &mut reader.report)?;
            reader.part_of_type(&object, "rawsocket");
            reader.rawsocket(&object)
        });
        let web = self.optional(object, "web", |reader, web| {
            let object = web.object(&WEB_PART_KEYS, &mut reader.report)?;
            reader.part_of_type(&object, "web");
            reader.web(&object, is_tls)
        });
        let websockets = self.optional(object, "websocket", Self::websockets)?;
        let (rawsocket, web) = (rawsocket?, web?);
        let Some(websockets) = websockets else {
            if rawsocket.is_none() && web.is_none() {
                if object.get("mqtt").is_some() {
                    return None;
                }
                let expected = "\"rawsocket\", \"websocket\" or \"web\" in it";
                return transport.problem_found(expected, "none of them", &mut self.report);
            }
            return Some((rawsocket, web));
        };
        let mut web = web.unwrap_or_else(|| Web::new(Paths::default()));
        for (name, service) in websockets {
            let taken = match name.as_str() {
                "/" => web.paths.root.take().is_some(),
                _ => {
                    let others = web.paths.children.len();
                    web.paths.children.retain(|(child, _)| *child != name);
                    web.paths.children.len() < others
                }
            };
            if taken {
                let path = object.required("web").at("paths").at(&name).path();
                self.report.warn(path, "is not served: \"websocket\" of this transport has the same path");
            }
            if name == "/" {
                web.paths.root = Some(Box::new(service));
            } else {
                web.paths.children.push((name, service));
            }
        }
        web.paths.children.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Some((rawsocket, Some(web)))
    }

    /// `websocket` of a universal transport: paths that hold nothing else.
    fn websockets(&mut self, paths: &Cursor<'_>) -> Option<Vec<(String, Service)>> {
        let mut services = Vec::new();
        for (name, value) in paths.any_object(&mut self.report)?.entries() {
            let name = self.path_name(&value, name);
            let Some(object) = value.object(&super::websocket::SERVICE_KEYS, &mut self.report) else {
                continue;
            };
            self.part_of_type(&object, "websocket");
            if let (Some(name), Some(websocket)) = (name, self.websocket(&object)) {
                services.push((name, Service::WebSocket(websocket)));
            }
        }
        Some(services)
    }

    /// `type` and `id` of a part of a universal transport, which may be left out.
    fn part_of_type(&mut self, object: &Object<'_>, kind: &str) {
        self.note(object, "id");
        if let Some(value) = object.get("type") {
            value.choice(&[(kind, ())], &mut self.report);
        }
    }

    fn rawsocket(&mut self, object: &Object<'_>) -> Option<RawSocket> {
        self.fixed(object, &DEBUG);
        let serializers = self.serializers(object);
        let auth = self.auth(object);
        let mut rawsocket = RawSocket { serializers: serializers?, auth: auth?, ..RawSocket::default() };
        let options = self.optional(object, "options", |reader, options| {
            options.object(&RAWSOCKET_OPTION_KEYS, &mut reader.report)
        })?;
        let mut sizes = Vec::new();
        for place in options.iter().chain([object]) {
            sizes.extend(place.get(MAX_MESSAGE_SIZE).map(|size| (place, size)));
        }
        if let [(_, size), (_, other)] = &sizes[..] {
            let expected = format!("one {} (there is {} already)", quote(MAX_MESSAGE_SIZE), size.path());
            return other.problem_found(&expected, "another", &mut self.report);
        }
        if let Some((place, size)) = sizes.pop() {
            let written = size.integer(1, MAX_RAWSOCKET_WRITTEN, &mut self.report)?;
            let served = written.next_power_of_two().clamp(MIN_RAWSOCKET, MAX_RAWSOCKET);
            if served != written {
                let message = format!(
                    "it is {served}: the handshake says powers of two from {MIN_RAWSOCKET} to {MAX_RAWSOCKET} alone"
                );
                self.report.warn(size.path(), &message);
            }
            rawsocket.max_message_size = served as usize;
            self.check_message_size(place, rawsocket.max_message_size);
        }
        Some(rawsocket)
    }

    fn endpoint(&mut self, endpoint: &Cursor<'_>) -> Option<Endpoint> {
        let object = endpoint.any_object(&mut self.report)?;
        let kind = object.required("type");
        let (word, key) = kind.kind(&ENDPOINT_TYPES, &mut self.report)?;
        if let Key::Refused(expected) = key {
            return kind.problem(expected, &mut self.report);
        }
        let (address, tls) = if word == "tcp" {
            object.check_keys(&TCP_KEYS, &mut self.report);
            let tls = self.optional(&object, "tls", Self::tls);
            (self.tcp(&object), tls?)
        } else {
            object.check_keys(&UNIX_KEYS, &mut self.report);
            if self.number(&object, "backlog", 1, MAX_BACKLOG).is_some() {
                let message = "has no effect: it is for connections over TCP";
                self.report.warn(object.required("backlog").path(), message);
            }
            let path = self.socket(&object.required("path"))?;
            (Some(Address::Unix { path }), None)
        };
        let address = address?;
        let taken = self.addresses.iter().find(|(other, _)| overlaps(&address, other));
        if let Some((_, path)) = taken {
            let found = format!("{}, the same as {path}", shown(&address));
            return endpoint.problem_found(
                "an address that no other transport has",
                &found,
                &mut self.report,
            );
        }
        self.addresses.push((address.clone(), endpoint.path()));
        Some(Endpoint { address, tls })
    }

    fn tcp(&mut self, object: &Object<'_>) -> Option<Address> {
        let port = match object.get("portrange") {
            Some(_) => None,
            None => self.integer(&object.required("port"), 0, MAX_PORT),
        };
        let backlog =
            self.number(object, "backlog", 1, MAX_BACKLOG).map_or(BACKLOG, |backlog| backlog as u32);
        let version = self.ip_version(object).map(|version| version as u8);
        let interface = match object.get("interface") {
            Some(interface) if !interface.is("") => Some(self.interface(&interface, version)?),
            _ => None,
        };
        Some(Address::Tcp { port: port? as u16, interface, version, backlog })
    }

    fn interface(&mut self, value: &Cursor<'_>, version: Option<u8>) -> Option<IpAddr> {
        let text = self.text(value, INTERFACE)?;
        let address = match text.as_str() {
            "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
            _ => text.parse::<IpAddr>(),
        };
        let Ok(address) = address else {
            return value.problem_found(INTERFACE, &quote(&text), &mut self.report);
        };
        if version.is_some_and(|version| address.is_ipv4() != (version == 4)) {
            return value.problem("an IP address of the \"version\" beside it", &mut self.report);
        }
        Some(address)
    }

    fn tls(&mut self, tls: &Cursor<'_>) -> Option<Tls> {
        let object = tls.object(&TLS_KEYS, &mut self.report)?;
        let key = self.path(&object.required("key"), "the file of a private key (PEM)");
        let certificate = self.path(&object.required("certificate"), "the file of a certificate (PEM)");
        let mut certificates =
            |key| self.paths(&object, key, "certificates", "the file of a certificate (PEM)");
        let chain_certificates = certificates("chain_certificates");
        let ca_certificates = certificates("ca_certificates");
        let require_client_certificate =
            self.flag(&object, "require_client_certificate").unwrap_or(!ca_certificates.is_empty());
        if require_client_certificate && ca_certificates.is_empty() {
            let flag = object.required("require_client_certificate");
            return flag.problem_found("\"ca_certificates\" beside it", "none", &mut self.report);
        }
        Some(Tls {
            key: key?,
            certificate: certificate?,
            chain_certificates,
            ca_certificates,
            require_client_certificate,
        })
    }
}

/// A WebSocket whatever the path, and nothing else.
fn websocket_alone(websocket: WebSocket) -> Web {
    let client_timeout = websocket.options.open_handshake_timeout;
    let paths = Paths { root: Some(Box::new(Service::WebSocket(websocket))), children: Vec::new() };
    Web { client_timeout, ..Web::new(paths) }
}

/// Whether the system would refuse to listen on both.
fn overlaps(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::Unix { path }, Address::Unix { path: other }) => path == other,
        (
            Address::Tcp { port, interface, version, .. },
            Address::Tcp { port: other_port, interface: other, version: other_version, .. },
        ) => {
            let family = |interface: &Option<IpAddr>, version: &Option<u8>| match interface {
                Some(interface) => Some(if interface.is_ipv4() { 4 } else { 6 }),
                None => *version,
            };
            let families = (family(interface, version), family(other, other_version));
            let is_other_family = matches!(families, (Some(one), Some(other)) if one != other);
            let is_other_interface = matches!(
                (interface, other),
                (Some(one), Some(other)) if one != other && !one.is_unspecified() && !other.is_unspecified()
            );
            *port != 0 && port == other_port && !is_other_family && !is_other_interface
        }
        (Address::Tcp { .. }, Address::Unix { .. }) | (Address::Unix { .. }, Address::Tcp { .. }) => false,
    }
}

fn shown(address: &Address) -> String {
    match address {
        Address::Tcp { port, interface: Some(interface), .. } => format!("port {port} of {interface}"),
        Address::Tcp { port, interface: None, .. } => format!("port {port}"),
        Address::Unix { path } => path.display().to_string(),
    }
}

pub(super) const MAX_PORT: u64 = 65_535;
pub(super) const MAX_BACKLOG: u64 = 65_535;
pub(super) const MIN_RAWSOCKET: u64 = 512;
pub(super) const MAX_RAWSOCKET: u64 = 1 << 24;
/// What Crossbar.io takes, whatever the handshake can say.
pub(super) const MAX_RAWSOCKET_WRITTEN: u64 = 1 << 26;

const INTERFACE: &str = "an IP address of this machine, or \"localhost\"";

/// A WebSocket without WAMP.
pub(super) const WEBSOCKET_TESTEE: &str = "websocket.testee";

pub(super) const TRANSPORT_TYPES: [(&str, Key); 9] = [
    ("web", Key::Served),
    ("websocket", Key::Served),
    ("rawsocket", Key::Served),
    ("universal", Key::Served),
    (MESSAGE_PORT, Key::NotServed("there are no message ports here: it is for a router in a browser")),
    ("mqtt", Key::NotServed("MQTT is not served: its clients cannot connect")),
    ("flashpolicy", Key::NotServed("Flash policies are not served")),
    (WEBSOCKET_TESTEE, Key::Served),
    ("stream.testee", Key::NotServed("testees are not served")),
];

pub(super) const WEB_KEYS: [(&str, Key); 5] = [
    ("id", Key::Served),
    ("type", Key::Served),
    ("endpoint", Key::Served),
    ("paths", Key::Served),
    ("options", Key::Served),
];

pub(super) const WEBSOCKET_KEYS: [(&str, Key); 9] = [
    ("id", Key::Served),
    ("type", Key::Served),
    ("endpoint", Key::Served),
    ("url", Key::Served),
    ("serializers", Key::Served),
    ("options", Key::Served),
    ("auth", Key::Served),
    ("cookie", Key::Served),
    ("debug", Key::Served),
];

pub(super) const RAWSOCKET_KEYS: [(&str, Key); 8] = [
    ("id", Key::Served),
    ("type", Key::Served),
    ("endpoint", Key::Served),
    ("serializers", Key::Served),
    ("options", Key::Served),
    ("auth", Key::Served),
    // Where Crossbar.io's documentation has it.
    (MAX_MESSAGE_SIZE, Key::Served),
    ("debug", Key::Served),
];

pub(super) const UNIVERSAL_KEYS: [(&str, Key); 7] = [
    ("id", Key::Served),
    ("type", Key::Served),
    ("endpoint", Key::Served),
    ("rawsocket", Key::Served),
    ("websocket", Key::Served),
    ("web", Key::Served),
    ("mqtt", Key::NotServed("MQTT is not served: its clients cannot connect")),
];

const NO_ENDPOINT: Key = Key::Refused("\"endpoint\" of the whole transport in its place");

pub(super) const RAWSOCKET_PART_KEYS: [(&str, Key); 8] = [
    ("id", Key::Served),
    ("type", Key::Served),
    ("endpoint", NO_ENDPOINT),
    ("serializers", Key::Served),
    ("options", Key::Served),
    ("auth", Key::Served),
    // Where Crossbar.io's documentation has it.
    (MAX_MESSAGE_SIZE, Key::Served),
    ("debug", Key::Served),
];

pub(super) const WEB_PART_KEYS: [(&str, Key); 5] = [
    ("id", Key::Served),
    ("type", Key::Served),
    ("endpoint", NO_ENDPOINT),
    ("paths", Key::Served),
    ("options", Key::Served),
];

pub(super) const RAWSOCKET_OPTION_KEYS: [(&str, Key); 1] = [(MAX_MESSAGE_SIZE, Key::Served)];

pub(super) const MAX_MESSAGE_SIZE: &str = "max_message_size";

pub(super) const ENDPOINT_TYPES: [(&str, Key); 4] = [
    ("tcp", Key::Served),
    ("unix", Key::Served),
    ("twisted", Key::Refused("\"tcp\" or \"unix\" (endpoints of Twisted are not served)")),
    ("onion", Key::Refused("\"tcp\" or \"unix\" (onion services are not served)")),
];

pub(super) const TCP_KEYS: [(&str, Key); 9] = [
    ("type", Key::Served),
    ("port", Key::Served),
    ("interface", Key::Served),
    ("version", Key::Served),
    ("backlog", Key::Served),
    ("tls", Key::Served),
    ("portrange", Key::Refused("\"port\" in its place (ranges of ports are not served)")),
    (
        "shared",
        Key::NotServed(
            "has no effect: one process listens, and of the workers that share a port one is to stay",
        ),
    ),
    ("user_timeout", Key::NotServed("has no effect: see \"auto_ping_timeout\" of a WebSocket")),
];

pub(super) const UNIX_KEYS: [(&str, Key); 3] =
    [("type", Key::Served), ("path", Key::Served), ("backlog", Key::Served)];

pub(super) const TLS_KEYS: [(&str, Key); 7] = [
    ("key", Key::Served),
    ("certificate", Key::Served),
    ("chain_certificates", Key::Served),
    ("ca_certificates", Key::Served),
    // wamplet's own.
    ("require_client_certificate", Key::Served),
    ("dhparam", Key::NotServed("has no effect: keys are exchanged over elliptic curves")),
    (
        "ciphers",
        Key::NotServed("has no effect: only TLS 1.2 and 1.3, with ciphers that are strong, are served"),
    ),
];
