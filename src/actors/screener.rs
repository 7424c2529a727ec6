//! Has vessels screened: takes what is open from the store, asks the provider, hands results to the archivist.
//!
//! It pulls: what waits, waits on disk and not in a mailbox, so a slow provider costs no memory and a restart loses nothing.
//!
//! * receives: `Wake` (archivist); `Canary`
//! * sends: `Settle`, `ReleaseOverdue` to the archivist
//! * when full: a `Wake` is dropped; the next tick looks into the store
//! * when it dies: the session supervisor builds it again; it begins with the oldest open screening
//! * runs on: the screening thread, so that looking through long lists holds up neither commits nor broadcasts

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{
    archivist::{Archivist, ReleaseOverdue, Settle},
    canary::{Canary, Stage},
    line::{Line, Stop},
    mailbox::measured,
};
use crate::{
    config,
    metrics::Metrics,
    notification::{
        Timestamp,
        results::{ScreeningResults, Status},
    },
    sanitize,
    screening::{self, ScreenError},
    store::{Claimant, OpenScreening, Store},
};

/// Notifications released as pending in one commit.
const RELEASE_AT_ONCE: usize = 500;
/// The first wait between two tries of a failing provider; it doubles up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
/// How often open screenings are counted and lists asked for their age.
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// The longest wait between two tries.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Screenings were opened.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// The actor.
pub struct Screener {
    provider: Arc<dyn screening::Screener>,
    config: config::Screening,
    store: Arc<dyn Store>,
    archivist: Line<Archivist>,
    metrics: Arc<Metrics>,
    /// By which the store knows what was taken; a screener that is built again takes over what this one had.
    claimant: Claimant,
    under_way: usize,
    looking: bool,
    look_again: bool,
    releasing: bool,
    reloading: bool,
    counting: bool,
    last_reload: Instant,
    /// Goes on when the store has answered what there is to do.
    canary: Option<Canary>,
}

impl Screener {
    /// A screener that begins with the oldest open screening; its mailbox holds `capacity` (`mailbox.screener`) messages.
    pub fn create(
        capacity: usize,
        provider: Arc<dyn screening::Screener>,
        config: config::Screening,
        store: Arc<dyn Store>,
        archivist: Line<Archivist>,
        metrics: Arc<Metrics>,
        ctx: &mut Context<Self>,
    ) -> Self {
        ctx.set_mailbox_capacity(capacity);
        metrics.screening.begin(provider.provider());
        Self {
            provider,
            config,
            store,
            archivist,
            metrics,
            claimant: Claimant::new(),
            under_way: 0,
            looking: false,
            look_again: false,
            releasing: false,
            reloading: false,
            counting: false,
            last_reload: Instant::now(),
            canary: None,
        }
    }
}

measured!(Screener: Wake, Canary, Stop);

impl Actor for Screener {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let tick = (self.config.deliver_within / 10).clamp(Duration::from_millis(20), Duration::from_millis(500));
        ctx.run_interval(tick, |screener, ctx| {
            screener.release_overdue(ctx);
            screener.take(ctx);
            screener.reload(ctx);
        });
        self.look(ctx);
        self.count(ctx);
        ctx.run_interval(COUNT_EVERY, |screener, ctx| screener.count(ctx));
    }
}

impl Handler<Wake> for Screener {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        self.look(ctx);
    }
}

impl Handler<Canary> for Screener {
    type Result = ();

    fn handle(&mut self, canary: Canary, ctx: &mut Self::Context) {
        self.canary = Some(canary);
        self.take(ctx);
    }
}

impl Handler<Stop> for Screener {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Screener {
    /// Takes open screenings from the store while fewer than `screening.max_in_flight` are under way.
    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.free() > 0 {
            self.take(ctx);
        } else {
            self.look_again = true;
        }
    }

    fn free(&self) -> usize {
        self.config.max_in_flight.saturating_sub(self.under_way)
    }

    /// Also asked for none: to the store that is the sign that this claimant lives.
    fn take(&mut self, ctx: &mut Context<Self>) {
        if self.looking {
            self.look_again = true;
            return;
        }
        self.looking = true;
        self.look_again = false;
        let free = self.free();
        let taken = self.store.take_screenings(self.claimant, free).into_actor(self);
        ctx.spawn(taken.map(move |open, screener, ctx| {
            screener.looking = false;
            // Dropped where the store has failed: the next one then meets it where commits do.
            let canary = screener.canary.take();
            match open {
                Ok(open) => {
                    if let Some(canary) = canary {
                        canary.pass(Stage::Screening);
                    }
                    let more = open.len() == free;
                    open.into_iter().for_each(|open| screener.begin(open, ctx));
                    if more || screener.look_again {
                        screener.look(ctx);
                    }
                }
                Err(error) => log::warn!(target: "notifications", "event=take_screenings_failed error={error:?}"),
            }
        }));
    }

