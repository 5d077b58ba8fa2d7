//! A node of the native router: what it listens on and what it starts, typed and already valid.
//!
//! Owns the types and their defaults. Reading them from Crossbar's format begins in `load`; serving them is in `native`. A
//! router in a browser has none of this.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub use super::bridge::{Bridge, BridgeAction, Network, Signer, Terms, Webhook};
pub use super::children::{Component, ComponentConnection, Guest, Restart, RestartPolicy};
use super::{Config, ConfigError, RealmConfig, Realms, Warning};
use crate::auth::Methods;
use crate::codec::Serializer;

/// Everything that one process serves.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Realms and limits: what the router in it is made of.
    pub config: Config,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Child processes that join as sessions.
    pub components: Vec<Component>,
    /// Child processes that may do what they like.
    pub guests: Vec<Guest>,
}

impl Node {
    /// What is served where nothing is configured: realm `realm1`, in which everybody may do everything, and on port 8080
    /// of this machine alone RawSocket, a WebSocket at `/ws` and a status page at `/`.
    pub fn embedded() -> Self {
        let paths = Paths {
            root: Some(Box::new(Service::Status)),
            children: vec![("ws".into(), Service::WebSocket(WebSocket::default()))],
        };
        let address = Address::Tcp {
            port: 8080,
            interface: Some(Ipv4Addr::LOCALHOST.into()),
            version: None,
            backlog: BACKLOG,
        };
        let listener = Listener {
            path: "the default transport".into(),
            endpoint: Endpoint { address, tls: None },
            realms: None,
            rawsocket: Some(RawSocket::default()),
            web: Some(Web::new(paths)),
        };
        let realms = Realms::Named(vec![RealmConfig::open("realm1")]);
        Self { config: Config { realms, ..Config::default() }, listeners: vec![listener], ..Self::default() }
    }
}

impl Node {
    /// Refuses a configuration that names functions that the program does not have: what they would decide would fail.
    pub fn check_functions(&self, has: impl Fn(&str) -> bool) -> Result<(), ConfigError> {
        let mut functions: Vec<(String, &str)> = self.config.functions().collect();
        for listener in &self.listeners {
            for Place { path, auth, .. } in listener.places() {
                let Some(auth) = auth else { continue };
                for (method, function) in auth.methods.functions() {
                    functions.push((format!("auth.{method} of {}, {path}", listener.path), function));
                }
            }
        }
        super::check_functions(functions.into_iter(), has)
    }
}

/// A valid node, and what is to be said about its configuration.
#[derive(Clone, Debug)]
pub struct LoadedNode {
    /// What is served.
    pub node: Node,
    /// What was asked for and is not served.
    pub warnings: Vec<Warning>,
}

/// One listening socket and what it speaks. A connection that begins with 0x7F is RawSocket, any other is HTTP.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where it stands in the configuration, for the log: `workers[0].transports[1]`.
    pub path: String,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// The realms that can be joined there: those of its router worker. Default all, where there are no workers.
    pub realms: Option<Arc<[String]>>,
    /// RawSocket on this socket.
    pub rawsocket: Option<RawSocket>,
    /// HTTP, and with it WebSocket, on this socket.
    pub web: Option<Web>,
}

/// Where clients of a listener connect, and what is configured there of who they are.
#[derive(Clone, Debug)]
pub struct Place<'n> {
    /// `/`, `/ws`, `/api/ws`; or [`RAWSOCKET`].
    pub path: String,
    pub auth: Option<&'n Auth>,
    pub cookie: Option<&'n Cookie>,
    /// What requests become there, where no client joins.
    pub bridge: Option<&'n Bridge>,
}

/// The [`Place`] that has no path.
pub const RAWSOCKET: &str = "rawsocket";

impl Listener {
    /// Where clients connect.
    pub fn places(&self) -> Vec<Place<'_>> {
        let mut places = Vec::new();
        if let Some(rawsocket) = &self.rawsocket {
            let auth = rawsocket.auth.as_ref();
            places.push(Place { path: RAWSOCKET.into(), auth, cookie: None, bridge: None });
        }
        if let Some(web) = &self.web {
            add_places(&web.paths, "", &mut places);
        }
        places
    }
}

