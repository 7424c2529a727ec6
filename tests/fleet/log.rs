//! The log as the readers have seen it: whoever sees an entry first writes it down, everybody else must see the same.
//!
//! One copy for all readers, so a reader is no more than the number of entries it has seen.

use std::collections::{HashMap, HashSet};

use crate::wire::{Events, Message};

/// What has been seen, in order, and what the rules make of it.
#[derive(Default)]
pub struct Log {
    entries: Vec<Message>,
    positions: HashSet<String>,
    /// The notification that each event came as, by the event's marker.
    notifications: HashMap<String, String>,
    /// Ids of notifications that came as pending and have no update yet.
    pending: HashSet<String>,
}

impl Log {
    /// A reader that has seen so many entries sees this frame next. An error says how it differs from the others.
    pub fn see(&mut self, seen: usize, frame: &str) -> Result<(), String> {
        match self.entries.get(seen) {
            Some(entry) if entry.frame == frame => Ok(()),
            Some(entry) => Err(format!("entry {seen} is {frame:?}, others have seen {:?}", entry.frame)),
            None => self.append(frame),
        }
    }

    /// Everything that has been seen.
    pub fn entries(&self) -> &[Message] {
        &self.entries
    }

    /// Every notification that has been seen: its event's marker and its id.
    pub fn notifications(&self) -> &HashMap<String, String> {
        &self.notifications
    }

    /// How many screenings have been promised and not been shown.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    fn append(&mut self, frame: &str) -> Result<(), String> {
        let message = read(frame);
        let id = message.json["notification_id"].as_str().ok_or(format!("no notification id in {frame:?}"))?.to_owned();
        let position = message.id.clone().ok_or(format!("an entry without a position: {frame:?}"))?;
        if !self.positions.insert(position) {
            return Err(format!("a position comes again: {frame:?}"));
        }
        match message.kind() {
            "zone_port_notification" => {
                let data = &message.json["data"];
                let marker = data["event"]["id"].as_str().ok_or(format!("no marker in {frame:?}"))?;
                if self.notifications.insert(marker.to_owned(), id.clone()).is_some() {
                    return Err(format!("{marker} comes again: {frame:?}"));
                }
                if data["screening_results"]["status"] == "pending" {
                    self.pending.insert(id);
                }
            }
            "screening_update" if !self.pending.remove(&id) => return Err(format!("an update of nothing pending: {frame:?}")),
            "screening_update" => {}
            other => return Err(format!("{other} is no entry: {frame:?}")),
        }
        self.entries.push(message);
        Ok(())
    }
}

/// The one message of a frame with data.
pub fn read(frame: &str) -> Message {
    let mut messages = Events::default().feed(frame.as_bytes());
    assert_eq!(messages.len(), 1, "one message in {frame:?}");
    messages.remove(0)
}
