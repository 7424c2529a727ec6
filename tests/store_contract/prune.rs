//! Retention.

use lookout::store::{Kept, NewNotification, Receive, Write, Written};

use crate::story::*;

pub async fn the_oldest_go_first_and_the_rest_stays_dense(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, (1..=6).map(|n| receive(i64::from(n), vec![event(n)])).collect()).await;
    assert_eq!(commit(&store, vec![prune(5, 3)]).await.written, [Written::Pruned(3)]);
    assert_eq!(numbers(&log(&store).await), [4, 5, 6]);
    assert_eq!(store.span().oldest, Some(log(&store).await[0].position));
    assert_eq!(commit(&store, vec![prune(5, 3)]).await.written, [Written::Pruned(1)]);
    assert_eq!(commit(&store, vec![prune(5, 3)]).await.written, [Written::Pruned(0)], "5 was not before 5");
    assert_eq!(numbers(&store.read_log(1, 9).await.unwrap()), [5, 6]);
    assert_eq!(store.notification(id(4)).await.unwrap(), None);
    assert_eq!(numbers(&commit(&store, vec![receive(7, vec![event(7)])]).await.entries), [7]);
}

pub async fn the_newest_entry_always_stays(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![event(1), event(2)])]).await;
    assert_eq!(commit(&store, vec![prune(99, usize::MAX)]).await.written, [Written::Pruned(1)]);
    assert_eq!((store.span().oldest, numbers(&log(&store).await)), (store.span().newest, vec![2]));
    store.close().await;
    let store = place.open().await;
    assert_eq!(numbers(&commit(&store, vec![receive(2, vec![event(3)])]).await.entries), [3]);
}

pub async fn nothing_from_an_open_screening_on_is_removed(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![event(1), screened(2), screened(9)]), release(2, 1, 1), receive(1, vec![event(3)])])
        .await;
    assert_eq!(commit(&store, vec![prune(99, 9)]).await.written, [Written::Pruned(1)]);
    assert_eq!(numbers(&log(&store).await), [2, 3]);
    let settled = commit(&store, vec![settle(2, 3, "done"), settle(9, 3, "done"), prune(99, 9)]).await;
    assert_eq!(settled.written[2], Written::Pruned(3));
    assert_eq!(ids(&log(&store).await), [id(9)], "one that waited was never touched");
}

pub async fn what_was_pruned_may_come_again(place: &dyn Place) {
    let store = place.open().await;
    let both = |number| NewNotification { delivery_key: Some(delivery(1)), fact_key: Some(fact(1)), ..event(number) };
    commit(&store, vec![receive(1, vec![both(1), event(2)]), prune(99, 9)]).await;
    let again = commit(&store, vec![receive(2, vec![both(3)])]).await;
    assert_eq!(again.written, [Written::Received(vec![Kept { id: id(3), duplicate: false }])]);
}

pub async fn dead_letters_age_too(place: &dyn Place) {
    let store = place.open().await;
    let mixed = |second, number| {
        Write::Receive(Receive {
            raw: "raw".into(),
            received_at: at(second),
            notifications: vec![event(number)],
            dead_letters: vec![letter("bad"), letter("bad")],
        })
    };
    commit(&store, vec![mixed(1, 1), mixed(2, 2), mixed(9, 3)]).await;
    assert_eq!(commit(&store, vec![prune(5, 3)]).await.written, [Written::Pruned(3)], "two entries and a letter");
    let left = store.dead_letters(9).await.unwrap();
    assert_eq!(left.iter().map(|letter| letter.received_at).collect::<Vec<_>>(), [at(9), at(9), at(2), at(2), at(1)]);
    assert_eq!(left[4].body_bytes, 3, "its body outlives the notification of the same body");
    assert_eq!(commit(&store, vec![prune(5, 9)]).await.written, [Written::Pruned(3)]);
    assert_eq!(store.dead_letters(9).await.unwrap().len(), 2);
}
