//! What is not moved: wrong lines, other files, stores that are in use or hold something else.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::*;

/// The export with one line changed; lines are counted from 1.
fn with_line(export: &[u8], number: usize, change: impl Fn(&str) -> String) -> Vec<u8> {
    let text = std::str::from_utf8(export).unwrap();
    let changed = text.lines().zip(1..).map(|(line, at)| if at == number { change(line) } else { line.to_owned() } + "\n");
    changed.collect::<String>().into_bytes()
}

fn line_of(export: &[u8], kind: &str) -> usize {
    let text = std::str::from_utf8(export).unwrap();
    1 + text.lines().position(|line| line.starts_with(&format!("{{\"{kind}\""))).unwrap_or_else(|| panic!("no {kind}"))
}

async fn a_wrong_line_is_told_by_its_number_and_nothing_of_it_is_kept<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    with_everything(&from).await;
    let (to, files) = (to(), Files::new());
    let whole = files.export(&from).await;
    let without = |line: &str, field: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let kind = line.as_object().unwrap().keys().next().unwrap().clone();
        line[&kind].as_object_mut().unwrap().remove(field).unwrap();
        line.to_string()
    };
    let with = |line: &str, pointer: &str, value: Value| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        *line.pointer_mut(pointer).unwrap() = value;
        line.to_string()
    };
    let twice = |line: &str| format!("{line}\n{line}");
    type Change<'c> = &'c dyn Fn(&str) -> String;
    let changes: &[(&str, usize, Change<'_>, &str)] = &[
        ("body", 0, &|line| line[..line.len() - 3].into(), ": body.bytes: EOF while parsing"),
        ("body", 0, &|line| without(line, "bytes"), ": body: missing field `bytes`"),
        ("body", 1, &twice, ": body.id "),
        ("notification", 0, &|line| with(line, "/notification/entry/at", "soon".into()), ": notification.entry.at: invalid type"),
        (
            "notification",
            0,
            &|line| with(line, "/notification/entry/n", 99.into()),
            ": entry.n 99 stands where entry.n 2 must stand",
        ),
        (
            "notification",
            0,
            &|line| with(line, "/notification/arrival/body", "ff".repeat(12).into()),
            ": body: no body before is ffff",
        ),
        ("notification", 0, &|line| with(line, "/notification/arrival/keys/0", "ff".into()), ": notification.arrival.keys"),
        ("update", 1, &twice, ": entry.n 7 cannot come behind entry.n 7"),
        ("screening", 0, &|line| with(line, "/screening/waiting", 1.into()), ": screening.waiting: invalid type"),
        (
            "screening",
            0,
            &|line| with(line, "/screening/notification", "ff".repeat(12).into()),
            ": screening.notification: no entry",
        ),
        ("retold", 0, &|line| with(line, "/retold/body", "ff".repeat(12).into()), ": body: no body before is ffff"),
        ("dead_letter", 0, &|line| with(line, "/dead_letter/seq", "one".into()), ": dead_letter.seq: invalid type"),
        ("dead_letter", 1, &twice, ": dead_letter.seq 1 cannot come behind dead_letter.seq 1"),
        ("user", 0, &|line| with(line, "/user/id", 1.into()), ": user.id: invalid type"),
        ("user", 1, &twice, ": user.seq 2 cannot come behind user.seq 2"),
        ("end", 0, &|line| with(line, "/end/records/entries", 1.into()), ": end.records: "),
        ("end", 1, &|line| format!("{line}\n{{}}"), ": "),
    ];
    for (kind, further, change, told) in changes {
        let number = line_of(&whole, kind);
        // Nothing behind it, or that would be wrong too, by its digest.
        let wrong: Vec<u8> = with_line(&whole, number, change)
            .split_inclusive(|byte| *byte == b'\n')
            .take(number + further)
            .flatten()
            .copied()
            .collect();
        let refused = files.import(&to, &wrong).await.unwrap_err().to_string();
        let expected = format!("line {}{told}", number + further);
        assert!(refused.contains(&expected), "{kind}: {refused} is not {expected}");
    }
    files.import(&to, &whole).await.unwrap();
    assert_eq!(meaning(&files.export(&to).await), meaning(&whole));
}

