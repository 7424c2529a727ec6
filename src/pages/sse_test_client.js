// The test client: keeps one stream open whatever happens to it.
// Like its siblings a classic script, no module: so the page also works when it is opened from a disk.
"use strict";

const STREAM_PATH = "/notifications/zone-port-events/stream";
const SETTINGS_KEY = "lookout.test-client";
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
const PROBE_TIMEOUT_MS = 5_000;
const LEAST_PATIENCE_MS = 60_000; // two heartbeats as a server sends them by default
const MOST_PATIENCE_MS = 600_000;
const PATIENCE_IN_GAPS = 2.5;
const MESSAGE_TYPES = [
  "connection_established", "heartbeat", "zone_port_notification", "screening_update", "replay_gap", "caught_up",
  "session_ended",
];
const GAP_REASONS = {
  unknown_id: "The server does not know the last position of this page",
  pruned: "The server no longer keeps what followed the last position of this page",
  other_epoch: "The server has another log than the one this page was reading",
};

const stream = {
  source: null,
  identity: "",
  url: null,
  position: "",
  lastMessageAt: 0,
  longestGap: 0,
  delay: FIRST_DELAY_MS,
  retryAt: 0,
  retryTimer: 0,
  probe: null,
};
const counters = new Map(); // message type -> table cell

// ---- The stream

function showState(state, text) {
  byId("state").dataset.state = state;
  setText("state-word", state);
  setText("state-text", text);
  byId("disconnect").disabled = state === "disconnected";
}

function streamUrl() {
  const url = new URL(serverUrl() + STREAM_PATH);
  url.searchParams.set("user_id", byId("user").value);
  if (byId("own").checked) url.searchParams.set("scope", "own");
  return url;
}

function connect() {
  hangUp();
  stream.url = streamUrl();
  if (stream.identity !== stream.url.href) {
    // Positions and rows of another server, user or scope say nothing about this stream.
    stream.identity = stream.url.href;
    stream.position = "";
    stream.lastMessageAt = 0;
    stream.longestGap = 0;
    clearPage();
  }
  stream.delay = FIRST_DELAY_MS;
  showState("connecting", `Opening the stream of ${stream.url.searchParams.get("user_id")} at ${serverUrl()}.`);
  open();
}

function disconnect() {
  hangUp();
  showState("disconnected", "Closed here. Connect continues behind the last position.");
  byId("connect").focus();
}

function hangUp() {
  clearTimeout(stream.retryTimer);
  stream.retryAt = 0;
  stream.probe?.abort();
  stream.source?.close();
  stream.source = null;
}

function open() {
  stream.retryAt = 0;
  if (stream.position) stream.url.searchParams.set("last_event_id", stream.position);
  const source = new EventSource(stream.url);
  stream.source = source;
  source.onopen = () => {
    stream.lastMessageAt = Date.now(); // the silence before it was no silence of this connection
    showState("connected", `Reading as ${stream.url.searchParams.get("user_id")}.`);
  };
  source.onmessage = receive;
  source.onerror = () => {
    if (source.readyState === EventSource.CONNECTING) {
      showState("reconnecting", "There is no connection. The browser keeps trying.");
    } else {
      retryLater(source);
    }
  };
  tick();
}

/** The browser has given up on this source: says why, and opens another one after a while. */
async function retryLater(source) {
  source.close();
  const { state, text } = await askWhy(stream.url);
  if (stream.source !== source) return; // disconnected, or connected anew, while asking
  showState(state, text);
  stream.retryAt = Date.now() + stream.delay;
  stream.retryTimer = setTimeout(open, stream.delay);
  stream.delay = Math.min(stream.delay * 2, LONGEST_DELAY_MS);
  tick();
}

/** EventSource does not tell what the server answered, a second request does. */
async function askWhy(url) {
  const probe = new AbortController();
  const timeout = setTimeout(() => probe.abort(), PROBE_TIMEOUT_MS);
  stream.probe = probe;
  try {
    const answer = await fetch(url, { signal: probe.signal, cache: "no-store" });
    if (answer.ok) return { state: "reconnecting", text: "The stream had ended; the server is there again." };
    return { state: "refused", text: `${answer.status}: ${await errorMessage(answer)}` };
  } catch {
    return { state: "reconnecting", text: "The server cannot be reached, or does not let this page read it." };
  } finally {
    clearTimeout(timeout);
    probe.abort(); // where the answer is a stream after all, it must not stay open
  }
}

async function errorMessage(answer) {
  const text = await answer.text();
  try {
    return textOf(objectOf(JSON.parse(text)).message) || text;
  } catch {
    return text || answer.statusText;
  }
}

const patience = () => Math.min(Math.max(LEAST_PATIENCE_MS, PATIENCE_IN_GAPS * stream.longestGap), MOST_PATIENCE_MS);

/** A silence beyond our patience was a sleep, or the server's habit: it counts as that patience, so we learn but slowly. */
function learnGap(silence) {
  stream.longestGap = Math.max(stream.longestGap, Math.min(silence, patience()));
}

