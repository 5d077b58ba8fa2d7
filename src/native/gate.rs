//! How clients authenticate at each place where they connect, and for which realms, now.
//!
//! Owns the [`Methods`] of every RawSocket, WebSocket and long-poll path, which a reload replaces under the sockets that
//! listen, and the cookies there, which stay. A place is found again by its address and its path, wherever its listener
//! stands in the configuration and whatever else is said of it. Nobody logs in any more where the configuration has no
//! such place, though its socket listens until the end. The pages of a listener that name realms have a place together, and
//! name those that can be joined there. A path of the HTTP bridge is a place, too: there the router joins for those who come.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tracing::warn;

use super::bridge::Bridge;
use super::clock::Clock;
use super::cookies::Cookies;
use super::listener::address;
use super::lock;
use crate::auth::Methods;
use crate::config::node::{self, Address, Auth, Cookie, Place, RAWSOCKET};

/// How clients authenticate at one place. Default not at all.
#[derive(Debug)]
pub struct Gate {
    /// [`Methods::open`] where nobody authenticates: a reload that changes that finds the transports by them.
    methods: Mutex<Arc<Methods>>,
    cookies: Option<Arc<Cookies>>,
    bridge: Option<Arc<Bridge>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { methods: Mutex::new(Arc::new(Methods::open())), cookies: None, bridge: None }
    }
}

/// All places of a process.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<BTreeMap<Door, Arc<Gate>>>);

/// What a place is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Door {
    socket: Socket,
    path: String,
}

/// What a listener is known by, whatever else the configuration says of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Socket {
    Tcp(SocketAddr),
    /// A port that the system chose. The place in the configuration tells it from others.
    AnyPort(IpAddr, String),
    Unix(PathBuf),
}

/// What the configuration says of a place.
struct Configured<'n> {
    auth: Option<&'n Auth>,
    realms: Option<&'n Arc<[String]>>,
    bridge: Option<&'n node::Bridge>,
}

/// Old methods, and those in their place.
type Replaced = (Arc<Methods>, Arc<Methods>);

impl Gate {
    /// How a client that connects now authenticates.
    pub(super) fn methods(&self) -> Arc<Methods> {
        Arc::clone(&lock(&self.methods))
    }

    /// Where browsers are known again.
    pub(super) fn cookies(&self) -> Option<&Arc<Cookies>> {
        self.cookies.as_ref()
    }

    /// The session of whoever comes here, at a path of the HTTP bridge.
    pub(super) fn bridge(&self) -> Option<&Arc<Bridge>> {
        self.bridge.as_ref()
    }

    /// Whether clients may join the realm of this name.
    pub(super) fn offers(&self, realm: &str) -> bool {
        lock(&self.methods).offer(realm)
    }

    /// Takes what is configured now.
    fn replace(&self, door: &Door, configured: &Configured<'_>) -> Replaced {
        let Configured { auth, realms, bridge } = configured;
        if let Some(old) = &self.bridge {
            old.configure(*bridge);
        }
        let methods = auth.map_or_else(Methods::open, |auth| Methods::clone(&auth.methods));
        let mut methods = Arc::new(Methods { realms: realms.cloned(), ..methods });
        if let Some(cookies) = &self.cookies {
            let by_cookie = auth.is_some_and(|auth| auth.by_cookie);
            cookies.set_methods(&door.to_string(), by_cookie.then_some(&methods));
            if by_cookie {
                let cookie = Some(Arc::clone(cookies).as_logins());
                methods = Arc::new(Methods { cookie, ..Methods::clone(&methods) });
            }
        }
        self.set(methods)
    }

    /// Lets nobody in any more.
    fn close(&self, door: &Door) -> Replaced {
        if let Some(bridge) = &self.bridge {
            bridge.configure(None);
        }
        if let Some(cookies) = &self.cookies {
            cookies.set_methods(&door.to_string(), None);
        }
        // Who has joined there stays in what it could join.
        let realms = lock(&self.methods).realms.clone();
        self.set(Arc::new(Methods { realms, ..Methods::default() }))
    }

    fn set(&self, methods: Arc<Methods>) -> Replaced {
        let old = std::mem::replace(&mut *lock(&self.methods), Arc::clone(&methods));
        (old, methods)
    }
}

impl Gates {
    /// Makes the places of a listener. The error says which cookies cannot be kept.
    pub fn open(&self, listener: &node::Listener) -> Result<(), String> {
        for (door, configured, cookie) in places(listener) {
            let cookies = match cookie {
                Some(cookie) => Some(self.cookies(cookie)?),
                None => None,
            };
            let bridge = configured.bridge.map(|_| Arc::new(Bridge::new(&door.path)));
            let gate = Gate { cookies, bridge, ..Gate::default() };
            gate.replace(&door, &configured);
            lock(&self.0).insert(door, Arc::new(gate));
        }
        Ok(())
    }

