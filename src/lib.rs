//! A WAMP router small enough to live in a browser tab, and the same router for a process of its own.
//!
//! The core has no I/O: messages of many transports go in, actions come out. Where to go next:
//!
//! * [`router`]: the router itself. Start with [`router::Router`]; `broker`, `dealer` and the session meta API are
//!   behind it.
//! * [`local`]: sessions without a transport, as futures and streams, for programs that hold a router.
//! * [`message`], [`payload`], [`codec`]: a message is a head that is read and a tail that is carried; JSON, MessagePack
//!   and CBOR.
//! * [`store`]: where events are written down that are to outlive a router.
//! * [`config`], [`auth`]: realms, roles, permissions and limits, from Crossbar-format JSON.
//! * [`id`], [`uri`]: the two things that everything else is made of.
//! * `native`: the server, from its sockets to its end; `native::run` runs one. `rawsocket` has the octets of that transport.
//!   Both are there with the feature `native`, which is a default.
//!
//! With the feature `wasm`, and built for `wasm32-unknown-unknown`, the crate is the router that the npm package
//! `wamplet` runs in a SharedWorker; `www/lib` in the repository drives it. ARCHITECTURE.md has the map, the two ways a
//! message takes, and the rules that the code keeps.

pub mod auth;
pub mod codec;
pub mod config;
pub mod id;
pub mod local;
pub mod message;
#[cfg(feature = "native")]
pub mod native;
pub mod payload;
#[cfg(feature = "native")]
pub mod rawsocket;
pub mod router;
pub mod store;
pub mod uri;
#[cfg(feature = "wasm")]
mod wasm;
