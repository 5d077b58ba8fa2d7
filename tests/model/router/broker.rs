//! Who gets which EVENT. [basic/publish_subscribe, advanced/pubsub_*]

use serde_json::{Map, Value, json};

use super::kept::Published;
use super::{Fault, Grant, Model, Realm, Session, Subscription, passthru, publication, uri, with_payload};

impl Model {
    pub(super) fn subscribe(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        self.demand_role(at, "subscriber")?;
        let (request, options, topic) = (&message[1], &message[2], message[3].as_str().expect("a topic"));
        let policy = options["match"].as_str().unwrap_or("exact");
        self.check_uri(at, topic, policy)?;
        self.authorize(at, topic, policy, "subscribe")?;
        let most = self.settings.limits.subscriptions;
        let created = self.time_of_day();
        let realm = self.realm_of(at);
        let held = realm.subscriptions.iter().filter(|held| held.has(at)).count();
        let found = realm.subscriptions.iter_mut().find(|known| known.uri == topic && known.policy == policy);
        let is_new = found.as_ref().is_none_or(|known| !known.has(at));
        if is_new && held >= most {
            return Err(Fault::Refused("wamplet.error.limit_exceeded"));
        }
        let is_created = found.is_none();
        let id = match found {
            Some(subscription) => {
                if is_new {
                    subscription.subscribers.push(at);
                }
                subscription.id
            }
            None => {
                realm.last_subscription += 1;
                let id = realm.last_subscription;
                let (uri, policy) = (topic.into(), policy.into());
                let subscribers = vec![at];
                realm.subscriptions.push(Subscription {
                    id,
                    uri,
                    policy,
                    created,
                    subscribers,
                    history: None,
                });
                id
            }
        };
        self.send(at, json!([33, request, id]));
        if options["get_retained"] == true {
            self.send_retained(at, id);
        }
        if is_new && !uri::is_reserved(topic) {
            self.announce_beginning(at, "subscription", id, is_created);
        }
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let realm = self.realm_of(at);
        let mut held = realm.subscriptions.iter().filter(|held| held.has(at));
        let Some(subscription) = held.find(|held| message[2] == held.id) else {
            return Err(Fault::Refused("wamp.error.no_such_subscription"));
        };
        let (id, is_told) = (subscription.id, subscription.is_told());
        realm.take_subscriber(at, Some(id));
        self.send(at, json!([35, message[1]]));
        if is_told {
            let session = self.session(at).clone();
            self.announce_end(&session, "subscription", id);
        }
        Ok(())
    }

    pub(super) fn publish_for(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        self.demand_role(at, "publisher")?;
        let (request, options, topic) = (&message[1], &message[2], message[3].as_str().expect("a topic"));
        self.check_uri(at, topic, "exact")?;
        if uri::is_reserved(topic) {
            return Err(Fault::Refused("wamp.error.invalid_uri"));
        }
        self.demand_payload(at, "publisher", options)?;
        let grant = self.authorize(at, topic, "exact", "publish")?;
        grant.check(options)?;
        let lists = AUDIENCE.iter().filter_map(|key| options[*key].as_array());
        if lists.map(Vec::len).sum::<usize>() > self.settings.limits.audience {
            return Err(Fault::Refused("wamplet.error.limit_exceeded"));
        }
        let publication = self.next_publication();
        if options["acknowledge"] == true {
            self.send(at, json!([17, request, publication]));
        }
        let session = self.session(at).clone();
        self.publish_as(at, &session, publication, grant, message);
        Ok(())
    }

    /// The EVENTs of a PUBLISH that is allowed, of a session that may have left.
    fn publish_as(
        &mut self,
        at: usize,
        publisher: &Session,
        publication: Value,
        grant: Grant,
        message: &Value,
    ) {
        let (options, topic) = (&message[2], message[3].as_str().expect("a topic"));
        let mut details = passthru(options);
        if grant.discloses(options["disclose_me"] == true) {
            details.insert("publisher".into(), publisher.id.into());
            details.insert("publisher_authid".into(), publisher.authid.clone().into());
            details.insert("publisher_authrole".into(), publisher.authrole.clone().into());
        }
        let excluded = (options["exclude_me"] != false).then_some(at);
        let realm = &publisher.realm;
        self.publish(realm, topic, publication, excluded, options, &details, grant.trustlevel, message);
    }

