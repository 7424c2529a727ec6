//! The log, duplicates, screenings and dead letters.

use lookout::{
    notification::{
        entry::Kind,
        message,
        position::{Position, Tag},
    },
    store::{Backlog, Claimant, Kept, NewNotification, Receive, StoreError, Write, Written},
};
use serde_json::{Value, json};

use crate::story::*;

fn kept(number: u32) -> Kept {
    Kept { id: id(number), duplicate: false }
}

fn duplicate_of(number: u32) -> Kept {
    Kept { id: id(number), duplicate: true }
}

fn with_delivery(number: u32, key: u8) -> NewNotification {
    NewNotification { delivery_key: Some(delivery(key)), ..event(number) }
}

fn with_fact(number: u32, key: u8) -> NewNotification {
    NewNotification { fact_key: Some(fact(key)), ..event(number) }
}

pub async fn entries_of_a_commit_are_dense_and_in_the_order_of_its_writes(place: &dyn Place) {
    let store = place.open().await;
    let first = commit(&store, vec![receive(1, vec![event(1), event(2)]), receive(1, vec![event(3)])]).await;
    let second = commit(&store, vec![receive(2, vec![owned(4, "u|1")])]).await;
    assert_eq!(numbers(&first.entries), [1, 2, 3]);
    assert_eq!(ids(&first.entries), [id(1), id(2), id(3)]);
    assert_eq!(numbers(&second.entries), [4]);
    let entry = &second.entries[0];
    assert_eq!((entry.kind, entry.owner.as_deref()), (Kind::Notification, Some("u|1")));
    assert_eq!(*entry.payload, *payload(4, Some("u|1"), &Value::Null));
    let position = Position { epoch: store.span().epoch, n: 4, tag: Tag::of(&entry.payload) };
    assert_eq!(entry.position, position);
    assert_eq!(store.span().newest, Some(position));
    assert_eq!(log(&store).await, [first.entries, second.entries].concat());
    assert_eq!(numbers(&store.read_log(1, 2).await.unwrap()), [2, 3]);
    assert_eq!(store.read_log(4, 9).await.unwrap(), []);
    assert_eq!(store.read_log(u64::MAX, usize::MAX).await.unwrap(), []);
}

pub async fn a_new_log_is_empty_and_has_its_epoch(place: &dyn Place) {
    let store = place.open().await;
    let span = store.span();
    assert_eq!((span.oldest, span.newest), (None, None));
    let nothing = commit(&store, vec![]).await;
    assert_eq!((nothing.written, nothing.entries, nothing.screenings_opened), (vec![], vec![], false));
    assert_eq!(log(&store).await, []);
    assert_eq!(store.span(), span);
}

pub async fn a_post_with_a_known_delivery_key_is_a_duplicate(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![with_delivery(1, 1)])]).await;
    let again = commit(&store, vec![receive(2, vec![with_delivery(2, 1), with_delivery(3, 2)])]).await;
    assert_eq!(again.written, [Written::Received(vec![duplicate_of(1), kept(3)])]);
    assert_eq!(ids(&again.entries), [id(3)]);
}

pub async fn a_post_with_a_known_fact_key_is_a_duplicate(place: &dyn Place) {
    let store = place.open().await;
    let first = NewNotification { delivery_key: Some(delivery(1)), ..with_fact(1, 1) };
    let second = NewNotification { delivery_key: Some(delivery(2)), ..with_fact(2, 1) };
    commit(&store, vec![receive(1, vec![first])]).await;
    let again = commit(&store, vec![receive(2, vec![second])]).await;
    assert_eq!(again.written, [Written::Received(vec![duplicate_of(1)])]);
    assert_eq!(ids(&log(&store).await), [id(1)]);
}

pub async fn a_duplicate_within_one_commit_is_found(place: &dyn Place) {
    let store = place.open().await;
    let writes = vec![receive(1, vec![with_fact(1, 1), with_fact(2, 1)]), receive(1, vec![with_fact(3, 1)])];
    let done = commit(&store, writes).await;
    let expected = [Written::Received(vec![kept(1), duplicate_of(1)]), Written::Received(vec![duplicate_of(1)])];
    assert_eq!(done.written, expected);
    assert_eq!(ids(&done.entries), [id(1)]);
}

pub async fn posts_without_keys_are_never_duplicates(place: &dyn Place) {
    let store = place.open().await;
    let done = commit(&store, vec![receive(1, vec![event(1), event(2)])]).await;
    assert_eq!(done.written, [Written::Received(vec![kept(1), kept(2)])]);
}

pub async fn a_waiting_notification_is_in_the_log_only_when_settled(place: &dyn Place) {
    let store = place.open().await;
    let opened = commit(&store, vec![receive(1, vec![screened(1), event(2)])]).await;
    assert!(opened.screenings_opened);
    assert_eq!(ids(&opened.entries), [id(2)]);
    let settled = commit(&store, vec![settle(1, 5, "done")]).await;
    assert_eq!(settled.written, [Written::Settled(true)]);
    assert!(!settled.screenings_opened);
    let [entry] = &settled.entries[..] else { panic!("{settled:?}") };
    let expected = message::with_results(&payload(1, None, &Value::Null), &results("done"), Some(at(5))).unwrap();
    assert_eq!((entry.position.n, entry.kind, &*entry.payload), (2, Kind::Notification, &*expected));
    assert_eq!(take(&store, 9).await, []);
}

