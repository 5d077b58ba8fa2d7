//! Which service answers which path.
//!
//! Owns paths: percent-encoding, segments, the longest path that matches. `.` and `..` are no segments here: a request
//! with them, encoded or not, finds nothing.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderValue;

use super::bridge::HttpBridge;
use super::files::Files;
use super::longpoll::LongPolls;
use super::status::Status;
use crate::config::node::{self, JsonOptions};
use crate::native::gate::{Gate, Gates};

/// Services by path.
#[derive(Debug, Default)]
pub(super) struct Routes {
    root: Option<Box<Service>>,
    /// Sorted by segment.
    children: Vec<(Box<str>, Child)>,
}

#[derive(Debug)]
enum Child {
    Service(Service),
    Routes(Routes),
}

/// What answers.
#[derive(Debug)]
pub(super) enum Service {
    WebSocket(Arc<node::WebSocket>, Arc<Gate>),
    Json { text: Bytes, options: JsonOptions },
    Redirect(HeaderValue),
    NodeInfo(Arc<Gate>),
    Metrics,
    Status(Status),
    LongPoll(Arc<LongPolls>),
    Bridge(HttpBridge),
    Files(Files),
    Nothing,
}

/// What services belong to.
pub(super) struct Server<'a> {
    pub web: &'a node::Web,
    pub listener: &'a node::Listener,
    pub gates: &'a Gates,
}

/// The service for a path.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub service: &'a Service,
    /// The decoded segments behind the service's own path.
    pub rest: Vec<String>,
    /// Whether the path ends with `/`.
    pub is_folder: bool,
}

impl Routes {
    /// What `paths` configures below the path `prefix`, which does not end with `/`.
    pub fn new(paths: &node::Paths, prefix: &str, server: &Server<'_>) -> Self {
        let children = paths.children.iter().map(|(name, service)| {
            let path = format!("{prefix}/{name}");
            let child = match service {
                node::Service::Path(paths) => Child::Routes(Self::new(paths, &path, server)),
                service => Child::Service(Service::new(service, &path, server)),
            };
            (name.as_str().into(), child)
        });
        let path = format!("{prefix}/");
        let root = paths.root.as_deref().map(|service| Box::new(Service::new(service, &path, server)));
        Self { root, children: children.collect() }
    }

    /// The service with the longest path that `path` begins with, segment by segment.
    pub fn find(&self, path: &str) -> Option<Found<'_>> {
        let mut segments = segments(path)?;
        let is_folder = path.ends_with('/');
        let mut routes = self;
        let mut used = 0;
        // The root service with the longest path so far answers what is found nowhere below it.
        let mut fallback = None;
        loop {
            if let Some(root) = routes.root.as_deref() {
                fallback = Some((root, used));
            }
            let child = segments.get(used).and_then(|segment| routes.child(segment));
            used += 1;
            match child {
                Some(Child::Routes(below)) => routes = below,
                Some(Child::Service(service)) => {
                    return Some(Found { service, rest: segments.split_off(used), is_folder });
                }
                None => {
                    let (service, used) = fallback?;
                    return Some(Found { service, rest: segments.split_off(used), is_folder });
                }
            }
        }
    }

    fn child(&self, segment: &str) -> Option<&Child> {
        let position = self.children.binary_search_by(|(name, _)| (**name).cmp(segment)).ok()?;
        Some(&self.children[position].1)
    }
}

impl Service {
    /// Whether it answers the paths below its own too.
    pub fn has_paths(&self) -> bool {
        matches!(
            self,
            Self::WebSocket(..) | Self::LongPoll(_) | Self::Bridge(_) | Self::Redirect(_) | Self::Files(_)
        )
    }

