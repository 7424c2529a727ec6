//! Where a hub can be reached, and what is asked there.

use std::net::SocketAddr;

use serde_json::Value;

use super::{
    http::{Answer, Client},
    reader::{Connecting, Reader},
    wait_for,
};

/// The route of the webhook.
const WEBHOOK: &str = "/notifications/webhook/zone-port-event";

/// The three listeners of a hub.
#[derive(Debug, Clone, Copy)]
pub struct Doors {
    /// Streams, history, the page.
    pub public: SocketAddr,
    /// The webhook.
    pub ingest: SocketAddr,
    /// Health and metrics.
    pub admin: SocketAddr,
}

impl Doors {
    /// Posts a webhook.
    pub fn post(&self, body: impl serde::Serialize) -> Answer {
        self.post_bytes(&serde_json::to_vec(&body).expect("a body"), &[])
    }

    /// Posts a webhook that is kept, and gives its notification id.
    pub fn post_kept(&self, event: impl serde::Serialize) -> String {
        let json = self.post(event).assert_success();
        json["notification_id"].as_str().unwrap_or_else(|| panic!("no notification id in {json}")).to_owned()
    }

    /// Posts exact bytes to the webhook, with further headers.
    pub fn post_bytes(&self, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let mut client = self.sender().expect("a connection");
        post(&mut client, body, headers).expect("an answer to the webhook")
    }

    /// A connection on which the server has taken a webhook on, of which not one byte has been sent yet: it was asked
    /// whether to go on, and has said so.
    pub fn webhook_under_way(&self, length: usize) -> Client {
        let mut client = self.sender().expect("a connection");
        let length = length.to_string();
        client.begin("POST", WEBHOOK, &[("Expect", "100-continue"), ("Content-Length", &length)]).expect("a head is sent");
        assert_eq!(client.answer(true).expect("an invitation").status(), 100);
        client
    }

    /// A connection to the webhook.
    pub fn sender(&self) -> std::io::Result<Client> {
        Client::connect(self.ingest)
    }

    /// Asks the public listener.
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// Asks the public listener with any method.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.public, method, path, headers)
    }

    /// Asks the admin listener.
    pub fn admin(&self, path: &str) -> Answer {
        ask(self.admin, "GET", path, &[])
    }

    /// Asks the admin listener with any method.
    pub fn ask_admin(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.admin, method, path, headers)
    }

    /// A page of history for the user of the default configuration.
    pub fn history(&self, query: &str) -> Value {
        self.get(&format!("/notifications/zone-port-notifications?user_id=test_user{query}")).assert_success()
    }

    /// A stream for this user, about to be asked for.
    pub fn stream(&self, user: &str) -> Connecting {
        Connecting::new(self.public, user)
    }

    /// An open stream for this user, live from now on.
    pub fn reader(&self, user: &str) -> Reader {
        self.stream(user).connect()
    }

    /// A metric, its values under all labels added up; 0 where it has never been counted.
    pub fn metric(&self, name: &str) -> f64 {
        let answer = self.admin("/metrics");
        assert_eq!(answer.status(), 200);
        let text = answer.text();
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            if !rest.starts_with(['{', ' ']) {
                return None;
            }
            Some(rest.rsplit_once(' ')?.1.parse::<f64>().expect("a metric is a number"))
        });
        values.sum()
    }

    /// Waits until a metric is this.
    pub fn wait_for_metric(&self, name: &str, value: f64) {
        wait_for(&format!("{name} = {value}"), || (self.metric(name) == value).then_some(()));
    }
}

/// Posts exact bytes to the webhook over a connection that may be used again.
pub fn post(client: &mut Client, body: &[u8], headers: &[(&str, &str)]) -> std::io::Result<Answer> {
    let mut all = vec![("Content-Type", "application/json")];
    all.retain(|(name, _)| !headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
    all.extend_from_slice(headers);
    client.request("POST", WEBHOOK, &all, body)
}

fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    Client::connect(address).and_then(|mut client| client.request(method, path, headers, b"")).expect("an answer")
}
