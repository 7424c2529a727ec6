//! Reads a list in the layout of OpenSanctions' `maritime.csv`.
//!
//! Columns are found by name, because publishers add some over time. One bad row must not cost the others, but a file
//! that is something else must never count as an empty list: that would call every ship clean.

use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder, StringRecord};

use super::{
    identity::{Imo, Name},
    index::Row,
};
use crate::notification::identifier::{call_sign_of_text, mmsi_of_text};

/// What a file gave.
#[derive(Debug)]
pub struct Parsed {
    /// The vessels.
    pub rows: Vec<Row>,
    /// Rows read, those of organisations included.
    pub entries: u64,
    /// Rows of which something could not be read. Those that can still be matched are kept all the same.
    pub faulty: u64,
}

/// Why a file is no list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The header lacks a column.
    #[error("not in maritime.csv layout: no column {0:?} in its first line")]
    NoColumn(&'static str),
    /// The last row is faulty and has no end: most likely the file is being written, or its download was cut off.
    #[error("its last row is cut off")]
    Cut,
    /// There is a header, and no row that can be used: a download that failed, most likely.
    #[error("no usable row behind the header ({faulty} faulty)")]
    Empty {
        /// Rows that could not be read.
        faulty: u64,
    },
}

/// Columns without which a row says nothing. `mmsi`, `url`, `datasets`, `aliases` and `call_sign` are read where they exist;
/// the last is no column of the publisher's and lets operators add one to a list of their own.
const NEEDED: [&str; 5] = ["type", "caption", "imo", "risk", "id"];

/// Reads a whole file. Organisations are counted and left out: their numbers are of another series.
pub fn read(content: &[u8]) -> Result<Parsed, Broken> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(content);
    let columns = reader.byte_headers().map(columns).unwrap_or_default();
    if let Some(missing) = NEEDED.into_iter().find(|needed| !columns.contains_key(*needed)) {
        return Err(Broken::NoColumn(missing));
    }
    let mut parsed = Parsed { rows: Vec::new(), entries: 0, faulty: 0 };
    let width = reader.byte_headers().map_or(0, ByteRecord::len);
    let mut is_last_faulty = false;
    // A reader of bytes in memory that takes rows of any width gives no error.
    for record in reader.into_byte_records().flatten() {
        // Bytes that are not UTF-8 cost the name a letter, not the row its number.
        let record = StringRecord::from_byte_record_lossy(record);
        let cells = Cells { record: &record, columns: &columns };
        let is_organization = cells.one("type").eq_ignore_ascii_case("ORGANIZATION");
        let row = if is_organization { None } else { vessel(&cells) };
        is_last_faulty = record.len() != width || (row.is_none() && !is_organization) || cells.lacks_its_id_or_number();
        parsed.faulty += u64::from(is_last_faulty);
        parsed.entries += u64::from(is_organization || row.is_some());
        parsed.rows.extend(row);
    }
    if is_last_faulty && !content.ends_with(b"\n") {
        return Err(Broken::Cut);
    }
    if parsed.rows.is_empty() { Err(Broken::Empty { faulty: parsed.faulty }) } else { Ok(parsed) }
}

fn columns(header: &ByteRecord) -> HashMap<String, usize> {
    let name = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_ascii_lowercase();
    header.iter().enumerate().map(|(at, cell)| (name(cell), at)).collect()
}

struct Cells<'r> {
    record: &'r StringRecord,
    columns: &'r HashMap<String, usize>,
}

impl<'r> Cells<'r> {
    /// A cell, empty where there is no such column, or the row ends before it.
    fn one(&self, column: &str) -> &'r str {
        self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default().trim()
    }

    /// The values of a cell, without empty ones.
    fn many(&self, column: &str) -> impl Iterator<Item = &'r str> {
        self.one(column).split(';').map(str::trim).filter(|value| !value.is_empty())
    }

    fn owned(&self, column: &str) -> Vec<String> {
        self.many(column).map(str::to_owned).collect()
    }

    /// There is no id, or a number has bytes that are no text.
    fn lacks_its_id_or_number(&self) -> bool {
        let numbers = ["imo", "mmsi", "call_sign"];
        self.one("id").is_empty() || numbers.iter().any(|number| self.one(number).contains(char::REPLACEMENT_CHARACTER))
    }
}

