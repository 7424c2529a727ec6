//! Moving a log: whatever the two stores are, the new one is the old one.

mod interrupted;
mod moved;
mod refused;

use std::{collections::HashMap, sync::Arc};

use lookout::{
    commands,
    config::{Config, StoreKind},
    store::{
        NewNotification, Receive, Store, StoreError, Write,
        embedded::EmbeddedStore,
        mongo::MongoStore,
        transfer::{Tally, TransferError},
    },
};
use serde_json::Value;
use tempfile::TempDir;

#[cfg(feature = "server-tests")]
use crate::mongo::Database;
use crate::{
    embedded::TempFile,
    story::*,
    users::{set_user, users},
};

/// A place that commands find by a configuration.
trait Movable: Place {
    fn settings(&self) -> Config;
}

impl Movable for TempFile {
    fn settings(&self) -> Config {
        let mut settings = Config::defaults();
        settings.store.path = self.path();
        settings
    }
}

#[cfg(feature = "server-tests")]
impl Movable for Database {
    fn settings(&self) -> Config {
        let mut settings = Config { store: self.config(), cluster: self.cluster.clone(), ..Config::defaults() };
        settings.store.kind = StoreKind::MongoDb;
        settings
    }
}

/// The store as a server opens it.
async fn serve(place: &impl Movable) -> Result<Arc<dyn Store>, StoreError> {
    let settings = place.settings();
    Ok(match settings.store.kind {
        StoreKind::Embedded => EmbeddedStore::open(&settings.store)?,
        StoreKind::MongoDb => MongoStore::open(&settings.store, &settings.cluster).await?,
    })
}

/// A folder with files that are exported to and imported from.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The file that `export` leaves, begun with these bytes.
    async fn export_behind(&self, place: &impl Movable, begun: &[u8]) -> Result<Vec<u8>, TransferError> {
        let file = self.0.path().join("to");
        std::fs::write(&file, begun).unwrap();
        let done = commands::export(&place.settings(), &file).await;
        let left = std::fs::read(&file).unwrap();
        match done {
            Ok(_) => Ok(left),
            Err(error) => {
                assert_eq!(left, begun, "a file that is refused is left as it was: {error}");
                Err(error)
            }
        }
    }

    async fn export(&self, place: &impl Movable) -> Vec<u8> {
        self.export_behind(place, b"").await.unwrap()
    }

    async fn import(&self, place: &impl Movable, bytes: &[u8]) -> Result<Tally, TransferError> {
        let file = self.0.path().join("from");
        std::fs::write(&file, bytes).unwrap();
        commands::import(&place.settings(), &file).await
    }
}

/// What an export says, whatever the store calls its bodies: each is called by its place among them.
fn meaning(export: &[u8]) -> Vec<Value> {
    let mut bodies = HashMap::new();
    let mut lines = Vec::new();
    for line in export.split_inclusive(|byte| *byte == b'\n') {
        let mut line: Value = serde_json::from_slice(line).unwrap();
        if let Some(id) = line.pointer("/body/id").and_then(Value::as_str) {
            bodies.insert(id.to_owned(), bodies.len());
        }
        for named in
            ["/body/id", "/notification/arrival/body", "/screening/waiting/arrival/body", "/retold/body", "/dead_letter/body"]
        {
            if let Some(id) = line.pointer_mut(named) {
                *id = bodies[id.as_str().unwrap()].into();
            }
        }
        if line.get("end").is_some() {
            line["end"]["sha256"] = Value::Null;
        }
        lines.push(line);
    }
    lines
}

/// A store with something of everything, closed: pruned, retold, waiting, pending, settled, dead.
async fn with_everything(place: &impl Place) {
    let store = place.open().await;
    let told = |raw: &'static str, notifications| {
        Write::Receive(Receive { raw: raw.into(), received_at: at(2), notifications, dead_letters: vec![letter("bad")] })
    };
    let first = NewNotification { delivery_key: Some(delivery(1)), fact_key: Some(fact(1)), ..owned(2, "b|c") };
    let again = NewNotification { delivery_key: Some(delivery(2)), fact_key: Some(fact(1)), ..event(90) };
    let waiting = NewNotification { fact_key: Some(fact(2)), owner: Some("a".into()), ..screened(4) };
    commit(&store, vec![receive(1, vec![event(1)]), told("\u{feff}{", vec![first]), told("{\"again\":1}", vec![again])]).await;
    commit(&store, vec![receive(3, vec![screened(3)]), receive(4, vec![waiting, screened(5)]), settle(5, 5, "done")]).await;
    commit(&store, vec![release(4, 6, 1), receive(6, vec![screened(6)]), release(7, 7, 9), settle(6, 8, "done")]).await;
    commit(&store, vec![receive(9, vec![screened(7), event(8)]), prune(2, 1)]).await;
    commit(&store, vec![set_user("ana", true), set_user("b|c", true), set_user("eva", true), set_user("ana", false)]).await;
    store.close().await;
}

/// Two new databases or files of each kind, and of both, as `from` and `to`.
macro_rules! each_way {
    ($($test:ident)*) => { $(
        mod $test {
            use super::*;

            #[tokio::test]
            async fn from_file_to_file() {
                super::$test(TempFile::new(), TempFile::new).await;
            }

            #[cfg(feature = "server-tests")]
            #[tokio::test]
            async fn from_file_to_mongodb() {
                super::$test(TempFile::new(), Database::new).await;
            }

            #[cfg(feature = "server-tests")]
            #[tokio::test]
            async fn from_mongodb_to_file() {
                super::$test(Database::new(), TempFile::new).await;
            }
        }
    )* };
}
use each_way;
