//! How many webhooks a second are kept in MongoDB, beside what its driver alone inserts: the same documents in the same batches.
//!
//! The driver alone inserts and does nothing else: no transaction, no look-up of keys, no counting, no answers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot be made ends with a panic")]

use std::time::{Duration, Instant};

use load::{SENDERS, acknowledged_a_second};
use lookout::{
    config::{self, Config, Secret},
    notification::{NotificationId, Timestamp, message},
    store::{NewNotification, Receive, Store, Write, mongo::MongoStore},
};
use mongodb::{
    Client,
    bson::{Binary, DateTime, Document, doc, oid::ObjectId, spec::BinarySubtype},
    options::{Acknowledgment, WriteConcern},
};
use serde_json::json;
use server::Server;
use servers::Mongod;
use sha2::{Digest, Sha256};

mod load;
mod server;
#[path = "../tests/servers/mod.rs"]
#[allow(dead_code, unused_imports, reason = "only one of the servers is measured")]
mod servers;

const RUN: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mongod = Mongod::start();
    let driver = driver_alone(&mongod.uri()).await;
    println!("driver   {driver:.0} webhooks/s ({SENDERS} in a batch: bodies, then entries; majority, journalled)");
    let store = store(&mongod.uri()).await;
    println!("store    {store:.0} webhooks/s ({SENDERS} in a commit)");
    println!("ratio    {:.2}", store / driver);
    let uri = mongod.uri();
    let measure = move || {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = [("LOOKOUT__STORE__KIND", "mongodb"), ("LOOKOUT__STORE__URI", uri.as_str())];
        acknowledged_a_second(&Server::start(folder.path(), &settings))
    };
    let server = std::thread::spawn(measure).join().expect("a measurement");
    println!("ratio    {:.2} of the whole server to the driver alone, the senders beside it", server / driver);
}

fn body(number: u64) -> Vec<u8> {
    format!("{number:01024}").into_bytes()
}

fn payload(number: u64, id: NotificationId) -> String {
    let data = json!({ "vessel": { "imo": number }, "screening_results": null, "note": "n".repeat(1_000) });
    message::notification(id, Timestamp::default(), Some("user"), &data)
}

fn key(number: u64) -> [u8; 32] {
    Sha256::digest(number.to_be_bytes()).into()
}

/// Repeats what keeps a batch of webhooks, numbered from the first one: how many a second.
async fn a_second(mut keep: impl AsyncFnMut(std::ops::Range<u64>)) -> f64 {
    let (start, mut kept) = (Instant::now(), 0);
    while start.elapsed() < RUN {
        keep(kept..kept + SENDERS as u64).await;
        kept += SENDERS as u64;
    }
    kept as f64 / start.elapsed().as_secs_f64()
}

async fn driver_alone(uri: &str) -> f64 {
    let client = Client::with_uri_str(uri).await.expect("a client");
    let database = client.database("driver");
    let (bodies, log) = (database.collection::<Document>("body"), database.collection::<Document>("log"));
    let durable = || WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
    let binary = |bytes: &[u8]| Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() };
    a_second(async |numbers| {
        let at = DateTime::from_millis(0);
        let (mut body_rows, mut entries) = (Vec::new(), Vec::new());
        for number in numbers {
            let (id, of) = (ObjectId::new(), ObjectId::new());
            body_rows.push(doc! { "_id": of, "received_at": at, "bytes": binary(&body(number)) });
            entries.push(doc! {
                "_id": number as i64, "kind": 0, "tag": 0_i64, "at": at, "notification": id, "owner": "user",
                "payload": payload(number, id), "body": of, "keys": [binary(&key(number))],
            });
        }
        bodies.insert_many(body_rows).write_concern(durable()).await.expect("bodies");
        log.insert_many(entries).write_concern(durable()).await.expect("entries");
    })
    .await
}

async fn store(uri: &str) -> f64 {
    let defaults = Config::defaults();
    let config = config::Store { uri: Secret::new(uri), database: "store".to_owned(), ..defaults.store };
    let store = MongoStore::open(&config, &defaults.cluster).await.expect("a store");
    let rate = a_second(async |numbers| {
        let writes = numbers.map(|number| {
            let id = NotificationId::new();
            let new = NewNotification {
                id,
                owner: Some("user".into()),
                delivery_key: None,
                fact_key: Some(key(number)),
                payload: payload(number, id),
                screen: None,
            };
            let (raw, received_at) = (body(number).into(), Timestamp::default());
            Write::Receive(Receive { raw, received_at, notifications: vec![new], dead_letters: Vec::new() })
        });
        store.commit(writes.collect()).await.expect("a commit");
    })
    .await;
    store.close().await;
    rate
}