    fn new(service: &node::Service, path: &str, Server { web, listener, gates }: &Server<'_>) -> Self {
        match service {
            node::Service::WebSocket(config) => {
                Self::WebSocket(Arc::new(config.clone()), gates.path(listener, path))
            }
            node::Service::Json { value, options } => {
                let text = if options.prettify { format!("{value:#}\n") } else { value.to_string() };
                Self::Json { text: text.into(), options: *options }
            }
            node::Service::Redirect { url } => {
                Self::Redirect(HeaderValue::from_str(url).expect("addresses are printable ASCII"))
            }
            node::Service::Static(config) => Self::Files(Files::new(config)),
            node::Service::NodeInfo => Self::NodeInfo(gates.pages(listener)),
            node::Service::Metrics => Self::Metrics,
            node::Service::Status => Self::Status(Status::new(listener, gates.pages(listener))),
            node::Service::LongPoll(config) => {
                let gate = gates.path(listener, path);
                Self::LongPoll(LongPolls::new(config, gate, web.client_timeout))
            }
            node::Service::Bridge(_) => {
                Self::Bridge(HttpBridge::new(gates.path(listener, path), web.client_timeout))
            }
            // The configuration has none at a root; its paths can stand beside it.
            node::Service::Path(_) => Self::Nothing,
        }
    }
}

/// The decoded segments of a path; `None` if it is none that anybody should ask for.
fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    // Empty segments are of no meaning: `/a//b/` is `/a/b`.
    path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
}

/// A segment without its percent-encoding. Whatever a file system could take for more than a name is refused.
fn decode(segment: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).ok()?);
    }
    let decoded = String::from_utf8(decoded).ok()?;
    let is_name = !matches!(decoded.as_str(), "." | "..") && !decoded.contains(['/', '\\', '\0']);
    is_name.then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use node::{Paths, Service::Path, Service::Status, Service::WebSocket};

    fn websocket() -> node::Service {
        WebSocket(node::WebSocket::default())
    }

    fn routes() -> Routes {
        let listener = node::Node::embedded().listeners.remove(0);
        let paths = Paths {
            root: None,
            children: vec![
                (
                    "api".into(),
                    Path(Paths { root: Some(Box::new(Status)), children: vec![("ws".into(), websocket())] }),
                ),
                ("ws".into(), websocket()),
            ],
        };
        let web = node::Web::new(Paths::default());
        let server = Server { web: &web, listener: &listener, gates: &Gates::default() };
        Routes::new(&paths, "", &server)
    }

    fn find(path: &str) -> Option<(&'static str, Vec<String>)> {
        let routes = routes();
        let found = routes.find(path)?;
        let kind = if matches!(found.service, Service::WebSocket(..)) { "websocket" } else { "other" };
        Some((kind, found.rest))
    }

    #[test]
    fn the_longest_path_that_matches_answers() {
        assert_eq!(find("/ws"), Some(("websocket", vec![])));
        assert_eq!(find("/ws/"), Some(("websocket", vec![])));
        assert_eq!(find("/%77s"), Some(("websocket", vec![])));
        assert_eq!(find("/api/ws/x"), Some(("websocket", vec!["x".into()])));
        assert_eq!(find("/api/wsx"), Some(("other", vec!["wsx".into()])));
        assert_eq!(find("/api"), Some(("other", vec![])));
        assert_eq!(find("/api/a%20b/c"), Some(("other", vec!["a b".into(), "c".into()])));
        assert_eq!(find("/"), None);
        assert_eq!(find("/wsx"), None);
    }

    #[test]
    fn a_path_that_could_lead_out_of_a_directory_finds_nothing() {
        for path in [
            "/api/..",
            "/api/../ws",
            "/api/%2e%2E/x",
            "/api/.%2e",
            "/api/./x",
            "/api/a%2fb",
            "/api/%2Fetc",
            "/api/a%5cb",
            "/api/a%00",
            "/api/%",
            "/api/%4",
            "/api/%zz",
            "/api/%ff",
            "*",
            "",
        ] {
            assert_eq!(find(path), None, "{path:?}");
        }
    }
}
