//! The users of the fleet: a document each, and in the counting document how often that has changed.

use futures_util::TryStreamExt;
use mongodb::{bson::doc, options::ReturnDocument};

use super::{
    connect::Collections,
    documents::{META, UserDocument},
    transaction::{Failure, Transaction},
};
use crate::store::{StoreError, Users};

impl Collections {
    /// As [`crate::store::Store::users`].
    pub async fn users(&self) -> Result<Users, StoreError> {
        // Looked up first: the ids may be newer, and are read again then.
        let version = self.look().await?.users_version();
        let found = self.user.find(doc! {}).sort(doc! { "_id": 1 }).await?;
        Ok(Users { version, ids: found.map_ok(|user| user.id).try_collect().await? })
    }
}

impl Transaction {
    /// Lets a user in, or no longer; says whether that changed anything.
    pub async fn set_user(&mut self, user: &str, known: bool) -> Result<bool, Failure> {
        let users = self.collections.user.clone();
        let id = doc! { "_id": user };
        if users.find_one(id.clone()).session(&mut self.session).await?.is_some() == known {
            return Ok(false);
        }
        let seq = self.count_user().await?;
        if known {
            users.insert_one(UserDocument { id: user.into(), seq }).session(&mut self.session).await?;
        } else {
            users.delete_one(id).session(&mut self.session).await?;
        }
        Ok(true)
    }

    async fn count_user(&mut self) -> Result<i64, Failure> {
        let meta = self.collections.meta.clone();
        let counted = meta.find_one_and_update(doc! { "_id": META }, doc! { "$inc": { "users": 1_i64 } });
        let counted = counted.return_document(ReturnDocument::After).session(&mut self.session).await?;
        Ok(counted.map_or(1, |meta| meta.users))
    }
}
