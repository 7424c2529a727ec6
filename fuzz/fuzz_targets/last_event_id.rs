//! A reader's last id: what is read prints the same, and only what was handed out is honoured.

#![no_main]

use std::sync::{Arc, LazyLock};

use actix::System;
use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use lookout::{
    actors::{
        recent::Recent,
        resume::{Gap, resume},
    },
    config::{self, Config},
    notification::{
        NotificationId,
        frame::Frame,
        position::{GapReason, Position},
    },
    store::{NewNotification, Receive, Store, Write, embedded::EmbeddedStore},
};

const ENTRIES: u64 = 9;

/// A log whose newest entries are in memory.
struct Log {
    store: Arc<EmbeddedStore>,
    recent: Recent,
    handed_out: Vec<Position>,
    _folder: tempfile::TempDir,
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config::Store { path: folder.path().join("store.db"), ..Config::defaults().store };
    let store = EmbeddedStore::open(&config).expect("a store");
    let writes = (0..ENTRIES).map(|n| {
        let payload = format!("{{\"n\":{n}}}");
        let id = NotificationId::new();
        let notification = NewNotification { id, owner: None, delivery_key: None, fact_key: None, payload, screen: None };
        let received_at = DateTime::UNIX_EPOCH;
        Write::Receive(Receive { raw: "{}".into(), received_at, notifications: vec![notification], dead_letters: vec![] })
    });
    let commit = System::new().block_on(store.commit(writes.collect())).expect("a commit");
    let origin = Position::origin(store.span().epoch);
    let (old, new) = commit.entries.split_at(commit.entries.len() / 2);
    let recent = Recent::new(1 << 20, old.last().map_or(origin, |entry| entry.position));
    recent.append(&new.iter().map(Frame::of).collect::<Vec<_>>());
    let handed_out = std::iter::once(origin).chain(commit.entries.iter().map(|entry| entry.position)).collect();
    Log { store, recent, handed_out, _folder: folder }
});

thread_local! {
    static SYSTEM: actix::SystemRunner = System::new();
}

fn judge(text: &str) -> (Option<GapReason>, Position) {
    let Log { store, recent, .. } = &*LOG;
    let resume = resume(Some(text), recent, &**store);
    let resume = SYSTEM.with(|system| system.block_on(resume)).expect("the store answers");
    assert!(resume.start.replay);
    (resume.gap.map(|Gap { reason, .. }| reason), resume.start.id)
}

fuzz_target!(|bytes: &[u8]| {
    // As a header is read: what is no text was never handed out.
    let text = String::from_utf8_lossy(bytes);
    let parsed = text.parse::<Position>();
    let (gap, start) = judge(&text);
    match parsed {
        Ok(position) => {
            assert_eq!(position.to_string(), text, "accepted in one spelling only");
            assert_eq!(gap.is_none(), LOG.handed_out.contains(&position), "{position}: {gap:?}");
            if gap.is_none() {
                assert_eq!(start, position);
            }
        }
        Err(_) => assert_eq!(gap, Some(GapReason::UnknownId)),
    }
    // The log of this run has an epoch of its own, so the same place is looked for in it as well.
    if let Ok(mut position) = parsed {
        position.epoch = LOG.handed_out[0].epoch;
        let (gap, _) = judge(&position.to_string());
        assert_eq!(gap.is_none(), LOG.handed_out.contains(&position), "{position}: {gap:?}");
        if let Some(known) = LOG.handed_out.iter().find(|known| known.n == position.n) {
            assert_eq!(judge(&known.to_string()), (None, *known));
        }
    }
});
