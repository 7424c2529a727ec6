//! One SSE client: catches up from the log when its reader is behind, sends its heartbeats, ends when it must.
//!
//! It holds no socket: the response body takes from the [`Outbox`], into which the relay puts what is live. Where the reader
//! stands is decided by [`super::progress`], when it is given up by [`super::stall`]; this actor carries their decisions out.
//!
//! * receives: `Behind`, `Nudge` (relay); `Room`, `BodyGone` (response body); `Goodbye`, `Dismiss`, `Stop` (session supervisor)
//! * sends: `Join`, `Leave` to the relay of its thread; `Gone` to the session supervisor
//! * when full: never refuses; each sender has at most one or two messages under way
//! * when it dies: its client is cut off and comes back with its last id; the relay and the registry forget it
//! * runs on: the worker thread that holds its connection

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt};
use bytes::Bytes;

use super::{
    line::{Line, Stop},
    mailbox::{Address, measured},
    outbox::{End, Outbox},
    progress::Next,
    recent::Recent,
    registry::SessionId,
    relay::{Join, Leave, Relay},
    resume::Gap,
    session_supervisor::{Gone, SessionSupervisor},
    stall::{Patience, Verdict, Watch},
};
use crate::{
    config,
    metrics::{Metrics, mailbox::Mailbox},
    notification::{
        Timestamp,
        frame::{self, Frame},
        message::{EndReason, Message as WireMessage},
        position::{GapReason, Position},
        rfc3339,
    },
    store::{Store, StoreError},
};

/// A live frame found its reader behind or its queue full: this is to be done.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Behind(pub Next);

/// Something may have been missed: look whether the log has gone on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Nudge;

/// Half of the outbox is free again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Room;

/// The response body was dropped.
#[derive(Message)]
#[rtype(result = "()")]
pub struct BodyGone;

/// The hub stops: tell the client to come back after this long, and end.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Goodbye {
    /// The `retry:` that the client is told.
    pub retry: Duration,
}

/// Its client may no longer read: tell it why, and end.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Dismiss(pub EndReason);

/// What all sessions share.
pub struct Surroundings {
    /// `[stream]`
    pub stream: config::Stream,
    /// The window of newest frames.
    pub recent: Arc<Recent>,
    /// Read for what the window no longer holds.
    pub store: Arc<dyn Store>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// Who the session is for and where it begins.
pub struct Opening {
    /// Its name in the registry.
    pub id: SessionId,
    /// The user as sent, for the log.
    pub user: Arc<str>,
    /// The user as shown to the client.
    pub clean_user: String,
    /// What its reader must be told first, when its last id was not honoured.
    pub gap: Option<Gap>,
    /// When what opened it is no longer good.
    pub until: Option<Instant>,
}

/// How a session ends when its time has come.
type Ending = fn(&mut Session);

/// The actor.
pub struct Session {
    around: Arc<Surroundings>,
    opening: Opening,
    /// Counts what comes; in each address of ours.
    mailbox: Arc<Mailbox>,
    watch: Watch,
    /// The relay and the response body hold it too.
    outbox: Arc<Outbox>,
    /// The relay of this thread holds our address.
    relay: Line<Relay>,
    /// The registry counts us until we say `Gone`.
    supervisor: Line<SessionSupervisor>,
    opened: Instant,
    first_tick: Instant,
    next_heartbeat: Instant,
    ending: Option<&'static str>,
}

impl Session {
    /// A session that begins to work when it is started; its mailbox holds `mailbox.session` messages.
    pub fn new(
        around: Arc<Surroundings>,
        opening: Opening,
        mailbox: Arc<Mailbox>,
        outbox: Arc<Outbox>,
        relay: Line<Relay>,
        supervisor: Line<SessionSupervisor>,
    ) -> Self {
        let now = Instant::now();
        // Ticks and heartbeats begin at a random moment, so that sessions opened together do not beat together; the first
        // heartbeat comes with a tick of the first interval.
        let tick = tick(&around.stream);
        let first_tick = now + tick.mul_f64(fastrand::f64());
        let beats = around.stream.heartbeat_interval.div_duration_f64(tick).round() as u32;
        let next_heartbeat = first_tick + tick * fastrand::u32(0..beats.max(1));
        let watch = Watch::new(now);
        Self { around, opening, mailbox, watch, outbox, relay, supervisor, opened: now, first_tick, next_heartbeat, ending: None }
    }
}

measured!(Session: Behind, Nudge, Room, Goodbye, Dismiss, Stop, BodyGone);

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let address = Address::new(ctx.address(), self.mailbox.clone());
        if !self.outbox.attach(address.clone()) {
            return self.stop("client_closed", ctx);
        }
        self.outbox.tell(|id| self.greeting(id));
        // The relay answers with a nudge once live frames reach us: from then on nothing can be missed unnoticed.
        self.relay.send(Join { id: self.opening.id, session: address, outbox: self.outbox.clone() });
        ctx.run_interval_at(self.first_tick.into(), tick(&self.around.stream), |session, ctx| session.tick(Instant::now(), ctx));
        if let Some((after, end)) = self.end() {
            ctx.run_later(after, move |session, _| end(session));
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        // Also reached when the actor dies by a panic: the client must not wait on a dead session.
        self.outbox.end(End::Cut);
        let (id, cause) = (self.opening.id, self.ending.unwrap_or("died"));
        self.relay.send(Leave { id, cause });
        self.supervisor.send(Gone { id, cause });
    }
}

