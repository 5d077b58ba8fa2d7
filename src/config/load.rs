//! A configuration file of the native router to a [`Node`].
//!
//! Owns the walk over the workers, what belongs to which, and what must fit together across them. Realms and limits are
//! read by [`crossbar`](super::crossbar), as for a browser; transports are in [`transports`](super::transports) and, those
//! of proxies, in [`proxies`](super::proxies), components and guests in [`processes`](super::processes).

use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::{self, Path, PathBuf};

use serde_json::Value;

use super::crossbar::{self, Keys};
use super::cursor::{Cursor, Key, Report};
use super::error::ConfigError;
use super::keys;
use super::node::{Address, Component, ComponentConnection, Listener, LoadedNode, Node};
use super::node_reader::NodeReader;
use super::processes::Host;
use super::proxies::Proxies;
use super::{Config, RealmConfig, Realms, StoreKind, json, yaml};
use crate::native::store::DEFAULT_FILE;

/// A configuration file, which may be read more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// JSON, or YAML by its ending.
    pub file: PathBuf,
    /// The node directory: where relative paths in the file start. Default: the directory of the file.
    pub directory: Option<PathBuf>,
}

impl From<PathBuf> for Source {
    fn from(file: PathBuf) -> Self {
        Self { file, directory: None }
    }
}

/// Bytes of the longest file that is read as a configuration.
const MAX_FILE: u64 = 64 << 20;

/// What a configuration is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Yaml,
}

impl Format {
    /// By the ending of the file: `.yaml` and `.yml` are YAML, in capitals too, all others JSON.
    pub fn of(file: &Path) -> Self {
        let is = |known: &str| file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(known));
        if is("yaml") || is("yml") { Self::Yaml } else { Self::Json }
    }

    /// The values in a file, by its ending. One that cannot be read, or has more than 64 MiB, is a
    /// [`ConfigError::File`].
    pub fn read(file: &Path) -> Result<Value, ConfigError> {
        let bytes =
            read_at_most(file, MAX_FILE, "a configuration").map_err(|error| unreadable(file, &error))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let good = &bytes[..error.valid_up_to()];
            let line = good.split(|b| *b == b'\n');
            let column = line.clone().next_back().map_or(0, <[u8]>::len) + 1;
            ConfigError::Syntax { line: line.count(), column, reason: "the text is not UTF-8".to_owned() }
        })?;
        Self::of(file).parse(text)
    }

    /// The values in the text. A key that is twice in one object is an error.
    pub fn parse(self, text: &str) -> Result<Value, ConfigError> {
        match self {
            Self::Json => json::parse(text),
            Self::Yaml => yaml::parse(text),
        }
    }
}

impl Node {
    /// Reads a file. Variables in it are those of this process.
    pub fn from_file(source: &Source) -> Result<LoadedNode, ConfigError> {
        let Source { file, directory } = source;
        let value = Format::read(file)?;
        let absolute = |path: &Path| path::absolute(path).map_err(|error| unreadable(file, &error));
        let base = match directory {
            Some(directory) => absolute(directory)?,
            None => absolute(file)?.parent().unwrap_or(Path::new("/")).to_owned(),
        };
        Self::from_value(&value, &base, &process_environment)
    }

    /// Reads JSON. Relative paths in it start at `base`; variables are those of this process.
    pub fn from_json(text: &str, base: &Path) -> Result<LoadedNode, ConfigError> {
        Self::from_text(text, Format::Json, base, &process_environment)
    }

    /// Reads YAML. Relative paths in it start at `base`; variables are those of this process.
    pub fn from_yaml(text: &str, base: &Path) -> Result<LoadedNode, ConfigError> {
        Self::from_text(text, Format::Yaml, base, &process_environment)
    }

