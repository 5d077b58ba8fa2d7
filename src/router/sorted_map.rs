//! A small map in the order of its keys, as one vector.
//!
//! For what one session or one topic has: a lookup is a binary search, ids that grow are put at the end, and ids that go
//! in the order in which they came, as those of calls do, are taken from the front at no cost. Adding or taking away in
//! the middle moves the entries of one side, which for the sizes that the limits allow costs less than a hash table
//! would; and whoever goes through one sees one order on every platform.

/// Values by key, sorted.
#[derive(Clone, Debug)]
pub(crate) struct SortedMap<K, V> {
    entries: Vec<(K, V)>,
    /// So many of the entries, at the front, are in the map no more.
    gone: usize,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new(), gone: 0 }
    }
}

impl<K: Ord + Copy, V: Copy> SortedMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.gone
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let position = self.position(key).ok()?;
        Some(&self.entries[position].1)
    }

    /// Puts a value at a key; what was there is gone.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.position(key) {
            Ok(position) => self.entries[position].1 = value,
            Err(position) => {
                self.entries.insert(position, (key, value));
                // Not more often than every so many removals, and without growing forever.
                if self.gone > self.len() {
                    self.entries.copy_within(self.gone.., 0);
                    self.entries.truncate(self.entries.len() - self.gone);
                    self.gone = 0;
                }
            }
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let position = self.position(key).ok()?;
        let (_, value) = self.entries[position];
        let before = position - self.gone;
        if before < self.len() / 2 {
            self.entries.copy_within(self.gone..position, self.gone + 1);
            self.gone += 1;
        } else {
            self.entries.remove(position);
        }
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.entries[self.gone..].iter()
    }

    /// Of a key that is there, or where it would be.
    fn position(&self, key: K) -> Result<usize, usize> {
        let live = &self.entries[self.gone..];
        // Most keys are counted up, and the oldest goes first.
        let position = match (live.first(), live.last()) {
            (Some((first, _)), _) if *first == key => Ok(0),
            (_, Some((last, _))) if *last >= key => live.binary_search_by_key(&key, |(key, _)| *key),
            _ => Err(live.len()),
        };
        match position {
            Ok(position) => Ok(self.gone + position),
            Err(position) => Err(self.gone + position),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::SortedMap;

    proptest! {
        #[test]
        fn it_holds_what_a_tree_holds(
            steps in prop::collection::vec((any::<bool>(), 0..40u8, any::<u16>()), 0..300),
        ) {
            let (mut map, mut tree) = (SortedMap::default(), BTreeMap::new());
            for (puts, key, value) in steps {
                if puts {
                    map.insert(key, value);
                    tree.insert(key, value);
                } else {
                    prop_assert_eq!(map.remove(key), tree.remove(&key));
                }
                prop_assert_eq!(map.get(key), tree.get(&key));
                prop_assert_eq!(map.len(), tree.len());
                prop_assert!(map.iter().map(|(key, value)| (key, value)).eq(&tree));
            }
        }
    }

    #[test]
    fn what_comes_and_goes_in_order_takes_no_more_room_than_what_is_there() {
        let mut map = SortedMap::default();
        for key in 0..10_000u64 {
            map.insert(key, ());
            if key >= 100 {
                assert_eq!(map.remove(key - 100), Some(()));
            }
        }
        assert_eq!(map.len(), 100);
        assert!(map.entries.capacity() <= 512);
    }
}
