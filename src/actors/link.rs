//! What a session and its socket tell each other, past the HTTP machinery between them.
//!
//! actix-http stops polling a response body while a peer does not read, so a session could not end such a connection; and it
//! keeps the error that ended one to itself, so a session could not say why its client is gone.

use std::{
    io,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// One connection, seen from both sides.
#[derive(Debug, Default)]
pub struct Link {
    cut: AtomicBool,
    failure: OnceLock<String>,
}

impl Link {
    /// Session: the socket is to fail from now on. Takes effect when the connection's task is woken.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    /// Socket: whether the session wants it to fail.
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Socket: reading or writing has failed. The first failure is kept.
    pub fn failed(&self, error: &io::Error) {
        self.failure.get_or_init(|| {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_owned()
        });
    }

    /// Session: the failure, as the system words it.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }
}
