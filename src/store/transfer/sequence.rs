//! What has been seen of an export: each record must follow the one before it, and in the end all must be there.

use std::fmt;

use super::{
    Progress,
    record::{Header, Place, Tally},
};

/// The records up to some place.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    place: Place,
    tally: Tally,
}

impl Sequence {
    /// Before the first record.
    pub fn new() -> Self {
        Self { place: Place::START, tally: Tally::default() }
    }

    /// Takes the next record, or says why it cannot be the next one.
    pub fn take(&mut self, header: &Header, next: Place) -> Result<(), String> {
        if next <= self.place {
            return Err(format!("{next} cannot come behind {}", self.place));
        }
        if let Place::Entry(n) = next {
            let expected = match self.place {
                Place::Entry(before) => Some(before + 1),
                _ => header.oldest.map(|oldest| oldest.n),
            };
            if expected != Some(n) {
                let expected = expected.map_or_else(|| "no entry".to_owned(), |n| Place::Entry(n).to_string());
                return Err(format!("{next} stands where {expected} must stand"));
            }
        }
        let count = match next {
            Place::Body(_) => &mut self.tally.bodies,
            Place::Entry(_) => &mut self.tally.entries,
            Place::Screening(_) => &mut self.tally.screenings,
            Place::Retold(..) => &mut self.tally.retold,
            Place::DeadLetter(_) => &mut self.tally.dead_letters,
            Place::User(_) => &mut self.tally.users,
        };
        *count += 1;
        self.place = next;
        Ok(())
    }

    pub fn place(&self) -> Place {
        self.place
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    pub fn progress(&self, header: &Header) -> Progress {
        Progress { done: self.tally.sum(), all: header.records.sum() }
    }
}

/// By the field that says it, for who looks for it in the file.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(id) => write!(f, "body.id {id}"),
            Self::Entry(n) => write!(f, "entry.n {n}"),
            Self::Screening(seq) => write!(f, "screening.seq {seq}"),
            Self::Retold(notification, body) => write!(f, "retold.notification {notification} with body {body}"),
            Self::DeadLetter(seq) => write!(f, "dead_letter.seq {seq}"),
            Self::User(seq) => write!(f, "user.seq {seq}"),
        }
    }
}
