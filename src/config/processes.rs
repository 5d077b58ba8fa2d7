//! The processes that a node starts: components and guests.
//!
//! Owns what a component joins and with which role, how it gets there, in which environment it runs, and when it is
//! started again.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::auth::variable_name;
use super::cursor::{Cursor, Key, Object, quote};
use super::node::{Component, ComponentConnection, Guest, Restart, RestartPolicy};
use super::node_reader::NodeReader;
use super::transports::MAX_PORT;
use crate::codec::Serializer;
use crate::uri::{self, UriCheck};

/// `options` of a worker.
#[derive(Clone, Debug)]
pub(super) struct WorkerOptions {
    pythonpath: Vec<PathBuf>,
    python: Option<PathBuf>,
    env: Vec<(String, String)>,
    inherit_env: bool,
    restart: Restart,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            pythonpath: Vec::new(),
            python: None,
            env: Vec::new(),
            inherit_env: true,
            restart: Restart::default(),
        }
    }
}

/// What a component is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Router,
    Container,
}

impl NodeReader<'_> {
    /// `options` of a router worker or container.
    pub fn worker_options(&mut self, worker: &Object<'_>, host: Host) -> WorkerOptions {
        let keys: &[(&str, Key)] = match host {
            Host::Router => &ROUTER_OPTION_KEYS,
            Host::Container => &CONTAINER_OPTION_KEYS,
        };
        let mut read = WorkerOptions::default();
        let Some(options) = worker.get("options").and_then(|options| options.object(keys, &mut self.report))
        else {
            return read;
        };
        if let Some(disabled) = options.get("disabled") {
            self.not_disabled(&disabled);
        }
        read.pythonpath = self.paths(&options, "pythonpath", "directories", "a directory");
        read.python = options.get("python").and_then(|python| self.executable(&python, self.base.into()));
        if let Some(env) = options.get("env") {
            (read.env, read.inherit_env) = self.environment_of(&env).unwrap_or_default();
        }
        if let Some(restart) = options.get("restart") {
            read.restart = self.restart(&restart).unwrap_or_default();
        }
        read
    }

    /// `disabled` of a worker, which must not be. A variable that is unset or empty is false, as in Crossbar.io.
    fn not_disabled(&mut self, disabled: &Cursor<'_>) {
        let Some(name) = disabled.value().and_then(Value::as_str).and_then(variable_name) else {
            if disabled.value() != Some(&Value::Bool(false)) {
                disabled.problem::<()>(NOT_DISABLED, &mut self.report);
            }
            return;
        };
        if let Some(value) = (self.environment)(name).filter(|value| !value.is_empty()) {
            let found = format!("the environment variable {name} to be {}", quote(&value));
            disabled.problem_found::<()>(NOT_DISABLED, &found, &mut self.report);
        }
    }

    /// `components` of a router worker or container.
    pub fn components(&mut self, list: &Cursor<'_>, options: &WorkerOptions, host: Host) -> Vec<Component> {
        let components = list.elements(MAX_COMPONENTS, "components", &mut self.report).unwrap_or_default();
        components.iter().filter_map(|component| self.component(component, options, host)).collect()
    }

    fn component(&mut self, component: &Cursor<'_>, worker: &WorkerOptions, host: Host) -> Option<Component> {
        let object = component.any_object(&mut self.report)?;
        let (_, key) = object.required("type").kind(&COMPONENT_TYPES, &mut self.report)?;
        if let Key::NotServed(message) = key {
            self.report.warn(component.path(), message);
            return None;
        }
        let keys: &[(&str, Key)] = match host {
            Host::Router => &COMPONENT_KEYS,
            Host::Container => &CONTAINER_COMPONENT_KEYS,
        };
        object.check_keys(keys, &mut self.report);
        self.note(&object, "id");
        let classname = self.classname(&object.required("classname"));
        let restart = self.optional(&object, "restart", Self::restart);
        let (realm, connection) = match host {
            Host::Router => {
                let realm = self.realm(&object.required("realm"));
                (realm.clone(), self.inside(&object, realm.as_deref()))
            }
            Host::Container => {
                let realm = self.realm_elsewhere(&object.required("realm"));
                (realm, self.connection(&object.required("transport")))
            }
        };
        let classname = classname?;
        let name = object.required("id").value().and_then(Value::as_str).unwrap_or(&classname).to_owned();
        Some(Component {
            path: component.path(),
            name,
            classname,
            realm: realm?,
            extra: self.extra(object.required("extra").value()),
            pythonpath: worker.pythonpath.clone(),
            python: worker.python.clone(),
            env: worker.env.clone(),
            inherit_env: worker.inherit_env,
            connection: connection?,
            restart: restart?.unwrap_or(worker.restart),
        })
    }

    /// What a component gets as `extra`. As from Crossbar.io it is an object, whatever was left out, and knows the directory.
    fn extra(&self, given: Option<&Value>) -> Value {
        let mut extra = match given {
            Some(Value::Object(extra)) => extra.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(other) => return other.clone(),
        };
        extra.insert("cbdir".to_owned(), self.base.to_string_lossy().into());
        Value::Object(extra)
    }

    fn classname(&mut self, value: &Cursor<'_>) -> Option<String> {
        let name = value.string(CLASS, &mut self.report)?;
        let is_identifier = |part: &str| {
            part.chars().all(|c| c.is_alphanumeric() || c == '_')
                && part.chars().next().is_some_and(|c| !c.is_numeric())
        };
        // Python imports a module whose file has a dash, though no statement can name it.
        let is_module = |part: &str| is_identifier(&part.replace('-', "_")) && !part.starts_with('-');
        match name.rsplit_once('.') {
            Some((module, class)) if module.split('.').all(is_module) && is_identifier(class) => {
                Some(name.to_owned())
            }
            _ => value.problem(CLASS, &mut self.report),
        }
    }

    fn inside(&mut self, object: &Object<'_>, realm: Option<&str>) -> Option<ComponentConnection> {
        let role = object.required("role");
        let role = match role.is_null() {
            true => self.default_role(&role, realm?)?,
            false => self.role(&role, Some(realm?))?,
        };
        Some(ComponentConnection::Inside { role })
    }

    /// The name of a realm of another router, perhaps.
    fn realm_elsewhere(&mut self, value: &Cursor<'_>) -> Option<String> {
        let name = value.string("the name of a realm", &mut self.report)?;
        if !uri::is_valid(name, UriCheck::Loose) {
            return value.problem("the name of a realm", &mut self.report);
        }
        Some(name.to_owned())
    }

    /// `transport` of a component of a container.
    fn connection(&mut self, transport: &Cursor<'_>) -> Option<ComponentConnection> {
        let object = transport.any_object(&mut self.report)?;
        let (kind, _) = object.required("type").kind(&CONNECTION_TYPES, &mut self.report)?;
        let is_websocket = kind == "websocket";
        let keys: &[(&str, Key)] =
            if is_websocket { &CONNECT_WEBSOCKET_KEYS } else { &CONNECT_RAWSOCKET_KEYS };
        object.check_keys(keys, &mut self.report);
        self.note(&object, "id");
        let endpoint = self.connecting_endpoint(&object.required("endpoint"));
        let (url, serializer) = if is_websocket {
            let url = object.required("url");
            let text = self.text(&url, WEBSOCKET_URL)?;
            if !(text.starts_with("ws://") || text.starts_with("wss://")) {
                return url.problem_found(WEBSOCKET_URL, &quote(&text), &mut self.report);
            }
            (Some(text), self.serializers(&object)?.first().copied().unwrap_or(Serializer::Json))
        } else {
            let value = object.required("serializer");
            let Some(serializer) = self.serializer(&value)? else {
                return value.problem("\"json\", \"msgpack\" or \"cbor\"", &mut self.report);
            };
            (None, serializer)
        };
        Some(ComponentConnection::Transport { kind: kind.into(), url, endpoint: endpoint?, serializer })
    }

    pub fn connecting_endpoint(&mut self, endpoint: &Cursor<'_>) -> Option<Value> {
        let object = endpoint.any_object(&mut self.report)?;
        let kind = object.required("type");
        let (word, key) = kind.kind(&CONNECT_ENDPOINT_TYPES, &mut self.report)?;
        if let Key::Refused(expected) = key {
            return kind.problem(expected, &mut self.report);
        }
        let mut read = Map::new();
        read.insert("type".into(), word.into());
        if word == "unix" {
            object.check_keys(&CONNECT_UNIX_KEYS, &mut self.report);
            let path = self.socket(&object.required("path"))?;
            read.insert("path".into(), self.path_text(&object.required("path"), path)?);
        } else {
            object.check_keys(&CONNECT_TCP_KEYS, &mut self.report);
            let host = self.text(&object.required("host"), "the name or address of a machine");
            let port = self.integer(&object.required("port"), 1, MAX_PORT);
            let version = self.ip_version(&object);
            let tls = self.optional(&object, "tls", Self::connecting_tls);
            read.insert("host".into(), host?.into());
            read.insert("port".into(), port?.into());
            if let Some(version) = version {
                read.insert("version".into(), version.into());
            }
            if let Some(tls) = tls? {
                read.insert("tls".into(), tls);
            }
        }
        if let Some(timeout) = self.number(&object, "timeout", 0, MAX_CONNECT_SECONDS) {
            read.insert("timeout".into(), timeout.into());
        }
        Some(read.into())
    }

    fn connecting_tls(&mut self, tls: &Cursor<'_>) -> Option<Value> {
        let object = tls.object(&CONNECT_TLS_KEYS, &mut self.report)?;
        let mut read = Map::new();
        let hostname =
            self.text(&object.required("hostname"), "the name in the certificate of the server")?;
        read.insert("hostname".into(), hostname.into());
        for key in ["certificate", "key"] {
            let Some(value) = object.get(key) else { continue };
            let path = self.path(&value, "a file (PEM)")?;
            read.insert(key.into(), self.path_text(&value, path)?);
        }
        if let (Some(key), None) = (object.get("key"), object.get("certificate")) {
            self.report.warn(key.path(), "has no effect without a \"certificate\"");
        }
        if let Some(list) = object.get("ca_certificates") {
            let mut files = Vec::new();
            for value in list.elements(MAX_CERTIFICATES, "certificates", &mut self.report)? {
                let path = self.path(&value, "the file of a certificate (PEM)")?;
                files.push(self.path_text(&value, path)?);
            }
            read.insert("ca_certificates".into(), files.into());
        }
        Some(read.into())
    }

    /// The path as JSON, in which it reaches the component.
    fn path_text(&mut self, value: &Cursor<'_>, path: PathBuf) -> Option<Value> {
        match path.into_os_string().into_string() {
            Ok(text) => Some(text.into()),
            Err(_) => value.problem("a path that is Unicode as a whole", &mut self.report),
        }
    }

    /// A guest worker.
    pub fn guest(&mut self, worker: &Cursor<'_>, object: &Object<'_>) -> Option<Guest> {
        object.check_keys(&GUEST_KEYS, &mut self.report);
        self.note(object, "id");
        let mut options = GuestOptions { workdir: self.base.into(), ..GuestOptions::default() };
        if let Some(given) = object.get("options") {
            options = self.guest_options(&given, options)?;
        }
        let executable = self.executable(&object.required("executable"), options.workdir.clone());
        let arguments = self.optional(object, "arguments", |reader, list| {
            let arguments = list.elements(MAX_ARGUMENTS, "texts", &mut reader.report)?;
            let arguments = arguments.iter().map(|argument| argument.string("a text", &mut reader.report));
            arguments.map(|argument| argument.map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        let executable = executable?;
        let name = match object.required("id").value().and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => executable.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        Some(Guest {
            path: worker.path(),
            name,
            executable,
            arguments: arguments?.unwrap_or_default(),
            env: options.env,
            inherit_env: options.inherit_env,
            workdir: Some(options.workdir),
            closes_stdin: options.closes_stdin,
            restart: options.restart,
        })
    }

    fn guest_options(&mut self, given: &Cursor<'_>, mut options: GuestOptions) -> Option<GuestOptions> {
        let given = given.object(&GUEST_OPTION_KEYS, &mut self.report)?;
        if let Some(workdir) = given.get("workdir").and_then(|workdir| self.path(&workdir, "a directory")) {
            options.workdir = workdir;
        }
        if let Some(env) = given.get("env") {
            (options.env, options.inherit_env) = self.environment_of(&env).unwrap_or_default();
        }
        if let Some(restart) = given.get("restart") {
            options.restart = self.restart(&restart).unwrap_or_default();
        }
        if let Some(stdin) = given.get("stdin") {
            options.closes_stdin = stdin.is("close");
            if !options.closes_stdin {
                self.report.warn(stdin.path(), "has no effect: a guest reads nothing on its standard input");
            }
        }
        for key in ["stdout", "stderr"] {
            let Some(value) = given.get(key) else { continue };
            let word = value.choice(&[("log", true), ("close", false), ("drop", false)], &mut self.report);
            if word == Some(false) {
                self.report.warn(value.path(), "has no effect: what a guest prints goes to the log");
            }
        }
        Some(options)
    }

    /// An executable: a name alone is looked up when it is started, anything else starts at `directory`.
    fn executable(&mut self, value: &Cursor<'_>, directory: PathBuf) -> Option<PathBuf> {
        let text = self.text(value, "an executable")?;
        if text.contains('\0') {
            return value.problem("an executable", &mut self.report);
        }
        Some(if text.contains('/') { directory.join(text) } else { text.into() })
    }

    /// `env`: variables, and whether those of the router are handed on.
    fn environment_of(&mut self, env: &Cursor<'_>) -> Option<(Vec<(String, String)>, bool)> {
        let object = env.object(&ENV_KEYS, &mut self.report)?;
        let mut variables = Vec::new();
        let mut inherit = true;
        if let Some(value) = object.get("inherit") {
            if matches!(value.value(), Some(Value::Bool(true | false))) {
                inherit = value.boolean(&mut self.report)?;
            } else if matches!(value.value(), Some(Value::Array(_))) {
                inherit = false;
                for name in value.elements(MAX_VARIABLES, "names", &mut self.report)? {
                    let name = name.string(VARIABLE, &mut self.report)?;
                    variables.extend((self.environment)(name).map(|value| (name.to_owned(), value)));
                }
            } else {
                return value.problem("true, false or an array of names", &mut self.report);
            }
        }
        let Some(given) = object.get("vars") else { return Some((variables, inherit)) };
        for (name, value) in given.any_object(&mut self.report)?.entries() {
            if name.is_empty() || name.contains(['=', '\0']) {
                value.problem_key::<()>(VARIABLE, name, None, &mut self.report);
                continue;
            }
            let Some(text) = value.string("a text", &mut self.report) else { continue };
            if text.contains('\0') {
                value.problem::<()>("a text without the character U+0000", &mut self.report);
                continue;
            }
            variables.retain(|(other, _)| other != name);
            variables.push((name.to_owned(), text.to_owned()));
        }
        Some((variables, inherit))
    }

    /// `restart`: a policy, or one with its delay and attempts.
    fn restart(&mut self, restart: &Cursor<'_>) -> Option<Restart> {
        let mut read = Restart::default();
        if !matches!(restart.value(), Some(Value::Object(_))) {
            read.policy = restart.choice(&RESTART_POLICIES, &mut self.report)?;
            return Some(read);
        }
        let object = restart.object(&RESTART_KEYS, &mut self.report)?;
        if let Some(policy) = object.get("policy") {
            read.policy = policy.choice(&RESTART_POLICIES, &mut self.report)?;
        }
        if let Some(delay) = self.number(&object, "delay_ms", 1, MAX_RESTART_DELAY) {
            read.delay = Duration::from_millis(delay);
        }
        if let Some(attempts) = self.number(&object, "attempts", 1, MAX_RESTART_ATTEMPTS) {
            read.attempts = attempts as u32;
        }
        Some(read)
    }
}

/// `options` of a guest.
#[derive(Clone, Debug)]
struct GuestOptions {
    workdir: PathBuf,
    env: Vec<(String, String)>,
    inherit_env: bool,
    closes_stdin: bool,
    restart: Restart,
}

impl Default for GuestOptions {
    fn default() -> Self {
        Self {
            workdir: PathBuf::new(),
            env: Vec::new(),
            inherit_env: true,
            closes_stdin: false,
            restart: Restart::default(),
        }
    }
}

const MAX_COMPONENTS: usize = 1_000;
const MAX_ARGUMENTS: usize = 1_000;
const MAX_VARIABLES: usize = 1_000;
const MAX_CERTIFICATES: usize = 1_000;
/// Ten minutes, as in Crossbar.io.
pub(super) const MAX_CONNECT_SECONDS: u64 = 600;
/// A minute: it does not grow beyond that either.
pub(super) const MAX_RESTART_DELAY: u64 = 60_000;
pub(super) const MAX_RESTART_ATTEMPTS: u64 = 1_000_000;

const NOT_DISABLED: &str = "false (a worker that is not wanted is to be taken out)";
const CLASS: &str = "a class and its module such as \"package.module.Class\"";
const VARIABLE: &str = "the name of an environment variable";
const WEBSOCKET_URL: &str = "an address such as \"ws://127.0.0.1:8080/ws\"";

pub(super) const COMPONENT_TYPES: [(&str, Key); 2] = [
    ("class", Key::Served),
    ("function", Key::NotServed("is not started: only components of type \"class\" are")),
];

pub(super) const COMPONENT_KEYS: [(&str, Key); 8] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("classname", Key::Served),
    ("realm", Key::Served),
    ("role", Key::Served),
    ("extra", Key::Served),
    ("restart", Key::Served),
    ("references", Key::NotServed("has no effect: each component is a process of its own")),
];

const NO_ROLE: &str = "no role (the router that it connects to gives it one, see \"auth\" there)";

pub(super) const CONTAINER_COMPONENT_KEYS: [(&str, Key); 8] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("classname", Key::Served),
    ("realm", Key::Served),
    ("transport", Key::Served),
    ("extra", Key::Served),
    ("restart", Key::Served),
    ("role", Key::Refused(NO_ROLE)),
];

