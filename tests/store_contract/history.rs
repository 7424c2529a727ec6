//! History pages and single notifications.

use std::sync::Arc;

use lookout::{
    notification::position::Tag,
    store::{From, HistoryPage, HistoryQuery, NewNotification, Store},
};
use serde_json::Value;

use crate::story::*;

async fn page(store: &Arc<dyn Store>, owner: Option<&str>, from: From, limit: usize) -> HistoryPage {
    store.history(HistoryQuery { owner: owner.map(Arc::from), from, limit }).await.unwrap()
}

pub async fn pages_from_the_newest_meet_every_notification_once(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, (1..=5).map(event).collect())]).await;
    let first = page(&store, None, From::Newest, 2).await;
    assert_eq!((numbers(&first.entries), first.more), (vec![5, 4], true));
    let second = page(&store, None, From::Before(4), 3).await;
    assert_eq!((numbers(&second.entries), second.more), (vec![3, 2, 1], false), "a full page is not a cut one");
    let none = page(&store, None, From::Before(1), 3).await;
    assert_eq!((numbers(&none.entries), none.more), (vec![], false));
    let cut = page(&store, None, From::Newest, 0).await;
    assert_eq!((numbers(&cut.entries), cut.more), (vec![], true));
}

pub async fn pages_behind_a_place_are_oldest_first_and_say_the_newest(place: &dyn Place) {
    let store = place.open().await;
    let empty = page(&store, None, From::After(0), 3).await;
    assert_eq!((numbers(&empty.entries), empty.more, empty.newest), (vec![], false, None));
    commit(&store, vec![receive(1, vec![event(1), event(2), event(3), screened(4)]), release(9, 9, 9), settle(4, 9, "done")])
        .await;
    let first = page(&store, None, From::After(1), 2).await;
    assert_eq!((numbers(&first.entries), first.more), (vec![2, 3], true));
    let second = page(&store, None, From::After(3), 2).await;
    assert_eq!((numbers(&second.entries), second.more), (vec![4], false));
    assert_eq!(second.newest, store.span().newest, "the update at 5, which is no row");
    assert_eq!(page(&store, None, From::After(u64::MAX), usize::MAX).await.entries, []);
}

pub async fn an_owner_sees_only_their_own(place: &dyn Place) {
    let store = place.open().await;
    commit(&store, vec![receive(1, vec![owned(1, "a"), owned(2, "b"), event(3), owned(4, "a"), owned(5, "A"), owned(6, "")])])
        .await;
    assert_eq!(numbers(&page(&store, Some("a"), From::Newest, 9).await.entries), [4, 1]);
    assert_eq!(numbers(&page(&store, Some("a"), From::After(1), 9).await.entries), [4]);
    assert_eq!(numbers(&page(&store, Some("a"), From::Before(4), 9).await.entries), [1]);
    assert_eq!(numbers(&page(&store, Some(""), From::Newest, 9).await.entries), [6]);
    assert!(page(&store, Some("nobody"), From::Newest, 9).await.entries.is_empty());
    let cut = page(&store, Some("a"), From::Newest, 1).await;
    assert_eq!((numbers(&cut.entries), cut.more), (vec![4], true));
}

pub async fn updates_are_no_rows_of_history_but_their_results_are_shown(place: &dyn Place) {
    let store = place.open().await;
    let waiting = NewNotification { screen: Some(subject(1)), ..owned(1, "a") };
    let released = commit(&store, vec![receive(1, vec![waiting, owned(2, "a")]), release(9, 3, 9)]).await;
    commit(&store, vec![settle(1, 4, "done")]).await;
    let shown = page(&store, Some("a"), From::Newest, 9).await.entries;
    assert_eq!(ids(&shown), [id(1), id(2)]);
    assert_eq!(data(&shown[0])["screening_results"], results("done"));
    assert_eq!(shown[0].position, released.entries[1].position);
    assert_eq!(shown[0].position.tag, Tag::of(&released.entries[1].payload), "it stands where it was released");
    let timestamp = |payload: &str| serde_json::from_str::<Value>(payload).unwrap()["timestamp"].clone();
    assert_eq!(timestamp(&shown[0].payload), timestamp(&released.entries[1].payload));
    assert_eq!(shown[1], released.entries[0]);
    assert_eq!(store.notification(id(1)).await.unwrap(), Some(shown[0].clone()));
    assert_eq!(data(&log(&store).await[1])["screening_results"], results("pending"), "the log itself does not change");
}

pub async fn a_notification_is_found_when_released_and_not_before(place: &dyn Place) {
    let store = place.open().await;
    let done = commit(&store, vec![receive(1, vec![owned(1, "a"), screened(2)])]).await;
    assert_eq!(store.notification(id(1)).await.unwrap().as_ref(), done.entries.first());
    assert_eq!(store.notification(id(2)).await.unwrap(), None);
    assert_eq!(store.notification(id(3)).await.unwrap(), None);
    let settled = commit(&store, vec![settle(2, 2, "done")]).await;
    assert_eq!(store.notification(id(2)).await.unwrap().as_ref(), settled.entries.first());
}
