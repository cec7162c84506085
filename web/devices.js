/** Microphones and loudspeakers: opening, listing, and saying plainly what is wrong with them. */

const CLEAN_SPEECH = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
const STORAGE_KEY = "parley.devices";

/** Browsers hide the microphone from pages that others on the network could have changed. */
export const hasMicrophoneAccess = () => Boolean(navigator.mediaDevices?.getUserMedia);

export const canChooseSpeaker = () => "setSinkId" in HTMLMediaElement.prototype;

/**
 * @param {string} deviceId The wished device; empty for the system's choice, which also serves when
 *   the wished one is gone.
 * @returns {Promise<MediaStream>}
 * @throws {DOMException} See {@link explain}.
 */
export function openMicrophone(deviceId) {
  return navigator.mediaDevices.getUserMedia({
    audio: { ...CLEAN_SPEECH, ...(deviceId ? { deviceId: { ideal: deviceId } } : {}) },
  });
}

/**
 * What a person can do about a microphone that did not open.
 *
 * @param {unknown} error What `getUserMedia` threw.
 * @returns {string} One or two plain sentences.
 */
export function explain(error) {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "The microphone was refused. Allow it in the browser's address bar and try again, or type instead.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No microphone was found. Plug one in and try again, or type instead.";
    case "NotReadableError":
    case "AbortError":
      return "The microphone did not start. Another program may be using it: close that and try again, or type instead.";
    default:
      return "The microphone could not be opened. Try again, or type instead.";
  }
}

/**
 * @returns {Promise<{microphones: MediaDeviceInfo[], speakers: MediaDeviceInfo[]}>} Devices that can
 *   be chosen. Browsers name them only once the microphone has been allowed.
 */
export async function listDevices() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const named = devices.filter((device) => device.deviceId && device.label);
  return {
    microphones: named.filter((device) => device.kind === "audioinput"),
    speakers: named.filter((device) => device.kind === "audiooutput"),
  };
}

/** Notices that the system's choice of microphone has become another one. */
export class DefaultMicrophone {
  #known = null;

  /**
   * @param {MediaDeviceInfo[]} microphones All that can be chosen, as they are now.
   * @returns {MediaDeviceInfo | null} The new one, if there was another before.
   */
  changed(microphones) {
    // Only Chromium lists the system's choice as such; others list it first.
    const now = microphones.find((device) => device.deviceId === "default") ?? microphones[0];
    if (now === undefined) return null;
    const before = this.#known;
    this.#known = `${now.groupId} ${plainLabel(now)}`;
    return before !== null && before !== this.#known ? now : null;
  }
}

/** @param {MediaDeviceInfo} device @returns {string} Its name, without a browser's "Default - ". */
export const plainLabel = (device) => device.label.replace(/^default - /i, "");

/** @returns {{microphone: string, speaker: string}} Device ids chosen last time; empty for default. */
export function storedChoice() {
  try {
    return { microphone: "", speaker: "", ...JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}") };
  } catch {
    // Storage is switched off, or holds something that is not ours.
    return { microphone: "", speaker: "" };
  }
}

/** @param {{microphone: string, speaker: string}} choice */
export function storeChoice(choice) {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(choice));
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
}
