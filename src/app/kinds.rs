//! What `GET /actors` tells of each kind of actor, looked at each second.
//!
//! Rates and peaks are of a window of time, so somebody must look although nobody asks.

use std::sync::Arc;

use actix::{Actor, Context};
use tokio::{task::JoinHandle, time::MissedTickBehavior};

use crate::{
    actors::{line::Line, lines::Lines},
    http::{actors::ActorKind, actors_live::Picture, admin::Readiness},
    metrics::{
        Metrics,
        mailbox::Kind,
        window::{EVERY, Window},
    },
};

/// What `GET /actors` tells.
pub(super) fn of(lines: &Lines, metrics: &Arc<Metrics>) -> Vec<ActorKind> {
    fn kind(kind: &Arc<Kind>, living: impl Fn() -> usize + Send + Sync + 'static) -> ActorKind {
        ActorKind { window: Arc::new(Window::new(kind.clone())), living: Box::new(living) }
    }
    fn one<A: Actor<Context = Context<A>>>(of: &Arc<Kind>, line: &Line<A>) -> ActorKind {
        let line = line.clone();
        kind(of, move || usize::from(line.connected()))
    }
    let actors = &metrics.actors;
    let (relays, connections) = (lines.relays.clone(), metrics.streams.connections.clone());
    let mut kinds = vec![
        one(&actors.webhook_handler, &lines.webhook_handler),
        one(&actors.archivist, &lines.archivist),
        one(&actors.screener, &lines.screener),
        one(&actors.broadcaster, &lines.broadcaster),
        kind(&actors.relay, move || relays.load().iter().filter(|relay| relay.connected()).count()),
        kind(&actors.session, move || usize::try_from(connections.get()).unwrap_or(0)),
        one(&actors.session_supervisor, &lines.session_supervisor),
    ];
    kinds.extend(lines.courier.as_ref().map(|line| one(&actors.courier, line)));
    kinds
}

/// Looks at the mailboxes each second, and shows what it has seen.
pub(super) fn watch(readiness: Arc<Readiness>, picture: Picture) -> JoinHandle<()> {
    actix::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            readiness.actors.iter().for_each(|actor| actor.window.look());
            picture.renew(&readiness);
        }
    })
}
