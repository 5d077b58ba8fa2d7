//! `publisher`, `caller` and `webhook`: paths whose HTTP requests become messages of a session of the router's own.
//!
//! Owns Crossbar's keys for them, and what a request must show. Requests are served in `native::web::bridge`, the sessions
//! are in `native::bridge`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::auth;
use super::cursor::{Cursor, Key, Object, quote};
use super::node_reader::NodeReader;
use super::websocket;
use crate::uri::{self, UriCheck};

/// A path whose requests are messages of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// What the session joins.
    pub realm: String,
    /// As what it joins.
    pub role: String,
    /// Bytes of a request's body. Default [`Limits::message_length`](super::Limits::message_length), which is the most it
    /// can be.
    pub post_body_limit: Option<usize>,
    pub action: BridgeAction,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BridgeAction {
    /// `publisher`: an event, as the body says.
    Publish(Terms),
    /// `caller`: a call, as the body says.
    Call(Terms),
    /// `webhook`: an event of one topic, with the whole request in it.
    Webhook(Webhook),
}

/// What is asked of the requests to a publisher or caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Default requests need not be signed.
    pub signer: Option<Signer>,
    /// How far the `timestamp` of a request may be from now, signed or not. Default 300 s, which is what Crossbar.io does
    /// (its documentation has another number); `None` is as far as it likes.
    pub timestamp_delta_limit: Option<Duration>,
    /// Where clients must be. Default (nothing in it) anywhere.
    pub require_ip: Vec<Network>,
    /// Only over TLS. Default false.
    pub require_tls: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            signer: None,
            timestamp_delta_limit: Some(Duration::from_secs(DELTA_SECONDS)),
            require_ip: Vec::new(),
            require_tls: false,
        }
    }
}

/// Who signs requests.
#[derive(Clone, PartialEq, Eq)]
pub struct Signer {
    /// Its name, which requests say.
    pub key: String,
    pub secret: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

/// A path to which others send what has happened.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    pub topic: String,
    /// The body of the answer to what was published. Default `OK`.
    pub success_response: String,
    /// The body of the answer to what was not. Default `NOT OK`.
    pub error_response: String,
    /// With what GitHub signs. Default requests need not be signed.
    pub github_secret: Option<String>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// With zeros behind the bits that count.
    address: IpAddr,
    /// Bits of an address that count.
    bits: u32,
}

impl Network {
    /// Reads `192.168.1.1`, `192.168.0.0/16`, `192.168.0.0/255.255.0.0`, `fe80::/10`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, mask) = match text.split_once('/') {
            Some((address, mask)) => (address, Some(mask)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match mask {
            None => most,
            Some(mask) if address.is_ipv4() && mask.contains('.') => {
                let mask = u32::from(mask.parse::<Ipv4Addr>().ok()?);
                // Ones, and then zeros.
                (mask.leading_ones() == mask.count_ones()).then_some(mask.leading_ones())?
            }
            Some(mask) => mask.parse().ok().filter(|bits| *bits <= most)?,
        };
        Some(Self { address: cut(address, bits), bits })
    }

    /// Whether the address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && cut(address, self.bits) == self.address
    }
}

