//! The lines of an export: a wrong one is told by its number, and what is taken in writes the same line again.
//!
//! The input is read as a file, and once more as the records of a whole file whose header and end fit them: the hash in the last line
//! is nothing that could be guessed.

#![no_main]

use futures_util::{FutureExt, future::LocalBoxFuture};
use libfuzzer_sys::fuzz_target;
use lookout::{
    notification::position::{Epoch, Position},
    store::{
        StoreError,
        transfer::{Header, Mark, Place, Record, Tally, Target, TransferError, WriteError, import},
    },
};
use sha2::{Digest, Sha256};

/// Takes everything.
#[derive(Default)]
struct Memory {
    records: Vec<Record>,
    finished: bool,
}

impl Target for Memory {
    fn begin(&mut self, _: &Header, first: Mark) -> LocalBoxFuture<'_, Result<Option<Mark>, StoreError>> {
        assert_eq!(first.lines, 1);
        Box::pin(std::future::ready(Ok(Some(first))))
    }

    fn write(&mut self, records: Vec<Record>, _: Mark) -> LocalBoxFuture<'_, Result<(), WriteError>> {
        self.records.extend(records);
        Box::pin(std::future::ready(Ok(())))
    }

    fn finish(&mut self, _: &Header) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        self.finished = true;
        Box::pin(std::future::ready(Ok(())))
    }
}

fn run(file: &[u8]) -> (Memory, Result<Tally, TransferError>) {
    let mut memory = Memory::default();
    let result = import(&mut memory, file, &mut |progress| assert!(progress.done <= file.len() as u64)).now_or_never();
    let result = result.expect("memory is there at once");
    assert_eq!(memory.finished, result.is_ok());
    if let Err(error) = &result {
        assert!(!error.to_string().is_empty());
    }
    (memory, result)
}

/// Every record is written as a line that says the same, and follows the one before it.
fn assert_records(records: &[Record]) {
    for record in records {
        let line = serde_json::to_string(record).expect("a line");
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Record>(&line).expect("the same line"), *record);
    }
    assert!(records.windows(2).all(|pair| pair[0].place() < pair[1].place()));
}

/// The header that fits these records, and the lines of a whole file around them.
fn whole(lines: &[&[u8]], records: &[Record]) -> Vec<u8> {
    let mut tally = Tally::default();
    let (mut oldest, mut newest) = (None, None);
    for record in records {
        match record.place() {
            Place::Body(_) => tally.bodies += 1,
            Place::Entry(n) => {
                tally.entries += 1;
                let tag = match record {
                    Record::Notification(notification) => notification.entry.tag,
                    Record::Update(entry) => entry.tag,
                    _ => return Vec::new(),
                };
                newest = Some(Position { epoch: Epoch(42), n, tag });
                oldest = oldest.or(newest);
            }
            Place::Screening(_) => tally.screenings += 1,
            Place::Retold(..) => tally.retold += 1,
            Place::DeadLetter(_) => tally.dead_letters += 1,
            Place::User(_) => tally.users += 1,
        }
    }
    let header = Header::new(Epoch(42), oldest, newest, tally);
    let header = serde_json::to_string(&header).expect("a header");
    let mut file = format!("{{\"header\":{header}}}\n").into_bytes();
    lines.iter().for_each(|line| file.extend([*line, b"\n"].concat()));
    let hash: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    let tally = serde_json::to_string(&tally).expect("a tally");
    file.extend(format!("{{\"end\":{{\"records\":{tally},\"sha256\":\"{hash}\"}}}}\n").into_bytes());
    file
}

fuzz_target!(|bytes: &[u8]| {
    let (memory, _) = run(bytes);
    assert_records(&memory.records);

    // A line that begins as the last one does is that, or faulty.
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(br#"{"end":"#));
    let read = lines.filter_map(|line| Some((line, serde_json::from_slice::<Record>(line).ok()?)));
    let (lines, records): (Vec<&[u8]>, Vec<Record>) = read.unzip();
    let file = whole(&lines, &records);
    let (memory, result) = run(&file);
    assert_records(&memory.records);
    let follows = |pair: &[Record]| match (pair[0].place(), pair[1].place()) {
        (Place::Entry(before), Place::Entry(n)) => before.checked_add(1) == Some(n),
        (before, next) => before < next,
    };
    let in_order = records.first().is_none_or(|first| first.place() > Place::START) && records.windows(2).all(follows);
    assert_eq!(result.is_ok(), in_order, "{result:?}");
    if in_order {
        assert_eq!(memory.records, records);
        // Cut anywhere it is not whole.
        for end in [file.len() - 1, file.len() / 2] {
            assert!(run(&file[..end]).1.is_err());
        }
    }
});
