//! Ids: WAMP's integer scopes as types that cannot be swapped, and the key of a transport slot.
//!
//! Owns ranges and newtypes. Never draws an id: random ids come from the router's one generator, counters from
//! whoever counts. [wamp: basic/building_blocks, IDs]

use std::fmt;

/// 2^53: the largest integer a JavaScript number holds exactly, and WAMP's largest id.
pub const MAX_ID: u64 = 1 << 53;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A session: global scope, drawn at random from `1..=2^53`.
    SessionId
}
id! {
    /// A publication: global scope, drawn at random from `1..=2^53`.
    PublicationId
}
id! {
    /// A subscription: router scope, counted from 1 in each realm.
    SubscriptionId
}
id! {
    /// A registration: router scope, counted from 1 in each realm.
    RegistrationId
}
id! {
    /// A request: session scope, counted from 1 by the side that asks. Zero only in revocations.
    RequestId
}

id! {
    /// A question of the router: router scope, never the same twice.
    Ticket
}

impl RequestId {
    /// The id that follows this one; wraps to 1 after 2^53.
    pub fn next(self) -> Self {
        if self.0 >= MAX_ID { Self(1) } else { Self(self.0 + 1) }
    }
}

/// The slot of one transport in a [`Router`](crate::router::Router).
///
/// The generation stops a late frame of a closed transport from reaching the next one in the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// Position in the router's slot table; reused.
    pub index: u32,
    /// Counts openings of transports; never the same twice for one index within 2^32 openings.
    pub generation: u32,
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}
