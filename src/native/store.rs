//! Kept events in files: one redb database for each path of the configuration.
//!
//! Owns the files and the thread that writes each. Records are written in batches, each whole or not at all and on the disk
//! before the next one: what a router that is killed had published a moment before may be missing, and nothing else. What
//! waits to be written is never more than what is kept: a record that is overtaken is not written. What cannot be written,
//! because a disk is full, is tried again; for that the file is opened anew, since redb lets nobody write after a failure.

use std::collections::BTreeMap;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use tracing::{debug, error, info, warn};

use super::{lock, log};
use crate::codec::Serializer;
use crate::config::{Realms, StoreKind};
use crate::payload::EncodedPayload;
use crate::router::{Record, RecordedEvent};
use crate::store::{EventStore, StoreError};

/// (realm, number) -> (serializer, elements of the tail, head, tail)
const EVENTS: TableDefinition<'_, Key<'_>, Value<'_>> = TableDefinition::new("events");

type Events = redb::ReadOnlyTable<Key<'static>, Value<'static>>;
type Key<'a> = (&'a str, u64);
type Value<'a> = (u8, u8, &'a str, &'a [u8]);

/// The events of any number of realms in one file.
#[derive(Debug)]
pub struct RedbStore {
    path: PathBuf,
    /// `None` between a failure and the next try.
    database: Arc<Mutex<Option<Database>>>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// There is something to write, or the end has come.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The last word on each (realm, number).
    records: Batch,
    /// The largest number of each realm that may be in the file.
    written: BTreeMap<Arc<str>, u64>,
    is_ending: bool,
}

/// (realm, number) -> what to keep, or to forget.
type Batch = BTreeMap<(Arc<str>, u64), Option<RecordedEvent<EncodedPayload>>>;

impl RedbStore {
    /// Opens a file, or makes it. Its directory must be there.
    ///
    /// # Errors
    /// The file cannot be opened, is open in another process, is no database, or is damaged: all of it is checked.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let error = |reason: String| StoreError { place: path.display().to_string(), reason };
        let database = naming_what_is_damaged(path, || {
            let mut database = Database::create(path).map_err(|reason| reason.to_string())?;
            match database.check_integrity() {
                Ok(true) => Ok(database),
                Ok(false) => {
                    warn!("the event store {} was damaged, and repaired", path.display());
                    Ok(database)
                }
                Err(reason) => Err(reason.to_string()),
            }
        });
        let database = Arc::new(Mutex::new(Some(database.map_err(error)?)));
        let queue = Arc::new(Queue::default());
        let writer = {
            let (path, database, queue) = (path.to_owned(), Arc::clone(&database), Arc::clone(&queue));
            let thread = thread::Builder::new().name("event store".to_owned());
            thread
                .spawn(move || Writer { database, path, queue, has_failed: false }.run())
                .map_err(|reason| error(reason.to_string()))?
        };
        Ok(Self { path: path.to_owned(), database, queue, writer: Some(writer) })
    }

    fn read(&self, realm: &str) -> Result<Vec<(u64, RecordedEvent<EncodedPayload>)>, redb::Error> {
        let database = lock(&self.database);
        let Some(database) = &*database else { return Err(redb::Error::PreviousIo) };
        let Some(table) = events(database)? else { return Ok(Vec::new()) };
        let mut events = Vec::new();
        for entry in table.range((realm, 0)..=(realm, u64::MAX))? {
            let (key, value) = entry?;
            let ((_, sequence), (serializer, elements, head, tail)) = (key.value(), value.value());
            let serializer = Serializer::ALL.get(usize::from(serializer)).copied().ok_or_else(|| {
                redb::Error::Corrupted(format!("event {sequence} of '{realm}' has an unknown serializer"))
            })?;
            let payload = EncodedPayload { bytes: Bytes::copy_from_slice(tail), elements, serializer };
            events.push((sequence, RecordedEvent { head: head.to_owned(), payload }));
        }
        Ok(events)
    }
}

impl EventStore for RedbStore {
    fn load(&mut self, realm: &str) -> Result<Vec<(u64, RecordedEvent<EncodedPayload>)>, StoreError> {
        let events = self.read(realm);
        let events =
            events.map_err(|error| StoreError { place: self.place(realm), reason: error.to_string() })?;
        if let Some((sequence, _)) = events.last() {
            self.queue.lock().written.insert(realm.into(), *sequence);
        }
        Ok(events)
    }

    fn write(&mut self, records: Vec<Record<EncodedPayload>>) {
        let mut waiting = self.queue.lock();
        records.into_iter().for_each(|record| waiting.add(record));
        self.queue.changed.notify_one();
    }

    fn place(&self, _realm: &str) -> String {
        self.path.display().to_string()
    }
}

