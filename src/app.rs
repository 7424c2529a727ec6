//! The composition root: opens the store, builds the actors back to front, binds the listeners.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    },
    time::{Duration, Instant},
};

use actix::{Actor, Arbiter, ArbiterHandle, Context};
use arc_swap::ArcSwap;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::MissedTickBehavior,
};

use crate::{
    actors::{
        archivist::{Archivist, Colleagues, StoreHealth},
        broadcaster::{Broadcaster, Relays},
        canary::Route,
        canary_keeper::CanaryKeeper,
        courier::Courier,
        intake::Intake,
        line::Line,
        recent::Recent,
        registry::Registry,
        relay::Relay,
        screener::Screener,
        session::Surroundings,
        session_supervisor::{Charge, Guard, SessionSupervisor, Ward, Worker, rejoin},
        users::UserList,
        webhook_handler::WebhookHandler,
    },
    cluster::{Bus, BusError},
    config::{AuthMode, ClusterKind, Config, StoreKind},
    http::{
        actors::ActorKind,
        actors_live::{Picture, exhibit},
        admin::Readiness,
        admin_guard::Names,
        arrivals::Arrivals,
        auth::{Door, DoorError},
        dead_letters::Letters,
        departures::Departures,
        history::Exit,
        limits::Limits,
        listen::{ListenError, Listeners, Routes, listen, most_streams},
        reload::{Live, Mailboxes, Origin, Reloader},
        stream::Streams,
        users::UserBook,
        webhook::{Ingest, Rules},
    },
    metrics::{
        Metrics,
        mailbox::Kind,
        window::{EVERY, Window},
    },
    notification::{frame::Frame, position::Position},
    screening,
    store::{Store, StoreError, embedded::EmbeddedStore, mongo::MongoStore},
};

/// Entries read back into memory at the start, so that readers who return after a restart do not all go to the store.
const RECENT_AT_START: usize = 1000;
/// How often the application looks whether the session supervisor lives.
const LOOK_AT_SUPERVISOR: Duration = Duration::from_millis(200);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be opened.
    #[error("the store could not be opened: {0}")]
    Store(#[from] StoreError),
    /// The bus cannot be used. One that is away does not stop a start.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Nobody could be let in.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// A listener could not be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// A running server. Dropping it stops nothing; call [`App::stop`].
pub struct App {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) listeners: Listeners,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) supervisor: Line<SessionSupervisor>,
    pub(crate) open: watch::Receiver<usize>,
    /// What the application itself does in the background.
    pub(crate) tasks: Vec<JoinHandle<()>>,
    pub(crate) threads: Vec<Arbiter>,
    lines: Lines,
    pub(crate) charge: Arc<Charge>,
    reloader: Arc<Reloader>,
}

/// One line to each actor of the pipeline.
#[derive(Clone)]
pub struct Lines {
    /// Takes webhooks in.
    pub webhook_handler: Line<WebhookHandler>,
    /// Writes.
    pub archivist: Line<Archivist>,
    /// Has vessels screened.
    pub screener: Line<Screener>,
    /// Encodes and hands out.
    pub broadcaster: Line<Broadcaster>,
    /// Carries between nodes, where there is a bus to them.
    pub courier: Option<Line<Courier>>,
    /// The registry.
    pub session_supervisor: Line<SessionSupervisor>,
    /// One a worker thread.
    pub relays: Relays,
}

impl Lines {
    /// The way of a canary.
    fn route(&self) -> Route {
        Route {
            webhook_handler: self.webhook_handler.clone(),
            archivist: self.archivist.clone(),
            screener: self.screener.clone(),
            courier: self.courier.clone(),
            broadcaster: self.broadcaster.clone(),
            relays: self.relays.clone(),
            session_supervisor: self.session_supervisor.clone(),
        }
    }
}

