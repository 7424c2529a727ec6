//! A screener that answers when the test says so.

use std::{sync::mpsc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt};
use lookout::{
    notification::{
        results::{ScreeningResults, Severity, Status},
        subject::Subject,
    },
    screening::{ScreenError, Screener},
};
use tokio::sync::oneshot;

use super::PATIENCE;

/// What a screener says.
type Verdict = Result<ScreeningResults, ScreenError>;

/// A screener whose every call waits for the test. Its copies, on other nodes, ask the same test.
#[derive(Clone)]
pub struct Held {
    calls: mpsc::Sender<Asked>,
    call_timeout: Duration,
}

/// A call that waits.
#[derive(Debug)]
pub struct Asked {
    /// Whom it is about.
    pub subject: Subject,
    answer: oneshot::Sender<Verdict>,
}

impl Asked {
    /// Answers it.
    pub fn answer(self, verdict: Verdict) {
        self.answer.send(verdict).expect("the caller waits");
    }
}

/// The calls that come in.
pub struct Calls(mpsc::Receiver<Asked>);

impl Calls {
    /// Waits for the next one.
    pub fn next(&self) -> Asked {
        self.0.recv_timeout(PATIENCE).expect("the screener is asked")
    }

    /// The next one, if there is one by now.
    pub fn waiting(&self) -> Option<Asked> {
        self.0.try_recv().ok()
    }
}

/// A screener and the calls to it. A call that is dropped unanswered fails.
pub fn held(call_timeout: Duration) -> (Held, Calls) {
    let (calls, received) = mpsc::channel();
    (Held { calls, call_timeout }, Calls(received))
}

/// A result with this severity.
pub fn result(severity: Severity) -> ScreeningResults {
    let now = chrono::Utc::now();
    let open = ScreeningResults::open_ended(Status::Done, None, "held", now, Some(now));
    ScreeningResults { overall_severity: severity, ship_sanctions: Some(severity), ..open }
}

impl Screener for Held {
    fn provider(&self) -> &'static str {
        "held"
    }

    fn screen(&self, subject: Subject) -> BoxFuture<'static, Verdict> {
        let (answer, verdict) = oneshot::channel();
        // Where the test listens no more, the answer's sender is dropped, and the call fails.
        let _ = self.calls.send(Asked { subject, answer });
        async { verdict.await.unwrap_or_else(|_| Err(ScreenError::Failed("nobody answers".into()))) }.boxed()
    }

    fn call_timeout(&self) -> Duration {
        self.call_timeout
    }
}
