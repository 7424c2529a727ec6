//! What a relay writes down of its readers, lap by lap: who opened and ended, who is in step, who is not.
//!
//! In step is who had been offered everything by the lap before and has sent it on by this one: at a moment in between a frame is
//! always on its way to somebody. A plain type, so that each way of falling behind can be driven in a test.

use std::collections::VecDeque;

use chrono::TimeDelta;

use crate::{
    notification::Timestamp,
    store::audit::{Connection, End, Lap, Mark, RelayId},
};

/// Rows written at once, so that webhooks never wait long behind them.
const ROWS_AT_ONCE: usize = 500;
/// How often a relay with readers says that it lives. While nothing is sent it has nothing else to write, and its readers must not be
/// taken for those of a node that was killed, of whom retention takes what is written.
const SIGN_EVERY: TimeDelta = TimeDelta::hours(1);
/// How long a sign holds: longer than an interval, and than a store is away.
const SIGN_HOLDS: TimeDelta = TimeDelta::days(1);

/// How far one reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The last entry that was offered to it or filtered away.
    pub passed: u64,
    /// The last entry that was put into its queue.
    pub queued: u64,
    /// The last entry that has left its queue for the connection.
    pub sent: u64,
}

/// What has been written of one reader.
#[derive(Debug, Default)]
pub struct Account {
    /// By which life of the ledger.
    under: Option<RelayId>,
    /// Where it stood at the lap before.
    stood: Option<Standing>,
    /// All up to here is written to have been sent.
    written: u64,
    /// Whether it is written to be in step.
    in_step: bool,
}

/// One relay's.
pub struct Ledger {
    relay: RelayId,
    number: i64,
    /// The newest entry at the lap before.
    before: u64,
    /// The last one that was written to have been reached.
    reached: u64,
    /// When it last said that it lives.
    signed: Option<Timestamp>,
    /// Ended since the last lap.
    ended: Vec<Connection>,
    max_ended: usize,
}

impl Ledger {
    /// An empty one; at most `max_ended` (`audit.max_ended`) ends wait in it.
    pub fn new(max_ended: usize) -> Self {
        Self { relay: RelayId::new(), number: 0, before: 0, reached: 0, signed: None, ended: Vec::new(), max_ended }
    }

    /// A reader has ended. Where too many ends wait they are dropped, and how many is told: those streams are written as open from then
    /// on, so a new life of the ledger begins, in which nothing holds for them any more.
    pub fn end(&mut self, connection: Connection, end: End) -> usize {
        let mut dropped = 0;
        if self.ended.len() >= self.max_ended {
            dropped = self.ended.len();
            *self = Self { before: self.before, ..Self::new(self.max_ended) };
        }
        self.ended.push(Connection { end: Some(end), ..connection });
        dropped
    }

    /// What is news since the last lap, in parts of so many rows, to be kept one after the other; nothing where nothing is. `newest` is
    /// the newest entry that was offered to the readers.
    pub fn lap<'a>(
        &mut self,
        newest: u64,
        at: Timestamp,
        readers: impl Iterator<Item = (&'a Connection, Standing, &'a mut Account)>,
    ) -> VecDeque<Lap> {
        self.number += 1;
        let mut readers = readers.peekable();
        let mut news = Parts { relay: self.relay, number: self.number, at, parts: VecDeque::new() };
        if readers.peek().is_some() && self.signed.is_none_or(|signed| at - signed >= SIGN_EVERY) {
            self.signed = Some(at);
            news.part().alive_until = Some(at + SIGN_HOLDS);
        }
        self.ended.drain(..).for_each(|ended| news.part().connections.push(ended));
        let mut anybody_in_step = false;
        for (connection, standing, account) in readers {
            if account.under != Some(self.relay) {
                *account = Account { under: Some(self.relay), written: connection.after, ..Account::default() };
                news.part().connections.push(connection.clone());
            }
            let stood = account.stood.replace(standing);
            let stood = stood.filter(|stood| stood.passed >= self.before && standing.sent >= stood.queued);
            let in_step = stood.is_some();
            anybody_in_step |= in_step;
            // Of who is in step all is written by that, but for what it has read from the log before its relay had it.
            let (sent, follows) = stood.map_or((standing.sent, 0), |stood| (stood.passed, self.before));
            if in_step != account.in_step || sent > account.written.max(follows) {
                account.written = account.written.max(sent);
                account.in_step = in_step;
                news.part().marks.push(Mark { connection: connection.id, sent: account.written, in_step });
            }
        }
        if anybody_in_step && self.before > self.reached {
            self.reached = self.before;
            // In the last part: it holds only with all marks before it.
            news.part().reached = Some(self.reached);
        }
        self.before = newest;
        news.parts
    }
}

