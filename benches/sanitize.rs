//! What cleaning costs for each notification: about 1 KB of JSON without markup, the same with some, and one string.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use lookout::sanitize;
use serde_json::{Value, json};

fn notification(name: &str) -> Value {
    json!({
        "vessel": {"imo": "9999993", "mmsi": "636999901", "name": name, "call_sign": "D5ZZ9", "flag": "Liberia",
            "type": "Bulk carrier", "asset_id": "0b000000-0000-4000-8000-000000000001", "flag_code": "LBR"},
        "event": {"type": "zone_entry", "id": "0c000000-0000-4000-8000-000000000001", "timestamp": "2026-11-23T10:35:00Z",
            "provider_type": "ZONE_ENTRY", "latitude": 63.91204, "longitude": 7.40311, "course": 178.5, "heading": 181,
            "navigational_status": {"status": "Under way using engine", "code": 0},
            "reported_destination": "NLRTM > DEHAM", "reported_eta": "2026-11-25T06:00:00Z"},
        "zone_port_information": {"id": "0a000000-0000-4000-8000-0000000000e1", "type": "Jurisdictional",
            "sub_type": "Exclusive Economic Zones (EEZ)", "name": "Northern Shelf EEZ", "description": "depth < 200 m",
            "country_code": "NOR", "country_common_name": "Norway", "country_official_name": "Kingdom of Norway",
            "url": "https://example.test/zones/1", "centroid": {"latitude": 64.5, "longitude": 6.25}},
        "subscription_id": "6b0409f05787c25675f3a015", "custom_reference": "analyst-07|true", "created_at": "2026-11-23T11:15:00Z",
    })
}

fn clean(c: &mut Criterion) {
    let mut group = c.benchmark_group("sanitize");
    for (name, value) in [("plain_1kb", notification("NORDLYS PIONEER")), ("one_tag_1kb", notification("<b>NORDLYS</b> PIONEER"))]
    {
        group.bench_function(name, |b| {
            b.iter_batched_ref(|| value.clone(), |value| black_box(sanitize::value(value)), BatchSize::SmallInput);
        });
    }
    group.bench_function("plain_string", |b| b.iter(|| black_box(sanitize::text(black_box("Smith & Sons, x < y")).len())));
    group.finish();
}

criterion_group!(benches, clean);
criterion_main!(benches);
