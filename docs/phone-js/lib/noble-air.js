// Bluetooth by noble: finding modules (section 3.1) and links to them (section 3.2).

import { createRequire } from 'node:module';

import { publicInformation } from './messages.js';

const { withBindings } = createRequire(import.meta.url)('@stoprocent/noble');

export const SERVICE = uuid(0);
const TO_MODULE = uuid(1);
const FROM_MODULE = uuid(2);
const PUBLIC_INFORMATION = uuid(3);
const ATT_MTU = 517;
const LEAST_ATT_MTU = 23;
const NO_BLUETOOTH = {
  unsupported: 'no Bluetooth LE: is there an adapter? Name it by --adapter, or a line to one by --uart',
  unauthorized: 'this user may not use the adapter: README.md says how to allow it',
};
const POWERED_MS = 10_000;
const STEP_MS = 10_000;

export class AirError extends Error {}

/**
 * This machine's Bluetooth.
 *
 * @param how undefined: noble's default for this platform; { uart } a controller that speaks H4 on a serial line or a
 *   pseudo-terminal; { adapter } the number of an adapter (Linux).
 */
export class Air {
  #noble;

  constructor({ uart, adapter } = {}) {
    const line = { hciDriver: 'uart', bindParams: { uart: { port: uart, baudRate: 1_000_000 } } };
    if (uart) this.#noble = withBindings('hci', line);
    else if (adapter === undefined) this.#noble = withBindings('default');
    else this.#noble = withBindings('hci', { deviceId: adapter });
  }

  /** Resolves when this machine's Bluetooth can be used. Rejects with AirError. */
  async powerOn() {
    const on = new Promise((resolve, reject) => {
      const look = (state) => {
        if (state === 'poweredOn') resolve();
        if (state in NO_BLUETOOTH) reject(new AirError(NO_BLUETOOTH[state]));
      };
      this.#noble.on('stateChange', look);
      look(this.#noble.state); // asking for it starts noble
    });
    await limited(on, POWERED_MS, 'no Bluetooth: is there an adapter, and is it on?');
  }

  /**
   * Scans, actively, and calls heard({ peripheral, rssi, beacon }) for each report of a module, until `signal` is
   * aborted. `beacon` is undefined when no scan response has come.
   */
  async scan(heard, signal) {
    const report = (peripheral) => {
      const data = peripheral.advertisement.serviceData.find((item) => item.uuid === SERVICE);
      heard({ peripheral, rssi: peripheral.rssi, beacon: data?.data });
    };
    this.#noble.on('discover', report);
    try {
      await limited(this.#noble.startScanningAsync([SERVICE], true), STEP_MS, 'scanning did not begin');
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    } finally {
      this.#noble.removeListener('discover', report);
      await limited(this.#noble.stopScanningAsync(), STEP_MS, 'scanning did not end');
    }
  }

  /** A link to what `scan` reported: connected, discovered and subscribed. `timed` watches each step, as in Phone. */
  async connect(peripheral, timed = (operation, promise) => promise) {
    const link = new Link(peripheral);
    try {
      await link.open(timed);
    } catch (error) {
      await link.close();
      throw new AirError(`no link to ${peripheral.address}: ${error.message}`);
    }
    return link;
  }

  stop() {
    this.#noble.stop();
  }
}

class Link {
  #peripheral;
  #toModule;
  #closing;
  onFragment = () => {};
  onClosed = () => {};
  information;

  constructor(peripheral) {
    this.#peripheral = peripheral;
    this.attMtu = LEAST_ATT_MTU;
    peripheral.once('disconnect', (reason) =>
      this.onClosed(typeof reason === 'number' ? `0x${reason.toString(16)}` : reason),
    );
  }

  async open(timed) {
    const peripheral = this.#peripheral;
    const mtu = new Promise((resolve) => peripheral.once('mtu', resolve));
    await timed('connect', limited(peripheral.connectAsync({ mtu: ATT_MTU }), STEP_MS, 'it does not answer'));
    const discovery = peripheral.discoverSomeServicesAndCharacteristicsAsync([SERVICE], []);
    const discovered = limited(discovery, STEP_MS, 'its services can not be listed');
    const { characteristics } = await timed(
      'discover',
      discovered,
      (found) => `${found.characteristics.length} characteristics`,
    );
    // noble has asked for the MTU before; it names what the module takes, which may be more than was asked for.
    const agreed = mtu.then((offered) => Math.min(offered, ATT_MTU));
    this.attMtu = await timed('mtu', limited(agreed, STEP_MS, 'no answer about the MTU'), String);
    const find = (wanted) => {
      const found = characteristics.find((characteristic) => characteristic.uuid === wanted);
      if (!found) throw new Error(`it has no characteristic ${wanted}`);
      return found;
    };
    this.#toModule = find(TO_MODULE);
    const reading = find(PUBLIC_INFORMATION).readAsync();
    this.information = await timed(
      'public information',
      limited(reading, STEP_MS, 'its public information can not be read'),
      versioned,
    );
    const notifications = find(FROM_MODULE);
    notifications.on('data', (data, isNotification) => isNotification && this.onFragment(data));
    await timed('subscribe', limited(notifications.subscribeAsync(), STEP_MS, 'it takes no subscription'));
  }

  async write(fragment) {
    await limited(this.#toModule.writeAsync(fragment, true), STEP_MS, 'a fragment could not be sent');
  }

  async close() {
    this.#closing ??= this.#disconnected();
    await this.#closing;
  }

  async #disconnected() {
    const peripheral = this.#peripheral;
    if (peripheral.state === 'connecting') peripheral.cancelConnect();
    else if (peripheral.state === 'connected') {
      await limited(peripheral.disconnectAsync(), STEP_MS, 'the link does not close').catch(() => {});
    }
  }
}

const versioned = (information) => `version ${publicInformation(information).version}`;

function uuid(number) {
  return `7080000${number}d4254edfb29ad496fbc27847`;
}

async function limited(promise, ms, why) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new AirError(why)), ms);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
