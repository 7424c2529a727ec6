// The rows of the test client: one for each notification, newest first, drawn from what anybody may have sent.
// Apart from the stream, so that the rule "everything becomes text" can be checked in one place.
"use strict";

const MAX_ROWS = 500;
const SEVERITIES = ["OK", "UNKNOWN", "WARNING", "CRITICAL", "PENDING"];
const CHECKS = ["ship_sanctions", "company_sanctions", "country_sanctions", "ship_movement", "psc"];
const STATUS_WORDS = {
  done: "screened",
  pending: "screening under way",
  skipped: "left out of screening",
  failed: "screening failed",
  timed_out: "screening timed out",
};
const MATCH_WORDS = { imo: "IMO", mmsi: "MMSI", call_sign: "call sign", name: "name" };

const rows = new Map(); // notification_id -> row, the oldest first

// ---- Small tools

const byId = (id) => document.getElementById(id);

/** A new element; strings become text, never markup. */
function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Leaves unchanged text alone, so that a screen reader does not say it again. */
function setText(id, text) {
  const target = byId(id);
  if (target.textContent !== text) target.textContent = text;
}

const objectOf = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value : {});
const arrayOf = (value) => (Array.isArray(value) ? value : []);

/** Any JSON value as text; empty where there is nothing to show. */
function textOf(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value).trim();
}

const words = (name) => name.replaceAll("_", " ");

/** What a table says for a name, else the name itself. */
function wordsFor(table, name) {
  const text = textOf(name);
  return Object.hasOwn(table, text) ? table[text] : words(text);
}

const clock = (at) => new Date(at).toISOString().slice(11, 19) + " UTC";

function timeElement(value) {
  const at = new Date(typeof value === "string" ? value : NaN);
  if (Number.isNaN(at.getTime())) return element("span", "quiet", textOf(value) || "unknown");
  const made = element("time", "", at.toISOString().slice(0, 19).replace("T", " ") + " UTC");
  made.dateTime = at.toISOString();
  made.title = "local time: " + at.toLocaleString();
  return made;
}

/** Indented JSON with every number as it was sent; the text itself where the browser cannot keep numbers. */
function pretty(text) {
  if (!JSON.rawJSON) return text;
  const keepNumbers = (_key, value, context) => (typeof value === "number" ? JSON.rawJSON(context.source) : value);
  return JSON.stringify(JSON.parse(text, keepNumbers), null, 2);
}

// ---- The list

function showNotification(message, raw) {
  const row = rowOf(message);
  row.notification = message;
  row.rawNotification = raw;
  toTop(row);
  render(row);
}

function showUpdate(message, raw) {
  const row = rowOf(message);
  row.update = message;
  row.rawUpdate = raw;
  if (!row.item.isConnected) toTop(row);
  render(row);
  row.item.classList.add("fresh");
}

/** One row for each notification id, whatever is sent for it and however often. */
function rowOf(message) {
  const id = textOf(message.notification_id);
  return rows.get(id) ?? makeRow(id);
}

function makeRow(id) {
  const row = { id, notification: null, update: null, rawNotification: "", rawUpdate: "" };
  row.content = element("div", "content");
  row.raw = element("pre", "code");
  row.raw.tabIndex = 0;
  row.details = element("details", "raw", element("summary", "", "Raw JSON"), row.raw);
  row.details.addEventListener("toggle", () => renderRaw(row));
  row.item = element("li", "row", row.content, row.details);
  row.item.dataset.notificationId = id;
  return row;
}

/** A replay comes in the order of the log, so moving what is sent again keeps the list in that order too. */
function toTop(row) {
  rows.delete(row.id);
  rows.set(row.id, row);
  byId("list").prepend(row.item);
  if (rows.size > MAX_ROWS) {
    const [oldest] = rows.values();
    oldest.item.remove();
    rows.delete(oldest.id);
  }
  describeList();
}

function clearRows() {
  rows.clear();
  byId("list").replaceChildren();
  describeList();
}

function describeList() {
  byId("empty").hidden = rows.size > 0;
  setText("shown", rows.size < MAX_ROWS ? `${rows.size} shown` : `the newest ${MAX_ROWS} shown`);
}

function render(row) {
  const message = row.notification ?? row.update;
  const data = objectOf(row.notification?.data);
  const vessel = objectOf(data.vessel);
  const results = objectOf(row.update?.data).screening_results ?? data.screening_results ?? null;
  const { tone, word } = severityOf(results);
  row.item.dataset.severity = tone;

  const title = row.notification ? textOf(vessel.name) || "Vessel without a name" : "Result for an earlier notification";
  const head = element("div", "row-head", element("span", "severity", word), element("h3", "", title));
  if (row.update) head.append(element("span", "updated", "updated ", timeElement(row.update.timestamp)));
  row.content.replaceChildren(head);
  if (row.notification) {
    row.content.append(eventLine(data), identityLine(vessel, objectOf(data.normalised)));
  } else {
    row.content.append(element("p", "event", "Its notification is not in this list."));
  }
  row.content.append(screeningPart(results), factsOf(row, message, data));
  renderRaw(row);
}

