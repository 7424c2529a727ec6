//! Carries committed entries between this node and the others, over the bus.
//!
//! It hurries and promises nothing: what it drops, loses or doubles is made good by contiguity and the store. So nobody waits for
//! it, and it waits for nobody but Redis. Started only where `cluster.kind` is "redis".
//!
//! * receives: `Carry` (archivist); `Canary`
//! * sends: `Publish` to the broadcaster, with what it has heard; messages to Redis
//! * when full: the `Carry` is dropped; what was taken out of the mailbox waits in a bag of bounded size, out of which the oldest
//!   entries fall. Other nodes read from the store what was dropped
//! * when it dies: the session supervisor builds it again; nodes read from the store meanwhile
//! * runs on: the bus thread

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt};

use super::{
    aboard::Aboard,
    bag::Bag,
    broadcaster::{Broadcaster, Publish},
    canary::Canary,
    echo::Echo,
    line::{Line, Stop, guarded},
    mailbox::measured,
};
use crate::{
    cluster::{Backoff, Bus, BusError, Heard, Publisher, Subscription, Unsound},
    metrics::Metrics,
    notification::{entry::Entry, position::Epoch},
};

/// How often it is told, at most, that messages of the bus are not believed.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// How long a canary may be on the bus before it is sent again.
const CANARY_AGAIN: Duration = Duration::from_secs(1);

/// Entries that were just committed here, in order.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Carry(pub Vec<Entry>);

/// The actor.
pub struct Courier {
    broadcaster: Line<Broadcaster>,
    metrics: Arc<Metrics>,
    bag: Bag,
    echo: Echo,
    aboard: Aboard,
    /// None while it sends.
    publisher: Option<Publisher>,
    out: Way,
    /// None while it listens.
    subscription: Option<Subscription>,
    back: Way,
    /// Whether the bus was lost, as it was told last; none before it was reached.
    lost: Option<bool>,
    last_complaint: Option<Instant>,
}

/// One direction of the bus.
#[derive(Default)]
struct Way {
    open: bool,
    backoff: Backoff,
}

impl Courier {
    /// A courier between this bus and this broadcaster, for one log; its mailbox holds `capacity` (`mailbox.courier`) messages.
    pub fn create(
        capacity: usize,
        bus: &Bus,
        epoch: Epoch,
        broadcaster: Line<Broadcaster>,
        metrics: Arc<Metrics>,
        ctx: &mut Context<Self>,
    ) -> Self {
        ctx.set_mailbox_capacity(capacity);
        metrics.bus.bus_connected.set(0);
        Self {
            broadcaster,
            metrics,
            bag: Bag::default(),
            echo: Echo::default(),
            aboard: Aboard::default(),
            publisher: Some(bus.publisher()),
            out: Way::default(),
            subscription: Some(bus.subscription(epoch)),
            back: Way::default(),
            lost: None,
            last_complaint: None,
        }
    }
}

measured!(Courier: Carry, Canary, Stop);

impl Actor for Courier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.send(ctx);
        self.listen(ctx);
        ctx.run_interval(CANARY_AGAIN, |courier, ctx| {
            courier.aboard.again();
            courier.send_canary(ctx);
        });
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.metrics.bus.bus_connected.set(0);
    }
}

impl Handler<Carry> for Courier {
    type Result = ();

    fn handle(&mut self, Carry(entries): Carry, ctx: &mut Self::Context) {
        guarded(
            "courier",
            self,
            |courier| &courier.metrics,
            |courier| {
                let fallen = courier.bag.put(entries);
                courier.dropped("full", fallen);
                if courier.out.open {
                    courier.send(ctx);
                }
            },
        );
    }
}

impl Handler<Canary> for Courier {
    type Result = ();

    fn handle(&mut self, canary: Canary, ctx: &mut Self::Context) {
        self.aboard.put(canary);
        if self.lost == Some(true) {
            // That is known and told, and stops nobody from doing without it.
            return self.aboard.pass();
        }
        self.send_canary(ctx);
    }
}

