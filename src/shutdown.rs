//! The ordered stop: nothing acknowledged is lost, every stream ends as HTTP wants it, all within `server.shutdown_grace`.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    time::{Instant, timeout_at},
};

use crate::{
    actors::{
        line::Stop,
        relay::WriteUp,
        session_supervisor::{CutOff, SayGoodbye},
    },
    app::App,
};

/// The signals that end the server in order, and the one that has it read its configuration again. Made before the server starts, so that none is missed.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes SIGTERM, SIGINT and SIGHUP over from the system.
    pub fn new() -> std::io::Result<Self> {
        let [terminate, interrupt, hangup] = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self { terminate: terminate?, interrupt: interrupt?, hangup: hangup? })
    }

    /// Waits for the first that ends the server; each SIGHUP until then calls `reload`.
    pub async fn wait(&mut self, reload: impl Fn()) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => reload(),
            }
        }
    }
}

impl App {
    /// Stops in order; returns when the store is closed.
    pub async fn stop(mut self) {
        let grace = self.config.server.shutdown_grace;
        let begun = Instant::now();
        // What must not be cut off, the store's last commit, has the last tenth to itself.
        let (gentle, listeners, store) = (begun + grace.mul_f64(0.8), begun + grace.mul_f64(0.9), begun + grace);
        log::info!(target: "notifications", "event=stopping grace={grace:?}");

        // 1. Not ready, and no new stream or webhook.
        self.readiness.stopping.store(true, Ordering::Relaxed);
        self.lines.session_supervisor.send(SayGoodbye { within: grace.mul_f64(0.6) });
        // 2. Webhooks under way are answered: each gives its permit back when it is durable.
        let all = u32::try_from(self.config.ingest.max_in_flight).unwrap_or(u32::MAX);
        let answered = timeout_at(gentle, self.permits.acquire_many(all)).await;
        self.permits.close();
        if answered.is_err() {
            log::warn!(target: "notifications", "event=stop_webhooks_cut_off");
        }
        drop(answered);
        // 3. Streams are told one after the other when to come back, and end once their last frames are sent; what they were sent is written up.
        if timeout_at(gentle, self.open.wait_for(|open| *open == 0)).await.is_err() {
            log::warn!(target: "sse", "event=stop_streams_cut_off open={}", *self.open.borrow());
            self.lines.session_supervisor.send(CutOff);
            // Not for long: a thread that stands still ends none.
            let _ = timeout_at(begun + grace.mul_f64(0.85), self.open.wait_for(|open| *open == 0)).await;
        }
        let relays = self.lines.relays.load_full();
        let written = join_all(relays.iter().map(|relay| {
            let (reply, written) = oneshot::channel();
            relay.send(WriteUp { reply });
            written
        }));
        let written = timeout_at(listeners, written).await;
        if !written.is_ok_and(|written| written.iter().all(Result::is_ok)) {
            log::warn!(target: "notifications", "event=stop_audit_cut_off");
        }
        // 4. Answers still in the sockets' buffers leave; idle connections close.
        let graceful = join_all(self.listeners.outer.iter().map(|server| server.stop(true)));
        if timeout_at(listeners, graceful).await.is_err() {
            // The rest is cut off when the process ends.
            log::warn!(target: "notifications", "event=stop_connections_cut_off");
        }
        // 5. The pipeline and the store.
        self.tasks.iter().for_each(|task| task.abort());
        self.lines.session_supervisor.send(Stop);
        if timeout_at(store, self.store.close()).await.is_err() {
            log::warn!(target: "notifications", "event=stop_store_cut_off");
        }
        drop(self.listeners.inner.stop(false));
        self.threads.iter().for_each(|thread| {
            thread.stop();
        });
        log::info!(target: "notifications", "event=stopped took_ms={}", begun.elapsed().as_millis());
    }
}
