//! Writing an export, from its beginning or from where an earlier one broke off.

use std::io::{BufRead, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    Report, Source,
    error::TransferError,
    lines::{Line, Lines},
    record::{End, EndLine, Header, HeaderLine, Record, Tally},
    sequence::Sequence,
};

/// What is there of an export already.
#[derive(Debug)]
pub struct Begun {
    sequence: Sequence,
    digest: Sha256,
    bytes: u64,
}

impl Begun {
    /// The length of what is whole; anything behind it is to be cut off.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Default for Begun {
    fn default() -> Self {
        Self { sequence: Sequence::new(), digest: Sha256::new(), bytes: 0 }
    }
}

/// How far a file has come.
#[derive(Debug)]
pub enum Standing {
    /// It can be gone on with.
    Begun(Begun),
    /// It has its last line.
    Whole(Tally),
}

/// Reads what is there of an export of the store with this header. A file that does not belong to it is an error.
pub fn standing(file: impl BufRead, header: &Header) -> Result<Standing, TransferError> {
    let mut lines = Lines::new(file);
    let Some(found) = lines.header()? else {
        // The beginning of anything else is not ours to overwrite.
        if line(&HeaderLine { header })?.starts_with(lines.torn()) {
            return Ok(Standing::Begun(Begun::default()));
        }
        return Err(TransferError::NoExport("it is not whole, and nothing that an export of this store begins with".into()));
    };
    if found.epoch != header.epoch {
        return Err(TransferError::OtherExport("the file is the export of another store"));
    }
    if found != *header {
        return Err(TransferError::OtherExport("the store has changed since this export was begun"));
    }
    let mut sequence = Sequence::new();
    let mut bytes = lines.bytes();
    loop {
        match lines.next()? {
            Some(Line::Record(record)) => {
                sequence.take(header, record.place()).map_err(|reason| TransferError::line(lines.number(), reason))?;
                bytes = lines.bytes();
            }
            Some(Line::End(end)) => return Ok(Standing::Whole(end.records)),
            None => return Ok(Standing::Begun(Begun { sequence, digest: lines.into_digest(), bytes })),
        }
    }
}

/// Writes what is missing of an export of this source, whose header was this. In the end the store must still have that header:
/// else it was written to meanwhile, and the lines do not belong together.
pub async fn export(
    source: &mut dyn Source,
    header: &Header,
    begun: Begun,
    out: &mut dyn Write,
    report: Report<'_>,
) -> Result<Tally, TransferError> {
    let Begun { mut sequence, mut digest, bytes } = begun;
    let mut write = |line: &[u8]| {
        digest.update(line);
        out.write_all(line).map_err(TransferError::Write)
    };
    if bytes == 0 {
        write(&line(&HeaderLine { header })?)?;
    }
    let mut place = sequence.place();
    loop {
        let page = source.page(place).await?;
        for record in &page {
            sequence.take(header, record.place()).map_err(changed_or_damaged)?;
            write(&line(record)?)?;
        }
        report(sequence.progress(header));
        match page.last().map(Record::place).or_else(|| place.next_kind()) {
            Some(next) => place = next,
            None => break,
        }
    }
    if sequence.tally() != header.records || source.header().await? != *header {
        return Err(TransferError::OtherExport("the store has changed while it was exported"));
    }
    let end = End { records: sequence.tally(), sha256: digest.finalize().into() };
    out.write_all(&line(&EndLine { end })?).and_then(|()| out.flush()).map_err(TransferError::Write)?;
    Ok(sequence.tally())
}

fn line<T: Serialize>(value: &T) -> Result<Vec<u8>, TransferError> {
    let mut line = serde_json::to_vec(value).map_err(|error| TransferError::Write(error.into()))?;
    line.push(b'\n');
    Ok(line)
}

/// A source gives its records in order, so one that is missing was removed by somebody, or is damaged.
fn changed_or_damaged(reason: String) -> TransferError {
    crate::store::StoreError::Unavailable(format!("it has changed while it was exported, or is damaged: {reason}")).into()
}
