//! Binds the listeners: each with its own threads, so that neither streams nor webhooks can starve a health check.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_http::{HttpService, Protocol, Request, Response, error::DispatchError};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{
    App, HttpServer,
    body::MessageBody,
    dev::{AppConfig, ServerHandle},
    middleware::from_fn,
    rt::net::TcpStream,
    web,
};
use socket2::{Domain, Socket, Type};

use super::{
    admin,
    admin::Readiness,
    admin_guard::{Names, guard},
    auth::Door,
    cors,
    dead_letters::Letters,
    ingest, not_found, public,
    stream::Streams,
    users::UserBook,
    watched::Watched,
    webhook::Ingest,
};
use crate::{actors::session_supervisor::Worker, config::Config};

/// Connections that may wait to be accepted: room for readers that all come back at once.
const BACKLOG: i32 = 4096;
/// Bytes that actix collects for one socket before it stops taking frames. Small, so that a slow reader's frames wait in the
/// log and not in memory.
const WRITE_BUFFER: usize = 16 * 1024;

/// Connections beside streams, a worker: webhooks, history, readers that are refused.
const SPARE_CONNECTIONS: usize = 1024;
/// What actix accepts for each worker by default.
const DEFAULT_CONNECTIONS: usize = 25_600;

/// A listener could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("{key} = {address} cannot be bound: {source}")]
pub struct BindError {
    /// The configuration key.
    key: &'static str,
    /// Its value.
    address: SocketAddr,
    /// What the system said.
    source: std::io::Error,
}

/// Where the server listens, and how it is told to stop.
pub struct Listeners {
    /// `server.bind`, with the real port.
    pub public: SocketAddr,
    /// `ingest.bind`, or the public address.
    pub ingest: SocketAddr,
    /// `admin.bind`.
    pub admin: SocketAddr,
    /// The servers of readers and senders.
    pub outer: Vec<ServerHandle>,
    /// The operators' server, which stays until the end.
    pub inner: ServerHandle,
}

/// What the routes need.
pub struct Routes {
    /// For streams and history.
    pub streams: Streams,
    /// Who gets these.
    pub door: Arc<Door>,
    /// For the webhook.
    pub webhooks: Ingest,
    /// For operators.
    pub readiness: Arc<Readiness>,
    /// For what operators change.
    pub letters: Letters,
    /// For operators, too.
    pub users: UserBook,
}

/// Binds and serves. `worker` is called once on each worker thread of the public listener.
pub fn listen(
    config: &Config,
    routes: Routes,
    worker: impl Fn() -> Arc<Worker> + Clone + Send + 'static,
) -> Result<Listeners, BindError> {
    let webhooks = web::Data::new(routes.webhooks);
    let (public, public_server) = listen_public(config, routes.streams, routes.door, webhooks.clone(), worker)?;
    let mut outer = vec![public_server];
    let ingest = match config.ingest.bind {
        None => public,
        Some(address) => {
            let webhooks = webhooks.clone();
            let app = move || App::new().app_data(webhooks.clone()).configure(ingest).default_service(web::to(not_found));
            let server = HttpServer::new(app).workers(config.server.workers).shutdown_timeout(grace(config));
            let (bound, server) = serve(server, "ingest.bind", address)?;
            outer.push(server);
            bound
        }
    };
    let (readiness, users) = (web::Data::from(routes.readiness), web::Data::new(routes.users));
    let (letters, names) = (web::Data::new(routes.letters), Names::new(&config.admin));
    let app = move || {
        App::new()
            .app_data(readiness.clone())
            .app_data(letters.clone())
            .app_data(users.clone())
            .app_data(webhooks.clone())
            .app_data(web::ThinData(names.clone()))
            .wrap(from_fn(guard))
            .configure(admin)
            .default_service(web::to(not_found))
    };
    let (admin, inner) = serve(HttpServer::new(app).workers(1), "admin.bind", config.admin.bind)?;
    Ok(Listeners { public, ingest, admin, outer, inner })
}

fn grace(config: &Config) -> u64 {
    config.server.shutdown_grace.as_secs().max(1)
}

fn serve<F, I, S, B>(
    server: HttpServer<F, I, S, B>,
    key: &'static str,
    address: SocketAddr,
) -> Result<(SocketAddr, ServerHandle), BindError>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error>,
    S::InitError: std::fmt::Debug,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
{
    let server = server.tcp_nodelay(true).disable_signals().bind(address).map_err(|source| BindError { key, address, source })?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok((bound, handle))
}

/// The public listener is wired by hand, because only so can its sockets be [`Watched`].
fn listen_public(
    config: &Config,
    streams: Streams,
    door: Arc<Door>,
    webhooks: web::Data<Ingest>,
    worker: impl Fn() -> Arc<Worker> + Clone + Send + 'static,
) -> Result<(SocketAddr, ServerHandle), BindError> {
    let error = |source| BindError { key: "server.bind", address: config.server.bind, source };
    let user_timeout = config.stream.connection_timeout.min(config.stream.heartbeat_interval);
    let (streams, door) = (web::Data::new(streams), web::Data::from(door));
    let (cors_config, own_ingest) = (config.cors.clone(), config.ingest.bind.is_some());
    let listener = bind(config.server.bind).map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;

    // Any one worker may get them all; at this limit actix stops accepting, and nobody would be told why.
    let most = (config.stream.max_connections + SPARE_CONNECTIONS).max(DEFAULT_CONNECTIONS);
    let server = Server::build()
        .workers(config.server.workers)
        .max_concurrent_connections(most)
        .shutdown_timeout(grace(config))
        .disable_signals();
    let drain = server.graceful_shutdown_signal();
    let server = server
        .listen("public", listener, move || {
            let app = App::new()
                .app_data(streams.clone())
                .app_data(door.clone())
                .app_data(webhooks.clone())
                .app_data(web::ThinData(worker()))
                .wrap(cors::cors(&cors_config))
                .wrap(cors::wildcard(&cors_config))
                .wrap(from_fn(cors::as_json))
                .configure(public)
                .configure(|app| {
                    if !own_ingest {
                        ingest(app)
                    }
                })
                .default_service(web::to(not_found))
                .into_factory()
                .map_err(|error: actix_web::Error| error.error_response());
            let drain = drain.clone();
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let drain = drain.clone();
                    async move { drain.notified().await }
                })
                // A browser that closes its tab half-closes; only so is it noticed before the next heartbeat fails.
                .h1_allow_half_closed(false)
                .h1_write_buffer_size(WRITE_BUFFER)
                .local_addr(bound)
                .on_connect_ext(|connection: &Watched, data| drop(data.insert(connection.link())))
                .finish(map_config(app, |()| AppConfig::default()));
            fn_service(move |tcp: TcpStream| async move {
                let peer = tcp.peer_addr().ok();
                Ok::<_, DispatchError>((Watched::new(tcp, user_timeout), Protocol::Http1, peer))
            })
            .and_then(http)
        })
        .map_err(error)?
        .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok((bound, handle))
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
