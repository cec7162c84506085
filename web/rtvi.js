/**
 * The RTVI messages that this page reads and writes, as pure functions.
 *
 * RTVI is Pipecat's client protocol: JSON texts `{label: "rtvi-ai", type, id, data}` over the data
 * channel. What is ours beyond it travels in `server-message` and `client-message`, the two types
 * that the protocol leaves open for that.
 */

const LABEL = "rtvi-ai";
const PROTOCOL_VERSION = "2.0.0";

/**
 * Read one text from the data channel.
 *
 * @param {unknown} raw What the channel delivered.
 * @returns {{type: string, [field: string]: any} | null} A flat event: the fields of `data` beside
 *   `type`. A `server-message` takes the type that it carries. `null` for what is not for us.
 */
export function parse(raw) {
  if (typeof raw !== "string") return null;
  let message;
  try {
    message = JSON.parse(raw);
  } catch {
    return null;
  }
  if (message === null || typeof message !== "object" || typeof message.type !== "string") return null;
  if (message.type === "signalling") return { ...message.message, type: `signalling:${message.message?.type}` };
  if (message.label !== LABEL) return null;
  const data = message.data !== null && typeof message.data === "object" ? message.data : {};
  switch (message.type) {
    case "server-message":
      return typeof data.type === "string" ? data : null;
    case "error":
    case "error-response":
      return {
        type: "error",
        message: String(data.message ?? data.error ?? "The bot reported a fault."),
        fatal: data.fatal === true,
      };
    default:
      return { ...data, type: message.type };
  }
}

function build(type, data, id = crypto.getRandomValues(new Uint32Array(2)).join("-")) {
  return JSON.stringify({ label: LABEL, type, id, data });
}

/** "Whatever you say now can be heard": the bot's greeting waits for this. */
export const clientReady = () => build("client-ready", { version: PROTOCOL_VERSION, about: { library: "parley-web" } });

/** A typed text, which counts as a spoken turn. */
export const sendText = (content) => build("send-text", { content });

/** The bot is to be silent, and not to listen; or to go on where it was. @param {boolean} on */
export const hold = (on) => build("client-message", { t: "hold", d: { on } });

/** One phone key: `0` to `9`, `*` or `#`. */
export const dtmf = (key) => build("client-message", { t: "dtmf", d: { key } });
