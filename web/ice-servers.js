/** STUN and TURN servers. The credentials for TURN hold for a while only, so they are not kept for long. */

const KEEP_MS = 30_000;
const DEADLINE_MS = 3_000;

export class IceServers {
  #servers = [];
  #learnedAt = 0;

  /** @param {() => Promise<{ice_servers?: RTCIceServer[]}>} fetchInfo Asks the server. */
  constructor(fetchInfo) {
    this.fetchInfo = fetchInfo;
  }

  /** @param {{ice_servers?: RTCIceServer[]}} info What the server says of itself. */
  learned(info) {
    this.#servers = info.ice_servers ?? [];
    this.#learnedAt = Date.now();
  }

  /**
   * The servers for a new connection; those that are known if the server does not answer soon.
   *
   * @returns {Promise<RTCIceServer[]>}
   */
  async current() {
    const limited = this.#servers.some((server) => server.credential !== undefined);
    if (limited && Date.now() - this.#learnedAt > KEEP_MS) {
      const late = new Promise((resolve) => setTimeout(resolve, DEADLINE_MS, null));
      const info = await Promise.race([this.fetchInfo().catch(() => null), late]);
      if (info !== null) this.learned(info);
    }
    return this.#servers;
  }
}
