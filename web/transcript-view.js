/** Draws the transcript. Each entry is one element that is changed in place. */

/** Within this distance of the end, the view follows what is said. */
const FOLLOW_PX = 90;

export class TranscriptView {
  #list;
  #scroller;
  #empty;
  #elements = new Map();
  #follows = true;

  /**
   * @param {HTMLElement} list Holds the entries.
   * @param {HTMLElement} scroller The box that scrolls.
   * @param {HTMLElement} empty Shown while there is nothing.
   */
  constructor(list, scroller, empty) {
    this.#list = list;
    this.#scroller = scroller;
    this.#empty = empty;
    scroller.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = scroller;
      this.#follows = scrollHeight - scrollTop - clientHeight < FOLLOW_PX;
    });
    // A message above it, or a phone's keyboard below, takes room from the box.
    new ResizeObserver(() => this.#follow()).observe(scroller);
  }

  /** @param {import("./transcript.js").Entry} entry @param {"set" | "removed"} change */
  update(entry, change) {
    if (change === "removed") {
      this.#elements.get(entry.id)?.remove();
      this.#elements.delete(entry.id);
    } else {
      this.#draw(entry);
    }
    this.#empty.hidden = this.#elements.size > 0;
    this.#follow();
  }

  #follow() {
    if (this.#follows) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #draw(entry) {
    let element = this.#elements.get(entry.id);
    if (!element) {
      element = document.createElement("li");
      element.className = `entry entry-${entry.who}`;
      this.#elements.set(entry.id, element);
      this.#list.append(element);
    }
    element.replaceChildren(...DRAWERS[entry.who](entry));
  }
}

const DRAWERS = {
  user(entry) {
    const words = make("p", "words");
    entry.segments.forEach((segment, at) => {
      if (at > 0) words.append(" ");
      words.append(make("span", segment.final ? "final" : "partial", segment.text));
    });
    const label = { speech: "You", typed: "You, typed", key: "You, keypad" }[entry.source];
    return [make("p", "speaker", label), words];
  },

  bot(entry) {
    const speaker = make("p", "speaker", "Parley");
    if (entry.answerMs !== null) {
      const time = make("span", "answer-time", seconds(entry.answerMs));
      time.title = "Time to answer";
      speaker.append(make("span", "visually-hidden", ", answered after "), time);
    }
    const words = make("p", "words");
    words.append(make("span", "heard", entry.heard));
    if (entry.unheard) {
      words.append(" ", make("span", "visually-hidden", "Not heard: "), make("span", "unheard", entry.unheard));
    }
    const parts = [speaker, words];
    if (entry.cut) parts.push(make("p", "mark", "interrupted"));
    else if (entry.unheard) parts.push(make("p", "mark", "not spoken"));
    return parts;
  },

  note(entry) {
    return [make("p", "note", entry.text)];
  },
};

/** @param {number} ms @returns {string} For people: `0.8 s`. */
export function seconds(ms) {
  return `${(ms / 1000).toFixed(ms < 9_950 ? 1 : 0)} s`;
}

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
