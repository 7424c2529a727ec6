//! One committed line of the log, as stores return it.

use std::sync::Arc;

use super::{NotificationId, position::Position};

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `zone_port_notification`: the notification itself.
    Notification,
    /// A `screening_update`: a result that came after its notification.
    Update,
}

/// One committed entry of the log. Stores hand these out in the order of `position.n`, without a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands; the tag is that of `payload`.
    pub position: Position,
    /// What it says.
    pub kind: Kind,
    /// The notification that it is, or that it updates.
    pub notification_id: NotificationId,
    /// The user named in the reference, exactly as sent; decides who sees it under `owner`.
    pub owner: Option<Arc<str>>,
    /// The JSON object of the `data:` line, already clean.
    pub payload: Arc<str>,
}

impl Entry {
    /// Bytes of memory that it takes, about.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.payload.len() + self.owner.as_ref().map_or(0, |owner| owner.len())
    }
}
