//! Open connections by address. Holds no more addresses than there are connections.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// How many connections each address has open.
#[derive(Debug)]
pub struct Crowd {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Crowd {
    /// Nobody there; none where `most` is 0, which is no limit.
    pub fn new(most: usize) -> Option<Arc<Self>> {
        (most > 0).then(|| Arc::new(Self { most, open: Mutex::default() }))
    }

    /// A place for one more, unless the address has as many as it may have.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
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
        assert!(Crowd::new(0).is_none(), "no limit");
        let crowd = Crowd::new(2).unwrap();
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
}
