//! From HELLO to WELCOME or ABORT. [basic/sessions, advanced/authentication]

use serde_json::{Value, json};

use super::super::settings::{Authenticator, Tickets};
use super::{ANY, Fault, Model, Realm, Session, State, TEXT, uri};

const NO_SUCH_REALM: Fault = Fault::Refused("wamp.error.no_such_realm");
const DENIED: Fault = Fault::Refused("wamp.error.authentication_denied");
const FAILED: &str = "wamp.error.authentication_failed";

/// Who joins, once that is known.
struct Who {
    realm: Option<String>,
    /// Drawn by the router where nobody names one.
    authid: Option<String>,
    authrole: String,
    authmethod: &'static str,
    authprovider: &'static str,
    /// In the place of what the client says of itself.
    authextra: Option<Value>,
}

/// What is kept of a HELLO while its client authenticates.
#[derive(Clone)]
pub struct Pending {
    hello: Value,
    method: &'static str,
    authid: Option<String>,
    wait: Wait,
}

/// What comes next.
#[derive(Clone)]
enum Wait {
    /// AUTHENTICATE with the ticket of this configuration.
    Ticket(Tickets),
    /// The answer of an authenticator to the question with this number.
    Answer(u64, Authenticator),
}

impl Model {
    pub(super) fn hello(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let roles = &message[2]["roles"];
        let is_role = |role: &Value| {
            let features = &role["features"];
            role.is_object() && (features.is_null() || features.is_object())
        };
        let known = ["publisher", "subscriber", "caller", "callee"];
        let Some(announced) = roles.as_object() else { return Err(Fault::Violation) };
        if !announced.values().all(is_role) || !known.iter().any(|role| announced.contains_key(*role)) {
            return Err(Fault::Violation);
        }
        let Some(identity) = self.transports[at].identity.clone() else {
            return self.authenticate(at, message);
        };
        let name = message[1].as_str().or(identity.realm);
        if let (Some(fixed), Some(name)) = (identity.realm, name)
            && fixed != name
        {
            self.check_realm_name(name)?;
            self.configured(name).ok_or(NO_SUCH_REALM)?;
            return Err(Fault::Refused("wamp.error.not_authorized"));
        }
        let who = Who {
            realm: name.map(str::to_owned),
            authid: identity.authid.map(str::to_owned),
            authrole: identity.authrole.into(),
            authmethod: "test",
            authprovider: "tests",
            authextra: identity.authextra,
        };
        self.admit(at, &who, &message[2])
    }

    /// The first of the methods that the client offers and that is possible here decides; who offers none means anonymous.
    fn authenticate(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let offered = match &message[2]["authmethods"] {
            Value::Null => vec![json!("anonymous")],
            Value::Array(methods) if methods.is_empty() => vec![json!("anonymous")],
            Value::Array(methods) => methods.clone(),
            _ => Vec::new(),
        };
        let offers = |method| offered.iter().any(|offered| offered == method);
        let realm = message[1].as_str();
        let anonymous = Who {
            realm: realm.map(str::to_owned),
            authid: None,
            authrole: "anonymous".into(),
            authmethod: "anonymous",
            authprovider: "static",
            authextra: None,
        };
        let Some(auth) = self.settings.auth.clone() else {
            let name = realm.ok_or(NO_SUCH_REALM)?;
            self.check_realm_name(name)?;
            if !offers("anonymous") {
                return Err(Fault::Refused("wamp.error.no_matching_auth_method"));
            }
            return self.admit(at, &anonymous, &message[2]);
        };
        // Whether there is such a realm is only told to those who have authenticated.
        realm.map_or(Ok(()), |name| self.check_realm_name(name))?;
        let method = offered.iter().find(|method| *method == "anonymous" || *method == "ticket");
        let method = method.ok_or(Fault::Refused("wamp.error.no_matching_auth_method"))?;
        if method == "ticket" {
            let authid = message[2]["authid"].as_str().map(str::to_owned);
            // An authenticator may see from the ticket whose it is.
            if authid.is_none() && matches!(auth.ticket, Tickets::Static(_)) {
                return Err(DENIED);
            }
            self.send(at, json!([4, "ticket", {}]));
            let wait = Wait::Ticket(auth.ticket);
            self.suspend(at, Pending { hello: message.clone(), method: "ticket", authid, wait });
            return Ok(());
        }
        match auth.anonymous {
            Some(authenticator) => {
                let authid = None;
                let wait = Wait::Answer(0, authenticator.clone());
                let pending = Pending { hello: message.clone(), method: "anonymous", authid, wait };
                self.ask_authenticator(at, pending, &authenticator, None)
            }
            None => self.admit(at, &anonymous, &message[2]),
        }
    }

