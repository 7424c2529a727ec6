//! The contract as a few vectors, and the property that a store does what they do.

use std::{collections::BTreeSet, sync::Arc};

use lookout::{
    notification::{
        NotificationId, Timestamp,
        entry::{Entry, Kind},
        message,
        position::{Epoch, Position, Tag},
    },
    store::{Commit, From, HistoryQuery, Kept, Key, NewNotification, OpenScreening, Receive, Span, Store, Write, Written},
};
use proptest::{collection::vec, option, prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{
    story::*,
    users::{set_user, users},
};

const OWNERS: [&str; 2] = ["a", "b|c"];

/// A write without the ids and times, which the sequence gives.
#[derive(Debug, Clone)]
pub enum Step {
    Receive { items: Vec<Item>, letters: usize, raw: u8 },
    Settle(usize),
    Release { age: i64, limit: usize },
    Prune { age: i64, limit: usize },
    Discard { first: i64, count: i64, limit: usize },
    Bound { letters: usize, bytes: usize, limit: usize },
    User(usize, bool),
}

#[derive(Debug, Clone)]
pub struct Item {
    owner: Option<usize>,
    delivery: Option<u8>,
    fact: Option<u8>,
    screen: bool,
    skipped: bool,
}

fn item() -> impl Strategy<Value = Item> {
    (option::of(0..2usize), option::of(0..6u8), option::of(0..9u8), any::<bool>(), any::<bool>())
        .prop_map(|(owner, delivery, fact, screen, skipped)| Item { owner, delivery, fact, screen, skipped })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (vec(item(), 0..4), 0..3usize, 0..3u8).prop_map(|(items, letters, raw)| Step::Receive { items, letters, raw }),
        4 => (0..40usize).prop_map(Step::Settle),
        2 => (0..4i64, 0..4usize).prop_map(|(age, limit)| Step::Release { age, limit }),
        1 => (0..9i64, 0..9usize).prop_map(|(age, limit)| Step::Prune { age, limit }),
        1 => (0..9i64, 0..4i64, 0..4usize).prop_map(|(first, count, limit)| Step::Discard { first, count, limit }),
        1 => (0..6usize, 0..9usize, 0..4usize).prop_map(|(letters, bytes, limit)| Step::Bound { letters, bytes, limit }),
        1 => (0..2usize, any::<bool>()).prop_map(|(user, known)| Step::User(user, known)),
    ]
}

struct Note {
    id: NotificationId,
    owner: Option<Arc<str>>,
    keys: Vec<Key>,
    payload: String,
    /// Its entry; none while it waits.
    n: Option<u64>,
    /// The result of its update.
    newest: Option<Value>,
    /// Its screening, while open, in the order of opening.
    open: Option<(u64, Timestamp, u32)>,
}

#[derive(Default)]
struct Model {
    notes: Vec<Note>,
    log: Vec<(Entry, Timestamp)>,
    letters: Vec<Letter>,
    users: BTreeSet<String>,
    last_n: u64,
    opened: u64,
    buried: i64,
    bodies: u64,
}

struct Letter {
    seq: i64,
    received_at: Timestamp,
    body: u64,
    bytes: usize,
}

impl Model {
    fn commit(&mut self, epoch: Epoch, writes: &[Write]) -> Commit {
        let mut commit = Commit::default();
        let opened = self.opened;
        for write in writes {
            let first_new = self.last_n;
            let written = self.write(epoch, write);
            commit.written.push(written);
            commit.entries.extend(self.log.iter().filter(|(e, _)| e.position.n > first_new).map(|(e, _)| e.clone()));
        }
        commit.screenings_opened = self.opened > opened;
        commit
    }