async fn a_record_that_is_there_already_is_told_by_its_line<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    with_everything(&from).await;
    let (to, files) = (to(), Files::new());
    let whole = files.export(&from).await;
    let number = line_of(&whole, "notification") + 1;
    let with_keys =
        |keys: &[u8]| format!("\"keys\":{}", serde_json::json!(keys.iter().map(|key| hex(&fact(*key))).collect::<Vec<_>>()));
    for (keys, told) in [(&[1][..], "there already|UNIQUE constraint"), (&[8, 9, 10], "two keys at most")] {
        let wrong = with_line(&whole, number, |line| line.replace("\"keys\":[]", &with_keys(keys)));
        assert!(wrong.len() > whole.len());
        // Cut behind further lines of the batch: the one that is wrong must be told from those.
        let wrong: Vec<u8> = wrong.split_inclusive(|byte| *byte == b'\n').take(number + 3).flatten().copied().collect();
        let refused = files.import(&to, &wrong).await.unwrap_err().to_string();
        assert!(refused.starts_with(&format!("line {number}: ")), "{refused}");
        assert!(told.split('|').any(|told| refused.contains(told)), "{refused}");
    }
    files.import(&to, &whole).await.unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn a_changed_byte_is_noticed_and_the_store_never_served<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    with_everything(&from).await;
    let (to, files) = (to(), Files::new());
    let whole = files.export(&from).await;
    let changed = with_line(&whole, line_of(&whole, "notification"), |line| line.replace("12.5", "12.6"));
    let refused = files.import(&to, &changed).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("line {}: end.sha256: ", line_of(&whole, "end"))), "{refused}");
    let refused = serve(&to).await.map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::Unfinished { .. }), "{refused}");
    let refused = files.export_behind(&to, b"").await.map(drop).unwrap_err();
    assert!(matches!(refused, TransferError::Store(StoreError::Unfinished { .. })), "{refused}");
    // Of this file, what was read is not kept: all of it is in one batch.
    files.import(&to, &whole).await.unwrap();
}

async fn only_an_empty_store_is_imported_into<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    with_everything(&from).await;
    let files = Files::new();
    let whole = files.export(&from).await;
    let dead = Receive { raw: "{".into(), received_at: at(1), notifications: vec![], dead_letters: vec![letter("bad")] };
    for something in [receive(1, vec![event(1)]), receive(1, vec![screened(1)]), Write::Receive(dead), set_user("ana", true)] {
        let to = to();
        let store = to.open().await;
        commit(&store, vec![something]).await;
        store.close().await;
        let before = files.export(&to).await;
        let refused = files.import(&to, &whole).await.unwrap_err();
        assert!(matches!(refused, TransferError::NotEmpty), "{refused}");
        assert!(files.export(&to).await == before);
    }
    let to = to();
    files.import(&to, &whole).await.unwrap();
    assert!(matches!(files.import(&to, &whole).await.unwrap_err(), TransferError::NotEmpty), "a whole import is over");
}

async fn an_import_goes_on_only_with_its_own_file<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    with_everything(&from).await;
    let (to, files) = (to(), Files::new());
    let whole = files.export(&from).await;
    let half = &whole[..whole.len() / 2];
    files.import(&to, half).await.unwrap_err();
    let store = from.open().await;
    commit(&store, vec![receive(9, vec![event(20)])]).await;
    store.close().await;
    let later = files.export(&from).await;
    assert!(later.len() > whole.len());
    let other = TempFile::new();
    other.open().await.close().await;
    for other in [later, files.export(&other).await] {
        let refused = files.import(&to, &other).await.unwrap_err();
        assert!(matches!(refused, TransferError::OtherImport), "{refused}");
    }
    files.import(&to, &whole).await.unwrap();
    assert_eq!(meaning(&files.export(&to).await), meaning(&whole));
}

