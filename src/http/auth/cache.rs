//! What was found out about callers, in memory of bounded size: the oldest goes first.
//!
//! Kept under hashes, so that no credentials lie about in memory and long ones take no more room than short ones.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};

/// The SHA-256 of what is asked about.
pub type Key = [u8; 32];

/// The key of these texts together: where one ends and the next begins counts.
pub fn key(texts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Key {
    let mut hash = Sha256::new();
    for text in texts {
        let text = text.as_ref();
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

/// A map of so many entries at most.
#[derive(Debug)]
pub struct Cache<V> {
    size: usize,
    inner: Mutex<Inner<V>>,
}

#[derive(Debug)]
struct Inner<V> {
    entries: HashMap<Key, V>,
    order: VecDeque<Key>,
}

impl<V: Clone> Cache<V> {
    pub fn new(size: usize) -> Self {
        Self { size, inner: Mutex::new(Inner { entries: HashMap::new(), order: VecDeque::new() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, key: &Key) -> Option<V> {
        self.lock().entries.get(key).cloned()
    }

    /// A newer value does not make a key younger.
    pub fn put(&self, key: Key, value: V) {
        let mut inner = self.lock();
        if inner.entries.insert(key, value).is_none() {
            inner.order.push_back(key);
        }
        while inner.order.len() > self.size {
            if let Some(oldest) = inner.order.pop_front() {
                inner.entries.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_one_too_many_comes() {
        let cache = Cache::new(2);
        let keys = ["a", "b", "c"].map(|text| key([text]));
        cache.put(keys[0], 1);
        cache.put(keys[1], 2);
        cache.put(keys[0], 3);
        assert_eq!(keys.map(|key| cache.get(&key)), [Some(3), Some(2), None]);
        cache.put(keys[2], 4);
        assert_eq!(keys.map(|key| cache.get(&key)), [None, Some(2), Some(4)]);
    }

    #[test]
    fn other_texts_have_another_key_however_they_are_divided() {
        let keys = [key(["ab", "c"]), key(["a", "bc"]), key(["abc"]), key(["abc", ""]), key(["", "abc"]), key([""; 0])];
        for (i, one) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(one));
        }
    }
}
