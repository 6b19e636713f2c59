// A phone with one booking or key: finds its car, opens a session, and sends commands that are carried out once.

import { OWN, rank } from './beacon.js';
import { AnotherModule } from './edhoc.js';
import { isCommand, OPERATIONS, publicInformation } from './messages.js';
import { LinkLost, newCommandId, Session } from './session.js';

const PATIENCE = {
  othersAfterMs: 3_000, // when no beacon is of our key (section 3.1)
  allHeardMs: 1_500, // without a key: longer than the longest advertising interval, so that the strongest is known
};
const AGAIN_MS = 10_000;

export class NotFound extends Error {}

const inWords = ({ peripheral, rssi, rank: place }) =>
  `${peripheral.address}, ${rssi} dBm${place === OWN ? ', known by its beacon' : ''}`;

export class Phone {
  #air;
  #credential;
  #holder;
  #timed;
  #tell;
  #session;
  #patience;

  /**
   * @param timed function(operation, promise, words) -> promise, watches each step; `words` tells of its value
   * @param tell function(kind, value): 'access', 'notice' and 'closed' of the session, 'passed' with why a module was
   *   not ours
   */
  constructor({
    air,
    credential,
    holder,
    timed = (operation, promise) => promise,
    tell = () => {},
    patience = PATIENCE,
  }) {
    this.#air = air;
    this.#credential = credential;
    this.#holder = holder;
    this.#timed = timed;
    this.#tell = tell;
    this.#patience = patience;
  }

  /** Finds the car and opens a session. Rejects with Refusal, HandshakeError, NotFound, AirError or LinkLost. */
  async connect(withinMs) {
    const deadline = performance.now() + withinMs;
    const heard = new Map();
    const tried = new Set();
    for (;;) {
      const module = await this.#timed('scan', this.#next(heard, tried, deadline), inWords);
      tried.add(module.peripheral.id);
      const link = await this.#linked(module.peripheral);
      if (link && (await this.#isOurs(link))) return;
    }
  }

  /**
   * Sends a request. A command that had no reply is sent again over a new link with the same identifier, which moves
   * nothing a second time (section 8.2). Resolves to { body, warning }.
   */
  async send(name, argument) {
    const operation = OPERATIONS[name];
    const value = isCommand(operation) ? (argument ?? newCommandId()) : argument;
    try {
      return await this.#session.request(operation, value);
    } catch (error) {
      if (!(error instanceof LinkLost) || !isCommand(operation)) throw error;
      await this.connect(AGAIN_MS);
      return this.#session.request(operation, value);
    }
  }

  /** Resolves when the session is over, whoever ended it. */
  async gone() {
    await this.#session.over;
  }

  async hangUp() {
    await this.#session?.close();
  }

  async #linked(peripheral) {
    try {
      return await this.#air.connect(peripheral, this.#timed);
    } catch (error) {
      this.#tell('passed', error.message); // it has gone, or serves three others: perhaps another one is ours
      return undefined;
    }
  }

  async #isOurs(link) {
    if (!publicInformation(link.information).supported) {
      this.#tell('passed', 'it speaks another protocol');
      await link.close();
      return false;
    }
    const session = new Session(link);
    for (const event of ['access', 'notice', 'closed']) session.on(event, (...told) => this.#tell(event, ...told));
    try {
      await this.#timed('handshake', session.authenticate(this.#credential, this.#holder));
    } catch (error) {
      if (!(error instanceof AnotherModule)) throw error;
      this.#tell('passed', error.message);
      return false;
    }
    this.#session = session;
    return true;
  }

  /** The best module of `heard` that was not tried; scans while there is none. */
  async #next(heard, tried, deadline) {
    const untried = () => [...heard.values()].filter(({ peripheral }) => !tried.has(peripheral.id));
    if (untried().length === 0) await this.#listen(heard, tried, deadline);
    const [best] = untried().sort((one, other) => one.rank - other.rank || other.rssi - one.rssi);
    if (best) return best;
    throw new NotFound(
      tried.size ? `none of the ${tried.size} modules in range is the one of this file` : 'no module in range',
    );
  }

  async #listen(heard, tried, deadline) {
    const stop = new AbortController();
    const key = this.#credential.beaconKey;
    const { othersAfterMs, allHeardMs } = this.#patience;
    const begun = performance.now();
    const report = (module) => {
      heard.set(module.peripheral.id, { ...module, rank: rank(key, module.beacon) });
      if (heard.get(module.peripheral.id).rank === OWN && !tried.has(module.peripheral.id)) stop.abort();
    };
    const enough = setInterval(() => {
      const waited = performance.now() - begun;
      const others = [...heard.keys()].some((id) => !tried.has(id));
      if (performance.now() > deadline || (others && waited > (key ? othersAfterMs : allHeardMs))) stop.abort();
    }, 20);
    try {
      await this.#air.scan(report, stop.signal);
    } finally {
      clearInterval(enough);
    }
  }
}
