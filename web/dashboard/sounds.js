/** Verdicts on sounds over the bot's voice, and those among them that were wrong, or no interruption. */

import { byId, cell, fill, make, row, set, text } from "./dom.js";
import { count, known, millis } from "./format.js";
import { verdictName } from "./names.js";

export function drawSounds({ interruptions, decisions }) {
  const verdicts = Object.keys(interruptions);
  byId("no-sounds").hidden = verdicts.length > 0;
  byId("sounds").hidden = !verdicts.length;
  fill(
    byId("verdicts"),
    verdicts,
    (name) => name,
    (name) => {
      const made = row(["name", "right", "wrong", "open"]);
      made.dataset.testid = `verdict-${name}`;
      cell(made, "name").append(verdictName(name));
      for (const number of ["right", "wrong", "open"]) set(cell(made, number), "class", "number");
      return made;
    },
    (made, name) => {
      for (const number of ["right", "wrong", "open"]) text(cell(made, number), count(interruptions[name][number]));
      set(cell(made, "wrong"), "data-tone", interruptions[name].wrong ? "bad" : null);
    },
  );
  const keyOf = ({ call, sound_id, wrong, verdict }) => `${call} ${sound_id} ${wrong} ${verdict}`;
  fill(byId("decisions"), decisions, keyOf, drawDecision);
}

function drawDecision(decision) {
  const right = decision.wrong ? ["wrong", "Was wrong"] : ["right", "Was right"];
  const [tone, mark] = decision.wrong === null ? ["open", "Too early to tell"] : right;
  const outcome = { taken_back: "The reply went on", lost: "The reply was lost" }[decision.outcome];
  const said = decision.text ? `“${decision.text}”` : "No words";
  const facts = [
    known(decision.sound_ms) ? `sound ${millis(decision.sound_ms)}` : "",
    known(decision.verdict_ms) ? `decided after ${millis(decision.verdict_ms)}` : "",
    known(decision.silence_ms) ? `voice silent for ${millis(decision.silence_ms)}` : "",
    outcome ?? "",
  ].filter(Boolean);
  return make(
    "li",
    { "data-review": tone, "data-testid": `decision-${decision.call}-${decision.sound_id}` },
    make(
      "p",
      { class: "decision-title" },
      make("b", {}, verdictName(decision.verdict)),
      make("span", { class: "mark" }, mark),
    ),
    make("p", {}, `${said} · ${decision.reason}`),
    make(
      "p",
      { class: "fine" },
      make("a", { href: `dashboard/calls/${encodeURIComponent(decision.call)}` }, `Call ${decision.call}`),
      ` · ${facts.join(" · ")}`,
    ),
  );
}
