//! The users of the fleet: a document each, and in the counting document how often that has changed.

use std::sync::Arc;

use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};

use super::{
    connect::Collections,
    documents::META,
    transaction::{Failure, Transaction},
};
use crate::store::{StoreError, Users};

impl Collections {
    /// As [`crate::store::Store::users`].
    pub async fn users(&self) -> Result<Users, StoreError> {
        // Looked up first: the ids may be newer, and are read again then.
        let version = self.look().await?.users_version();
        let found: Vec<Document> = self.user.find(doc! {}).sort(doc! { "_id": 1 }).await?.try_collect().await?;
        let ids = found.iter().filter_map(|user| user.get_str("_id").ok()).map(Arc::from).collect();
        Ok(Users { version, ids })
    }
}

impl Transaction {
    /// Lets a user in, or no longer; says whether that changed anything.
    pub async fn set_user(&mut self, user: &str, known: bool) -> Result<bool, Failure> {
        let (collections, id) = (self.collections.clone(), doc! { "_id": user });
        let changed = if known {
            let itself = id.clone();
            collections.user.replace_one(id, itself).upsert(true).session(&mut self.session).await?.upserted_id.is_some()
        } else {
            collections.user.delete_one(id).session(&mut self.session).await?.deleted_count > 0
        };
        if changed {
            let counted = doc! { "$inc": { "users": 1_i64 } };
            collections.meta.update_one(doc! { "_id": META }, counted).session(&mut self.session).await?;
        }
        Ok(changed)
    }
}
