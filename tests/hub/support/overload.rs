//! An actor under more messages than its mailbox holds: whom the page and the metrics name, and whether what they advise is enough.

use lookout::config::Mailbox;
use serde_json::{Value, json};

use super::{Hub, wait_for};

/// What `GET /actors` tells of one kind.
pub fn actor(hub: &Hub, name: &str) -> Value {
    let page = hub.admin("/actors").json();
    let actors = page["actors"].as_array().expect("actors");
    actors.iter().find(|actor| actor["actor"] == name).unwrap_or_else(|| panic!("{name} is missing in {page}")).clone()
}

/// Waits until all kinds were looked at once more.
fn look(hub: &Hub) {
    let looks = || hub.admin("/actors").json()["looks"].as_u64();
    let before = looks();
    wait_for("a look", || (looks() > before).then_some(()));
}

fn figure(hub: &Hub, figure: &str, name: &str) -> f64 {
    hub.metric(&format!("lookout_actor_{figure}{{actor=\"{name}\"}}"))
}

/// A burst within one second, and what is told of the actor once that is over. How many messages were refused comes along.
fn overload(hub: &Hub, name: &str, burst: impl Fn(&Hub) -> usize) -> (usize, Value) {
    // The size of a mailbox counts from the first look at it.
    look(hub);
    let refused = burst(hub);
    wait_for("the mailbox to be empty", || (actor(hub, name)["depth"] == 0).then_some(()));
    look(hub);
    (refused, actor(hub, name))
}

/// Overloads one kind, whose mailbox holds one message, and follows the advice: the page and the metrics name this kind and no
/// other, and with the size that they suggest, taken over by a reload, nothing is too small any more.
pub fn is_named_and_then_large_enough(
    hub: &Hub,
    name: &str,
    size: impl Fn(&mut Mailbox) -> &mut usize,
    burst: impl Fn(&Hub) -> usize,
) {
    let (refused, state) = overload(hub, name, &burst);
    let high_water = state["high_water"].as_u64().expect("a number");
    assert!(high_water >= 1, "{name} was overloaded: {state}");
    assert_eq!((&state["mailbox"], &state["refused"]), (&1.into(), &refused.into()), "{state}");
    assert_eq!(state["recommendation"]["verdict"], "too_small", "{state}");
    let told = [figure(hub, "refused_total", name), figure(hub, "mailbox_high_water", name)];
    assert_eq!(told, [refused as f64, high_water as f64], "{name}");
    assert_eq!(figure(hub, "mailbox_capacity", name), 1.0);

    let page = hub.admin("/actors").json();
    for other in page["actors"].as_array().expect("actors").iter().filter(|other| other["actor"] != name) {
        assert_eq!(other["refused"], 0, "{name} was overloaded: {other}");
        assert_ne!(other["recommendation"]["verdict"], "too_small", "{name} was overloaded: {other}");
        let (other, size) = (other["actor"].as_str().expect("a name"), other["mailbox"].as_f64().expect("a size"));
        assert_eq!(figure(hub, "refused_total", other), 0.0, "{name} was overloaded, not {other}");
        assert!(figure(hub, "mailbox_high_water", other) < size, "{name} was overloaded, not {other}");
    }

    let suggestion = &state["recommendation"]["suggestion"];
    let value = suggestion["value"].as_u64().expect("a value") as usize;
    let key = format!("mailbox.{name}");
    assert_eq!(suggestion["key"], key);
    assert_eq!(hub.reload(|config| *size(&mut config.mailbox) = value), json!([key]));
    let (again, state) = overload(hub, name, &burst);
    assert_eq!(again, 0, "{name}: {value} is enough");
    assert_eq!((&state["mailbox"], &state["refused"]), (&value.into(), &refused.into()), "{state}");
    assert_ne!(state["recommendation"]["verdict"], "too_small", "{state}");
    assert_eq!(figure(hub, "refused_total", name), refused as f64, "{name}");
    assert_eq!(figure(hub, "mailbox_capacity", name), value as f64);
}
