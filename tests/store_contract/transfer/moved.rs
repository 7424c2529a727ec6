//! Whatever has happened to a store, the one that it was moved to shows the same and goes on the same way.

use proptest::{collection::vec, prelude::*, test_runner::TestRunner};

use super::*;
use crate::model::{Life, commits};

/// Any life in one store; export and import, each broken off here and there; then more of that life in the other store.
fn a_life_goes_on_in_another_store<P: Movable, Q: Movable>(from: impl Fn() -> P, to: impl Fn() -> Q) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cases = std::env::var("PROPTEST_CASES").map_or(16, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let cuts = || vec(0.0..1.0, 0..3);
    let outcome = runner.run(&(commits(), commits(), cuts(), cuts()), |(before, after, export_cuts, import_cuts)| {
        let (from, to, files) = (from(), to(), Files::new());
        runtime.block_on(async {
            let mut life = Life::default();
            let store = from.open().await;
            life.goes_on(&from, store, before).await.close().await;

            let whole = files.export(&from).await;
            let place = |cut: f64| (whole.len() as f64 * cut) as usize;
            for cut in export_cuts {
                assert!(files.export_behind(&from, &whole[..place(cut)]).await.unwrap() == whole);
            }
            for cut in import_cuts {
                let cut = files.import(&to, &whole[..place(cut)]).await.unwrap_err();
                assert!(matches!(cut, TransferError::Cut { .. } | TransferError::NoExport(_)), "{cut}");
            }
            files.import(&to, &whole).await.unwrap();
            assert_eq!(meaning(&files.export(&to).await), meaning(&whole));

            let store = to.open().await;
            life.is_shown_by(&store).await;
            let store = life.goes_on(&to, store, after).await;
            life.is_shown_by(&store).await;
            store.close().await;
        });
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn from_file_to_file() {
    a_life_goes_on_in_another_store(TempFile::new, TempFile::new);
}

#[cfg(feature = "server-tests")]
#[test]
fn from_file_to_mongodb() {
    a_life_goes_on_in_another_store(TempFile::new, Database::new);
}

#[cfg(feature = "server-tests")]
#[test]
fn from_mongodb_to_file() {
    a_life_goes_on_in_another_store(Database::new, TempFile::new);
}

#[cfg(feature = "server-tests")]
#[test]
fn from_mongodb_to_mongodb() {
    a_life_goes_on_in_another_store(Database::new, Database::new);
}

async fn numbers_go_on_where_the_last_ones_are_gone<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    let store = from.open().await;
    let dead = |second| {
        let dead_letters = vec![letter("bad"), letter("worse")];
        Write::Receive(Receive { raw: "{".into(), received_at: at(second), notifications: vec![], dead_letters })
    };
    commit(&store, vec![dead(1), receive(1, vec![event(1), screened(2)]), settle(2, 2, "done"), prune(3, 9)]).await;
    assert_eq!(store.dead_letters(9).await.unwrap(), [], "all are pruned");
    store.close().await;
    let (to, files) = (to(), Files::new());
    files.import(&to, &files.export(&from).await).await.unwrap();
    let store = to.open().await;
    assert_eq!(numbers(&commit(&store, vec![dead(4), receive(4, vec![event(3)])]).await.entries), [3]);
    let letters = store.dead_letters(9).await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.seq).collect::<Vec<_>>(), [4, 3]);
    commit(&store, vec![receive(5, vec![screened(4)])]).await;
    store.close().await;
    let last = meaning(&files.export(&to).await)[0]["header"]["last_screening"].clone();
    assert_eq!(last, 2, "a number is given once");
}

async fn dead_letters_keep_their_numbers_and_are_listed_whatever_the_store<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    with_everything(&from).await;
    let (to, files) = (to(), Files::new());
    files.import(&to, &files.export(&from).await).await.unwrap();
    let [old, new] = [from.settings().store, to.settings().store];
    let letters = commands::dead_letters(&old, 9).await.unwrap();
    assert_eq!(letters.iter().map(|letter| (letter.seq, letter.body_bytes)).collect::<Vec<_>>(), [(2, 11), (1, 4)]);
    let server = to.open().await;
    assert_eq!(commands::dead_letters(&new, 9).await.unwrap(), letters, "beside a running server");
    assert_eq!(server.dead_letters(9).await.unwrap(), letters);
    assert_eq!(commands::dead_letters(&new, 1).await.unwrap(), letters[..1]);
    server.close().await;
}

async fn users_are_moved_and_the_next_one_is_a_new_one<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    with_everything(&from).await;
    let (to, files) = (to(), Files::new());
    let whole = files.export(&from).await;
    files.import(&to, &whole).await.unwrap();
    let store = to.open().await;
    assert_eq!(users(&store).await, ["b|c", "eva"]);
    let version = store.users_version().await.unwrap();
    commit(&store, vec![set_user("eva", false), set_user("eva", true)]).await;
    assert_ne!(store.users_version().await.unwrap(), version);
    store.close().await;
    let numbers =
        |export: &[u8]| -> Vec<i64> { meaning(export).iter().filter_map(|line| line.pointer("/user/seq")?.as_i64()).collect() };
    let (before, after) = (numbers(&whole), numbers(&files.export(&to).await));
    assert_eq!(before.len(), 2);
    assert!(after[0] == before[0] && after[1] > before[1], "{before:?}, then {after:?}");
}

async fn an_empty_store_is_moved_with_the_name_of_its_log<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    let store = from.open().await;
    let span = store.span();
    store.close().await;
    let (to, files) = (to(), Files::new());
    files.import(&to, &files.export(&from).await).await.unwrap();
    let store = to.open().await;
    assert_eq!(store.span(), span);
    store.close().await;
}

each_way! {
    numbers_go_on_where_the_last_ones_are_gone
    dead_letters_keep_their_numbers_and_are_listed_whatever_the_store
    users_are_moved_and_the_next_one_is_a_new_one
    an_empty_store_is_moved_with_the_name_of_its_log
}