/// The address with zeros behind so many bits.
fn cut(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or_default();
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or_default();
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl NodeReader<'_> {
    /// A path of this type.
    pub fn bridge(&mut self, object: &Object<'_>, kind: &str) -> Option<Bridge> {
        let realm = self.realm(&object.required("realm"));
        let role = realm.as_deref().map(|realm| self.role(&object.required("role"), Some(realm)));
        let keys: &[(&str, Key)] = if kind == "webhook" { &WEBHOOK_OPTION_KEYS } else { &OPTION_KEYS };
        let options = match object.get("options") {
            Some(options) => Some(options.object(keys, &mut self.report)?),
            None => None,
        };
        let limit = options.as_ref().and_then(|options| {
            self.fixed(options, &websocket::DEBUG);
            // 0 is no limit of its own.
            self.number(options, "post_body_limit", 0, MAX_BODY).filter(|limit| *limit > 0)
        });
        let action = match (kind, &options) {
            ("webhook", Some(options)) => self.webhook(options, realm.as_deref()).map(BridgeAction::Webhook),
            ("webhook", None) => object.required("options").problem(WEBHOOK_OPTIONS, &mut self.report),
            (_, options) => {
                let terms = match options {
                    Some(options) => self.terms(options),
                    None => Some(Terms::default()),
                };
                terms.map(if kind == "caller" { BridgeAction::Call } else { BridgeAction::Publish })
            }
        };
        let post_body_limit = limit.map(|limit| limit as usize);
        Some(Bridge { realm: realm?, role: role??, post_body_limit, action: action? })
    }

    fn terms(&mut self, options: &Object<'_>) -> Option<Terms> {
        let signer = self.signer(options);
        let mut terms = Terms { signer: signer?, ..Terms::default() };
        if let Some(limit) = self.seconds(options, "timestamp_delta_limit", 0, MAX_DELTA_SECONDS) {
            terms.timestamp_delta_limit = (!limit.is_zero()).then_some(limit);
        }
        if let Some(networks) = options.get("require_ip") {
            let elements = networks.elements(MAX_NETWORKS, "networks", &mut self.report)?;
            if elements.is_empty() {
                return networks.problem_found("at least one network", "none", &mut self.report);
            }
            terms.require_ip = elements.iter().filter_map(|network| self.network(network)).collect();
        }
        terms.require_tls = self.flag(options, "require_tls").unwrap_or_default();
        Some(terms)
    }

    fn signer(&mut self, options: &Object<'_>) -> Option<Option<Signer>> {
        // With one of them alone, Crossbar.io lets in everybody, or nobody.
        let (key, secret) = match (options.get("key"), options.get("secret")) {
            (None, None) => return Some(None),
            (Some(key), Some(secret)) => (key, secret),
            (Some(key), None) => return key.problem_found(BOTH, "no \"secret\"", &mut self.report),
            (None, Some(secret)) => return secret.problem_found(BOTH, "no \"key\"", &mut self.report),
        };
        let key = key.string("the name of a key", &mut self.report).map(str::to_owned);
        let secret = self.shared_secret(&secret);
        Some(Some(Signer { key: key?, secret: secret? }))
    }

    fn shared_secret(&mut self, value: &Cursor<'_>) -> Option<String> {
        auth::secret(Some(self.environment), value, SECRET, &mut self.report)
    }

    fn network(&mut self, value: &Cursor<'_>) -> Option<Network> {
        let text = value.string(NETWORK, &mut self.report)?;
        let network = Network::parse(text);
        if network.is_none() {
            value.problem_found::<()>(NETWORK, &quote(text), &mut self.report);
        }
        network
    }

    fn webhook(&mut self, options: &Object<'_>, realm: Option<&str>) -> Option<Webhook> {
        let topic = self.topic(&options.required("topic"), realm);
        let github_secret = self.optional(options, "github_secret", Self::shared_secret);
        let mut response = |key, default: &str| match options.get(key) {
            Some(text) => text.string("a text", &mut self.report).map(str::to_owned),
            None => Some(default.to_owned()),
        };
        let success_response = response("success_response", SUCCESS);
        let error_response = response("error_response", ERROR);
        Some(Webhook {
            topic: topic?,
            success_response: success_response?,
            error_response: error_response?,
            github_secret: github_secret?,
        })
    }

    /// A URI that sessions of the realm may publish to, if their role may.
    fn topic(&mut self, value: &Cursor<'_>, realm: Option<&str>) -> Option<String> {
        let mut realms = self.named_realms().unwrap_or_default().iter();
        let realm = realms.find(|known| realm == Some(known.name.as_str()));
        let check = realm.map_or(UriCheck::Loose, |realm| realm.uri_check);
        let text = value.string(TOPIC, &mut self.report)?;
        if !uri::is_valid(text, check) || uri::is_reserved(text) {
            return value.problem_found(TOPIC, &quote(text), &mut self.report);
        }
        Some(text.to_owned())
    }
}

/// Bytes: what Crossbar.io takes for a limit. Whoever wants to send more says 0.
pub(super) const MAX_BODY: u64 = 1 << 20;
/// A day.
pub(super) const MAX_DELTA_SECONDS: u64 = 86_400;
pub(super) const DELTA_SECONDS: u64 = 300;
const MAX_NETWORKS: usize = 1_000;

pub(super) const SUCCESS: &str = "OK";
pub(super) const ERROR: &str = "NOT OK";

const BOTH: &str = "\"key\" and \"secret\", or neither";
const SECRET: &str = "the text of a secret";
const NETWORK: &str = "an IP address or network such as \"192.168.0.0/16\"";
const TOPIC: &str = "the URI of a topic";
const WEBHOOK_OPTIONS: &str = "an object with a \"topic\"";

pub(super) const SERVICE_KEYS: [(&str, Key); 5] = [
    ("type", Key::Served),
    ("id", Key::Served),
    ("realm", Key::Served),
    ("role", Key::Served),
    ("options", Key::Served),
];

pub(super) const OPTION_KEYS: [(&str, Key); 7] = [
    ("key", Key::Served),
    ("secret", Key::Served),
    ("post_body_limit", Key::Served),
    ("timestamp_delta_limit", Key::Served),
    ("require_ip", Key::Served),
    ("require_tls", Key::Served),
    ("debug", Key::Served),
];

pub(super) const WEBHOOK_OPTION_KEYS: [(&str, Key); 6] = [
    ("topic", Key::Served),
    ("success_response", Key::Served),
    ("error_response", Key::Served),
    ("github_secret", Key::Served),
    ("post_body_limit", Key::Served),
    ("debug", Key::Served),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_that_begin_like_it() {
        let holds = |network: &str, address: &str| {
            let network = Network::parse(network).expect("a network");
            network.contains(address.parse().expect("an address"))
        };
        for (network, inside, outside) in [
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("192.168.1.1/255.255.255.0", "192.168.1.200", "192.168.2.1"),
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.0"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::1", "::1", "::2"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
        ] {
            assert!(holds(network, inside), "{inside} is in {network}");
            assert!(!holds(network, outside), "{outside} is not in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "::1/129", "10.0.0.0/", "1.2.3"]
        {
            assert_eq!(Network::parse(text), None, "{text:?}");
        }
    }
}
