//! What systemd is told: ready, reloading, stopping, and alive for as long as the hub really answers.
//!
//! A watchdog that is fed by a timer alone lives on when everything else hangs. This one is fed only when the session supervisor,
//! through which every stream goes, has looked after its wards since the last time, and `/healthz` answers over a socket of its own.
//! Where systemd did not start the process, nothing is told to anybody.

use std::{net::SocketAddr, sync::Arc, sync::atomic::Ordering, time::Duration};

use sd_notify::NotifyState;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    actors::session_supervisor::{Charge, LOOK},
    app::App,
};

/// How often in `WatchdogSec` the watchdog is fed.
const MEALS: u32 = 3;

/// Streams and webhooks are taken.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again; [`ready`] ends it.
pub fn reloading() {
    let since = NotifyState::monotonic_usec_now().ok();
    tell(&[Some(NotifyState::Reloading), since].into_iter().flatten().collect::<Vec<_>>());
}

/// The ordered stop has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!(target: "notifications", "event=systemd_unheard error={error:?}");
    }
}

/// Feeds the watchdog that systemd asks for, if it does.
pub fn feed_watchdog(pulse: Pulse) -> Option<JoinHandle<()>> {
    let limit = sd_notify::watchdog_enabled()?;
    Some(actix::spawn(feed(pulse, limit / MEALS, || tell(&[NotifyState::Watchdog]))))
}

/// Calls `eat` at this interval, but only while the hub answers.
pub async fn feed(mut pulse: Pulse, interval: Duration, eat: impl Fn()) {
    // Oftener the supervisor does not look.
    let interval = interval.max(LOOK);
    let mut is_alive = true;
    loop {
        // At first, too: the supervisor of a hub that has just started has not looked yet.
        sleep(interval).await;
        let was_alive = std::mem::replace(&mut is_alive, pulse.beats(interval).await);
        if is_alive {
            eat();
        } else if was_alive {
            log::error!(target: "notifications", "event=watchdog_not_fed the hub does not answer");
        }
    }
}

/// Tells whether the hub answers.
pub struct Pulse {
    charge: Arc<Charge>,
    admin: SocketAddr,
    looks: u64,
}

impl App {
    /// Whether it answers, for whoever watches the process.
    pub fn pulse(&self) -> Pulse {
        Pulse { charge: self.charge.clone(), admin: self.admin_addr(), looks: 0 }
    }
}

impl Pulse {
    async fn beats(&mut self, within: Duration) -> bool {
        let looks = self.charge.looks.load(Ordering::Relaxed);
        let has_looked = std::mem::replace(&mut self.looks, looks) != looks;
        has_looked && matches!(timeout(within, ask_health(self.admin)).await, Ok(Ok(true)))
    }
}

async fn ask_health(admin: SocketAddr) -> std::io::Result<bool> {
    const HEALTHY: &[u8] = b"HTTP/1.1 200 ";
    let mut socket = TcpStream::connect(admin).await?;
    let head = format!("GET /healthz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).await?;
    let mut answer = [0; HEALTHY.len()];
    socket.read_exact(&mut answer).await?;
    Ok(answer == HEALTHY)
}
