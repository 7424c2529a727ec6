// The rows of the actors and their charts. Text is set as text only.
// A classic script, as its sibling, which uses what is here.
"use strict";

const SECONDS_SHOWN = 120;
const TONES = { too_small: "critical", slow: "warning", too_large: "pending", too_early: "unknown", fits: "ok" };
const VERDICT = /^(too small|slow|too large|too early to say|fits): /; // what the badge says already
const HIGH = 0.5; // of a mailbox: from here on it is worth a look
const LEAST_HEIGHT = 4; // of 100: one message in a large mailbox is seen too
const rows = new Map(); // actor -> its elements and what was seen of it

function byId(id) {
  return document.getElementById(id);
}

/** Touches nothing that stays the same: what changes may be read out. */
function setText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function element(name, className, parent) {
  const made = document.createElement(name);
  if (className) made.className = className;
  parent.append(made);
  return made;
}

/** Shows text in which backticks mark code. */
function setProse(target, text) {
  target.replaceChildren();
  text.replaceAll(" %", "\u00a0%").split("`").forEach((part, index) => {
    if (index % 2) element("code", "", target).textContent = part;
    else target.append(part);
  });
}

function number(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function time(seconds) {
  if (seconds === 0) return "0";
  if (seconds < 0.001) return `${number(seconds * 1e6)} µs`;
  return seconds < 1 ? `${number(seconds * 1e3)} ms` : `${number(seconds)} s`;
}

/** Of the last minute. */
function times({ p99, max }) {
  return max > 0 ? `p99 ${time(p99)}, max ${time(max)}` : "–";
}

function percent(part) {
  return part > 0 && part < 0.01 ? "<\u00a01\u00a0%" : `${Math.round(part * 100)}\u00a0%`;
}

// ---- Charts: one bar a second, the newest at the right

function draw(svg, bars) {
  const height = svg.viewBox.baseVal.height;
  const paths = {};
  bars.forEach(({ part, tone }, index) => {
    if (!(part > 0)) return;
    const tall = height * Math.max(Math.min(part, 1), LEAST_HEIGHT / 100);
    const left = SECONDS_SHOWN - bars.length + index;
    paths[tone] = `${paths[tone] ?? ""}M${left} ${height}v${-tall}h.9v${tall}z`;
  });
  svg.replaceChildren(...Object.entries(paths).map(([tone, path]) => {
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
    drawn.setAttribute("class", tone);
    drawn.setAttribute("d", path);
    return drawn;
  }));
}

/** Against the largest of them. */
function drawLine(svg, values) {
  const largest = Math.max(...values.map((value) => value ?? 0));
  draw(svg, values.map((value) => ({ part: largest > 0 ? value / largest : 0, tone: "area" })));
}

function drawFilling(svg, peaks, size) {
  draw(svg, peaks.map((peak) => {
    const part = peak / size;
    return { part, tone: part >= 1 ? "full" : part >= HIGH ? "high" : "low" };
  }));
}

// ---- Rows

function newRow(name) {
  const item = element("li", "actor", byId("actors"));
  item.id = `actor-${name}`;
  item.dataset.actor = name;
  const about = element("div", "", item);
  const header = element("header", "", about);
  element("h3", "", header).textContent = name;
  const verdict = element("span", "verdict", header);
  const life = element("span", "life", header);
  const advice = element("p", "advice", about);
  const whenFull = element("p", "quiet", about);
  const filling = element("div", "", item);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of [["class", "chart"], ["viewBox", `0 0 ${SECONDS_SHOWN} 100`], ["preserveAspectRatio", "none"], ["role", "img"]]) {
    svg.setAttribute(key, value);
  }
  const scale = element("p", "scale", filling);
  filling.prepend(svg);
  const now = element("span", "now", scale);
  const size = element("span", "size", scale);
  const figures = element("dl", "figures", item);
  return { item, verdict, life, advice, whenFull, svg, now, size, figures, peaks: [] };
}

/** What an actor is like now; `fresh` is how many of its peaks were not shown before. */
function showActor(actor, fresh) {
  if (!rows.has(actor.actor)) rows.set(actor.actor, newRow(actor.actor));
  const row = rows.get(actor.actor);
  const { recent, recommendation } = actor;
  row.peaks.push(...recent.peaks.slice(Math.max(0, recent.peaks.length - fresh)));
  row.peaks.splice(0, row.peaks.length - SECONDS_SHOWN);

  row.item.dataset.tone = TONES[recommendation.verdict] ?? "unknown";
  row.item.dataset.verdict = recommendation.verdict;
  row.verdict.textContent = recommendation.verdict.replaceAll("_", " ");
  const life = [`${number(actor.living)} alive`];
  if (actor.restarts) life.push(`rebuilt ${number(actor.restarts)} times`);
  if (actor.panics) life.push(`${number(actor.panics)} panics`);
  row.life.textContent = life.join(", ");
  setProse(row.advice, recommendation.text.replace(VERDICT, ""));
  if (recommendation.suggestion) {
    const { key, value } = recommendation.suggestion;
    row.advice.append(": ");
    element("code", "suggestion", row.advice).textContent = `${key} = ${value}`;
  }
  setProse(row.whenFull, `When full: ${actor.when_full}.`);

  const highest = Math.max(0, ...row.peaks);
  drawFilling(row.svg, row.peaks, actor.mailbox);
  row.svg.setAttribute("aria-label", `At most ${highest} of ${actor.mailbox} messages within ${row.peaks.length} seconds`);
  row.now.textContent = `${number(actor.depth)} wait now, at most ${number(highest)} (${percent(highest / actor.mailbox)})`;
  row.size.textContent = `size ${number(actor.mailbox)}`;
  showFigures(row.figures, [
    ["key", actor.key],
    ["refused", number(actor.refused), actor.refused > 0],
    ["handled", `${number(actor.handled)}, ${number(recent.handled)} in a minute`],
    ["waiting", times(recent.waiting)],
    ["handling", times(recent.handling)],
  ]);
}

function showFigures(list, figures) {
  list.replaceChildren();
  for (const [name, value, isLoud] of figures) {
    element("dt", "", list).textContent = name;
    element("dd", isLoud ? "loud" : "", list).textContent = value;
  }
}

function clearRows() {
  rows.clear();
  byId("actors").replaceChildren();
}
