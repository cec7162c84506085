/** What stands before the figures until the token is given. */

import { byId, make, text } from "./dom.js";

export class Door {
  #box = byId("door");
  #title = make("h2", { id: "door-title" });
  #reason = make("p", { "data-testid": "door-reason", role: "status" });
  #field = make("input", {
    id: "token", type: "password", autocomplete: "current-password", required: true, "data-testid": "token",
  });
  #form;
  #unset;

  /** @param {(token: string) => void} onToken */
  constructor(onToken) {
    this.#form = make(
      "form",
      {},
      // Password managers want a name to keep it under.
      make("input", { type: "text", autocomplete: "username", value: "dashboard", hidden: true }),
      make("label", { for: "token" }, "Token"),
      make(
        "div",
        { class: "door-row" },
        this.#field,
        make("button", { class: "button primary", type: "submit", "data-testid": "open" }, "Open"),
      ),
      make(
        "p",
        { class: "fine" },
        "It is the bot's setting ", make("code", {}, "DASHBOARD_TOKEN"), ", and is kept in this tab only.",
      ),
    );
    this.#unset = make(
      "div",
      { class: "fine" },
      make("p", {}, "Set one where the bot runs, and start it again:"),
      make("pre", {}, "DASHBOARD_TOKEN=a-long-random-word python bot.py serve"),
      make("p", {}, "On the bot's own machine none is needed: open http://127.0.0.1:7860/dashboard there."),
    );
    this.#box.append(this.#title, this.#reason, this.#form, this.#unset);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = this.#field.value.trim();
      if (token) onToken(token);
    });
  }

  /** @param {import("./access.js").Refused} why @param {boolean} tried Whether a token was given. */
  open(why, tried) {
    const unset = why.code === "no_token_set";
    this.#box.hidden = false;
    this.#form.hidden = unset;
    this.#unset.hidden = !unset;
    text(this.#title, unset ? "No token is set" : "This dashboard needs a token");
    this.#reason.dataset.tone = tried && !unset ? "error" : "";
    if (unset) text(this.#reason, "From other machines the dashboard opens with a token only, and the bot has none.");
    else {
      text(this.#reason, tried ? "That was not the token. Try again." : "You come from another machine than the bot's.");
      this.#field.value = "";
      this.#field.focus();
    }
  }

  close() {
    this.#box.hidden = true;
  }
}