pub(super) const CONNECTION_TYPES: [(&str, Key); 2] =
    [("websocket", Key::Served), ("rawsocket", Key::Served)];

const CLIENT_OPTIONS: Key = Key::NotServed("has no effect: the client of the component chooses its own");

pub(super) const CONNECT_WEBSOCKET_KEYS: [(&str, Key); 6] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("endpoint", Key::Served),
    ("url", Key::Served),
    ("serializers", Key::Served),
    ("options", CLIENT_OPTIONS),
];

pub(super) const CONNECT_RAWSOCKET_KEYS: [(&str, Key); 7] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("endpoint", Key::Served),
    ("serializer", Key::Served),
    ("url", Key::NotServed("has no effect: the endpoint says where to connect")),
    ("options", CLIENT_OPTIONS),
    ("debug", CLIENT_OPTIONS),
];

pub(super) const CONNECT_ENDPOINT_TYPES: [(&str, Key); 4] = [
    ("tcp", Key::Served),
    ("unix", Key::Served),
    ("twisted", Key::Refused("\"tcp\" or \"unix\" (endpoints of Twisted are not served)")),
    ("tor", Key::Refused("\"tcp\" or \"unix\" (Tor is not served)")),
];

pub(super) const CONNECT_TCP_KEYS: [(&str, Key); 6] = [
    ("type", Key::Served),
    ("host", Key::Served),
    ("port", Key::Served),
    ("version", Key::Served),
    ("timeout", Key::Served),
    ("tls", Key::Served),
];

