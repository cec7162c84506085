/** The two panels beside the conversation that have a life of their own: phone keys, decisions. */

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const KEY_NAMES = { "*": "Star", "#": "Hash" };
const MOST_DECISIONS = 30;

/**
 * @param {HTMLElement} container
 * @param {(key: string) => void} onKey
 */
export function buildKeypad(container, onKey) {
  for (const key of KEYS) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: key });
    button.className = "key";
    if (KEY_NAMES[key]) button.setAttribute("aria-label", KEY_NAMES[key]);
    button.addEventListener("click", () => onKey(key));
    container.append(button);
  }
  container.addEventListener("keydown", (event) => {
    if (!KEYS.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    onKey(event.key);
  });
}

/** What a verdict meant for who made the sound. */
const VERDICTS = {
  pending: "Deciding",
  cancel: "Stopped for you",
  resume: "Went on",
  drained: "Had finished",
};

/** Why the bot did, or did not, take a sound as an interruption; the newest first. */
export class Decisions {
  #list;
  #count;
  #placeholder;
  #items = new Map();
  #total = 0;

  /** @param {HTMLElement} list @param {HTMLElement} count @param {HTMLElement} placeholder */
  constructor(list, count, placeholder) {
    this.#list = list;
    this.#count = count;
    this.#placeholder = placeholder;
  }

  /**
   * Show an interruption decision. A later decision of the same `sound_id` replaces it: a verdict may come
   * after the first sign, and whether it was right is known only some seconds later.
   *
   * @param {{sound_id?: number, verdict?: string, reason?: string, text?: string, mode?: string,
   *   confidence?: number, verdict_ms?: number | null, silence_ms?: number, sound_ms?: number | null,
   *   wrong?: boolean | null}} decision
   */
  show(decision) {
    const before = this.#items.get(decision.sound_id);
    const item = drawDecision(decision);
    if (decision.sound_id !== undefined) this.#items.set(decision.sound_id, item);
    if (before) return before.replaceWith(item);
    this.#total += 1;
    this.#placeholder.hidden = true;
    this.#count.hidden = false;
    this.#count.textContent = String(this.#total);
    this.#list.prepend(item);
    if (this.#list.children.length > MOST_DECISIONS) this.#list.lastElementChild.remove();
  }

  /** Another connection numbers its sounds from the start again; what is shown stays. */
  startOver() {
    this.#items.clear();
  }
}

function drawDecision(decision) {
  const item = document.createElement("li");
  const verdict = element("p", "verdict", VERDICTS[decision.verdict] ?? String(decision.verdict ?? "Decided"));
  verdict.dataset.verdict = decision.verdict;
  item.append(verdict);
  const why = [decision.text && `“${decision.text}”`, decision.reason].filter(Boolean).join(" · ");
  if (why) item.append(element("p", "reason", why));
  if (decision.wrong === true) item.append(element("p", "wrong", "What you did next says that this was wrong."));
  const facts = element("dl", "facts");
  for (const [label, value] of describe(decision)) {
    const fact = document.createElement("div");
    fact.append(element("dt", "", label), element("dd", "", value));
    facts.append(fact);
  }
  item.append(facts);
  return item;
}

/** What was measured, as far as it is known yet. */
function describe({ sound_ms: soundMs, verdict_ms: verdictMs, silence_ms: silenceMs, confidence }) {
  return [
    ["sound", millis(soundMs)],
    ["decided after", millis(verdictMs)],
    ["voice silent for", millis(silenceMs)],
    ["sure", Number.isFinite(confidence) ? `${Math.round(confidence * 100)} %` : null],
  ].filter(([, value]) => value !== null);
}

const millis = (value) => (Number.isFinite(value) ? `${Math.round(value)} ms` : null);

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
