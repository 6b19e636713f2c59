// The handshake, with a module made for the test at the other end (section 7.1), and records (section 7.3).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AnotherModule, HandshakeError, Initiator } from '../lib/edhoc.js';
import { Opener, RecordError, Sealer } from '../lib/records.js';
import { fresh, Responder } from './support/module.js';

function pair(extensions) {
  const { holder, module, credential } = fresh();
  const phone = new Initiator({
    ...credential,
    sign: (data) => holder.sign(data),
    modulePublic: credential.moduleHandshake,
  });
  return { phone, module: new Responder(module, extensions) };
}

test('both ends have the same keys, other ones each time', () => {
  const seen = new Set();
  for (let round = 0; round < 3; round += 1) {
    const { phone, module } = pair();
    const done = module.message4(phone.message3(module.message2(phone.message1())));
    const keys = phone.finish(done.message4);
    assert.deepEqual(keys, { toModule: done.toModule, fromModule: done.fromModule });
    seen.add(keys.toModule.key.toString('hex'));
  }
  assert.equal(seen.size, 3);
});

test('padding and unknown data that is not critical is ignored, what is critical is refused', () => {
  for (const extensions of [[0], [0, Buffer.alloc(7)], [3, Buffer.alloc(2), 4]]) {
    const { phone, module } = pair(extensions);
    phone.finish(module.message4(phone.message3(module.message2(phone.message1()))).message4);
  }
  const { phone, module } = pair([-3, Buffer.alloc(2)]);
  assert.throws(() => phone.message3(module.message2(phone.message1())), /critical/);
});

test('another module is recognised before anything is revealed', () => {
  const { phone } = pair();
  const other = new Responder(fresh().module);
  assert.throws(() => phone.message3(other.message2(phone.message1())), AnotherModule);
  assert.throws(() => phone.message1(), /failed/);
});

test('a changed bit in message_2 or message_4 ends the handshake, for good', () => {
  for (const at of [2, 34, 35, 40, 52]) {
    const { phone, module } = pair();
    const message2 = module.message2(phone.message1());
    message2[at] ^= 1;
    assert.throws(() => phone.message3(message2), HandshakeError);
    message2[at] ^= 1;
    assert.throws(() => phone.message3(message2), /the handshake is at failed/);
  }
  const { phone, module } = pair();
  const { message4 } = module.message4(phone.message3(module.message2(phone.message1())));
  message4[5] ^= 1;
  assert.throws(() => phone.finish(message4), HandshakeError);
});

test('messages of other shapes are refused', () => {
  for (const digits of ['', '00', '40', '58', '5820', '83010203', 'f6']) {
    const { phone } = pair();
    phone.message1();
    assert.throws(() => phone.message3(Buffer.from(digits, 'hex')), HandshakeError, digits);
  }
});

const KEYS = { key: Buffer.alloc(32, 7), iv: Buffer.alloc(12, 9) };

test('records are read once and in order, and a refused one changes nothing', () => {
  const [sealer, opener] = [new Sealer(KEYS), new Opener(KEYS)];
  const records = Array.from({ length: 300 }, (_, at) => sealer.seal(Buffer.from([at % 256])));
  assert.deepEqual(opener.open(records[0]), Buffer.from([0]));
  const changed = Buffer.from(records[5]);
  changed[changed.length - 1] ^= 1;
  assert.throws(() => opener.open(changed), RecordError);
  for (const at of [2, 255, 256, 299]) assert.deepEqual(opener.open(records[at]), Buffer.from([at % 256]));
  for (const at of [299, 298, 0]) assert.throws(() => opener.open(records[at]), /came before/);
});

test('a record has one form', () => {
  const good = new Sealer(KEYS).seal(Buffer.from([1])).toString('hex');
  for (const [from, to] of [
    ['a1064100', 'a106420000'],
    ['a1064100', 'a10640'],
    ['a1064100', 'a10644ffffffff'],
    ['a1064100', 'a1064310ffff'],
    ['8340', '834100'],
    ['a106', 'a107'],
  ]) {
    assert.ok(good.includes(from));
    assert.throws(() => new Opener(KEYS).open(Buffer.from(good.replace(from, to), 'hex')), RecordError, to);
  }
});
