//! The watch-lists in memory: read-only, looked into by number and by name.
//!
//! A reload builds a new index beside the old one, so a screening sees either all of a list or none of it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    identity::{Glance, Imo, Name},
    rules::{Match, MatchedOn},
};
use crate::notification::{identifier::call_sign_of_text, subject::Subject};

/// A vessel on a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its id within the list.
    pub entity_id: String,
    /// Its name, as shown.
    pub name: String,
    /// All its names.
    pub names: Vec<Name>,
    /// Its IMO numbers: a list may give several for one vessel.
    pub imos: Vec<Imo>,
    /// Its MMSIs, nine digits each.
    pub mmsi: Vec<String>,
    /// Its call signs, in normal form.
    pub call_signs: Vec<String>,
    /// Why it is listed.
    pub topics: Vec<String>,
    /// The programmes or data sets that list it.
    pub programs: Vec<String>,
    /// Where to read more.
    pub url: Option<String>,
}

/// The lists, and where each number stands in them.
#[derive(Debug, Default)]
pub struct Index {
    lists: Vec<(String, Arc<[Row]>)>,
    by_imo: HashMap<String, Vec<Place>>,
    by_faulty_imo: HashMap<String, Vec<Place>>,
    by_mmsi: HashMap<String, Vec<Place>>,
    by_call_sign: HashMap<String, Vec<Place>>,
    /// All names in one run of memory: following each row's own would cost more than comparing.
    names: Vec<(Glance, Place)>,
}

/// A row: the number of its list and its number there.
type Place = (usize, usize);

impl Index {
    /// Indexes lists, each with its id.
    pub fn of(lists: Vec<(String, Arc<[Row]>)>) -> Self {
        let mut index = Self::default();
        for (list, (_, rows)) in lists.iter().enumerate() {
            for (number, row) in rows.iter().enumerate() {
                let place = (list, number);
                index.names.extend(row.names.iter().map(|name| (name.glance(), place)));
                for imo in &row.imos {
                    match imo {
                        Imo::Valid(imo) => index.by_imo.entry(imo.clone()).or_default().push(place),
                        Imo::Faulty(imo) => index.by_faulty_imo.entry(imo.clone()).or_default().push(place),
                    }
                }
                for mmsi in &row.mmsi {
                    index.by_mmsi.entry(mmsi.clone()).or_default().push(place);
                }
                for sign in &row.call_signs {
                    index.by_call_sign.entry(sign.clone()).or_default().push(place);
                }
            }
        }
        index.lists = lists;
        index
    }

    /// Everything that the vessel matches, each entity once, by the strongest of its keys.
    ///
    /// A row whose valid IMO number is not the vessel's own is another hull: it matches by name only where the names are the
    /// same, not where they are merely alike.
    pub fn find(&self, subject: &Subject) -> Vec<Match<'_>> {
        let name = subject.name.as_deref().and_then(Name::prepare);
        let mut found = Found { index: self, name: name.as_ref(), seen: HashSet::new(), matches: Vec::new() };
        if let Some(imo) = &subject.imo {
            found.all(MatchedOn::Imo, self.by_imo.get(imo));
        }
        match subject.imo_as_sent.as_deref().and_then(Imo::read) {
            // Sent in a way that could have meant another, it proves no more than a faulty one.
            Some(Imo::Valid(imo)) => found.all(MatchedOn::FaultyImo, self.by_imo.get(&imo)),
            Some(Imo::Faulty(imo)) => found.all(MatchedOn::FaultyImo, self.by_faulty_imo.get(&imo)),
            None => {}
        }
        if let Some(mmsi) = &subject.mmsi {
            found.all(MatchedOn::Mmsi, self.by_mmsi.get(mmsi));
        }
        if let Some(sign) = subject.call_sign.as_deref().and_then(call_sign_of_text) {
            found.all(MatchedOn::CallSign, self.by_call_sign.get(&sign));
        }
        found.by_name(subject.imo.as_deref());
        found.matches
    }
}

/// A search under way.
struct Found<'i, 's> {
    index: &'i Index,
    name: Option<&'s Name>,
    /// By list and id, or by place where a row has no id: another one without is another vessel.
    seen: HashSet<(usize, &'i str, Option<usize>)>,
    matches: Vec<Match<'i>>,
}

impl<'i> Found<'i, '_> {
    fn all(&mut self, key: MatchedOn, places: Option<&Vec<Place>>) {
        for (list, number) in places.into_iter().flatten() {
            let row = &self.index.lists[*list].1[*number];
            let similarity = self.name.and_then(|name| similarity(name, row));
            self.push((*list, *number), row, key, similarity);
        }
    }

