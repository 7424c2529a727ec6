//! How each actor is built, and built again, on its thread.
//!
//! Building again must be the same as building: both are one closure, which the session supervisor calls for whoever died.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Arbiter, ArbiterHandle, Context};
use arc_swap::ArcSwap;
use tokio::task::JoinHandle;

use crate::{
    actors::{
        archivist::{Archivist, Colleagues, StoreHealth},
        auditor::Auditor,
        broadcaster::Broadcaster,
        courier::Courier,
        intake::Intake,
        line::Line,
        lines::Lines,
        recent::Recent,
        relay::Relay,
        screener::Screener,
        session_supervisor::{Charge, Guard, SessionSupervisor, Worker, rejoin},
        ward::Ward,
        webhook_handler::WebhookHandler,
    },
    cluster::Bus,
    config::{self, Config},
    metrics::Metrics,
    screening,
    store::Store,
};

/// How often the application looks whether the session supervisor lives.
const LOOK_AT_SUPERVISOR: Duration = Duration::from_millis(200);

/// What actors are built from.
pub(super) struct Parts<'a> {
    pub config: &'a Config,
    pub store: &'a Arc<dyn Store>,
    pub recent: &'a Arc<Recent>,
    pub metrics: &'a Arc<Metrics>,
    pub lines: &'a Lines,
}

impl Parts<'_> {
    pub(super) fn broadcaster(&self, thread: ArbiterHandle) -> Ward {
        let (kind, look_interval) = (self.metrics.actors.broadcaster.clone(), self.config.cluster.look_interval);
        let (store, recent, relays, metrics) =
            (self.store.clone(), self.recent.clone(), self.lines.relays.clone(), self.metrics.clone());
        raise("broadcaster", &self.lines.broadcaster, thread, move |ctx| {
            Broadcaster::create(
                kind.capacity(),
                look_interval,
                store.clone(),
                recent.clone(),
                relays.clone(),
                metrics.clone(),
                ctx,
            )
        })
    }

    pub(super) fn courier(&self, thread: ArbiterHandle, bus: Bus, line: &Line<Courier>) -> Ward {
        let (kind, epoch) = (self.metrics.actors.courier.clone(), self.store.span().epoch);
        let (broadcaster, metrics) = (self.lines.broadcaster.clone(), self.metrics.clone());
        raise("courier", line, thread, move |ctx| {
            Courier::create(kind.capacity(), &bus, epoch, broadcaster.clone(), metrics.clone(), ctx)
        })
    }

    pub(super) fn archivist(&self, thread: ArbiterHandle, health: Arc<StoreHealth>) -> Ward {
        let kind = self.metrics.actors.archivist.clone();
        let (store, config) = (self.store.clone(), self.config.store.clone());
        let colleagues = Colleagues {
            broadcaster: self.lines.broadcaster.clone(),
            courier: self.lines.courier.clone(),
            screener: self.lines.screener.clone(),
            metrics: self.metrics.clone(),
            health,
        };
        raise("archivist", &self.lines.archivist, thread, move |ctx| {
            Archivist::create(kind.capacity(), store.clone(), config.clone(), colleagues.clone(), ctx)
        })
    }

    pub(super) fn screener(&self, thread: ArbiterHandle, provider: Arc<dyn screening::Screener>) -> Ward {
        let kind = self.metrics.actors.screener.clone();
        let (config, store) = (self.config.screening.clone(), self.store.clone());
        let (archivist, metrics) = (self.lines.archivist.clone(), self.metrics.clone());
        raise("screener", &self.lines.screener, thread, move |ctx| {
            Screener::create(
                kind.capacity(),
                provider.clone(),
                config.clone(),
                store.clone(),
                archivist.clone(),
                metrics.clone(),
                ctx,
            )
        })
    }

    pub(super) fn webhook_handler(&self, thread: ArbiterHandle, intake: Arc<ArcSwap<Intake>>) -> Ward {
        let kind = self.metrics.actors.webhook_handler.clone();
        let (archivist, metrics) = (self.lines.archivist.clone(), self.metrics.clone());
        raise("webhook_handler", &self.lines.webhook_handler, thread, move |ctx| {
            WebhookHandler::create(kind.capacity(), intake.clone(), archivist.clone(), metrics.clone(), ctx)
        })
    }

    pub(super) fn session_supervisor(&self, thread: ArbiterHandle, charge: Arc<Charge>) -> Ward {
        let kind = self.metrics.actors.session_supervisor.clone();
        raise("session_supervisor", &self.lines.session_supervisor, thread, move |ctx| {
            SessionSupervisor::create(kind.capacity(), charge.clone(), ctx)
        })
    }
}

/// Starts an actor at the end of its line, and says how it is built again.
fn raise<A, F>(name: &'static str, line: &Line<A>, thread: ArbiterHandle, create: F) -> Ward
where
    A: Actor<Context = Context<A>>,
    F: Fn(&mut Context<A>) -> A + Clone + Send + 'static,
{
    let (watched, line) = (line.clone(), line.clone());
    let build = move || {
        let create = create.clone();
        line.connect(A::start_in_arbiter(&thread, move |ctx| create(ctx)));
    };
    build();
    Ward { name, alive: Box::new(move || watched.connected()), rebuild: Box::new(build) }
}

/// Watches the one who watches all others.
pub(super) fn guard(supervisor: Ward, metrics: Arc<Metrics>) -> JoinHandle<()> {
    actix::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_AT_SUPERVISOR).await;
            supervisor.look_after(&metrics);
        }
    })
}

/// Called on each worker thread of the public listener: gives the thread its relay.
pub(super) fn workers(
    audit: &config::Audit,
    lines: &Lines,
    charge: Arc<Charge>,
) -> impl Fn() -> Arc<Worker> + Clone + Send + 'static {
    let (audit, lines) = (audit.clone(), lines.clone());
    let count = Arc::new(AtomicUsize::new(0));
    move || {
        let index = count.fetch_add(1, Ordering::Relaxed);
        let (store, metrics) = (charge.around.store.clone(), charge.around.metrics.clone());
        let worker = Arc::new(Worker { index, arbiter: Arbiter::current(), relay: Line::unconnected(&metrics.actors.relay) });
        let audit = audit.clone();
        let ward = raise("relay", &worker.relay, worker.arbiter.clone(), move |ctx| {
            let auditor = Auditor::new(&audit, store.clone(), metrics.clone());
            Relay::create(metrics.actors.relay.capacity(), auditor, metrics.clone(), ctx)
        });
        lines.relays.rcu(|relays| relays.iter().cloned().chain([worker.relay.clone()]).collect::<Vec<_>>());
        let (charge, again) = (charge.clone(), worker.clone());
        let rebuild = Box::new(move || {
            (ward.rebuild)();
            rejoin(&charge.registry, &again);
        });
        lines.session_supervisor.send(Guard(Ward { name: ward.name, alive: ward.alive, rebuild }));
        worker
    }
}
