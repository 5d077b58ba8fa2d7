//! Listening sockets: binding, accepting, and finding out what the other end speaks.
//!
//! Owns connections until their first bytes say whether they are RawSocket or HTTP; then [`rawsocket`](super::rawsocket)
//! or [`web`](super::web) has them.

use std::fmt;
use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::Instant;
use tracing::{info, warn};

use super::gate::Gate;
use super::hub::{Counted, Hub, Listening};
use super::rawsocket::{self, Doorway};
use super::stream::{PeerInfo, REFUSAL, Stream};
use super::threads::Threads;
use super::tls::{self, Credentials};
use super::web;
use crate::auth::Channel;
use crate::config::node::{self, Address};
use crate::rawsocket::{HandshakeError, MAGIC};

/// A socket that listens, and what is served on it.
pub(super) struct Listener {
    bound: Bound,
    service: Arc<Service>,
}

enum Bound {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, UnlinkOnDrop),
}

/// What is served on a listener.
struct Service {
    hub: Arc<Hub>,
    rawsocket: Option<(node::RawSocket, Arc<Gate>)>,
    web: Option<Arc<web::Web>>,
    tls: Option<Arc<Credentials>>,
    /// Time for the first bytes, and for the handshake of TLS.
    handshake_timeout: Duration,
}

/// Why a listener could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct ListenError {
    /// Where the listener stands in the configuration.
    pub path: String,
    pub reason: String,
}

impl Listener {
    /// Binds the socket; connections wait until [`run`](Self::run).
    pub fn bind(hub: &Arc<Hub>, config: &node::Listener) -> Result<Self, ListenError> {
        let error = |reason: String| ListenError { path: config.path.clone(), reason };
        let tls = hub.credentials.add(config)?;
        let bound = match &config.endpoint.address {
            Address::Tcp { port, interface, version, backlog } => {
                let address = address(*interface, *version, *port);
                bind_tcp(address, interface.is_none() && version.is_none(), *backlog)
                    .and_then(|listener| Ok(Bound::Tcp(TcpListener::from_std(listener)?, address)))
                    .map_err(|reason| error(format!("cannot listen on tcp {address}: {reason}")))?
            }
            Address::Unix { path } => bind_unix(path)
                .map_err(|reason| error(format!("cannot listen on unix {}: {reason}", path.display())))?,
        };
        hub.gates.open(config).map_err(error)?;
        let rawsocket = config.rawsocket.clone().map(|rawsocket| (rawsocket, hub.gates.rawsocket(config)));
        let handshake_timeout = match (&rawsocket, &config.web) {
            (Some((rawsocket, _)), None) => rawsocket.handshake_timeout,
            (_, Some(web)) => web.client_timeout,
            (None, None) => Duration::ZERO,
        };
        let web = config.web.as_ref().map(|web| Arc::new(web::Web::new(web, config, &hub.gates)));
        let service = Service { hub: Arc::clone(hub), rawsocket, web, tls, handshake_timeout };
        let listener = Self { bound, service: Arc::new(service) };
        let (what, protocols): (_, &[_]) = match (config.rawsocket.is_some(), config.web.is_some()) {
            (true, true) => ("rawsocket, websocket and http", &["rawsocket", "websocket", "http"]),
            (true, false) => ("rawsocket", &["rawsocket"]),
            _ => ("websocket and http", &["websocket", "http"]),
        };
        let tls = if config.endpoint.tls.is_some() { ", tls" } else { "" };
        info!("listening on {listener} for {what}{tls} ({})", config.path);
        let address = match &listener.bound {
            Bound::Tcp(..) => listener.to_string(),
            // Where the file is concerns nobody who is not on this machine.
            Bound::Unix(..) => "unix".into(),
        };
        hub.add_listening(Listening { address, protocols, is_secure: config.endpoint.tls.is_some() });
        Ok(listener)
    }

    /// Accepts connections, for ever.
    pub async fn run(self, threads: Threads) {
        let mut told = None;
        match &self.bound {
            Bound::Tcp(listener, _) => loop {
                match listener.accept().await {
                    Ok((socket, peer)) => self.accept_tcp(socket, peer, &threads),
                    Err(error) => pause(&self, &error, &mut told).await,
                }
            },
            Bound::Unix(listener, _) => loop {
                match listener.accept().await {
                    Ok((socket, _)) => self.accept_unix(socket, &threads),
                    Err(error) => pause(&self, &error, &mut told).await,
                }
            },
        }
    }