/// The places below the path `prefix`, which does not end with `/`.
fn add_places<'n>(paths: &'n Paths, prefix: &str, places: &mut Vec<Place<'n>>) {
    for (segment, service) in paths.services() {
        let path = format!("{prefix}/{segment}");
        let (auth, cookie) = match service {
            Service::WebSocket(websocket) => (&websocket.auth, &websocket.cookie),
            Service::LongPoll(long_poll) => (&long_poll.auth, &long_poll.cookie),
            Service::Bridge(bridge) => {
                places.push(Place { path, auth: None, cookie: None, bridge: Some(bridge) });
                continue;
            }
            Service::Path(below) => {
                add_places(below, &path, places);
                continue;
            }
            _ => continue,
        };
        places.push(Place { path, auth: auth.as_ref(), cookie: cookie.as_ref(), bridge: None });
    }
}

/// A listening socket.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub address: Address,
    pub tls: Option<Tls>,
}

/// The address of a listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp {
        /// 0 lets the system choose; the log says what it chose.
        port: u16,
        /// Default all interfaces: IPv6 and, where the system allows it on one socket, IPv4.
        interface: Option<IpAddr>,
        /// 4 or 6, where no interface is given.
        version: Option<u8>,
        /// Connections that the system keeps waiting. Default 1 024.
        backlog: u32,
    },
    /// A socket in the file system. One that a router left behind is replaced, any other file is not.
    Unix { path: PathBuf },
}

/// `backlog` of an endpoint that does not say.
pub(super) const BACKLOG: u32 = 1_024;

/// TLS on a listener. Files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub key: PathBuf,
    pub certificate: PathBuf,
    /// Intermediate certificates that are sent along.
    pub chain_certificates: Vec<PathBuf>,
    /// Authorities of client certificates. Default none: clients are asked for no certificate.
    pub ca_certificates: Vec<PathBuf>,
    /// Where there are authorities, whether a client must present a certificate, or may. Default true.
    pub require_client_certificate: bool,
}

/// `auth` of a transport or path.
#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// How clients authenticate. Cookies are no part of it yet: see `by_cookie`.
    pub methods: Arc<Methods>,
    /// `auth.cookie`: a client that has authenticated may come back with its cookie alone.
    pub by_cookie: bool,
}

/// RawSocket. [wamp: advanced/transport_rawsocket]
#[derive(Clone, Debug, PartialEq)]
pub struct RawSocket {
    /// Default all.
    pub serializers: Vec<Serializer>,
    /// Bytes of a message that a client may send: a power of two from 512 to 16 MiB, to which others are rounded up.
    /// Default 16 MiB.
    pub max_message_size: usize,
    /// Time for the four bytes of the handshake. Default 2.5 s.
    pub handshake_timeout: Duration,
    /// How clients authenticate. Default not at all: they are `anonymous`.
    pub auth: Option<Auth>,
}

impl Default for RawSocket {
    fn default() -> Self {
        Self {
            serializers: Serializer::ALL.to_vec(),
            max_message_size: 1 << 24,
            handshake_timeout: Duration::from_millis(2_500),
            auth: None,
        }
    }
}

/// HTTP on a listener.
#[derive(Clone, Debug)]
pub struct Web {
    /// What is served where.
    pub paths: Paths,
    /// Log every request. Default false.
    pub access_log: bool,
    /// Send Strict-Transport-Security with this age, over TLS. Default not at all.
    pub hsts: Option<Duration>,
    /// Time in which the head of a request must have come, and its body; in which an idle connection is kept; and in which
    /// something of an answer must be taken. Default 30 s; on a listener that is a WebSocket and nothing else
    /// [`WebSocketOptions::open_handshake_timeout`].
    pub client_timeout: Duration,
}

impl Web {
    /// These paths, and the defaults.
    pub fn new(paths: Paths) -> Self {
        Self { paths, access_log: false, hsts: None, client_timeout: Duration::from_secs(30) }
    }
}

/// Services by path.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    /// What is at `/`, and below it where nothing else is. `None`: 404.
    pub root: Option<Box<Service>>,
    /// First segment of the path -> what is there. Sorted; segments are unique and hold no `/`.
    pub children: Vec<(String, Service)>,
}

impl Paths {
    /// All of them, each with its segment, which is empty for `/`.
    pub fn services(&self) -> impl Iterator<Item = (&str, &Service)> {
        let root = self.root.iter().map(|service| ("", &**service));
        let children = self.children.iter().map(|(child, service)| (child.as_str(), service));
        root.chain(children)
    }
}

