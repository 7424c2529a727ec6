//! What is sent through the whole flow at an interval and changes nothing: where it stays, the flow is stuck.
//!
//! It lies in the same mailboxes and is handled on the same threads as real work, in the order of the flow, and is no notification:
//! it has no position, no key and no frame, so no reader, history or export can meet it. Only one is under way at a time, so no
//! mailbox need have room for it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actix::{ArbiterHandle, Message};

use super::{broadcaster::Relays, line::Line, lines::Lines, relay::Relay};

/// A stretch of the flow, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The webhook handler.
    Ingest,
    /// The archivist, and a commit that is durable.
    Store,
    /// The screener, and its look into the store for work.
    Screening,
    /// The courier, and the way through Redis and back; passed over where there is no bus, and where the bus is known to be away.
    Bus,
    /// The broadcaster.
    Broadcaster,
    /// Every relay.
    Relay,
    /// The session supervisor, and a session on each worker thread up to where its socket would be.
    Session,
}

impl Stage {
    const ALL: [Self; 7] = [Self::Ingest, Self::Store, Self::Screening, Self::Bus, Self::Broadcaster, Self::Relay, Self::Session];

    /// What readiness says where a canary does not come out of it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Ingest => "ingest_stuck",
            Self::Store => "store_stuck",
            Self::Screening => "screening_stuck",
            Self::Bus => "bus_stuck",
            Self::Broadcaster => "broadcaster_stuck",
            Self::Relay => "relay_stuck",
            Self::Session => "session_stuck",
        }
    }
}

/// How far one canary has come; its keeper and whoever carries it hold it.
pub struct Trip {
    id: u64,
    lines: Arc<Lines>,
    /// The index of the stage it is in; behind the last one it is through.
    stage: AtomicUsize,
    /// Relays that have not passed it on, and sessions that have not.
    relays: AtomicUsize,
    sessions: AtomicUsize,
}

impl Trip {
    /// Sends a canary off.
    pub fn begin(lines: &Arc<Lines>) -> Arc<Self> {
        let trip = Self {
            id: fastrand::u64(..),
            lines: lines.clone(),
            stage: AtomicUsize::new(0),
            relays: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
        };
        let trip = Arc::new(trip);
        lines.webhook_handler.send(Canary(trip.clone()));
        trip
    }

    /// The stage it has not come out of; none once it is through all of them.
    pub fn stage(&self) -> Option<Stage> {
        Stage::ALL.get(self.stage.load(Ordering::Acquire)).copied()
    }

    /// Whether nobody carries it any more: who did has died, or the store has refused it.
    pub fn is_lost(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1 && self.stage().is_some()
    }

    fn enter(&self, stage: usize) {
        self.stage.store(stage, Ordering::Release);
    }
}

/// It has come to this stage: have it do what it does for a webhook, then [`Canary::pass`].
#[derive(Message)]
#[rtype(result = "()")]
pub struct Canary(Arc<Trip>);

/// It has come to the relay of this thread.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Cross {
    trip: Arc<Trip>,
    relay: Line<Relay>,
}

/// It has come to the sessions of one thread: start one that nobody reads, and see whether a frame comes out of it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LoopBack {
    trip: Arc<Trip>,
    /// The relay of that thread.
    pub relay: Line<Relay>,
    /// That thread.
    pub thread: ArbiterHandle,
}

impl Canary {
    /// What it is called on the bus, where many of them meet.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// It is through this stage, and goes to the next.
    pub fn pass(self, stage: Stage) {
        let lines = self.0.lines.clone();
        let next = match (stage, &lines.courier) {
            (Stage::Screening, None) => Stage::Broadcaster,
            _ => Stage::ALL[(stage as usize + 1).min(Stage::Session as usize)],
        };
        self.0.enter(next as usize);
        match next {
            Stage::Ingest => lines.webhook_handler.send(self),
            Stage::Store => lines.archivist.send(self),
            Stage::Screening => lines.screener.send(self),
            Stage::Bus => {
                if let Some(courier) = &lines.courier {
                    courier.send(self);
                }
            }
            Stage::Broadcaster => lines.broadcaster.send(self),
            Stage::Relay | Stage::Session => self.cross(&lines.relays),
        }
    }

    fn cross(self, relays: &Relays) {
        let relays = relays.load();
        self.0.relays.store(relays.len(), Ordering::Release);
        self.0.sessions.store(relays.len(), Ordering::Release);
        for relay in relays.iter() {
            relay.send(Cross { trip: self.0.clone(), relay: relay.clone() });
        }
    }
}

impl Cross {
    /// Goes on to the sessions of this thread.
    pub fn pass(self, thread: ArbiterHandle) {
        let Self { trip, relay } = self;
        if trip.relays.fetch_sub(1, Ordering::AcqRel) == 1 {
            trip.enter(Stage::Session as usize);
        }
        let supervisor = trip.lines.session_supervisor.clone();
        supervisor.send(LoopBack { trip, relay, thread });
    }
}

impl LoopBack {
    /// It has come out; where it was the last one the canary is through.
    pub fn pass(self) {
        if self.trip.sessions.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.trip.enter(Stage::ALL.len());
        }
    }
}
