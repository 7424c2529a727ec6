//! The provider `none`: nobody screens, and every result says so.

use chrono::Utc;
use futures_util::future::{BoxFuture, FutureExt, ready};

use super::{ScreenError, Screener};
use crate::notification::{
    results::{ScreeningResults, Status},
    subject::Subject,
};

/// Answers every vessel with `skipped`, UNKNOWN, reason `no_provider`: left out on purpose, by the operator.
#[derive(Debug, Clone, Copy)]
pub struct NoScreener;

impl Screener for NoScreener {
    fn provider(&self) -> &'static str {
        "none"
    }

    fn screen(&self, _: Subject) -> BoxFuture<'static, Result<ScreeningResults, ScreenError>> {
        let now = Utc::now();
        ready(Ok(ScreeningResults::open_ended(Status::Skipped, Some("no_provider"), "none", now, Some(now)))).boxed()
    }
}