pub async fn an_overdue_screening_is_released_as_pending_and_updated_later(place: &dyn Place) {
    let store = place.open().await;
    let waiting = NewNotification { screen: Some(subject(1)), ..owned(1, "o") };
    commit(&store, vec![receive(1, vec![waiting])]).await;
    let released = commit(&store, vec![release(2, 3, 9)]).await;
    assert_eq!(released.written, [Written::Released(1)]);
    assert_eq!(data(&released.entries[0])["screening_results"], results("pending"));
    assert_eq!(take(&store, 9).await.len(), 1, "still open");
    let again = commit(&store, vec![release(2, 4, 9)]).await;
    assert_eq!((again.written, again.entries), (vec![Written::Released(0)], vec![]));
    let settled = commit(&store, vec![settle(1, 6, "done")]).await;
    let [update] = &settled.entries[..] else { panic!("{settled:?}") };
    assert_eq!((update.position.n, update.kind, update.owner.as_deref()), (2, Kind::Update, Some("o")));
    assert_eq!(*update.payload, message::update(id(1), at(6), &payload(1, Some("o"), &Value::Null), &results("done")).unwrap());
}

pub async fn the_oldest_overdue_are_released_first_and_at_most_the_limit(place: &dyn Place) {
    let store = place.open().await;
    commit(
        &store,
        vec![receive(3, vec![screened(1)]), receive(1, vec![screened(2), screened(3)]), receive(9, vec![screened(4)])],
    )
    .await;
    let first = commit(&store, vec![release(9, 10, 2)]).await;
    assert_eq!((first.written, ids(&first.entries)), (vec![Written::Released(2)], vec![id(2), id(3)]));
    let second = commit(&store, vec![release(9, 10, 2)]).await;
    assert_eq!((second.written, ids(&second.entries)), (vec![Written::Released(1)], vec![id(1)]));
}

pub async fn a_screening_is_settled_once(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![screened(1), event(2)])]).await;
    let done =
        commit(&store, vec![settle(1, 2, "done"), settle(1, 2, "failed"), settle(2, 2, "done"), settle(3, 2, "done")]).await;
    assert_eq!(done.written, [true, false, false, false].map(Written::Settled));
    assert_eq!(ids(&done.entries), [id(1)]);
}

pub async fn a_duplicate_that_asks_for_screening_opens_it_once(place: &dyn Place) {
    let store = place.open().await;
    let asking = |number| NewNotification { screen: Some(subject(number)), ..with_fact(number, 1) };
    commit(&store, vec![receive(1, vec![with_fact(1, 1)])]).await;
    let asked = commit(&store, vec![receive(5, vec![asking(2)])]).await;
    assert_eq!(asked.written, [Written::Received(vec![duplicate_of(1)])]);
    assert!(asked.screenings_opened && asked.entries.is_empty());
    let open = take(&store, 9).await;
    assert_eq!(
        open.iter().map(|open| (open.id, open.received_at, open.subject.clone())).collect::<Vec<_>>(),
        [(id(1), at(5), subject(2))]
    );
    let again = commit(&store, vec![receive(6, vec![asking(3)]), release(9, 9, 9)]).await;
    assert!(!again.screenings_opened && again.entries.is_empty(), "it is open and released already: {again:?}");
    let settled = commit(&store, vec![settle(1, 7, "done")]).await;
    assert_eq!(settled.entries[0].kind, Kind::Update);
    let late = commit(&store, vec![receive(8, vec![asking(4)])]).await;
    assert!(!late.screenings_opened, "it has its result");
}

pub async fn a_duplicate_of_an_answered_or_waiting_notification_opens_nothing(place: &dyn Place) {
    let store = place.open().await;
    let skipped = NewNotification { payload: payload(1, None, &json!({ "status": "skipped" })), ..with_fact(1, 1) };
    let waiting = NewNotification { screen: Some(subject(2)), ..with_fact(2, 2) };
    commit(&store, vec![receive(1, vec![skipped, waiting])]).await;
    let asking = |number, key| NewNotification { screen: Some(subject(number)), ..with_fact(number, key) };
    let again = commit(&store, vec![receive(2, vec![asking(3, 1), asking(4, 2)])]).await;
    assert!(!again.screenings_opened && again.entries.is_empty());
    let open = take(&store, 9).await;
    assert_eq!(open.iter().map(|open| (open.id, open.received_at)).collect::<Vec<_>>(), [(id(2), at(1))]);
    let unasked = commit(&store, vec![receive(3, vec![with_fact(5, 1)])]).await;
    assert!(!unasked.screenings_opened);
}

