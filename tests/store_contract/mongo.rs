//! The contract against a real MongoDB, and what only a store in a database can do wrong.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::{TryStreamExt, future::BoxFuture};
use lookout::{
    config::{Cluster, Config, Secret, Store as StoreConfig},
    store::{
        Claimant, Commit, NewNotification, Receive, Store, StoreError, Write, Written,
        audit::{About, Connection, ConnectionId, End, Lap, Mark, Question, RelayId, search},
        mongo::MongoStore,
    },
};
use mongodb::bson::{Document, doc};

use crate::{
    servers::Mongod,
    story::*,
    users::{set_user, users},
};

/// A database of its own in a server that the tests of this process share for as long as one of them runs.
pub struct Database {
    server: Arc<Mutex<Mongod>>,
    name: String,
    pub cluster: Cluster,
}

impl Database {
    pub fn new() -> Self {
        static SERVER: Mutex<Weak<Mutex<Mongod>>> = Mutex::new(Weak::new());
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
        let server = shared.upgrade().unwrap_or_else(|| Arc::new(Mutex::new(Mongod::start())));
        *shared = Arc::downgrade(&server);
        let name = format!("contract_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        // Every claimant is dead at once, so that the next one sees all that is open.
        Self { server, name, cluster: Cluster { take_over_after: Duration::ZERO, ..Config::defaults().cluster } }
    }

    pub fn server(&self) -> MutexGuard<'_, Mongod> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn config(&self) -> StoreConfig {
        let (uri, database) = (Secret::new(self.server().uri()), self.name.clone());
        StoreConfig { uri, database, ..Config::defaults().store }
    }

    async fn node(&self) -> Arc<dyn Store> {
        MongoStore::open(&self.config(), &self.cluster).await.unwrap()
    }
}

