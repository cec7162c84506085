/** Server-sent events by fetch: EventSource cannot send a token. */

import { ask, Refused } from "./access.js";

const RETRY_MS = 2000;
const SILENCE_MS = 6000; // the bot sends one message a second
const HIDDEN_MS = 60_000; // a tab that nobody looks at costs the bot nothing

export class Feed {
  #path;
  #on;
  #abort = null;
  #timer = 0;
  #hidden = 0;

  /**
   * @param {string} path
   * @param {{message: (data: object) => void, lost: (why: string) => void, refused: (why: Refused) => void}} on
   *   `lost`: it tries again by itself; `refused`: it waits for `start`, with another token.
   */
  constructor(path, on) {
    this.#path = path;
    this.#on = on;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.#hidden);
      if (document.hidden) this.#hidden = setTimeout(() => this.stop(), HIDDEN_MS);
      else if (!this.#abort) this.start();
    });
  }

  /** Begin, or begin again. */
  start() {
    this.stop();
    this.#run((this.#abort = new AbortController()));
  }

  stop() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = null;
  }

  async #run(abort) {
    let watchdog = 0;
    const stillThere = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(new Error("silent")), SILENCE_MS);
    };
    try {
      stillThere();
      const response = await ask(this.#path, { signal: abort.signal });
      for await (const data of messages(response.body, stillThere)) {
        if (this.#abort !== abort) return;
        this.#on.message(JSON.parse(data));
      }
      throw new Error("ended");
    } catch (error) {
      if (this.#abort !== abort) return; // stopped or begun again meanwhile
      if (error instanceof Refused && error.needsToken) {
        this.#abort = null;
        this.#on.refused(error);
        return;
      }
      this.#on.lost(error instanceof Refused ? error.reason : "");
      this.#timer = setTimeout(() => this.start(), RETRY_MS);
    } finally {
      clearTimeout(watchdog);
    }
  }
}

/**
 * The `data` of each message of a stream.
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} onBytes Called whenever something came.
 */
async function* messages(body, onBytes) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onBytes();
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data: "));
      if (data.length) yield data.map((line) => line.slice(6)).join("\n");
    }
  }
}