impl Handler<Stop> for Courier {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Courier {
    /// Sends what is in the bag, unless it does so already. Where the bag is empty it makes sure that the way is open.
    fn send(&mut self, ctx: &mut Context<Self>) {
        let Some(mut publisher) = self.publisher.take() else { return };
        let (entries, canary) = (self.bag.take(), self.aboard.take());
        self.echo.sending(&entries, Instant::now());
        let sending = async move {
            let outcome = publisher.publish(&entries, canary).await;
            (publisher, entries, outcome)
        };
        ctx.spawn(sending.into_actor(self).map(|(publisher, entries, outcome), courier, ctx| {
            courier.publisher = Some(publisher);
            match outcome {
                Ok(()) => {
                    courier.metrics.bus.bus_published.inc_by(entries.len() as u64);
                    courier.out.works();
                    courier.found();
                    if !courier.bag.is_empty() || courier.aboard.waits() {
                        courier.send(ctx);
                    }
                }
                Err(error) => {
                    courier.not_sent(entries, &error);
                    let wait = courier.out.fails();
                    courier.lost(&error);
                    ctx.run_later(wait, |courier, ctx| courier.send(ctx));
                }
            }
        }));
    }

    fn send_canary(&mut self, ctx: &mut Context<Self>) {
        if self.out.open && self.aboard.waits() {
            self.send(ctx);
        }
    }

    /// What was refused is sent again, for that alone tells whether it still is. Else it may be what broke the connection.
    fn not_sent(&mut self, entries: Vec<Entry>, error: &BusError) {
        if error.is_refusal() {
            let fallen = self.bag.put_back(entries);
            self.dropped("full", fallen);
        } else {
            self.dropped("lost", entries.len());
        }
    }

    /// Listens for ever.
    fn listen(&mut self, ctx: &mut Context<Self>) {
        let Some(mut subscription) = self.subscription.take() else { return };
        let listening = async move {
            let heard = subscription.next().await;
            (subscription, heard)
        };
        ctx.spawn(listening.into_actor(self).map(|(subscription, heard), courier, ctx| {
            courier.subscription = Some(subscription);
            match heard {
                Ok(heard) => {
                    courier.back.works();
                    courier.found();
                    courier.pass_on(heard);
                    courier.listen(ctx);
                }
                Err(error) => {
                    let wait = courier.back.fails();
                    courier.lost(&error);
                    ctx.run_later(wait, |courier, ctx| courier.listen(ctx));
                }
            }
        }));
    }

    fn pass_on(&mut self, Heard { entries, unsound, canaries }: Heard) {
        self.aboard.heard(&canaries);
        if !unsound.is_empty() {
            self.complain(&unsound);
        }
        if entries.is_empty() {
            return;
        }
        if let Some(lag) = self.echo.heard(&entries, Instant::now()) {
            self.metrics.bus.bus_lag.observe(lag);
        }
        let count = entries.len();
        self.metrics.bus.bus_received.inc_by(count as u64);
        // A full or dead broadcaster reads them from the store when it comes to itself.
        if self.broadcaster.try_send(Publish(entries)).is_err() {
            self.dropped("broadcaster_full", count);
        }
    }

    fn complain(&mut self, unsound: &[Unsound]) {
        for unsound in unsound {
            self.dropped(unsound.label(), 1);
        }
        if self.last_complaint.is_none_or(|last| last.elapsed() >= COMPLAIN_EVERY) {
            self.last_complaint = Some(Instant::now());
            let (count, last) = (unsound.len(), unsound.last().map_or("", |unsound| unsound.label()));
            log::warn!(target: "notifications", "event=bus_unsound messages={count} cause={last} they are passed over");
        }
    }

    fn dropped(&self, cause: &'static str, count: usize) {
        if count > 0 {
            self.metrics.bus.bus_dropped.get_or_create(&[("cause", cause)]).inc_by(count as u64);
        }
    }

    /// One way works: where both do, the bus is there.
    fn found(&mut self) {
        if !(self.out.open && self.back.open) || self.lost == Some(false) {
            return;
        }
        self.metrics.bus.bus_connected.set(1);
        if self.lost.replace(false).is_some() {
            log::info!(target: "notifications", "event=bus_back");
        }
    }

    fn lost(&mut self, error: &BusError) {
        self.metrics.bus.bus_connected.set(0);
        self.aboard.pass();
        if self.lost.replace(true) != Some(true) {
            log::warn!(target: "notifications", "event=bus_lost error={:?} entries of other nodes come later", error.to_string());
        }
    }
}

impl Way {
    fn works(&mut self) {
        self.open = true;
        self.backoff.reset();
    }

    /// How long to wait before it is tried again.
    fn fails(&mut self) -> Duration {
        self.open = false;
        self.backoff.wait()
    }
}
