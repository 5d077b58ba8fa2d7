//! The journal: what a store must write down so that a realm's kept events outlive the router.
//!
//! Owns the form of a record, and the way back. The events are in memory as long as the router runs; a journal is only
//! written, and read when the router begins. Where it is written is for the driver to know: see
//! [`store`](crate::store).

use std::sync::Arc;

use super::{Now, Outbox, Router};
use crate::config::StoreKind;
use crate::payload::Payload;

/// A change to the events that a realm keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<P> {
    /// The name of the realm.
    pub realm: Arc<str>,
    /// Names the event in its realm; later events have larger numbers, up to 2^53.
    pub sequence: u64,
    /// The event to be kept in the place of what was kept by this number, if anything was; `None` if it is to be
    /// forgotten.
    pub event: Option<RecordedEvent<P>>,
}

/// A kept event, as a store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent<P> {
    /// All but the payload, as text that the router understands.
    pub head: String,
    pub payload: P,
}

/// Why a realm did not get its events back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The configuration has no such realm, or its `store.type` is not `"database"`.
    #[error("the realm '{0}' keeps no events in a database")]
    NoSuchRealm(String),
    /// A record that this router did not write.
    #[error("the event {sequence} of realm '{realm}' cannot be read: {reason}")]
    Unreadable { realm: String, sequence: u64, reason: String },
}

impl<P: Payload> Router<P> {
    /// The realms whose events are to outlive the router: [`restore`](Self::restore) each before the first transport
    /// opens, also if there is nothing to restore.
    pub fn persistent_realms(&self) -> impl Iterator<Item = &str> {
        self.realms.iter().filter_map(|(_, realm)| {
            let store = realm.config.store.as_ref()?;
            (store.kind == StoreKind::Database).then_some(&*realm.config.name)
        })
    }

    /// Gives a realm its events back, in the order of their numbers, and has its changes recorded from now on:
    /// [`Outbox::take_records`] has them. Events that have no place in it any more, because they have expired or the
    /// configuration is another one, are recorded as forgotten. Answers how many are kept.
    pub fn restore(
        &mut self,
        realm: &str,
        events: impl IntoIterator<Item = (u64, RecordedEvent<P>)>,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<usize, RestoreError> {
        outbox.start_journal();
        let no_such_realm = || RestoreError::NoSuchRealm(realm.to_owned());
        if !self.persistent_realms().any(|name| name == realm) {
            return Err(no_such_realm());
        }
        let index = *self.realm_names.get(realm).ok_or_else(no_such_realm)?;
        let broker = &mut self.realms[index as usize].broker;
        broker.start_journal(realm);
        let mut kept = 0;
        for (sequence, event) in events {
            let restored = broker.restore(sequence, event, now, &self.limits, outbox);
            kept += usize::from(restored.map_err(|reason| RestoreError::Unreadable {
                realm: realm.to_owned(),
                sequence,
                reason,
            })?);
        }
        Ok(kept)
    }
}
