//! A watch-list: what is read can be found again by each of its numbers, and what is no list never passes for an empty one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lookout::{
    notification::subject::Subject,
    screening::{
        identity::{Imo, Name},
        index::Index,
        maritime_csv,
    },
};

/// Rows that are looked for: each look goes through all names.
const LOOKED_FOR: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let Ok(parsed) = maritime_csv::read(bytes) else { return };
    assert!(!parsed.rows.is_empty(), "an empty list would call every ship clean");
    assert!(parsed.rows.len() as u64 <= parsed.entries);
    let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
    assert!(parsed.entries <= lines && parsed.faulty <= lines);
    let marked = [b"\xef\xbb\xbf", bytes].concat();
    if !bytes.starts_with(b"\xef\xbb\xbf") {
        assert_eq!(maritime_csv::read(&marked).map(|marked| marked.rows), Ok(parsed.rows.clone()), "with a byte order mark");
    }
    let index = Index::of(vec![("list".into(), parsed.rows.clone().into())]);
    for row in parsed.rows.iter().take(LOOKED_FOR) {
        assert!(row.mmsi.iter().all(|mmsi| mmsi.len() == 9 && mmsi.bytes().all(|byte| byte.is_ascii_digit())), "{row:?}");
        let by_imo = row.imos.iter().filter_map(|imo| match imo {
            Imo::Valid(imo) => Some(Subject { imo: Some(imo.clone()), ..Subject::default() }),
            // Letters that are no plain ones may change once more when they are read again.
            Imo::Faulty(number) if !number.is_ascii() => None,
            Imo::Faulty(number) => {
                let is_short = number.len() < 7;
                assert!(is_short || Imo::read(number) == Some(imo.clone()), "{number:?} is the number of a ship");
                Some(Subject { imo_as_sent: Some(number.clone()), ..Subject::default() }).filter(|_| !is_short)
            }
        });
        let by_mmsi = row.mmsi.iter().map(|mmsi| Subject { mmsi: Some(mmsi.clone()), ..Subject::default() });
        let by_call_sign = row.call_signs.iter().map(|sign| Subject { call_sign: Some(sign.clone()), ..Subject::default() });
        let by_name = Name::prepare(&row.name).map(|_| Subject { name: Some(row.name.clone()), ..Subject::default() });
        for subject in by_imo.chain(by_mmsi).chain(by_call_sign).chain(by_name) {
            let found = index.find(&subject);
            assert!(found.iter().any(|found| found.row.entity_id == row.entity_id), "{subject:?} is not found as {row:?}");
            assert!(found.iter().all(|found| found.name_similarity.is_none_or(|alike| (0.0..=1.0).contains(&alike))));
        }
    }
});
