//! The authentication methods of one listening transport, and the choice among them.
//!
//! Owns which method a HELLO leads to. What each method then does is in the file of its name; what is pending between two
//! messages of a client is an [`Exchange`].

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;
#[cfg(feature = "native")]
use sha2::{Digest, Sha256};

#[cfg(feature = "native")]
use super::AUTHENTICATION_FAILED;
use super::anonymous::Anonymous;
use super::authenticator::Authenticator;
use super::cookie::Logins;
use super::cryptosign::AuthorizedKeys;
use super::exchange::Exchange;
use super::principals::Provider;
use super::scram::{Dialect, ScramKeys};
use super::ticket::Ticket;
use super::wampcra::CraSecret;
use super::{AUTHENTICATION_DENIED, Ask, Certificate, Fingerprints, Identity, NO_MATCHING_AUTH_METHOD};
use crate::id::SessionId;
use crate::message::Dict;
use crate::payload::Values;
use crate::router::Now;
#[cfg(feature = "native")]
use crate::router::context::serial;

/// How the clients of one listening transport authenticate, and for which realms. Default in no way: nobody gets in.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    /// The realms of the transport: to its clients any other one is as good as none. Default all of the router.
    #[cfg(feature = "native")]
    pub realms: Option<Arc<[String]>>,
    /// `anonymous`.
    pub anonymous: Option<Anonymous>,
    /// `ticket`.
    pub ticket: Option<Provider<Ticket>>,
    /// `wampcra`.
    pub wampcra: Option<Provider<CraSecret>>,
    /// `scram`, which clients also call `wamp-scram`.
    pub scram: Option<Provider<ScramKeys>>,
    /// `cryptosign`.
    pub cryptosign: Option<Provider<AuthorizedKeys>>,
    /// `tls`.
    pub tls: Option<Provider<Fingerprints>>,
    /// `cookie`: who has logged in before.
    pub cookie: Option<Arc<dyn Logins>>,
}

/// What a client said, and what the router knows and chooses while it answers.
#[derive(Debug)]
pub struct Hello<'a> {
    /// `HELLO.Realm`, if it names one.
    pub realm: Option<&'a str>,
    /// `HELLO.Details`.
    pub details: &'a Dict,
    /// The id that WELCOME will carry.
    pub session: SessionId,
    /// An authid for a client that has none of its own: a fresh one, or that of its cookie.
    pub serial: String,
    /// `transport` of the session details, for authenticators.
    pub transport: Value,
    /// Fresh chance, for challenges. Used once.
    pub entropy: [u8; 32],
    pub now: Now,
}

/// What the driver knows of a transport that a peer cannot make up. Default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// The channel id of type `tls-exporter` (RFC 9266), of a TLS connection.
    pub tls_exporter: Option<[u8; 32]>,
    /// The channel id of type `tls-unique` (RFC 5929) of a TLS connection before 1.3, hashed by SHA-256 as Autobahn does.
    pub tls_unique: Option<[u8; 32]>,
    /// The certificate of the client, which the driver has verified.
    pub certificate: Option<Certificate>,
    /// Where the peer is, if that is an address of IP. Logins that fail are counted by it.
    pub address: Option<IpAddr>,
    /// The value of the cookie that the transport was opened with, or was given.
    pub cookie: Option<String>,
}

#[cfg(feature = "native")]
impl Channel {
    /// The authid of a client that proves nothing, where it has a cookie: the same one as long as it has this cookie. It is
    /// made of the cookie and not the cookie itself, as it is in Crossbar.io: other sessions learn of authids.
    pub(crate) fn authid(&self) -> Option<String> {
        let cookie = self.cookie.as_ref()?;
        let digest = Sha256::new().chain_update("authid of ").chain_update(cookie).finalize();
        Some(serial(|position, end| usize::from(digest[position]) % end))
    }
}

/// What comes next between the router and a client that wants in.
#[derive(Debug)]
pub enum Step {
    /// WELCOME.
    Accept {
        /// Its realm is where the session joins, whatever HELLO names; `None` where nobody names one.
        identity: Identity,
        /// More entries for `WELCOME.Details.authextra`, and for nobody else to see.
        welcome_extra: Dict,
    },
    /// CHALLENGE, to be answered by AUTHENTICATE.
    Challenge { method: &'static str, extra: Dict, exchange: Exchange },
    /// A question for an authenticator.
    Ask { ask: Ask, values: Values, exchange: Exchange },
    /// ABORT.
    Deny(Denial),
}

/// Why somebody is not let in, as ABORT says it. Names no principal, unless an authenticator does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denial {
    /// The reason of the ABORT.
    pub error: Cow<'static, str>,
    /// Its message.
    pub text: Cow<'static, str>,
    /// What went wrong with the authenticator, for the log and not for the client. Default nothing.
    #[cfg(feature = "native")]
    pub fault: String,
}

