//! `POST /reload`, and what SIGHUP does: reads the configuration again and takes over what a running server can.
//!
//! What is read where requests are served is swapped whole, never changed, so nobody waits for a reload and nobody sees half of one. A
//! faulty configuration changes nothing.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use actix_web::{HttpResponse, http::StatusCode, web};
use arc_swap::ArcSwap;
use serde_json::json;
use tokio::{
    sync::{Mutex, oneshot},
    time::timeout,
};

use super::{admin_guard::Names, answer::json, cors, limits::Limits, webhook};
use crate::{
    actors::{
        intake::Intake,
        lines::Lines,
        session_supervisor::{Charge, LookAtUsers},
        users::UserList,
    },
    config::{self, AuthMode, Changes, Config, Faults, Loaded},
    metrics::actors::Actors,
    screening,
};

/// How long a reload waits for streams to be told, and for lists to be read.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the configuration comes from, and who logs by it.
pub struct Origin {
    /// Reads it again.
    pub read: Box<dyn Fn() -> Result<Loaded, Faults> + Send + Sync>,
    /// Logs by it from now on.
    pub log: Box<dyn Fn(&config::Log) + Send + Sync>,
}

impl Origin {
    /// Of a configuration that was written down nowhere: it stays as it is.
    pub fn fixed(config: &Config) -> Self {
        let loaded = Loaded { config: config.clone(), warnings: Vec::new() };
        Self { read: Box::new(move || Ok(loaded.clone())), log: Box::new(|_| {}) }
    }
}

/// What can change while the server runs. Each is read where it is used.
pub struct Live {
    /// `[limits]`
    pub limits: Arc<Limits>,
    /// `[ingest]`
    pub ingest: Arc<ArcSwap<webhook::Rules>>,
    /// How bodies are read.
    pub intake: Arc<ArcSwap<Intake>>,
    /// `[cors]`
    pub cors: cors::Rules,
    /// `admin.allowed_hosts`
    pub names: Arc<Names>,
    /// `auth.users`, where they count.
    pub users: Option<Arc<UserList>>,
    /// `screening.lists`
    pub screener: Arc<dyn screening::Screener>,
    /// The limits of streams.
    pub charge: Arc<Charge>,
    /// The mailboxes that actors get from now on.
    pub kinds: Actors,
    /// The mailboxes that they have.
    pub lines: Lines,
    /// The most streams that the listeners were opened for.
    pub most_streams: usize,
}

/// Reads the configuration again.
pub struct Reloader {
    origin: Origin,
    live: Live,
    /// What holds now. One reload at a time.
    running: Mutex<Config>,
}

impl Reloader {
    /// Of a server that runs by this configuration.
    pub fn new(origin: Origin, live: Live, running: Config) -> Arc<Self> {
        Arc::new(Self { origin, live, running: Mutex::new(running) })
    }

    /// Takes over what can be, and tells which keys have changed, also in the log.
    ///
    /// # Errors
    /// Every fault; nothing was taken over then.
    pub async fn reload(&self) -> Result<(Changes, Vec<String>), Faults> {
        let mut running = self.running.lock().await;
        let Loaded { config, warnings } = (self.origin.read)().inspect_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            log::error!(target: "notifications", "event=reload_refused faults={faults:?}");
        })?;
        let held: &[_] = if config.stream.max_connections > self.live.most_streams { &["stream.max_connections"] } else { &[] };
        let changes = running.follow(&config, held);
        self.live.take_over(&running, &changes).await;
        if changes.concern("log") {
            (self.origin.log)(&running.log);
        }
        let Changes { applied, restart_needed } = &changes;
        log::info!(target: "notifications", "event=reloaded applied={applied:?} restart_needed={restart_needed:?}");
        for warning in &warnings {
            log::warn!(target: "notifications", "event=configuration {warning}");
        }
        Ok((changes, warnings))
    }
}

impl Live {
    async fn take_over(&self, config: &Config, changes: &Changes) {
        if changes.concern("limits") || changes.concern("server") {
            self.limits.change(config);
        }
        if changes.concern("ingest") {
            self.ingest.store(Arc::new(webhook::Rules::new(&config.ingest)));
        }
        if changes.concern("ingest") || changes.concern("screening") {
            self.intake.store(Arc::new(Intake::new(&config.ingest, &config.screening, self.screener.provider())));
        }
        if changes.concern("cors") {
            self.cors.store(Arc::new(config.cors.clone()));
        }
        if changes.concern("admin") {
            self.names.change(&config.admin);
        }
        if changes.concern("stream") {
            let mut registry = self.charge.registry.lock().unwrap_or_else(PoisonError::into_inner);
            registry.allow(config.stream.max_connections, config.stream.max_connections_per_user);
        }
        if changes.concern("mailbox") {
            self.kinds.resize(&config.mailbox);
            self.lines.resize(&config.mailbox);
        }
        if changes.concern("auth") {
            self.change_users(&config.auth).await;
        }
        if changes.concern("screening") {
            let (screener, config) = (self.screener.clone(), config.screening.clone());
            // It reads files, and goes on where nobody waits for it any more.
            if timeout(PATIENCE, web::block(move || screener.follow(&config))).await.is_err() {
                log::warn!(target: "notifications", "event=reload_lists_slow they are taken over once they are read");
            }
        }
    }

    /// Lets them in, and ends the streams of who is no longer among them.
    async fn change_users(&self, config: &config::Auth) {
        let (AuthMode::List, Some(users)) = (config.mode, &self.users) else { return };
        users.configure(&config.users);
        let (reply, told) = oneshot::channel();
        self.lines.session_supervisor.send(LookAtUsers { reply });
        // Lost only with a supervisor that died; who came in meanwhile was asked for by the new list.
        let _ = timeout(PATIENCE, told).await;
    }
}

/// Reloads, and tells what changed by name; 400 with every fault where nothing did.
pub async fn post(reloader: web::Data<Reloader>) -> HttpResponse {
    match reloader.reload().await {
        Ok((Changes { applied, restart_needed }, warnings)) => {
            let body = json!({ "status": "success", "applied": applied, "restart_needed": restart_needed, "warnings": warnings });
            json(StatusCode::OK, &body)
        }
        Err(faults) => {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let message = "The configuration is faulty; nothing of it was taken over.";
            let body = json!({ "status": "error", "error": "invalid_configuration", "message": message, "faults": faults });
            json(StatusCode::BAD_REQUEST, &body)
        }
    }
}
