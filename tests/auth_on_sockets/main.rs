//! Authentication as clients meet it: on real sockets of the real server, by each method, with client certificates, bound to
//! the channel, and with cookies.

#![cfg(feature = "native")]

#[path = "../common/certificates.rs"]
mod certificates;
#[path = "../common/hashes.rs"]
mod hashes;
#[path = "../common/http.rs"]
mod http;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/websocket.rs"]
mod websocket;

mod clients;
mod cookies;
mod methods;
mod reloads;
