//! Who is told what became of a write: a commit holds the writes of many, and each is told its own outcome.

use tokio::sync::oneshot;

use super::{
    archivist::{Tell, TellAgain},
    canary::{Canary, Stage},
};
use crate::store::{StoreError, Written};

/// Who is told what became of a write.
pub(super) enum Reply {
    Kept(Tell),
    KeptAgain(TellAgain),
    Discarded(oneshot::Sender<Result<usize, StoreError>>),
    Settled(oneshot::Sender<Result<(), StoreError>>),
    Released(oneshot::Sender<usize>),
    UserSet(oneshot::Sender<Result<bool, StoreError>>),
    Canary(Canary),
    Nobody,
    /// The archivist itself: it keeps dead letters within their bounds.
    Bound,
}

impl Reply {
    /// Whoever has stopped waiting is not told; what was written stays written.
    pub fn done(self, written: Written) {
        match (self, written) {
            (Self::Kept(tell), Written::Received(kept)) => tell(Ok(kept)),
            (Self::KeptAgain(tell), Written::Retried(kept)) => tell(Ok(kept)),
            (Self::Discarded(reply), Written::Discarded(count)) => drop(reply.send(Ok(count))),
            (Self::Settled(reply), Written::Settled(_)) => drop(reply.send(Ok(()))),
            (Self::Released(reply), Written::Released(count)) => drop(reply.send(count)),
            (Self::UserSet(reply), Written::UserSet(changed)) => drop(reply.send(Ok(changed))),
            (Self::Canary(canary), Written::Probed) => canary.pass(Stage::Store),
            (reply, Written::Refused(reason)) => reply.failed(&StoreError::Refused(reason)),
            // A dropped reply tells its owner that the answer got lost.
            _ => {}
        }
    }

    /// The same where its commit failed.
    pub fn failed(self, error: &StoreError) {
        match self {
            Self::Kept(tell) => tell(Err(error.clone())),
            Self::KeptAgain(tell) => tell(Err(error.clone())),
            Self::Discarded(reply) => drop(reply.send(Err(error.clone()))),
            Self::Settled(reply) => drop(reply.send(Err(error.clone()))),
            Self::UserSet(reply) => drop(reply.send(Err(error.clone()))),
            Self::Released(_) | Self::Canary(_) | Self::Nobody | Self::Bound => {}
        }
    }
}