    /// A message of a client that authenticates.
    pub(super) fn go_on_with_handshake(
        &mut self,
        at: usize,
        code: u64,
        message: &Value,
    ) -> Result<(), Fault> {
        let State::Authenticating(_, pending) = &self.transports[at].state else { return Ok(()) };
        let pending = (**pending).clone();
        match (code, &pending.wait) {
            (3, _) => {
                self.close(at, "Normal");
                Ok(())
            }
            (5, Wait::Ticket(Tickets::Static(principals))) => {
                let authid = pending.authid.as_deref().unwrap_or_default();
                // Of two of the same name the later one holds.
                let known = principals.iter().rfind(|known| known.authid == authid);
                let known = known.filter(|known| message[1] == known.ticket).cloned().ok_or(DENIED);
                self.end_handshake(at);
                let known = known?;
                let who = Who {
                    realm: known.realm.map(str::to_owned).or(pending.realm()),
                    authid: Some(authid.into()),
                    authrole: known.role.into(),
                    authmethod: "ticket",
                    authprovider: "static",
                    authextra: None,
                };
                self.admit(at, &who, &pending.hello[2])
            }
            (5, Wait::Ticket(Tickets::Dynamic(authenticator))) => {
                let authenticator = authenticator.clone();
                self.ask_authenticator(at, pending, &authenticator, Some(&message[1]))
            }
            _ => Err(Fault::Violation),
        }
    }

    fn ask_authenticator(
        &mut self,
        at: usize,
        mut pending: Pending,
        authenticator: &Authenticator,
        ticket: Option<&Value>,
    ) -> Result<(), Fault> {
        let said = &pending.hello[2];
        let authid = match &pending.authid {
            None if pending.method == "ticket" => Value::Null,
            authid => authid.as_deref().unwrap_or(TEXT).into(),
        };
        let mut details = json!({
            "transport": self.transport_details(at),
            "session": ANY,
            "authmethod": pending.method,
            "authid": authid,
            "authrole": said["authrole"],
            "authextra": said["authextra"],
        });
        if let Some(ticket) = ticket {
            details["ticket"] = ticket.clone();
        }
        let values = json!([pending.hello[1], authid, details]);
        let home = pending.realm().filter(|name| self.realms.iter().any(|realm| realm.name == *name));
        if authenticator.function.is_none() && home.is_none() {
            // To whom has not authenticated, a realm without the authenticator is as good as none.
            self.end_handshake(at);
            return Err(Fault::Refused(FAILED));
        }
        let number = self.next_question();
        pending.wait = Wait::Answer(number, authenticator.clone());
        self.suspend(at, pending);
        self.ask(number, at, authenticator.function.ok_or(authenticator.procedure), home, values);
        Ok(())
    }

    /// What the authenticator of a client says: arguments, or an error.
    pub(super) fn authenticated(&mut self, at: usize, number: u64, answer: &Result<Value, String>) {
        let State::Authenticating(_, pending) = &self.transports[at].state else { return };
        let Wait::Answer(asked, authenticator) = &pending.wait else { return };
        if *asked != number {
            return;
        }
        let (pending, authenticator) = ((**pending).clone(), authenticator.clone());
        let provider = if authenticator.function.is_some() { "function" } else { "dynamic" };
        let who = match answer {
            // Its own words, but not what went wrong with it.
            Err(error) if is_fault(error) => Err(FAILED.to_owned()),
            Err(error) => Err(error.clone()),
            Ok(args) => match read(&args[0], authenticator.default_role) {
                None => Err(FAILED.to_owned()),
                Some(Granted { authid: None, .. })
                    if pending.authid.is_none() && pending.method == "ticket" =>
                {
                    Err(FAILED.to_owned())
                }
                Some(Granted { realm, authid, role, extra }) => Ok(Who {
                    realm: realm.or(pending.realm()),
                    authid: authid.or(pending.authid),
                    authrole: role,
                    authmethod: pending.method,
                    authprovider: provider,
                    authextra: Some(extra),
                }),
            },
        };
        self.end_handshake(at);
        match who {
            Ok(who) => {
                let done = self.admit(at, &who, &pending.hello[2]);
                self.conclude(at, 1, &pending.hello, done);
            }
            Err(error) => {
                self.send(at, json!([3, { "message": ANY }, error]));
                self.close(at, "Normal");
            }
        }
    }

    /// The question that somebody is asked about a client, if it waits for that.
    pub(super) fn asked_about_handshake(&self, at: usize) -> Option<u64> {
        match &self.transports[at].state {
            State::Authenticating(_, pending) => match pending.wait {
                Wait::Answer(number, _) => Some(number),
                Wait::Ticket(_) => None,
            },
            _ => None,
        }
    }

    /// As long as there was to say HELLO.
    fn suspend(&mut self, at: usize, pending: Pending) {
        if let State::Open(deadline) | State::Authenticating(deadline, _) = self.transports[at].state {
            self.transports[at].state = State::Authenticating(deadline, Box::new(pending));
        }
    }

    /// The end of that.
    fn end_handshake(&mut self, at: usize) {
        if let State::Authenticating(deadline, _) = self.transports[at].state {
            self.transports[at].state = State::Open(deadline);
        }
    }

    fn check_realm_name(&self, name: &str) -> Result<(), Fault> {
        if name.len() > self.settings.limits.uri_length || !uri::is_valid(name, "exact", false) {
            return Err(Fault::Refused("wamp.error.invalid_uri"));
        }
        Ok(())
    }