impl App {
    /// Starts with the configured screening provider. Must be called inside an actix `System`.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let origin = Origin::fixed(&config);
        Self::start_from(origin, config).await
    }

    /// Starts with a configuration that can be read again.
    pub async fn start_from(origin: Origin, config: Config) -> Result<Self, StartError> {
        let screener = screening::screener(&config.screening);
        Self::build(origin, config, screener).await
    }

    /// Starts with this screening provider.
    pub async fn start_with(config: Config, provider: Arc<dyn screening::Screener>) -> Result<Self, StartError> {
        Self::build(Origin::fixed(&config), config, provider).await
    }

    async fn build(origin: Origin, config: Config, provider: Arc<dyn screening::Screener>) -> Result<Self, StartError> {
        let bus = match config.cluster.kind {
            ClusterKind::None => None,
            ClusterKind::Redis => Some(Bus::new(&config.cluster)?),
        };
        let store: Arc<dyn Store> = match config.store.kind {
            StoreKind::Embedded => EmbeddedStore::open(&config.store)?,
            StoreKind::MongoDb => MongoStore::open(&config.store, &config.cluster).await?,
        };
        let users = match config.auth.mode {
            AuthMode::Store => Some(Arc::new(UserList::new(store.users().await?, config.cluster.look_interval))),
            AuthMode::List => Some(Arc::new(UserList::configured(&config.auth.users))),
            AuthMode::Jwt | AuthMode::Http | AuthMode::Open => None,
        };
        let (door, mut tasks) = Door::open(&config.auth, users.clone())?;
        let metrics = Arc::new(Metrics::new(&config.mailbox));
        let recent = Arc::new(read_recent(&*store, config.stream.recent).await?);
        let around = Arc::new(Surroundings {
            stream: config.stream.clone(),
            recent: recent.clone(),
            store: store.clone(),
            metrics: metrics.clone(),
        });
        let health = Arc::new(StoreHealth::new(true));
        let (pipeline, intake, screening) = (Arbiter::new(), Arbiter::new(), Arbiter::new());
        let lines = Lines {
            webhook_handler: Line::unconnected(&metrics.actors.webhook_handler),
            archivist: Line::unconnected(&metrics.actors.archivist),
            screener: Line::unconnected(&metrics.actors.screener),
            broadcaster: Line::unconnected(&metrics.actors.broadcaster),
            courier: bus.as_ref().map(|_| Line::unconnected(&metrics.actors.courier)),
            session_supervisor: Line::unconnected(&metrics.actors.session_supervisor),
            relays: Arc::new(ArcSwap::from_pointee(Vec::new())),
        };
        let reading = Arc::new(ArcSwap::from_pointee(Intake::new(&config.ingest, &config.screening, provider.provider())));
        let parts = Parts { config: &config, store: &store, recent: &recent, metrics: &metrics, lines: &lines };
        let mut wards = vec![
            parts.broadcaster(pipeline.handle()),
            parts.archivist(pipeline.handle(), health.clone()),
            parts.webhook_handler(intake.handle(), reading.clone()),
            parts.screener(screening.handle(), provider.clone()),
        ];
        let mut threads = Vec::new();
        if let (Some(bus), Some(line)) = (bus, &lines.courier) {
            let thread = Arbiter::new();
            wards.push(parts.courier(thread.handle(), bus, line));
            threads.push(thread);
        }
        let (open_sender, open) = watch::channel(0);
        let look_at_users = (config.auth.mode == AuthMode::Store).then_some(config.cluster.look_interval);
        let charge = Arc::new(Charge {
            registry: Mutex::new(Registry::new(config.stream.max_connections, config.stream.max_connections_per_user)),
            wards: Mutex::new(wards),
            around: around.clone(),
            users: users.clone().map(|users| (users, look_at_users)),
            line: lines.session_supervisor.clone(),
            looks: AtomicU64::new(0),
            leaving: AtomicBool::new(false),
            open: open_sender,
        });
        tasks.push(guard(parts.session_supervisor(pipeline.handle(), charge.clone()), metrics.clone()));

        let permits = Arc::new(Semaphore::new(config.ingest.max_in_flight));
        let actors = actor_kinds(&lines, &metrics);
        let canary = config.admin.canary_interval.map(|interval| Arc::new(CanaryKeeper::new(interval, lines.route())));
        let readiness = Arc::new(Readiness {
            started: Instant::now(),
            stopping: AtomicBool::new(false),
            store: health,
            canary: canary.clone(),
            has_bus: lines.courier.is_some(),
            metrics: metrics.clone(),
            webhooks: (config.ingest.max_in_flight, permits.clone()),
            actors,
        });
        let (picture, gallery) = exhibit();
        tasks.push(watch(readiness.clone(), picture));
        let limits = Arc::new(Limits::new(&config, metrics.clone()));
        let ingest = Ingest {
            rules: Arc::new(ArcSwap::from_pointee(Rules::new(&config.ingest))),
            arrivals: Arrivals::new(permits.clone(), readiness.clone()),
            handler: lines.webhook_handler.clone(),
            metrics: metrics.clone(),
            readiness: readiness.clone(),
            limits: limits.clone(),
        };
        let departures = Arc::new(Departures::new(config.server.max_pages, limits.clone()));
        let exit = Exit { departures, limits: limits.clone() };
        let streams = Streams { around, supervisor: lines.session_supervisor.clone() };
        let (archivist, supervisor) = (lines.archivist.clone(), lines.session_supervisor.clone());
        let live = Live {
            limits: limits.clone(),
            ingest: ingest.rules.clone(),
            intake: reading,
            cors: Arc::new(ArcSwap::from_pointee(config.cors.clone())),
            names: Names::new(&config.admin),
            users,
            screener: provider,
            charge: charge.clone(),
            mailboxes: Mailboxes {
                kinds: metrics.actors.clone(),
                webhook_handler: lines.webhook_handler.clone(),
                archivist: lines.archivist.clone(),
                screener: lines.screener.clone(),
                broadcaster: lines.broadcaster.clone(),
                courier: lines.courier.clone(),
                session_supervisor: lines.session_supervisor.clone(),
                relays: lines.relays.clone(),
            },
            most_streams: most_streams(&config),
        };
        let (cors, names) = (live.cors.clone(), live.names.clone());
        let reloader = Reloader::new(origin, live, config.clone());
        let users = UserBook { archivist, supervisor, store: store.clone() };
        let workers = workers(&metrics, &lines, charge.clone());
        let letters = Letters { store: store.clone(), archivist: lines.archivist.clone() };
        let routes = Routes {
            streams,
            door: Arc::new(door),
            exit,
            webhooks: ingest,
            readiness: readiness.clone(),
            letters,
            users,
            limits,
            cors,
            names,
            reloader: reloader.clone(),
            gallery,
        };
        let listeners = listen(&config, routes, workers)?;
        log::info!(target: "notifications", "event=ready public={} ingest={} admin={}", listeners.public, listeners.ingest, listeners.admin);
        threads.extend([pipeline, intake, screening]);
        tasks.extend(canary.map(|canary| actix::spawn(canary.keep())));
        Ok(Self {
            supervisor: lines.session_supervisor.clone(),
            config,
            store,
            listeners,
            readiness,
            permits,
            open,
            tasks,
            threads,
            lines,
            charge,
            reloader,
        })
    }

    /// Where streams, history and the test page are served.
    pub fn public_addr(&self) -> SocketAddr {
        self.listeners.public
    }

    /// Where webhooks are taken: the public address unless `ingest.bind` is set.
    pub fn ingest_addr(&self) -> SocketAddr {
        self.listeners.ingest
    }

    /// Where health and metrics are served.
    pub fn admin_addr(&self) -> SocketAddr {
        self.listeners.admin
    }

    /// Reads the configuration again.
    pub fn reloader(&self) -> &Arc<Reloader> {
        &self.reloader
    }

    /// The lines of the pipeline.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }
}

