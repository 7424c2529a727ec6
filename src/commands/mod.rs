//! What the command line does beside serving: each command is a function here, so that `main` only reads its arguments.

mod dead_letters;
mod error;
mod export;
mod import;
mod place;
mod progress;
mod user;

use std::path::Path;

pub use self::{
    dead_letters::{dead_letter, dead_letters, drop_dead_letters, retry_dead_letter},
    error::CommandError,
    export::export,
    import::import,
    user::{set_users, users},
};

/// Whether a file name means standard input or output.
fn is_stream(file: &Path) -> bool {
    file == Path::new("-")
}