    fn accept_tcp(&self, socket: TcpStream, peer: SocketAddr, threads: &Threads) {
        let service = Arc::clone(&self.service);
        // Messages are written when they are whole; waiting for more would only hold them up. And a peer that is gone
        // without a word is noticed sooner or later, whatever it speaks.
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
        let prepared =
            socket.set_nodelay(true).and_then(|()| SockRef::from(&socket).set_tcp_keepalive(&keepalive));
        let (Ok(()), Ok(socket)) = (prepared, socket.into_std()) else { return };
        threads.next().spawn(async move {
            // A socket belongs to the runtime in which it was made.
            let Ok(socket) = TcpStream::from_std(socket) else { return };
            let address = peer.ip().to_canonical();
            let peer = SocketAddr::new(address, peer.port());
            let version = if peer.is_ipv4() { 4 } else { 6 };
            let peer = format!("tcp{version}:{peer}");
            let channel = Channel { address: Some(address), ..Channel::default() };
            service.serve_tcp(socket, PeerInfo { peer, channel, ..PeerInfo::default() }).await;
        });
    }

    fn accept_unix(&self, socket: UnixStream, threads: &Threads) {
        let service = Arc::clone(&self.service);
        let Ok(socket) = socket.into_std() else { return };
        threads.next().spawn(async move {
            let Ok(socket) = UnixStream::from_std(socket) else { return };
            let info = PeerInfo { peer: "unix".into(), ..PeerInfo::default() };
            service.serve(socket.into(), info).await;
        });
    }
}

