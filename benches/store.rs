//! What the embedded store costs: group commits beside the same rows in plain SQLite, and a long log beside a short one.
//!
//! `cargo bench --bench store`; the folder is made where `TMPDIR` says, so that is the disk that is measured.

use std::{
    error::Error,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use lookout::{
    config::{self, Config},
    notification::{NotificationId, Timestamp, message, position::Tag},
    store::{NewNotification, Receive, Store, StoreError, Write, embedded::EmbeddedStore},
};
use rusqlite::{Connection, params};
use serde_json::json;
use sha2::{Digest, Sha256};

const GROUP: usize = 64;
const GROUPS: u64 = 500;
const SHORT: u64 = 1_000;
const LONG: u64 = 1_000_000;
const MISSED: usize = 10_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let store = group_commits(&folder.path().join("store.db")).await?;
    let plain = plain_group_commits(&folder.path().join("plain.db")).await?;
    println!("ratio                        {:10.2} of plain SQLite", store / plain);
    for stored in [SHORT, LONG] {
        long_log(&folder.path().join(format!("{stored}.db")), stored).await?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<Arc<EmbeddedStore>, StoreError> {
    let defaults = Config::defaults().store;
    EmbeddedStore::open(&config::Store { path: path.into(), ..defaults })
}

/// 1 KiB as posted.
fn raw(number: u64) -> Vec<u8> {
    format!("{number:01024}").into_bytes()
}

/// About 1.2 KB as streamed.
fn payload(number: u64, id: NotificationId) -> String {
    let data = json!({ "vessel": { "imo": number }, "screening_results": null, "note": "n".repeat(1_000) });
    message::notification(id, Timestamp::default(), Some("user"), &data)
}

fn key(number: u64) -> [u8; 32] {
    Sha256::digest(number.to_be_bytes()).into()
}

fn webhook(number: u64) -> Write {
    let id = NotificationId::new();
    let notification = NewNotification {
        id,
        owner: Some(format!("user{}", number % 100).into()),
        delivery_key: None,
        fact_key: Some(key(number)),
        payload: payload(number, id),
        screen: None,
    };
    Write::Receive(Receive {
        raw: raw(number).into(),
        received_at: Timestamp::default(),
        notifications: vec![notification],
        dead_letters: Vec::new(),
    })
}

/// Webhooks of one event each, in groups.
fn groups(events: u64, group: usize) -> impl Iterator<Item = Vec<Write>> {
    (0..events.div_ceil(group as u64)).map(move |g| {
        let first = g * group as u64;
        (first..(first + group as u64).min(events)).map(webhook).collect()
    })
}

fn report(what: &str, took: Duration, cpu: Duration) -> f64 {
    let events = (GROUPS * GROUP as u64) as f64;
    let rate = events / took.as_secs_f64();
    println!("{what:28} {rate:10.0} events/s, {:.1} µs CPU an event", cpu.as_secs_f64() * 1e6 / events);
    rate
}

async fn group_commits(path: &Path) -> Outcome<f64> {
    let store = open(path)?;
    let prepared: Vec<_> = groups(GROUPS * GROUP as u64, GROUP).collect();
    let (begun, cpu) = (Instant::now(), cpu_time()?);
    for writes in prepared {
        store.commit(writes).await?;
    }
    let rate = report("group commits, store", begun.elapsed(), cpu_time()? - cpu);
    store.close().await;
    Ok(rate)
}

/// The same rows into the same tables with the same settings, and nothing else: no look-ups, no threads, no answers.
async fn plain_group_commits(path: &Path) -> Outcome<f64> {
    open(path)?.close().await;
    let mut file = Connection::open(path)?;
    file.execute_batch("PRAGMA synchronous = full; PRAGMA wal_autocheckpoint = 8192; PRAGMA cache_size = -65536")?;
    let prepared: Vec<_> = groups(GROUPS * GROUP as u64, GROUP).collect();
    let (begun, cpu) = (Instant::now(), cpu_time()?);
    let mut n = 0_i64;
    for writes in &prepared {
        let tx = file.transaction()?;
        for write in writes {
            let Write::Receive(receive) = write else { continue };
            let new = &receive.notifications[0];
            n += 1;
            tx.prepare_cached("INSERT INTO body (received_at, bytes) VALUES (?1, ?2)")?
                .execute(params![0, receive.raw.as_ref()])?;
            tx.prepare_cached("INSERT INTO log VALUES (?1, 0, ?2, 0, ?3, ?4, ?5)")?.execute(params![
                n,
                Tag::of(&new.payload).0,
                new.id.bytes(),
                new.owner,
                new.payload
            ])?;
            tx.prepare_cached("INSERT INTO notification VALUES (?1, ?2, NULL, ?2, NULL, ?3)")?.execute(params![
                new.id.bytes(),
                n,
                new.fact_key
            ])?;
            tx.prepare_cached("INSERT INTO seen VALUES (?1, ?2)")?.execute(params![new.fact_key, new.id.bytes()])?;
        }
        tx.commit()?;
    }
    Ok(report("group commits, plain SQLite", begun.elapsed(), cpu_time()? - cpu))
}

async fn long_log(path: &Path, stored: u64) -> Outcome<()> {
    let store = open(path)?;
    let begun = Instant::now();
    for writes in groups(stored, 10_000) {
        store.commit(writes).await?;
    }
    let filled = begun.elapsed();
    store.close().await;
    let begun = Instant::now();
    let store = open(path)?;
    println!("{stored:9} stored: filled in {filled:.1?}, opened in {:.2?}", begun.elapsed());

    let behind = (1..=200).map(|part| stored * part / 201);
    let mut read = Vec::new();
    for after in behind {
        let begun = Instant::now();
        assert_eq!(store.read_log(after, 50).await?.len().min(1), 1);
        read.push(begun.elapsed());
    }
    read.sort();
    println!("                  read_log(n, 50): {:.0?} median, {:.0?} worst", read[read.len() / 2], read[read.len() - 1]);

    let begun = Instant::now();
    let (mut after, mut missed) = (stored.saturating_sub(MISSED as u64), 0);
    while let Some(last) = {
        let page = store.read_log(after, 500).await?;
        missed += page.len();
        page.last().map(|entry| entry.position.n)
    } {
        after = last;
    }
    println!("                  {missed} missed entries, pages of 500: {:.1?}", begun.elapsed());

    let begun = Instant::now();
    for writes in groups(GROUP as u64 * 20, GROUP) {
        // The same facts again: only look-ups.
        store.commit(writes).await?;
    }
    println!("                  {} duplicates: {:.1?}", GROUP * 20, begun.elapsed());
    store.close().await;
    Ok(())
}

/// What all threads of this process have used so far, by the kernel's account in hundredths of a second.
fn cpu_time() -> Outcome<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}