    fn write(&mut self, epoch: Epoch, write: &Write) -> Written {
        match write {
            Write::Receive(receive) => {
                self.bodies += 1;
                for _ in &receive.dead_letters {
                    self.buried += 1;
                    let (seq, body, bytes) = (self.buried, self.bodies, receive.raw.len());
                    self.letters.push(Letter { seq, received_at: receive.received_at, body, bytes });
                }
                Written::Received(receive.notifications.iter().map(|new| self.receive(epoch, new, receive.received_at)).collect())
            }
            Write::Settle { id, at, results } => {
                let Some(i) = self.notes.iter().position(|note| note.id == *id && note.open.is_some()) else {
                    return Written::Settled(false);
                };
                self.notes[i].open = None;
                if self.notes[i].n.is_none() {
                    self.release(epoch, i, *at, results);
                } else {
                    let payload = message::update(*id, *at, &self.notes[i].payload, results).unwrap();
                    self.notes[i].newest = Some(results.clone());
                    self.append(epoch, Kind::Update, i, *at, payload);
                }
                Written::Settled(true)
            }
            Write::ReleaseOverdue { received_before, at, results, limit } => {
                let mut overdue: Vec<_> = (0..self.notes.len())
                    .filter(|i| self.notes[*i].n.is_none())
                    .filter_map(|i| self.notes[i].open.map(|(seq, received, _)| (received, seq, i)))
                    .filter(|(received, ..)| received < received_before)
                    .collect();
                overdue.sort();
                overdue.truncate(*limit);
                overdue.iter().for_each(|(.., i)| self.release(epoch, *i, *at, results));
                Written::Released(overdue.len())
            }
            Write::Prune { before, limit } => {
                let mut pruned = 0;
                while pruned < *limit && self.log.len() > 1 && self.log[0].1 < *before && !self.first_is_open() {
                    let (entry, _) = self.log.remove(0);
                    self.notes.retain(|note| note.n != Some(entry.position.n));
                    pruned += 1;
                }
                while pruned < *limit
                    && let Some(oldest) = (0..self.letters.len()).min_by_key(|i| self.letters[*i].received_at)
                    && self.letters[oldest].received_at < *before
                {
                    self.letters.remove(oldest);
                    pruned += 1;
                }
                Written::Pruned(pruned)
            }
            Write::Discard { letters, limit } => {
                let mut left = *limit;
                let before = self.letters.len();
                self.letters.retain(|letter| {
                    let goes = left > 0 && letters.contains(&letter.seq);
                    left -= usize::from(goes);
                    !goes
                });
                Written::Discarded(before - self.letters.len())
            }
            Write::BoundDeadLetters { letters, bytes, limit } => {
                let too_many = |held: &[Letter]| {
                    let mut bodies: Vec<_> = held.iter().map(|letter| (letter.body, letter.bytes)).collect();
                    bodies.dedup();
                    held.len() > *letters || bodies.iter().map(|(_, bytes)| bytes).sum::<usize>() > *bytes
                };
                let mut discarded = 0;
                while discarded < *limit && too_many(&self.letters) {
                    self.letters.remove(0);
                    discarded += 1;
                }
                Written::Discarded(discarded)
            }
            Write::Retry { .. } => unreachable!("no step is one"),
            Write::SetUser { user, known } => {
                let user = user.to_string();
                Written::UserSet(if *known { self.users.insert(user) } else { self.users.remove(&user) })
            }
            Write::Probe => Written::Probed,
        }
    }

    fn first_is_open(&self) -> bool {
        self.notes.iter().any(|note| note.id == self.log[0].0.notification_id && note.open.is_some())
    }

