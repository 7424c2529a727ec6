//! Sends entries to the bus: several in one write, each a message of its own.

use std::time::Duration;

use redis::aio::MultiplexedConnection;

use super::{
    connect::{Bus, BusError},
    wire,
};
use crate::notification::entry::Entry;

/// How long Redis may take to confirm what was sent; then the connection is given up.
const CONFIRM: Duration = Duration::from_secs(2);

/// One sender, one call at a time.
#[derive(Debug)]
pub struct Publisher {
    bus: Bus,
    connection: Option<MultiplexedConnection>,
}

impl Publisher {
    pub(super) fn new(bus: Bus) -> Self {
        Self { bus, connection: None }
    }

    /// Sends these, in order, and connects where that is to be done first; without any it only connects. A
    /// canary goes behind them.
    ///
    /// # Errors
    /// Where Redis has not confirmed all of them. It may have some; the next call connects anew.
    pub async fn publish(&mut self, entries: &[Entry], canary: Option<u64>) -> Result<(), BusError> {
        let was_open = self.connection.is_some();
        match self.attempt(entries, canary).await {
            // It may have been cut while there was nothing to send.
            Err(error) if was_open && !error.is_refusal() => self.attempt(entries, canary).await,
            outcome => outcome,
        }
    }

    async fn attempt(&mut self, entries: &[Entry], canary: Option<u64>) -> Result<(), BusError> {
        // Taken out, so that a connection that has failed is not used again: its answers would come too late.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.bus.connect(CONFIRM).await?,
        };
        if !entries.is_empty() || canary.is_some() {
            self.add_all(entries, canary).exec_async(&mut connection).await?;
        }
        self.connection = Some(connection);
        Ok(())
    }

    fn add_all(&self, entries: &[Entry], canary: Option<u64>) -> redis::Pipeline {
        let mut pipeline = redis::pipe();
        for fields in entries.iter().map(wire::fields).chain(canary.map(wire::canary_fields)) {
            let add = pipeline.cmd("XADD").arg(&self.bus.stream).arg("MAXLEN").arg("~").arg(self.bus.max_len).arg("*");
            for (name, value) in fields {
                add.arg(name).arg(&*value);
            }
            add.ignore();
        }
        pipeline
    }
}
