//! Reads what is sent over the bus from now on: everything else is in the store.

use std::time::Duration;

use redis::{Value, aio::MultiplexedConnection, cmd};

use super::{
    connect::{Bus, BusError},
    wire::{self, Fields, Unsound},
};
use crate::notification::{entry::Entry, position::Epoch};

/// How long Redis may hold a question back while there is nothing to tell.
const BLOCK: Duration = Duration::from_secs(1);
/// How long an answer may take; a frozen Redis is noticed after that.
const ANSWER: Duration = Duration::from_secs(2);
/// Messages in one answer, which is held in memory.
const AT_ONCE: usize = 64;

/// One reader, one call at a time.
#[derive(Debug)]
pub struct Subscription {
    bus: Bus,
    epoch: Epoch,
    open: Option<Open>,
}

/// A connection and the message that was read last.
#[derive(Debug)]
struct Open {
    connection: MultiplexedConnection,
    last: Vec<u8>,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Heard {
    /// Entries of this log in the order in which they were sent, which need not be that of the log.
    pub entries: Vec<Entry>,
    /// Why the others were left out.
    pub unsound: Vec<Unsound>,
    /// The canaries of all nodes.
    pub canaries: Vec<u64>,
}

impl Subscription {
    pub(super) fn new(bus: Bus, epoch: Epoch) -> Self {
        Self { bus, epoch, open: None }
    }

    /// What has come since the last call; waits a moment where nothing has. The first call only connects, and so does the one
    /// behind an error; what was sent before it is not read.
    ///
    /// # Errors
    /// Where Redis does not answer, or not what was asked.
    pub async fn next(&mut self) -> Result<Heard, BusError> {
        // Taken out, so that a connection that has failed is not used again.
        let Some(mut open) = self.open.take() else {
            self.open = Some(self.connect().await?);
            return Ok(Heard::default());
        };
        let mut heard = Heard::default();
        for message in self.read(&mut open, AT_ONCE, Some(BLOCK)).await? {
            let (id, fields) = split(message)?;
            open.last = id;
            if let Some(canary) = fields.as_deref().and_then(wire::canary) {
                heard.canaries.push(canary);
                continue;
            }
            match fields.ok_or(Unsound::Malformed).and_then(|fields| wire::entry(self.epoch, fields)) {
                Ok(entry) => heard.entries.push(entry),
                Err(unsound) => heard.unsound.push(unsound),
            }
        }
        self.open = Some(open);
        Ok(heard)
    }

    /// Connects and marks the place from which to read: `$` would be another place at each call.
    async fn connect(&self) -> Result<Open, BusError> {
        let mut connection = self.bus.connect(ANSWER).await?;
        let mut newest = cmd("XREVRANGE");
        newest.arg(&self.bus.stream).arg("+").arg("-").arg("COUNT").arg(1);
        let last = match array(newest.query_async(&mut connection).await?)?.pop() {
            Some(message) => split(message)?.0,
            None => b"0-0".to_vec(),
        };
        let mut open = Open { connection, last };
        // Whoever is told that this has worked must not be told the contrary by the next call.
        self.read(&mut open, 1, None).await?;
        Ok(open)
    }

    async fn read(&self, open: &mut Open, at_once: usize, block: Option<Duration>) -> Result<Vec<Value>, BusError> {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(at_once);
        if let Some(block) = block {
            read.arg("BLOCK").arg(block.as_millis() as u64);
        }
        read.arg("STREAMS").arg(&self.bus.stream).arg(&open.last);
        messages_of_one_stream(read.query_async(&mut open.connection).await?)
    }
}

/// `[[stream, [message, …]]]`, or nothing where the wait was in vain.
fn messages_of_one_stream(answer: Value) -> Result<Vec<Value>, BusError> {
    if answer == Value::Nil {
        return Ok(Vec::new());
    }
    let [stream] = exactly(answer)?;
    let [_, messages] = exactly(stream)?;
    array(messages)
}

/// `[id, [name, value, …]]`; no fields where something else stands there.
fn split(message: Value) -> Result<(Vec<u8>, Option<Fields>), BusError> {
    let [Value::BulkString(id), fields] = exactly(message)? else { return Err(BusError::Answer) };
    let text = |value| if let Value::BulkString(text) = value { Some(text) } else { None };
    let texts: Option<Vec<Vec<u8>>> = array(fields).ok().and_then(|fields| fields.into_iter().map(text).collect());
    let pairs = texts.map(|texts| {
        let mut texts = texts.into_iter();
        std::iter::from_fn(move || Some((texts.next()?, texts.next()?))).collect()
    });
    Ok((id, pairs))
}

fn array(value: Value) -> Result<Vec<Value>, BusError> {
    if let Value::Array(values) = value { Ok(values) } else { Err(BusError::Answer) }
}

fn exactly<const N: usize>(value: Value) -> Result<[Value; N], BusError> {
    array(value)?.try_into().map_err(|_| BusError::Answer)
}