/// What is served at a path.
#[derive(Clone, Debug)]
pub enum Service {
    WebSocket(WebSocket),
    /// WAMP over HTTP long polling. [wamp: advanced/transport_http_longpoll]
    LongPoll(LongPoll),
    /// HTTP requests that become messages.
    Bridge(Bridge),
    Static(Static),
    /// One JSON value.
    Json {
        value: Value,
        options: JsonOptions,
    },
    /// To another address, with 307.
    Redirect {
        url: String,
    },
    /// A page for people about the node.
    NodeInfo,
    /// Counters for Prometheus.
    Metrics,
    /// The page of the embedded configuration: what runs here and how to connect.
    Status,
    /// More paths below this one.
    Path(Paths),
}

/// How a JSON value is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonOptions {
    /// With line breaks. Default false.
    pub prettify: bool,
    /// Allow pages of other origins to read it. Default true, as in Crossbar.io.
    pub allow_cross_origin: bool,
    /// Forbid caches. Default false.
    pub discourage_caching: bool,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self { prettify: false, allow_cross_origin: true, discourage_caching: false }
    }
}

/// Files of a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Static {
    pub directory: PathBuf,
    /// List the files of a directory that has no `index.html`. Default false.
    pub enable_directory_listing: bool,
    /// Ending with its dot (`.js`, `.tar.gz`) -> content type, beside the usual ones; the longest one counts.
    pub mime_types: Vec<(String, String)>,
    /// How long a browser may keep a file without asking. Default it asks every time.
    pub cache_timeout: Option<Duration>,
    /// A file of the directory that stands for everything that is not there. Default that is not found.
    pub default_file: Option<String>,
    /// Allow pages of other origins to read the files. Default true: Crossbar.io always does.
    pub allow_cross_origin: bool,
}

/// WebSocket. [RFC 6455, RFC 7692]
#[derive(Clone, Debug, PartialEq)]
pub struct WebSocket {
    /// Default all; each with and without `.batched`.
    pub serializers: Vec<Serializer>,
    pub options: WebSocketOptions,
    /// How clients authenticate. Default not at all: they are `anonymous`.
    pub auth: Option<Auth>,
    /// Default no cookies are set.
    pub cookie: Option<Cookie>,
    /// Send every message back instead of speaking WAMP: what protocol test suites connect to. Default false.
    pub is_testee: bool,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            serializers: Serializer::ALL.to_vec(),
            options: WebSocketOptions::default(),
            auth: None,
            cookie: None,
            is_testee: false,
        }
    }
}

/// `cookie` of a WebSocket or of long polling: how a browser is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Default `cbtid`.
    pub name: String,
    /// Characters of its value, 6 bits of chance each: 6 to 64. Default 24.
    pub length: usize,
    /// How long a browser keeps it, and the router what it stands for, after it was last shown. Default 7 days, as in Crossbar.io.
    pub max_age: Duration,
    pub store: CookieStore,
    /// Only over TLS. Default false.
    pub secure: bool,
    /// Not for the scripts of a page. Default false.
    pub http_strict: bool,
    /// Default none said: browsers take that for `Lax`.
    pub same_site: Option<SameSite>,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: "cbtid".into(),
            length: 24,
            max_age: Duration::from_secs(7 * 86_400),
            store: CookieStore::Memory,
            secure: false,
            http_strict: false,
            same_site: None,
        }
    }
}

/// Where it is kept who has logged in with a cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CookieStore {
    /// As long as the process. The default.
    #[default]
    Memory,
    /// In a file that only this user can read. All cookies that are kept in one file, however it is spelt and whatever
    /// else is configured, stand for the same logins.
    File {
        path: PathBuf,
        /// Forget at the start what is in the file, if one of its cookies says so. Default false.
        purge_on_startup: bool,
    },
}

/// With which requests of other sites a browser sends a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    Strict,
    Lax,
    None,
}

