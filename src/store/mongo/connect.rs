//! Connecting: the driver's options, what the server must be able to do, the indexes, and the one document that counts.

use std::time::Duration;

use mongodb::{
    Client, ClientSession, Collection, Database, IndexModel,
    action::StartTransaction,
    bson::{Document, doc},
    options::{Acknowledgment, ClientOptions, IndexOptions, ReadConcern, WriteConcern},
};

use super::{
    LAPS_AT_ONCE,
    audit::{ConnectionDocument, LapDocument, MarkDocument, OPEN, by_sent, by_user},
    documents::{
        BodyDocument, EntryDocument, LetterDocument, META, Meta, NOTIFICATION, RetoldDocument, ScreeningDocument, UserDocument,
    },
    error::{DUPLICATE_KEY, code},
};
use crate::{config, store::StoreError};

/// The layout of the documents that this build reads and writes.
const SCHEMA: i64 = 1;
/// Connections beside those that read: the commit under way, one that was given up, screenings, a look, two laps.
const SPARE_CONNECTIONS: u32 = 4 + LAPS_AT_ONCE as u32;
/// A claimant that was not seen for so long is forgotten.
const CLAIMANT_KEPT: Duration = Duration::from_secs(24 * 3600);

/// The database and its collections.
#[derive(Debug, Clone)]
pub(super) struct Collections {
    pub client: Client,
    pub app_name: String,
    pub meta: Collection<Meta>,
    pub log: Collection<EntryDocument>,
    pub body: Collection<BodyDocument>,
    pub screening: Collection<ScreeningDocument>,
    pub retold: Collection<RetoldDocument>,
    pub dead_letter: Collection<LetterDocument>,
    pub claimant: Collection<Document>,
    pub user: Collection<UserDocument>,
    pub audit_connection: Collection<ConnectionDocument>,
    pub audit_mark: Collection<MarkDocument>,
    pub audit_lap: Collection<LapDocument>,
}

impl Collections {
    /// Connects, and makes what is missing there but for the counters.
    pub async fn connect(config: &config::Store) -> Result<Self, StoreError> {
        let collections = Self::reach(config).await?;
        collections.make_indexes().await?;
        Ok(collections)
    }

    /// Connects to a log that is there, and makes nothing.
    pub async fn existing(config: &config::Store) -> Result<(Self, Meta), StoreError> {
        let collections = Self::reach(config).await?;
        let Some(meta) = collections.meta.find_one(doc! { "_id": META }).await? else {
            return Err(StoreError::Unavailable(format!("{} holds no log", collections.name())));
        };
        let meta = collections.known(meta)?;
        Ok((collections, meta))
    }

    /// Connects, and checks that transactions work there.
    async fn reach(config: &config::Store) -> Result<Self, StoreError> {
        let mut options = ClientOptions::parse(config.uri.expose()).await.map_err(|_| {
            // The driver's words may hold a part of the string, and with it of the password.
            let reason = "store.uri cannot be used: check its hosts, its options and the percent-encoding of its password";
            StoreError::Unavailable(reason.into())
        })?;
        // By this name a fleet knows its own transactions.
        let app_name = format!("lookout/{}", config.database);
        options.app_name = Some(app_name.clone());
        options.server_selection_timeout = Some(config.select_timeout);
        options.connect_timeout = Some(config.select_timeout);
        options.max_pool_size =
            Some(u32::try_from(config.read_connections).unwrap_or(u32::MAX).saturating_add(SPARE_CONNECTIONS));
        options.read_concern = Some(ReadConcern::majority());
        options.write_concern = Some(durable());
        let client = Client::with_options(options)?;
        let database = client.database(&config.database);
        require_replica_set(&database).await?;
        Ok(Self {
            meta: database.collection("meta"),
            log: database.collection("log"),
            body: database.collection("body"),
            screening: database.collection("screening"),
            retold: database.collection("retold"),
            dead_letter: database.collection("dead_letter"),
            claimant: database.collection("claimant"),
            user: database.collection("user"),
            audit_connection: database.collection("audit_connection"),
            audit_mark: database.collection("audit_mark"),
            audit_lap: database.collection("audit_lap"),
            client,
            app_name,
        })
    }

    /// What an operator calls it.
    pub fn name(&self) -> String {
        format!("the MongoDB database {}", self.meta.namespace().db)
    }