/// Waits until everything is written.
impl Drop for RedbStore {
    fn drop(&mut self) {
        self.queue.lock().is_ending = true;
        self.queue.changed.notify_one();
        if let Some(writer) = self.writer.take() {
            // It does not panic; if it did, that was said.
            let _ = writer.join();
        }
    }
}

impl Waiting {
    /// Takes note of the largest number of each realm in the file: what was being written when that failed may be there or
    /// not. What is not there need not be taken away, or on a disk that stays full this would grow with each event.
    fn found(&mut self, written: BTreeMap<Arc<str>, u64>) {
        self.records.retain(|(realm, sequence), event| {
            event.is_some() || written.get(realm).is_some_and(|written| sequence <= written)
        });
        self.written = written;
    }

    fn add(&mut self, record: Record<EncodedPayload>) {
        let Record { realm, sequence, event } = record;
        let is_in_file = self.written.get(&realm).is_some_and(|written| sequence <= *written);
        let key = (realm, sequence);
        if event.is_none() && !is_in_file {
            self.records.remove(&key);
        } else {
            self.records.insert(key, event);
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    /// Takes what waits, once there is something; nothing at the end.
    fn next(&self) -> (Batch, bool) {
        let mut waiting = self.lock();
        while waiting.records.is_empty() && !waiting.is_ending {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let batch = std::mem::take(&mut waiting.records);
        let mut last = batch.last_key_value();
        while let Some(((realm, sequence), _)) = last {
            let written = waiting.written.entry(Arc::clone(realm)).or_default();
            *written = (*written).max(*sequence);
            last = batch.range(..(Arc::clone(realm), 0)).next_back();
        }
        (batch, waiting.is_ending)
    }

    /// Puts back what could not be written, behind what has come since.
    fn put_back(&self, batch: Batch) {
        let mut waiting = self.lock();
        // It may be much, and the router waits meanwhile.
        let newer = std::mem::replace(&mut waiting.records, batch);
        waiting.records.extend(newer);
    }

    /// Waits a while; whether the end has come.
    fn pause(&self) -> bool {
        let until_the_end = |waiting: &mut Waiting| !waiting.is_ending;
        let waited = self.changed.wait_timeout_while(self.lock(), BEFORE_NEXT_TRY, until_the_end);
        let (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.is_ending
    }
}

/// The thread that writes a file.
struct Writer {
    database: Arc<Mutex<Option<Database>>>,
    path: PathBuf,
    queue: Arc<Queue>,
    /// Whether it was said that the file cannot be written.
    has_failed: bool,
}

impl Writer {
    /// Writes what comes until the end.
    fn run(mut self) {
        loop {
            if let Err(reason) = self.open_again() {
                self.report(&reason);
                if self.queue.pause() {
                    return self.give_up();
                }
                continue;
            }
            let (batch, is_ending) = self.queue.next();
            if batch.is_empty() {
                return;
            }
            let mut database = lock(&self.database);
            let Some(open) = &*database else { continue };
            match write(open, &batch) {
                Ok(()) => {
                    drop(database);
                    let path = self.path.display();
                    debug!(records = batch.len(), "event store {path} written");
                    if std::mem::take(&mut self.has_failed) {
                        info!("the event store {path} is written again");
                    }
                }
                Err(reason) => {
                    *database = None;
                    drop(database);
                    self.report(&reason);
                    self.queue.put_back(batch);
                    if is_ending {
                        return self.give_up();
                    }
                    self.queue.pause();
                }
            }
        }
    }

    /// Opens the file that a failure has closed. Never makes a new one: an empty file would pass for all that was kept.
    fn open_again(&self) -> Result<(), redb::Error> {
        let mut database = lock(&self.database);
        if database.is_none() {
            let opened = Database::open(&self.path)?;
            let written = last_numbers(&opened)?;
            self.queue.lock().found(written);
            *database = Some(opened);
        }
        Ok(())
    }

    /// Says why the file cannot be written, once until it can.
    fn report(&mut self, reason: &redb::Error) {
        if !std::mem::replace(&mut self.has_failed, true) {
            error!("the event store {} cannot be written: {reason}", self.path.display());
        }
    }

    /// Says what is lost with the end of the router.
    fn give_up(&self) {
        let records = self.queue.lock().records.len();
        error!("the event store {} could not be written: {records} records are lost", self.path.display());
    }
}

/// The events of a file; `None` if it has had none yet.
fn events(database: &Database) -> Result<Option<Events>, redb::Error> {
    match database.begin_read()?.open_table(EVENTS) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The largest number of each realm in a file.
fn last_numbers(database: &Database) -> Result<BTreeMap<Arc<str>, u64>, redb::Error> {
    let mut numbers = BTreeMap::new();
    let Some(table) = events(database)? else { return Ok(numbers) };
    let mut last = table.last()?;
    while let Some((key, _)) = last {
        let (realm, number) = key.value();
        numbers.insert(realm.into(), number);
        last = table.range(..(realm, 0))?.next_back().transpose()?;
    }
    Ok(numbers)
}

/// Writes all or nothing.
fn write(database: &Database, batch: &Batch) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(EVENTS)?;
        for ((realm, sequence), event) in batch {
            let key = (&**realm, *sequence);
            match event {
                Some(RecordedEvent { head, payload }) => {
                    let EncodedPayload { bytes, elements, serializer } = payload;
                    table.insert(key, (*serializer as u8, *elements, &**head, &**bytes))?;
                }
                None => drop(table.remove(key)?),
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

/// The stores of a node: each realm has its events in one of the files.
pub(super) struct NodeStore {
    files: Vec<RedbStore>,
    /// Name of the realm, and which of the files.
    realms: Vec<(String, usize)>,
}

impl NodeStore {
    /// Opens the files of all realms that have one; `None` if none has.
    pub(super) fn open(realms: &Realms) -> Result<Option<Self>, StoreError> {
        let Realms::Named(realms) = realms else { return Ok(None) };
        let mut node = Self { files: Vec::new(), realms: Vec::new() };
        for realm in realms {
            let Some(store) = realm.store.as_ref().filter(|store| store.kind == StoreKind::Database) else {
                continue;
            };
            let path = Path::new(store.path.as_deref().unwrap_or(DEFAULT_FILE));
            let position = match node.files.iter().position(|file| file.path == path) {
                Some(position) => position,
                None => {
                    node.files.push(RedbStore::open(path)?);
                    node.files.len() - 1
                }
            };
            node.realms.push((realm.name.clone(), position));
        }
        Ok((!node.realms.is_empty()).then_some(node))
    }

    /// The realms that have a file.
    pub(super) fn realms(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.realms.iter().map(|(realm, file)| (&**realm, &*self.files[*file].path))
    }

    fn file(&self, realm: &str) -> Option<usize> {
        self.realms.iter().find(|(name, _)| name == realm).map(|(_, file)| *file)
    }
}

impl EventStore for NodeStore {
    fn load(&mut self, realm: &str) -> Result<Vec<(u64, RecordedEvent<EncodedPayload>)>, StoreError> {
        self.file(realm).map_or(Ok(Vec::new()), |file| self.files[file].load(realm))
    }

    fn write(&mut self, records: Vec<Record<EncodedPayload>>) {
        // The records of one input are those of one realm, but for a reload.
        let mut rest = records.into_iter().peekable();
        while let Some(first) = rest.next() {
            let (realm, mut of_realm) = (Arc::clone(&first.realm), vec![first]);
            of_realm.extend(std::iter::from_fn(|| rest.next_if(|record| record.realm == realm)));
            if let Some(file) = self.file(&realm) {
                self.files[file].write(of_realm);
            }
        }
    }

    fn place(&self, realm: &str) -> String {
        self.file(realm).map(|file| self.files[file].place(realm)).unwrap_or_default()
    }
}

/// Opens a database. There is damage at which redb panics: that must not end without a word of which file it is, though
/// the process does not unwind.
fn naming_what_is_damaged<T>(path: &Path, open: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let opened = if cfg!(panic = "abort") {
        let place = path.display().to_string();
        let old_hook = panic::take_hook();
        panic::set_hook(Box::new(move |reason| {
            error!("the event store {place}: the file is damaged ({reason})");
            log::flush();
            std::process::exit(EXIT_CODE);
        }));
        let opened = open();
        panic::set_hook(old_hook);
        Ok(opened)
    } else {
        panic::catch_unwind(panic::AssertUnwindSafe(open))
    };
    opened.unwrap_or_else(|reason| {
        let reason = reason.downcast::<String>().map_or_else(|_| String::new(), |reason| *reason);
        Err(format!("the file is damaged ({reason})"))
    })
}

/// The name of a file that the configuration does not name.
pub(crate) const DEFAULT_FILE: &str = "events.redb";

/// Of a router that could not start.
const EXIT_CODE: i32 = 3;

const BEFORE_NEXT_TRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_disk_that_stays_full_only_what_is_kept_waits() {
        let queue = Queue::default();
        let record = |sequence, is_kept: bool| {
            let event = RecordedEvent { head: "{}".into(), payload: EncodedPayload::default() };
            Record { realm: "realm1".into(), sequence, event: is_kept.then_some(event) }
        };
        queue.lock().found(BTreeMap::from([("realm1".into(), 2)]));
        for sequence in 3..1_000 {
            let add = |record| queue.lock().add(record);
            add(record(sequence, true));
            let (batch, _) = queue.next();
            // The one before leaves the history while this one cannot be written.
            add(record(sequence - 1, false));
            queue.put_back(batch);
            queue.lock().found(BTreeMap::from([("realm1".into(), 2)]));
        }
        let waiting: Vec<_> = queue.lock().records.keys().map(|(_, sequence)| *sequence).collect();
        assert_eq!(waiting, [2, 999]);
    }
}
