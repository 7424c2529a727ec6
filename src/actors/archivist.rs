//! The only one that writes to the store: gathers what waits into one commit, then tells everybody whom it concerns.
//!
//! While one commit is under way the next one fills: the slower the disk, the larger the groups.
//!
//! * receives: `Keep`, `KeepAgain` (webhook handler); `Discard` (HTTP); `SetUser` (admin listener); `Settle`, `ReleaseOverdue` (screener);
//!   `Canary`
//! * sends: `Publish` to the broadcaster, `Carry` to the courier, `Wake` to the screener, answers to who asked
//! * when full: a `Keep` is not queued and its webhook answered 503; a `Settle` is queued all the same, there are at most
//!   `screening.max_in_flight` of them; what was taken out of the mailbox and waits for the commit under way is bounded by
//!   `ingest.max_in_flight` and `screening.max_in_flight`
//! * when it dies: nothing that waits is acknowledged; the session supervisor builds it again, the broadcasters of all nodes and
//!   the screener find in the store what they were not told
//! * runs on: the pipeline thread; the store's own thread writes

use std::{
    collections::VecDeque,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{
    broadcaster::{Broadcaster, Publish},
    buried::Buried,
    canary::Canary,
    courier::{Carry, Courier},
    line::{Line, Stop, guarded},
    mailbox::measured,
    reply::Reply,
    screener::{Screener, Wake},
};
use crate::{
    config,
    metrics::Metrics,
    notification::{NotificationId, Timestamp, entry::Entry},
    store::{Commit, Kept, Receive, Store, StoreError, Write, Written},
};

/// How often retention is looked after.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How often a store that failed is asked whether it takes writes again: without readiness no webhook comes that would tell.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Bytes of bodies and payloads after which a commit is full: what a store holds back at once is bounded also where each of many
/// webhooks is large.
const COMMIT_BYTES: usize = 16 << 20;
/// Entries removed in one commit, so that webhooks never wait long behind it.
const PRUNE_AT_ONCE: usize = 500;

/// Keep one webhook body. The answer comes after it is durable.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Keep {
    /// The body and what was read from it.
    pub receive: Receive,
    /// Told of one [`Kept`] a notification; dropped untold when the archivist dies.
    pub tell: Tell,
}

/// Told what became of a webhook. Holds the permit that bounds how many of them there are.
pub type Tell = Box<dyn FnOnce(Result<Vec<Kept>, StoreError>) + Send>;

/// Keep the body of a dead letter, which goes by that.
#[derive(Message)]
#[rtype(result = "()")]
pub struct KeepAgain {
    /// The dead letter.
    pub seq: i64,
    /// Its body and what was read from it now.
    pub receive: Receive,
    /// Told of one [`Kept`] a notification, or none where the letter was gone.
    pub tell: TellAgain,
}

/// Told what became of a dead letter. Holds the permit that bounds how many of them there are.
pub type TellAgain = Box<dyn FnOnce(Result<Option<Vec<Kept>>, StoreError>) + Send>;

/// Drop dead letters.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Discard {
    /// Which of them.
    pub letters: RangeInclusive<i64>,
    /// At most so many.
    pub limit: usize,
    /// Told how many.
    pub reply: oneshot::Sender<Result<usize, StoreError>>,
}

/// Keep the final result of a screening.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Settle {
    /// Which notification.
    pub id: NotificationId,
    /// The clean results.
    pub results: Value,
    /// Told when it is durable.
    pub reply: oneshot::Sender<Result<(), StoreError>>,
}

/// Release as pending what has waited too long.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReleaseOverdue {
    /// Received before this.
    pub received_before: Timestamp,
    /// The clean results that say pending.
    pub results: Value,
    /// At most so many.
    pub limit: usize,
    /// Told how many.
    pub reply: oneshot::Sender<usize>,
}

/// Let a user in, or no longer.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SetUser {
    /// The user id.
    pub user: Arc<str>,
    /// Whether it is known from now on.
    pub known: bool,
    /// Told whether that changed anything, when it is durable.
    pub reply: oneshot::Sender<Result<bool, StoreError>>,
}

/// The actor.
pub struct Archivist {
    store: Arc<dyn Store>,
    config: config::Store,
    waiting: VecDeque<(Write, Reply)>,
    committing: bool,
    forgetting: bool,
    buried: Buried,
    broadcaster: Line<Broadcaster>,
    courier: Option<Line<Courier>>,
    screener: Line<Screener>,
    metrics: Arc<Metrics>,
    health: Arc<StoreHealth>,
}

/// Whether the last commit worked; read by readiness.
pub type StoreHealth = AtomicBool;

/// Whom an archivist works with.
#[derive(Clone)]
pub struct Colleagues {
    /// Told what was committed.
    pub broadcaster: Line<Broadcaster>,
    /// Tells other nodes what was committed, where there is a bus to them.
    pub courier: Option<Line<Courier>>,
    /// Told that screenings were opened.
    pub screener: Line<Screener>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Set after each commit.
    pub health: Arc<StoreHealth>,
}

