//! A small map in the order of its keys, as one vector.
//!
//! For what one session or one topic has: a lookup is a binary search, and ids that grow are put at the end. Adding or
//! taking away in the middle moves what is behind it, which for the sizes that the limits allow costs less than a hash
//! table would; and whoever goes through one sees one order on every platform.

/// Values by key, sorted.
#[derive(Clone, Debug)]
pub(crate) struct SortedMap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<K: Ord + Copy, V> SortedMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let position = self.position(key).ok()?;
        Some(&self.entries[position].1)
    }

    /// Puts a value at a key; what was there is gone.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.position(key) {
            Ok(position) => self.entries[position].1 = value,
            Err(position) => self.entries.insert(position, (key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let position = self.position(key).ok()?;
        Some(self.entries.remove(position).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.entries.iter()
    }

    fn position(&self, key: K) -> Result<usize, usize> {
        // Most keys are counted up.
        match self.entries.last() {
            Some((last, _)) if *last >= key => self.entries.binary_search_by_key(&key, |(key, _)| *key),
            _ => Err(self.entries.len()),
        }
    }
}