    async fn make_indexes(&self) -> Result<(), StoreError> {
        let plain = |keys| IndexModel::builder().keys(keys).build();
        let unique = |keys| with(keys, IndexOptions::builder().unique(true).build());
        // A key is one notification's. What has none is not in the index.
        let keys = || with(doc! { "keys": 1 }, IndexOptions::builder().unique(true).sparse(true).build());
        let body = || with(doc! { "body": 1 }, IndexOptions::builder().sparse(true).build());
        // Positions are times in the order of the log, so this is owner and time.
        let owned = doc! { "owner": { "$exists": true }, "kind": NOTIFICATION };
        let owner = with(doc! { "owner": 1, "_id": 1 }, IndexOptions::builder().partial_filter_expression(owned).build());
        self.log.create_indexes([keys(), unique(doc! { "notification": 1, "kind": 1 }), owner, body()]).await?;
        let waiting = IndexOptions::builder().partial_filter_expression(doc! { "waits": true }).build();
        let overdue = with(doc! { "received_at": 1, "_id": 1 }, waiting);
        self.screening.create_indexes([keys(), unique(doc! { "notification": 1 }), overdue, body()]).await?;
        self.retold.create_indexes([unique(doc! { "notification": 1, "body": 1 }), body()]).await?;
        self.dead_letter.create_indexes([plain(doc! { "received_at": 1, "_id": 1 }), body()]).await?;
        self.user.create_index(unique(doc! { "seq": 1 })).await?;
        let ended = IndexOptions::builder().partial_filter_expression(doc! { "ended_at": { "$exists": true } }).build();
        let open = IndexOptions::builder().partial_filter_expression(doc! { "sent": OPEN }).build();
        self.audit_connection
            .create_indexes([
                plain(by_sent()),
                plain(by_user()),
                with(doc! { "ended_at": 1 }, ended),
                with(doc! { "opened_at": 1, "relay": 1 }, open),
            ])
            .await?;
        self.audit_mark.create_index(unique(doc! { "connection": 1, "n": 1, "relay": 1, "lap": 1 })).await?;
        self.audit_lap.create_indexes([unique(doc! { "relay": 1, "n": 1 }), plain(doc! { "at": 1 })]).await?;
        let forgotten = IndexOptions::builder().expire_after(CLAIMANT_KEPT).build();
        self.claimant.create_index(with(doc! { "seen_at": 1 }, forgotten)).await?;
        Ok(())
    }

    /// The counters; makes them, with the name of the log, where they are not there yet.
    pub async fn meta(&self) -> Result<Meta, StoreError> {
        let fresh = Meta {
            id: META.into(),
            schema: SCHEMA,
            commits: 0,
            epoch: fastrand::u32(..).into(),
            oldest: None,
            newest: None,
            screenings: 0,
            letters: 0,
            open: Some(0),
            users: 0,
            import: None,
        };
        let made = match self.meta.find_one(doc! { "_id": META }).await? {
            Some(meta) => meta,
            None => match self.meta.insert_one(&fresh).await {
                Ok(_) => fresh,
                // Another node was faster.
                Err(error) if code(&error) == Some(DUPLICATE_KEY) => self.look().await?,
                Err(error) => return Err(error.into()),
            },
        };
        self.known(made)
    }

    fn known(&self, meta: Meta) -> Result<Meta, StoreError> {
        if meta.schema > SCHEMA {
            return Err(StoreError::TooNew { path: self.name(), found: meta.schema, known: SCHEMA });
        }
        Ok(meta)
    }

    /// A log into which an import is under way is only a part of one.
    pub fn require_finished(&self, meta: &Meta) -> Result<(), StoreError> {
        match meta.import {
            None => Ok(()),
            Some(_) => Err(StoreError::Unfinished { store: self.name() }),
        }
    }

    /// The counters as they are now.
    pub async fn look(&self) -> Result<Meta, StoreError> {
        let meta = self.meta.find_one(doc! { "_id": META }).await?;
        meta.ok_or_else(|| StoreError::Unavailable("MongoDB: the counters of the log are gone".into()))
    }

    /// A session for one transaction, not begun.
    pub async fn session(&self) -> Result<ClientSession, mongodb::error::Error> {
        self.client.start_session().await
    }
}

/// Begins a transaction that sees one snapshot and is durable on a majority when it is committed.
pub(super) fn begin(session: &mut ClientSession) -> StartTransaction<&mut ClientSession> {
    session.start_transaction().read_concern(ReadConcern::snapshot()).write_concern(durable())
}

/// On disk at a majority of the replica set: less has lost acknowledged writes under `kill -9`.
fn durable() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build()
}

fn with(keys: Document, options: IndexOptions) -> IndexModel {
    IndexModel::builder().keys(keys).options(options).build()
}

async fn require_replica_set(database: &Database) -> Result<(), StoreError> {
    let hello = database.run_command(doc! { "hello": 1 }).await?;
    if hello.contains_key("setName") || hello.get_str("msg") == Ok("isdbgrid") {
        return Ok(());
    }
    let reason = "MongoDB runs without a replica set, and only that has transactions; start mongod with --replSet and call \
                  rs.initiate() once, a single member is enough";
    Err(StoreError::Unavailable(reason.into()))
}