pub(super) const CONNECT_UNIX_KEYS: [(&str, Key); 3] =
    [("type", Key::Served), ("path", Key::Served), ("timeout", Key::Served)];

pub(super) const CONNECT_TLS_KEYS: [(&str, Key); 4] = [
    ("hostname", Key::Served),
    ("ca_certificates", Key::Served),
    ("certificate", Key::Served),
    ("key", Key::Served),
];

const ONE_PROCESS: &str = "has no effect: the router is one process, and each component another one";

pub(super) const ROUTER_OPTION_KEYS: [(&str, Key); 11] = [
    ("pythonpath", Key::Served),
    ("python", Key::Served),
    ("env", Key::Served),
    ("restart", Key::Served),
    ("disabled", Key::Served),
    ("title", Key::NotServed(ONE_PROCESS)),
    ("cpu_affinity", Key::NotServed(ONE_PROCESS)),
    ("reactor", Key::NotServed(ONE_PROCESS)),
    ("extra", Key::NotServed(ONE_PROCESS)),
    ("expose_controller", Key::NotServed("has no effect: there is no controller")),
    ("expose_shared", Key::NotServed(ONE_PROCESS)),
];

pub(super) const CONTAINER_OPTION_KEYS: [(&str, Key); 12] = [
    ("pythonpath", Key::Served),
    ("python", Key::Served),
    ("env", Key::Served),
    ("restart", Key::Served),
    ("disabled", Key::Served),
    ("shutdown", Key::NotServed("has no effect: \"restart\" says what happens when a component ends")),
    ("title", Key::NotServed(ONE_PROCESS)),
    ("cpu_affinity", Key::NotServed(ONE_PROCESS)),
    ("reactor", Key::NotServed(ONE_PROCESS)),
    ("extra", Key::NotServed(ONE_PROCESS)),
    ("expose_controller", Key::NotServed("has no effect: there is no controller")),
    ("expose_shared", Key::NotServed(ONE_PROCESS)),
];