/// What actors are built from.
struct Parts<'a> {
    config: &'a Config,
    store: &'a Arc<dyn Store>,
    recent: &'a Arc<Recent>,
    metrics: &'a Arc<Metrics>,
    lines: &'a Lines,
}

impl Parts<'_> {
    fn broadcaster(&self, thread: ArbiterHandle) -> Ward {
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

    fn courier(&self, thread: ArbiterHandle, bus: Bus, line: &Line<Courier>) -> Ward {
        let (kind, epoch) = (self.metrics.actors.courier.clone(), self.store.span().epoch);
        let (broadcaster, metrics) = (self.lines.broadcaster.clone(), self.metrics.clone());
        raise("courier", line, thread, move |ctx| {
            Courier::create(kind.capacity(), &bus, epoch, broadcaster.clone(), metrics.clone(), ctx)
        })
    }

    fn archivist(&self, thread: ArbiterHandle, health: Arc<StoreHealth>) -> Ward {
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

    fn screener(&self, thread: ArbiterHandle, provider: Arc<dyn screening::Screener>) -> Ward {
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

    fn webhook_handler(&self, thread: ArbiterHandle, intake: Arc<ArcSwap<Intake>>) -> Ward {
        let kind = self.metrics.actors.webhook_handler.clone();
        let (archivist, metrics) = (self.lines.archivist.clone(), self.metrics.clone());
        raise("webhook_handler", &self.lines.webhook_handler, thread, move |ctx| {
            WebhookHandler::create(kind.capacity(), intake.clone(), archivist.clone(), metrics.clone(), ctx)
        })
    }

    fn session_supervisor(&self, thread: ArbiterHandle, charge: Arc<Charge>) -> Ward {
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
fn guard(supervisor: Ward, metrics: Arc<Metrics>) -> JoinHandle<()> {
    actix::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_AT_SUPERVISOR).await;
            if !(supervisor.alive)() {
                (supervisor.rebuild)();
                metrics.actors.restarts.get_or_create(&[("actor", supervisor.name)]).inc();
                log::error!(target: "notifications", "actor={} event=rebuilt it had died", supervisor.name);
            }
        }
    })
}

