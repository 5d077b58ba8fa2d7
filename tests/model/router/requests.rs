//! Messages of a session: in which order, and what they may ask for. [basic/building_blocks, basic/sessions]

use serde_json::{Map, Value, json};

use super::authorization::Waiting;
use super::{Caller, Fault, Model, uri};

impl Model {
    /// A message of a session, which may have to wait.
    pub(super) fn arrive(&mut self, at: usize, code: u64, message: &Value) -> Result<(), Fault> {
        let is_piece = code == 48 && self.is_piece_of_call(at, message[1].as_u64().expect("an id"));
        if is_request(code) && !is_piece {
            self.check_request_id(at, message[1].as_u64().expect("an id"))?;
        }
        let is_canceled = code == 49 && self.cancel_waiting(at, &message[1]);
        if is_canceled || self.is_too_late(at, code) {
            return Ok(());
        }
        if self.must_wait(at, code, message, is_piece) {
            return self.wait(at, message, is_piece);
        }
        if is_piece { self.resume(at, message) } else { self.request(at, code, message) }
    }

    /// Whether a CALL goes on with an earlier one, or with one that is over; else it is a new one.
    /// [advanced/rpc_progressive_call_invocations]
    pub(super) fn is_piece_of_call(&mut self, at: usize, request: u64) -> bool {
        if !self.has_feature(at, "caller", "progressive_call_invocations") {
            return false;
        }
        let session = self.session(at);
        let waits = |waiting: &Waiting| waiting.message[0] == 48 && waiting.message[1] == request;
        match session.last_request {
            Some(last) => request <= last,
            None if session.cut_short.contains(&request) || session.waiting.iter().any(waits) => true,
            None => {
                let mut calls = self.realm_of(at).calls.iter();
                calls.any(|call| call.caller == Caller::Session(at) && call.request == request)
            }
        }
    }

    /// A message of a session.
    pub(super) fn request(&mut self, at: usize, code: u64, message: &Value) -> Result<(), Fault> {
        match code {
            3 => {
                self.leave(at, true);
                self.close(at, "Normal");
            }
            6 => {
                self.send(at, json!([6, {}, "wamp.close.goodbye_and_out"]));
                self.leave(at, true);
            }
            8 if message[1] != 68 => return Err(Fault::Violation),
            8 => return self.fail(at, message),
            16 => return self.publish_for(at, message),
            32 => return self.subscribe(at, message),
            34 => return self.unsubscribe(at, message),
            48 => return self.call(at, message),
            49 => self.cancel(at, message),
            64 => return self.register(at, message),
            66 => return self.unregister(at, message),
            70 => return self.answer(at, message),
            337 => {}
            // A second HELLO, an AUTHENTICATE that nobody asked for.
            _ => return Err(Fault::Violation),
        }
        Ok(())
    }

    /// [basic/building_blocks] requests count from 1; a client whose first id is another one counts in its own way.
    pub(super) fn check_request_id(&mut self, at: usize, request: u64) -> Result<(), Fault> {
        let session = self.session_mut(at);
        match session.last_request {
            Some(last) if request == last + 1 => session.last_request = Some(request),
            Some(0) => session.last_request = None,
            Some(_) => return Err(Fault::Violation),
            None => {}
        }
        Ok(())
    }

    pub(super) fn demand_role(&self, at: usize, role: &str) -> Result<(), Fault> {
        if self.session(at).roles.get(role).is_some() { Ok(()) } else { Err(Fault::Violation) }
    }

    pub(super) fn has_feature(&self, at: usize, role: &str, feature: &str) -> bool {
        self.joined(at).is_some_and(|session| session.roles[role]["features"][feature] == true)
    }

    /// [advanced/payload_passthru_mode] whether the role announced the form in which these options say the payload is.
    pub(super) fn takes_payload(&self, at: usize, role: &str, options: &Value) -> bool {
        let has = |key: &str| options[key].as_str().is_some_and(|text| !text.is_empty());
        (!has("ppt_scheme") || self.has_feature(at, role, "payload_passthru_mode"))
            && (!has("enc_algo") || self.has_feature(at, role, "payload_transparency"))
    }

    /// The same of the router, where somebody calls it.
    pub(super) fn takes_payload_of_router(&self, options: &Value) -> bool {
        let has = |key: &str| options[key].as_str().is_some_and(|text| !text.is_empty());
        !has("ppt_scheme") && !has("enc_algo")
    }

    pub(super) fn demand_payload(&self, at: usize, role: &str, options: &Value) -> Result<(), Fault> {
        if self.takes_payload(at, role, options) { Ok(()) } else { Err(Fault::Violation) }
    }

    pub(super) fn check_uri(&self, at: usize, text: &str, policy: &str) -> Result<(), Fault> {
        let configured = self.configured(&self.session(at).realm).expect("its realm is configured");
        let is_valid = uri::is_valid(text, policy, configured.is_strict);
        if is_valid && text.len() <= self.settings.limits.uri_length {
            return Ok(());
        }
        Err(Fault::Refused("wamp.error.invalid_uri"))
    }
}

/// Messages that are answered with ERROR.
pub(super) fn is_request(code: u64) -> bool {
    matches!(code, 16 | 32 | 34 | 48 | 64 | 66)
}

/// The payload passthru attributes of options, which become those of details.
pub(super) fn passthru(options: &Value) -> Map<String, Value> {
    let keys =
        ["ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid", "enc_algo", "enc_key", "enc_serializer"];
    let given = keys.iter().filter_map(|key| Some(((*key).to_owned(), options.get(*key)?.clone())));
    given.filter(|(_, value)| !value.is_null()).collect()
}

/// A message with the payload of another one, which begins at `from`.
pub(super) fn with_payload(head: Value, message: &Value, from: usize) -> Value {
    let mut head: Vec<Value> = head.as_array().expect("a message").clone();
    head.extend(message.as_array().expect("a message").iter().skip(from).cloned());
    head.into()
}