async fn an_export_goes_on_only_in_its_own_file<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    with_everything(&from).await;
    let files = Files::new();
    let whole = files.export(&from).await;
    let other = to();
    other.open().await.close().await;
    let other = files.export(&other).await;
    let newer = with_line(&whole, 1, |line| line.replace("\"format\":1", "\"format\":2"));
    let wrong = with_line(&whole, 3, |line| line.replace("\"bytes\"", "\"sweets\""));
    let refusals: [(&[u8], &str); 6] = [
        (&other, "the file is the export of another store"),
        (&newer, "has format 2, this build knows 1"),
        (&wrong, "line 3: body.sweets: unknown field"),
        (b"imo,name\n9999993,NORDLYS PIONEER\n", "not the first line of an export"),
        (b"no line at all", "not the first line of an export"),
        (b"{\"header\":{}}\n", "not the first line of an export"),
    ];
    for (begun, told) in refusals {
        let refused = files.export_behind(&from, begun).await.map(drop).unwrap_err().to_string();
        assert!(refused.contains(told), "{refused}");
    }
    let known = NewNotification { fact_key: Some(fact(1)), ..event(50) };
    let retold = Receive { raw: "other".into(), received_at: at(9), notifications: vec![known], dead_letters: vec![] };
    // Each changes the store in another way; the last one leaves no trace but a body beside a notification.
    for change in [receive(9, vec![event(20)]), settle(7, 9, "done"), prune(4, 1), Write::Receive(retold)] {
        let before = files.export(&from).await;
        let store = from.open().await;
        commit(&store, vec![change]).await;
        store.close().await;
        let refused = files.export_behind(&from, &before[..before.len() / 2]).await.map(drop).unwrap_err().to_string();
        assert!(refused.contains("the store has changed since this export was begun"), "{refused}");
    }
}

/// A place whose servers are not dead at once.
struct Patient<P>(P);

impl<P: Movable> Place for Patient<P> {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        self.0.open()
    }
}

impl<P: Movable> Movable for Patient<P> {
    fn settings(&self) -> Config {
        let mut settings = self.0.settings();
        settings.cluster.take_over_after = Duration::from_secs(3_600);
        settings
    }
}

async fn nothing_is_moved_while_a_server_runs<P: Movable, Q: Movable>(from: P, to: impl Fn() -> Q) {
    with_everything(&from).await;
    let (from, to, files) = (Patient(from), Patient(to()), Files::new());
    let whole = files.export(&from).await;
    let is_told = |refused: TransferError| {
        let told = refused.to_string();
        assert!(told.contains("in use by another") || told.contains("1 running servers use the MongoDB database"), "{told}");
    };
    let server = serve(&from).await.unwrap();
    take(&server, 0).await;
    is_told(files.export_behind(&from, b"").await.map(drop).unwrap_err());
    server.close().await;
    let server = serve(&to).await.unwrap();
    take(&server, 0).await;
    is_told(files.import(&to, &whole).await.map(drop).unwrap_err());
    server.close().await;
    files.import(&to, &whole).await.unwrap();
}

/// A server that has given no sign of life yet when an import begins.
#[cfg(feature = "server-tests")]
#[tokio::test]
async fn a_server_that_the_import_did_not_see_commits_nothing_into_it() {
    let (from, to, files) = (TempFile::new(), Database::new(), Files::new());
    with_everything(&from).await;
    let server = serve(&to).await.unwrap();
    let whole = files.export(&from).await;
    files.import(&to, &whole[..whole.len() / 2]).await.unwrap_err();
    let refused = server.commit(vec![receive(1, vec![event(1)])]).await.map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::Unfinished { .. }), "{refused}");
    server.close().await;
    files.import(&to, &whole).await.unwrap();
    assert_eq!(meaning(&files.export(&to).await), meaning(&whole));
}

#[cfg(feature = "server-tests")]
#[tokio::test]
async fn what_no_document_can_hold_is_told_by_its_line() {
    let large = |raw: usize, payload: usize| {
        let mut new = event(1);
        new.payload = new.payload.replace("12.5", &"1".repeat(payload));
        Write::Receive(Receive {
            raw: vec![b'r'; raw].into(),
            received_at: at(1),
            notifications: vec![new],
            dead_letters: vec![],
        })
    };
    let told = [
        (large(16 << 20, 1), "line 3: the body has 16777216 bytes"),
        (large(1, 16 << 20), "line 5: the message of notification"),
    ];
    for (large, told) in told {
        let (from, files) = (TempFile::new(), Files::new());
        let store = from.open().await;
        commit(&store, vec![receive(1, vec![event(9)]), large]).await;
        store.close().await;
        let refused = files.import(&Database::new(), &files.export(&from).await).await.unwrap_err().to_string();
        assert!(refused.contains(told) && refused.contains("more than MongoDB takes in one document"), "{refused}");
    }
}

each_way! {
    a_record_that_is_there_already_is_told_by_its_line
    a_wrong_line_is_told_by_its_number_and_nothing_of_it_is_kept
    a_changed_byte_is_noticed_and_the_store_never_served
    only_an_empty_store_is_imported_into
    an_import_goes_on_only_with_its_own_file
    an_export_goes_on_only_in_its_own_file
    nothing_is_moved_while_a_server_runs
}
