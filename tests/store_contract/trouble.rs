//! Writes that cannot work, payloads that cannot be read, and payloads that are too large for a page.

use lookout::{
    notification::entry::Kind,
    store::{From, HistoryQuery, Kept, NewNotification, PAGE_BYTES, Receive, Write, Written},
};
use serde_json::Value;

use crate::story::*;

pub async fn a_write_that_is_refused_leaves_nothing_and_costs_no_other(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![event(1), screened(9)])]).await;
    // The second use of an id, without a key that would make it a duplicate, is refused by every store.
    let refused = Write::Receive(Receive {
        raw: "raw".into(),
        received_at: at(2),
        notifications: vec![NewNotification { fact_key: Some(fact(2)), ..event(2) }, screened(3), event(1)],
        dead_letters: vec![letter("lost")],
    });
    let done = commit(&store, vec![receive(2, vec![event(4)]), refused, settle(9, 2, "done"), receive(2, vec![event(5)])]).await;
    assert!(matches!(done.written[1], Written::Refused(_)), "{done:?}");
    assert_eq!(done.written[2], Written::Settled(true));
    assert!(!done.screenings_opened);
    assert_eq!((numbers(&done.entries), ids(&done.entries)), (vec![2, 3, 4], vec![id(4), id(9), id(5)]));
    assert_eq!(log(&store).await[1..], done.entries);
    assert_eq!(store.span().newest, done.entries.last().map(|entry| entry.position));
    assert_eq!(take(&store, 9).await, []);
    assert_eq!(store.dead_letters(9).await.unwrap(), []);
    let after = commit(&store, vec![receive(3, vec![NewNotification { fact_key: Some(fact(2)), ..event(6) }])]).await;
    assert_eq!(after.written, [Written::Received(vec![Kept { id: id(6), duplicate: false }])], "the key was taken back too");
    assert_eq!(numbers(&after.entries), [5]);
}

/// What cleaning keeps out, and would turn an object into a number that is none.
fn unreadable(number: u32) -> NewNotification {
    let payload = payload(number, None, &Value::Null).replace("\"imo\"", "\"$serde_json::private::Number\"");
    NewNotification { payload, ..screened(number) }
}

pub async fn a_payload_that_cannot_be_read_goes_out_as_it_is_and_its_result_follows(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![unreadable(1), screened(2), unreadable(3)])]).await;
    let released = commit(&store, vec![release(2, 3, 2)]).await;
    assert_eq!((&released.written[..], ids(&released.entries)), (&[Written::Released(2)][..], vec![id(1), id(2)]));
    assert_eq!(*released.entries[0].payload, *unreadable(1).payload);
    let settled = commit(&store, vec![settle(1, 4, "done"), settle(3, 4, "done"), settle(2, 4, "done")]).await;
    assert_eq!(settled.written, [true; 3].map(Written::Settled));
    let kinds: Vec<_> = settled.entries.iter().map(|entry| (entry.kind, entry.notification_id)).collect();
    let (new, update) = (Kind::Notification, Kind::Update);
    assert_eq!(kinds, [(update, id(1)), (new, id(3)), (update, id(3)), (update, id(2))]);
    assert_eq!(data(&settled.entries[2])["screening_results"], results("done"));
    assert_eq!(take(&store, 9).await, []);
    let shown = store.notification(id(1)).await.unwrap().unwrap();
    assert_eq!(shown, released.entries[0], "shown as it was streamed");
}

/// With a payload a little over this size.
fn sized(number: u32, bytes: usize) -> NewNotification {
    let note = format!("\"{}\"", "n".repeat(bytes));
    NewNotification { payload: payload(number, None, &Value::Null).replace("12.5", &note), ..event(number) }
}

pub async fn pages_and_releases_end_at_their_bytes_and_take_one_entry_of_any_size(place: &dyn Place) {
    let store = place.open().await;
    // Three fit into a page.
    let large = |number| sized(number, PAGE_BYTES * 3 / 10);
    let entries = vec![large(1), large(2), large(3), sized(4, PAGE_BYTES), large(5)];
    commit(&store, vec![receive(1, entries)]).await;
    assert_eq!(numbers(&store.read_log(0, 9).await.unwrap()), [1, 2, 3]);
    assert_eq!(numbers(&store.read_log(3, 9).await.unwrap()), [4], "it is larger than a page");
    assert_eq!(numbers(&store.read_log(4, 9).await.unwrap()), [5]);
    let history = async |from| store.history(HistoryQuery { owner: None, from, limit: 9 }).await.unwrap();
    let pages = [history(From::After(0)).await, history(From::After(3)).await, history(From::After(4)).await];
    let seen: Vec<_> = pages.iter().map(|page| (numbers(&page.entries), page.more)).collect();
    assert_eq!(seen, [(vec![1, 2, 3], true), (vec![4], true), (vec![5], false)]);

    let waiting = (11..=16).map(|n| NewNotification { screen: Some(subject(n)), ..large(n) }).collect();
    commit(&store, vec![receive(1, waiting)]).await;
    let first = commit(&store, vec![release(2, 3, 9)]).await;
    assert_eq!((&first.written[..], first.entries.len()), (&[Written::Released(9)][..], 4), "there may be more");
    let second = commit(&store, vec![release(2, 3, 9)]).await;
    assert_eq!((&second.written[..], second.entries.len()), (&[Written::Released(2)][..], 2));
}
