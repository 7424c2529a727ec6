//! Reading an export into a store: in batches, each durable with the mark that says how far it has come.

use std::io::BufRead;

use super::{
    Progress, RECORDS_AT_ONCE, Report, Target, WriteError,
    error::TransferError,
    lines::{Line, Lines, Mark},
    record::{End, Header, Record, Tally},
    sequence::Sequence,
};
use crate::store::PAGE_BYTES;

/// Records that are written together, the last ones before a mark.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    bytes: u64,
}

/// An import under way.
struct Import<'t, R> {
    target: &'t mut dyn Target,
    lines: Lines<R>,
    header: Header,
    sequence: Sequence,
    /// What was written by an earlier run.
    known: Mark,
    batch: Batch,
}

/// Imports all of a file, or what is missing of it where an earlier import broke off.
pub async fn import(target: &mut dyn Target, file: impl BufRead, report: Report<'_>) -> Result<Tally, TransferError> {
    let mut lines = Lines::new(file);
    let header = lines.header()?.ok_or_else(|| TransferError::NoExport("it is not whole".into()))?;
    let known = target.begin(&header, lines.mark()).await?.ok_or(TransferError::NotEmpty)?;
    let mut import = Import { target, lines, header, sequence: Sequence::new(), known, batch: Batch::default() };
    import.meet_what_is_known()?;
    loop {
        let before = import.lines.bytes();
        match import.lines.next()? {
            Some(Line::Record(record)) => import.take(record, before).await?,
            Some(Line::End(end)) => return import.end(end, report).await,
            None => return Err(import.cut().await),
        }
        if import.batch.records.is_empty() {
            report(import.progress());
        }
    }
}

impl<R: BufRead> Import<'_, R> {
    async fn take(&mut self, record: Record, before: u64) -> Result<(), TransferError> {
        let lines = self.lines.number();
        self.sequence.take(&self.header, record.place()).map_err(|reason| TransferError::line(lines, reason))?;
        if lines <= self.known.lines {
            return self.meet_what_is_known();
        }
        self.batch.records.push(record);
        self.batch.bytes += self.lines.bytes() - before;
        if self.batch.records.len() >= RECORDS_AT_ONCE || self.batch.bytes >= PAGE_BYTES as u64 {
            self.write(self.lines.mark()).await?;
        }
        Ok(())
    }

    /// Where an earlier run has come to, the lines must be those that it read.
    fn meet_what_is_known(&self) -> Result<(), TransferError> {
        if self.lines.number() == self.known.lines && self.lines.mark() != self.known {
            return Err(TransferError::OtherImport);
        }
        Ok(())
    }

    async fn write(&mut self, mark: Mark) -> Result<(), TransferError> {
        let records = std::mem::take(&mut self.batch).records;
        if records.is_empty() {
            return Ok(());
        }
        let first = mark.lines + 1 - records.len() as u64;
        self.target.write(records, mark).await.map_err(|error| match error {
            WriteError::Record(index, reason) => TransferError::line(first + index as u64, reason),
            WriteError::Store(error) => error.into(),
        })
    }

    /// The file ends too early: what was read is kept.
    async fn cut(&mut self) -> TransferError {
        let mark = self.lines.mark();
        let expected = self.header.records.sum().saturating_add(2);
        match self.write(mark).await {
            Ok(()) => TransferError::Cut { lines: mark.lines, expected },
            Err(error) => error,
        }
    }

    async fn end(mut self, end: End, report: Report<'_>) -> Result<Tally, TransferError> {
        let mark = self.lines.mark();
        let (records, number) = (self.sequence.tally(), mark.lines);
        if records != end.records || records != self.header.records {
            return Err(TransferError::line(number, "end.records: it does not say how many records there are"));
        }
        if self.lines.next()?.is_some() || !self.lines.torn().is_empty() {
            return Err(TransferError::line(number + 1, "something stands behind the last line"));
        }
        // The last line is no record, so the mark is that of the line before.
        let mark = Mark { lines: number - 1, ..mark };
        if mark.lines < self.known.lines {
            return Err(TransferError::OtherImport);
        }
        self.write(mark).await?;
        report(self.progress());
        self.target.finish(&self.header).await?;
        Ok(records)
    }

    fn progress(&self) -> Progress {
        self.sequence.progress(&self.header)
    }
}
