//! Transactions that stand still: of a node that was killed, or whose connection was cut, between two calls of a commit.
//!
//! MongoDB keeps such a one open for a minute, and with it the counting document, so that no node could commit. Killing it is safe
//! whoever it belongs to: it has not been committed, and a node that lives tries its commit again.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::{
    bson::{Bson, Document, doc},
    options::ReadConcern,
};

use super::connect::Collections;
use crate::store::StoreError;

/// The driver makes the next call of a transaction within milliseconds.
const STANDS_STILL: Duration = Duration::from_secs(2);

impl Collections {
    /// Takes back every transaction of this fleet that stands still. An account needs no privilege for what it has begun itself, so
    /// nodes that share one can free each other.
    pub async fn free_the_stuck(&self) -> Result<(), StoreError> {
        let admin = self.client.database("admin");
        let still = i64::try_from(STANDS_STILL.as_micros()).unwrap_or(i64::MAX);
        let stuck = [
            doc! { "$currentOp": { "allUsers": false, "idleSessions": true } },
            doc! { "$match": {
                "type": "idleSession",
                "appName": &self.app_name,
                "transaction.timeInactiveMicros": { "$gt": still },
            } },
        ];
        let stuck: Vec<Document> = admin.aggregate(stuck).read_concern(ReadConcern::local()).await?.try_collect().await?;
        let sessions: Vec<Bson> = stuck.iter().filter_map(|op| op.get_document("lsid").ok()?.get("id").cloned()).collect();
        if sessions.is_empty() {
            return Ok(());
        }
        log::warn!(target: "notifications", "event=stuck_transactions_taken_back count={}", sessions.len());
        let sessions: Vec<Document> = sessions.into_iter().map(|id| doc! { "id": id }).collect();
        admin.run_command(doc! { "killSessions": sessions }).await?;
        Ok(())
    }
}