    /// Reads text with an environment of your own: the name of a variable to its value.
    pub fn from_text(
        text: &str,
        format: Format,
        base: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<LoadedNode, ConfigError> {
        Self::from_value(&format.parse(text)?, base, environment)
    }

    /// Reads values: the same as [`from_text`](Self::from_text) of the text they come from.
    pub fn from_value(
        value: &Value,
        base: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<LoadedNode, ConfigError> {
        let (node, report) = Self::read_value(value, base, environment, Report::default());
        Ok(LoadedNode { node, warnings: report.finish()? })
    }

    /// Refuses what is no configuration of a node on any machine, whatever its variables are.
    pub(super) fn check_value(value: &Value) -> Result<(), ConfigError> {
        let (_, report) = Self::read_value(value, Path::new("/"), &|_| None, Report::of_elsewhere());
        report.finish().map(|_| ())
    }

    fn read_value(
        value: &Value,
        base: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
        mut report: Report,
    ) -> (Self, Report) {
        let root = Cursor::root(value);
        if root.is_null() {
            // Of YAML this is all that a file without a line is; a node whose realms were lost must not serve everybody.
            root.problem_found::<()>(A_MAP, "nothing", &mut report);
        }
        let mut config = crossbar::read_config(&root, &NODE, &mut report);
        if let Some(Config { realms: Realms::Named(realms), .. }) = &mut config {
            let stores = realms.iter_mut().filter_map(|realm| realm.store.as_mut());
            for store in stores.filter(|store| store.kind == StoreKind::Database) {
                let file = base.join(store.path.as_deref().unwrap_or(DEFAULT_FILE));
                store.path = Some(file.to_string_lossy().into_owned());
            }
        }
        let realms = config.as_ref().filter(|_| !report.has_problems()).map(|config| config.realms.clone());
        let mut node = Node { config: config.unwrap_or_default(), ..Self::default() };
        let mut reader = NodeReader {
            report,
            base,
            environment,
            realms,
            realms_of_worker: None,
            message_length: node.config.limits.message_length,
            addresses: Vec::new(),
            has_certificates: false,
            has_proxies: false,
        };
        node.read(&root, &mut reader);
        (node, reader.report)
    }

    fn read(&mut self, root: &Cursor<'_>, reader: &mut NodeReader<'_>) {
        let workers = root.at("workers");
        if workers.is_null() {
            self.read_router(root, reader);
        } else {
            for key in ["transports", "components"] {
                let misplaced = root.at(key);
                if !misplaced.is_null() {
                    let expected = format!("\"{key}\" inside a worker");
                    misplaced.problem_found::<()>(&expected, "it beside \"workers\"", &mut reader.report);
                }
            }
        }
        reader.has_proxies = workers.items().iter().any(|worker| worker.at("type").is("proxy"));
        for worker in workers.items() {
            match worker.at("type").value().and_then(Value::as_str) {
                Some("router") => self.read_router_worker(&worker, reader),
                Some("container") => self.read_container(&worker, reader),
                Some("guest") => {
                    let Some(object) = worker.any_object(&mut reader.report) else { continue };
                    self.guests.extend(reader.guest(&worker, &object));
                }
                _ => {}
            }
        }
        let mut proxies = Proxies::default();
        for worker in workers.items() {
            if worker.at("type").is("proxy") {
                let listeners = proxies.read(&worker, self, reader);
                self.listeners.extend(listeners.unwrap_or_default());
            }
        }
        for component in &self.components {
            check_own_realm(component, self, reader);
        }
        let has_realms = reader.named_realms().is_none_or(|realms| !realms.is_empty());
        if has_realms && self.listeners.is_empty() && !reader.report.has_problems() {
            reader.report.warn(root.path(), "there is no transport: no client can connect");
        }
    }

    /// Its transports and components have its realms, and no others.
    fn read_router_worker(&mut self, worker: &Cursor<'_>, reader: &mut NodeReader<'_>) {
        let written = worker.at("realms").items();
        let is_own = |realm: &&RealmConfig| written.iter().any(|own| own.at("name").is(&realm.name));
        let own = reader.named_realms().map(|realms| realms.iter().filter(is_own).cloned().collect());
        reader.with_realms(own, |reader| self.read_router(worker, reader));
    }

    fn read_router(&mut self, worker: &Cursor<'_>, reader: &mut NodeReader<'_>) {
        // Whatever else it is, the reader of realms has complained of it.
        if !worker.value().is_some_and(Value::is_object) {
            return;
        }
        let Some(object) = worker.any_object(&mut reader.report) else { return };
        let options = reader.worker_options(&object, Host::Router);
        if let Some(transports) = object.get("transports") {
            self.listeners.extend(reader.listeners(&transports));
        }
        if let Some(components) = object.get("components") {
            self.components.extend(reader.components(&components, &options, Host::Router));
        }
    }

    fn read_container(&mut self, worker: &Cursor<'_>, reader: &mut NodeReader<'_>) {
        let Some(object) = worker.object(&CONTAINER_KEYS, &mut reader.report) else { return };
        let options = reader.worker_options(&object, Host::Container);
        if let Some(components) = object.get("components") {
            self.components.extend(reader.components(&components, &options, Host::Container));
        }
    }

    /// The listener to which somebody connects at this endpoint.
    pub(super) fn listener_at(&self, endpoint: &Value) -> Option<&Listener> {
        self.listeners.iter().find(|listener| match &listener.endpoint.address {
            Address::Tcp { port, interface, .. } => {
                let is_local = |interface: IpAddr| interface.is_loopback() || interface.is_unspecified();
                let is_loopback =
                    matches!(endpoint["host"].as_str(), Some("localhost" | "127.0.0.1" | "::1"));
                is_loopback && endpoint["port"] == *port && interface.is_none_or(is_local)
            }
            Address::Unix { path } => endpoint["path"].as_str().is_some_and(|other| Path::new(other) == path),
        })
    }
}

/// A component that connects to a listener of this node joins a realm that it finds there.
fn check_own_realm(component: &Component, node: &Node, reader: &mut NodeReader<'_>) {
    let ComponentConnection::Transport { endpoint, .. } = &component.connection else { return };
    let Some(Realms::Named(realms)) = &reader.realms else { return };
    let Some(listener) = node.listener_at(endpoint) else { return };
    let known: Vec<_> = match &listener.realms {
        Some(realms) => realms.iter().map(String::as_str).collect(),
        None => realms.iter().map(|realm| realm.name.as_str()).collect(),
    };
    let path = format!("{}.realm", component.path);
    let expected = format!("a realm of {}, to which it connects", listener.path);
    reader.report.known(path, &expected, &component.realm, &known);
}

/// The bytes of a file, at most so many: one like `/dev/zero` has no end. `what` names such files in the error.
pub(crate) fn read_at_most(file: &Path, most: u64, what: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let reason = format!("{what} has at most {} MiB, this one has more", most >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

const A_MAP: &str = "a map such as { realms: [..], transports: [..] }";

fn unreadable(file: &Path, error: &io::Error) -> ConfigError {
    ConfigError::File { path: file.into(), reason: error.to_string() }
}

fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The keys around the realms of a node.
pub(super) static NODE: Keys = Keys {
    // The router is the whole program.
    functions: false,
    config: [
        ("$schema", Key::Served),
        ("version", Key::Served),
        ("controller", keys::NO_CONTROLLER),
        ("workers", Key::Served),
        ("realms", Key::Served),
        ("limits", Key::Served),
        ("transports", Key::Served),
        ("components", Key::Served),
        // Not a warning: whoever writes it does not want everybody to get in.
        ("auth", Key::Refused("\"auth\" inside a transport")),
    ],
    workers: [
        ("router", Key::Served),
        ("container", Key::Served),
        ("guest", Key::Served),
        ("proxy", Key::Served),
        ("hostmonitor", keys::NO_HOSTMONITOR),
        ("websocket-testee", keys::NO_TESTEE),
        ("xbrmm", keys::NO_MARKET),
    ],
    router: [
        ("type", Key::Served),
        ("id", Key::Served),
        ("options", Key::Served),
        ("manhole", keys::NO_MANHOLE),
        ("realms", Key::Served),
        ("transports", Key::Served),
        ("components", Key::Served),
        ("connections", keys::NO_CONNECTIONS),
    ],
    has_ports: false,
    // A worker that only serves files, and a machine that only runs components of another one's router.
    is_enough: |worker| ["router", "container", "guest"].iter().any(|kind| worker.at("type").is(kind)),
    least_worker: "a worker of type \"router\", \"container\" or \"guest\"",
};

pub(super) const CONTAINER_KEYS: [(&str, Key); 6] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("options", Key::Served),
    ("components", Key::Served),
    ("manhole", keys::NO_MANHOLE),
    ("connections", keys::NO_CONNECTIONS),
];