impl Place for Database {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(self.node())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_of_several_nodes_follow_each_other_without_a_hole() {
    let place = Database::new();
    let mut nodes = Vec::new();
    for node in 0..3_u32 {
        let store = place.node().await;
        nodes.push(tokio::spawn(async move {
            let mut made = Vec::new();
            for round in 0..20 {
                let number = node * 1_000 + round * 10;
                // The second event is told by every node.
                let told = NewNotification { fact_key: Some(fact(round as u8)), ..event(number + 2) };
                made.extend(commit(&store, vec![receive(1, vec![event(number + 1), told])]).await.entries);
            }
            made
        }));
    }
    let mut made = Vec::new();
    for node in nodes {
        let own = node.await.unwrap();
        assert!(own.is_sorted_by_key(|entry| entry.position.n));
        made.extend(own);
    }
    made.sort_by_key(|entry| entry.position.n);
    assert_eq!(numbers(&made), (1..=80).collect::<Vec<_>>(), "60 events of one node each, 20 of all three");
    assert_eq!(log(&place.node().await).await, made);
}

/// A node that has just committed writes the next events without a look, so each of these must be found out behind it.
#[tokio::test]
async fn what_another_node_did_in_between_is_found_out_by_one_that_looks_up_nothing() {
    let place = Database::new();
    let (here, there) = (place.node().await, place.node().await);
    let mut number = 0;
    let mut alone = async || {
        for _ in 0..3 {
            number += 1;
            commit(&here, vec![receive(1, vec![event(1_000 + number)])]).await;
        }
        number
    };
    let told = |number: u32, key: u8| NewNotification { fact_key: Some(fact(key)), ..event(number) };
    let kept = |commit: Commit| match &commit.written[0] {
        Written::Received(kept) => (kept[0].id, kept[0].duplicate),
        other => panic!("{other:?}"),
    };
    let before = alone().await;
    let first = commit(&there, vec![receive(1, vec![told(1, 1)])]).await;
    assert_eq!(numbers(&first.entries), [u64::from(before) + 1]);
    assert_eq!(kept(commit(&here, vec![receive(1, vec![told(2, 1)])]).await), (id(1), true), "in the log of the other");
    alone().await;
    assert_eq!(kept(commit(&here, vec![receive(1, vec![told(3, 1)])]).await), (id(1), true), "in the log");
    alone().await;
    let waits = NewNotification { screen: Some(subject(4)), ..told(4, 4) };
    commit(&there, vec![receive(1, vec![waits])]).await;
    assert_eq!(kept(commit(&here, vec![receive(1, vec![told(5, 4)])]).await), (id(4), true), "held back by the other");
    alone().await;
    assert_eq!(kept(commit(&here, vec![receive(1, vec![told(6, 4)])]).await), (id(4), true), "held back");
    commit(&here, vec![settle(4, 2, "done")]).await;
    alone().await;
    assert_eq!(kept(commit(&here, vec![receive(1, vec![told(7, 4)])]).await), (id(4), true), "released");
    let all = log(&here).await;
    assert_eq!(numbers(&all), (1..=all.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_log_that_does_not_tell_how_many_screenings_are_open_has_them_counted() {
    let place = Database::new();
    let waits = NewNotification { screen: Some(subject(1)), fact_key: Some(fact(1)), ..event(1) };
    let store = place.node().await;
    commit(&store, vec![receive(1, vec![waits])]).await;
    store.close().await;
    let client = mongodb::Client::with_uri_str(place.config().uri.expose()).await.unwrap();
    let meta = client.database(&place.name).collection::<Document>("meta");
    meta.update_one(doc! {}, doc! { "$unset": { "open": "" } }).await.unwrap();
    let store = place.node().await;
    for number in 2..5 {
        commit(&store, vec![receive(1, vec![event(number)])]).await;
    }
    let again = NewNotification { fact_key: Some(fact(1)), ..event(9) };
    let done = commit(&store, vec![receive(1, vec![again])]).await;
    assert!(
        matches!(&done.written[0], Written::Received(kept) if kept[0].duplicate && kept[0].id == id(1)),
        "{:?}",
        done.written
    );
    let meta = meta.find_one(doc! {}).await.unwrap().unwrap();
    assert_eq!(meta.get_i64("open"), Ok(1));
}

#[tokio::test]
async fn what_another_node_commits_is_seen_at_the_next_look() {
    let place = Database::new();
    let (here, there) = (place.node().await, place.node().await);
    let made = commit(&there, vec![receive(1, vec![event(1), event(2)])]).await;
    assert_eq!(here.span().newest, None);
    assert_eq!(here.look().await.unwrap(), there.span());
    assert_eq!(here.span(), there.span());
    assert_eq!(log(&here).await, made.entries);
    assert_eq!(numbers(&commit(&here, vec![receive(1, vec![event(3)])]).await.entries), [3]);
    commit(&there, vec![prune(99, 2)]).await;
    assert_eq!(here.look().await.unwrap().oldest.map(|oldest| oldest.n), Some(3));
}

#[tokio::test]
async fn users_that_another_node_adds_and_removes_are_told_by_their_version() {
    let place = Database::new();
    let (here, there) = (place.node().await, place.node().await);
    let before = here.users_version().await.unwrap();
    commit(&there, vec![set_user("ana", true), set_user("ben", true)]).await;
    let added = here.users_version().await.unwrap();
    assert_ne!(added, before);
    assert_eq!(users(&here).await, ["ana", "ben"]);
    commit(&there, vec![set_user("ana", false)]).await;
    assert_ne!(here.users_version().await.unwrap(), added);
    assert_eq!(users(&here).await, ["ben"]);
}

#[tokio::test]
async fn a_log_from_before_there_were_users_takes_them() {
    let place = Database::new();
    place.node().await.close().await;
    let client = mongodb::Client::with_uri_str(place.config().uri.expose()).await.unwrap();
    let meta = client.database(&place.name).collection::<Document>("meta");
    meta.update_one(doc! {}, doc! { "$unset": { "users": "" } }).await.unwrap();
    let store = place.node().await;
    commit(&store, vec![set_user("ana", true)]).await;
    assert_eq!((store.users_version().await.unwrap(), users(&store).await), (1, vec!["ana".to_owned()]));
}

#[tokio::test]
async fn a_screening_is_taken_once_until_its_claimant_is_dead_or_gone() {
    let mut place = Database::new();
    place.cluster.take_over_after = Duration::from_secs(3_600);
    let (here, there) = (place.node().await, place.node().await);
    commit(&here, vec![receive(1, (1..=4).map(screened).collect())]).await;
    let taken = async |store: &Arc<dyn Store>, claimant, limit| {
        store.take_screenings(claimant, limit).await.unwrap().iter().map(|open| open.id).collect::<Vec<_>>()
    };
    let (first, second) = (Claimant::new(), Claimant::new());
    assert_eq!(taken(&here, first, 3).await, [id(1), id(2), id(3)]);
    assert_eq!(taken(&there, second, 9).await, [id(4)]);
    assert_eq!(taken(&there, second, 9).await, []);
    here.close().await;
    assert_eq!(taken(&there, second, 9).await, [id(1), id(2), id(3)], "it has given them back");
    place.cluster.take_over_after = Duration::ZERO;
    assert_eq!(taken(&place.node().await, first, 9).await, [id(1), id(2), id(3), id(4)], "who was not seen is dead");
}

#[tokio::test]
async fn a_log_of_a_newer_version_is_refused_and_left_alone() {
    let place = Database::new();
    place.node().await.close().await;
    let config = place.config();
    let client = mongodb::Client::with_uri_str(config.uri.expose()).await.unwrap();
    let meta = client.database(&place.name).collection::<Document>("meta");
    meta.update_one(doc! {}, doc! { "$set": { "schema": 99_i64 } }).await.unwrap();
    let refused = MongoStore::open(&config, &place.cluster).await.unwrap_err();
    assert!(matches!(refused, StoreError::TooNew { found: 99, .. }), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_away_is_told_soon_and_by_a_message_without_the_password() {
    let config = StoreConfig {
        uri: Secret::new(format!("mongodb://ana:s3cret@127.0.0.1:{}", crate::servers::free_port())),
        select_timeout: Duration::from_millis(200),
        ..Config::defaults().store
    };
    let refused = MongoStore::open(&config, &Config::defaults().cluster).await.unwrap_err().to_string();
    assert!(refused.contains("Server selection timeout") && !refused.contains("s3cret"), "{refused}");
    let config = StoreConfig { uri: Secret::new("mongodb://ana:s3/cret@host"), ..config };
    let refused = MongoStore::open(&config, &Config::defaults().cluster).await.unwrap_err().to_string();
    assert!(refused.contains("store.uri cannot be used") && !refused.contains("cret@"), "{refused}");
}

#[tokio::test]
async fn a_server_without_a_replica_set_is_refused() {
    let server = Mongod::start_alone();
    let config = StoreConfig { uri: Secret::new(server.uri()), ..Config::defaults().store };
    let refused = MongoStore::open(&config, &Config::defaults().cluster).await.unwrap_err().to_string();
    assert!(refused.contains("without a replica set"), "{refused}");
}

#[tokio::test]
async fn what_no_document_can_hold_is_refused_alone() {
    let place = Database::new();
    let store = place.node().await;
    let large = Write::Receive(Receive {
        raw: vec![b'r'; 16 << 20].into(),
        received_at: at(1),
        notifications: vec![event(1)],
        dead_letters: vec![],
    });
    let done = commit(&store, vec![receive(1, vec![event(2)]), large, receive(1, vec![event(3)])]).await;
    assert!(matches!(&done.written[1], Written::Refused(reason) if reason.contains("16777216 bytes")), "{:?}", done.written[1]);
    assert_eq!(ids(&done.entries), [id(2), id(3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn laps_that_hang_take_no_connection_from_commits() {
    let place = Database { server: Arc::new(Mutex::new(Mongod::start())), ..Database::new() };
    let config = StoreConfig { timeout: Duration::from_millis(500), ..place.config() };
    let store: Arc<dyn Store> = MongoStore::open(&config, &place.cluster).await.unwrap();
    let hang = doc! {
        "blockConnection": true, "blockTimeMS": 20_000, "namespace": format!("{}.audit_mark", place.name),
    };
    place.server().fail_commands(&["insert"], hang);
    let relay = RelayId::new();
    for number in 0..12 {
        let mark = Mark { connection: ConnectionId::new(), sent: 1, in_step: true };
        let lap = Lap { relay, number, at: at(1), reached: None, alive_until: None, connections: vec![], marks: vec![mark] };
        assert!(store.keep(Arc::new(lap)).await.is_err(), "{number}");
    }
    for number in 1..=5 {
        commit(&store, vec![receive(1, vec![event(number)])]).await;
    }
    assert_eq!(store.read_log(0, 9).await.unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_question_to_the_audit_looks_at_more_than_it_finds() {
    let place = Database::new();
    let store = place.node().await;
    commit(&store, (1..=5).map(|number| receive(0, vec![event(number)])).collect()).await;
    let others = (0..300).map(|number| (format!("user{number}"), 5));
    let connections = others.chain([("ana".to_owned(), 4)]).map(|(user, after)| Connection {
        id: ConnectionId::new(),
        user: user.into(),
        own: false,
        opened_at: at(1),
        after,
        end: Some(End { at: at(2), sent: after + 1, cause: "client_closed".into() }),
    });
    let connections = connections.collect();
    let lap =
        Lap { relay: RelayId::new(), number: 1, at: at(1), reached: Some(5), alive_until: None, connections, marks: vec![] };
    store.keep(Arc::new(lap)).await.unwrap();
    let uri = place.config().uri.expose().to_owned();
    let database = mongodb::Client::with_uri_str(uri).await.unwrap().database(&place.name);
    database.run_command(doc! { "profile": 2, "filter": { "ns": { "$regex": "audit_" } } }).await.unwrap();
    for about in [About::User("ana".into()), About::Notification(id(5), None), About::Notification(id(5), Some("ana".into()))] {
        let found = search(&*store, &Question { about, from: None, limit: 10 }).await.unwrap().unwrap();
        assert_eq!(found.deliveries.len(), 1);
    }
    store.forget(at(1), 10).await.unwrap();
    database.run_command(doc! { "profile": 0 }).await.unwrap();
    let asked = database.collection::<Document>("system.profile").find(doc! {}).await.unwrap();
    let asked: Vec<Document> = asked.try_collect().await.unwrap();
    assert!(asked.len() >= 6, "{asked:?}");
    for question in asked {
        let looked_at = question.get_i32("docsExamined").unwrap_or(0);
        assert!(looked_at <= 5 && !question.get_str("planSummary").unwrap_or_default().contains("COLLSCAN"), "{question}");
    }
}
