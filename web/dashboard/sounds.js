/** Verdicts on sounds over the bot's voice, and the cards of those that were none, or were regretted. */

import { byId, cell, fill, make, row, set, text } from "./dom.js";
import { count, known, millis } from "./format.js";
import { verdictName } from "./names.js";

export function drawSounds({ interruptions, cards }) {
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
  fill(byId("cards"), cards, (card) => `${card.call} ${card.sound_id} ${card.regret} ${card.verdict}`, drawCard);
}

function drawCard(card) {
  const regret =
    card.regret === null ? ["open", "Too early to tell"] : card.regret ? ["wrong", "Regretted"] : ["right", "Was right"];
  const outcome = { taken_back: "The reply went on", lost: "The reply was lost" }[card.outcome];
  const said = card.text ? `“${card.text}”` : "No words";
  const facts = [
    known(card.sound_ms) ? `sound ${millis(card.sound_ms)}` : "",
    known(card.verdict_ms) ? `decided after ${millis(card.verdict_ms)}` : "",
    known(card.silence_ms) ? `voice silent for ${millis(card.silence_ms)}` : "",
    outcome ?? "",
  ].filter(Boolean);
  return make(
    "li",
    { "data-regret": regret[0], "data-testid": `card-${card.call}-${card.sound_id}` },
    make("p", { class: "card-title" }, make("b", {}, verdictName(card.verdict)), make("span", { class: "mark" }, regret[1])),
    make("p", {}, `${said} · ${card.reason}`),
    make(
      "p",
      { class: "fine" },
      make("a", { href: `dashboard/calls/${encodeURIComponent(card.call)}` }, `Call ${card.call}`),
      ` · ${facts.join(" · ")}`,
    ),
  );
}
