//! An export or import that was broken off goes on as if it had not been.

use std::io::{self, BufReader, Read};

use lookout::store::{
    embedded::EmbeddedTarget,
    transfer::{self, Progress},
};

use super::*;

/// Every end of a line, and a place within each.
fn cuts(export: &[u8]) -> Vec<usize> {
    let ends = (0..export.len()).filter(|at| export[*at] == b'\n');
    ends.flat_map(|end| [end - 7, end, end + 1]).filter(|cut| *cut < export.len()).collect()
}

async fn an_export_is_gone_on_with_from_any_place<P: Movable, Q: Movable>(from: P, _: impl Fn() -> Q) {
    with_everything(&from).await;
    let files = Files::new();
    let whole = files.export(&from).await;
    for cut in cuts(&whole) {
        let torn = [&whole[..cut], &b"\0\0{"[..(cut % 4).min(3)]].concat();
        for begun in [&whole[..cut], &torn] {
            let left = files.export_behind(&from, begun).await;
            // What stands behind the header's line is not ours only where that line is torn too.
            let is_refused = begun.len() > cut && !whole[..cut].contains(&b'\n');
            assert!(if is_refused { left.is_err() } else { left.unwrap() == whole }, "cut at {cut}");
        }
    }
    assert!(files.export_behind(&from, &whole).await.unwrap() == whole, "there is nothing to do");
}

async fn an_import_is_gone_on_with_from_any_line<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    with_everything(&from).await;
    let files = Files::new();
    let whole = files.export(&from).await;
    let to_each_line = to();
    for cut in cuts(&whole) {
        files.import(&to_each_line, &whole[..cut]).await.unwrap_err();
    }
    files.import(&to_each_line, &whole).await.unwrap();
    assert_eq!(meaning(&files.export(&to_each_line).await), meaning(&whole));
    for cut in cuts(&whole).into_iter().step_by(7) {
        let to = to();
        let told = files.import(&to, &whole[..cut]).await.unwrap_err().to_string();
        let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        let expected =
            if lines == 0 { "line 1: it is not".to_owned() } else { format!("cut: it ends behind line {lines} of at least") };
        assert!(told.contains(&expected), "{told}");
        files.import(&to, &whole).await.unwrap();
        assert_eq!(meaning(&files.export(&to).await), meaning(&whole));
    }
}

each_way! {
    an_export_is_gone_on_with_from_any_place
    an_import_is_gone_on_with_from_any_line
}

/// Fails when so many bytes were read.
struct Failing<'b>(&'b [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            read => Ok(read),
        }
    }
}

/// An export of 5,000 records, which is five batches.
async fn long(files: &Files) -> Vec<u8> {
    let from = TempFile::new();
    let store = from.open().await;
    for round in 0..5 {
        commit(&store, (0..500).map(|n| receive(1, vec![event(round * 1_000 + n)])).collect()).await;
    }
    store.close().await;
    files.export(&from).await
}

#[tokio::test]
async fn whole_batches_are_kept_of_an_import_that_dies_and_told_meanwhile() {
    let (to, files) = (TempFile::new(), Files::new());
    let whole = long(&files).await;
    let mut told = Vec::new();
    let mut report = |Progress { done, all }| {
        assert_eq!(all, 5_000);
        told.push(done);
    };
    let mut target = EmbeddedTarget::open(&to.path()).unwrap();
    let part = BufReader::new(Failing(&whole[..whole.len() * 3 / 4]));
    let error = transfer::import(&mut target, part, &mut report).await.unwrap_err();
    assert!(matches!(error, TransferError::Read(_)), "{error}");
    drop(target);
    let kept = *told.last().unwrap();
    assert!(kept >= 2_000 && kept % 1_000 == 0, "{kept}");

    // What is kept is not written again: the same lines twice would be refused.
    files.import(&to, &whole).await.unwrap();
    assert_eq!(meaning(&files.export(&to).await), meaning(&whole));
}

#[cfg(feature = "server-tests")]
#[tokio::test]
async fn an_import_goes_on_after_its_mongodb_was_killed() {
    use lookout::{config::Secret, store::mongo::MongoTarget};
    use mongodb::bson::doc;

    let files = Files::new();
    let whole = long(&files).await;
    let mut server = crate::servers::Mongod::start();
    let mut settings = Config::defaults();
    settings.store.kind = StoreKind::MongoDb;
    settings.store.uri = Secret::new(server.uri());
    settings.store.select_timeout = std::time::Duration::from_millis(300);

    let mut target = MongoTarget::open(&settings.store, &settings.cluster).await.unwrap();
    // Another transaction was in the way: that is tried again.
    let once = doc! { "failCommands": ["insert"], "errorCode": 112, "errorLabels": ["TransientTransactionError"] };
    server.fail("failCommand", doc! { "times": 1 }, once);
    let mut kept = 0;
    let mut report = |Progress { done, .. }| {
        if done >= 2_000 && kept < 2_000 {
            server.kill9();
        }
        kept = done;
    };
    let error = transfer::import(&mut target, &whole[..], &mut report).await.unwrap_err();
    assert!(matches!(error, TransferError::Store(StoreError::Unavailable(_))), "{error}");
    assert_eq!(kept, 2_000);
    drop(target);

    server.restart();
    let mut target = MongoTarget::open(&settings.store, &settings.cluster).await.unwrap();
    transfer::import(&mut target, &whole[..], &mut |_| ()).await.unwrap();
    let file = files.0.path().join("again");
    commands::export(&settings, &file).await.unwrap();
    assert_eq!(meaning(&std::fs::read(&file).unwrap()), meaning(&whole));
}
