//! The words that the contract is told in: places, events, and what is written of them.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lookout::{
    notification::{NotificationId, Timestamp, entry::Entry, message, subject::Subject},
    store::{Claimant, Commit, NewDeadLetter, NewNotification, OpenScreening, Receive, Store, Write},
};
use serde_json::{Value, json};

/// Where a store lives. Opened again, after a close, it shows what it held.
pub trait Place: Send + Sync {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>>;
}

/// Second `s` of the story.
pub fn at(s: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(1_700_000_000_000 + s * 1_000).unwrap()
}

pub fn id(number: u32) -> NotificationId {
    let mut bytes = [7; 12];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    NotificationId::from_bytes(bytes)
}

pub fn delivery(number: u8) -> [u8; 32] {
    [number; 32]
}

pub fn fact(number: u8) -> [u8; 32] {
    let mut key = [number; 32];
    key[0] = 255;
    key
}

pub fn subject(number: u32) -> Subject {
    Subject { imo: Some(format!("{number:07}")), ..Subject::default() }
}

pub fn results(status: &str) -> Value {
    json!({ "status": status, "hits": [{ "name": "<>&\u{e9}" }] })
}

pub fn event(number: u32) -> NewNotification {
    NewNotification {
        id: id(number),
        owner: None,
        delivery_key: None,
        fact_key: None,
        payload: payload(number, None, &Value::Null),
        screen: None,
    }
}

pub fn payload(number: u32, owner: Option<&str>, results: &Value) -> String {
    let data = json!({ "vessel": { "imo": number }, "screening_results": results, "speed": 12.50 });
    message::notification(id(number), at(0), owner, &data)
}

pub fn owned(number: u32, owner: &str) -> NewNotification {
    NewNotification { owner: Some(owner.into()), payload: payload(number, Some(owner), &Value::Null), ..event(number) }
}

pub fn screened(number: u32) -> NewNotification {
    NewNotification { screen: Some(subject(number)), ..event(number) }
}

pub fn letter(reason: &'static str) -> NewDeadLetter {
    NewDeadLetter { item: Some(3), reason, detail: "a sentence".into() }
}

pub fn receive(second: i64, notifications: Vec<NewNotification>) -> Write {
    Write::Receive(Receive { raw: "[raw]".into(), received_at: at(second), notifications, dead_letters: Vec::new() })
}

pub fn settle(number: u32, second: i64, status: &str) -> Write {
    Write::Settle { id: id(number), at: at(second), results: results(status) }
}

pub fn release(received_before: i64, second: i64, limit: usize) -> Write {
    Write::ReleaseOverdue { received_before: at(received_before), at: at(second), results: results("pending"), limit }
}

pub fn prune(before: i64, limit: usize) -> Write {
    Write::Prune { before: at(before), limit }
}

pub async fn commit(store: &Arc<dyn Store>, writes: Vec<Write>) -> Commit {
    store.commit(writes).await.unwrap()
}

pub async fn log(store: &Arc<dyn Store>) -> Vec<Entry> {
    store.read_log(0, 10_000).await.unwrap()
}

/// Takes up to so many open screenings as a claimant of its own.
pub async fn take(store: &Arc<dyn Store>, limit: usize) -> Vec<OpenScreening> {
    store.take_screenings(Claimant::new(), limit).await.unwrap()
}

pub fn numbers(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.position.n).collect()
}

pub fn ids(entries: &[Entry]) -> Vec<NotificationId> {
    entries.iter().map(|entry| entry.notification_id).collect()
}

pub fn data(entry: &Entry) -> Value {
    serde_json::from_str::<Value>(&entry.payload).unwrap()["data"].take()
}