/// Accepting fails when the process has no more file descriptors; there will be some when connections end. That may take
/// its time, and the log is told of it only now and then.
async fn pause(listener: &Listener, error: &io::Error, told: &mut Option<Instant>) {
    // A peer that has gone while it waited holds up nobody else.
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    if told.is_none_or(|told| told.elapsed() >= TOLD_AGAIN) {
        warn!("cannot accept a connection on {listener}: {error}");
        *told = Some(Instant::now());
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
}

impl Service {
    async fn serve_tcp(self: Arc<Self>, socket: TcpStream, mut info: PeerInfo) {
        let Some(tls) = &self.tls else {
            return self.serve(socket.into(), info).await;
        };
        // A handshake takes up as much as a connection. Who is refused cannot be told why before it.
        let Some(counted) = self.hub.count_connection() else {
            self.hub.reject_handshake(&info.peer, NO_ROOM_LEFT);
            return;
        };
        let accepted = self.hub.unless_ending(tls.acceptor().accept(socket));
        match tokio::time::timeout(self.handshake_timeout, accepted).await {
            Ok(None) => {}
            Ok(Some(Ok(socket))) => {
                let (_, session) = socket.get_ref();
                info.is_secure = true;
                info.channel = Channel { address: info.channel.address, ..tls::channel(session) };
                self.serve_counted(socket.into(), info, counted).await;
            }
            Ok(Some(Err(error))) => self.hub.reject_handshake(&info.peer, &format!("TLS: {error}")),
            Err(_) => self.hub.reject_handshake(&info.peer, "no TLS handshake came in time"),
        }
    }

    async fn serve(&self, stream: Stream, info: PeerInfo) {
        let Some(counted) = self.hub.count_connection() else {
            self.hub.reject_handshake(&info.peer, NO_ROOM_LEFT);
            // It is told so if it says what it speaks; that it takes no time is what keeps this bounded.
            let _ = tokio::time::timeout(REFUSAL, refuse(stream)).await;
            return;
        };
        self.serve_counted(stream, info, counted).await;
    }

    async fn serve_counted(&self, mut stream: Stream, info: PeerInfo, counted: Counted) {
        stream.counted = Some(counted);
        let hub = Arc::clone(&self.hub);
        match (&self.rawsocket, &self.web) {
            (Some((rawsocket, gate)), None) => {
                rawsocket::serve(hub, stream, rawsocket, info, Doorway::Gate(gate)).await;
            }
            (None, Some(web)) => web::serve(hub, Arc::clone(web), stream, info).await,
            (None, None) => {}
            (Some((rawsocket, gate)), Some(web)) => {
                let first = self.hub.unless_ending(stream.read_u8());
                let first = match tokio::time::timeout(self.handshake_timeout, first).await {
                    Ok(Some(Ok(first))) => first,
                    // It ended without a byte, or the router ends.
                    Ok(_) => return,
                    Err(_) => {
                        self.hub.reject_handshake(&info.peer, "nothing came in time");
                        return;
                    }
                };
                let stream = stream.with_read_ahead(Bytes::copy_from_slice(&[first]));
                if first == MAGIC {
                    rawsocket::serve(hub, stream, rawsocket, info, Doorway::Gate(gate)).await;
                } else {
                    web::serve(hub, Arc::clone(web), stream, info).await;
                }
            }
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bound {
            Bound::Tcp(listener, asked) => {
                let address = listener.local_addr().unwrap_or(*asked);
                write!(f, "tcp {address}")
            }
            Bound::Unix(_, UnlinkOnDrop { path, .. }) => write!(f, "unix {}", path.display()),
        }
    }
}

/// Where a listener of this configuration listens.
pub(super) fn address(interface: Option<IpAddr>, version: Option<u8>, port: u16) -> SocketAddr {
    let any = match version {
        Some(4) => Ipv4Addr::UNSPECIFIED.into(),
        _ => Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(interface.unwrap_or(any), port)
}

/// `both`: IPv4 too, on a socket for IPv6; and IPv4 alone where the system has no IPv6.
fn bind_tcp(address: SocketAddr, both: bool, backlog: u32) -> io::Result<std::net::TcpListener> {
    let bind = |address: SocketAddr| -> io::Result<std::net::TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(!both)?;
        }
        // A router that is started again must not wait for the last connections of the one before.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        socket.set_nonblocking(true)?;
        Ok(std::net::TcpListener::from(socket))
    };
    match bind(address) {
        Err(error) if both && error.kind() != io::ErrorKind::AddrInUse => {
            bind((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        bound => bound,
    }
}

fn bind_unix(path: &PathBuf) -> io::Result<Bound> {
    match std::fs::symlink_metadata(path) {
        // One that nobody listens on was left behind by a router that was killed.
        Ok(metadata) if metadata.file_type().is_socket() => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            match socket.connect(&SockAddr::unix(path)?).map_err(|error| (error.kind(), error)) {
                Err((io::ErrorKind::ConnectionRefused, _)) => std::fs::remove_file(path)?,
                // Busy, it does not take any more at the moment.
                Ok(()) | Err((io::ErrorKind::WouldBlock, _)) => {
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there"));
                }
                Err((_, error)) => return Err(error),
            }
        }
        Ok(_) => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file is there that is no socket"));
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    // As Crossbar.io leaves it, whatever the umask: clients of other users connect. Who may not is kept out by the directory.
    std::fs::set_permissions(path, Permissions::from_mode(0o666))?;
    let file = file_id(path)?;
    Ok(Bound::Unix(listener, UnlinkOnDrop { path: path.clone(), file }))
}

/// Device and inode.
fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Takes the socket file away with the listener.
struct UnlinkOnDrop {
    path: PathBuf,
    file: (u64, u64),
}

impl Drop for UnlinkOnDrop {
    fn drop(&mut self) {
        // Another one at the same place is somebody else's.
        if file_id(&self.path).is_ok_and(|file| file == self.file) {
            // Whoever took it away before did what is done here.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Tells a connection that there is no room for it, in its own language.
async fn refuse(mut stream: Stream) -> io::Result<()> {
    if stream.read_u8().await? != MAGIC {
        return stream.end_with(NO_ROOM).await;
    }
    stream.read_exact(&mut [0; 3]).await?;
    let reply = HandshakeError::TooManyConnections.reply();
    stream.end_with(reply.as_ref().map_or(&[], |reply| reply.as_slice())).await
}

const NO_ROOM_LEFT: &str = "the router has as many connections as it may have";

const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Time after which the log is told once more that no connection can be accepted.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// Silence of a TCP connection after which the system asks whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);
