//! The subprotocols: what is spoken on a WebSocket, or over long polling.
//!
//! Owns their names. How many messages become one is in [`websocket`](super::websocket).

use std::fmt;

use crate::codec::Serializer;

/// One of `wamp.2.json`, the default, `wamp.2.cbor.batched` and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subprotocol {
    pub serializer: Serializer,
    /// Many WAMP messages in one message of the transport.
    pub batched: bool,
}

impl Subprotocol {
    /// The one that has this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.strip_prefix("wamp.2.")?;
        let (name, batched) = name.strip_suffix(".batched").map_or((name, false), |name| (name, true));
        Some(Self { serializer: Serializer::named(name)?, batched })
    }
}

impl From<Serializer> for Subprotocol {
    fn from(serializer: Serializer) -> Self {
        Self { serializer, batched: false }
    }
}

/// The name.
impl fmt::Display for Subprotocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.batched { ".batched" } else { "" };
        write!(f, "wamp.2.{}{end}", self.serializer.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_name_and_by_no_other() {
        for serializer in Serializer::ALL {
            for batched in [false, true] {
                let subprotocol = Subprotocol { serializer, batched };
                assert_eq!(Subprotocol::named(&subprotocol.to_string()), Some(subprotocol));
            }
        }
        assert_eq!(Subprotocol::default().to_string(), "wamp.2.json");
        for name in ["", "json", "wamp.2.", "wamp.2.JSON", "wamp.2.json.", "wamp.2.json.batched.batched"] {
            assert_eq!(Subprotocol::named(name), None, "{name}");
        }
    }
}