/** After a sleep, or where the network forgot it, a connection is dead and EventSource is told nothing: silence tells. */
function reopenIfSilent(now) {
  if (stream.source?.readyState !== EventSource.OPEN) return;
  const silence = now - stream.lastMessageAt;
  if (silence <= patience()) return;
  learnGap(silence);
  hangUp();
  showState("reconnecting", `Nothing came for ${Math.round(silence / 1000)} s. Opening the stream again behind the last position.`);
  open();
}

function receive(event) {
  const now = Date.now();
  if (stream.lastMessageAt) learnGap(now - stream.lastMessageAt);
  stream.lastMessageAt = now;
  if (event.lastEventId) stream.position = event.lastEventId;
  let message = {};
  try {
    message = objectOf(JSON.parse(event.data));
  } catch {
    // Counted below as what it is.
  }
  const type = typeof message.type === "string" ? message.type : "(unreadable)";
  count(type);
  switch (type) {
    case "connection_established":
      stream.delay = FIRST_DELAY_MS;
      break;
    case "zone_port_notification":
      showNotification(message, event.data);
      break;
    case "screening_update":
      showUpdate(message, event.data);
      break;
    case "replay_gap":
      showGap(message);
      break;
    case "caught_up":
      setText("caught-up", `at ${clock(Date.now())}, ${textOf(message.replayed)} sent again`);
      break;
  }
  tick();
}

function showGap(message) {
  const reason = wordsFor(GAP_REASONS, message.reason);
  const kept = message.oldest ? `What is still kept follows, from ${textOf(message.oldest)}.` : "Nothing older is kept.";
  setText("gap-text", `${reason} (${clock(Date.now())}). ${kept}`);
  byId("gap").hidden = false;
}

function count(type) {
  if (!counters.has(type)) {
    const cell = element("td", "", "0");
    const name = element("th", MESSAGE_TYPES.includes(type) ? "" : "strange", type);
    name.scope = "row";
    byId("counters").append(element("tr", "", name, cell));
    counters.set(type, cell);
  }
  const cell = counters.get(type);
  cell.textContent = String(Number(cell.textContent) + 1);
}

function clearPage() {
  clearRows();
  byId("gap").hidden = true;
  setText("caught-up", "not needed yet");
  byId("counters").replaceChildren();
  counters.clear();
  for (const type of MESSAGE_TYPES) {
    count(type);
    counters.get(type).textContent = "0";
  }
}

/** What changes with time alone. */
function tick() {
  const now = Date.now();
  const ago = Math.max(0, Math.round((now - stream.lastMessageAt) / 1000));
  setText("last-message", stream.lastMessageAt ? `${clock(stream.lastMessageAt)}, ${ago} s ago` : "none yet");
  setText("position", stream.position || "none yet");
  for (const part of document.querySelectorAll(".retry")) part.hidden = !stream.retryAt;
  setText("retry", `in ${Math.max(0, Math.ceil((stream.retryAt - now) / 1000))} s`);
}

// ---- Settings

/** Where this page came from; the default address of a server where it was opened from a disk. */
function ownServer() {
  return location.protocol === "file:" ? "http://127.0.0.1:8000" : new URL(".", location.href).href.replace(/\/+$/, "");
}

function serverUrl() {
  const url = new URL(byId("server").value);
  return url.origin + url.pathname.replace(/\/+$/, "");
}

function loadSettings() {
  let saved = {};
  try {
    saved = objectOf(JSON.parse(localStorage.getItem(SETTINGS_KEY)));
  } catch {
    // Storage is denied or holds something else: the defaults do.
  }
  byId("user").value = textOf(saved.user) || "test_user";
  byId("server").value = textOf(saved.server) || ownServer();
  byId("own").checked = saved.own === true;
  byId("auto-screen").checked = saved.autoScreen !== false;
}

function saveSettings() {
  const server = byId("server").value;
  const settings = {
    user: byId("user").value,
    server: server === ownServer() ? "" : server,
    own: byId("own").checked,
    autoScreen: byId("auto-screen").checked,
  };
  try {
    localStorage.setItem(SETTINGS_KEY, JSON.stringify(settings));
  } catch {
    // Denied: the page works, it only forgets.
  }
}

function start() {
  loadSettings();
  restoreSample();
  clearPage();
  const wide = matchMedia("(min-width: 60rem)").matches;
  for (const id of ["counts", "sample"]) byId(id).open = wide; // on a phone the list comes first
  const on = (id, event, run) => byId(id).addEventListener(event, run);
  const onSubmit = (id, run) =>
    on(id, "submit", (event) => {
      event.preventDefault();
      run();
    });
  onSubmit("connect-form", connect);
  onSubmit("sample-form", postSample);
  on("disconnect", "click", disconnect);
  on("clear", "click", clearPage);
  on("restore", "click", restoreSample);
  on("gap-dismiss", "click", () => (byId("gap").hidden = true));
  for (const id of ["user", "server", "own", "auto-screen"]) on(id, "change", saveSettings);
  for (const id of ["user", "auto-screen"]) on(id, "input", writeReference);
  setInterval(() => {
    reopenIfSilent(Date.now());
    tick();
  }, 1_000);
}

start();
