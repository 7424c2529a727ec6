//! The audit in MongoDB: a document for each connection, mark and lap, beside the log and outside of its transactions.
//!
//! A lap is written last, so that who sees it sees the marks that belong to it.

use std::sync::Arc;

use futures_util::{TryStreamExt, future::BoxFuture};
use mongodb::{
    bson::{DateTime, Document, doc, oid::ObjectId},
    options::{Hint, ReadConcern},
};
use serde::{Deserialize, Serialize};

use super::{
    MongoStore,
    connect::Collections,
    documents::{NOTIFICATION, Place, date, time},
    error::is_duplicate,
    read::bound,
    transaction::only,
};
use crate::{
    notification::{Timestamp, entry::Kind, position::Epoch},
    store::{
        StoreError,
        audit::{Candidates, Connection, End, Lap, Sendable, Sendables, Trace, Trail},
    },
};

/// The `sent` of a connection that has not ended.
pub(super) const OPEN: i64 = i64::MAX;
/// Connections written by one call.
const WRITTEN_AT_ONCE: usize = 1_000;

/// One stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ConnectionDocument {
    #[serde(rename = "_id")]
    id: ObjectId,
    user: Arc<str>,
    own: bool,
    opened_at: DateTime,
    after: i64,
    sent: i64,
    ended_at: Option<DateTime>,
    cause: Option<Arc<str>>,
}

impl ConnectionDocument {
    fn connection(self) -> Connection {
        let Self { id, user, own, opened_at, after, sent, ended_at, cause } = self;
        let end = ended_at.map(|at| End { at: time(at), sent: sent as u64, cause: cause.unwrap_or_default() });
        Connection { id, user, own, opened_at: time(opened_at), after: after as u64, end }
    }
}

/// How far a connection had come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MarkDocument {
    connection: ObjectId,
    n: i64,
    relay: ObjectId,
    lap: i64,
    at: DateTime,
    in_step: bool,
}

/// How far those in step had come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LapDocument {
    relay: ObjectId,
    n: i64,
    at: DateTime,
}

#[derive(Debug, Deserialize)]
struct TraceDocument {
    #[serde(flatten)]
    connection: ConnectionDocument,
    before: Vec<MarkDocument>,
    behind: Vec<MarkDocument>,
    reached: Vec<LapDocument>,
}

impl TraceDocument {
    fn trace(mut self) -> Trace {
        let before = self.before.pop().map(|mark| (time(mark.at), mark.in_step));
        let reached = self.reached.pop().filter(|_| before.is_some_and(|(_, in_step)| in_step));
        let behind = self.behind.pop().map(|mark| time(mark.at));
        Trace { connection: self.connection.connection(), before, behind, reached: reached.map(|lap| time(lap.at)) }
    }
}

/// An entry without its payload.
#[derive(Debug, Deserialize)]
struct SendableDocument {
    #[serde(rename = "_id")]
    n: i64,
    kind: i32,
    tag: i64,
    at: DateTime,
    notification: ObjectId,
    owner: Option<Arc<str>>,
}

impl SendableDocument {
    fn sendable(self, epoch: Epoch) -> Sendable {
        let Self { n, kind, tag, at, notification, owner } = self;
        let kind = if kind == NOTIFICATION { Kind::Notification } else { Kind::Update };
        let position = Place { n, tag }.position(epoch);
        Sendable { position, kind, notification_id: notification, owner, committed_at: time(at) }
    }
}

impl Trail for MongoStore {
    fn keep(&self, lap: Arc<Lap>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.write(move |collections| async move { collections.keep(&lap).await })
    }

    fn forget(&self, before: Timestamp, limit: usize) -> BoxFuture<'static, Result<usize, StoreError>> {
        self.write(move |collections| async move { collections.forget(before, limit).await })
    }

    fn sendables(&self, which: Sendables) -> BoxFuture<'static, Result<Vec<Sendable>, StoreError>> {
        let epoch = self.span.get().epoch;
        self.read(move |collections| async move { collections.sendables(epoch, which).await })
    }

    fn traces(&self, candidates: Candidates) -> BoxFuture<'static, Result<Vec<Trace>, StoreError>> {
        self.read(move |collections| async move { collections.traces(candidates).await })
    }

    fn furthest(&self, user: Arc<str>, below: u64) -> BoxFuture<'static, Result<Option<u64>, StoreError>> {
        self.read(move |collections| async move { collections.furthest(&user, below).await })
    }
}

impl Collections {
    async fn keep(&self, lap: &Lap) -> Result<(), StoreError> {
        for some in lap.connections.chunks(WRITTEN_AT_ONCE) {
            self.keep_connections(lap, some).await?;
        }
        let (relay, at) = (lap.relay, date(lap.at));
        if !lap.marks.is_empty() {
            let marks = lap.marks.iter().map(|mark| MarkDocument {
                connection: mark.connection,
                n: bound(mark.sent),
                relay,
                lap: lap.number,
                at,
                in_step: mark.in_step,
            });
            unless_there(self.audit_mark.insert_many(marks).ordered(false).await)?;
        }
        if let Some(reached) = lap.reached {
            unless_there(self.audit_lap.insert_one(LapDocument { relay, n: bound(reached), at }).await)?;
        }
        if let Some(until) = lap.alive_until {
            // The number 0 has no entry.
            let sign = self.audit_lap.update_one(doc! { "relay": relay, "n": 0_i64 }, doc! { "$max": { "at": date(until) } });
            unless_there(sign.upsert(true).await)?;
        }
        Ok(())
    }