    /// [advanced/pubsub_testament] all that are for when the session is detached, then all for when it is destroyed;
    /// those that the session may not publish any more are not.
    pub(super) fn publish_testaments(&mut self, at: usize, session: &Session) {
        for scope in ["detached", "destroyed"] {
            for testament in session.testaments.iter().filter(|testament| testament.scope == scope) {
                let topic = testament.publish[3].as_str().expect("a topic");
                let grant = match self.authorizer_of(session) {
                    Some(_) => testament.decision,
                    None => self.authorize_session(session, topic, "exact", "publish").ok(),
                };
                if let Some(grant) = grant {
                    let publication = testament.publication.clone();
                    self.publish_as(at, session, publication, grant, &testament.publish);
                }
            }
        }
    }

    /// An event of the router itself.
    pub(super) fn announce(&mut self, realm: &str, topic: &str, args: &Value) {
        let is_served = self.configured(realm).is_none_or(|configured| configured.has_meta_api);
        if !is_served {
            return;
        }
        let publication = self.next_publication();
        let message = json!([0, 0, 0, 0, args]);
        self.publish(realm, topic, publication, None, &json!({}), &Map::new(), None, &message);
    }

    /// Whether a subscriber announced what stands in the place of a list of arguments.
    pub(super) fn reads(&self, at: usize, options: &Value) -> bool {
        options["enc_algo"].is_null() || self.has_feature(at, "subscriber", "payload_transparency")
    }

    pub(super) fn next_publication(&mut self) -> Value {
        self.publications += 1;
        publication(self.publications)
    }

    /// One EVENT for each subscription that matches and each of its subscribers who may have it.
    #[expect(clippy::too_many_arguments, reason = "the parts of one publication, each used once")]
    fn publish(
        &mut self,
        realm: &str,
        topic: &str,
        publication: Value,
        excluded: Option<usize>,
        options: &Value,
        details: &Map<String, Value>,
        trustlevel: Option<u64>,
        message: &Value,
    ) {
        let published = Published {
            publication: &publication,
            topic,
            excluded: excluded.and_then(|at| self.joined(at)).map(|session| session.id),
            options,
            details,
            trustlevel,
            message,
        };
        self.keep(realm, &published);
        let mut events = Vec::new();
        let known = self.realms.iter().find(|known| known.name == realm).expect("the realm is there");
        for subscription in &known.subscriptions {
            if !uri::matches(&subscription.uri, &subscription.policy, topic) {
                continue;
            }
            let mut details = details.clone();
            if subscription.policy != "exact" {
                details.insert("topic".into(), topic.into());
            }
            for subscriber in &subscription.subscribers {
                let mut details = details.clone();
                if let Some(trustlevel) = trustlevel
                    && self.has_feature(*subscriber, "subscriber", "publication_trustlevels")
                {
                    details.insert("trustlevel".into(), trustlevel.into());
                }
                let event = json!([36, subscription.id, publication, details]);
                events.push((*subscriber, with_payload(event, message, 4)));
            }
        }
        for (subscriber, event) in events {
            let is_wanted =
                self.reads(subscriber, options) && is_in_audience(self.session(subscriber), options);
            if excluded != Some(subscriber) && is_wanted {
                self.send(subscriber, event);
            }
        }
    }
}

impl Subscription {
    pub fn has(&self, at: usize) -> bool {
        self.subscribers.contains(&at)
    }

    /// Whether the meta API tells of it: who watches the router's own topics is no news.
    pub(super) fn is_told(&self) -> bool {
        !uri::is_reserved(&self.uri)
    }
}

impl Realm {
    /// Takes a subscriber out of one subscription, or out of all.
    pub(super) fn take_subscriber(&mut self, at: usize, id: Option<u64>) {
        for subscription in &mut self.subscriptions {
            if id.is_none_or(|id| subscription.id == id) {
                subscription.subscribers.retain(|subscriber| *subscriber != at);
            }
        }
        self.subscriptions.retain(|known| known.history.is_some() || !known.subscribers.is_empty());
    }
}

pub(super) const AUDIENCE: [&str; 6] =
    ["eligible", "eligible_authid", "eligible_authrole", "exclude", "exclude_authid", "exclude_authrole"];

/// [advanced/pubsub_subscriber_blackwhite_listing] a receiver passes every list that is there.
pub(super) fn is_in_audience(session: &Session, options: &Value) -> bool {
    AUDIENCE.iter().all(|key| {
        let Some(list) = options[*key].as_array() else { return true };
        let is_named = match key.rsplit_once('_') {
            Some((_, "authid")) => list.iter().any(|authid| *authid == session.authid.as_str()),
            Some(_) => list.iter().any(|authrole| *authrole == session.authrole.as_str()),
            None => list.iter().any(|id| *id == session.id),
        };
        is_named == key.starts_with("eligible")
    })
}
