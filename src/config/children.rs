//! What a node starts beside the router: components and guests, each in a process of its own.
//!
//! Owns the types and their defaults. They are read in [`processes`](super::processes), and run in `native::components`.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::codec::Serializer;

/// A component: a class that joins a realm as a session, in a process of its own.
#[derive(Clone, Debug)]
pub struct Component {
    /// Where it stands in the configuration, for the log.
    pub path: String,
    /// `id`, or else the class name.
    pub name: String,
    /// `package.module.Class`.
    pub classname: String,
    pub realm: String,
    /// `extra`, with the directory of the configuration as `cbdir`.
    pub extra: Value,
    /// Directories that the interpreter searches first; relative ones were resolved.
    pub pythonpath: Vec<PathBuf>,
    /// The interpreter. Default `python3`, from the path of the environment.
    pub python: Option<PathBuf>,
    /// Environment beside the router's own.
    pub env: Vec<(String, String)>,
    /// Whether the router's environment is handed on. Default true.
    pub inherit_env: bool,
    /// How it connects.
    pub connection: ComponentConnection,
    pub restart: Restart,
}

impl Component {
    /// Whether it is a part of the router that starts it.
    pub fn is_inside(&self) -> bool {
        matches!(self.connection, ComponentConnection::Inside { .. })
    }

    /// Where its worker stands in the configuration.
    pub fn worker(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }
}

/// How a component reaches its realm.
#[derive(Clone, Debug)]
pub enum ComponentConnection {
    /// To the router that starts it, with this role. (`components` of a router worker.)
    Inside { role: String },
    /// To any router, as an ordinary client. (`components` of a container.)
    Transport {
        /// `websocket` or `rawsocket`.
        kind: String,
        /// `ws://..`; a RawSocket has none.
        url: Option<String>,
        /// The endpoint as Crossbar.io has it: `{"type": "tcp", "host", "port"}` or `{"type": "unix", "path"}`, with its
        /// paths resolved and its variables replaced.
        endpoint: Value,
        serializer: Serializer,
    },
}

/// A guest: any executable.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Where it stands in the configuration, for the log.
    pub path: String,
    /// `id`, or else the file name of the executable.
    pub name: String,
    /// One without a `/` stands in the `workdir`, or else in the path of the environment.
    pub executable: PathBuf,
    pub arguments: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Whether the router's environment is handed on. Default true.
    pub inherit_env: bool,
    /// Default the directory of the configuration.
    pub workdir: Option<PathBuf>,
    /// Whether its standard input ends at once, instead of with the router. Default false.
    pub closes_stdin: bool,
    pub restart: Restart,
}

/// When a process that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    pub policy: RestartPolicy,
    /// Before the first new start; doubles with each that follows, up to a minute. Default 1 s.
    pub delay: Duration,
    /// Starts in a row that failed before it is given up. Default 10.
    pub attempts: u32,
}

impl Default for Restart {
    fn default() -> Self {
        Self { policy: RestartPolicy::OnFailure, delay: Duration::from_secs(1), attempts: 10 }
    }
}

/// `restart` of a component or of the options of a worker; Crossbar.io's words for it are with a `restart-`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// `"always"`
    Always,
    /// `"failed"`: where it ended with an error. The default.
    #[default]
    OnFailure,
    /// `"never"`
    Never,
}
