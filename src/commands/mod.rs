//! What the command line does beside serving: each command is a function here, so that `main` only reads its arguments.

mod dead_letters;
mod export;
mod import;
mod progress;

use std::path::Path;

pub use self::{dead_letters::dead_letters, export::export, import::import};

/// Whether a file name means standard input or output.
fn is_stream(file: &Path) -> bool {
    file == Path::new("-")
}
