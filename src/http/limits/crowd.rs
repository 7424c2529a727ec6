//! Open connections by address. Holds no more addresses than there are connections.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// How many connections each address has open.
#[derive(Debug)]
pub struct Crowd {
    most: AtomicUsize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Crowd {
    /// Nobody there; `most` 0 is no limit.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: AtomicUsize::new(most), open: Mutex::default() })
    }

    /// From now on so many; who is there stays and is counted.
    pub fn allow(&self, most: usize) {
        self.most.store(most, Relaxed);
    }

    /// A place for one more, unless the address has as many as it may have.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let most = self.most.load(Relaxed);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let there = open.get(&address).copied().unwrap_or_default();
        if most > 0 && there >= most {
            return None;
        }
        let count = open.entry(address).or_default();
        *count += 1;
        Some(Place { crowd: self.clone(), address })
    }
}

/// One open connection; given back when dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.crowd.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_places_and_an_empty_one_is_forgotten() {
        let crowd = Crowd::new(2);
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let places = [crowd.enter(one).unwrap(), crowd.enter(one).unwrap()];
        assert!(crowd.enter(one).is_none());
        let other = crowd.enter(two).unwrap();
        drop(places);
        assert_eq!(crowd.open.lock().unwrap().len(), 1);
        assert!(crowd.enter(one).is_some());
        drop(other);
        assert!(crowd.open.lock().unwrap().is_empty());
    }

    #[test]
    fn who_came_while_there_was_no_limit_is_counted_when_there_is_one() {
        let crowd = Crowd::new(0);
        let address = "192.0.2.1".parse().unwrap();
        let places: Vec<_> = (0..5).map(|_| crowd.enter(address).unwrap()).collect();
        crowd.allow(5);
        assert!(crowd.enter(address).is_none());
        drop(places);
        assert!(crowd.enter(address).is_some());
    }
}
