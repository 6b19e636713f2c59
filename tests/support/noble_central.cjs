// noble as it is, in the hands of somebody who knows Bluetooth and nothing of Sharebox. Commands come on standard input,
// one a line; each is answered by one line: { stack, operation, ms, outcome, note }, the note being JSON.
//
//   node noble_central.cjs DIRECTORY_OF_NOBLE SERIAL_LINE

const { createInterface } = require('node:readline');

const [, , package, port] = process.argv;
const { withBindings } = require(package);
const PAIRING_CHANNEL = 6;
const LIMIT_MS = 20_000;

const noble = withBindings('hci', { hciDriver: 'uart', bindParams: { uart: { port, baudRate: 1_000_000 } } });
let peripheral;
let characteristics = [];
let notified = [];
let gone;

const find = (uuid) => characteristics.find((one) => one.uuid === uuid);
const next = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));

const commands = {
  /** Looks for the service that is named, or for anything. Returns what noble makes of the first answer. */
  async scan(...services) {
    await noble.waitForPoweredOnAsync(LIMIT_MS);
    const found = next(noble, 'discover');
    await noble.startScanningAsync(services, false);
    peripheral = await found;
    await noble.stopScanningAsync();
    const { advertisement, addressType, connectable } = peripheral;
    const data = advertisement.serviceData.map(({ uuid, data: bytes }) => [uuid, bytes.length]);
    return { name: advertisement.localName, services: advertisement.serviceUuids, data, addressType, connectable };
  },

  async connect(mtu) {
    gone = next(peripheral, 'disconnect');
    const agreed = next(peripheral, 'mtu');
    await peripheral.connectAsync(mtu ? { mtu: Number(mtu) } : undefined);
    return { mtu: await agreed };
  },

  async discover() {
    const found = await peripheral.discoverAllServicesAndCharacteristicsAsync();
    characteristics = found.characteristics;
    const inWords = (service) => service.characteristics.map(({ uuid, properties }) => [uuid, [...properties].sort()]);
    return Object.fromEntries(found.services.map((service) => [service.uuid, Object.fromEntries(inWords(service))]));
  },

  async descriptors(uuid) {
    return (await find(uuid).discoverDescriptorsAsync()).map((descriptor) => descriptor.uuid);
  },

  async read(uuid) {
    return (await find(uuid).readAsync()).toString('hex');
  },

  async subscribe(uuid) {
    notified = [];
    find(uuid).on('data', (bytes, isNotification) => isNotification && notified.push(bytes.toString('hex')));
    await find(uuid).subscribeAsync();
    return find(uuid).descriptors?.length ?? 0;
  },

  async unsubscribe(uuid) {
    await find(uuid).unsubscribeAsync();
    return null;
  },

  async write(uuid, hex, kind) {
    await find(uuid).writeAsync(Buffer.from(hex, 'hex'), kind === 'command');
    return null;
  },

  /** Writes, and returns the next notification. */
  async ask(to, from, hex, kind) {
    const answer = next(find(from), 'data');
    await find(to).writeAsync(Buffer.from(hex, 'hex'), kind === 'command');
    return (await answer).toString('hex');
  },

  /** noble pairs when a peripheral asks for it, in the old way only. Nothing here asks, so it is made to begin. */
  async pair() {
    const stream = noble._bindings._aclStreams[noble._bindings._handles[peripheral.id]];
    const said = new Promise((resolve) => {
      stream.on('data', (channel, bytes) => channel === PAIRING_CHANNEL && resolve(bytes.toString('hex')));
    });
    const outcome = Promise.race([next(stream, 'encryptFail').then(() => 'failed'), next(stream, 'encrypt')]);
    stream.encrypt();
    return { said: await said, outcome: await outcome };
  },

  /** Begins to encrypt with a key of zeros, as if there had been a pairing. Returns whether the link is encrypted then. */
  async encrypt() {
    const stream = noble._bindings._aclStreams[noble._bindings._handles[peripheral.id]];
    const encrypted = next(stream, 'encrypt');
    stream.onSmpStk(Buffer.alloc(16));
    return Boolean(await encrypted);
  },

  async 'hang-up'() {
    await peripheral.disconnectAsync();
    await gone;
    return null;
  },

  /** Waits until the other end hangs up. */
  async gone() {
    return gone;
  },
};

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    const [operation, ...words] = line.trim().split(' ');
    const begun = performance.now();
    const told = await commands[operation](...words).then(
      (value) => ({ outcome: 'ok', note: JSON.stringify(value) }),
      (error) => ({ outcome: 'failed', note: JSON.stringify(error.message) }),
    );
    const ms = Math.round((performance.now() - begun) * 100) / 100;
    process.stdout.write(`${JSON.stringify({ stack: 'noble', operation, ms, ...told })}\n`);
  }
  noble.stop();
}

main().then(() => process.exit(0));
