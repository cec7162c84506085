/** What the bot's words for programs mean to people. */

import { capital, words } from "./format.js";

const STATES = {
  connecting: "Connecting",
  listening: "Listening",
  user_speaking: "Caller speaks",
  thinking: "Thinking",
  speaking: "Bot speaks",
  paused: "Judging a sound",
  closing: "Saying goodbye",
  on_hold: "On hold",
  over: "Over",
};

const STAGES = {
  stt: "Recognition",
  end_of_turn: "End of turn",
  llm: "Model, first token",
  clause: "First clause",
  tts: "Voice, first audio",
  playout: "Playout",
};

const FIGURES = {
  voice_to_voice: "Answer",
  verdict: "Verdict on a sound",
  false_alarm_silence: "Silence in a false alarm",
  taken_back_silence: "Silence before a reply went on",
  loop_lag: "Event loop lag",
};

const VERDICTS = {
  pending: "Deciding",
  cancel: "Stopped for the caller",
  resume: "Went on: false alarm",
  drained: "Had finished anyway",
};

const OUTCOMES = {
  played: "heard to the end",
  cut: "interrupted by the caller",
  left: "call ended meanwhile",
  superseded: "caller went on before it began",
  failed: "failed",
};

const USAGE = {
  stt_seconds: ["Speech heard", "s"],
  llm_prompt_tokens: ["Prompt tokens", ""],
  llm_cached_tokens: ["of them cached", ""],
  llm_completion_tokens: ["Reply tokens", ""],
  tts_characters: ["Characters spoken", ""],
  tts_unheard_characters: ["of them never heard", ""],
};

const reading = (table) => (name) => table[name] ?? capital(words(name));

export const stateName = reading(STATES);

/** The state of a call to show: on hold nothing else matters. */
export const shownState = ({ state, on_hold: onHold }) => (onHold ? "on_hold" : state);

export const stageName = reading(STAGES);
export const figureName = reading(FIGURES);
export const verdictName = reading(VERDICTS);
export const outcomeName = reading(OUTCOMES);
export const usageName = (name) => USAGE[name] ?? [capital(words(name)), ""];
export const stageNames = Object.keys(STAGES);
export const usageNames = Object.keys(USAGE);

/**
 * How good a connection is, by its worst figure: speech suffers from 3 % loss, and talk from 300 ms of delay (ITU-T G.114).
 * @param {Record<string, number>} quality As the bot tells it.
 * @returns {{grade: "good" | "fair" | "poor" | "unknown", facts: string}}
 */
export function lineQuality(quality) {
  const loss = Math.max(quality.lost_in_percent ?? 0, quality.lost_out_percent ?? 0);
  const trip = quality.round_trip_ms ?? 0;
  const jitter = quality.jitter_in_ms ?? 0;
  const facts = [
    "lost_in_percent" in quality || "lost_out_percent" in quality ? `${loss} % lost` : "",
    "jitter_in_ms" in quality ? `jitter ${jitter} ms` : "",
    "round_trip_ms" in quality ? `trip ${Math.round(trip)} ms` : "",
  ].filter(Boolean);
  if (!facts.length) return { grade: "unknown", facts: "" };
  const poor = loss >= 3 || trip >= 600 || jitter >= 60;
  const fair = loss >= 1 || trip >= 300 || jitter >= 30;
  return { grade: poor ? "poor" : fair ? "fair" : "good", facts: facts.join(" · ") };
}
