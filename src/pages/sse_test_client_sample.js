// The sample webhook of the test client: sets a notification off, so that somebody who only has this page sees one come.
"use strict";

const WEBHOOK_PATH = "/notifications/webhook/zone-port-event";
const SAMPLE = {
  custom_reference: "",
  vessel: { imo: "1234567", name: "SAMPLE TRADER", mmsi: "636999900", call_sign: "A8ZZ9", flag: "Liberia" },
  event: { type: "zone_entry", zone_name: "Sample Anchorage" },
};

function writeReference() {
  let body;
  try {
    body = JSON.parse(byId("body").value);
  } catch {
    return; // half-typed JSON is the user's own
  }
  if (objectOf(body) !== body) return;
  body.custom_reference = `${byId("user").value}|${byId("auto-screen").checked}`;
  byId("body").value = JSON.stringify(body, null, 2);
}

function restoreSample() {
  byId("body").value = JSON.stringify(SAMPLE);
  writeReference();
}

async function postSample() {
  byId("post").disabled = true;
  setText("answer-status", "Posting …");
  byId("answer").hidden = true;
  try {
    // No Content-Type of ours: as plain text a page of another origin may post without asking first.
    const answer = await fetch(serverUrl() + WEBHOOK_PATH, { method: "POST", body: byId("body").value });
    const text = await answer.text();
    setText("answer-status", `${answer.ok ? "Accepted" : "Not accepted"}: ${answer.status} ${answer.statusText}`);
    setText("answer", text);
    byId("answer").hidden = !text;
  } catch {
    setText("answer-status", "No answer: the server cannot be reached, or does not let this page read it.");
  }
  byId("post").disabled = false;
}