    fn begin(&mut self, open: OpenScreening, ctx: &mut Context<Self>) {
        self.under_way += 1;
        let (provider, config, archivist) = (self.provider.clone(), self.config.clone(), self.archivist.clone());
        let (metrics, begun) = (self.metrics.clone(), Instant::now());
        let case = async move {
            let results = screen(&*provider, &open, &config, &metrics).await;
            let (status, severity, after) = (results.status.label(), results.overall_severity.label(), begun.elapsed());
            settle(&archivist, &open, clean(&results)).await;
            metrics.screening.settled(provider.provider(), status, severity, after);
        };
        ctx.spawn(case.into_actor(self).map(|(), screener, ctx| {
            screener.under_way -= 1;
            if screener.look_again {
                screener.look(ctx);
            }
        }));
    }

    /// What has waited for `screening.deliver_within` goes out as pending, whether its screening has begun or not.
    fn release_overdue(&mut self, ctx: &mut Context<Self>) {
        if self.releasing {
            return;
        }
        let Ok(patience) = chrono::Duration::from_std(self.config.deliver_within) else { return };
        let now: Timestamp = chrono::Utc::now();
        let pending = ScreeningResults::open_ended(Status::Pending, None, self.provider.provider(), now, None);
        let (reply, released) = oneshot::channel();
        let message = ReleaseOverdue { received_before: now - patience, results: clean(&pending), limit: RELEASE_AT_ONCE, reply };
        if self.archivist.try_send(message).is_err() {
            return;
        }
        self.releasing = true;
        ctx.spawn(released.into_actor(self).map(|count, screener, ctx| {
            screener.releasing = false;
            if count == Ok(RELEASE_AT_ONCE) {
                screener.release_overdue(ctx);
            }
        }));
    }

    /// Tells how much is open and how old the lists are: a scrape must not ask the store.
    fn count(&mut self, ctx: &mut Context<Self>) {
        self.metrics.screening.list_ages(self.provider.list_ages());
        if self.counting {
            return;
        }
        self.counting = true;
        let backlog = self.store.backlog().into_actor(self);
        ctx.spawn(backlog.map(|backlog, screener, _| {
            screener.counting = false;
            // Where the store does not answer the last figures stay; that it does not is told elsewhere.
            let Ok(backlog) = backlog else { return };
            let age = backlog.oldest.map(|oldest| (chrono::Utc::now() - oldest).to_std().unwrap_or_default());
            screener.metrics.screening.pending.set(i64::try_from(backlog.count).unwrap_or(i64::MAX));
            screener.metrics.screening.oldest_pending(age);
        }));
    }

    /// Lets the provider look whether its lists have changed; file reading stays off this thread.
    fn reload(&mut self, ctx: &mut Context<Self>) {
        if self.reloading || self.last_reload.elapsed() < self.config.reload_interval {
            return;
        }
        self.reloading = true;
        let provider = self.provider.clone();
        let reload = tokio::task::spawn_blocking(move || provider.reload_if_changed());
        ctx.spawn(reload.into_actor(self).map(|_, screener, _| {
            screener.reloading = false;
            screener.last_reload = Instant::now();
        }));
    }
}

/// Asks the provider until it answers or `screening.give_up_after` has passed since the event came; at least once, so that
/// what was left open by a long outage is still screened.
async fn screen(
    provider: &dyn screening::Screener,
    open: &OpenScreening,
    config: &config::Screening,
    metrics: &Metrics,
) -> ScreeningResults {
    let started = chrono::Utc::now();
    let mut backoff = FIRST_BACKOFF;
    loop {
        // A task of its own: a panicking provider costs this try and not the actor.
        let mut call = actix::spawn(provider.screen(open.subject.clone()));
        let error = match tokio::time::timeout(provider.call_timeout(), &mut call).await {
            Ok(Ok(Ok(results))) => return results,
            Ok(Ok(Err(error))) => error,
            Ok(Err(panicked)) => ScreenError::Failed(panicked.to_string()),
            Err(_) => {
                call.abort();
                ScreenError::TimedOut
            }
        };
        metrics.screening.failures.get_or_create(&[("outcome", error.label())]).inc();
        let now = chrono::Utc::now();
        let left = config.give_up_after.saturating_sub((now - open.received_at).to_std().unwrap_or_default());
        log::warn!(target: "notifications", "event=screening_failed notification={} provider={} error={:?}", open.id, provider.provider(), error.to_string());
        if left.is_zero() {
            let (status, reason) = match error {
                ScreenError::TimedOut => (Status::TimedOut, "provider_timed_out"),
                ScreenError::Failed(_) => (Status::Failed, "provider_failed"),
            };
            return ScreeningResults::open_ended(status, Some(reason), provider.provider(), started, Some(now));
        }
        tokio::time::sleep(backoff.mul_f64(0.5 + 0.5 * fastrand::f64()).min(left)).await;
        backoff = (backoff * 2).min(MAX_BACKOFF);
    }
}

/// Hands a result in until it is durable: the store may be away for a while.
async fn settle(archivist: &Line<Archivist>, open: &OpenScreening, results: Value) {
    let mut backoff = FIRST_BACKOFF;
    loop {
        let (reply, durable) = oneshot::channel();
        archivist.send(Settle { id: open.id, results: results.clone(), reply });
        if matches!(durable.await, Ok(Ok(()))) {
            return;
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(MAX_BACKOFF);
    }
}

/// A list or a service may hold markup too.
fn clean(results: &ScreeningResults) -> Value {
    let mut results = results.to_value();
    sanitize::value(&mut results);
    results
}