    /// Lets somebody into the realm, if that and the role are there.
    fn admit(&mut self, at: usize, who: &Who, hello: &Value) -> Result<(), Fault> {
        if let Some(name) = &who.realm {
            self.check_realm_name(name)?;
        }
        // Nobody but the driver makes somebody the router's own.
        if who.authrole == "trusted" && who.authmethod != "test" {
            return Err(Fault::Refused("wamp.error.no_such_role"));
        }
        let name = who.realm.as_deref().ok_or(NO_SUCH_REALM)?;
        let configured = self.configured(name).ok_or(NO_SUCH_REALM)?;
        let is_new = self.realms.iter().all(|realm| realm.name != name);
        if is_new && self.realms.len() >= self.settings.limits.realms {
            return Err(NO_SUCH_REALM);
        }
        if !configured.has_role(&who.authrole) {
            return Err(Fault::Refused("wamp.error.no_such_role"));
        }
        if is_new {
            self.realms.push(Realm::new(name, &configured, true));
        }
        self.join(at, name, who, hello);
        Ok(())
    }

    fn transport_details(&self, at: usize) -> Value {
        let serializer = self.transports[at].serializer;
        json!({
            "type": "test",
            "protocol": format!("wamp.2.{serializer}"),
            "peer": "model",
            "channel_serializer": serializer,
        })
    }

    fn join(&mut self, at: usize, realm: &str, who: &Who, hello: &Value) {
        let welcome = self.heard[at].iter().find(|message| message[0] == 2).cloned().unwrap_or_default();
        let id = welcome[1].as_u64().unwrap_or_default();
        let is_free =
            (1..=1 << 53).contains(&id) && self.sessions(realm).iter().all(|(other, _)| *other != id);
        let authid = who.authid.as_deref().or(welcome[2]["authid"].as_str()).unwrap_or_default().to_owned();
        let said = Some(&hello["authextra"]).filter(|extra| extra.is_object());
        let authextra = who.authextra.as_ref().or(said).cloned();
        let details = json!({
            "session": if is_free { json!(id) } else { json!("an id that no other session of the realm has") },
            "realm": realm,
            "authid": authid,
            "authrole": who.authrole,
            "authmethod": who.authmethod,
            "authprovider": who.authprovider,
            "authextra": authextra.unwrap_or_else(|| json!({})),
            "transport": self.transport_details(at),
        });
        let mut told = details.clone();
        let told = told.as_object_mut().expect("a dictionary");
        let session = told.remove("session").expect("an id");
        told.remove("transport");
        told.insert("agent".into(), TEXT.into());
        told.insert("roles".into(), json!({ "broker": { "features": ANY }, "dealer": { "features": ANY } }));
        self.send(at, json!([2, session, told]));
        let is_unordered = self.transports[at].is_unordered;
        let mut roles = hello["roles"].clone();
        if is_unordered && let Some(caller) = roles.get_mut("caller") {
            // Pieces that overtake one another are no call.
            caller["features"]["progressive_call_invocations"] = false.into();
        }
        self.date_histories(realm);
        self.transports[at].state = State::Joined(Box::new(Session {
            id,
            realm: realm.into(),
            authid,
            authrole: who.authrole.clone(),
            details: details.clone().into(),
            roles: roles.into(),
            last_request: (!is_unordered).then_some(0),
            invocations: 0,
            testaments: Vec::new(),
            cut_short: Vec::new(),
            waiting: Vec::new(),
            asking: None,
            passed: None,
            leaving: None,
        }));
        for topic in ["wamp.session.on_join", "wamp.metaevent.session.on_join"] {
            self.announce(realm, topic, &json!([details]));
        }
    }
}

impl Pending {
    /// The realm that HELLO names.
    fn realm(&self) -> Option<String> {
        self.hello[1].as_str().map(str::to_owned)
    }
}

/// What an authenticator grants.
struct Granted {
    realm: Option<String>,
    authid: Option<String>,
    role: String,
    extra: Value,
}

/// A role, or a dictionary with one.
fn read(answer: &Value, default_role: Option<&str>) -> Option<Granted> {
    let fields = match answer {
        Value::String(_) => json!({ "role": answer }),
        Value::Object(_) => answer.clone(),
        _ => return None,
    };
    let text = |key: &str| match &fields[key] {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.clone())),
        _ => None,
    };
    let extra = match &fields["extra"] {
        Value::Null => json!({}),
        Value::Object(_) => fields["extra"].clone(),
        _ => return None,
    };
    let role = text("role")?.or_else(|| default_role.map(str::to_owned))?;
    Some(Granted { realm: text("realm")?, authid: text("authid")?, role, extra })
}

/// Whether an error says what went wrong with an authenticator, which is no business of the client.
fn is_fault(error: &str) -> bool {
    let of_calls = [
        "wamp.error.canceled",
        "wamp.error.invalid_argument",
        "wamp.error.no_available_callee",
        "wamp.error.no_such_procedure",
        "wamp.error.payload_size_exceeded",
        "wamp.error.runtime_error",
        "wamp.error.timeout",
        "wamp.error.unavailable",
        "crossbar.error.max_concurrency_reached",
    ];
    of_calls.contains(&error) || error.starts_with("wamplet.")
}
