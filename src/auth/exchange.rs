//! What is pending between two messages of a client that authenticates.
//!
//! Owns the order of the steps: an exchange waits either for AUTHENTICATE or for the answer of an authenticator, and each
//! of them ends it or makes the next one. A failed attempt ends it; there is no second one.

use std::fmt;

use super::authenticator::{self, Answer, Authenticator};
use super::methods::{Hello, Step};
use super::{Failure, Grant, Identity, cryptosign, scram, ticket, wampcra};
use crate::message::Dict;
use crate::payload::Values;

/// An authentication that has begun.
pub struct Exchange(Box<Pending>);

/// Who authenticates, and what comes next.
struct Pending {
    client: Client,
    wait: Wait,
}

/// What is pending.
pub(super) enum Wait {
    /// The answer of an authenticator that has seen all there is.
    Admission,
    /// The answer of an authenticator that brings the credential to challenge the client with.
    CraSecret(wampcra::Offer),
    ScramKeys(scram::Offer),
    SignatureKey(cryptosign::Offer),
    /// AUTHENTICATE.
    Ticket(ticket::Expected),
    TicketToAsk(ticket::Question),
    CraSignature(wampcra::Challenged),
    ScramProof(scram::Challenged),
    Signature(cryptosign::Challenged),
}

/// Who says it is whom.
pub(super) struct Client {
    method: &'static str,
    provider: &'static str,
    realm: Option<String>,
    /// `None`: the authenticator says it.
    authid: Option<String>,
    /// The role of those for whom an authenticator names none.
    default_role: Option<String>,
    /// The name of the authenticator, for the log.
    #[cfg(feature = "native")]
    asked: String,
}

impl Client {
    pub(super) fn new(
        hello: &Hello<'_>,
        method: &'static str,
        authid: Option<&str>,
        authenticator: Option<&Authenticator>,
    ) -> Self {
        Self {
            method,
            provider: authenticator.map_or("static", |authenticator| authenticator.ask.provider()),
            realm: hello.realm.map(str::to_owned),
            authid: authid.map(str::to_owned),
            default_role: authenticator.and_then(|authenticator| authenticator.default_role.clone()),
            #[cfg(feature = "native")]
            asked: authenticator
                .map_or_else(String::new, |authenticator| authenticator.ask.name().to_owned()),
        }
    }

    pub(super) fn provider(&self) -> &'static str {
        self.provider
    }

    pub(super) fn authid(&self) -> &str {
        self.authid.as_deref().unwrap_or_default()
    }

    /// Asks an authenticator.
    pub(super) fn ask(self, authenticator: &Authenticator, values: Values, wait: Wait) -> Step {
        Step::Ask { ask: authenticator.ask.clone(), values, exchange: self.wait(wait) }
    }

    /// Challenges the client.
    pub(super) fn challenge(self, extra: Dict, wait: Wait) -> Step {
        Step::Challenge { method: self.method, extra, exchange: self.wait(wait) }
    }

    fn wait(self, wait: Wait) -> Exchange {
        Exchange(Box::new(Pending { client: self, wait }))
    }

    /// Lets the client in, if it has proved that it is somebody who is known.
    pub(super) fn judge(self, has_proved: bool, grant: Option<Grant>, welcome_extra: Dict) -> Step {
        match grant {
            Some(grant) if has_proved => self.accept(grant, welcome_extra),
            _ => Step::refuse(),
        }
    }

    /// Lets the client in.
    pub(super) fn accept(self, grant: Grant, welcome_extra: Dict) -> Step {
        // As in Crossbar.io: where the configuration says all, the client may tell others about itself.
        let tells = self.provider == "static" && matches!(self.method, "anonymous" | "ticket");
        let authextra = grant.extra.or_else(|| (!tells).then(Dict::new));
        let Some(authid) = grant.authid.or(self.authid) else {
            return Step::Deny(Failure::no_answer(|| "expected an \"authid\", as HELLO has none".to_owned()));
        };
        let identity = Identity {
            realm: grant.realm.or(self.realm),
            authid: Some(authid),
            authrole: grant.role,
            authmethod: self.method.into(),
            authprovider: self.provider.into(),
            authextra,
        };
        Step::Accept { identity, welcome_extra }
    }
}

impl Exchange {
    /// Whether AUTHENTICATE comes next. Otherwise the answer of an authenticator does, and AUTHENTICATE is a violation.
    pub fn is_challenged(&self) -> bool {
        match self.0.wait {
            Wait::Admission | Wait::CraSecret(_) | Wait::ScramKeys(_) | Wait::SignatureKey(_) => false,
            Wait::Ticket(_)
            | Wait::TicketToAsk(_)
            | Wait::CraSignature(_)
            | Wait::ScramProof(_)
            | Wait::Signature(_) => true,
        }
    }

    /// Takes the client's answer to the CHALLENGE.
    pub fn authenticate(self, signature: &str, extra: &Dict) -> Step {
        let Pending { client, wait } = *self.0;
        match wait {
            Wait::Ticket(expected) => expected.judge(client, signature),
            Wait::TicketToAsk(question) => question.ask(client, signature),
            Wait::CraSignature(challenged) => challenged.judge(client, signature),
            Wait::ScramProof(challenged) => challenged.judge(client, signature, extra),
            Wait::Signature(challenged) => challenged.judge(client, signature),
            Wait::Admission | Wait::CraSecret(_) | Wait::ScramKeys(_) | Wait::SignatureKey(_) => {
                Step::refuse()
            }
        }
    }

    /// Takes the answer of the authenticator.
    pub fn answered(self, answer: Result<Values, Failure>) -> Step {
        let Pending { client, wait } = *self.0;
        #[cfg(feature = "native")]
        let asked = client.asked.clone();
        let step = answered(client, wait, answer);
        #[cfg(feature = "native")]
        if let Step::Deny(mut denial) = step {
            if !denial.fault.is_empty() {
                denial.fault = format!("the authenticator {asked} has failed: {}", denial.fault);
            }
            return Step::Deny(denial);
        }
        step
    }
}

fn answered(client: Client, wait: Wait, answer: Result<Values, Failure>) -> Step {
    let values = match answer {
        Ok(values) => values,
        Err(failure) => return Step::Deny(failure.denial()),
    };
    let unreadable = |expected| {
        let why = || format!("expected {expected}, found {}", authenticator::found(&values));
        Step::Deny(Failure::no_answer(why))
    };
    let Some(answer) = Answer::read(&values, client.default_role.as_deref()) else {
        return unreadable(authenticator::READABLE);
    };
    match wait {
        Wait::Admission => client.accept(answer.grant, Dict::new()),
        Wait::CraSecret(offer) => {
            offer.challenge(client, answer).unwrap_or_else(|| unreadable(wampcra::ANSWER))
        }
        Wait::ScramKeys(offer) => {
            offer.challenge(client, answer).unwrap_or_else(|| unreadable(scram::ANSWER))
        }
        Wait::SignatureKey(offer) => {
            offer.challenge(client, answer).unwrap_or_else(|| unreadable(cryptosign::ANSWER))
        }
        Wait::Ticket(_)
        | Wait::TicketToAsk(_)
        | Wait::CraSignature(_)
        | Wait::ScramProof(_)
        | Wait::Signature(_) => Step::refuse(),
    }
}

/// Without secrets.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an exchange by {}", self.0.client.method)
    }
}