/// A lap that is being written, part by part.
struct Parts {
    relay: RelayId,
    number: i64,
    at: Timestamp,
    parts: VecDeque<Lap>,
}

impl Parts {
    /// The last part, with room for one more row.
    fn part(&mut self) -> &mut Lap {
        let is_full = |part: &Lap| part.connections.len() + part.marks.len() >= ROWS_AT_ONCE;
        if self.parts.back().is_none_or(is_full) {
            let Self { relay, number, at, .. } = *self;
            self.parts.push_back(Lap {
                relay,
                number,
                at,
                reached: None,
                alive_until: None,
                connections: Vec::new(),
                marks: Vec::new(),
            });
        }
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, VecDeque};

    use proptest::prelude::*;

    use super::*;
    use crate::store::audit::{ConnectionId, Trace};

    /// One reader as the relay sees it, and when it was really sent what.
    struct Reader {
        connection: Connection,
        shows_each: u64,
        passed: u64,
        queue: VecDeque<u64>,
        queued: u64,
        sent: u64,
        sent_at: HashMap<u64, i64>,
        account: Account,
    }

    impl Reader {
        fn offer(&mut self, newest: u64) {
            for n in self.passed + 1..=newest {
                if n.is_multiple_of(self.shows_each) {
                    self.queue.push_back(n);
                    self.queued = n;
                }
            }
            self.passed = self.passed.max(newest);
        }

