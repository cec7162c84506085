/** A call's page: asks for what is new once a second, until the call is over. */

import { ask, hasToken, Refused, rememberToken } from "./access.js";
import { CallRecord } from "./call-record.js";
import { byId, fill, make, set, text } from "./dom.js";
import { Door } from "./door.js";
import { capital, count, duration, millis, NONE } from "./format.js";
import { STATE_COLOURS } from "./lanes.js";
import { lineQuality, shownState, stateName } from "./names.js";
import { Story } from "./story.js";
import { Timeline } from "./timeline.js";

const PERIOD_MS = 1000;
const RETRY_MS = 2000;

const id = decodeURIComponent(location.pathname.split("/").at(-1));
const record = new CallRecord();
const timeline = new Timeline(byId("timeline"), byId("follow"), byId("whole"));
const story = new Story(byId("story"), byId("everything"), byId("no-story"), (ms) => timeline.lookAt(ms));
const door = new Door((token) => {
  rememberToken(token);
  follow();
});

function showLink(state, words) {
  byId("link-state").dataset.state = state;
  text(byId("link-state"), words);
}

async function follow() {
  try {
    if (!document.hidden || !record.summary) {
      const response = await ask(`api/calls/${encodeURIComponent(id)}?${record.query}`);
      take(await response.json());
    }
    if (!record.isOver) setTimeout(follow, PERIOD_MS);
  } catch (error) {
    if (error instanceof Refused && error.needsToken) {
      showLink("locked", "Locked");
      byId("figures").hidden = true;
      door.open(error, hasToken());
      rememberToken("");
    } else if (error instanceof Refused && error.status === 404) {
      byId("missing").hidden = Boolean(record.summary);
      showLink("lost", record.summary ? "The bot has forgotten this call" : "Not found");
    } else {
      showLink("lost", "Reconnecting");
      setTimeout(follow, RETRY_MS);
    }
  }
}

function take(answer) {
  // After a restart the bot counts from 1 again: another call has this number.
  if (record.summary && record.summary.began_at !== answer.began_at) return location.reload();
  const changed = record.take(answer);
  door.close();
  byId("figures").hidden = false;
  showLink(record.isOver ? "over" : "live", record.isOver ? "Over" : "Live");
  text(byId("title"), `Call ${record.summary.id}`);
  document.title = `Call ${record.summary.id} · Parley dashboard`;
  drawFacts(record.summary);
  timeline.draw(record);
  if (changed) story.draw(record);
}

function drawFacts(call) {
  const { grade, facts } = lineQuality(call.quality);
  const failed = Object.values(call.failures).reduce((sum, number) => sum + number, 0);
  const rows = [
    ["State", stateName(shownState(call))],
    ["Began", new Date(call.began_at * 1000).toLocaleTimeString("en-GB")],
    [record.isOver ? "Lasted" : "Lasts", duration(call.secs)],
    ["Answers", failed ? `${count(call.answers)}, ${count(failed)} failed` : count(call.answers)],
    ["Last answer", millis(call.answer_ms)],
    ["Connection", grade === "unknown" ? NONE : `${capital(grade)}: ${facts}`],
    ...Object.entries(call.vendors).map(([role, name]) => [role.toUpperCase(), name]),
    ...(record.isOver ? [["Ended", capital(call.end_reason)]] : []),
  ];
  fill(
    byId("facts"),
    rows,
    ([name]) => name,
    ([name]) => make("div", {}, make("dt", {}, name), make("dd")),
    (made, [, value]) => text(made.lastChild, value),
  );
  set(byId("follow"), "hidden", record.isOver);
}

fill(
  byId("legend"),
  Object.keys(STATE_COLOURS),
  (state) => state,
  (state) => {
    const swatch = make("i", { class: "swatch", "data-state-colour": state, "aria-hidden": "true" });
    return make("li", {}, swatch, stateName(state));
  },
);
follow();
