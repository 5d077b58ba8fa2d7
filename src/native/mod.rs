//! The native router: sockets around the core.