        fn send(&mut self, count: usize, now: i64) {
            for n in self.queue.drain(..count.min(self.queue.len())) {
                self.sent = n;
                self.sent_at.insert(n, now);
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Op {
        Open {
            after: u64,
            shows_each: u64,
        },
        Append(u64),
        /// Offers all but those whose number modulo this is 0, who fall behind.
        Offer(usize),
        CatchUp(usize),
        Send(usize, usize),
        SendAll,
        End(usize),
        Lap,
        LoseRelay,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            2 => (0u64..4, 1u64..3).prop_map(|(after, shows_each)| Op::Open { after, shows_each }),
            4 => (1u64..4).prop_map(Op::Append),
            6 => (2usize..9).prop_map(Op::Offer),
            2 => (0usize..9).prop_map(Op::CatchUp),
            4 => ((0usize..9), (1usize..4)).prop_map(|(who, count)| Op::Send(who, count)),
            3 => Just(Op::SendAll),
            1 => (0usize..9).prop_map(Op::End),
            6 => Just(Op::Lap),
            1 => Just(Op::LoseRelay),
        ]
    }

    fn at(now: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(now).unwrap()
    }

    /// The world, its readers, and what was written: as simple a store as can be.
    struct World {
        now: i64,
        log: Vec<i64>,
        open: Vec<Reader>,
        ended: Vec<Reader>,
        ledger: Ledger,
        offered: u64,
        laps: Vec<Lap>,
        dropped: usize,
    }

    impl World {
        fn step(&mut self, op: Op) {
            self.now += 1;
            let (now, newest) = (self.now, self.log.len() as u64);
            match op {
                Op::Open { after, shows_each } => {
                    let after = newest.saturating_sub(after);
                    let (id, user) = (ConnectionId::new(), "u".into());
                    self.open.push(Reader {
                        connection: Connection { id, user, own: shows_each > 1, opened_at: at(now), after, end: None },
                        shows_each,
                        passed: after,
                        queue: VecDeque::new(),
                        queued: after,
                        sent: after,
                        sent_at: HashMap::new(),
                        account: Account::default(),
                    });
                }
                Op::Append(count) => self.log.extend((0..count).map(|_| now)),
                Op::Offer(spared) => {
                    for (number, reader) in self.open.iter_mut().enumerate() {
                        // Who has missed something takes nothing until it has caught up.
                        if number % spared != 0 && reader.passed >= self.offered {
                            reader.offer(newest);
                        }
                    }
                    self.offered = newest;
                }
                Op::CatchUp(who) => {
                    if let Some(reader) = self.open.get_mut(who) {
                        reader.offer(newest);
                    }
                }
                Op::Send(who, count) => {
                    if let Some(reader) = self.open.get_mut(who) {
                        reader.send(count, now);
                    }
                }
                Op::SendAll => self.open.iter_mut().for_each(|reader| reader.send(usize::MAX, now)),
                Op::End(who) => {
                    if who < self.open.len() {
                        let reader = self.open.swap_remove(who);
                        let end = End { at: at(now), sent: reader.sent, cause: "client_closed".into() };
                        self.dropped += self.ledger.end(reader.connection.clone(), end);
                        self.ended.push(reader);
                    }
                }
                Op::Lap => self.lap(),
                Op::LoseRelay => self.ledger = Ledger::new(2),
            }
        }

        fn lap(&mut self) {
            let readers = self.open.iter_mut().map(|Reader { connection, account, passed, queued, sent, .. }| {
                (&*connection, Standing { passed: *passed, queued: *queued, sent: *sent }, account)
            });
            self.laps.extend(self.ledger.lap(self.offered, at(self.now), readers));
        }

        fn window(&self, id: ConnectionId, n: u64) -> Option<(Timestamp, Timestamp)> {
            let mut written = self.laps.iter().flat_map(|lap| &lap.connections).filter(|connection| connection.id == id);
            let connection = written.next_back()?.clone();
            if connection.after >= n || connection.end.as_ref().is_some_and(|end| end.sent < n) {
                return None;
            }
            let mut marks: Vec<_> = self
                .laps
                .iter()
                .flat_map(|lap| lap.marks.iter().map(move |mark| (mark.sent, lap.relay, lap.number, lap.at, mark)))
                .filter(|(.., mark)| mark.connection == id)
                .collect();
            marks.sort_by_key(|(sent, relay, number, ..)| (*sent, *relay, *number));
            let split = marks.partition_point(|(sent, ..)| *sent < n);
            let before = split.checked_sub(1).map(|last| marks[last]);
            let reached = before.filter(|(.., mark)| mark.in_step).and_then(|(_, relay, ..)| {
                let of_relay = self.laps.iter().filter(|lap| lap.relay == relay);
                of_relay.filter(|lap| lap.reached.is_some_and(|reached| reached >= n)).map(|lap| lap.at).min()
            });
            let behind = marks.get(split).map(|(_, _, _, at, _)| *at);
            let before = before.map(|(_, _, _, at, mark)| (at, mark.in_step));
            Trace { connection, before, behind, reached }.window(at(self.log[n as usize - 1]))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_written_is_true_at_any_moment_and_all_there_is_behind_two_more_laps(ops in prop::collection::vec(op(), 1..60)) {
            let (open, ended) = (Vec::new(), Vec::new());
            let ledger = Ledger::new(2);
            let mut world = World { now: 0, log: Vec::new(), open, ended, ledger, offered: 0, laps: Vec::new(), dropped: 0 };
            let lost = ops.iter().any(|op| matches!(op, Op::LoseRelay));
            for op in ops {
                world.step(op);
            }
            let written = |world: &World, all: &[Reader], whole: bool| {
                for reader in all {
                    for n in (1..=world.log.len() as u64).filter(|n| n.is_multiple_of(reader.shows_each)) {
                        let window = world.window(reader.connection.id, n);
                        match (window, reader.sent_at.get(&n)) {
                            (Some((from, by)), Some(sent)) => assert!((from..=by).contains(&at(*sent)), "{n} was sent at {sent}: {window:?}"),
                            (Some(_), None) => panic!("{n} was not sent: {window:?}"),
                            (None, Some(_)) => assert!(!whole, "{n} was sent, and nothing says so"),
                            (None, None) => {}
                        }
                    }
                }
            };
            written(&world, &world.open, false);
            written(&world, &world.ended, false);
            for op in [Op::Lap, Op::Lap] {
                world.step(op);
            }
            written(&world, &world.open, true);
            written(&world, &world.ended, world.dropped == 0 && !lost);
        }
    }

    #[test]
    fn who_is_in_step_costs_no_row_but_when_it_opens_and_ends() {
        let mut ledger = Ledger::new(9);
        let connection =
            Connection { id: ConnectionId::new(), user: "u".into(), own: false, opened_at: at(0), after: 0, end: None };
        let mut account = Account::default();
        let mut lap = |ledger: &mut Ledger, newest: u64, sent: u64| {
            let standing = Standing { passed: newest, queued: newest, sent };
            let mut parts = ledger.lap(newest, at(1), [(&connection, standing, &mut account)].into_iter());
            assert!(parts.len() <= 1);
            parts.pop_front()
        };
        let opened = lap(&mut ledger, 3, 3).unwrap();
        assert_eq!((opened.connections.len(), opened.marks.len(), opened.reached), (1, 1, None), "it is not in step yet");
        let in_step = lap(&mut ledger, 5, 5).unwrap();
        assert_eq!((in_step.connections.len(), in_step.reached), (0, Some(3)));
        assert_eq!(in_step.marks, [Mark { connection: connection.id, sent: 3, in_step: true }]);
        // One entry is still on its way, as always.
        let on = lap(&mut ledger, 9, 8).unwrap();
        assert_eq!((on.connections.len(), on.marks.len(), on.reached), (0, 0, Some(5)));
        let out_of_step = lap(&mut ledger, 9, 8).unwrap();
        assert_eq!(out_of_step.marks, [Mark { connection: connection.id, sent: 8, in_step: false }]);
        assert_eq!(lap(&mut ledger, 9, 8), None, "nothing is news");
        let back = lap(&mut ledger, 9, 9).unwrap();
        assert_eq!(back.marks, [Mark { connection: connection.id, sent: 9, in_step: true }]);
        assert_eq!(lap(&mut ledger, 9, 9), None);
    }

    #[test]
    fn a_relay_with_readers_says_that_it_lives_each_hour_and_one_without_costs_nothing() {
        let mut ledger = Ledger::new(9);
        let connection =
            Connection { id: ConnectionId::new(), user: "u".into(), own: false, opened_at: at(0), after: 0, end: None };
        let mut account = Account::default();
        let standing = Standing { passed: 0, queued: 0, sent: 0 };
        for minute in 0..200 {
            let now = at(minute * 60_000);
            assert_eq!(ledger.lap(0, now, std::iter::empty()), [], "{minute}");
            let news = ledger.lap(0, now, [(&connection, standing, &mut account)].into_iter());
            let until = news.iter().find_map(|lap| lap.alive_until);
            assert_eq!(until, (minute % 60 == 0).then_some(now + SIGN_HOLDS), "{minute}");
        }
    }

    #[test]
    fn a_lap_of_many_is_written_in_parts_and_says_what_was_reached_last() {
        let mut ledger = Ledger::new(9);
        let connections: Vec<Connection> = (0..1_200)
            .map(|_| Connection { id: ConnectionId::new(), user: "u".into(), own: false, opened_at: at(0), after: 0, end: None })
            .collect();
        let mut accounts: Vec<Account> = connections.iter().map(|_| Account::default()).collect();
        let mut lap = |newest: u64| {
            let standing = Standing { passed: newest, queued: newest, sent: newest };
            let readers = connections.iter().zip(&mut accounts).map(|(connection, account)| (connection, standing, account));
            ledger.lap(newest, at(1), readers)
        };
        let opened = lap(3);
        let rows = |parts: &VecDeque<Lap>| parts.iter().map(|part| part.connections.len() + part.marks.len()).collect::<Vec<_>>();
        assert_eq!(rows(&opened), [500, 500, 500, 500, 400], "each opens, and was sent something before it is in step");
        let in_step = lap(3);
        assert_eq!(rows(&in_step), [500, 500, 200]);
        let reached: Vec<Option<u64>> = in_step.iter().map(|part| part.reached).collect();
        assert_eq!(reached, [None, None, Some(3)]);
        assert_eq!(lap(3).len(), 0);
    }
}
