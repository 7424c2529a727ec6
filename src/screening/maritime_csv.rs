//! Reads a list in the layout of OpenSanctions' `maritime.csv`.
//!
//! Columns are found by name, because publishers add some over time. One bad row must not cost the others, but a file
//! that is something else must never count as an empty list: that would call every ship clean.

use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder};

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
    /// Rows skipped because they could not be read.
    pub faulty: u64,
}

/// Why a file is no list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The header lacks a column.
    #[error("not in maritime.csv layout: no column {0:?} in its first line")]
    NoColumn(&'static str),
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
    let mut reader = ReaderBuilder::new().from_reader(content);
    let columns = reader.byte_headers().map(columns).unwrap_or_default();
    if let Some(missing) = NEEDED.into_iter().find(|needed| !columns.contains_key(*needed)) {
        return Err(Broken::NoColumn(missing));
    }
    let mut parsed = Parsed { rows: Vec::new(), entries: 0, faulty: 0 };
    for record in reader.byte_records() {
        let Ok(record) = record else {
            parsed.faulty += 1;
            continue;
        };
        let cells = Cells { record: &record, columns: &columns };
        if cells.one("type").is_some_and(|kind| kind.eq_ignore_ascii_case("ORGANIZATION")) {
            parsed.entries += 1;
        } else if let Some(row) = vessel(&cells) {
            parsed.entries += 1;
            parsed.rows.push(row);
        } else {
            parsed.faulty += 1;
        }
    }
    if parsed.rows.is_empty() { Err(Broken::Empty { faulty: parsed.faulty }) } else { Ok(parsed) }
}

fn columns(header: &ByteRecord) -> HashMap<String, usize> {
    let name = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_ascii_lowercase();
    header.iter().enumerate().map(|(at, cell)| (name(cell), at)).collect()
}

struct Cells<'r> {
    record: &'r ByteRecord,
    columns: &'r HashMap<String, usize>,
}

impl<'r> Cells<'r> {
    /// A cell, empty where there is no such column. `None`: not UTF-8.
    fn one(&self, column: &str) -> Option<&'r str> {
        let cell = self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default();
        std::str::from_utf8(cell).ok().map(str::trim)
    }

    /// The values of a cell, without empty ones.
    fn many(&self, column: &str) -> Option<impl Iterator<Item = &'r str>> {
        Some(self.one(column)?.split(';').map(str::trim).filter(|value| !value.is_empty()))
    }

    fn owned(&self, column: &str) -> Option<Vec<String>> {
        Some(self.many(column)?.map(str::to_owned).collect())
    }
}

/// `None`: the row is faulty, as nothing could ever match it or nobody could tell what did.
fn vessel(cells: &Cells<'_>) -> Option<Row> {
    let entity_id = cells.one("id")?;
    if !cells.one("type")?.eq_ignore_ascii_case("VESSEL") || entity_id.is_empty() {
        return None;
    }
    let name = cells.one("caption")?;
    let row = Row {
        entity_id: entity_id.to_owned(),
        name: name.to_owned(),
        names: std::iter::once(name).chain(cells.many("aliases")?).filter_map(Name::prepare).collect(),
        imos: cells.many("imo")?.filter_map(Imo::read).collect(),
        mmsi: cells.many("mmsi")?.filter_map(mmsi_of_text).collect(),
        call_signs: cells.many("call_sign")?.filter_map(call_sign_of_text).collect(),
        topics: cells.owned("risk")?,
        programs: cells.owned("datasets")?,
        url: Some(cells.one("url")?).filter(|url| !url.is_empty()).map(str::to_owned),
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
    fn a_faulty_row_is_counted_and_costs_no_other() {
        let list = b"type,caption,imo,risk,id\n\
            VESSEL,TOO FEW\n\
            VESSEL,BAD \xff UTF-8,IMO9999929,sanction,b\n\
            VESSEL,NO ID,IMO9999929,sanction,\n\
            PERSON,NO SHIP,,sanction,c\n\
            VESSEL,,,sanction,nothing-to-match\n\
            VESSEL,\"GOOD, SHIP\",IMO9999931,sanction,good\n";
        let parsed = read(list).unwrap();
        assert_eq!((parsed.rows.len(), parsed.faulty), (1, 5));
        assert_eq!(parsed.rows[0].name, "GOOD, SHIP");
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
