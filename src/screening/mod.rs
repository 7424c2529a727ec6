//! Screening a vessel against watch-lists: the contract that every provider fulfils, and the provider `list`.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::notification::{results::ScreeningResults, subject::Subject};

/// Somebody who can say whether a vessel is listed: in memory, or a service that may be slow, fail or need several steps.
pub trait Screener: Send + Sync + 'static {
    /// `provider` in the results.
    fn provider(&self) -> &'static str;

    /// Screens one vessel. Called again after a retryable error, with backoff, until `screening.give_up_after`; the future
    /// may be dropped at any await.
    fn screen(&self, subject: Subject) -> BoxFuture<'static, Result<ScreeningResults, ScreenError>>;

    /// Called each `screening.reload_interval`, off the worker threads: looks whether lists have changed.
    fn refresh(&self) {}

    /// How long one call may take before it counts as timed out.
    fn call_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScreenError {
    /// Worth trying again.
    #[error("{0}")]
    Failed(String),
    /// No answer in time; worth trying again.
    #[error("no answer in time")]
    TimedOut,
}