/// `None`: the row is no vessel's, or nothing could ever match it.
fn vessel(cells: &Cells<'_>) -> Option<Row> {
    if !cells.one("type").eq_ignore_ascii_case("VESSEL") {
        return None;
    }
    let name = cells.one("caption");
    let row = Row {
        entity_id: cells.one("id").to_owned(),
        name: name.to_owned(),
        names: std::iter::once(name).chain(cells.many("aliases")).filter_map(Name::prepare).collect(),
        imos: cells.many("imo").filter_map(Imo::read).collect(),
        mmsi: cells.many("mmsi").filter_map(mmsi_of_text).collect(),
        call_signs: cells.many("call_sign").filter_map(call_sign_of_text).collect(),
        topics: cells.owned("risk"),
        programs: cells.owned("datasets"),
        url: Some(cells.one("url")).filter(|url| !url.is_empty()).map(str::to_owned),
    };
    let is_findable = !row.imos.is_empty() || !row.mmsi.is_empty() || !row.call_signs.is_empty() || !row.names.is_empty();
    is_findable.then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &[u8] = include_bytes!("../../examples/watch-list.sample.csv");

    fn row(id: &str) -> Row {
        read(SAMPLE).unwrap().rows.into_iter().find(|row| row.entity_id == id).unwrap()
    }

    #[test]
    fn the_sample_is_read_in_full() {
        let parsed = read(SAMPLE).unwrap();
        assert_eq!((parsed.rows.len(), parsed.entries, parsed.faulty), (8, 9, 0));
    }

    #[test]
    fn cells_become_a_row() {
        let petrel = row("tst-v-1");
        assert_eq!(petrel.name, "GREY PETREL");
        assert_eq!(petrel.names.len(), 3);
        assert_eq!(petrel.imos, [Imo::Valid("9999931".into())]);
        assert_eq!(petrel.mmsi, ["613999931"]);
        assert_eq!(petrel.topics, ["sanction"]);
        assert_eq!(petrel.programs, ["test_list_a", "test_list_b"]);
        assert_eq!(petrel.url.as_deref(), Some("https://lists.example/tst-v-1"));
        assert_eq!((row("tst-v-5").imos, row("tst-v-5").url), (vec![], None));
        assert_eq!(row("tst-v-6").imos, [Imo::Faulty("15411".into())]);
    }

    #[test]
    fn columns_may_stand_in_any_order_and_some_may_be_missing() {
        let list = b"\xef\xbb\xbfid,IMO,extra,risk,caption,type\r\nx,IMO9999931,?,sanction,A SHIP,vessel\r\n";
        let parsed = read(list).unwrap();
        assert_eq!((parsed.rows[0].entity_id.as_str(), parsed.rows[0].topics.len()), ("x", 1));
    }

    #[test]
    fn a_faulty_row_is_counted_costs_no_other_and_keeps_its_number() {
        let list = b"type,caption,imo,risk,id\n\
            VESSEL,TOO FEW,IMO9999917\n\
            VESSEL,BAD \xff UTF-8,IMO9999929,sanction,b\n\
            VESSEL,BAD NUMBER,IMO99\xff,sanction,d\n\
            VESSEL,NO ID,IMO9999905,sanction,\n\
            PERSON,NO SHIP,,sanction,c\n\
            VESSEL,,,sanction,nothing-to-match\n\
            VESSEL,\"GOOD, SHIP\",IMO9999931,sanction,good\n";
        let parsed = read(list).unwrap();
        let names: Vec<_> = parsed.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["TOO FEW", "BAD \u{fffd} UTF-8", "BAD NUMBER", "NO ID", "GOOD, SHIP"]);
        assert_eq!(parsed.faulty, 5, "all but the name that lost a letter and the good one");
        assert_eq!(parsed.rows[0].imos, [Imo::Valid("9999917".into())]);
        assert_eq!(parsed.rows[1].imos, [Imo::Valid("9999929".into())]);
    }

    #[test]
    fn a_list_that_is_cut_within_its_last_row_is_broken() {
        let whole = std::str::from_utf8(SAMPLE).unwrap().trim_end();
        assert!(read(whole.as_bytes()).is_ok(), "the last line needs no end");
        let last = whole.rfind('\n').unwrap() + 1;
        let last_comma = whole.rfind(',').unwrap();
        for end in last + 1..=last_comma {
            assert_eq!(read(&whole.as_bytes()[..end]).unwrap_err(), Broken::Cut, "{:?}", &whole[last..end]);
        }
    }

    #[test]
    fn what_is_no_list_is_broken_and_not_empty() {
        assert_eq!(read(b"").unwrap_err(), Broken::NoColumn("type"));
        assert_eq!(read(b"<html>gateway timeout</html>").unwrap_err(), Broken::NoColumn("type"));
        assert_eq!(read(b"type,caption,imo,id\n").unwrap_err(), Broken::NoColumn("risk"));
        assert_eq!(read(b"type,caption,imo,risk,id\n").unwrap_err(), Broken::Empty { faulty: 0 });
        assert_eq!(read(b"type,caption,imo,risk,id\nVESSEL\n").unwrap_err(), Broken::Empty { faulty: 1 });
        assert!(read(&SAMPLE[..60]).is_err());
    }
}
