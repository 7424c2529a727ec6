//! Who may connect where the store is asked.

use std::sync::Arc;

use lookout::store::{Store, Write, Written};

use crate::story::*;

pub fn set_user(user: &str, known: bool) -> Write {
    Write::SetUser { user: user.into(), known }
}

pub async fn users(store: &Arc<dyn Store>) -> Vec<String> {
    store.users().await.unwrap().ids.iter().map(|user| user.to_string()).collect()
}

pub async fn users_are_known_once_until_they_are_removed(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(users(&store).await, [""; 0]);
    let odd = ["b|c", "B", "\u{e9}\u{1f6a2}", " a ", "' OR 1=1 --", "$where", "a.b"];
    let writes = odd.iter().chain(&["b|c"]).map(|user| set_user(user, true)).collect();
    let done = commit(&store, writes).await;
    let changed = [true, true, true, true, true, true, true, false];
    assert_eq!(done.written, changed.map(Written::UserSet));
    assert_eq!((done.entries, done.screenings_opened), (vec![], false));
    let mut ascending = odd;
    ascending.sort_unstable();
    assert_eq!(users(&store).await, ascending);
    let done = commit(&store, vec![set_user("B", false), set_user("b", false), set_user("B", false)]).await;
    assert_eq!(done.written, [true, false, false].map(Written::UserSet));
    store.close().await;
    let store = place.open().await;
    ascending.sort_unstable();
    assert_eq!(users(&store).await, ascending.iter().filter(|user| **user != "B").copied().collect::<Vec<_>>());
}

pub async fn the_version_of_users_is_another_one_after_each_change(place: &dyn Place) {
    let store = place.open().await;
    let mut seen = vec![store.users_version().await.unwrap()];
    for (change, changes) in [
        (vec![set_user("a", true)], true),
        (vec![set_user("a", true)], false),
        (vec![receive(1, vec![event(1)])], false),
        (vec![set_user("b", false)], false),
        (vec![set_user("a", false), receive(1, vec![event(2)])], true),
        (vec![set_user("a", true), set_user("a", false)], true),
    ] {
        commit(&store, change).await;
        let version = store.users_version().await.unwrap();
        assert_eq!(store.users().await.unwrap().version, version);
        assert_eq!(!seen.contains(&version), changes, "{seen:?}, then {version}");
        seen.push(version);
    }
}
