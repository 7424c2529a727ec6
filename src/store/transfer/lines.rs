//! Reading an export line by line, and knowing at each what came before it.

use std::io::{BufRead, Read};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    error::TransferError,
    record::{End, EndLine, FORMAT, Header, HeaderLine, Record},
};
use crate::store::Key;

/// The longest line, bytes: far above what the largest allowed body makes, and a bound to what a wrong file does to memory.
const LONGEST_LINE: u64 = 1 << 30;

/// How far an export was read: two marks are equal only where all lines up to them are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// So many lines, the first one included.
    pub lines: u64,
    /// The SHA-256 of them.
    pub digest: Key,
}

/// A line behind the first one.
pub(super) enum Line {
    Record(Record),
    End(End),
}

/// The lines of an export.
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    lines: u64,
    bytes: u64,
    digest: Sha256,
}

/// The format alone, which says whether the rest can be read.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), lines: 0, bytes: 0, digest: Sha256::new() }
    }

    /// The first line; none where not even that is whole.
    pub fn header(&mut self) -> Result<Option<Header>, TransferError> {
        if !self.advance()? {
            return Ok(None);
        }
        let HeaderLine { header: Format { format } } =
            serde_json::from_slice(&self.buffer).map_err(|error| TransferError::NoExport(error.to_string()))?;
        if format != FORMAT {
            return Err(TransferError::TooNew { found: format, known: FORMAT });
        }
        let HeaderLine { header } = parse(&self.buffer, 1)?;
        self.digest.update(&self.buffer);
        Ok(Some(header))
    }

    /// The next line; none where the file ends before it is whole.
    pub fn next(&mut self) -> Result<Option<Line>, TransferError> {
        if !self.advance()? {
            return Ok(None);
        }
        // Every line begins with what it is. Tried as both, a faulty one could not be told what is wrong with it.
        if !self.buffer.starts_with(br#"{"end":"#) {
            let record = parse(&self.buffer, self.lines)?;
            self.digest.update(&self.buffer);
            return Ok(Some(Line::Record(record)));
        }
        let EndLine { end } = parse(&self.buffer, self.lines)?;
        if end.sha256 != self.mark().digest {
            let reason =
                "end.sha256: the lines before are not those that were exported; export again, and import into an empty store";
            return Err(TransferError::line(self.lines, reason));
        }
        Ok(Some(Line::End(end)))
    }

    /// The number of the last whole line.
    pub fn number(&self) -> u64 {
        self.lines
    }

    /// How far it was read.
    pub fn mark(&self) -> Mark {
        Mark { lines: self.lines, digest: self.digest.clone().finalize().into() }
    }

    /// Bytes of the whole lines that were read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What stands behind the last whole line.
    pub fn torn(&self) -> &[u8] {
        &self.buffer
    }

    /// The hash so far, to be gone on with.
    pub fn into_digest(self) -> Sha256 {
        self.digest
    }

    /// Takes the next line into the buffer. False: it is not whole.
    fn advance(&mut self) -> Result<bool, TransferError> {
        self.buffer.clear();
        self.input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.buffer).map_err(TransferError::Read)?;
        if !self.buffer.ends_with(b"\n") {
            if self.buffer.len() as u64 == LONGEST_LINE {
                return Err(TransferError::line(self.lines + 1, "it is longer than any line of an export"));
            }
            return Ok(false);
        }
        self.lines += 1;
        self.bytes += self.buffer.len() as u64;
        Ok(true)
    }
}

fn parse<'l, T: Deserialize<'l>>(line: &'l [u8], number: u64) -> Result<T, TransferError> {
    // Without its end, which would otherwise be the fault of a line that was torn within a text.
    let mut json = serde_json::Deserializer::from_slice(line.trim_ascii_end());
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = Some(error.path().to_string()).filter(|path| path != ".");
        (field, error.into_inner())
    });
    parsed.and_then(|value| json.end().map(|()| value).map_err(|error| (None, error))).map_err(|(field, error)| {
        let (field, column) = (field.map(|field| format!("{field}: ")).unwrap_or_default(), error.column());
        let reason = error.to_string();
        let reason = reason.strip_suffix(&format!(" at line {} column {column}", error.line())).unwrap_or(&reason);
        TransferError::line(number, format!("{field}{reason} (column {column})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(lines: &str) -> String {
        let mut lines = Lines::new(lines.as_bytes());
        let first = lines.header().and_then(|_| lines.next());
        first.err().map(|error| error.to_string()).unwrap_or_default()
    }

    const HEADER: &str = concat!(
        r#"{"header":{"format":1,"epoch":"0000002a","oldest":null,"newest":null,"last_screening":0,"last_dead_letter":0,"#,
        r#""last_user":0,"records":{"bodies":0,"entries":0,"screenings":0,"retold":0,"dead_letters":0,"users":0}}}"#,
        "\n"
    );

    #[test]
    fn a_wrong_line_is_told_by_its_number_and_field() {
        let line = |line: &str| fault(&format!("{HEADER}{line}\n"));
        let id = "000000000000000000000001";
        for (wrong, told) in [
            ("", "line 2: EOF while parsing a value"),
            ("{", "line 2: EOF while parsing"),
            ("nonsense", "line 2: expected"),
            (r#"{"bodies":{}}"#, "line 2: unknown variant `bodies`"),
            (r#"{"body":{"received_at":1,"bytes":""}}"#, "line 2: body: missing field `id`"),
            (r#"{"body":{"id":"17","received_at":1,"bytes":""}}"#, "line 2: body.id: it is not an id of 24 hex digits"),
            (
                &format!(r#"{{"body":{{"id":"{id}","received_at":1,"bytes":"*"}}}}"#),
                "line 2: body.bytes: it is not bytes in base64",
            ),
            (&format!(r#"{{"body":{{"id":"{id}","received_at":"1","bytes":""}}}}"#), "line 2: body.received_at: invalid type"),
            (
                &format!(r#"{{"body":{{"id":"{id}","received_at":9223372036854775807,"bytes":""}}}}"#),
                "line 2: body.received_at: it is",
            ),
            (&format!(r#"{{"body":{{"id":"{id}","received_at":1,"bytes":"","x":1}}}}"#), "line 2: body.x: unknown field `x`"),
            (&format!(r#"{{"body":{{"id":"{id}","received_at":1,"bytes":""}}}} 7"#), "line 2: trailing characters"),
            (&format!(r#"{{"retold":{{"notification":"{id}","body":7}}}}"#), "line 2: retold.body: invalid type"),
            (r#"{"update":{"n":1,"tag":"+0000001"}}"#, "line 2: update.tag: it is not a tag of 8 hex digits"),
            (r#"{"end":{"records":{}}}"#, "line 2: end.records: missing field `bodies`"),
        ] {
            assert!(line(wrong).starts_with(told), "{wrong}: {}", line(wrong));
        }
    }

    #[test]
    fn what_is_no_export_or_a_newer_one_is_refused() {
        assert!(fault("imo,name\n1,2\n").contains("not the first line of an export"));
        assert!(fault(&HEADER.replace(r#""format":1"#, r#""format":2,"new":true"#)).contains("has format 2, this build knows 1"));
        assert!(fault(&HEADER.replace("0000002a", "2a")).contains("line 1: header.epoch: it is not an epoch of 8 hex digits"));
    }
}
