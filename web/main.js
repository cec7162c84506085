/** Builds the page's parts and ties them to one another. */

import { justLeft } from "./caller.js";
import { canChooseSpeaker, listDevices, storeChoice, storedChoice } from "./devices.js";
import { IceServers } from "./ice-servers.js";
import { buildKeypad, Decisions } from "./panels.js";
import { Playback } from "./playback.js";
import { backoffSecs, countdown } from "./retry.js";
import { Session } from "./session.js";
import { fetchInfo, Refused } from "./signalling.js";
import { TranscriptView } from "./transcript-view.js";
import { Transcript } from "./transcript.js";
import { Ui } from "./ui.js";

const find = (id) => document.getElementById(id);

const chosen = storedChoice();
const view = new TranscriptView(find("transcript"), find("scroller"), find("empty"));
const transcript = new Transcript((entry, change) => view.update(entry, change));
const playback = new Playback(find("voice"));
const decisions = new Decisions(find("decision-list"), find("decision-count"), find("no-decisions"));

const ui = new Ui({
  talk: () => session.start(),
  hangUp: () => session.hangUp(),
  mute: () => session.toggleMute(),
  hold: () => session.toggleHold(),
  hear: () => session.hear(),
  text: (text) => session.sendText(text),
  microphone: chooseMicrophone,
  speaker: chooseSpeaker,
});

const iceServers = new IceServers(fetchInfo);
const session = new Session({
  ui,
  playback,
  transcript,
  decisions,
  microphoneId: () => chosen.microphone,
  onMicrophone: showDevices,
});
session.iceServers = () => iceServers.current();

async function showDevices() {
  const devices = await listDevices();
  ui.setDevices(devices, chosen, canChooseSpeaker());
  await session.devicesChanged(devices.microphones);
}

async function chooseMicrophone(id) {
  chosen.microphone = id;
  storeChoice(chosen);
  await session.changeMicrophone();
}

async function chooseSpeaker(id) {
  chosen.speaker = id;
  storeChoice(chosen);
  await useSpeaker();
}

async function useSpeaker() {
  if (!canChooseSpeaker()) return;
  try {
    await playback.setSpeaker(chosen.speaker);
  } catch {
    // The device is gone, or not ours to use: fall back to the system's choice.
    chosen.speaker = "";
    await showDevices();
  }
}

/** Learn what serves the page; while nobody calls, also tell that it does not answer. */
async function learnInfo() {
  for (let failures = 1; ; failures += 1) {
    try {
      const info = await fetchInfo();
      iceServers.learned(info);
      session.newMicrophone = info.new_microphone ?? session.newMicrophone;
      ui.setInfo(info);
    } catch (error) {
      if (!(error instanceof Refused)) {
        await waitForServer(failures);
        continue;
      }
      // A server that has no such page can still take calls.
    }
    if (!session.active) ui.clearMessage("server");
    return;
  }
}

async function waitForServer(failures) {
  const skip = new AbortController();
  const actions = [{ label: "Try now", run: () => skip.abort() }];
  const text = "The server does not answer.";
  await countdown(
    backoffSecs(failures),
    (secondsLeft) => {
      if (!session.active) ui.showMessage({ topic: "server", tone: "error", text, secondsLeft, actions });
    },
    skip.signal,
  );
}

buildKeypad(find("keypad"), (key) => session.sendKey(key));
navigator.mediaDevices?.addEventListener?.("devicechange", showDevices);
// Leaving the page may be a reload: the call is held for a while, and goes on if it was.
window.addEventListener("pagehide", () => session.leave());
window.addEventListener("pageshow", comeBack);

function comeBack() {
  const left = justLeft();
  if (left !== null) session.start({ ...left, returning: true });
}

Object.defineProperty(window, "parley", {
  value: Object.freeze({
    get state() {
      return ui.state;
    },
    get connected() {
      return session.connected;
    },
    get transcript() {
      return transcript.plain();
    },
  }),
});

ui.setState("idle");
ui.setLevels(0, 0);
showDevices();
if (chosen.speaker) useSpeaker();
learnInfo();
