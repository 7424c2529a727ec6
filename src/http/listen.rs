//! Binds the listeners: each with its own threads, so that neither streams nor webhooks can starve a health check.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_http::{Request, Response};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, map_config};
use actix_web::{
    App, HttpServer,
    body::{BoxBody, MessageBody},
    dev::{AppConfig, ServerHandle, Service},
    middleware::from_fn,
    rt::net::TcpStream,
    web,
};
use socket2::{Domain, SockRef, Socket, Type};

use super::{
    actors_live::Gallery,
    admin,
    admin::Readiness,
    admin_guard::{Names, guard},
    audit::Audit,
    auth::Door,
    connection::{
        self, Reception, answered,
        tls::{self, TlsError},
    },
    cors,
    dead_letters::Letters,
    gate::gate,
    history::Exit,
    ingest,
    limits::Limits,
    not_found, public,
    reload::Reloader,
    security,
    stream::Streams,
    users::UserBook,
    webhook::Ingest,
};
use crate::{actors::session_supervisor::Worker, config::Config};

/// Connections that may wait to be accepted: room for readers that all come back at once.
const BACKLOG: i32 = 4096;
/// Connections beside streams, a worker: webhooks, history, readers that are refused.
const SPARE_CONNECTIONS: usize = 1024;
/// What actix accepts for each worker by default.
const DEFAULT_CONNECTIONS: usize = 25_600;

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Its address cannot be had.
    #[error("{key} = {address} cannot be bound: {source}")]
    Bind {
        /// The configuration key.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its certificate cannot be used.
    #[error("server.tls_cert, server.tls_key: {0}")]
    Tls(#[from] TlsError),
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
    /// For history.
    pub exit: Exit,
    /// For the webhook.
    pub webhooks: Ingest,
    /// For operators.
    pub readiness: Arc<Readiness>,
    /// For what operators change.
    pub letters: Letters,
    /// Who was sent what.
    pub audit: Audit,
    /// For operators, too.
    pub users: UserBook,
    /// For those who look at the actors.
    pub gallery: Gallery,
    /// What one address may have of either listener.
    pub limits: Arc<Limits>,
    /// Which pages may read.
    pub cors: cors::Rules,
    /// By which names operators may ask.
    pub names: Arc<Names>,
    /// Reads the configuration again.
    pub reloader: Arc<Reloader>,
}

/// The most streams that a listener opened for this configuration can hold, whatever is configured later.
pub fn most_streams(config: &Config) -> usize {
    config.stream.max_connections.max(DEFAULT_CONNECTIONS - SPARE_CONNECTIONS)
}

/// Binds and serves. `worker` is called once on each worker thread of the public listener.
pub fn listen(
    config: &Config,
    routes: Routes,
    worker: impl Fn() -> Arc<Worker> + Clone + Send + 'static,
) -> Result<Listeners, ListenError> {
    let limits = web::Data::from(routes.limits);
    let tls = tls::acceptor(&config.server)?;
    let secure = tls.is_some();
    let webhooks = web::Data::new(routes.webhooks);
    let (streams, door) = (web::Data::new(routes.streams), web::Data::from(routes.door));
    let exit = web::Data::new(routes.exit);
    let (cors, own_ingest) = (routes.cors, config.ingest.bind.is_some());
    let parts = Parts { config, limits: limits.clone(), tls };

    let (of_ingest, of_admin, limits_too) = (webhooks.clone(), webhooks.clone(), limits.clone());
    let app = move || {
        App::new()
            .app_data(streams.clone())
            .app_data(door.clone())
            .app_data(exit.clone())
            .app_data(webhooks.clone())
            .app_data(limits.clone())
            .app_data(web::ThinData(worker()))
            .app_data(web::ThinData(cors.clone()))
            .wrap(cors::cors(&cors))
            .wrap(from_fn(cors::finish))
            .wrap(from_fn(gate))
            .wrap(security::middleware(secure))
            .wrap(from_fn(answered))
            .configure(public)
            .configure(|app| {
                if !own_ingest {
                    ingest(app)
                }
            })
            .default_service(web::to(not_found))
            .into_factory()
    };
    // Any one worker may get them all; at this limit actix stops accepting, and nobody would be told why.
    let most = most_streams(config) + SPARE_CONNECTIONS;
    // A browser that closes its tab half-closes; only so is it noticed before the next heartbeat fails.
    let half_closed = false;
    let (public, server) = parts.serve("server.bind", config.server.bind, most, half_closed, app)?;
    let mut outer = vec![server];
    let ingest = match config.ingest.bind {
        None => public,
        Some(address) => {
            let app = move || {
                App::new()
                    .app_data(of_ingest.clone())
                    .app_data(limits_too.clone())
                    .wrap(from_fn(gate))
                    .wrap(security::middleware(secure))
                    .wrap(from_fn(answered))
                    .configure(ingest)
                    .default_service(web::to(not_found))
                    .into_factory()
            };
            let (bound, server) = parts.serve("ingest.bind", address, DEFAULT_CONNECTIONS, true, app)?;
            outer.push(server);
            bound
        }
    };
    let admin_parts = AdminParts {
        readiness: routes.readiness,
        letters: routes.letters,
        audit: routes.audit,
        users: routes.users,
        gallery: routes.gallery,
        webhooks: of_admin,
        names: routes.names,
        reloader: routes.reloader,
    };
    let (admin, inner) = serve_admin(config, admin_parts)?;
    Ok(Listeners { public, ingest, admin, outer, inner })
}

/// What operators are served with.
struct AdminParts {
    readiness: Arc<Readiness>,
    letters: Letters,
    audit: Audit,
    users: UserBook,
    gallery: Gallery,
    webhooks: web::Data<Ingest>,
    names: Arc<Names>,
    reloader: Arc<Reloader>,
}

/// Operators need nothing of what the other listeners do with their connections.
fn serve_admin(config: &Config, parts: AdminParts) -> Result<(SocketAddr, ServerHandle), ListenError> {
    let address = config.admin.bind;
    let (readiness, webhooks) = (web::Data::from(parts.readiness), parts.webhooks);
    let (letters, audit, users) = (web::Data::new(parts.letters), web::Data::new(parts.audit), web::Data::new(parts.users));
    let (names, gallery, reloader) = (parts.names, parts.gallery, web::Data::from(parts.reloader));
    let app = move || {
        App::new()
            .app_data(readiness.clone())
            .app_data(letters.clone())
            .app_data(audit.clone())
            .app_data(users.clone())
            .app_data(webhooks.clone())
            .app_data(web::ThinData(names.clone()))
            .app_data(reloader.clone())
            .app_data(web::ThinData(gallery.clone()))
            .wrap(from_fn(guard))
            .wrap(security::middleware(false))
            .configure(admin)
            .default_service(web::to(not_found))
    };
    let patience = config.stream.connection_timeout.min(config.stream.heartbeat_interval);
    let server = HttpServer::new(app).workers(1).tcp_nodelay(true).disable_signals();
    // A viewer who has vanished must not keep a place: the kernel gives such a connection up.
    let server = server.on_connect(move |connection, _| {
        if let Some(Err(error)) =
            connection.downcast_ref::<TcpStream>().map(|tcp| SockRef::from(tcp).set_tcp_user_timeout(Some(patience)))
        {
            log::debug!(target: "notifications", "event=socket_option_refused error={error:?}");
        }
    });
    let server = server.bind(address).map_err(|source| ListenError::Bind { key: "admin.bind", address, source })?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok((bound, handle))
}

/// What the listeners of readers and senders are made of. They are wired by hand, see [`connection`].
struct Parts<'a> {
    config: &'a Config,
    limits: web::Data<Limits>,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

impl Parts<'_> {
    /// Serves an application, built once on each worker thread.
    fn serve<F, A, B>(
        &self,
        key: &'static str,
        address: SocketAddr,
        most_connections: usize,
        half_closed: bool,
        app: F,
    ) -> Result<(SocketAddr, ServerHandle), ListenError>
    where
        F: Fn() -> A + Clone + Send + 'static,
        A: ServiceFactory<Request, Config = AppConfig, Error = actix_web::Error, InitError = ()> + 'static,
        A::Response: Into<Response<B>> + 'static,
        A::Service: 'static,
        <A::Service as Service<Request>>::Future: 'static,
        B: MessageBody + 'static,
    {
        let error = |source| ListenError::Bind { key, address, source };
        let listener = bind(address).map_err(error)?;
        let bound = listener.local_addr().map_err(error)?;
        let reception = Reception::new(self.config, self.tls.clone(), self.limits.clone().into_inner(), half_closed, bound);
        let server = Server::build()
            .workers(self.config.server.workers)
            .max_concurrent_connections(most_connections)
            .shutdown_timeout(self.config.server.shutdown_grace.as_secs().max(1))
            .disable_signals();
        let drain = server.graceful_shutdown_signal();
        let server = server
            .listen(key, listener, move || {
                let app = map_config(app(), |()| AppConfig::default())
                    .map_err(|error: actix_web::Error| -> Response<BoxBody> { error.error_response().into() });
                connection::reception(app, reception.clone(), drain.clone())
            })
            .map_err(error)?
            .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Ok((bound, handle))
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
