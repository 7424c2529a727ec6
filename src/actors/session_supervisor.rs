//! The registry: starts one session a client on the worker that holds its connection, counts them, rebuilds what died, ends those
//! of users who were removed, says goodbye to all.
//!
//! * receives: `Connect`, `LookAtUsers` (HTTP), `Gone` (sessions), `Guard`, `SayGoodbye`, `CutOff` (application),
//!   `LoopBack` (a canary)
//! * sends: `Goodbye`, `Dismiss`, `Stop` to sessions, `Join` to rebuilt relays
//! * when full: a `Connect` is refused with 503; a `Gone` is never refused, there is one a session
//! * when it dies: the application builds it again over the same registry; sessions live on
//! * runs on: the pipeline thread

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorContext, ArbiterHandle as Arbiter, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt,
};
use tokio::sync::{oneshot, watch};

use super::{
    canary::LoopBack,
    farewell::Farewell,
    left::Left,
    line::{Line, Stop, guarded},
    looks::{self, Asker, Looks},
    loopback,
    mailbox::{Address, measured},
    outbox::Outbox,
    registry::{Member, Registry, SessionId},
    relay::{Join, Relay},
    resume::Gap,
    session::{Dismiss, Goodbye, Opening, Session, Surroundings},
    users::UserList,
    ward::Ward,
};
use crate::{
    error::Refusal,
    metrics::{Metrics, mailbox::Mailbox},
    notification::message::EndReason,
    store::StoreError,
};

/// How often it looks whether one of its wards has died.
pub const LOOK: Duration = Duration::from_millis(100);
/// How often it looks whom to say goodbye to, once the hub stops.
const NEXT_GOODBYES: Duration = Duration::from_millis(20);
/// How often it looks through all sessions for one that died without a word.
const LOOK_AT_SESSIONS: Duration = Duration::from_secs(5);

/// One worker thread of the public listener.
pub struct Worker {
    /// Its number.
    pub index: usize,
    /// Its thread.
    pub arbiter: Arbiter,
    /// Its relay.
    pub relay: Line<Relay>,
}

/// Open a stream.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Connect {
    /// The user as sent.
    pub user: Arc<str>,
    /// The user as shown to the client.
    pub clean_user: String,
    /// Whether its reader gave a last id.
    pub has_last_id: bool,
    /// What its reader must be told first, when its last id was not honoured.
    pub gap: Option<Gap>,
    /// When what lets it in is no longer good.
    pub until: Option<Instant>,
    /// Where its reader stands, and what the response body takes from.
    pub outbox: Arc<Outbox>,
    /// The thread that holds the connection.
    pub worker: Arc<Worker>,
    /// Told whether the session runs.
    pub reply: oneshot::Sender<Result<(), Refusal>>,
}

/// Users may have been added or removed: look into the store, and end the streams of who is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LookAtUsers {
    /// Told when that is done; dropped untold where the store does not answer.
    pub reply: oneshot::Sender<()>,
}

/// A session has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Gone {
    /// Which.
    pub id: SessionId,
    /// Why: the `cause` of `lookout_connections_closed_total`.
    pub cause: &'static str,
}

/// Rebuild this actor when it dies.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Guard(pub Ward);

/// No new streams, and every open one ends, one after the other.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SayGoodbye {
    /// The last one is told so soon.
    pub within: Duration,
}

/// Break off every stream that has not ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CutOff;

/// What a supervisor works on; outlives it.
pub struct Charge {
    /// Who is connected. Locked by the one living supervisor, and for a moment by a reload.
    pub registry: Mutex<Registry>,
    /// Who is watched. Likewise.
    pub wards: Mutex<Vec<Ward>>,
    /// What sessions share.
    pub around: Arc<Surroundings>,
    /// Who may connect and stay, where that is a list, and how often the store is asked for it; never where the configuration has it.
    pub users: Option<(Arc<UserList>, Option<Duration>)>,
    /// The line to the supervisor itself, for sessions.
    pub line: Line<SessionSupervisor>,
    /// How often it has looked after its wards: who watches the process sees by that whether it lives.
    pub looks: AtomicU64,
    /// The hub stops: no new stream, nobody is rebuilt.
    pub leaving: AtomicBool,
    /// How many streams are open, for whoever waits for the last one.
    pub open: watch::Sender<usize>,
}

/// The actor.
pub struct SessionSupervisor {
    charge: Arc<Charge>,
    /// Users whose streams have ended.
    left: Left,
    /// For users who were added or removed.
    looks: Looks,
    /// Whom to say goodbye to, once the hub stops.
    farewell: Option<Farewell>,
}

