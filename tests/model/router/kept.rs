//! Events that are kept: for those who subscribe later, and for those who ask for the history of a subscription.
//! [advanced/pubsub_event_retention, pubsub_event_history]

use serde_json::{Map, Value, json};

use super::super::settings::RealmSettings;
use super::broker::is_in_audience;
use super::{Fault, Model, Realm, Subscription, uri, with_payload};

const INVALID_ARGUMENT: Fault = Fault::Refused("wamp.error.invalid_argument");

/// Retained events of a topic for which there is no rule.
const LIMIT: usize = 16;

/// An event as it was published. Those of a realm are in the order in which they came.
pub struct Kept {
    publication: Value,
    topic: String,
    /// As people write it.
    pub time: String,
    expires_ms: Option<u64>,
    /// The session that published it, where it must not get its own event.
    excluded: Option<u64>,
    /// Of its PUBLISH, which say who may have it.
    options: Value,
    details: Map<String, Value>,
    trustlevel: Option<u64>,
    /// With the payload.
    message: Value,
    is_retained: bool,
    /// The subscriptions whose history it is in.
    histories: Vec<u64>,
}

impl Kept {
    fn is_restricted(&self) -> bool {
        let list = |key: &str| self.options[key].as_array();
        let is_limited = |key: &&str| list(key).is_some();
        let is_excluding = |key: &&str| list(key).is_some_and(|list| !list.is_empty());
        ["eligible", "eligible_authid", "eligible_authrole"].iter().any(is_limited)
            || ["exclude", "exclude_authid", "exclude_authrole"].iter().any(is_excluding)
    }

    /// [advanced/pubsub_event_history] the ids of sessions mean nothing to those who read it later.
    fn names_sessions(&self) -> bool {
        let list = |key: &str| self.options[key].as_array();
        list("eligible").is_some() || list("exclude").is_some_and(|list| !list.is_empty())
    }

    fn details(&self, subscription: &Subscription, is_told_trust: bool) -> Map<String, Value> {
        let mut details = self.details.clone();
        if subscription.policy != "exact" {
            details.insert("topic".into(), self.topic.clone().into());
        }
        if let Some(trustlevel) = self.trustlevel.filter(|_| is_told_trust) {
            details.insert("trustlevel".into(), trustlevel.into());
        }
        details
    }
}

/// What is published, as it is kept.
pub(super) struct Published<'a> {
    pub publication: &'a Value,
    pub topic: &'a str,
    pub excluded: Option<u64>,
    pub options: &'a Value,
    pub details: &'a Map<String, Value>,
    pub trustlevel: Option<u64>,
    pub message: &'a Value,
}

impl Model {
    /// Keeps an event, where somebody wants it kept.
    pub(super) fn keep(&mut self, name: &str, published: &Published<'_>) {
        let (topic, options) = (published.topic, published.options);
        self.forget_expired(name);
        let configured = self.configured(name);
        let rules = configured.as_ref().map_or(&[][..], |configured| &configured.retention);
        let rule = uri::best(rules.iter().map(|rule| (rule.uri, rule.policy)), topic).map(|rule| rules[rule]);
        let most = rule.map_or(LIMIT, |rule| rule.limit);
        let by_rule = rule.and_then(|rule| rule.expires_after_s).map(|seconds| self.now_ms + seconds * 1_000);
        let by_publisher = options["x_retain_ms"].as_u64().map(|ms| self.now_ms + ms);
        let most_topics = self.settings.limits.retained_topics;
        let mut event = Kept {
            publication: published.publication.clone(),
            topic: topic.into(),
            time: self.time_of_day(),
            expires_ms: by_rule.into_iter().chain(by_publisher).min(),
            excluded: published.excluded,
            options: options.clone(),
            details: published.details.clone(),
            trustlevel: published.trustlevel,
            message: published.message.clone(),
            is_retained: false,
            histories: Vec::new(),
        };
        let realm = self.realm(name);
        if options["retain"] == true {
            let is_restricted = event.is_restricted();
            let mut retained = realm.kept.iter_mut().filter(|kept| kept.is_retained && kept.topic == topic);
            if !is_restricted {
                // It is for everybody: nobody wants an older one.
                retained.for_each(|kept| kept.is_retained = false);
            } else {
                // The one for everybody stays.
                let excess = (retained.by_ref().count() + 1).saturating_sub(most);
                let retained = realm.kept.iter_mut().filter(|kept| kept.is_retained && kept.topic == topic);
                for oldest in retained.filter(|kept| kept.is_restricted()).take(excess) {
                    oldest.is_retained = false;
                }
            }
            let topics = realm.retained_topics();
            let left = realm.kept.iter().filter(|kept| kept.is_retained && kept.topic == topic).count();
            let has_place = topics.len() < most_topics || topics.iter().any(|known| known == topic);
            event.is_retained = left < most && has_place;
        }
        if !event.names_sessions() {
            let histories = realm.subscriptions.iter().filter(|known| known.history.is_some());
            let matching = histories.filter(|known| uri::matches(&known.uri, &known.policy, topic));
            event.histories = matching.map(|known| known.id).collect();
        }
        realm.kept.push(event);
        realm.shorten_histories();
    }

