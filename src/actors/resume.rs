//! What a reader's last id is worth: where its stream begins, and what it must be told first.

use crate::{
    notification::position::{GapReason, Position},
    store::{Span, Store, StoreError},
};

use super::{progress::Start, recent::Recent};

/// Where a stream begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The place.
    pub start: Start,
    /// Why it is not the one that the reader asked for.
    pub gap: Option<Gap>,
}

/// The content of a `replay_gap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// What is still there, if anything.
    pub oldest: Option<Position>,
}

/// Judges a last id against the log. Without one the stream is live only.
pub async fn resume(last_id: Option<&str>, recent: &Recent, store: &dyn Store) -> Result<Resume, StoreError> {
    let Some(last_id) = last_id else {
        let newest = recent.newest();
        return Ok(Resume { start: Start { passed: newest.n, id: newest, replay: false }, gap: None });
    };
    Ok(match honour(last_id, recent, store).await? {
        Ok(position) => Resume { start: Start { passed: position.n, id: position, replay: true }, gap: None },
        Err(reason) => {
            let span = store.span();
            // The stream starts before the oldest entry. No entry has that place, so the id is the origin: who comes back
            // with it is told of the gap again and loses nothing, which an id ahead of the replay would not grant.
            let passed = span.oldest.map_or(0, |oldest| oldest.n - 1);
            let start = Start { passed, id: Position::origin(span.epoch), replay: true };
            Resume { start, gap: Some(Gap { reason, oldest: span.oldest }) }
        }
    })
}

/// The position behind which the log goes on without a gap, or why there is none.
pub async fn honour(last_id: &str, recent: &Recent, store: &dyn Store) -> Result<Result<Position, GapReason>, StoreError> {
    let mut judged = judge(last_id, store.span());
    if judged == Err(GapReason::UnknownId) {
        // Another node may have committed it, and this one not have heard of it yet.
        judged = judge(last_id, store.look().await?);
    }
    let position = match judged {
        Ok(position) => position,
        Err(reason) => return Ok(Err(reason)),
    };
    if position.n == 0 {
        return Ok(Ok(position));
    }
    let known = match recent.position(position.n) {
        Some(known) => Some(known),
        None => store.read_log(position.n - 1, 1).await?.first().map(|entry| entry.position),
    };
    Ok(match known {
        Some(known) if known == position => Ok(position),
        Some(known) if known.n == position.n => Err(GapReason::UnknownId),
        // Retention took it between the two looks.
        _ => Err(GapReason::Pruned),
    })
}

/// Everything that can be said without looking at the entry itself.
fn judge(last_id: &str, span: Span) -> Result<Position, GapReason> {
    let position: Position = last_id.parse().map_err(|_| GapReason::UnknownId)?;
    if position.epoch != span.epoch {
        return Err(GapReason::OtherEpoch);
    }
    if position.n == 0 && position != Position::origin(span.epoch) {
        return Err(GapReason::UnknownId);
    }
    if position.n > span.newest.map_or(0, |newest| newest.n) {
        return Err(GapReason::UnknownId);
    }
    // At the origin nothing has been seen, so the first entry must still be there; elsewhere the entry itself must be.
    if span.oldest.is_some_and(|oldest| position.n.max(1) < oldest.n) {
        return Err(GapReason::Pruned);
    }
    Ok(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::position::{Epoch, Tag};

    fn at(epoch: u32, n: u64, tag: u32) -> Position {
        Position { epoch: Epoch(epoch), n, tag: Tag(tag) }
    }

    #[test]
    fn each_id_that_cannot_be_honoured_has_its_reason() {
        let span = Span { epoch: Epoch(1), oldest: Some(at(1, 5, 50)), newest: Some(at(1, 9, 90)) };
        for (id, expected) in [
            ("no position".to_owned(), Err(GapReason::UnknownId)),
            (at(2, 7, 70).to_string(), Err(GapReason::OtherEpoch)),
            (at(1, 10, 0).to_string(), Err(GapReason::UnknownId)),
            (at(1, 4, 40).to_string(), Err(GapReason::Pruned)),
            (at(1, 0, 0).to_string(), Err(GapReason::Pruned)),
            (at(1, 0, 3).to_string(), Err(GapReason::UnknownId)),
            (at(1, 5, 50).to_string(), Ok(at(1, 5, 50))),
            (at(1, 9, 90).to_string(), Ok(at(1, 9, 90))),
        ] {
            assert_eq!(judge(&id, span), expected, "{id}");
        }
    }

    #[test]
    fn in_an_empty_log_only_its_own_origin_is_known() {
        let span = Span { epoch: Epoch(1), oldest: None, newest: None };
        assert_eq!(judge(&at(1, 0, 0).to_string(), span), Ok(Position::origin(Epoch(1))));
        assert_eq!(judge(&at(1, 1, 0).to_string(), span), Err(GapReason::UnknownId));
    }
}
