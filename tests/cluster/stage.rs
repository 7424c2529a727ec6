//! What a fleet stands on, and what its readers must agree on.

use std::time::Duration;

use lookout::config::{ClusterKind, Config, Secret, StoreKind};

use crate::{
    servers::{Mongod, Redis},
    support::{Hub, Message, Reader, Setup, marker},
};

/// So long that a node which waits for it hears of nothing within a test.
pub const NEVER: Duration = Duration::from_secs(3600);
/// So short that a test may wait for it.
pub const SOON: Duration = Duration::from_millis(100);

/// MongoDB and Redis for one fleet.
pub struct Stage {
    pub mongod: Mongod,
    pub redis: Redis,
}

impl Stage {
    pub fn new() -> Self {
        Self { mongod: Mongod::start(), redis: Redis::start() }
    }

    /// A node that looks into the store so often, and hears of others by that alone.
    pub fn node_without_bus(&self, look_interval: Duration) -> Setup {
        let uri = Secret::new(self.mongod.uri());
        Setup::new().with(|config: &mut Config| {
            config.store.kind = StoreKind::MongoDb;
            config.store.uri = uri;
            config.cluster.look_interval = look_interval;
            // A reader that waits in vain is to notice that.
            config.stream.heartbeat_interval = Duration::from_secs(200);
        })
    }

    /// A node that looks into the store so often, and hears of others over the bus.
    pub fn node(&self, look_interval: Duration) -> Setup {
        let url = Secret::new(self.redis.url());
        self.node_without_bus(look_interval).with(|config: &mut Config| {
            config.cluster.kind = ClusterKind::Redis;
            config.cluster.url = url;
        })
    }

    /// So many running nodes, all on the bus.
    pub fn nodes<const N: usize>(&self, look_interval: Duration) -> [Hub; N] {
        let nodes = [(); N].map(|()| self.node(look_interval).start());
        nodes.iter().for_each(is_on_the_bus);
        nodes
    }
}

/// Waits until a node sends to the bus and listens to it.
pub fn is_on_the_bus(node: &Hub) {
    node.wait_for_metric("lookout_bus_connected", 1.0);
}

/// The markers of the next so many notifications.
pub fn markers(reader: &mut Reader, count: usize) -> Vec<String> {
    reader.notifications(count).iter().map(|message| marker(&message.json).to_owned()).collect()
}

/// Reads as many notifications as there are markers from every reader: each marker once, and the same bytes in the same order for
/// all of them.
pub fn all_see_each_once_in_one_order(readers: &mut [Reader], mut expected: Vec<String>) -> Vec<Message> {
    let seen: Vec<Vec<Message>> = readers.iter_mut().map(|reader| reader.notifications(expected.len())).collect();
    for other in &seen[1..] {
        let differs = seen[0].iter().zip(other).position(|(one, other)| one.frame != other.frame);
        assert_eq!(differs, None, "all readers see the same frames in the same order");
    }
    let mut markers: Vec<_> = seen[0].iter().map(|message| marker(&message.json).to_owned()).collect();
    markers.sort();
    expected.sort();
    assert_eq!(markers, expected, "each once");
    seen.into_iter().next().expect("a reader")
}