pub(super) const ENV_KEYS: [(&str, Key); 2] = [("inherit", Key::Served), ("vars", Key::Served)];

pub(super) const GUEST_KEYS: [(&str, Key); 5] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("executable", Key::Served),
    ("arguments", Key::Served),
    ("options", Key::Served),
];

pub(super) const GUEST_OPTION_KEYS: [(&str, Key); 7] = [
    ("env", Key::Served),
    ("workdir", Key::Served),
    ("stdin", Key::Served),
    ("stdout", Key::Served),
    ("stderr", Key::Served),
    ("restart", Key::Served),
    ("watch", Key::NotServed("has no effect: no files are watched")),
];

pub(super) const RESTART_KEYS: [(&str, Key); 3] =
    [("policy", Key::Served), ("delay_ms", Key::Served), ("attempts", Key::Served)];

/// Our words, then those that Crossbar.io has for a container.
pub(super) const RESTART_POLICIES: [(&str, RestartPolicy); 6] = [
    ("always", RestartPolicy::Always),
    ("failed", RestartPolicy::OnFailure),
    ("never", RestartPolicy::Never),
    ("restart-always", RestartPolicy::Always),
    ("restart-on-failed", RestartPolicy::OnFailure),
    ("restart-never", RestartPolicy::Never),
];
