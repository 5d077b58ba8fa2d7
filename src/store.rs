//! Where kept events are written down: the seam between a router and a database.
//!
//! Owns the trait, and a store for tests and embedders whose events outlive a router but not the process. The database of
//! the native router is in `native::store`. What a record is, is in [`router`](crate::router).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::payload::EncodedPayload;
use crate::router::{Now, Outbox, Record, RecordedEvent, Router};

/// Writes down the events of realms whose `store.type` is `"database"`, and has them again when a router begins.
pub trait EventStore: Send {
    /// Every event that is kept of a realm, with its number, in the order of the numbers.
    fn load(&mut self, realm: &str) -> Result<Vec<(u64, RecordedEvent<EncodedPayload>)>, StoreError>;

    /// Takes note of what comes and goes, in order. The router waits meanwhile: what takes long belongs in a thread of
    /// its own. What goes wrong is for the store to report; the router goes on in memory.
    fn write(&mut self, records: Vec<Record<EncodedPayload>>);

    /// What people call the place where the events of a realm are, such as the path of a file.
    fn place(&self, realm: &str) -> String;
}

/// Why kept events cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event store {place}: {reason}")]
pub struct StoreError {
    /// See [`EventStore::place`].
    pub place: String,
    /// A sentence.
    pub reason: String,
}

/// A store in memory. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Events>>);

/// (realm, number) -> event
type Events = BTreeMap<(Arc<str>, u64), RecordedEvent<EncodedPayload>>;

impl EventStore for MemoryStore {
    fn load(&mut self, realm: &str) -> Result<Vec<(u64, RecordedEvent<EncodedPayload>)>, StoreError> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_realm = events.range((Arc::from(realm), 0)..=(Arc::from(realm), u64::MAX));
        Ok(of_realm.map(|((_, sequence), event)| (*sequence, event.clone())).collect())
    }

    fn write(&mut self, records: Vec<Record<EncodedPayload>>) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Record { realm, sequence, event } in records {
            match event {
                Some(event) => events.insert((realm, sequence), event),
                None => events.remove(&(realm, sequence)),
            };
        }
    }

    fn place(&self, _realm: &str) -> String {
        "in memory".to_owned()
    }
}

/// Gives a new router the events that the store has, and has what comes and goes recorded from now on.
pub(crate) fn restore(
    router: &mut Router<EncodedPayload>,
    store: &mut dyn EventStore,
    now: Now,
    outbox: &mut Outbox<EncodedPayload>,
) -> Result<(), StoreError> {
    let realms: Vec<String> = router.persistent_realms().map(str::to_owned).collect();
    for realm in realms {
        let events = store.load(&realm)?;
        router
            .restore(&realm, events, now, outbox)
            .map_err(|error| StoreError { place: store.place(&realm), reason: error.to_string() })?;
    }
    store.write(outbox.take_records());
    Ok(())
}
