//! What a caller is told when something is refused: one shape for every error answer of every listener.

/// An error answer: `{"status":"error","error":<code>,"message":<message>}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What programs look at, in snake_case.
    pub code: &'static str,
    /// One sentence for people.
    pub message: String,
    /// Seconds after which it is worth trying again.
    pub retry_after: Option<u32>,
    /// What a 401 asks for, as `WWW-Authenticate` says it.
    pub challenge: Option<&'static str>,
}

impl Refusal {
    /// Trying the same again is of no use.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, challenge: None }
    }

    /// 503: nothing was kept, and the same request may work after this many seconds.
    pub fn busy(code: &'static str, message: impl Into<String>, retry_after: u32) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(503, code, message) }
    }

    /// The same, and how to do better.
    pub fn challenge(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }
}
