//! What can happen to a router, in a form that people read, tests repeat and the shrinker takes apart.
//!
//! An operation is a line of text: `0 opens json user`, `0 says [32,"$next",{},"a.b"]`, `0 is lost`, `answer 0 [true]`,
//! `wait 500`,
//! `reload 1`, `shut down`. The number is that of a client. In a message `"$next"` stands for the next request id of the
//! client, `"$tag"` for a number that no other message has, and these for ids that it has at the time, each the one at
//! a position modulo how many there are, and 777 where there is none: `"$subscription 0"`, `"$registration 0"`,
//! `"$invocation 0"`, `"$call 0"`, `"$cut 0"` (a progressive call that ended too early); `"$session 3"` is the session of client 3,
//! `"$publication 2"` a publication that anybody has heard of. So what is left of a list of operations
//! still means something when others are taken out of it.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use super::router::Identity;

#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A client opens a transport, after losing the one that it had.
    Opens {
        client: usize,
        serializer: &'static str,
        identity: &'static str,
    },
    Says {
        client: usize,
        message: Value,
    },
    IsLost {
        client: usize,
    },
    /// The driver answers one of the open questions to its functions: with arguments, or null where it fails.
    Answers {
        position: usize,
        answer: Value,
    },
    Wait {
        ms: u64,
    },
    Reload {
        settings: usize,
    },
    ShutDown,
}

pub const SERIALIZERS: [&str; 3] = ["json", "msgpack", "cbor"];

/// Who may be at the other end; the names are those in operations.
/// `poller` is nobody at a transport whose messages may overtake one another.
pub const IDENTITIES: [&str; 7] = ["nobody", "poller", "user", "joe", "admin", "trusted", "guest"];

/// What the driver says of a client with this name.
pub fn identity(name: &str) -> Option<Identity> {
    let identity = |authrole| Identity { realm: None, authid: None, authrole, authextra: None };
    match name {
        "nobody" | "poller" => None,
        "user" => Some(identity("user")),
        "joe" => Some(Identity { authid: Some("joe"), ..identity("user") }),
        "admin" => Some(Identity {
            realm: Some("realm1"),
            authid: Some("root"),
            authextra: Some(json!({ "said": "by the driver" })),
            ..identity("admin")
        }),
        "trusted" => Some(identity("trusted")),
        _ => Some(Identity { authid: Some("joe"), ..identity("guest") }),
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opens { client, serializer, identity } => {
                write!(f, "{client} opens {serializer} {identity}")
            }
            Self::Says { client, message } => write!(f, "{client} says {message}"),
            Self::IsLost { client } => write!(f, "{client} is lost"),
            Self::Answers { position, answer } => write!(f, "answer {position} {answer}"),
            Self::Wait { ms } => write!(f, "wait {ms}"),
            Self::Reload { settings } => write!(f, "reload {settings}"),
            Self::ShutDown => f.write_str("shut down"),
        }
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let wrong = || format!("no operation: {line}");
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        let known = |names: &[&'static str], name: &str| {
            names.iter().copied().find(|known| *known == name).ok_or_else(wrong)
        };
        if line == "shut down" {
            return Ok(Self::ShutDown);
        }
        let (first, rest) = line.split_once(' ').ok_or_else(wrong)?;
        match first {
            "wait" => return Ok(Self::Wait { ms: number(rest)? }),
            "answer" => {
                let (position, answer) = rest.split_once(' ').ok_or_else(wrong)?;
                let answer = serde_json::from_str(answer).map_err(|error| format!("{error}: {line}"))?;
                return Ok(Self::Answers { position: number(position)? as usize, answer });
            }
            "reload" => return Ok(Self::Reload { settings: number(rest)? as usize }),
            _ => {}
        }
        let client = number(first)? as usize;
        if rest == "is lost" {
            return Ok(Self::IsLost { client });
        }
        let (verb, rest) = rest.split_once(' ').ok_or_else(wrong)?;
        match verb {
            "says" => {
                let message = serde_json::from_str(rest).map_err(|error| format!("{error}: {line}"))?;
                Ok(Self::Says { client, message })
            }
            "opens" => {
                let (serializer, identity) = rest.split_once(' ').ok_or_else(wrong)?;
                let serializer = known(&SERIALIZERS, serializer)?;
                Ok(Self::Opens { client, serializer, identity: known(&IDENTITIES, identity)? })
            }
            _ => Err(wrong()),
        }
    }
}
