//! A provider that posts each webhook until it is acknowledged, to nginx or to any node, and some of them once more.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use fastrand::Rng;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{events::event, stage::Stage};

/// A sender.
pub struct Sender {
    number: usize,
    stage: Arc<Stage>,
    rng: Rng,
    client: reqwest::Client,
}

impl Sender {
    /// One that has sent nothing.
    pub fn new(number: usize, stage: Arc<Stage>, rng: Rng) -> Self {
        // Longer than a node takes to give up on a commit.
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(15)).build().expect("a client");
        Self { number, stage, rng, client }
    }

    /// Sends until it is enough; what is under way then is still acknowledged.
    pub async fn send(mut self) {
        for round in 0.. {
            if self.stage.enough.load(Ordering::Relaxed) {
                return;
            }
            let reference = format!("owner-{}|{}", self.rng.u8(0..20), self.rng.bool());
            let items = if self.rng.u8(0..5) == 0 { self.rng.usize(2..=5) } else { 1 };
            let events: Vec<_> = (0..items).map(|item| event(&reference, &format!("{}-{round}-{item}", self.number))).collect();
            self.keep(&events).await;
            if self.rng.u8(0..16) == 0 {
                let again = self.keep(&events).await;
                assert!(again.iter().all(|result| result["duplicate"] == true), "{again:?} for events that are kept");
            }
            sleep(Duration::from_millis(self.rng.u64(20..250))).await;
        }
    }

    /// Posts events as often as it takes; one result for each.
    async fn keep(&mut self, events: &[Value]) -> Vec<Value> {
        let body = match events {
            [one] => one.clone(),
            many => Value::from(many),
        };
        let start = Instant::now();
        loop {
            let target = self.target();
            if let Some(answer) = post(&self.client, target, &body).await {
                let results = if events.len() == 1 { vec![answer] } else { answer["results"].as_array().unwrap().clone() };
                assert_eq!(results.len(), events.len(), "{results:?}");
                for (event, result) in events.iter().zip(&results) {
                    let id = result["notification_id"].as_str().unwrap_or_else(|| panic!("not kept: {result}"));
                    self.stage.acknowledge(event["event"]["id"].as_str().expect("a marker"), id);
                }
                self.stage.longest.fetch_max(start.elapsed().as_millis() as usize, Ordering::Relaxed);
                return results;
            }
            sleep(Duration::from_millis(self.rng.u64(20..300))).await;
        }
    }

    /// Half of it through nginx, half straight to a node.
    fn target(&mut self) -> SocketAddr {
        if self.rng.bool() { self.stage.front } else { self.stage.nodes[self.rng.usize(..self.stage.nodes.len())] }
    }
}

/// The acknowledgement of a webhook, where there is one.
async fn post(client: &reqwest::Client, target: SocketAddr, body: &Value) -> Option<Value> {
    let url = format!("http://{target}/notifications/webhook/zone-port-event");
    let answer = client.post(url).json(body).send().await.ok()?;
    match answer.status().as_u16() {
        200 => answer.json().await.ok(),
        502..=504 => None,
        status => panic!("{status} for {body}: {:?}", answer.text().await),
    }
}