    fn receive(&mut self, epoch: Epoch, new: &NewNotification, at: Timestamp) -> Kept {
        let mut keys = [new.delivery_key, new.fact_key].into_iter().flatten();
        if let Some(i) = keys.find_map(|key| self.notes.iter().position(|note| note.keys.contains(&key))) {
            let note = &mut self.notes[i];
            let never = note.n.is_some() && note.newest.is_none() && note.payload.contains(r#""screening_results":null"#);
            if let (Some(subject), true, None) = (&new.screen, never, note.open) {
                self.opened += 1;
                note.open = Some((self.opened, at, subject.imo.as_ref().unwrap().parse().unwrap()));
            }
            return Kept { id: note.id, duplicate: true };
        }
        let mut open = None;
        if let Some(subject) = &new.screen {
            self.opened += 1;
            open = Some((self.opened, at, subject.imo.as_ref().unwrap().parse().unwrap()));
        }
        self.notes.push(Note {
            id: new.id,
            owner: new.owner.clone(),
            keys: [new.delivery_key, new.fact_key].into_iter().flatten().collect(),
            payload: new.payload.clone(),
            n: None,
            newest: None,
            open,
        });
        if open.is_none() {
            let n = self.append(epoch, Kind::Notification, self.notes.len() - 1, at, new.payload.clone());
            self.notes.last_mut().unwrap().n = Some(n);
        }
        Kept { id: new.id, duplicate: false }
    }

    fn release(&mut self, epoch: Epoch, i: usize, at: Timestamp, results: &Value) {
        let payload = message::with_results(&self.notes[i].payload, results, Some(at)).unwrap();
        self.notes[i].payload.clone_from(&payload);
        let n = self.append(epoch, Kind::Notification, i, at, payload);
        self.notes[i].n = Some(n);
    }

    fn append(&mut self, epoch: Epoch, kind: Kind, i: usize, at: Timestamp, payload: String) -> u64 {
        self.last_n += 1;
        let position = Position { epoch, n: self.last_n, tag: Tag::of(&payload) };
        let Note { id, owner, .. } = &self.notes[i];
        self.log.push((Entry { position, kind, notification_id: *id, owner: owner.clone(), payload: payload.into() }, at));
        self.last_n
    }

    fn span(&self, epoch: Epoch) -> Span {
        let place = |entry: Option<&(Entry, Timestamp)>| entry.map(|(entry, _)| entry.position);
        Span { epoch, oldest: place(self.log.first()), newest: place(self.log.last()) }
    }

    /// Notifications as history shows them, oldest first.
    fn history(&self, owner: Option<&str>) -> Vec<Entry> {
        let rows = self.log.iter().map(|(entry, _)| entry).filter(|entry| entry.kind == Kind::Notification);
        let own = rows.filter(|entry| owner.is_none() || entry.owner.as_deref() == owner);
        own.map(|entry| {
            let note = self.notes.iter().find(|note| note.id == entry.notification_id).unwrap();
            let newest = |results| message::with_results(&entry.payload, results, None).unwrap().into();
            Entry { payload: note.newest.as_ref().map_or_else(|| entry.payload.clone(), newest), ..entry.clone() }
        })
        .collect()
    }

    fn open(&self) -> Vec<(NotificationId, Timestamp, u32)> {
        let mut open: Vec<_> =
            self.notes.iter().filter_map(|note| note.open.map(|(seq, at, imo)| (seq, note.id, at, imo))).collect();
        open.sort();
        open.into_iter().map(|(_, id, at, imo)| (id, at, imo)).collect()
    }
}

/// Gives steps their ids and times.
fn writes(steps: &[Step], second: i64, next: &mut u32) -> Vec<Write> {
    let mut write = |step: &Step| match step {
        Step::Receive { items, letters, raw } => Write::Receive(Receive {
            raw: vec![0xff, *raw].into(),
            received_at: at(second),
            notifications: items.iter().map(|item| new(item, next)).collect(),
            dead_letters: (0..*letters).map(|_| letter("bad")).collect(),
        }),
        Step::Settle(number) => settle(*number as u32, second, "done"),
        Step::Release { age, limit } => release(second - age, second, *limit),
        Step::Prune { age, limit } => prune(second - age, *limit),
        Step::Discard { first, count, limit } => Write::Discard { letters: *first..=first + count, limit: *limit },
        Step::Bound { letters, bytes, limit } => Write::BoundDeadLetters { letters: *letters, bytes: *bytes, limit: *limit },
        Step::User(user, known) => set_user(OWNERS[*user], *known),
    };
    steps.iter().map(&mut write).collect()
}

fn new(item: &Item, next: &mut u32) -> NewNotification {
    *next += 1;
    let owner = item.owner.map(|owner| OWNERS[owner]);
    let answer = if item.skipped && !item.screen { json!({ "status": "skipped" }) } else { Value::Null };
    NewNotification {
        id: id(*next),
        owner: owner.map(Arc::from),
        delivery_key: item.delivery.map(delivery),
        fact_key: item.fact.map(fact),
        payload: payload(*next, owner, &answer),
        screen: item.screen.then(|| subject(*next)),
    }
}

async fn the_store_shows_the_model(store: &Arc<dyn Store>, model: &Model) {
    let epoch = store.span().epoch;
    assert_eq!(store.span(), model.span(epoch));
    let mut log = Vec::new();
    let mut page = store.read_log(0, 3).await.unwrap();
    while let Some(last) = page.last() {
        let n = last.position.n;
        log.append(&mut page);
        page = store.read_log(n, 3).await.unwrap();
    }
    assert_eq!(log, model.log.iter().map(|(entry, _)| entry.clone()).collect::<Vec<_>>());
    for owner in [None, Some(OWNERS[0]), Some(OWNERS[1]), Some("nobody")] {
        let mut expected = model.history(owner);
        assert_eq!(pages(store, owner, From::After(0), From::After).await, expected);
        expected.reverse();
        assert_eq!(pages(store, owner, From::Newest, From::Before).await, expected);
    }
    for note in &model.notes {
        let expected = model.history(None).into_iter().find(|entry| entry.notification_id == note.id);
        assert_eq!(store.notification(note.id).await.unwrap(), expected);
    }
    let open = take(store, 1_000).await;
    let seen = |open: OpenScreening| (open.id, open.received_at, open.subject.imo.unwrap().parse().unwrap());
    assert_eq!(open.into_iter().map(seen).collect::<Vec<_>>(), model.open());
    let letters: Vec<_> = store.dead_letters(1_000).await.unwrap().iter().rev().map(|letter| letter.received_at).collect();
    assert_eq!(letters, model.letters.iter().map(|letter| letter.received_at).collect::<Vec<_>>());
    assert_eq!(users(store).await, model.users.iter().cloned().collect::<Vec<_>>());
}

/// All pages of two, by the cursor that a client would use.
async fn pages(store: &Arc<dyn Store>, owner: Option<&str>, mut from: From, next: fn(u64) -> From) -> Vec<Entry> {
    let mut all = Vec::new();
    loop {
        let page = store.history(HistoryQuery { owner: owner.map(Arc::from), from, limit: 2 }).await.unwrap();
        assert_eq!(page.newest, store.span().newest);
        all.extend(page.entries);
        match all.last() {
            Some(last) if page.more => from = next(last.position.n),
            _ => return all,
        }
    }
}

/// Some writes, how many seconds after the ones before (the clock may be set back), and whether the store is opened again behind them.
pub type Commits = Vec<(Vec<Step>, i64, bool)>;

/// Several commits.
pub fn commits() -> impl Strategy<Value = Commits> {
    vec((vec(step(), 1..5), -1..3i64, prop::bool::weighted(0.1)), 1..16)
}

/// What has happened to a store, which may move to another place meanwhile.
#[derive(Default)]
pub struct Life {
    model: Model,
    second: i64,
    next: u32,
}

impl Life {
    /// Commits, each of which must do what it does to the model.
    pub async fn goes_on(&mut self, place: &dyn Place, mut store: Arc<dyn Store>, commits: Commits) -> Arc<dyn Store> {
        for (steps, pause, reopened) in commits {
            self.second += pause;
            let writes = writes(&steps, self.second, &mut self.next);
            let expected = self.model.commit(store.span().epoch, &writes);
            let done = commit(&store, writes).await;
            assert_eq!(done.written, expected.written);
            assert_eq!(done.entries, expected.entries);
            assert_eq!(done.screenings_opened, expected.screenings_opened);
            if reopened {
                store.close().await;
                store = place.open().await;
            }
        }
        store
    }

    /// Everything that can be asked is answered as by the model.
    pub async fn is_shown_by(&self, store: &Arc<dyn Store>) {
        the_store_shows_the_model(store, &self.model).await;
    }
}

/// Several commits over a store that may be reopened between any two.
pub fn any_sequence_of_writes_gives_what_the_model_says<P: Place>(place: impl Fn() -> P) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() });
    let outcome = runner.run(&commits(), |commits| {
        let place = place();
        runtime.block_on(async {
            let mut life = Life::default();
            let store = place.open().await;
            let store = life.goes_on(&place, store, commits).await;
            life.is_shown_by(&store).await;
            store.close().await;
        });
        Ok(())
    });
    outcome.unwrap();
}
