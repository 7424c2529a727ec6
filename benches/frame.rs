//! What encoding a frame costs: paid once a message, however many clients there are.

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, Throughput};
use lookout::notification::{
    NotificationId,
    entry::{Entry, Kind},
    frame::Frame,
    position::{Epoch, Position, Tag},
};

fn main() {
    let payload: Arc<str> = format!(r#"{{"type":"zone_port_notification","data":{{"text":"{}"}}}}"#, "x".repeat(1_100)).into();
    let position = Position { epoch: Epoch(1), n: 123_456, tag: Tag::of(&payload) };
    let entry = Entry { position, kind: Kind::Notification, notification_id: NotificationId::new(), owner: None, payload };
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Bytes(entry.payload.len() as u64));
    group.bench_function("encode", |bencher| bencher.iter(|| Frame::of(black_box(&entry))));
    group.bench_function("tag", |bencher| bencher.iter(|| Tag::of(black_box(&entry.payload))));
    let frame = Frame::of(&entry);
    group.bench_function("copy for one worker", |bencher| bencher.iter(|| black_box(&frame).copied()));
    group.finish();
    criterion.final_summary();
}
