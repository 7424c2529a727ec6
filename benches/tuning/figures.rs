//! What `/metrics` and `GET /actors` tell of one kind of actor over one load.

use serde_json::Value;

use crate::{
    cases::Case,
    support::{Server, wait_for},
};

/// Where the counters stood.
pub struct Glance {
    symptom: f64,
    refused: f64,
    waits: Vec<(f64, f64)>,
    looks: u64,
}

/// What has happened since.
#[derive(Debug, Clone)]
pub struct Figures {
    /// How often it hurt.
    pub symptom: f64,
    /// Messages that found a full mailbox.
    pub refused: f64,
    /// Messages taken out.
    pub handled: f64,
    /// No more than one in a hundred waited longer, seconds; as exact as the buckets of the metric.
    pub wait: f64,
    /// The most that waited in one mailbox.
    pub peak: u64,
    /// What one mailbox holds.
    pub size: u64,
    /// The verdict of the page.
    pub verdict: String,
    /// In its own words.
    pub advice: String,
    /// All whom the page calls too small.
    pub named: Vec<String>,
    suggestion: Value,
}

impl Glance {
    /// Once the size that the mailbox has now was looked at.
    pub fn of(node: &Server, case: &Case) -> Self {
        let looks = look(node);
        Self { symptom: symptom(node, case), refused: figure(node, case, "refused_total"), waits: waits(node, case), looks }
    }

    /// How often it hurt since.
    pub fn symptom_since(&self, node: &Server, case: &Case) -> f64 {
        symptom(node, case) - self.symptom
    }

    /// What has happened until the mailbox was empty again.
    pub fn until_now(self, node: &Server, case: &Case) -> Figures {
        wait_for("an empty mailbox", || (figure(node, case, "mailbox_depth") == 0.0).then_some(()));
        let looks = look(node);
        let actors = actors(node);
        let state = actors.iter().find(|state| state["actor"] == case.actor).expect("the actor");
        let too_small = actors.iter().filter(|state| state["recommendation"]["verdict"] == "too_small");
        let since: Vec<(f64, f64)> =
            waits(node, case).iter().zip(&self.waits).map(|((bound, now), (_, before))| (*bound, now - before)).collect();
        let handled = since.last().expect("buckets").1;
        let peaks = state["recent"]["peaks"].as_array().expect("peaks");
        let seconds = usize::try_from(looks - self.looks).expect("a number").min(peaks.len());
        Figures {
            symptom: self.symptom_since(node, case),
            refused: figure(node, case, "refused_total") - self.refused,
            handled,
            wait: since.iter().find(|(_, count)| *count >= 0.99 * handled).expect("all are in the last bucket").0,
            peak: peaks[peaks.len() - seconds..].iter().filter_map(Value::as_u64).max().expect("a second"),
            size: state["mailbox"].as_u64().expect("a size"),
            verdict: state["recommendation"]["verdict"].as_str().expect("a verdict").to_owned(),
            advice: state["recommendation"]["text"].as_str().expect("a sentence").to_owned(),
            named: too_small.filter_map(|state| state["actor"].as_str()).map(str::to_owned).collect(),
            suggestion: state["recommendation"]["suggestion"].clone(),
        }
    }
}

impl Figures {
    /// The key and the value that the page suggests.
    pub fn suggestion(&self) -> (String, u64) {
        let key = self.suggestion["key"].as_str().unwrap_or_else(|| panic!("nothing is suggested: {self:?}"));
        (key.to_owned(), self.suggestion["value"].as_u64().expect("a value"))
    }
}

/// Waits until all mailboxes were looked at once more.
fn look(node: &Server) -> u64 {
    let looks = || node.admin("/actors").json()["looks"].as_u64().expect("looks");
    let before = looks();
    wait_for("a look", || Some(looks()).filter(|looks| *looks > before))
}

fn actors(node: &Server) -> Vec<Value> {
    node.admin("/actors").json()["actors"].as_array().expect("actors").clone()
}

fn figure(node: &Server, case: &Case, name: &str) -> f64 {
    node.metric(&format!("lookout_actor_{name}{{actor=\"{}\"}}", case.actor))
}

fn symptom(node: &Server, case: &Case) -> f64 {
    case.symptom.map_or(0.0, |name| node.metric(&format!("lookout_{name}")))
}

/// The buckets of its waits: bound and count.
fn waits(node: &Server, case: &Case) -> Vec<(f64, f64)> {
    let text = node.admin("/metrics").text();
    let buckets = text.lines().filter(|line| line.starts_with("lookout_actor_wait_seconds_bucket{"));
    let own = buckets.filter(|line| line.contains(&format!("actor=\"{}\"", case.actor)));
    own.map(|line| {
        let bound = line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a bound");
        let count = line.rsplit(' ').next().expect("a count");
        (bound.parse().unwrap_or(f64::INFINITY), count.parse().expect("a number"))
    })
    .collect()
}

/// As people read it.
pub fn time(seconds: f64) -> String {
    match seconds {
        ..0.001 => format!("{:.0} µs", seconds * 1e6),
        ..1.0 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.0} s"),
    }
}
