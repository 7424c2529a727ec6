//! The composition root: opens the store, builds the actors back to front, binds the listeners.

mod kinds;
mod parts;
mod recent;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Instant,
};

use actix::Arbiter;
use arc_swap::ArcSwap;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};

use parts::Parts;

use crate::{
    actors::{
        archivist::StoreHealth, canary_keeper::CanaryKeeper, intake::Intake, lines::Lines, registry::Registry,
        session::Surroundings, session_supervisor::Charge, users::UserList,
    },
    cluster::{Bus, BusError},
    config::{AuthMode, ClusterKind, Config, StoreKind},
    http::{
        actors_live::exhibit,
        admin::Readiness,
        admin_guard::Names,
        arrivals::Arrivals,
        audit::Audit,
        auth::{Door, DoorError},
        dead_letters::Letters,
        departures::Departures,
        history::Exit,
        limits::Limits,
        listen::{ListenError, Listeners, Routes, listen, most_streams},
        reload::{Live, Origin, Reloader},
        stream::Streams,
        users::UserBook,
        webhook::{Ingest, Rules},
    },
    metrics::Metrics,
    screening,
    store::{Store, StoreError, embedded::EmbeddedStore, mongo::MongoStore},
};

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
    pub(crate) open: watch::Receiver<usize>,
    /// What the application itself does in the background.
    pub(crate) tasks: Vec<JoinHandle<()>>,
    pub(crate) threads: Vec<Arbiter>,
    pub(crate) lines: Lines,
    pub(crate) charge: Arc<Charge>,
    reloader: Arc<Reloader>,
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
        metrics.bus.bus_configured.set(i64::from(bus.is_some()));
        let recent = Arc::new(recent::read(&*store, config.stream.recent).await?);
        let around = Arc::new(Surroundings {
            stream: config.stream.clone(),
            recent: recent.clone(),
            store: store.clone(),
            metrics: metrics.clone(),
        });
        let health = Arc::new(StoreHealth::new(true));
        let (pipeline, intake, screening) = (Arbiter::new(), Arbiter::new(), Arbiter::new());
        let lines = Lines::unconnected(&metrics.actors, bus.is_some());
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
        tasks.push(parts::guard(parts.session_supervisor(pipeline.handle(), charge.clone()), metrics.clone()));

        let permits = Arc::new(Semaphore::new(config.ingest.max_in_flight));
        let actors = kinds::of(&lines, &metrics);
        let canary = config.admin.canary_interval.map(|interval| Arc::new(CanaryKeeper::new(interval, lines.clone())));
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
        tasks.push(kinds::watch(readiness.clone(), picture));
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
            kinds: metrics.actors.clone(),
            lines: lines.clone(),
            most_streams: most_streams(&config),
        };
        let (cors, names) = (live.cors.clone(), live.names.clone());
        let reloader = Reloader::new(origin, live, config.clone());
        let users = UserBook { archivist, supervisor, store: store.clone() };
        let workers = parts::workers(&config.audit, &lines, charge.clone());
        let letters = Letters { store: store.clone(), archivist: lines.archivist.clone() };
        let routes = Routes {
            streams,
            door: Arc::new(door),
            exit,
            webhooks: ingest,
            readiness: readiness.clone(),
            letters,
            audit: Audit::new(store.clone()),
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
        Ok(Self { config, store, listeners, readiness, permits, open, tasks, threads, lines, charge, reloader })
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