    /// The retained events for a new subscriber: of each topic the newest that it may have, the oldest first.
    pub(super) fn send_retained(&mut self, at: usize, id: u64) {
        let name = self.session(at).realm.clone();
        self.forget_expired(&name);
        let most = self.settings.limits.events_at_once;
        let is_told_trust = self.has_feature(at, "subscriber", "publication_trustlevels");
        let session = self.session(at).clone();
        let reads = |kept: &&Kept| self.reads(at, &kept.options);
        let realm = self.realms.iter().find(|realm| realm.name == name).expect("its realm is there");
        let subscription = realm.subscriptions.iter().find(|known| known.id == id).expect("it is there");
        let may_have = |kept: &&Kept| {
            kept.is_retained
                && reads(kept)
                && uri::matches(&subscription.uri, &subscription.policy, &kept.topic)
                && kept.excluded != Some(session.id)
                && is_in_audience(&session, &kept.options)
        };
        let mut found: Vec<&Kept> = Vec::new();
        for kept in realm.kept.iter().filter(may_have) {
            found.retain(|older| older.topic != kept.topic);
            found.push(kept);
        }
        let mut events = Vec::new();
        for kept in found.iter().skip(found.len().saturating_sub(most)) {
            let mut details = kept.details(subscription, is_told_trust);
            details.insert("retained".into(), true.into());
            let event = json!([36, id, kept.publication, details]);
            events.push(with_payload(event, &kept.message, 4));
        }
        for event in events {
            self.send(at, event);
        }
    }

    /// Forgets the retained events of a topic or pattern; answers how many there were.
    pub(super) fn clear_retained(&mut self, name: &str, pattern: &str, policy: &str) -> usize {
        self.forget_expired(name);
        let realm = self.realm(name);
        let mut count = 0;
        for kept in realm.kept.iter_mut().filter(|kept| kept.is_retained) {
            if uri::matches(pattern, policy, &kept.topic) {
                kept.is_retained = false;
                count += 1;
            }
        }
        realm.drop_unwanted();
        count
    }

    /// What the router holds itself was made when somebody could ask for the first time.
    pub(super) fn date_histories(&mut self, name: &str) {
        let now = self.time_of_day();
        let known = self.realm(name).subscriptions.iter_mut();
        known.filter(|known| known.created == UNDATED).for_each(|known| known.created.clone_from(&now));
    }

    fn forget_expired(&mut self, name: &str) {
        let now_ms = self.now_ms;
        let realm = self.realm(name);
        for kept in &mut realm.kept {
            kept.is_retained &= kept.expires_ms.is_none_or(|expires_ms| expires_ms > now_ms);
        }
        realm.drop_unwanted();
    }

