//! A class of Autobahn\|Python as a process: which interpreter, and what it is told.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::door::Door;
use super::executable;
use super::process::{Failure, Start};
use crate::config::node::{Component, ComponentConnection};
use crate::native::secret::random_hex;
use crate::router::Identity;

/// Runs the class; see its first lines.
const LAUNCHER: &str = include_str!("launcher.py");
/// Reads the launcher from standard input and leaves there what follows it, so that `ps` shows a line, not a program.
const BOOTSTRAP: &str =
    "import sys;exec(compile(sys.stdin.buffer.read(int(sys.argv[1])),'<wamplet>','exec'))";
/// Names the interpreter of components, in their `env` or in the environment of the router.
const INTERPRETER: &str = "WAMPLET_PYTHON";
/// What a component inside the router may speak, best first; it takes the first that its interpreter has.
const INSIDE_SERIALIZERS: [&str; 3] = ["msgpack", "cbor", "json"];

/// All that is needed to start the component once.
pub(super) fn prepare(component: &Component) -> Result<Start, Failure> {
    let interpreter = interpreter(component).map_err(Failure::Hopeless)?;
    let marker = random_hex(16).map_err(|error| Failure::Failed(error.to_string()))?;
    let mut entrance = None;
    let connection = match &component.connection {
        ComponentConnection::Inside { role } => {
            let door = Door::open().map_err(Failure::Failed)?;
            let connection = json!({
                "kind": "inside",
                "path": door.path().to_string_lossy(),
                "ticket": door.ticket(),
                "serializers": INSIDE_SERIALIZERS,
            });
            entrance = Some((door, identity(component, role)));
            connection
        }
        ComponentConnection::Transport { kind, url, endpoint, serializer } => json!({
            "kind": kind,
            "url": url,
            "endpoint": endpoint,
            "serializers": [serializer.name()],
        }),
    };
    let pythonpath: Vec<_> = component.pythonpath.iter().map(|path| path.to_string_lossy()).collect();
    let settings: Value = json!({
        "marker": marker,
        "classname": component.classname,
        "realm": component.realm,
        "extra": component.extra,
        "pythonpath": pythonpath,
        "connection": connection,
    });
    let mut command = executable::command(&interpreter, &component.env, component.inherit_env);
    command.args(["-u", "-c", BOOTSTRAP, &LAUNCHER.len().to_string(), &component.classname]);
    Ok(Start {
        command,
        input: Some(format!("{LAUNCHER}{settings}\n").into_bytes()),
        entrance,
        marker: Some(marker),
    })
}

/// Who a component inside the router is.
fn identity(component: &Component, role: &str) -> Identity {
    Identity {
        realm: Some(component.realm.clone()),
        authid: Some(component.name.clone()),
        authrole: role.to_owned(),
        authmethod: "component".into(),
        authprovider: "static".into(),
        authextra: None,
    }
}

/// The interpreter of the component: what its configuration says, what the environment says, or what there is.
fn interpreter(component: &Component) -> Result<PathBuf, String> {
    let env = &component.env;
    let named = executable::variable(INTERPRETER, env).filter(|named| !named.is_empty());
    let (name, advice) = match (&component.python, named) {
        (Some(python), _) => (python.clone(), "it is what the option \"python\" names".to_owned()),
        (None, Some(named)) => (named.into(), format!("it is what {INTERPRETER} names")),
        (None, None) => ("python3".into(), format!("install Python 3 or name one in {INTERPRETER}")),
    };
    let path = executable::variable("PATH", env);
    let directory = std::env::current_dir().unwrap_or_default();
    executable::find(&name, &directory, path.as_deref())
        .map_err(|reason| format!("found no Python interpreter: {reason}; {advice}"))
}