    fn by_name(&mut self, imo: Option<&str>) {
        let Some(name) = self.name else { return };
        let glance = name.glance();
        for (_, (list, number)) in self.index.names.iter().filter(|(theirs, _)| glance.may_agree(*theirs)) {
            let row = &self.index.lists[*list].1[*number];
            let Some(similarity) = similarity(name, row) else { continue };
            if similarity == 1.0 || !imo.is_some_and(|own| is_other_hull(own, row)) {
                self.push((*list, *number), row, MatchedOn::Name, Some(similarity));
            }
        }
    }

    fn push(&mut self, (list, number): Place, row: &'i Row, key: MatchedOn, name_similarity: Option<f64>) {
        let number = row.entity_id.is_empty().then_some(number);
        if self.seen.insert((list, &row.entity_id, number)) {
            self.matches.push(Match { list: &self.index.lists[list].0, row, key, name_similarity });
        }
    }
}

/// Whether a row has valid IMO numbers and none of them is this one.
fn is_other_hull(own: &str, row: &Row) -> bool {
    let mut valid = row.imos.iter().filter_map(|imo| if let Imo::Valid(imo) = imo { Some(imo) } else { None }).peekable();
    valid.peek().is_some() && valid.all(|theirs| theirs != own)
}

/// The best agreement of a name with any of a row's.
fn similarity(name: &Name, row: &Row) -> Option<f64> {
    row.names.iter().filter_map(|theirs| name.agreement(theirs)).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        notification::identifier,
        screening::{maritime_csv, rules::MatchedOn},
    };
    use serde_json::json;

    fn index() -> Index {
        let sample = include_bytes!("../../examples/watch-list.sample.csv");
        Index::of(vec![("sample".into(), maritime_csv::read(sample).unwrap().rows.into())])
    }

    fn found(subject: Subject) -> Vec<(String, MatchedOn)> {
        index().find(&subject).iter().map(|hit| (hit.row.entity_id.clone(), hit.key)).collect()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn an_entity_is_found_once_by_its_strongest_key() {
        let petrel = Subject { imo: some("9999931"), mmsi: some("613999931"), name: some("GREY PETREL"), ..Subject::default() };
        assert_eq!(found(petrel.clone()), [("tst-v-1".into(), MatchedOn::Imo)]);
        let without_imo = Subject { imo: None, ..petrel.clone() };
        assert_eq!(found(without_imo), [("tst-v-1".into(), MatchedOn::Mmsi)]);
        let name_only = Subject { name: petrel.name, ..Subject::default() };
        assert_eq!(found(name_only), [("tst-v-1".into(), MatchedOn::Name)]);
    }

    #[test]
    fn every_key_of_the_vessel_is_looked_up() {
        let mixed = Subject { imo: some("9999929"), mmsi: some("613999931"), name: some("OLD CURLEW"), ..Subject::default() };
        assert_eq!(
            found(mixed),
            [("tst-v-2".into(), MatchedOn::Imo), ("tst-v-1".into(), MatchedOn::Mmsi), ("tst-v-3".into(), MatchedOn::Name)]
        );
    }

    #[test]
    fn a_faulty_number_is_matched_as_it_is() {
        let sent = |text| Subject { imo_as_sent: some(text), ..Subject::default() };
        assert_eq!(found(sent("IMO 15411")), [("tst-v-6".into(), MatchedOn::FaultyImo)]);
        assert_eq!(found(sent("154110")), []);
        assert_eq!(found(sent("0")), []);
    }

    #[test]
    fn a_company_s_number_and_name_are_no_vessel_s() {
        let company = Subject { imo_as_sent: some("9999948"), name: some("CURLEW SHIPMANAGEMENT LTD"), ..Subject::default() };
        assert_eq!(found(company), []);
    }

    #[test]
    fn aliases_count_as_names() {
        let alias = |text| Subject { name: some(text), ..Subject::default() };
        assert_eq!(found(alias("Serene Dawn")), [("tst-v-1".into(), MatchedOn::Name)]);
        assert_eq!(found(alias("WINTER KNOT II")), [("tst-v-7".into(), MatchedOn::Name)]);
        assert_eq!(found(alias("WINTER KNOT 3")), []);
    }

    #[test]
    fn another_hull_matches_by_the_same_name_but_not_by_one_alike() {
        let other = |text| Subject { imo: some("9999993"), name: some(text), ..Subject::default() };
        assert_eq!(found(other("GREY PETREL")), [("tst-v-1".into(), MatchedOn::Name)]);
        assert_eq!(found(other("GREY PETRELS")), []);
        let nameless_hull = Subject { name: some("GREY PETRELS"), ..Subject::default() };
        assert_eq!(found(nameless_hull), [("tst-v-1".into(), MatchedOn::Name)]);
    }

    #[test]
    fn call_signs_are_matched_where_a_list_has_them() {
        let list = b"type,caption,imo,risk,id,call_sign\nVESSEL,A SHIP,,sanction,x,d5 zz9;P3XX\n";
        let index = Index::of(vec![("own".into(), maritime_csv::read(list).unwrap().rows.into())]);
        let subject = Subject { call_sign: some("D5ZZ9"), ..Subject::default() };
        let matches = index.find(&subject);
        assert_eq!((matches.len(), matches[0].key), (1, MatchedOn::CallSign));
    }

    /// By what a vessel with this field is found in a list whose only row has this cell in the column.
    fn found_by(column: &str, cell: &str, vessel: serde_json::Value) -> Vec<MatchedOn> {
        let other = if column == "imo" { "mmsi" } else { "imo" };
        let list = format!("type,caption,risk,id,{other},{column}\nVESSEL,A SHIP,sanction,x,,{cell}\n");
        let index = Index::of(vec![("own".into(), maritime_csv::read(list.as_bytes()).unwrap().rows.into())]);
        let field = |name| vessel.get(name);
        let subject = Subject {
            imo_as_sent: field("imo").and_then(identifier::imo_as_sent),
            imo: field("imo").and_then(identifier::imo),
            mmsi: field("mmsi").and_then(identifier::mmsi),
            call_sign: field("call_sign").and_then(identifier::call_sign),
            ..Subject::default()
        };
        index.find(&subject).iter().map(|hit| hit.key).collect()
    }

    #[test]
    fn a_listed_number_is_found_however_list_and_vessel_spell_it() {
        for cell in
            ["IMO No. 9074729", "IMO number 9074729", "imo: 9074729", "9074 729", "IMO9811000;IMO9074729", "IMO9811000; 9074729"]
        {
            for sent in
                [json!("9074729"), json!(9074729), json!("IMO 9074729"), json!("imo number: 9074729"), json!("９０７４７２９")]
            {
                assert_eq!(found_by("imo", cell, json!({ "imo": sent })), [MatchedOn::Imo], "{cell} {sent}");
            }
        }
        for (cell, sent) in [("912681", "0912681"), ("IMO0912681", "912681"), ("912681", "IMO 912681")] {
            assert_eq!(found_by("imo", cell, json!({ "imo": sent })), [MatchedOn::Imo], "{cell} {sent}");
        }
        assert_eq!(found_by("imo", "9074729", json!({ "imo": "9074 729" })), [MatchedOn::FaultyImo]);
        assert_eq!(found_by("imo", "IMO No. 15411", json!({ "imo": "15411" })), [MatchedOn::FaultyImo]);
        for cell in ["MMSI 613999931", "MMSI: 613999931", "613 999 931"] {
            for sent in [json!("613999931"), json!(613999931), json!("mmsi 613 999 931")] {
                assert_eq!(found_by("mmsi", cell, json!({ "mmsi": sent })), [MatchedOn::Mmsi], "{cell} {sent}");
            }
        }
        for cell in ["D5-ZZ.9", "d5/zz9"] {
            assert_eq!(found_by("call_sign", cell, json!({ "call_sign": "D.5 ZZ-9" })), [MatchedOn::CallSign], "{cell}");
        }
    }

    #[test]
    fn a_row_of_two_numbers_is_another_hull_only_where_neither_is_the_vessel_s() {
        let list = b"type,caption,imo,risk,id\nVESSEL,GREY PETREL,IMO9811000;IMO9074729,sanction,x\n";
        let index = Index::of(vec![("own".into(), maritime_csv::read(list).unwrap().rows.into())]);
        let keys = |imo| {
            let vessel = Subject { imo: some(imo), name: some("GREY PETRELS"), ..Subject::default() };
            index.find(&vessel).iter().map(|hit| hit.key).collect::<Vec<_>>()
        };
        assert_eq!((keys("9811000"), keys("9074729"), keys("9999993")), (vec![MatchedOn::Imo], vec![MatchedOn::Imo], vec![]));
    }

    #[test]
    fn rows_of_one_id_are_one_hit_and_rows_without_an_id_are_one_each() {
        let found = |first: &str, second: &str| {
            let list = format!(
                "type,caption,imo,risk,id\nVESSEL,GREY PETREL,IMO9074729,sanction,{first}\nVESSEL,GREY PETREL,,sanction,{second}\n"
            );
            let index = Index::of(vec![("l".into(), maritime_csv::read(list.as_bytes()).unwrap().rows.into())]);
            let subject = Subject { imo: Some("9074729".into()), name: Some("Grey Petrel".into()), ..Subject::default() };
            index.find(&subject).iter().map(|hit| hit.key).collect::<Vec<_>>()
        };
        assert_eq!(found("x", "x"), [MatchedOn::Imo]);
        assert_eq!(found("x", "y"), [MatchedOn::Imo, MatchedOn::Name]);
        assert_eq!(found("", ""), [MatchedOn::Imo, MatchedOn::Name]);
        assert_eq!(found("", "y"), [MatchedOn::Imo, MatchedOn::Name]);
    }
}
