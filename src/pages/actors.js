// The page of the actors: keeps the stream of snapshots open and shows the newest.
"use strict";

const STREAM_PATH = "actors/stream";
const SILENT_AFTER_MS = 4_000; // one snapshot a second
const RETRY_MS = 5_000;
const URGENT = ["too_small", "slow"];

const seen = { last: null, at: 0, connections: [], deliveries: [], latency: [] };

// ---- The stream

function showState(state, text) {
  byId("state").dataset.state = state;
  setText("state-word", state);
  setText("state-text", text);
}

function open() {
  showState("connecting", "");
  const source = new EventSource(STREAM_PATH);
  source.onmessage = (event) => receive(JSON.parse(event.data));
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) {
      // The browser does not come back to a refusal by itself.
      showState("refused", "There are too many viewers, or this is no Lookout. Next try in a few seconds.");
      setTimeout(open, RETRY_MS);
    } else {
      showState("reconnecting", "The node does not answer.");
    }
  };
}

function receive(snapshot) {
  if (seen.last && snapshot.uptime_s < seen.last.uptime_s) startAnew();
  const { last } = seen;
  const fresh = last ? snapshot.looks - last.looks : snapshot.looks;
  seen.at = Date.now();
  showState("live", `up ${age(snapshot.uptime_s)}`);
  showNode(snapshot, last);
  snapshot.actors.forEach((actor) => showActor(actor, fresh));
  showSummary(snapshot);
  seen.last = snapshot;
}

/** Another process answers: what was seen of the old one says nothing about it. */
function startAnew() {
  Object.assign(seen, { last: null, connections: [], deliveries: [], latency: [] });
  clearRows();
}

function age(seconds) {
  const [days, hours, minutes] = [seconds / 86_400, (seconds / 3_600) % 24, (seconds / 60) % 60].map(Math.floor);
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

// ---- The node

function showNode(snapshot, last) {
  remember("connections", snapshot.connections);
  setText("connections", number(snapshot.connections));
  setText("connections-note", `at most ${number(Math.max(...seen.connections))} in two minutes`);
  setText("deliveries-note", `${number(snapshot.delivered)} since the start`);
  if (last) {
    const rate = (snapshot.delivered - last.delivered) / (snapshot.uptime_s - last.uptime_s);
    remember("deliveries", rate);
    setText("deliveries", number(rate));
    const count = snapshot.broadcasts.count - last.broadcasts.count;
    remember("latency", count > 0 ? (snapshot.broadcasts.seconds - last.broadcasts.seconds) / count : null);
  }
  const known = seen.latency.findLast((value) => value !== null);
  setText("latency", known === undefined ? "–" : time(known));
  setText("latency-note", known === undefined ? "no broadcast yet" : "mean of a second's broadcasts");
}

function remember(name, value) {
  seen[name].push(value);
  seen[name].splice(0, seen[name].length - SECONDS_SHOWN);
  drawLine(byId(`${name}-chart`), seen[name]);
}

/** What must be seen to: a node that is not ready before all else, then actors by name. */
function showSummary({ reasons, warnings, actors }) {
  const urgent = actors.filter((actor) => URGENT.includes(actor.recommendation.verdict) || (actor.living === 0 && actor.actor !== "session"));
  const critical = reasons.length || urgent.some((actor) => actor.recommendation.verdict !== "slow");
  byId("summary").dataset.tone = critical ? "critical" : urgent.length || warnings.length ? "warning" : "ok";
  const told = [];
  if (reasons.length) told.push("This node is not ready.");
  if (urgent.length) told.push(`Look at ${urgent.length} of ${actors.length} actors`);
  setText("summary-word", told.join(" ") || "Every mailbox holds what comes.");
  byId("summary-list").replaceChildren(...[...reasons, ...warnings].map((word) => item(word)), ...urgent.map((actor) => {
    const link = document.createElement("a");
    link.href = `#actor-${actor.actor}`;
    link.textContent = actor.actor;
    return item(link, actor.living === 0 && actor.actor !== "session" ? ": none is alive" : `: ${actor.recommendation.text}`);
  }));
}

function item(...content) {
  const made = document.createElement("li");
  made.append(...content);
  return made;
}

setInterval(() => {
  if (byId("state").dataset.state === "live" && Date.now() - seen.at > SILENT_AFTER_MS) {
    showState("silent", "No figures for some seconds: what is shown is old.");
  }
}, 1_000);
open();
