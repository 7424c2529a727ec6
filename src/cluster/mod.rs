//! The bus between nodes that share a store: it tells each of them at once what another one has committed.
//!
//! It is fast and forgetful, and trusted with nothing: whoever hears of an entry looks whether it is the next one, and reads from
//! the store what was not heard. So it may lose, repeat and reorder, and nobody waits for it.

mod backoff;
mod connect;
mod publisher;
mod subscription;
mod wire;

pub use self::{
    backoff::Backoff,
    connect::{Bus, BusError},
    publisher::Publisher,
    subscription::{Heard, Subscription},
    wire::Unsound,
};
