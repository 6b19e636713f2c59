// Fragments (section 4).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Assembler, FramingViolation, Fragmenter, WITHIN_SESSION_BYTES } from '../lib/framing.js';

const hex = (text) => Buffer.from(text, 'hex');
const message = (length) => Buffer.from(Array.from({ length }, (_, at) => at % 251));

/** An assembler whose clock the test moves. */
function assembler() {
  const clock = { ms: 0 };
  return Object.assign(new Assembler(() => clock.ms), { clock });
}

test('messages of every length cross at every MTU, and numbers go on', () => {
  for (const attMtu of [23, 24, 64, 247, 515, 517]) {
    const [from, to] = [new Fragmenter(), assembler()];
    to.limit = WITHIN_SESSION_BYTES;
    let number = 0;
    for (const length of [1, 16, 17, 18, 36, 247, 1024, 4160]) {
      const fragments = from.split(message(length), attMtu);
      for (const fragment of fragments) {
        assert.ok(fragment.length <= Math.min(attMtu - 3, 512));
        assert.equal(fragment[0] & 63, number % 64);
        number += 1;
      }
      const taken = fragments.map((fragment) => to.take(fragment));
      assert.deepEqual(taken.pop(), message(length));
      assert.ok(taken.every((one) => one === null));
    }
  }
});

test('a repeated fragment is ignored', () => {
  const to = assembler();
  const [one, two] = new Fragmenter().split(message(30), 23);
  assert.deepEqual(
    [one, one, two, two].map((fragment) => to.take(fragment)),
    [null, null, message(30), null],
  );
});

for (const [why, ...fragments] of [
  ['no payload', '80'],
  ['a first fragment without payload', 'c00001'],
  ['a message of no bytes', 'c00000ff'],
  ['a message that is too long', '800401ff'],
  ['a fragment of no message', '01ff'],
  ['a fragment that is missing', '800003aa', '02bb'],
  ['a new message before the end of the last', '800003aa', 'c10001bb'],
  ['an end before all has come', '800003aa', '41bb'],
  ['all has come, and no end', '800002aa', '01bb'],
  ['more than was announced', '800002aa', '41bbcc'],
]) {
  test(`a violation: ${why}`, () => {
    const to = assembler();
    const last = fragments.pop();
    for (const fragment of fragments) assert.equal(to.take(hex(fragment)), null);
    assert.throws(() => to.take(hex(last)), FramingViolation);
  });
}

test('a message that came to a halt is forgotten by the next, and not gone on with', () => {
  const to = assembler();
  to.take(hex('800003aa'));
  to.clock.ms = 1000.5;
  assert.deepEqual(to.take(hex('c10001bb')), hex('bb'));
  to.take(hex('820003aa'));
  to.clock.ms += 1001;
  assert.throws(() => to.take(hex('03bb')), FramingViolation);
});

test('a message takes five seconds at most, however steadily it comes', () => {
  const to = assembler();
  to.take(hex('800009aa'));
  for (let number = 1; number <= 5; number += 1) {
    to.clock.ms = number * 1000;
    assert.equal(to.take(Buffer.from([number, 0xbb])), null);
  }
  to.clock.ms = 5001;
  assert.throws(() => to.take(hex('06bb')), FramingViolation);
});
