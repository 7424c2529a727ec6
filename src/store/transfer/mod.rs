//! Moving a whole log from one store into another: as lines of JSON, of which either side may be of either kind.
//!
//! A store gives its records in one fixed order, and takes them in that order, so a count of lines says everything about how far
//! a transfer has come: what was interrupted goes on behind the last line that is safe.

mod error;
mod export;
mod import;
mod lines;
mod record;
mod sequence;
mod text;

use futures_util::future::LocalBoxFuture;

pub use self::{
    error::TransferError,
    export::{Begun, Standing, export, standing},
    import::import,
    lines::Mark,
    record::{
        Arrival, Body, BodyId, Entry, Header, Letter, Notification, Place, Record, Retold, Screening, Tally, User, Waiting,
    },
};
use super::StoreError;

/// Records that are read or written at once.
pub const RECORDS_AT_ONCE: usize = 1_000;

/// What an export reads. Nobody else may write to it meanwhile; whether that held is seen in the end by the header.
pub trait Source {
    /// What the first line says of the store as it is now.
    fn header(&mut self) -> LocalBoxFuture<'_, Result<Header, StoreError>>;

    /// The records behind this place that are of its kind, in order; at most [`RECORDS_AT_ONCE`] and
    /// [`PAGE_BYTES`](super::PAGE_BYTES), the first of any size. None where there are no more of that kind.
    fn page(&mut self, behind: Place) -> LocalBoxFuture<'_, Result<Vec<Record>, StoreError>>;
}

/// What an import writes. From the beginning to the end it belongs to the import: no server starts on it.
pub trait Target {
    /// Begins an import with the first line, or finds the one that was begun here. Gives how far it has come; none where the store
    /// holds something else.
    fn begin(&mut self, header: &Header, first: Mark) -> LocalBoxFuture<'_, Result<Option<Mark>, StoreError>>;

    /// Makes these records durable, and with them that the import has come to this mark; all of it or nothing.
    fn write(&mut self, records: Vec<Record>, mark: Mark) -> LocalBoxFuture<'_, Result<(), WriteError>>;

    /// The import is whole: the store may be served.
    fn finish(&mut self, header: &Header) -> LocalBoxFuture<'_, Result<(), StoreError>>;
}

/// Why records were not written.
#[derive(Debug)]
pub enum WriteError {
    /// This one cannot be, for this reason; counted from 0.
    Record(usize, String),
    /// The store does not work.
    Store(StoreError),
}

/// How far a transfer has come, in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// So many are there.
    pub done: u64,
    /// So many there will be.
    pub all: u64,
}

/// What is told of it now and then.
pub type Report<'a> = &'a mut dyn FnMut(Progress);
