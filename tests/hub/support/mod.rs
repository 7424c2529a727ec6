//! What the stories are told with: a hub or a server to talk to, an HTTP client, and a reader of its streams.

mod doors;
mod events;
mod hold;
mod http;
mod http2;
mod hub;
mod inert;
mod overload;
mod reader;
mod screeners;
mod server;
pub mod sign;
mod socket;
pub mod tokens;
mod upstream;
mod wire;

use std::time::{Duration, Instant};

pub use doors::{Doors, post};
pub use events::{batch, event, marker, payload, sized_batch};
pub use hold::{Hold, hold};
pub use http::{Answer, Client};
pub use http2::Http2;
pub use hub::{Hub, Setup};
pub use inert::{assert_inert, has_markup};
pub use overload::{actor, is_named_and_then_large_enough};
pub use reader::{Next, Reader};
pub use screeners::{Calls, held, result};
pub use server::Server;
pub use socket::{Identity, Trust};
pub use upstream::{Reply, Upstream};
pub use wire::{Chunks, End, Events, Message};

/// How long anything may take before a test gives up on it: far above what it does take, since a test machine is busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The user that the default configuration knows.
pub const USER: &str = "test_user";

/// Asks again and again until there is an answer; `what` is named when none comes.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