    /// `wamp.subscription.get_events`.
    pub(super) fn history(&mut self, at: usize, message: &Value) -> Result<Value, Fault> {
        let (args, kwargs) = (&message[4], &message[5]);
        let is_id = |value: &Value| value.as_u64().is_some_and(|id| (1..=1 << 53).contains(&id));
        let wanted = if is_id(&args[0]) { args[0].clone() } else { return Err(INVALID_ARGUMENT) };
        let is_reverse = match &kwargs["reverse"] {
            // Crossbar.io's form of the call: the newest come first.
            Value::Null => !args[1].is_null(),
            value => value.as_bool().ok_or(INVALID_ARGUMENT)?,
        };
        let limit = if kwargs["limit"].is_null() { &args[1] } else { &kwargs["limit"] };
        if !limit.is_null() && !is_id(limit) || !(kwargs["topic"].is_null() || kwargs["topic"].is_string()) {
            return Err(INVALID_ARGUMENT);
        }
        for name in ["from_time", "after_time", "before_time", "until_time"] {
            // Times of one day in one form are in the order of their texts.
            let is_time = |text: &str| text.starts_with("2023-11-14T") && text.len() == 24;
            if !(kwargs[name].is_null() || kwargs[name].as_str().is_some_and(is_time)) {
                return Err(INVALID_ARGUMENT);
            }
        }
        for name in ["from_publication", "after_publication", "before_publication", "until_publication"] {
            if !(kwargs[name].is_null() || is_id(&kwargs[name])) {
                return Err(INVALID_ARGUMENT);
            }
        }
        let most = self.settings.limits.events_at_once;
        let most = limit.as_u64().map_or(most, |limit| most.min(limit as usize));
        let has_authorizer = self.authorizer(at).is_some();
        let known = self.realm_of(at).subscriptions.iter().find(|known| wanted == known.id);
        let known = known.ok_or(Fault::Refused("wamp.error.no_such_subscription"))?;
        let (topic, policy) = (known.uri.clone(), known.policy.clone());
        let (is_subscriber, has_history) = (known.has(at), known.history.is_some());
        // Who may subscribe may read. An authorizer has decided about those who are subscribed.
        let session = self.session(at).clone();
        let may_read = match has_authorizer {
            true => is_subscriber,
            false => self.authorize_session(&session, &topic, &policy, "subscribe").is_ok(),
        };
        if !may_read {
            return Err(Fault::Refused("wamp.error.not_authorized"));
        }
        if !has_history {
            return Err(Fault::Refused("wamp.error.history_unavailable"));
        }
        let names = self.known_ids.clone();
        let realm = self.realm(&session.realm);
        let known = realm.subscriptions.iter().find(|known| wanted == known.id).expect("it is there");
        let id = known.id;
        let all: Vec<&Kept> = realm.kept.iter().filter(|kept| kept.histories.contains(&id)).collect();
        // A publication that is not there is older than all: whatever there is comes after it.
        let place = |name: &str| {
            let known = names.iter().find(|(_, id)| kwargs[name] == *id);
            known.and_then(|(name, _)| all.iter().position(|kept| kept.publication == name.as_str()))
        };
        let time = |name: &str| kwargs[name].as_str();
        let is_wanted = |(position, kept): &(usize, &&Kept)| {
            let at_or_behind = |name| kwargs[name].is_null() || place(name).is_none_or(|it| *position >= it);
            let behind = |name| kwargs[name].is_null() || place(name).is_none_or(|it| *position > it);
            let before = |name| kwargs[name].is_null() || place(name).is_some_and(|it| *position < it);
            let at_or_before = |name| kwargs[name].is_null() || place(name).is_some_and(|it| *position <= it);
            at_or_behind("from_publication")
                && behind("after_publication")
                && before("before_publication")
                && at_or_before("until_publication")
                && time("from_time").is_none_or(|time| *kept.time >= *time)
                && time("after_time").is_none_or(|time| *kept.time > *time)
                && time("before_time").is_none_or(|time| *kept.time < *time)
                && time("until_time").is_none_or(|time| *kept.time <= *time)
                && kwargs["topic"].as_str().is_none_or(|topic| topic == kept.topic)
                && is_in_audience(&session, &kept.options)
        };
        let mut found: Vec<&Kept> = all.iter().enumerate().filter(is_wanted).map(|(_, kept)| *kept).collect();
        if is_reverse {
            found.reverse();
        }
        let dictionary = |kept: &&Kept| {
            let mut dictionary = json!({
                "timestamp": kept.time,
                "subscription": id,
                "publication": kept.publication,
                "details": kept.details(known, true),
            });
            let (args, kwargs) = (&kept.message[4], &kept.message[5]);
            let has = |values: &Value| {
                !(values.is_null() || values.is_string() || *values == json!([]) || *values == json!({}))
            };
            if has(args) || has(kwargs) {
                dictionary["args"] = args.clone();
            }
            if has(kwargs) {
                dictionary["kwargs"] = kwargs.clone();
            }
            dictionary
        };
        Ok(found.iter().take(most).map(dictionary).collect())
    }
}

impl Realm {
    /// The router itself subscribes where it keeps a history.
    pub(super) fn keep_histories(&mut self, configured: &RealmSettings) {
        for subscription in &mut self.subscriptions {
            subscription.history = None;
        }
        for rule in &configured.history {
            let mut known = self.subscriptions.iter_mut();
            if let Some(known) = known.find(|known| known.uri == rule.uri && known.policy == rule.policy) {
                known.history = Some(rule.limit);
                continue;
            }
            self.last_subscription += 1;
            self.subscriptions.push(Subscription {
                id: self.last_subscription,
                uri: rule.uri.into(),
                policy: rule.policy.into(),
                created: UNDATED.into(),
                subscribers: Vec::new(),
                history: Some(rule.limit),
            });
        }
        self.subscriptions.retain(|known| known.history.is_some() || !known.subscribers.is_empty());
        self.shorten_histories();
    }

    fn shorten_histories(&mut self) {
        for kept in &mut self.kept {
            let has_history = |id: &u64| {
                let mut known = self.subscriptions.iter();
                known.any(|known| known.id == *id && known.history.is_some())
            };
            kept.histories.retain(has_history);
        }
        for subscription in &self.subscriptions {
            let id = subscription.id;
            let held = self.kept.iter_mut().filter(|kept| kept.histories.contains(&id));
            let newest = held.rev().skip(subscription.history.unwrap_or_default());
            newest.for_each(|too_old| too_old.histories.retain(|held| *held != id));
        }
        self.drop_unwanted();
    }

    fn drop_unwanted(&mut self) {
        self.kept.retain(|kept| kept.is_retained || !kept.histories.is_empty());
    }

    fn retained_topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = Vec::new();
        for kept in self.kept.iter().filter(|kept| kept.is_retained) {
            if !topics.contains(&kept.topic) {
                topics.push(kept.topic.clone());
            }
        }
        topics
    }
}

/// When a subscription was created that no session has seen.
const UNDATED: &str = "1970-01-01T00:00:00.000Z";
