//! Authentication: what each method asks of a client, and whom it lets in.

mod anything;
mod authenticators;
mod choice;
mod clients;
mod cookie;
mod cryptosign;
#[path = "../common/hashes.rs"]
mod hashes;
mod scram;
mod strangers;
mod ticket;
mod tls;
mod wampcra;