/** No result at all is a word of its own: it must never pass for a clean one. */
function severityOf(results) {
  if (results === null) return { tone: "none", word: "NOT SCREENED" };
  const word = textOf(objectOf(results).overall_severity) || "UNKNOWN";
  return { tone: SEVERITIES.includes(word) ? word.toLowerCase() : "unknown", word };
}

function eventLine(data) {
  const event = objectOf(data.event);
  const line = element("p", "event", element("b", "", words(textOf(event.type)) || "event of unknown type"));
  const place = placeOf(data);
  if (place) line.append(" · ", place);
  if (textOf(event.provider_type)) line.append(" ", element("span", "quiet", `(provider: ${textOf(event.provider_type)})`));
  return line;
}

/** Providers name the zone or port in many places; the first thing that is called so is shown. */
function placeOf(value, parent = "", depth = 0) {
  if (value === null || typeof value !== "object" || depth > 6) return "";
  const entries = Object.entries(value);
  for (const [key, inner] of entries) {
    const named = /^(zone|port|area|berth|anchorage|geofence)(_?name)?$/i.test(key);
    const nameOfPlace = key === "name" && /^(zone|port|area|berth|anchorage|geofence)|Port$|Zone$/i.test(parent);
    if ((named || nameOfPlace) && typeof inner === "string" && inner.trim()) return inner;
  }
  for (const [key, inner] of entries) {
    const found = ["vessel", "screening_results", "normalised"].includes(key) ? "" : placeOf(inner, key, depth + 1);
    if (found) return found;
  }
  return "";
}

function identityLine(vessel, normalised) {
  const line = element("p", "identity");
  const add = (label, value) => line.append(element("span", "", element("span", "quiet", label + " "), value));
  for (const [label, key] of [["IMO", "imo"], ["MMSI", "mmsi"], ["call sign", "call_sign"]]) {
    const usable = textOf(normalised[key]);
    const sent = textOf(vessel[key]);
    if (usable) add(label, usable);
    else if (sent) add(label, `${sent} (as sent, not usable)`);
  }
  if (textOf(vessel.flag)) add("flag", textOf(vessel.flag));
  if (!line.hasChildNodes()) line.append(element("span", "quiet", "no IMO, MMSI, call sign or flag"));
  return line;
}

function screeningPart(results) {
  if (results === null) return element("p", "screening", "Screening was not asked for: this says nothing about the vessel.");
  const { status, reason, hits, ...rest } = objectOf(results);
  const unanswered = status === "done" && rest.overall_severity === "UNKNOWN";
  const line = element("p", "screening", unanswered ? "screening gave no answer" : wordsFor(STATUS_WORDS, status));
  if (textOf(reason)) line.append(` (${words(textOf(reason))})`);
  const checked = CHECKS.filter((check) => textOf(rest[check]));
  for (const check of checked) line.append(" · ", `${words(check)} ${textOf(rest[check])}`);
  const open = CHECKS.filter((check) => !checked.includes(check));
  if (checked.length && open.length) line.append(" · ", element("span", "quiet", `not checked: ${open.map(words).join(", ")}`));
  const part = element("div", "", line);
  if (arrayOf(hits).length) part.append(element("ul", "hits", ...hits.map((hit) => hitItem(objectOf(hit)))));
  return part;
}

function hitItem(hit) {
  const item = element("li", "", element("b", "", textOf(hit.name) || textOf(hit.entity_id)), " ");
  if (hit.matched_on === "name") item.append(element("span", "possible", "possible"), " ");
  const more = [...arrayOf(hit.topics), ...arrayOf(hit.programs)].map(textOf).join(", ");
  const score = textOf(hit.score) && `score ${textOf(hit.score)}`;
  const match = `matched on ${wordsFor(MATCH_WORDS, hit.matched_on)}`;
  item.append([match, textOf(hit.list) && `list ${textOf(hit.list)}`, score, more].filter(Boolean).join(" · "));
  if (/^https?:\/\//i.test(textOf(hit.url))) {
    const link = element("a", "", "source");
    link.href = hit.url;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    item.append(" · ", link);
  }
  return item;
}

function factsOf(row, message, data) {
  const facts = element("dl", "times");
  const add = (label, value) => facts.append(element("div", "", element("dt", "", label), element("dd", "", value)));
  if (row.notification) {
    add("Event", timeElement(objectOf(data.normalised).event_time));
    add("Received", timeElement(data.received_at));
  }
  add("Owner", textOf(message.user_id) || element("span", "quiet", "nobody"));
  add("Id", element("span", "code", row.id));
  return facts;
}

/** Only rows that somebody has opened pay for their raw text. */
function renderRaw(row) {
  if (!row.details.open) return;
  row.raw.textContent = [row.rawNotification, row.rawUpdate].filter(Boolean).map(pretty).join("\n\n");
}