impl SessionSupervisor {
    /// A supervisor over this charge; its mailbox holds `capacity` (`mailbox.session_supervisor`) messages.
    pub fn create(capacity: usize, charge: Arc<Charge>, ctx: &mut Context<Self>) -> Self {
        ctx.set_mailbox_capacity(capacity);
        Self { charge, left: Left::default(), looks: Looks::default(), farewell: None }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.charge.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn metrics(&self) -> &Metrics {
        &self.charge.around.metrics
    }
}

measured!(SessionSupervisor: Connect, LookAtUsers, Gone, Guard, SayGoodbye, CutOff, LoopBack, Stop);

impl Actor for SessionSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK, |supervisor, _| {
            supervisor.rebuild_the_dead();
            supervisor.charge.looks.fetch_add(1, Ordering::Relaxed);
        });
        ctx.run_interval(LOOK_AT_SESSIONS, |supervisor, _| supervisor.forget_the_dead());
        // The one before may have died with the message that said so.
        self.dismiss_the_removed();
        if let Some((_, Some(look_interval))) = &self.charge.users {
            ctx.run_interval(*look_interval, |supervisor, ctx| supervisor.look_at_users(ctx));
        }
        if self.charge.leaving.load(Ordering::Relaxed) {
            // The one before died over its goodbyes, and much of their time may be gone.
            self.say_goodbye(Duration::ZERO, ctx);
        }
    }
}

impl Handler<Connect> for SessionSupervisor {
    type Result = ();

    fn handle(&mut self, connect: Connect, _: &mut Self::Context) {
        guarded("session_supervisor", self, |supervisor| supervisor.metrics(), |supervisor| supervisor.connect(connect));
    }
}

impl Handler<LookAtUsers> for SessionSupervisor {
    type Result = ();

    fn handle(&mut self, LookAtUsers { reply }: LookAtUsers, ctx: &mut Self::Context) {
        self.looks.ask(reply);
        self.look_at_users(ctx);
    }
}

impl Handler<Gone> for SessionSupervisor {
    type Result = ();

    fn handle(&mut self, Gone { id, cause }: Gone, _: &mut Self::Context) {
        self.forget(id, cause);
    }
}

impl Handler<Guard> for SessionSupervisor {
    type Result = ();

    fn handle(&mut self, Guard(ward): Guard, _: &mut Self::Context) {
        self.charge.wards.lock().unwrap_or_else(PoisonError::into_inner).push(ward);
    }
}

impl Handler<SayGoodbye> for SessionSupervisor {
    type Result = ();

    fn handle(&mut self, SayGoodbye { within }: SayGoodbye, ctx: &mut Self::Context) {
        self.charge.leaving.store(true, Ordering::Relaxed);
        self.say_goodbye(within, ctx);
    }
}

impl Handler<CutOff> for SessionSupervisor {
    type Result = ();

    fn handle(&mut self, _: CutOff, _: &mut Self::Context) {
        self.registry().members().for_each(|(_, member)| member.session.send(Stop));
    }
}

impl Handler<LoopBack> for SessionSupervisor {
    type Result = ();

    fn handle(&mut self, canary: LoopBack, _: &mut Self::Context) {
        loopback::open(&self.charge.around, self.charge.line.clone(), canary);
    }
}

impl Handler<Stop> for SessionSupervisor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl SessionSupervisor {
    fn connect(&mut self, connect: Connect) {
        let Connect { user, clean_user, has_last_id, gap, until, outbox, worker, reply } = connect;
        let id = match self.admit(&user) {
            Ok(id) => id,
            Err((cause, refusal)) => {
                self.metrics().streams.connections_refused.get_or_create(&[("cause", cause)]).inc();
                return drop(reply.send(Err(refusal)));
            }
        };
        let came_back = match (has_last_id, gap) {
            (true, None) => Some("honoured"),
            (true, Some(_)) => Some("gap"),
            (false, _) => self.left.has(&user, Instant::now()).then_some("none"),
        };
        let around = self.charge.around.clone();
        let opening = Opening { id, user: user.clone(), clean_user, gap, until };
        let (relay, supervisor) = (worker.relay.clone(), self.charge.line.clone());
        let capacity = self.metrics().actors.session.capacity();
        let (queue, mailbox) = (outbox.clone(), Mailbox::new(self.metrics().actors.session.clone()));
        let measured = mailbox.clone();
        let session = Session::start_in_arbiter(&worker.arbiter, move |ctx| {
            ctx.set_mailbox_capacity(capacity);
            Session::new(around, opening, measured, queue, relay, supervisor)
        });
        let session = Address::new(session, mailbox);
        let open = {
            let mut registry = self.registry();
            registry.add(id, Member { user, since: Instant::now(), worker: worker.index, session, outbox });
            registry.len()
        };
        self.count(open);
        self.metrics().streams.connections_opened.inc();
        if let Some(label) = came_back {
            self.metrics().streams.reconnections.get_or_create(&[("last_id", label)]).inc();
        }
        log::info!(target: "sse", "New SSE connection established. Active connections: {open}");
        let _ = reply.send(Ok(()));
    }

