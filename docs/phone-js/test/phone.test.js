// Which module a phone turns to, and that a command is carried out once whatever becomes of the link.

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { NotFound, Phone } from '../lib/phone.js';
import { fresh, ScriptedModule } from './support/module.js';

const PATIENCE = { othersAfterMs: 300, allHeardMs: 100 };
const DONE = new Map([[1, false]]);

function beacon(key) {
  const nonce = randomBytes(5);
  return Buffer.concat([
    nonce,
    createHmac('sha256', key).update('sharebox beacon').update(nonce).digest().subarray(0, 8),
  ]);
}

/** Air with `modules`, each { id, rssi, beacon, module: () => a link's other end }. Reports all of them, over and over. */
class PaperAir {
  constructor(modules) {
    this.modules = modules;
    this.connected = [];
  }

  async scan(heard, signal) {
    while (!signal.aborted) {
      for (const { id, rssi, beacon: data } of this.modules) heard({ peripheral: { id }, rssi, beacon: data });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async connect({ id }, timed) {
    this.connected.push(id);
    const module = this.modules.find((one) => one.id === id).module;
    if (!module) throw new Error('gone');
    return timed('connect', Promise.resolve(module().link));
  }
}

const stranger = (id, rssi, data) => ({
  id,
  rssi,
  beacon: data,
  module: () => new ScriptedModule({ key: fresh().module }),
});

function own(beaconKey, answer) {
  const parts = fresh({ beaconKey });
  return { ...parts, made: () => new ScriptedModule({ key: parts.module, answer }) };
}

test('of ten modules in range the one with the right beacon is connected to, and no other', async () => {
  const key = randomBytes(16);
  const mine = own(key);
  const others = Array.from({ length: 9 }, (_, at) => stranger(`other ${at}`, -30 - at, beacon(randomBytes(16))));
  const air = new PaperAir([...others, { id: 'mine', rssi: -90, beacon: beacon(key), module: mine.made }]);
  await new Phone({ air, ...mine, patience: PATIENCE }).connect(10_000);
  assert.deepEqual(air.connected, ['mine']);
});

test('without a beacon key the strongest is tried first, until one proves to be ours', async () => {
  const mine = own(undefined);
  const others = [stranger('strong', -40, beacon(randomBytes(16))), stranger('weak', -99), { id: 'gone', rssi: -35 }];
  const air = new PaperAir([...others, { id: 'mine', rssi: -60, module: mine.made }]);
  const told = [];
  await new Phone({ air, ...mine, patience: PATIENCE, tell: (...what) => told.push(what) }).connect(10_000);
  assert.deepEqual(air.connected, ['gone', 'strong', 'mine']);
  assert.deepEqual(told.filter(([kind]) => kind === 'passed').length, 2);
});

test('without a beacon of its key, those that were not heard come before those of others', async () => {
  const mine = own(randomBytes(16));
  const air = new PaperAir([
    stranger('other', -40, beacon(randomBytes(16))),
    { id: 'silent', rssi: -80, module: mine.made },
  ]);
  await new Phone({ air, ...mine, patience: PATIENCE }).connect(10_000);
  assert.deepEqual(air.connected, ['silent']);
});

test('nothing in range, and nothing of ours in range, are told apart', async () => {
  const mine = own(undefined);
  await assert.rejects(
    new Phone({ air: new PaperAir([]), ...mine, patience: PATIENCE }).connect(100),
    /no module in range/,
  );
  const phone = new Phone({ air: new PaperAir([stranger('other', -40)]), ...mine, patience: PATIENCE });
  await assert.rejects(
    phone.connect(100),
    (error) => error instanceof NotFound && /none of the 1/.test(error.message),
  );
});

test('a command whose reply was lost is sent again with the same identifier', async () => {
  const asked = [];
  const modules = [];
  const mine = own(undefined, (request) => {
    if (!request) return [];
    asked.push(request);
    if (asked.length === 1) modules.at(-1).hangUp();
    return [[request[0], 0, 1, DONE]];
  });
  const made = () => modules[modules.push(mine.made()) - 1];
  const phone = new Phone({
    air: new PaperAir([{ id: 'mine', rssi: -60, module: made }]),
    ...mine,
    patience: PATIENCE,
  });
  await phone.connect(10_000);
  assert.deepEqual((await phone.send('UNLOCK')).body, { already: false });
  assert.equal(modules.length, 2);
  assert.deepEqual(asked[0][2], asked[1][2]);
  await phone.send('LOCK');
  assert.notDeepEqual(asked[1][2], asked[2][2]);
});