impl Handler<Behind> for Session {
    type Result = ();

    fn handle(&mut self, Behind(next): Behind, ctx: &mut Self::Context) {
        self.obey(next, ctx);
    }
}

impl Handler<Nudge> for Session {
    type Result = ();

    fn handle(&mut self, _: Nudge, ctx: &mut Self::Context) {
        self.proceed(ctx);
    }
}

impl Handler<Room> for Session {
    type Result = ();

    fn handle(&mut self, _: Room, ctx: &mut Self::Context) {
        self.proceed(ctx);
    }
}

impl Handler<Goodbye> for Session {
    type Result = ();

    fn handle(&mut self, Goodbye { retry }: Goodbye, _: &mut Self::Context) {
        self.end_cleanly("goodbye", |_| frame::retry(retry));
    }
}

impl Handler<Dismiss> for Session {
    type Result = ();

    fn handle(&mut self, Dismiss(reason): Dismiss, _: &mut Self::Context) {
        self.dismiss(reason);
    }
}

impl Handler<Stop> for Session {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        self.stop("cut_off", ctx);
    }
}

impl Handler<BodyGone> for Session {
    type Result = ();

    fn handle(&mut self, _: BodyGone, ctx: &mut Self::Context) {
        let cause = match (self.ending, self.outbox.failure()) {
            (Some(cause), _) => cause,
            (None, Some(failure)) => {
                log::error!(target: "sse", "SSE stream error for user {}: {failure}", self.opening.user.escape_debug());
                "socket_error"
            }
            (None, None) => "client_closed",
        };
        self.stop(cause, ctx);
    }
}

impl Session {
    /// Carries a decision out, and those that follow from it while they need no waiting.
    fn obey(&mut self, mut next: Next, ctx: &mut Context<Self>) {
        loop {
            match next {
                Next::Nothing | Next::CaughtUp(None) => return,
                Next::CaughtUp(Some(replayed)) => {
                    let streams = &self.around.metrics.streams;
                    streams.replay_entries.observe_number(replayed);
                    streams.replay_duration.observe(self.opened.elapsed());
                    return self.tell(WireMessage::CaughtUp { timestamp: now_text(), replayed });
                }
                Next::AwaitRoom => return self.outbox.ask_for_room(),
                Next::Pruned => {
                    let gap = Gap { reason: GapReason::Pruned, oldest: self.around.store.span().oldest };
                    self.outbox.tell(|id| encode_gap(id, gap));
                    next = self.outbox.proceed(self.around.recent.newest().n);
                }
                Next::Read { after, limit } => {
                    self.around.metrics.streams.catch_ups.inc();
                    let Some(frames) = self.around.recent.after(after, limit) else {
                        return self.read_store(after, limit, ctx);
                    };
                    next = self.chunk(&frames);
                }
            }
        }
    }

    fn chunk(&mut self, frames: &[Frame]) -> Next {
        let (next, replayed) = self.outbox.chunk(frames, self.around.recent.newest().n);
        self.around.metrics.streams.replayed_entries.inc_by(replayed as u64);
        next
    }

    fn read_store(&mut self, after: u64, limit: usize, ctx: &mut Context<Self>) {
        let read = self.around.store.read_log(after, limit).into_actor(self);
        ctx.spawn(read.map(|entries, session, ctx| match entries {
            Ok(entries) => {
                let frames: Vec<Frame> = entries.iter().map(Frame::of).collect();
                let next = session.chunk(&frames);
                session.obey(next, ctx);
            }
            Err(error) => session.read_failed(&error),
        }));
    }

    /// The next tick tries again; the reader loses nothing but time.
    fn read_failed(&mut self, error: &StoreError) {
        log::warn!(target: "sse", "event=replay_read_failed error={error:?}");
        self.outbox.read_failed();
    }

    fn proceed(&mut self, ctx: &mut Context<Self>) {
        if self.ending.is_none() {
            let next = self.outbox.proceed(self.around.recent.newest().n);
            self.obey(next, ctx);
        }
    }