impl Archivist {
    /// An archivist of this store; its mailbox holds `capacity` (`mailbox.archivist`) messages.
    pub fn create(
        capacity: usize,
        store: Arc<dyn Store>,
        config: config::Store,
        colleagues: Colleagues,
        ctx: &mut Context<Self>,
    ) -> Self {
        ctx.set_mailbox_capacity(capacity);
        let Colleagues { broadcaster, courier, screener, metrics, health } = colleagues;
        let (waiting, buried) = (VecDeque::new(), Buried::new(&config));
        Self {
            store,
            config,
            waiting,
            committing: false,
            forgetting: false,
            buried,
            broadcaster,
            courier,
            screener,
            metrics,
            health,
        }
    }
}

measured!(Archivist: Keep, KeepAgain, Discard, Settle, ReleaseOverdue, SetUser, Canary, Stop);

impl Actor for Archivist {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(PROBE_EVERY, |archivist, ctx| archivist.probe(ctx));
        if self.config.retention.is_some() {
            self.prune(ctx);
            self.forget(ctx);
            ctx.run_interval(PRUNE_EVERY, |archivist, ctx| {
                archivist.prune(ctx);
                archivist.forget(ctx);
            });
        }
    }
}

impl Handler<Keep> for Archivist {
    type Result = ();

    fn handle(&mut self, Keep { receive, tell }: Keep, ctx: &mut Self::Context) {
        self.enqueue(Write::Receive(receive), Reply::Kept(tell), ctx);
    }
}

impl Handler<KeepAgain> for Archivist {
    type Result = ();

    fn handle(&mut self, KeepAgain { seq, receive, tell }: KeepAgain, ctx: &mut Self::Context) {
        self.enqueue(Write::Retry { seq, receive }, Reply::KeptAgain(tell), ctx);
    }
}

impl Handler<Discard> for Archivist {
    type Result = ();

    fn handle(&mut self, Discard { letters, limit, reply }: Discard, ctx: &mut Self::Context) {
        self.enqueue(Write::Discard { letters, limit }, Reply::Discarded(reply), ctx);
    }
}

impl Handler<Settle> for Archivist {
    type Result = ();

    fn handle(&mut self, Settle { id, results, reply }: Settle, ctx: &mut Self::Context) {
        self.enqueue(Write::Settle { id, at: chrono::Utc::now(), results }, Reply::Settled(reply), ctx);
    }
}

impl Handler<ReleaseOverdue> for Archivist {
    type Result = ();

    fn handle(&mut self, message: ReleaseOverdue, ctx: &mut Self::Context) {
        let ReleaseOverdue { received_before, results, limit, reply } = message;
        let write = Write::ReleaseOverdue { received_before, at: chrono::Utc::now(), results, limit };
        self.enqueue(write, Reply::Released(reply), ctx);
    }
}

impl Handler<SetUser> for Archivist {
    type Result = ();

    fn handle(&mut self, SetUser { user, known, reply }: SetUser, ctx: &mut Self::Context) {
        self.enqueue(Write::SetUser { user, known }, Reply::UserSet(reply), ctx);
    }
}

impl Handler<Canary> for Archivist {
    type Result = ();

    fn handle(&mut self, canary: Canary, ctx: &mut Self::Context) {
        self.enqueue(Write::Probe, Reply::Canary(canary), ctx);
    }
}

impl Handler<Stop> for Archivist {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Archivist {
    fn enqueue(&mut self, write: Write, reply: Reply, ctx: &mut Context<Self>) {
        self.waiting.push_back((write, reply));
        self.commit(ctx);
    }

    /// Begins the next commit unless one is under way.
    fn commit(&mut self, ctx: &mut Context<Self>) {
        if self.committing || self.waiting.is_empty() {
            return;
        }
        self.committing = true;
        let group = group(&self.waiting, self.config.max_commit);
        let (mut writes, mut replies): (Vec<Write>, Vec<Reply>) = self.waiting.drain(..group).unzip();
        if let Some(bound) = self.buried.bound(&writes) {
            writes.push(bound);
            replies.push(Reply::Bound);
        }
        self.metrics.store.commit_writes.observe_number(writes.len() as u64);
        let begun = Instant::now();
        let commit = self.store.commit(writes).into_actor(self);
        ctx.spawn(commit.map(move |outcome, archivist, ctx| {
            archivist.committing = false;
            archivist.metrics.store.commit_duration.observe(begun.elapsed());
            let more_to_prune = outcome.as_ref().is_ok_and(|commit| commit.written.contains(&Written::Pruned(PRUNE_AT_ONCE)));
            guarded("archivist", archivist, |archivist| &archivist.metrics, |archivist| archivist.tell(outcome, replies));
            if more_to_prune {
                archivist.prune(ctx);
            }
            archivist.commit(ctx);
        }));
    }

