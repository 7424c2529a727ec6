//! Screening a vessel against watch-lists: the contract that every provider fulfils, and the provider `list`.
//!
//! A provider may be slow or down, so whoever calls one holds the clock and the retries; a provider only answers.

pub mod identity;
pub mod index;
pub mod list;
pub mod maritime_csv;
pub mod none;
pub mod rules;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use crate::{
    config,
    notification::{results::ScreeningResults, subject::Subject},
};

/// Somebody who can say whether a vessel is listed: in memory, or a service that may be slow, fail or need several steps.
pub trait Screener: Send + Sync + 'static {
    /// `provider` in the results.
    fn provider(&self) -> &'static str;

    /// Screens one vessel. Called again after a retryable error, with backoff, until `screening.give_up_after`; the future
    /// may be dropped at any await.
    fn screen(&self, subject: Subject) -> BoxFuture<'static, Result<ScreeningResults, ScreenError>>;

    /// How long one call may take before it counts as timed out.
    fn call_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// How long ago each of its lists was current last, by its id.
    fn list_ages(&self) -> Vec<(String, Duration)> {
        Vec::new()
    }

    /// Reads again what the provider keeps in memory, where its source has changed; true: it had. Called each
    /// `screening.reload_interval`, off the threads that serve sockets, because it blocks on files.
    fn reload_if_changed(&self) -> bool {
        false
    }

    /// Takes over what may change of the configuration while it runs. Blocks on files, too.
    fn follow(&self, _config: &config::Screening) {}
}

/// The provider that the configuration names, ready to answer.
pub fn screener(config: &config::Screening) -> Arc<dyn Screener> {
    match config.provider {
        config::Provider::List => Arc::new(list::ListScreener::load(config)),
        config::Provider::None => Arc::new(none::NoScreener),
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

impl ScreenError {
    /// As it is counted.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::{
        results::{Severity, Status},
        subject::Subject,
    };
    use futures_util::FutureExt;

    fn config(provider: config::Provider) -> config::Screening {
        let ten = Duration::from_secs(10);
        config::Screening {
            provider,
            lists: Vec::new(),
            reload_interval: ten,
            deliver_within: ten,
            give_up_after: ten,
            max_list_age: ten,
            skip_vessel_types: Vec::new(),
            max_in_flight: 1,
        }
    }

    #[test]
    fn each_provider_answers_under_its_name_and_none_says_ok_without_a_list() {
        for (provider, name, status, reason) in [
            (config::Provider::List, "list", Status::Done, "no_list"),
            (config::Provider::None, "none", Status::Skipped, "no_provider"),
        ] {
            let screener = screener(&config(provider));
            let subject = Subject { imo: Some("9999993".into()), ..Subject::default() };
            let got = screener.screen(subject).now_or_never().unwrap().unwrap();
            assert_eq!((screener.provider(), got.provider.as_str()), (name, name));
            assert_eq!((got.status, got.reason.as_deref(), got.overall_severity), (status, Some(reason), Severity::Unknown));
            assert!(!screener.reload_if_changed());
        }
    }
}
