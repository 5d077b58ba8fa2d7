//! A node from its start to its end: listeners, timers, reloads.
//!
//! Owns the order of things: what is configured is bound before anything is served, a configuration that is read anew is
//! taken as a whole or not at all, and at the end everybody is told before the sockets close.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use super::bridge;
use super::components::{Children, Inside};
use super::gate::Socket;
use super::hub::Hub;
use super::listener::{ListenError, Listener};
use super::log;
use super::open_files;
use super::rawsocket::{self, Doorway};
use super::signals::{Signals, Wish, Wishes};
use super::store::NodeStore;
use super::stream::{PeerInfo, Stream};
use super::systemd;
use super::threads::Threads;
use super::timers::Timers;
use super::tls;
use crate::auth::Decider;
use crate::config::node::{self, LoadedNode, Node};
use crate::config::{ConfigError, Realms, Source, Stats, Store, StoreKind};
use crate::router::Identity;
use crate::store::StoreError;

/// How a node is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the configuration came from, and is read from again at SIGHUP. `None`: it is part of the program.
    pub source: Option<Source>,
    /// Threads on which connections run. Default [`default_threads`](super::default_threads).
    pub threads: usize,
    /// At the end, drop connections of browsers without a GOODBYE, so that they come back to the next router. Default false.
    pub hang_up: bool,
    /// The functions that the configuration may name: those that authenticate by `"type": "function"` and `"create"`, those
    /// that authorize where the program makes the [`Role`](crate::auth::authorizer::Role) itself. Default none.
    pub decider: Option<Arc<dyn Decider>>,
}

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Kept events cannot be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It names functions that the program does not have.
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the system gives no {0}: {1}")]
    System(&'static str, #[source] io::Error),
}

/// Runs a node until SIGTERM or SIGINT; a second one does not wait for anybody.
///
/// ```no_run
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use serde_json::json;
/// use wamplet::auth::Functions;
/// use wamplet::config::node::Node;
/// use wamplet::native::{Options, default_threads, run};
/// use wamplet::payload::Values;
///
/// let text = r#"{
///     "realms": [{ "name": "realm1", "roles": [{ "name": "user", "allow-by-default": true }] }],
///     "transports": [{
///         "type": "websocket",
///         "endpoint": { "type": "tcp", "port": 8080 },
///         "auth": { "ticket": { "type": "function", "create": "who_is_it" } }
///     }]
/// }"#;
/// let functions = Functions::default().with("who_is_it", |asked: Values| async move {
///     // The realm, the authid, and more about the client.
///     let role = (asked.args[2]["ticket"] == "of joe").then_some("user");
///     Ok(Values::args([json!(role)]))
/// });
/// let node = Node::from_json(text, Path::new("."))?.node;
/// let decider = Some(Arc::new(functions) as Arc<_>);
/// run(&node, &Options { source: None, threads: default_threads(), hang_up: false, decider })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// At SIGHUP the configuration is read anew: realms, roles, permissions, principals, limits, statistics and the files of TLS
/// change, and sessions stay whose realm and role are still there; listeners and children do not change. Where a file has a
/// problem, all stays as it was.
pub fn run(node: &Node, options: &Options) -> Result<(), RunError> {
    run_with(Signals::install()?, node, options)
}

/// The same with handlers that are there already.
pub fn run_with(signals: Signals, node: &Node, options: &Options) -> Result<(), RunError> {
    let ended = start(signals, node, options);
    // The program ends now, and with it the thread that writes the log.
    log::flush();
    ended
}

fn start(signals: Signals, node: &Node, options: &Options) -> Result<(), RunError> {
    check_functions(node, options)?;
    open_files::raise();
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|reason| RunError::System("random numbers", io::Error::other(reason)))?;
    let Signals { main, wishes } = signals;
    let threads =
        Threads::start(options.threads, &main).map_err(|reason| RunError::System("thread", reason))?;
    let timers = Timers::start().map_err(|reason| RunError::System("thread", reason))?;
    let ended = main.block_on(serve(node, options, seed, threads, timers, wishes));
    // A configuration that is still being read is not waited for.
    main.shutdown_background();
    ended
}

