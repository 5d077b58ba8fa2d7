//! Who gets which EVENT. [basic/publish_subscribe, advanced/pubsub_*]

use serde_json::{Map, Value, json};

use super::{Fault, Model, Session, Subscription, passthru, publication, uri, with_payload};

impl Model {
    pub(super) fn subscribe(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        self.demand_role(at, "subscriber")?;
        let (request, options, topic) = (&message[1], &message[2], message[3].as_str().expect("a topic"));
        let policy = options["match"].as_str().unwrap_or("exact");
        self.check_uri(at, topic, policy)?;
        self.authorize(at, topic, policy, "subscribe")?;
        let most = self.settings.limits.subscriptions;
        let realm = self.realm_of(at);
        let held = realm.subscriptions.iter().filter(|held| held.subscribers.contains(&at)).count();
        let found = realm.subscriptions.iter_mut().find(|known| known.uri == topic && known.policy == policy);
        let is_new = found.as_ref().is_none_or(|known| !known.subscribers.contains(&at));
        if is_new && held >= most {
            return Err(Fault::Refused("wamplet.error.limit_exceeded"));
        }
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
                realm.subscriptions.push(Subscription { id, uri, policy, subscribers: vec![at] });
                id
            }
        };
        self.send(at, json!([33, request, id]));
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        let realm = self.realm_of(at);
        let mut held = realm.subscriptions.iter_mut().filter(|held| held.subscribers.contains(&at));
        let Some(subscription) = held.find(|held| message[2] == held.id) else {
            return Err(Fault::Refused("wamp.error.no_such_subscription"));
        };
        subscription.subscribers.retain(|subscriber| *subscriber != at);
        realm.subscriptions.retain(|subscription| !subscription.subscribers.is_empty());
        self.send(at, json!([35, message[1]]));
        Ok(())
    }

    pub(super) fn publish_for(&mut self, at: usize, message: &Value) -> Result<(), Fault> {
        self.demand_role(at, "publisher")?;
        let (request, options, topic) = (&message[1], &message[2], message[3].as_str().expect("a topic"));
        self.check_uri(at, topic, "exact")?;
        if uri::is_reserved(topic) {
            return Err(Fault::Refused("wamp.error.invalid_uri"));
        }
        let is_disclosed = self.authorize(at, topic, "exact", "publish")? || options["disclose_me"] == true;
        let lists = AUDIENCE.iter().filter_map(|key| options[*key].as_array());
        if lists.map(Vec::len).sum::<usize>() > self.settings.limits.audience {
            return Err(Fault::Refused("wamplet.error.limit_exceeded"));
        }
        let publication = self.next_publication();
        if options["acknowledge"] == true {
            self.send(at, json!([17, request, publication]));
        }
        let mut details = passthru(options);
        if is_disclosed {
            let publisher = self.session(at);
            details.insert("publisher".into(), publisher.id.into());
            details.insert("publisher_authid".into(), publisher.authid.clone().into());
            details.insert("publisher_authrole".into(), publisher.authrole.clone().into());
        }
        let realm = self.session(at).realm.clone();
        let excluded = (options["exclude_me"] != false).then_some(at);
        self.dispatch(&realm, topic, publication, excluded, options, &details, message);
        Ok(())
    }

    /// An event of the router itself.
    pub(super) fn announce(&mut self, realm: &str, topic: &str, args: Value) {
        let publication = self.next_publication();
        self.dispatch(realm, topic, publication, None, &json!({}), &Map::new(), &json!([0, 0, 0, 0, args]));
    }

    fn next_publication(&mut self) -> Value {
        self.publications += 1;
        publication(self.publications)
    }

    /// One EVENT for each subscription that matches and each of its subscribers who may have it.
    #[expect(clippy::too_many_arguments, reason = "the parts of one publication, each used once")]
    fn dispatch(
        &mut self,
        realm: &str,
        topic: &str,
        publication: Value,
        excluded: Option<usize>,
        options: &Value,
        details: &Map<String, Value>,
        message: &Value,
    ) {
        let mut events = Vec::new();
        for subscription in &self.realm(realm).subscriptions {
            if !uri::matches(&subscription.uri, &subscription.policy, topic) {
                continue;
            }
            let mut details = details.clone();
            if subscription.policy != "exact" {
                details.insert("topic".into(), topic.into());
            }
            for subscriber in &subscription.subscribers {
                let event = json!([36, subscription.id, publication, details]);
                events.push((*subscriber, with_payload(event, message, 4)));
            }
        }
        for (subscriber, event) in events {
            if excluded != Some(subscriber) && is_in_audience(self.session(subscriber), options) {
                self.send(subscriber, event);
            }
        }
    }
}

const AUDIENCE: [&str; 6] =
    ["eligible", "eligible_authid", "eligible_authrole", "exclude", "exclude_authid", "exclude_authrole"];

/// [advanced/pubsub_subscriber_blackwhite_listing] a receiver passes every list that is there.
fn is_in_audience(session: &Session, options: &Value) -> bool {
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
