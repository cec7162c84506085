/** The dashboard: one message a second, and each part draws what concerns it. */

import { Feed } from "./feed.js";
import { hasToken, rememberToken } from "./access.js";
import { byId, fill, make, text } from "./dom.js";
import { duration } from "./format.js";
import { CallTable } from "./calls.js";
import { drawCost } from "./cost.js";
import { Door } from "./door.js";
import { drawGateway } from "./gateway.js";
import { AnswerChart } from "./answer-chart.js";
import { drawLatency } from "./latency.js";
import { drawSounds } from "./sounds.js";
import { drawTiles } from "./tiles.js";
import { drawTroubles } from "./troubles.js";
import { drawWorkers } from "./workers.js";

const LINKS = { waiting: "Connecting", locked: "Locked", live: "Live", lost: "Reconnecting" };

const calls = new CallTable(byId("calls"), byId("ended"), byId("no-calls"), byId("announcer"));
const chart = new AnswerChart(byId("chart"), byId("no-answers"));

function showLink(state) {
  byId("link-state").dataset.state = state;
  text(byId("link-state"), LINKS[state]);
}

function show(snapshot) {
  showLink("live");
  door.close();
  byId("figures").hidden = false;
  const warnings = byId("warnings");
  warnings.hidden = !snapshot.warnings.length;
  fill(warnings, snapshot.warnings, (warning) => warning, (warning) => make("li", {}, warning));
  drawWorkers(snapshot.worker);
  drawTiles(snapshot);
  calls.draw(snapshot);
  chart.draw(snapshot);
  drawLatency(snapshot);
  drawTroubles(snapshot);
  drawSounds(snapshot);
  drawGateway(snapshot.gateway);
  drawCost(snapshot);
  const providers = Object.entries(snapshot.providers).map(([role, name]) => `${role} ${name}`);
  text(byId("foot"), [`Up ${duration(snapshot.up_secs)}`, ...providers].join(" · "));
}

const door = new Door((token) => {
  rememberToken(token);
  showLink("waiting");
  feed.start();
});

const feed = new Feed("api/events", {
  message: show,
  lost: () => showLink("lost"),
  refused: (why) => {
    showLink("locked");
    byId("figures").hidden = true;
    door.open(why, hasToken());
    rememberToken("");
  },
});
feed.start();
