//! What only a store in a file can do wrong: locks, versions, a full disk, a process that is killed.

use std::{
    env,
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};

use futures_util::future::BoxFuture;
use lookout::{
    config::{self, Config},
    store::{NewNotification, Receive, Store, StoreError, Write, embedded::EmbeddedStore},
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::story::*;

/// Tells a test binary that it is the child of this test, and which file is its store.
const CHILD_STORE: &str = "LOOKOUT_TEST_CHILD_STORE";

/// A file in a folder that vanishes with the test.
pub struct TempFile {
    folder: TempDir,
}

impl TempFile {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    fn try_open(&self) -> Result<Arc<EmbeddedStore>, StoreError> {
        open(&self.path())
    }
}

impl Place for TempFile {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { self.try_open().unwrap() as Arc<dyn Store> })
    }
}

fn open(path: &Path) -> Result<Arc<EmbeddedStore>, StoreError> {
    let defaults = Config::defaults().store;
    EmbeddedStore::open(&config::Store { path: path.into(), ..defaults })
}

#[tokio::test]
async fn a_second_server_is_refused_while_the_first_holds_the_store() {
    let place = TempFile::new();
    let first = place.try_open().unwrap();
    let refused = place.try_open().unwrap_err();
    assert!(matches!(&refused, StoreError::InUse { path } if *path == place.path().display().to_string()), "{refused}");
    commit(&(first.clone() as _), vec![receive(1, vec![event(1)])]).await;
    first.close().await;
    let second = place.try_open().unwrap();
    assert!(second.span().newest.is_some());
}

#[tokio::test]
async fn a_reader_works_beside_a_server_and_after_it() {
    let place = TempFile::new();
    let missing = EmbeddedStore::open_for_reading(&place.path()).unwrap_err().to_string();
    assert!(missing.contains("store.db"), "{missing}");
    let store = place.try_open().unwrap();
    let reader = EmbeddedStore::open_for_reading(&place.path()).unwrap();
    let dead = Receive { raw: "{".into(), received_at: at(1), notifications: vec![], dead_letters: vec![letter("not_json")] };
    commit(&(store.clone() as _), vec![Write::Receive(dead)]).await;
    assert_eq!(reader.dead_letters(9).unwrap(), store.dead_letters(9).await.unwrap());
    store.close().await;
    let later = EmbeddedStore::open_for_reading(&place.path()).unwrap();
    assert_eq!(later.dead_letters(9).unwrap().len(), 1);
    assert!(place.try_open().is_ok(), "a reader does not hold the lock");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let place = TempFile::new();
    place.try_open().unwrap().close().await;
    Connection::open(place.path()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for refused in [place.try_open().unwrap_err(), EmbeddedStore::open_for_reading(&place.path()).unwrap_err()] {
        assert!(matches!(refused, StoreError::TooNew { found: 99, known: 4, .. }), "{refused}");
    }
}

#[test]
fn a_file_that_is_no_store_is_refused_by_name_and_left_as_it_is() {
    let place = TempFile::new();
    let text = "no database, but long enough that nobody takes it for an empty one. ".repeat(20);
    std::fs::write(place.path(), &text).unwrap();
    let refused = place.try_open().unwrap_err().to_string();
    assert!(refused.contains("store.db") && refused.contains("not a database"), "{refused}");
    assert_eq!(std::fs::read_to_string(place.path()).unwrap(), text);

    std::fs::remove_file(place.path()).unwrap();
    Connection::open(place.path()).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let refused = place.try_open().unwrap_err().to_string();
    assert!(refused.contains("store.db") && refused.contains("another program"), "{refused}");

    let nowhere = open(&place.path().join("no").join("folder.db")).unwrap_err().to_string();
    assert!(nowhere.contains("folder.db"), "{nowhere}");
}

#[tokio::test]
async fn a_body_is_kept_exactly_once_and_goes_with_the_last_of_it() {
    let place = TempFile::new();
    let store = place.try_open().unwrap() as Arc<dyn Store>;
    let raw: Vec<u8> = (0..=255).rev().collect();
    let batch = |second, first| {
        let notifications = (first..first + 2).map(|n| NewNotification { fact_key: Some(fact(n)), ..event(n.into()) });
        Write::Receive(Receive {
            raw: raw.clone().into(),
            received_at: at(second),
            notifications: notifications.collect(),
            dead_letters: vec![],
        })
    };
    let bodies = || -> Vec<Vec<u8>> {
        let file = Connection::open(place.path()).unwrap();
        let mut statement = file.prepare("SELECT bytes FROM body").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    commit(&store, vec![batch(1, 1), batch(2, 1), receive(9, vec![])]).await;
    assert_eq!(bodies(), std::slice::from_ref(&raw), "not again for duplicates, nor for nothing");
    commit(&store, vec![receive(9, vec![event(9)]), prune(5, 1)]).await;
    assert_eq!(bodies(), [raw, b"[raw]".to_vec()], "one of its two notifications is still there");
    commit(&store, vec![prune(5, 1)]).await;
    assert_eq!(bodies(), [b"[raw]"]);
}

/// This test binary again, running only `test`, as a child that finds its store at `path`.
fn child_of(test: &str, path: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(CHILD_STORE, path).stdout(Stdio::piped());
    command
}

fn child_store() -> Option<PathBuf> {
    env::var_os(CHILD_STORE).map(PathBuf::from)
}

fn acknowledged(child: &mut Child) -> impl Iterator<Item = u64> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok())
}

