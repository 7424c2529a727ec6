//! What the command line does beside serving: each command is a function here, so that `main` only reads its arguments.

mod user;

pub use self::user::{CommandError, set_users, users};