#[cfg(feature = "native")]
impl Denial {
    /// Because of others that came from the same address.
    pub(crate) fn for_failures() -> Self {
        let text = "too many logins from this address have failed: try again in a minute";
        Self { error: AUTHENTICATION_DENIED.into(), text: text.into(), ..Self::default() }
    }

    /// Whether it says nothing about the client.
    pub(crate) fn is_fault(&self) -> bool {
        self.error == AUTHENTICATION_FAILED
    }
}

impl<'a> Hello<'a> {
    /// `HELLO.Details.authid`, if it names one.
    pub(super) fn authid(&self) -> Option<&'a str> {
        self.details.get("authid")?.as_str()
    }

    /// An entry of `HELLO.Details.authextra`, if it is there and not null.
    pub(super) fn authextra(&self, key: &str) -> Option<&'a Value> {
        self.details.get("authextra")?.get(key).filter(|value| !value.is_null())
    }
}

/// What a HELLO lacks.
pub(super) const NO_AUTHID: &str = "this method needs HELLO.Details.authid";

impl Methods {
    /// Those of a transport where nobody authenticates.
    #[cfg(feature = "native")]
    pub(crate) fn open() -> Self {
        Self { anonymous: Some(Anonymous::Open), ..Self::default() }
    }

    /// Whether a realm of this name, if there is one, is one of the transport.
    #[cfg(feature = "native")]
    pub(crate) fn offer(&self, realm: &str) -> bool {
        self.realms.as_ref().is_none_or(|realms| realms.iter().any(|offered| offered == realm))
    }

    /// The authenticators that are asked who somebody is, each with the method that it is for.
    pub(crate) fn authenticators(&self) -> impl Iterator<Item = (&'static str, &Authenticator)> {
        let anonymous = self.anonymous.as_ref().and_then(|anonymous| match anonymous {
            Anonymous::Dynamic(authenticator) => Some(authenticator),
            _ => None,
        });
        let methods = [
            ("anonymous", anonymous),
            ("ticket", self.ticket.as_ref().and_then(Provider::authenticator)),
            ("wampcra", self.wampcra.as_ref().and_then(Provider::authenticator)),
            ("scram", self.scram.as_ref().and_then(Provider::authenticator)),
            ("cryptosign", self.cryptosign.as_ref().and_then(Provider::authenticator)),
            ("tls", self.tls.as_ref().and_then(Provider::authenticator)),
        ];
        methods.into_iter().filter_map(|(method, authenticator)| Some((method, authenticator?)))
    }

    /// The functions of the program that authenticate, each with the method that it is for.
    pub fn functions(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let authenticators = self.authenticators();
        authenticators.filter_map(|(method, authenticator)| Some((method, authenticator.ask.function()?)))
    }

