//! Where one reader stands in the log, and what it is to be given next: the one seam between replay and live.
//!
//! A pure state machine, so that every interleaving of publishing, replay, overflow and catch-up can be driven in a test.
//! It trusts nothing but contiguity: a live frame is taken only when it is the next one, everything else is read from the log.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use crate::notification::{frame::Frame, position::Position};

/// Entries asked for at once by a reader who sees only some of them.
const SPARSE_READ: usize = 256;

/// Which entries a reader sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// Everybody's.
    All,
    /// Those of one owner.
    Own(Arc<str>),
}

impl View {
    fn shows(&self, frame: &Frame) -> bool {
        match self {
            Self::All => true,
            Self::Own(user) => frame.owner.as_deref() == Some(user),
        }
    }
}

/// Where a stream begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The entry that the reader has passed already; the next one it gets is `passed + 1`.
    pub passed: u64,
    /// The position that `connection_established` carries.
    pub id: Position,
    /// Whether a `caught_up` is owed once the newest entry is reached.
    pub replay: bool,
}

/// A frame on its way to a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Which entry of the log; 0 for what is none.
    pub n: u64,
    /// What is sent.
    pub bytes: Bytes,
}

/// What the session is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Wait for whatever comes.
    Nothing,
    /// Read up to `limit` entries behind `after` and hand them to [`Progress::chunk`].
    Read {
        /// Read behind this entry.
        after: u64,
        /// At most so many.
        limit: usize,
    },
    /// The queue is full: call [`Progress::proceed`] when there is room again.
    AwaitRoom,
    /// The newest entry is reached; tell the reader how many were replayed, where that is owed.
    CaughtUp(Option<u64>),
    /// Retention has removed what came next: tell the reader, then call [`Progress::proceed`].
    Pruned,
}

/// One reader's place.
#[derive(Debug)]
pub struct Progress {
    view: View,
    passed: u64,
    id: Position,
    mode: Mode,
    owes_caught_up: bool,
    replayed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Takes live frames.
    Live,
    /// Leaves live frames and reads the log; `reading` while an answer is on its way.
    Behind { reading: bool },
}

impl Progress {
    /// A reader who begins here. Call [`Self::proceed`] once live frames are on their way.
    pub fn new(start: Start, view: View) -> Self {
        let mode = if start.replay { Mode::Behind { reading: false } } else { Mode::Live };
        Self { view, passed: start.passed, id: start.id, mode, owes_caught_up: start.replay, replayed: 0 }
    }

    /// The last entry passed, those filtered away included.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Its position.
    pub fn id(&self) -> Position {
        self.id
    }

    /// Live frames, ascending. [`Next::AwaitRoom`] says that the queue has overflowed.
    pub fn live(&mut self, frames: &[Frame], room: usize, out: &mut VecDeque<Queued>) -> Next {
        if self.mode != Mode::Live {
            return Next::Nothing;
        }
        let fresh = &frames[frames.partition_point(|frame| frame.position.n <= self.passed)..];
        match fresh.first() {
            None => Next::Nothing,
            Some(first) if first.position.n > self.passed + 1 => self.fall_behind(room),
            Some(_) => {
                if self.take(fresh, room, out) {
                    Next::Nothing
                } else {
                    self.mode = Mode::Behind { reading: false };
                    Next::AwaitRoom
                }
            }
        }
    }

    /// The answer to [`Next::Read`]: entries behind the last one passed, without a hole; `newest` is the newest entry
    /// published, looked up after the read.
    pub fn chunk(&mut self, frames: &[Frame], newest: u64, room: usize, out: &mut VecDeque<Queued>) -> Next {
        self.mode = Mode::Behind { reading: false };
        let fresh = &frames[frames.partition_point(|frame| frame.position.n <= self.passed)..];
        if let Some(first) = fresh.first()
            && first.position.n > self.passed + 1
        {
            self.passed = first.position.n - 1;
            return Next::Pruned;
        }
        let before = out.len();
        let took_all = self.take(fresh, room, out);
        let room = room.saturating_sub(out.len() - before);
        if !took_all {
            return Next::AwaitRoom;
        }
        if self.passed >= newest {
            self.mode = Mode::Live;
            let owed = std::mem::take(&mut self.owes_caught_up).then_some(self.replayed);
            return Next::CaughtUp(owed);
        }
        self.proceed(newest, room)
    }