async fn serve(
    node: &Node,
    options: &Options,
    seed: [u8; 32],
    threads: Threads,
    timers: Timers,
    mut wishes: Wishes,
) -> Result<(), RunError> {
    let store = NodeStore::open(&node.config.realms)?;
    let mut recorded = Vec::new();
    for (realm, file) in store.iter().flat_map(NodeStore::realms) {
        info!(realm, "kept events are in {}", file.display());
        recorded.push(realm.to_owned());
    }
    let (config, decider) = (node.config.clone(), options.decider.clone());
    let hub = match store {
        Some(store) => Hub::with_store(config, seed, decider, timers, Box::new(store))?,
        None => Hub::new(config, seed, decider, timers),
    };
    log_realms(node);
    let listeners =
        node.listeners.iter().map(|config| Listener::bind(&hub, config)).collect::<Result<Vec<_>, _>>()?;
    bridge::join_all(&hub);
    // Their sockets are there by now, so that a component can connect as soon as it runs.
    let mut children = Children::start(node, Arc::new(InsideHub(Arc::clone(&hub))));
    let ready = children.ready();
    let due = Arc::clone(&hub);
    tokio::spawn(async move { due.run_timers().await });
    tokio::spawn(Arc::clone(&hub).run_questions());
    let thread_count = options.threads;
    let serving = tokio::spawn(async move {
        // Whom a client needs to log in, or calls first, is there before the client; it waits in the backlog.
        ready.await;
        let mut listening: JoinSet<()> =
            listeners.into_iter().map(|listener| listener.run(threads.clone())).collect();
        let version = env!("CARGO_PKG_VERSION");
        info!(version, pid = std::process::id(), threads = thread_count, "wamplet is ready");
        systemd::ready();
        while listening.join_next().await.is_some() {}
    });

    let mut named = count_named(&node.config.realms);
    let name = loop {
        match wishes.next().await {
            Wish::Reload => {
                let Some(source) = options.source.clone() else {
                    warn!("SIGHUP: there is no file to read again, this is the embedded configuration");
                    continue;
                };
                systemd::reloading();
                let file = source.file.clone();
                let mut reading = pin!(wishes.unless_end(move || read_again(&source)));
                let read = match timeout(PATIENCE, &mut reading).await {
                    Ok(read) => read,
                    Err(_) => {
                        warn!(
                            "SIGHUP: {} is still being read, and so long no other SIGHUP is heard",
                            file.display()
                        );
                        reading.await
                    }
                };
                match read {
                    Ok(read) => {
                        reload(&hub, options, &file, read, &mut recorded, &mut named);
                        systemd::ready();
                    }
                    Err(name) => break name,
                }
            }
            Wish::End(name) => break name,
        }
    };
    systemd::stopping();
    let farewell = if options.hang_up { "hanging up on" } else { "saying goodbye to" };
    info!(connections = hub.connections(), "{name}: {farewell} all");
    serving.abort();
    let grace = hub.goodbye_timeout();
    let ended = async {
        // Components may say goodbye themselves while the router is there to answer.
        tokio::join!(hub.shut_down(options.hang_up, grace + LAST_WRITES), children.stop(grace));
    };
    tokio::select! {
        () = ended => {}
        () = wishes.second_end() => warn!("not waiting any longer"),
    }
    hub.close_store();
    hub.gates.close();
    info!("ended");
    Ok(())
}

/// The hub, as a component sees it.
struct InsideHub(Arc<Hub>);

impl Inside for InsideHub {
    fn connected(&self, stream: UnixStream, identity: Identity) {
        let hub = Arc::clone(&self.0);
        let info = PeerInfo { peer: "unix".into(), ..PeerInfo::default() };
        let mut stream = Stream::from(stream);
        // The router's own children are let in even where strangers have to wait.
        stream.counted = Some(hub.count_child());
        tokio::spawn(async move {
            let door = Doorway::Known(identity);
            rawsocket::serve(hub, stream, &node::RawSocket::default(), info, door).await;
        });
    }
}

