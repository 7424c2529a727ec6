//! The real servers that Lookout works with, each a child process of the test on a free loopback port, in a folder that vanishes.
//!
//! Nothing here is a mock, so a test meets what an operator will meet: recovery after `kill -9`, elections, refused connections.

mod mongod;
mod nginx;
mod process;
mod redis;

pub use mongod::Mongod;
pub use nginx::Nginx;
pub use process::{Process, free_port};
pub use redis::Redis;