    /// Whenever something may have been missed, or there is room again: goes on reading if there is anything to read.
    pub fn proceed(&mut self, newest: u64, room: usize) -> Next {
        match self.mode {
            Mode::Live if newest > self.passed => self.fall_behind(room),
            Mode::Behind { reading: false } => self.fall_behind(room),
            _ => Next::Nothing,
        }
    }

    /// A read has failed; [`Self::proceed`] tries again.
    pub fn read_failed(&mut self) {
        self.mode = Mode::Behind { reading: false };
    }

    fn fall_behind(&mut self, room: usize) -> Next {
        self.mode = Mode::Behind { reading: room > 0 };
        if room == 0 {
            return Next::AwaitRoom;
        }
        let limit = match self.view {
            View::All => room,
            View::Own(_) => room.max(SPARSE_READ),
        };
        Next::Read { after: self.passed, limit }
    }

    /// Passes contiguous frames while there is room for those that the reader sees; false when it ran out.
    fn take(&mut self, frames: &[Frame], mut room: usize, out: &mut VecDeque<Queued>) -> bool {
        for frame in frames {
            if self.view.shows(frame) {
                if room == 0 {
                    return false;
                }
                room -= 1;
                out.push_back(Queued { n: frame.position.n, bytes: frame.bytes.clone() });
                self.replayed += u64::from(self.mode != Mode::Live);
            }
            self.passed = frame.position.n;
            self.id = frame.position;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::notification::position::{Epoch, Tag};

    fn frame(n: u64) -> Frame {
        let position = Position { epoch: Epoch(7), n, tag: Tag(n as u32) };
        let (owner, bytes) = (if n.is_multiple_of(3) { "a" } else { "b" }, Bytes::from(n.to_string()));
        Frame { position, owner: Some(owner.into()), chunk: bytes.clone(), bytes }
    }

    #[derive(Debug, Clone)]
    enum Op {
        Append(u64),
        LoseLive,
        Relay,
        Drain(usize),
        ReadArrives,
        Prod,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => (1u64..8).prop_map(Op::Append),
            1 => Just(Op::LoseLive),
            6 => Just(Op::Relay),
            4 => (0usize..6).prop_map(Op::Drain),
            4 => Just(Op::ReadArrives),
            1 => Just(Op::Prod),
        ]
    }

    /// A log, the live frames under way, one reader with a bounded queue, and a read that takes its snapshot early and
    /// arrives late.
    struct World {
        log: u64,
        live: VecDeque<Vec<Frame>>,
        reader: Progress,
        queue: VecDeque<Queued>,
        capacity: usize,
        pending: Option<Vec<Frame>>,
        awaits_room: bool,
        got: Vec<u64>,
        caught_up: usize,
        overflows: usize,
    }

    impl World {
        fn room(&self) -> usize {
            self.capacity - self.queue.len()
        }

        fn obey(&mut self, next: Next, out: VecDeque<Queued>) {
            self.queue.extend(out);
            assert!(self.queue.len() <= self.capacity, "the queue is bounded");
            match next {
                Next::Nothing => {}
                Next::Read { after, limit } => {
                    assert!(self.pending.is_none(), "one read at a time");
                    self.pending = Some((after + 1..=self.log).take(limit).map(frame).collect());
                }
                Next::AwaitRoom => self.awaits_room = true,
                Next::CaughtUp(owed) => self.caught_up += usize::from(owed.is_some()),
                Next::Pruned => panic!("nothing is pruned here"),
            }
        }

        fn step(&mut self, op: Op) {
            let mut out = VecDeque::new();
            match op {
                Op::Append(count) => {
                    self.live.push_back((self.log + 1..=self.log + count).map(frame).collect());
                    self.log += count;
                }
                Op::LoseLive => drop(self.live.pop_front()),
                Op::Relay => {
                    if let Some(frames) = self.live.pop_front() {
                        let next = self.reader.live(&frames, self.room(), &mut out);
                        self.overflows += usize::from(next == Next::AwaitRoom);
                        self.obey(next, out);
                    }
                }
                Op::Drain(count) => {
                    for _ in 0..count.min(self.queue.len()) {
                        let Queued { n, bytes } = self.queue.pop_front().unwrap();
                        assert_eq!(bytes, n.to_string());
                        self.got.push(std::str::from_utf8(&bytes).unwrap().parse().unwrap());
                    }
                    if self.awaits_room && self.queue.len() <= self.capacity / 2 {
                        self.awaits_room = false;
                        let next = self.reader.proceed(self.log, self.room());
                        self.obey(next, out);
                    }
                }
                Op::ReadArrives => {
                    if let Some(frames) = self.pending.take() {
                        let next = self.reader.chunk(&frames, self.log, self.room(), &mut out);
                        self.obey(next, out);
                    }
                }
                Op::Prod => {
                    let next = self.reader.proceed(self.log, self.room());
                    self.obey(next, out);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn any_interleaving_of_append_replay_overflow_and_catch_up_gives_each_entry_once_in_order(
            before in 0u64..40, last_seen in 0u64..40, replay: bool, own: bool, capacity in 1usize..6,
            ops in proptest::collection::vec(op(), 0..120),
        ) {
            let last_seen = if replay { last_seen.min(before) } else { before };
            let view = if own { View::Own("a".into()) } else { View::All };
            let start = Start { passed: last_seen, id: frame(last_seen).position, replay };
            let mut world = World {
                log: before, live: VecDeque::new(), reader: Progress::new(start, view.clone()), queue: VecDeque::new(), capacity,
                pending: None, awaits_room: false, got: Vec::new(), caught_up: 0, overflows: 0,
            };
            world.step(Op::Prod);
            for op in ops {
                world.step(op);
                prop_assert!(world.reader.id().n <= world.log);
            }
            // Everything lost is noticed at the next prod, everything read and drained in the end.
            while world.reader.id().n < world.log || !world.queue.is_empty() || world.caught_up < usize::from(replay) {
                world.step(Op::Relay);
                world.step(Op::Prod);
                world.step(Op::ReadArrives);
                world.step(Op::Drain(usize::MAX));
            }
            let expected: Vec<u64> = (last_seen + 1..=world.log).filter(|n| view.shows(&frame(*n))).collect();
            prop_assert_eq!(world.got, expected);
            prop_assert_eq!(world.caught_up, usize::from(replay));
        }
    }

    fn live_reader() -> Progress {
        Progress::new(Start { passed: 0, id: frame(0).position, replay: false }, View::All)
    }

    #[test]
    fn a_full_queue_is_an_overflow_and_goes_on_behind_what_was_taken() {
        let mut reader = live_reader();
        let mut out = VecDeque::new();
        let frames: Vec<Frame> = (1..=5).map(frame).collect();
        assert_eq!(reader.live(&frames, 3, &mut out), Next::AwaitRoom);
        assert_eq!(out.len(), 3);
        assert_eq!(reader.proceed(5, 3), Next::Read { after: 3, limit: 3 });
        assert_eq!(reader.chunk(&frames[3..], 5, 3, &mut out), Next::CaughtUp(None));
        assert_eq!(out.len(), 5);
    }

    #[test]
    fn what_retention_removed_under_a_slow_reader_is_told_and_the_rest_follows() {
        let mut reader = live_reader();
        let mut out = VecDeque::new();
        assert_eq!(reader.proceed(9, 4), Next::Read { after: 0, limit: 4 });
        let left: Vec<Frame> = (6..=9).map(frame).collect();
        assert_eq!(reader.chunk(&left, 9, 4, &mut out), Next::Pruned);
        assert!(out.is_empty());
        assert_eq!(reader.proceed(9, 4), Next::Read { after: 5, limit: 4 });
        assert_eq!(reader.chunk(&left, 9, 4, &mut out), Next::CaughtUp(None));
        assert_eq!(out.len(), 4);
    }
}