    fn admit(&self, user: &str) -> Result<SessionId, (&'static str, Refusal)> {
        if self.charge.leaving.load(Ordering::Relaxed) {
            return Err(("stopping", Refusal::busy("stopping", "This server is stopping; connect again in a moment.", 1)));
        }
        // Asked again, because the user may have been removed since, and the streams of that user ended: this one would stay.
        if let Some((users, _)) = &self.charge.users {
            users.admit(user).map_err(|refusal| ("user_removed", refusal))?;
        }
        self.registry().admit(user).map_err(|full| (full.cause(), full.refusal()))
    }

    fn say_goodbye(&mut self, within: Duration, ctx: &mut Context<Self>) {
        let sessions = self.registry().members().map(|(id, _)| id).collect();
        self.farewell = Some(Farewell::new(sessions, Instant::now(), within));
        self.say_next_goodbyes();
        ctx.run_interval(NEXT_GOODBYES, |supervisor, _| supervisor.say_next_goodbyes());
    }

    fn say_next_goodbyes(&mut self) {
        let retry = self.charge.around.stream.retry;
        let due = self.farewell.as_mut().map(|farewell| farewell.due(Instant::now(), retry)).unwrap_or_default();
        let registry = self.registry();
        for (id, retry) in due {
            // Who has gone by himself meanwhile is not there any more.
            if let Some(member) = registry.get(id) {
                member.session.send(Goodbye { retry });
            }
        }
    }

    fn forget(&mut self, id: SessionId, cause: &'static str) {
        let (member, open) = {
            let mut registry = self.registry();
            let Some(member) = registry.remove(id) else { return };
            (member, registry.len())
        };
        let now = Instant::now();
        self.metrics().streams.connection_duration.observe(now.duration_since(member.since));
        self.left.note(member.user, now);
        self.count(open);
        self.metrics().streams.connections_closed.get_or_create(&[("cause", cause)]).inc();
        log::info!(target: "sse", "SSE connection closed. Active connections: {open} cause={cause}");
    }

    fn count(&self, open: usize) {
        self.metrics().streams.connections.set(open as i64);
        self.charge.open.send_replace(open);
    }

    fn look_at_users(&mut self, ctx: &mut Context<Self>) {
        let Some(askers) = self.looks.begin() else { return };
        let Some((users, Some(_))) = &self.charge.users else {
            // Nobody is connected because the store knows him.
            return self.looked_at_users(Ok(()), askers, ctx);
        };
        let look = looks::look(self.charge.around.store.clone(), users.clone());
        ctx.spawn(look.into_actor(self).map(|outcome, supervisor, ctx| supervisor.looked_at_users(outcome, askers, ctx)));
    }

    fn looked_at_users(&mut self, outcome: Result<(), StoreError>, askers: Vec<Asker>, ctx: &mut Context<Self>) {
        if outcome.is_ok() {
            self.dismiss_the_removed();
        }
        if self.looks.end(outcome, askers) {
            self.look_at_users(ctx);
        }
    }

    /// The list was changed before, so whoever of them connects from here on is refused.
    fn dismiss_the_removed(&mut self) {
        let Some((users, _)) = &self.charge.users else { return };
        if !self.looks.are_due(users.version()) {
            return;
        }
        for (_, member) in self.registry().members().filter(|(_, member)| users.lacks(&member.user)) {
            member.session.send(Dismiss(EndReason::UserRemoved));
        }
    }

    fn rebuild_the_dead(&mut self) {
        if self.charge.leaving.load(Ordering::Relaxed) {
            return;
        }
        let wards = self.charge.wards.lock().unwrap_or_else(PoisonError::into_inner);
        wards.iter().for_each(|ward| ward.look_after(self.metrics()));
    }

    fn forget_the_dead(&mut self) {
        let dead = self.registry().dead();
        dead.into_iter().for_each(|id| self.forget(id, "died"));
    }
}

/// Lets the sessions of a worker join its new relay.
pub fn rejoin(registry: &Mutex<Registry>, worker: &Worker) {
    let registry = registry.lock().unwrap_or_else(PoisonError::into_inner);
    for (id, member) in registry.members().filter(|(_, member)| member.worker == worker.index) {
        worker.relay.send(Join { id, session: member.session.clone(), outbox: member.outbox.clone() });
    }
}
