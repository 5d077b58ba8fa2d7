//! What a role may do by its permissions. [advanced/authorization]

use serde_json::Value;

use super::super::settings::Disclosure;
use super::{Fault, Model, Session, uri};

/// What comes with a permission.
#[derive(Clone, Copy, Default)]
pub struct Grant {
    pub disclosure: Disclosure,
    pub trustlevel: Option<u64>,
}

impl Grant {
    /// Whether a caller or publisher is revealed, where it or its peer wants that or not.
    pub(super) fn discloses(self, is_wanted: bool) -> bool {
        self.disclosure == Disclosure::Always || self.disclosure == Disclosure::OnRequest && is_wanted
    }

    /// Whether a request may have these options.
    pub(super) fn check(self, options: &Value) -> Result<(), Fault> {
        if options["disclose_me"] == true && self.disclosure == Disclosure::Never {
            return Err(Fault::Refused("wamp.error.option_disallowed.disclose_me"));
        }
        Ok(())
    }
}

impl Model {
    /// What the role of a session says about an action.
    pub(super) fn authorize(
        &self,
        at: usize,
        text: &str,
        policy: &str,
        action: &str,
    ) -> Result<Grant, Fault> {
        match self.verdict {
            Some(verdict) => verdict.map_err(Fault::Refused),
            None => self.authorize_session(self.session(at), text, policy, action),
        }
    }

    /// The same by the permissions of its role alone; a role that has an authorizer has none.
    pub(super) fn authorize_session(
        &self,
        session: &Session,
        text: &str,
        policy: &str,
        action: &str,
    ) -> Result<Grant, Fault> {
        let configured = self.configured(&session.realm).expect("its realm is configured");
        let Some(role) = configured.roles.iter().find(|role| role.name == session.authrole) else {
            // The one role that may do everything where nothing else is said.
            let is_trusted = session.authrole == "trusted";
            return if is_trusted {
                Ok(Grant::default())
            } else {
                Err(Fault::Refused("wamp.error.not_authorized"))
            };
        };
        // Whoever asks for a pattern asks for all that it reaches: an exact rule does not allow a pattern, nor a rule
        // that is a wildcard a prefix.
        let covering = |asked: &str| {
            let rules = role.rules.iter().filter(|rule| match asked {
                "exact" => true,
                "prefix" => rule.policy == "prefix",
                _ => rule.policy != "exact",
            });
            let matching = rules.filter(|rule| uri::matches(rule.uri, rule.policy, text));
            matching.max_by_key(|rule| {
                let literal = if rule.policy == "exact" { usize::MAX } else { rule.uri.len() };
                (literal, rule.policy == "wildcard")
            })
        };
        let allows = |asked| covering(asked).is_some_and(|rule| rule.allows(action));
        if !allows("exact") || !allows(policy) {
            return Err(Fault::Refused("wamp.error.not_authorized"));
        }
        let rule = covering("exact").expect("one that allows it");
        let disclosure = match action {
            "call" => rule.caller,
            "publish" => rule.publisher,
            _ => Disclosure::OnRequest,
        };
        Ok(Grant { disclosure, trustlevel: rule.trustlevel })
    }
}