    /// The one timer: heartbeat, stall, lifetime, and a look whether anything was missed. Idempotent, because actix fires
    /// missed ticks one behind the other.
    fn tick(&mut self, now: Instant, ctx: &mut Context<Self>) {
        let stream = &self.around.stream;
        let patience = Patience { full: stream.stall_timeout, waiting: stream.connection_timeout };
        match self.watch.look(self.outbox.level(), now, patience) {
            Verdict::Fine => {}
            Verdict::Stale => {
                log::warn!(target: "sse", "Connection queue full, removing stale connection");
                return self.stop("stale", ctx);
            }
            Verdict::TimedOut => {
                log::error!(target: "sse", "SSE stream error for user {}: no byte taken for {:?}", self.opening.user.escape_debug(), patience.waiting);
                return self.stop("timed_out", ctx);
            }
        }
        if self.ending.is_some() {
            return;
        }
        self.proceed(ctx);
        // A tick that comes a little early must not put the heartbeat off by a whole tick.
        let stream = &self.around.stream;
        if now + tick(stream) / 2 >= self.next_heartbeat && !self.outbox.level().full {
            self.next_heartbeat = now + stream.heartbeat_interval;
            self.around.metrics.streams.heartbeats.inc();
            self.tell(WireMessage::Heartbeat { timestamp: now_text() });
        }
    }

    /// What ends it at the latest, and when.
    fn end(&self) -> Option<(Duration, Ending)> {
        let lifetime = self.around.stream.max_lifetime.map(|max| max.mul_f64(0.8 + 0.2 * fastrand::f64()));
        let token = self.opening.until.map(|until| until.saturating_duration_since(Instant::now()));
        let lifetime = lifetime.map(|after| (after, Self::outlive as Ending));
        let token = token.map(|after| (after, Self::expire as Ending));
        [lifetime, token].into_iter().flatten().min_by_key(|(after, _)| *after)
    }

    fn outlive(&mut self) {
        let retry = self.around.stream.retry;
        self.end_cleanly("max_lifetime", |_| frame::retry(retry));
    }

    fn expire(&mut self) {
        self.dismiss(EndReason::TokenExpired);
    }

    fn dismiss(&mut self, reason: EndReason) {
        let message = WireMessage::SessionEnded { timestamp: now_text(), reason };
        self.end_cleanly(reason.label(), |id| frame::encode(id, &message.to_json()));
    }

    fn end_cleanly(&mut self, cause: &'static str, last: impl FnOnce(Position) -> Bytes) {
        if self.ending.replace(cause).is_some() {
            return;
        }
        self.outbox.tell(last);
        self.outbox.end(End::Clean);
    }

    fn stop(&mut self, cause: &'static str, ctx: &mut Context<Self>) {
        self.ending = Some(cause);
        ctx.stop();
    }

    /// `retry:`, `connection_established` and, where the last id was not honoured, `replay_gap`: one chunk, so that no
    /// reader gets one without the others.
    fn greeting(&self, id: Position) -> Bytes {
        let mut greeting = frame::retry(self.around.stream.retry).to_vec();
        let established = WireMessage::ConnectionEstablished {
            user_id: &self.opening.clean_user,
            timestamp: now_text(),
            message: "SSE connection established successfully",
        };
        greeting.extend_from_slice(&frame::encode(id, &established.to_json()));
        if let Some(gap) = self.opening.gap {
            greeting.extend_from_slice(&encode_gap(id, gap));
        }
        greeting.into()
    }

    fn tell(&self, message: WireMessage<'_>) {
        self.outbox.tell(|id| frame::encode(id, &message.to_json()));
    }
}

fn encode_gap(id: Position, gap: Gap) -> Bytes {
    let oldest = gap.oldest.map(|oldest| oldest.to_string());
    frame::encode(id, &WireMessage::ReplayGap { timestamp: now_text(), reason: gap.reason, oldest }.to_json())
}

fn now_text() -> String {
    let now: Timestamp = chrono::Utc::now();
    rfc3339(now)
}

/// How often the timer ticks: a whole fraction of the heartbeat's interval, fine enough that no timeout is overrun by more
/// than a half.
fn tick(stream: &config::Stream) -> Duration {
    let finest = stream.stall_timeout.min(stream.connection_timeout) / 2;
    let fraction = stream.heartbeat_interval.div_duration_f64(finest).ceil().max(1.0);
    stream.heartbeat_interval.div_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tick_divides_the_heartbeat_and_is_half_a_timeout_at_most() {
        let mut stream = config::Config::defaults().stream;
        for (heartbeat, stall, expected) in [(30, 10, 5.0), (7, 10, 3.5), (12, 10, 4.0), (1, 10, 1.0), (2, 1, 0.5)] {
            stream.heartbeat_interval = Duration::from_secs(heartbeat);
            stream.stall_timeout = Duration::from_secs(stall);
            assert!((tick(&stream).as_secs_f64() - expected).abs() < 1e-6, "heartbeat {heartbeat} s, stall {stall} s");
        }
    }
}
