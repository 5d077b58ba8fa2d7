//! The HTTP bridge: requests that become events and calls, by Crossbar.io's rules.

#![cfg(feature = "native")]

#[path = "../common/certificates.rs"]
mod certificates;
#[path = "../common/hashes.rs"]
mod hashes;
#[path = "../common/http.rs"]
mod http;
#[path = "../common/process.rs"]
mod process;

mod bridge;
mod requests;
mod sessions;
mod signed;