fn check_functions(node: &Node, options: &Options) -> Result<(), ConfigError> {
    node.check_functions(|name| options.decider.as_ref().is_some_and(|decider| decider.has(name)))
}

/// A configuration, and what its listeners with TLS show.
type Read = (LoadedNode, Vec<tls::Read>);

fn read_again(source: &Source) -> Result<Read, RunError> {
    let loaded = Node::from_file(source)?;
    let credentials = tls::read_all(&loaded.node.listeners)?;
    Ok((loaded, credentials))
}

/// `recorded`: the realms whose events are written to a file. `named`: how many realms of its configuration the router
/// serves, if not any. Both before and after.
fn reload(
    hub: &Arc<Hub>,
    options: &Options,
    source: &Path,
    read: Result<Read, RunError>,
    recorded: &mut Vec<String>,
    named: &mut Option<usize>,
) {
    let read = read.and_then(|(loaded, credentials)| {
        check_functions(&loaded.node, options)?;
        if let Some(before) = *named {
            loaded.node.config.check_named(before)?;
        }
        Ok((loaded, credentials))
    });
    let (LoadedNode { node, warnings }, credentials) = match read {
        Ok(read) => read,
        Err(problems) => {
            error!("SIGHUP: {} is not valid, the old configuration stays", source.display());
            problems.to_string().lines().for_each(|problem| error!("{problem}"));
            return;
        }
    };
    for warning in warnings {
        warn!("{warning}");
    }
    *named = count_named(&node.config.realms);
    if let Realms::Named(realms) = &node.config.realms {
        // One that goes and comes back is another realm, for which no file was read.
        recorded.retain(|name| realms.iter().any(|realm| realm.name == *name));
        let wants_file = |store: &Store| store.kind == StoreKind::Database;
        for realm in realms.iter().filter(|realm| realm.store.as_ref().is_some_and(wants_file)) {
            if !recorded.contains(&realm.name) {
                warn!(realm = realm.name, "its events are in memory only until the next start");
            }
        }
    }
    log_realms(&node);
    if hub.credentials.replace(credentials) {
        info!("SIGHUP: keys and certificates of TLS were read again");
    }
    warn_of_tls(hub, &node.listeners);
    hub.reload(node.config, &node.listeners);
    bridge::join_all(hub);
    info!("SIGHUP: {} was read again; listeners and components stay as they were", source.display());
}

/// Whoever writes that a listener has TLS must not take it for encrypted before it is.
fn warn_of_tls(hub: &Hub, listeners: &[node::Listener]) {
    for listener in listeners {
        let socket = Socket::of(listener);
        match (hub.credentials.has(&socket), listener.endpoint.tls.is_some()) {
            (false, true) if hub.gates.know(&socket) => {
                warn!("{}: it listens already, and has no TLS until the next start", listener.path);
            }
            (true, false) => warn!("{}: it listens already, and has TLS until the next start", listener.path),
            _ => {}
        }
    }
}

fn count_named(realms: &Realms) -> Option<usize> {
    match realms {
        Realms::Any => None,
        Realms::Named(realms) => Some(realms.len()),
    }
}

fn log_realms(node: &Node) {
    match &node.config.realms {
        Realms::Any => info!("any realm, everything allowed"),
        Realms::Named(realms) => {
            for realm in realms {
                let roles: Vec<&str> = realm.roles.iter().map(|role| role.name()).collect();
                info!(realm = realm.name, roles = roles.join(", "), "realm");
                if let Some(stats) = &realm.stats {
                    let Stats {
                        rated_message_size,
                        trigger_after_rated_messages,
                        trigger_after_duration,
                        trigger_on_join,
                        trigger_on_leave,
                    } = stats;
                    info!(
                        realm = realm.name,
                        rated_message_size,
                        trigger_after_rated_messages,
                        trigger_after_duration,
                        trigger_on_join,
                        trigger_on_leave,
                        "session statistics enabled"
                    );
                }
                debug!(?realm, "as configured");
            }
        }
    }
}

/// Time for the last bytes, beside what sessions have to answer.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Time for a file to be read before somebody is told that it takes longer.
const PATIENCE: Duration = Duration::from_secs(2);
