//! What one look into 20,000 listed vessels costs, each with three names: by number, and by a name that is in no list.

use std::{fmt::Write as _, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use lookout::{
    notification::subject::Subject,
    screening::{index::Index, maritime_csv},
};

const WORDS: [&str; 20] = [
    "OCEAN", "STAR", "PACIFIC", "GLORY", "NORTHERN", "LIGHT", "GREY", "PETREL", "SEVEN", "LANTERNS", "MORNING", "BREEZE",
    "GOLDEN", "CURLEW", "ATLANTIC", "WIND", "SILVER", "HERON", "EASTERN", "DAWN",
];

fn name(rng: &mut fastrand::Rng) -> String {
    (0..rng.usize(1..4)).map(|_| WORDS[rng.usize(..WORDS.len())]).collect::<Vec<_>>().join(" ")
}

fn list(rows: u32) -> String {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut csv = "type,caption,imo,risk,mmsi,id,aliases\n".to_owned();
    for row in 0..rows {
        let (name, alias, former) = (name(&mut rng), name(&mut rng), name(&mut rng));
        let _ = writeln!(csv, "VESSEL,{name},IMO{:07},sanction,{},v-{row},{alias};{former}", 8_000_000 + row, 200_000_000 + row);
    }
    csv
}

fn screen(c: &mut Criterion) {
    let csv = list(20_000);
    let mut group = c.benchmark_group("screening");
    group.sample_size(10).bench_function("read_20k", |b| b.iter(|| maritime_csv::read(black_box(csv.as_bytes())).is_ok()));
    let Ok(parsed) = maritime_csv::read(csv.as_bytes()) else { return };
    let index = Index::of(vec![("bench".into(), parsed.rows.into())]);
    for (label, name) in [("unlike_name", "ZEEBRUGGE TRADER"), ("like_many", "OCEAN STARLIGHT GLORI")] {
        let subject = Subject {
            imo: Some("9999993".into()),
            mmsi: Some("636999901".into()),
            name: Some(name.into()),
            ..Subject::default()
        };
        group.sample_size(50).bench_function(label, |b| b.iter(|| black_box(index.find(&subject).len())));
    }
    group.finish();
}

criterion_group!(benches, screen);
criterion_main!(benches);