pub async fn screenings_are_taken_in_the_order_of_arrival_and_once_by_each_claimant(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, (1..=5).map(screened).collect())]).await;
    let claimant = Claimant::new();
    let again = async |limit| {
        let taken = store.take_screenings(claimant, limit).await.unwrap();
        taken.iter().map(|open| open.id).collect::<Vec<_>>()
    };
    assert_eq!(again(3).await, [id(1), id(2), id(3)]);
    assert_eq!(again(3).await, [id(4), id(5)]);
    commit(&store, vec![settle(5, 2, "done"), receive(2, vec![screened(6)])]).await;
    assert_eq!(again(0).await, []);
    assert_eq!(again(9).await, [id(6)]);
    assert_eq!(again(9).await, []);
    let taken_over: Vec<_> = take(&store, 9).await.iter().map(|open| open.id).collect();
    assert_eq!(taken_over, [id(1), id(2), id(3), id(4), id(6)], "the claimant before is dead");
}

pub async fn the_backlog_holds_what_is_not_settled_taken_or_released_or_neither(place: &dyn Place) {
    let store = place.open().await;
    let backlog = async || {
        let Backlog { count, oldest } = store.backlog().await.unwrap();
        (count, oldest)
    };
    assert_eq!(backlog().await, (0, None));
    commit(&store, vec![receive(1, vec![screened(1)]), receive(2, vec![screened(2), screened(3), with_fact(4, 4)])]).await;
    take(&store, 1).await;
    commit(&store, vec![release(2, 3, 9)]).await;
    assert_eq!(backlog().await, (3, Some(at(1))));
    commit(&store, vec![settle(1, 4, "done")]).await;
    assert_eq!(backlog().await, (2, Some(at(2))));
    commit(&store, vec![settle(2, 5, "failed"), settle(3, 5, "done")]).await;
    assert_eq!(backlog().await, (0, None));
}

pub async fn dead_letters_are_listed_newest_first(place: &dyn Place) {
    let store = place.open().await;
    let dead = |second, raw: &'static str, dead_letters| {
        Write::Receive(Receive { raw: raw.into(), received_at: at(second), notifications: vec![], dead_letters })
    };
    let whole = lookout::store::NewDeadLetter { item: None, ..letter("not_json") };
    let done = commit(&store, vec![dead(1, "four", vec![whole]), dead(2, "sixsix", vec![letter("a"), letter("b")])]).await;
    assert_eq!(done.written, [Written::Received(vec![]), Written::Received(vec![])]);
    let letters = store.dead_letters(9).await.unwrap();
    let seen: Vec<_> = letters.iter().map(|l| (&*l.reason, l.item, l.received_at, l.body_bytes)).collect();
    assert_eq!(seen, [("b", Some(3), at(2), 6), ("a", Some(3), at(2), 6), ("not_json", None, at(1), 4)]);
    assert!(letters.is_sorted_by(|newer, older| newer.seq > older.seq));
    assert_eq!(letters[0].detail, "a sentence");
    assert_eq!(store.dead_letters(1).await.unwrap(), letters[..1]);
}

pub async fn everything_is_there_after_a_restart(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![with_fact(1, 1), screened(2), screened(3)]), release(9, 2, 1)]).await;
    let (span, entries) = (store.span(), log(&store).await);
    let open = take(&store, 9).await;
    store.close().await;
    let store = place.open().await;
    assert_eq!(store.span(), span);
    assert_eq!(log(&store).await, entries);
    assert_eq!(take(&store, 9).await, open);
    let done = commit(&store, vec![receive(3, vec![with_fact(4, 1)]), settle(2, 3, "done"), settle(3, 3, "done")]).await;
    assert_eq!(done.written[0], Written::Received(vec![duplicate_of(1)]));
    let kinds: Vec<_> = done.entries.iter().map(|entry| (entry.position.n, entry.kind)).collect();
    assert_eq!(kinds, [(3, Kind::Update), (4, Kind::Notification)]);
}

pub async fn a_dropped_future_does_not_stop_its_commit(place: &dyn Place) {
    let store = place.open().await;
    drop(store.commit(vec![receive(1, vec![event(1)])]));
    // Commits are made in the order of the calls, so this one is behind the dropped one.
    let second = commit(&store, vec![receive(1, vec![event(2)])]).await;
    assert_eq!(numbers(&second.entries), [2]);
    assert_eq!(ids(&log(&store).await), [id(1), id(2)]);
}

pub async fn calls_behind_close_fail(place: &dyn Place) {
    let store = place.open().await;
    let begun = store.commit(vec![receive(1, vec![event(1)])]);
    store.close().await;
    assert_eq!(numbers(&begun.await.unwrap().entries), [1], "what was begun before is finished");
    assert!(matches!(store.commit(vec![]).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.read_log(0, 1).await, Err(StoreError::Unavailable(_))));
    store.close().await;
}

pub async fn a_probe_changes_nothing(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![event(1)])]).await;
    let (span, entries) = (store.span(), log(&store).await);
    let probed = commit(&store, vec![Write::Probe]).await;
    assert_eq!((probed.written, probed.entries, probed.screenings_opened), (vec![Written::Probed], vec![], false));
    assert_eq!((store.span(), store.look().await.unwrap(), log(&store).await), (span, span, entries));
}