/// `options` of a WebSocket. Durations are milliseconds in the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct WebSocketOptions {
    /// Patterns such as `http://localhost:*`; `*` stands for any text. Default `*`.
    pub allowed_origins: Vec<String>,
    /// Let in pages without an origin (`Origin: null`: files, sandboxed frames). Default true.
    pub allow_null_origin: bool,
    /// Answer an ordinary request with a page instead of an error. Default true.
    pub enable_webstatus: bool,
    /// Close on text that is no UTF-8. Default true.
    pub validate_utf8: bool,
    /// Close when a client sends unmasked frames, as RFC 6455 wants it. Default true.
    pub require_masked_client_frames: bool,
    /// Bytes of one frame; 0 is no limit of its own. Default 0.
    pub max_frame_size: usize,
    /// Bytes of one message, after decompression; 0 is `limits.message_length`. Default 0.
    pub max_message_size: usize,
    /// Cut messages into frames of at most so many bytes; 0 is never. Default 0.
    pub auto_fragment_size: usize,
    /// Drop the connection on a failure instead of closing it. Default false.
    pub fail_by_drop: bool,
    /// Time for the opening handshake, from TLS to the head of the request, each, on a listener that is a WebSocket and
    /// nothing else. One at a path shares its listener with other HTTP, and no one knows what a request will ask for before
    /// it is there: there [`Web::client_timeout`] holds. Default 2 500 ms.
    pub open_handshake_timeout: Duration,
    /// Time for the answer to a close, when all that waited is written. Default 1 000 ms.
    pub close_handshake_timeout: Duration,
    /// Time of silence after which the peer is pinged; zero is never. Default 30 s, so that dead peers are noticed.
    pub auto_ping_interval: Duration,
    /// Time for the answer to a ping; zero is any time. Default 10 s.
    pub auto_ping_timeout: Duration,
    /// Bytes of a ping, 4 to 125: each has a number. Default 12.
    pub auto_ping_size: usize,
    /// permessage-deflate, where the client offers it. Default not.
    pub compression: Option<Deflate>,
    /// Refuse clients that name no subprotocol that is served, instead of taking `wamp.2.json` where that is. Default
    /// true.
    pub require_websocket_subprotocol: bool,
    /// Say the version in the `Server` header. Default true.
    pub show_server_version: bool,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            allowed_origins: vec!["*".into()],
            allow_null_origin: true,
            enable_webstatus: true,
            validate_utf8: true,
            require_masked_client_frames: true,
            max_frame_size: 0,
            max_message_size: 0,
            auto_fragment_size: 0,
            fail_by_drop: false,
            open_handshake_timeout: Duration::from_millis(2_500),
            close_handshake_timeout: Duration::from_millis(1_000),
            auto_ping_interval: Duration::from_secs(30),
            auto_ping_timeout: Duration::from_secs(10),
            auto_ping_size: 12,
            compression: None,
            require_websocket_subprotocol: true,
            show_server_version: true,
        }
    }
}

/// `compression.deflate` of a WebSocket. [RFC 7692]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// Ask the client to forget its window between messages. Default false.
    pub request_no_context_takeover: bool,
    /// Ask the client for a window of 2^n bytes, 9 to 15. Default the client's choice.
    pub request_max_window_bits: Option<u8>,
    /// Forget our own window between messages: saves memory. Default false.
    pub no_context_takeover: bool,
    /// Our own window of 2^n bytes, 9 to 15. Default 15.
    pub max_window_bits: u8,
    /// Messages that are shorter are sent as they are. Default 64 bytes.
    pub threshold: usize,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            request_no_context_takeover: false,
            request_max_window_bits: None,
            no_context_takeover: false,
            max_window_bits: 15,
            threshold: 64,
        }
    }
}

/// Long polling.
#[derive(Clone, Debug, PartialEq)]
pub struct LongPoll {
    /// How long a `receive` waits for a message. Default 10 s.
    pub request_timeout: Duration,
    /// How long a session lives without a `receive`. Default 30 s.
    pub session_timeout: Duration,
    /// Bytes that wait for a `receive`; what happens then is for `limits.overflow` to say. Default 128 KiB.
    pub queue_limit_bytes: usize,
    /// Messages that wait for a `receive`; as above. Default 100.
    pub queue_limit_messages: usize,
    /// How clients authenticate. Default not at all: they are `anonymous`.
    pub auth: Option<Auth>,
    /// Default no cookies are set.
    pub cookie: Option<Cookie>,
}

impl Default for LongPoll {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            session_timeout: Duration::from_secs(30),
            queue_limit_bytes: 128 << 10,
            queue_limit_messages: 100,
            auth: None,
            cookie: None,
        }
    }
}