    /// The driver has no call for several updates at once that older servers know.
    async fn keep_connections(&self, lap: &Lap, connections: &[Connection]) -> Result<(), StoreError> {
        let updates: Vec<Document> = connections
            .iter()
            .map(|Connection { id, user, own, opened_at, after, end }| {
                let mut begun = doc! { "user": &**user, "own": own, "opened_at": date(*opened_at), "after": bound(*after) };
                let change = match end {
                    // It may be there: of a relay that died, or with its end already, where this is a call that was given up.
                    None => {
                        begun.insert("sent", OPEN);
                        doc! { "$set": { "relay": lap.relay }, "$setOnInsert": begun }
                    }
                    Some(End { at, sent, cause }) => {
                        let end = doc! { "relay": lap.relay, "ended_at": date(*at), "sent": bound(*sent), "cause": &**cause };
                        begun.extend(end);
                        doc! { "$set": begun }
                    }
                };
                doc! { "q": { "_id": id }, "u": change, "upsert": true }
            })
            .collect();
        let command = doc! {
            "update": self.audit_connection.name(),
            "updates": updates,
            "ordered": false,
            "writeConcern": { "w": "majority", "j": true },
        };
        let answer = self.client.database(&self.meta.namespace().db).run_command(command).await?;
        let errors = answer.get_array("writeErrors").ok().and_then(|errors| errors.first().cloned());
        match errors.or_else(|| answer.get("writeConcernError").cloned()) {
            None => Ok(()),
            Some(error) => Err(StoreError::Unavailable(format!("MongoDB: {error}"))),
        }
    }

    async fn sendables(&self, epoch: Epoch, which: Sendables) -> Result<Vec<Sendable>, StoreError> {
        let log = self.log.clone_with_type::<SendableDocument>();
        let mut options = only(&["kind", "tag", "at", "notification", "owner"]);
        let filter = match which {
            Sendables::Of(id) => {
                options.sort = Some(doc! { "_id": 1 });
                doc! { "notification": id }
            }
            Sendables::UpTo(n, limit) => {
                options.sort = Some(doc! { "_id": -1 });
                options.limit = Some(bound(limit));
                doc! { "_id": { "$lte": bound(n) } }
            }
        };
        let found = log.find(filter).with_options(options).await?;
        Ok(found.map_ok(|entry| entry.sendable(epoch)).try_collect().await?)
    }

    async fn traces(&self, Candidates { n, owner, user, after, limit }: Candidates) -> Result<Vec<Trace>, StoreError> {
        let n = bound(n);
        let mut candidates = doc! { "sent": { "$gte": n }, "after": { "$lt": n } };
        if let Some(after) = after {
            candidates.insert("_id", doc! { "$gt": after });
        }
        candidates.insert("$or", vec![doc! { "own": false }, doc! { "own": true, "user": owner.as_deref() }]);
        let mut index = by_sent();
        if let Some(user) = &user {
            candidates.insert("user", &**user);
            index = by_user();
        }
        let mark = |side: &str, order: i32, name: &str| {
            doc! { "$lookup": {
                "from": self.audit_mark.name(), "localField": "_id", "foreignField": "connection", "as": name,
                "pipeline": [
                    { "$match": { "n": { side: n } } },
                    { "$sort": { "n": order, "relay": order, "lap": order } },
                    { "$limit": 1 },
                ],
            } }
        };
        // A lap that has the entry behind it is later than the mark, which has not.
        let reached = doc! { "$lookup": {
            "from": self.audit_lap.name(), "localField": "before.relay", "foreignField": "relay", "as": "reached",
            "pipeline": [{ "$match": { "n": { "$gte": n } } }, { "$sort": { "n": 1 } }, { "$limit": 1 }],
        } };
        let pipeline = [
            doc! { "$match": candidates },
            doc! { "$sort": { "_id": 1 } },
            doc! { "$limit": bound(limit) },
            mark("$lt", -1, "before"),
            mark("$gte", 1, "behind"),
            reached,
        ];
        // One snapshot: a lap must not be seen without the marks of its relay.
        let found = self.audit_connection.aggregate(pipeline).hint(Hint::Keys(index)).read_concern(ReadConcern::snapshot());
        Ok(found.with_type::<TraceDocument>().await?.map_ok(TraceDocument::trace).try_collect().await?)
    }

    async fn furthest(&self, user: &str, below: u64) -> Result<Option<u64>, StoreError> {
        let below = bound(below);
        let newest = self.audit_connection.find_one(doc! { "user": user, "after": { "$lt": below } });
        let newest = newest.sort(doc! { "sent": -1 }).hint(Hint::Keys(by_user())).await?;
        Ok(newest.map(|connection| connection.sent.min(below) as u64))
    }
}

/// The index of a search among everybody's connections. Like [`by_user`] it holds all that is asked, so that no document is read but
/// those that are found.
pub(super) fn by_sent() -> Document {
    doc! { "sent": 1, "after": 1, "own": 1, "user": 1, "_id": 1 }
}

/// The index of a search among one user's connections.
pub(super) fn by_user() -> Document {
    doc! { "user": 1, "sent": 1, "after": 1, "own": 1, "_id": 1 }
}

/// What was to be inserted and is there was kept before.
fn unless_there<T>(outcome: Result<T, mongodb::error::Error>) -> Result<(), StoreError> {
    match outcome {
        Ok(_) => Ok(()),
        Err(error) if is_duplicate(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
