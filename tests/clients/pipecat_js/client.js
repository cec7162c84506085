/**
 * A page of somebody else's: Pipecat's JavaScript client as its package has it, with microphones that a test speaks into,
 * and with the received voice's level kept.
 *
 * The media manager is the test's own, because the client's default one loads its code from a content network.
 */

import { PipecatClient } from "@pipecat-ai/client-js";
import { SmallWebRTCTransport } from "@pipecat-ai/small-webrtc-transport";

const context = new AudioContext({ sampleRate: 48000 });
const events = (window.events = []);
const levels = (window.levels = []);
const now = () => performance.now() / 1000;

/** A microphone that hears what it is told to. */
class MadeUpMicrophone {
  #out = context.createMediaStreamDestination();

  constructor(deviceId) {
    this.info = { deviceId, label: deviceId, kind: "audioinput", groupId: deviceId, toJSON: () => ({ deviceId }) };
  }

  get track() {
    return this.#out.stream.getAudioTracks()[0];
  }

  async hear(name) {
    const buffer = await context.decodeAudioData(await (await fetch(`${name}.wav`)).arrayBuffer());
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(this.#out);
    source.start();
    const from = now();
    await new Promise((resolve) => (source.onended = resolve));
    return { from, to: now() };
  }
}

/** What the transport asks of whoever has the devices; see `MediaManager` of its package. */
class MadeUpMedia {
  supportsScreenShare = false;
  isCamEnabled = false;
  isSharingScreen = false;
  selectedCam = {};
  selectedSpeaker = {};
  isMicEnabled = true;
  mics = [new MadeUpMicrophone("desk"), new MadeUpMicrophone("headset")];
  mic = this.mics[0];

  setClientOptions() {}
  async initialize() {}
  async connect() {}
  async disconnect() {}
  async getAllMics() {
    return this.mics.map((mic) => mic.info);
  }
  async getAllCams() {
    return [];
  }
  async getAllSpeakers() {
    return [];
  }
  get selectedMic() {
    return this.mic.info;
  }
  async updateMic(id) {
    this.mic = this.mics.find((mic) => mic.info.deviceId === id);
    await transport.getAudioTransceiver().sender.replaceTrack(this.mic.track);
  }
  /** The track goes on: it is the message to the bot that mutes. */
  enableMic(enable) {
    this.isMicEnabled = enable;
  }
  /** A copy each time: the transport stops what it sent when it lets a connection go. */
  tracks() {
    return { local: { audio: this.mic.track.clone() } };
  }
}

function listen(track) {
  const analyser = new AnalyserNode(context, { fftSize: 1024 });
  const stream = new MediaStream([track]);
  // Chromium decodes a remote track only once something plays it.
  const player = Object.assign(new Audio(), { srcObject: stream, muted: true });
  player.play();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    levels.push([now(), Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length)]);
  }, 20);
}

const media = new MadeUpMedia();
const transport = new SmallWebRTCTransport({ mediaManager: media });
const note = (type) => (data) => events.push({ type, at: now(), data: data ?? null });
const client = new PipecatClient({
  transport,
  enableMic: true,
  enableCam: false,
  callbacks: {
    onBotReady: note("ready"),
    onBotDisconnected: note("bot-left"),
    onDisconnected: note("over"),
    onError: note("error"),
    onMessageError: note("refused"),
    onUserTranscript: note("user"),
    onBotTtsText: note("bot"),
    onBotStartedSpeaking: note("bot-started"),
    onBotStoppedSpeaking: note("bot-stopped"),
    onServerMessage: note("server"),
    onTrackStarted: (track, participant) => {
      if (track.kind === "audio" && !participant?.local) listen(track);
    },
  },
});

window.sdk = {
  connect: (requestData) =>
    client.connect({ webrtcRequestParams: { endpoint: `${location.origin}/api/offer`, requestData } }),
  hear: (name) => media.mic.hear(name),
  mute: (on) => client.enableMic(!on),
  changeMic: (id) => client.updateMic(id),
  mics: () => client.getAllMics().then((mics) => mics.map((mic) => mic.deviceId)),
  type: (text) => client.sendText(text),
  press: (keys) => client.sendDTMF(keys),
  snapshot: () => client.startUISnapshotStream(),
  tell: (event) => client.sendUIEvent(event, {}),
  ask: (type, data) =>
    client.sendClientRequest(type, data, 5000).then(
      (answer) => ({ answer: answer ?? null }),
      (error) => ({ refused: error.data?.error ?? String(error) }),
    ),
  askBotToLeave: () => client.disconnectBot(),
  /** What the transport does by itself when ICE has failed. */
  reconnect: () => transport.attemptReconnection(true),
  disconnect: () => client.disconnect(),
  state: () => client.state,
  now,
};