    /// The same cookies where the same are configured: a browser shows one value at all paths.
    fn cookies(&self, config: &Cookie) -> Result<Arc<Cookies>, String> {
        let gates = lock(&self.0);
        Cookies::open(config, Clock::start(), gates.values().filter_map(|gate| gate.cookies.as_ref()))
    }

    /// The RawSocket of a listener.
    pub fn rawsocket(&self, listener: &node::Listener) -> Arc<Gate> {
        self.path(listener, RAWSOCKET)
    }

    /// What is at a path of a listener: `/`, `/ws`, `/api/ws`.
    pub fn path(&self, listener: &node::Listener, path: &str) -> Arc<Gate> {
        let gate = lock(&self.0).get(&Door::new(listener, path)).cloned();
        // What was not opened lets nobody in.
        gate.unwrap_or_else(|| Arc::new(Gate { methods: Mutex::default(), cookies: None, bridge: None }))
    }

    /// The realms that pages of a listener name.
    pub fn pages(&self, listener: &node::Listener) -> Arc<Gate> {
        self.path(listener, PAGES)
    }

    /// Whether there are places of this listener.
    pub fn know(&self, socket: &Socket) -> bool {
        lock(&self.0).keys().any(|door| door.socket == *socket)
    }

    /// Those of all paths of the HTTP bridge.
    pub fn bridges(&self) -> Vec<Arc<Bridge>> {
        lock(&self.0).values().filter_map(|gate| gate.bridge.clone()).collect()
    }

    /// Waits until all cookies are where they are kept.
    pub fn close(&self) {
        lock(&self.0).values().filter_map(|gate| gate.cookies.as_ref()).for_each(|cookies| cookies.close());
    }

    /// Takes what the node says of its listeners now. Answers what was replaced by what.
    pub fn reload(&self, listeners: &[node::Listener]) -> Vec<Replaced> {
        let places = listeners.iter().flat_map(places);
        let configured: BTreeMap<_, _> = places.map(|(door, configured, _)| (door, configured)).collect();
        let gates = lock(&self.0);
        let replace = |(door, gate): (&Door, &Arc<Gate>)| match configured.get(door) {
            Some(configured) if !door.is_of_another(gate, configured) => Some(gate.replace(door, configured)),
            _ if door.path == PAGES => None,
            _ => {
                warn!("{door} is not in the configuration any more: it listens, but nobody can log in there");
                Some(gate.close(door))
            }
        };
        gates.iter().filter_map(replace).collect()
    }
}

/// The places of a listener, one of them for its pages, and what the configuration says of them.
fn places(listener: &node::Listener) -> impl Iterator<Item = (Door, Configured<'_>, Option<&Cookie>)> {
    let realms = listener.realms.as_ref();
    let places = listener.places().into_iter();
    let places = places.map(move |Place { path, auth, cookie, bridge }| {
        (Door::new(listener, &path), Configured { auth, realms, bridge }, cookie)
    });
    let pages = (Door::new(listener, PAGES), Configured { auth: None, realms, bridge: None }, None);
    places.chain([pages])
}

/// The path of the place that is for pages.
const PAGES: &str = "";

impl Socket {
    pub fn of(listener: &node::Listener) -> Self {
        match &listener.endpoint.address {
            Address::Tcp { port, interface, version, backlog: _ } => {
                match address(*interface, *version, *port) {
                    address if *port == 0 => Self::AnyPort(address.ip(), listener.path.clone()),
                    address => Self::Tcp(address),
                }
            }
            Address::Unix { path } => Self::Unix(path.clone()),
        }
    }
}

impl Door {
    fn new(listener: &node::Listener, path: &str) -> Self {
        Self { socket: Socket::of(listener), path: path.to_owned() }
    }

    /// Whether something else has come to stand where this stood: a place of another kind, or another listener. One on a
    /// port that the system chose is known by nothing but its place and its realms: with none of them left, its clients
    /// came for something else.
    fn is_of_another(&self, gate: &Gate, configured: &Configured<'_>) -> bool {
        if gate.bridge.is_some() != configured.bridge.is_some() {
            return true;
        }
        let methods = lock(&gate.methods);
        match (&self.socket, &methods.realms, configured.realms) {
            (Socket::AnyPort(..), Some(old), Some(new)) => !old.iter().any(|realm| new.contains(realm)),
            _ => false,
        }
    }
}

/// As the log names listeners.
impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Socket::Tcp(address) => write!(f, "tcp {address}")?,
            Socket::AnyPort(interface, place) => write!(f, "tcp {interface} ({place})")?,
            Socket::Unix(path) => write!(f, "unix {}", path.display())?,
        }
        write!(f, " {}", self.path)
    }
}