    /// Whether they ask nobody who it is.
    #[cfg(feature = "native")]
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.anonymous, Some(Anonymous::Open))
    }

    /// Answers a HELLO: the first of the client's `authmethods` that is configured and possible here decides. A client
    /// that names none means `anonymous`.
    pub fn begin(&self, hello: &Hello<'_>, channel: &Channel) -> Step {
        let anonymous = [Value::from("anonymous")];
        let offered = match hello.details.get("authmethods") {
            Some(Value::Array(offered)) if !offered.is_empty() => offered.as_slice(),
            None | Some(Value::Null | Value::Array(_)) => &anonymous,
            Some(_) => &[],
        };
        for method in offered {
            if let Some(step) = self.by(method.as_str().unwrap_or_default(), hello, channel) {
                return step;
            }
        }
        Step::Deny(Denial {
            error: NO_MATCHING_AUTH_METHOD.into(),
            text: "none of the methods in HELLO.Details.authmethods is possible here".into(),
            ..Denial::default()
        })
    }

    /// Answers a HELLO by one method, if it is configured and possible here.
    fn by(&self, method: &str, hello: &Hello<'_>, channel: &Channel) -> Option<Step> {
        match method {
            "anonymous" => Some(self.anonymous.as_ref()?.begin(hello)),
            "ticket" => Some(self.ticket.as_ref()?.begin(hello)),
            "wampcra" => Some(self.wampcra.as_ref()?.begin(hello)),
            "scram" => Some(self.scram.as_ref()?.begin(hello, Dialect::Crossbar)),
            "wamp-scram" => Some(self.scram.as_ref()?.begin(hello, Dialect::Wamp)),
            "cryptosign" => Some(self.cryptosign.as_ref()?.begin(hello, channel)),
            #[cfg(feature = "native")]
            "tls" => Some(self.tls.as_ref()?.begin(hello, channel.certificate.as_ref()?)),
            #[cfg(feature = "native")]
            "cookie" => self.cookie_login(hello, channel),
            _ => None,
        }
    }

    /// The login that the cookie of the transport stands for, if it is one for this realm, and for this transport.
    #[cfg(feature = "native")]
    fn cookie_login(&self, hello: &Hello<'_>, channel: &Channel) -> Option<Step> {
        let mut identity = self.cookie.as_ref()?.login(channel.cookie.as_deref()?, hello.now)?;
        let realm = identity.realm.as_deref();
        if hello.realm.is_some() && realm != hello.realm || !realm.is_none_or(|realm| self.offer(realm)) {
            return None;
        }
        identity.authprovider = "cookie".into();
        Some(Step::Accept { identity, welcome_extra: Dict::new() })
    }

    /// Whether who once logged in as this would be let in as the same by the same method now: by an authenticator, which is
    /// not asked, or as a principal with this authid and role, in a realm of the transport.
    #[cfg(feature = "native")]
    pub(crate) fn still_know(&self, login: &Identity) -> bool {
        fn know<C>(provider: Option<&Provider<C>>, login: &Identity) -> bool {
            match provider {
                Some(Provider::Static(principals)) => principals.list().iter().any(|one| one.is(login)),
                Some(Provider::Dynamic(_)) => true,
                None => false,
            }
        }
        if !login.realm.as_deref().is_none_or(|realm| self.offer(realm)) {
            return false;
        }
        match &*login.authmethod {
            "ticket" => know(self.ticket.as_ref(), login),
            "wampcra" => know(self.wampcra.as_ref(), login),
            "scram" | "wamp-scram" => know(self.scram.as_ref(), login),
            "cryptosign" => know(self.cryptosign.as_ref(), login),
            "tls" => know(self.tls.as_ref(), login),
            _ => false,
        }
    }

    /// Whether who has proved to be this by the methods of `before` would have proved it by these: with the same credential,
    /// and for the same, or to the same authenticator.
    #[cfg(feature = "native")]
    pub(crate) fn confirm(&self, before: &Self, login: &Identity) -> bool {
        fn agree<C: PartialEq>(
            now: Option<&Provider<C>>,
            before: Option<&Provider<C>>,
            login: &Identity,
        ) -> bool {
            match (now, before) {
                (Some(Provider::Static(now)), Some(Provider::Static(before))) => {
                    let mut proved = before.list().iter().filter(|one| one.is(login));
                    proved.any(|one| now.list().contains(one))
                }
                (Some(Provider::Dynamic(now)), Some(Provider::Dynamic(before))) => now == before,
                _ => false,
            }
        }
        match &*login.authmethod {
            "anonymous" => match (&self.anonymous, &before.anonymous) {
                (Some(Anonymous::Dynamic(now)), Some(Anonymous::Dynamic(before))) => now == before,
                _ => false,
            },
            "ticket" => agree(self.ticket.as_ref(), before.ticket.as_ref(), login),
            "wampcra" => agree(self.wampcra.as_ref(), before.wampcra.as_ref(), login),
            "scram" | "wamp-scram" => agree(self.scram.as_ref(), before.scram.as_ref(), login),
            "cryptosign" => agree(self.cryptosign.as_ref(), before.cryptosign.as_ref(), login),
            "tls" => agree(self.tls.as_ref(), before.tls.as_ref(), login),
            _ => false,
        }
    }

    /// Remembers who has joined, so that its cookie stands for it. For the router to call with each WELCOME; does nothing
    /// where cookies do not log in, and for anonymous sessions.
    pub fn remember(&self, channel: &Channel, joined: &Identity, now: Now) {
        let (Some(logins), Some(cookie)) = (&self.cookie, &channel.cookie) else { return };
        if joined.authmethod != "anonymous" {
            logins.remember(cookie, joined, now);
        }
    }

    /// Forgets who logged in by the cookie of the transport. For the router to call at GOODBYE `wamp.close.logout`.
    pub fn forget(&self, channel: &Channel) {
        if let (Some(logins), Some(cookie)) = (&self.cookie, &channel.cookie) {
            logins.forget(cookie);
        }
    }
}

/// The same one, not an equal one.
impl PartialEq for Methods {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Step {
    /// Refuses whoever cannot prove what it says. One answer for an unknown principal, a wrong secret, and a signature that
    /// is none.
    pub(crate) fn refuse() -> Self {
        Self::refuse_hello("the client could not be authenticated")
    }

    /// Refuses a HELLO that lacks what the method needs, whoever it is from.
    pub(super) fn refuse_hello(text: &'static str) -> Self {
        Self::Deny(Denial { error: AUTHENTICATION_DENIED.into(), text: text.into(), ..Denial::default() })
    }
}