/// Called on each worker thread of the public listener: gives the thread its relay.
fn workers(metrics: &Arc<Metrics>, lines: &Lines, charge: Arc<Charge>) -> impl Fn() -> Arc<Worker> + Clone + Send + 'static {
    let (metrics, lines) = (metrics.clone(), lines.clone());
    let count = Arc::new(AtomicUsize::new(0));
    move || {
        let index = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let worker = Arc::new(Worker { index, arbiter: Arbiter::current(), relay: Line::unconnected(&metrics.actors.relay) });
        let metrics = metrics.clone();
        let ward = raise("relay", &worker.relay, worker.arbiter.clone(), move |ctx| {
            Relay::create(metrics.actors.relay.capacity(), metrics.clone(), ctx)
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

/// What `GET /actors` tells.
fn actor_kinds(lines: &Lines, metrics: &Arc<Metrics>) -> Vec<ActorKind> {
    fn kind(kind: &Arc<Kind>, living: impl Fn() -> usize + Send + Sync + 'static) -> ActorKind {
        ActorKind { window: Arc::new(Window::new(kind.clone())), living: Box::new(living) }
    }
    fn one<A: Actor<Context = Context<A>>>(of: &Arc<Kind>, line: &Line<A>) -> ActorKind {
        let line = line.clone();
        kind(of, move || usize::from(line.connected()))
    }
    let of = &metrics.actors;
    let (relays, connections) = (lines.relays.clone(), metrics.streams.connections.clone());
    let mut kinds = vec![
        one(&of.webhook_handler, &lines.webhook_handler),
        one(&of.archivist, &lines.archivist),
        one(&of.screener, &lines.screener),
        one(&of.broadcaster, &lines.broadcaster),
        kind(&of.relay, move || relays.load().iter().filter(|relay| relay.connected()).count()),
        kind(&of.session, move || usize::try_from(connections.get()).unwrap_or(0)),
        one(&of.session_supervisor, &lines.session_supervisor),
    ];
    kinds.extend(lines.courier.as_ref().map(|line| one(&of.courier, line)));
    kinds
}

/// Looks at the mailboxes each second, and shows what it has seen.
fn watch(readiness: Arc<Readiness>, picture: Picture) -> JoinHandle<()> {
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

async fn read_recent(store: &dyn Store, max_bytes: usize) -> Result<Recent, StoreError> {
    let span = store.span();
    let (Some(newest), Some(oldest)) = (span.newest, span.oldest) else {
        return Ok(Recent::new(max_bytes, Position::origin(span.epoch)));
    };
    let mut after = newest.n.saturating_sub(RECENT_AT_START as u64).max(oldest.n - 1);
    let recent = Recent::new(max_bytes, Position { n: after, ..Position::origin(span.epoch) });
    while after < newest.n {
        let frames: Vec<Frame> = store.read_log(after, RECENT_AT_START).await?.iter().map(Frame::of).collect();
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { break };
        if first.position.n > after + 1 {
            // Another node's retention was faster.
            recent.restart_before(first.position);
        }
        after = last.position.n;
        recent.append(&frames);
    }
    Ok(recent)
}