/// Commits for ever, and says of each what was acknowledged.
async fn commit_until_killed(path: &Path) {
    let store = open(path).unwrap() as Arc<dyn Store>;
    let mut number = store.span().newest.map_or(0, |newest| newest.n as u32);
    loop {
        let batch = (number + 1..=number + 3).map(event).collect();
        let newest = commit(&store, vec![receive(1, batch)]).await.entries.last().unwrap().position.n;
        number += 3;
        writeln!(std::io::stdout().lock(), "\nacknowledged {newest}").unwrap();
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    if let Some(path) = child_store() {
        return commit_until_killed(&path).await;
    }
    let place = TempFile::new();
    for round in 1..=5 {
        let test = "embedded::a_killed_process_loses_nothing_that_it_acknowledged";
        let mut child = child_of(test, &place.path()).spawn().unwrap();
        let mut told = acknowledged(&mut child);
        assert!(told.nth(round * 7).is_some(), "the child ended early");
        child.kill().unwrap();
        // What it had told by then is still in the pipe.
        let last = told.last();
        child.wait().unwrap();
        let store = place.try_open().unwrap();
        let entries = log(&(store.clone() as _)).await;
        assert!(entries.len() as u64 >= last.unwrap_or(0) && entries.len() > round * 21);
        assert_eq!(entries.len() % 3, 0, "a commit is whole or not there");
        assert_eq!(numbers(&entries), (1..=entries.len() as u64).collect::<Vec<_>>());
        assert_eq!(ids(&entries), (1..=entries.len() as u32).map(id).collect::<Vec<_>>());
        store.close().await;
    }
}

#[cfg(feature = "netns-tests")]
/// On a disk of a few megabytes that a ballast file fills: refused while full, as before once there is room.
async fn fill_the_disk(path: &Path) {
    let store = open(path).unwrap() as Arc<dyn Store>;
    let big = |number| {
        let notifications = vec![screened(number), event(number + 1_000)];
        Write::Receive(Receive { raw: vec![b'x'; 100_000].into(), received_at: at(1), notifications, dead_letters: vec![] })
    };
    commit(&store, vec![big(1)]).await;
    let ballast = path.with_file_name("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 4_096]).is_ok() {}
    drop(file);
    let before = store.span();
    for _ in 0..3 {
        let refused = store.commit(vec![settle(1, 2, "done"), big(2)]).await.unwrap_err();
        assert!(matches!(refused, StoreError::Full(_)), "{refused}");
    }
    assert_eq!(store.span(), before);
    assert_eq!(ids(&log(&store).await), [id(1_001)]);
    assert_eq!(take(&store, 9).await.len(), 1);
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(numbers(&commit(&store, vec![settle(1, 3, "done"), big(2)]).await.entries), [2, 3]);
    store.close().await;
    let store = open(path).unwrap() as Arc<dyn Store>;
    assert_eq!(ids(&log(&store).await), [id(1_001), id(1), id(1_002)]);
    store.close().await;
    println!("\nacknowledged 3");
}

#[cfg(feature = "netns-tests")]
#[tokio::test]
async fn a_full_disk_refuses_whole_commits_and_recovers() {
    if let Some(path) = child_store() {
        return fill_the_disk(&path).await;
    }
    // A mount of its own needs no privilege inside a user namespace; not every system allows those.
    let folder = tempfile::tempdir().unwrap();
    let binary = child_of("embedded::a_full_disk_refuses_whole_commits_and_recovers", &folder.path().join("store.db"));
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-ec", r#"mount -t tmpfs -o size=4m none "$0"; exec "$@""#]);
    command.arg(folder.path()).arg(binary.get_program()).args(binary.get_args());
    command.env(CHILD_STORE, folder.path().join("store.db")).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let told: Vec<u64> = acknowledged(&mut child).collect();
    assert!(child.wait().unwrap().success() && told == [3], "the child failed; its output is above");
}

#[tokio::test]
async fn a_fact_told_again_in_other_bytes_keeps_those_too_until_its_notification_goes() {
    let place = TempFile::new();
    let store = place.try_open().unwrap() as Arc<dyn Store>;
    let told = |raw: &'static str, number: u32, key: u8| {
        let new = |n| NewNotification { fact_key: Some(fact(key)), delivery_key: Some(delivery(number as u8)), ..event(n) };
        // The second of each batch is a duplicate within it.
        let notifications = vec![new(number), NewNotification { delivery_key: None, ..new(number + 100) }];
        Write::Receive(Receive { raw: raw.into(), received_at: at(1), notifications, dead_letters: vec![] })
    };
    let bodies = || -> Vec<String> {
        let file = Connection::open(place.path()).unwrap();
        let mut statement = file.prepare("SELECT CAST(bytes AS TEXT) FROM body ORDER BY id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    commit(&store, vec![told("one", 1, 1), told("two", 2, 1), told("two", 3, 1), told("one", 4, 1)]).await;
    assert_eq!(bodies(), ["one", "two"], "the same bytes once");
    commit(&store, vec![told("three", 1, 1)]).await;
    assert_eq!(bodies(), ["one", "two", "three"], "its second item has no delivery key");
    let same_delivery = NewNotification { delivery_key: Some(delivery(1)), fact_key: Some(fact(1)), ..event(50) };
    commit(&store, vec![receive(1, vec![same_delivery])]).await;
    assert_eq!(bodies(), ["one", "two", "three"], "the same delivery is the same item");
    commit(&store, vec![receive(9, vec![event(9)]), prune(5, 9)]).await;
    assert_eq!(bodies(), ["[raw]"]);
}

#[tokio::test]
async fn a_dead_body_is_there_once_however_often_it_is_taken_in_and_goes_with_the_last_of_it() {
    let place = TempFile::new();
    let store = place.try_open().unwrap() as Arc<dyn Store>;
    let bodies = || -> Vec<Vec<u8>> {
        let file = Connection::open(place.path()).unwrap();
        let mut statement = file.prepare("SELECT bytes FROM body").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let receive = |notifications, letters| Receive {
        raw: "[raw]".into(),
        received_at: at(1),
        notifications,
        dead_letters: (0..letters).map(|_| letter("bad")).collect(),
    };
    let retry = |seq, number| Write::Retry { seq, receive: receive(vec![event(number)], 0) };
    commit(&store, vec![Write::Receive(receive(vec![event(1)], 3))]).await;
    commit(&store, vec![retry(1, 2), retry(2, 3)]).await;
    assert_eq!(bodies(), [b"[raw]"]);
    commit(&store, vec![crate::story::receive(9, vec![event(9)]), prune(5, 9)]).await;
    commit(&store, vec![Write::Receive(receive(vec![], 2)), Write::Discard { letters: 4..=4, limit: 9 }]).await;
    assert_eq!(bodies().len(), 2, "that of the newest entry, and that of the last letter");
    commit(&store, vec![Write::Discard { letters: 5..=5, limit: 9 }]).await;
    assert_eq!(bodies(), [b"[raw]"]);
}

#[test]
fn a_store_that_is_dropped_gives_its_lock_back() {
    let place = TempFile::new();
    drop(place.try_open().unwrap());
    // Closing goes on in the background; it ends by itself.
    while let Err(error) = place.try_open() {
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        thread::yield_now();
    }
}
