//! `ticket`: a secret that the client sends as it is. [wamp: advanced/authentication_ticket]

use std::fmt;

use serde_json::Value;

use super::authenticator::{Authenticator, question};
use super::exchange::{Client, Wait};
use super::methods::{Hello, NO_AUTHID, Step};
use super::proof::{hmac, is_same};
use super::{Grant, Provider};
use crate::message::Dict;
use crate::payload::Values;

/// What a client must send.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(pub String);

/// The ticket of whom the client says it is.
pub(super) struct Expected {
    ticket: String,
    grant: Option<Grant>,
    entropy: [u8; 32],
}

/// What an authenticator will be asked when the client has sent its ticket.
pub(super) struct Question {
    authenticator: Authenticator,
    values: Values,
}

impl Provider<Ticket> {
    pub(super) fn begin(&self, hello: &Hello<'_>) -> Step {
        let authid = hello.authid();
        let (authenticator, wait) = match self {
            Self::Static(principals) => {
                let Some(authid) = authid else { return Step::refuse_hello(NO_AUTHID) };
                let known = principals.find(authid);
                let expected = Expected {
                    ticket: known.map(|principal| principal.credential.0.clone()).unwrap_or_default(),
                    grant: known.map(|principal| principal.grant.clone()),
                    entropy: hello.entropy,
                };
                (None, Wait::Ticket(expected))
            }
            // A ticket may say by itself whose it is.
            Self::Dynamic(authenticator) => {
                let values = question(hello, TICKET, authid, None);
                let question = Question { authenticator: authenticator.clone(), values };
                (Some(authenticator), Wait::TicketToAsk(question))
            }
        };
        Client::new(hello, TICKET, authid, authenticator).challenge(Dict::new(), wait)
    }
}

impl Expected {
    pub(super) fn judge(self, client: Client, ticket: &str) -> Step {
        // Hashed, so that both are of one length; with fresh chance, so that the hashes are of no use.
        let hash = |ticket: &str| hmac(&self.entropy, &[ticket.as_bytes()]);
        client.judge(is_same(&hash(&self.ticket), &hash(ticket)), self.grant, Dict::new())
    }
}

impl Question {
    pub(super) fn ask(mut self, client: Client, ticket: &str) -> Step {
        if let Some(Value::Object(details)) = self.values.args.last_mut() {
            details.insert(TICKET.to_owned(), ticket.into());
        }
        client.ask(&self.authenticator, self.values, Wait::Admission)
    }
}

/// Without the secret.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

const TICKET: &str = "ticket";