    fn tell(&mut self, outcome: Result<Commit, StoreError>, replies: Vec<Reply>) {
        // A full disk still lets a commit through that writes nothing.
        let idle = |written: &Written| matches!(written, Written::Released(0) | Written::Pruned(0) | Written::Discarded(0));
        let proves_nothing = outcome.as_ref().is_ok_and(|commit| commit.written.iter().all(idle));
        let was_well = if proves_nothing { self.well() } else { self.health.swap(outcome.is_ok(), Ordering::Relaxed) };
        let commit = match outcome {
            Ok(commit) => {
                if !was_well && !proves_nothing {
                    log::info!(target: "notifications", "event=store_back");
                }
                commit
            }
            Err(error) => {
                self.metrics.store.store_failures.inc();
                self.buried.again();
                let refused = replies.iter().filter(|reply| matches!(reply, Reply::Kept(_))).count();
                // While it is away its timers go on asking; only the first failure and what senders are told is news.
                if was_well || refused > 0 {
                    log::error!(target: "notifications", "event=commit_failed webhooks={refused} error={error:?}");
                }
                return replies.into_iter().for_each(|reply| reply.failed(&error));
            }
        };
        if !commit.entries.is_empty() {
            self.carry(&commit.entries);
            // A full or dead broadcaster reads it from the store when it comes to itself.
            let _ = self.broadcaster.try_send(Publish(commit.entries));
        }
        if commit.screenings_opened {
            // A full screener is busy and looks into the store before it rests.
            let _ = self.screener.try_send(Wake);
        }
        for (reply, written) in replies.into_iter().zip(commit.written) {
            if let (Reply::Bound, Written::Discarded(count)) = (&reply, &written) {
                self.bounded(*count);
            }
            reply.done(written);
        }
    }

    /// Dead letters were dropped, because there were too many.
    fn bounded(&mut self, count: usize) {
        if !Buried::is_enough(count) {
            self.buried.again();
        }
        if count > 0 {
            self.metrics.store.dead_letters_dropped.inc_by(count as u64);
            log::warn!(target: "notifications", "event=dead_letters_dropped count={count} the oldest, to stay within store.max_dead_letters and store.max_dead_letter_bytes");
        }
    }

    /// Other nodes read from the store what a full or dead courier does not carry.
    fn carry(&self, entries: &[Entry]) {
        if let Some(courier) = &self.courier
            && courier.try_send(Carry(entries.to_vec())).is_err()
        {
            self.metrics.bus.bus_dropped.get_or_create(&[("cause", "courier_full")]).inc_by(entries.len() as u64);
        }
    }

    fn well(&self) -> bool {
        self.health.load(Ordering::Relaxed)
    }

    fn probe(&mut self, ctx: &mut Context<Self>) {
        if !self.well() && self.waiting.is_empty() {
            self.enqueue(Write::Probe, Reply::Nobody, ctx);
        }
    }

    fn prune(&mut self, ctx: &mut Context<Self>) {
        let Some(before) = self.kept_since() else { return };
        self.enqueue(Write::Prune { before, limit: PRUNE_AT_ONCE }, Reply::Nobody, ctx);
    }

    /// What the audit says of entries that are gone goes too. It is none of a commit's.
    fn forget(&mut self, ctx: &mut Context<Self>) {
        let Some(before) = self.kept_since().filter(|_| !self.forgetting) else { return };
        self.forgetting = true;
        let forget = self.store.forget(before, PRUNE_AT_ONCE).into_actor(self);
        ctx.spawn(forget.map(|outcome, archivist, ctx| {
            archivist.forgetting = false;
            match outcome {
                Ok(PRUNE_AT_ONCE) => archivist.forget(ctx),
                Ok(_) => {}
                Err(error) => log::warn!(target: "notifications", "event=audit_not_pruned error={error:?}"),
            }
        }));
    }

    /// Older entries may go; none where all stay.
    fn kept_since(&self) -> Option<Timestamp> {
        let retention = self.config.retention.and_then(|kept| chrono::Duration::from_std(kept).ok())?;
        Some(chrono::Utc::now() - retention)
    }
}

/// How many writes make the next commit: the first, and those behind it within both bounds.
fn group(waiting: &VecDeque<(Write, Reply)>, max_writes: usize) -> usize {
    let mut bytes = 0;
    let within = waiting.iter().take(max_writes).take_while(|(write, _)| {
        let first = bytes == 0;
        bytes += write.bytes().max(1);
        first || bytes <= COMMIT_BYTES
    });
    within.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(bytes: &[usize]) -> VecDeque<(Write, Reply)> {
        let receive = |bytes: &usize| Receive {
            raw: vec![b'x'; *bytes].into(),
            received_at: chrono::Utc::now(),
            notifications: vec![],
            dead_letters: vec![],
        };
        bytes.iter().map(|bytes| (Write::Receive(receive(bytes)), Reply::Nobody)).collect()
    }

    #[test]
    fn a_commit_ends_at_its_writes_and_at_its_bytes_and_takes_one_of_any_size() {
        assert_eq!(group(&waiting(&[1; 5]), 3), 3);
        assert_eq!(group(&waiting(&[1; 5]), 9), 5);
        assert_eq!(group(&waiting(&[COMMIT_BYTES - 1, 1, 1]), 9), 2);
        assert_eq!(group(&waiting(&[COMMIT_BYTES + 1, 1]), 9), 1);
        assert_eq!(group(&waiting(&[0, COMMIT_BYTES, 1]), 9), 1);
    }
}
