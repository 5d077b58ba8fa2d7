//! Dynamic authorization: somebody else decides what the sessions of a role may do, and they wait for it in order.

#[path = "../common/mod.rs"]
mod common;
mod decisions;
mod guarded;
mod remembered;
mod same_order;
mod testaments;
mod waiting;
