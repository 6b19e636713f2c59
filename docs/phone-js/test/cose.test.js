// Containers that a module signs (sections 6.2 and 6.7).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encode } from '../lib/cbor.js';
import { ContainerError, endReceipt, TYPES, verified } from '../lib/cose.js';
import { PrivateKey } from '../lib/keys.js';

const KEY = PrivateKey.generate();
const CLAIMS = new Map([
  [1, Buffer.alloc(8, 1)],
  [2, Buffer.alloc(16, 2)],
  [3, 1_790_000_000],
  [4, true],
  [5, false],
]);

function container({ key = KEY, typ = TYPES.endReceipt, unprotected = new Map(), algorithm = -7 } = {}) {
  const header = encode(
    new Map([
      [1, algorithm],
      [4, key.public.keyId],
      [16, typ],
    ]),
  );
  const payload = encode(CLAIMS);
  return encode([header, unprotected, payload, key.sign(encode(['Signature1', header, Buffer.alloc(0), payload]))]);
}

test('an end receipt is read when the module has signed it', () => {
  const { endedAtS, positionKnown, offline } = endReceipt(container(), KEY.public);
  assert.deepEqual([endedAtS, positionKnown, offline], [1_790_000_000, true, false]);
});

test('nothing else passes for one', () => {
  const changed = container();
  changed[30] ^= 1;
  const wrong = [
    container({ key: PrivateKey.generate() }),
    container({ typ: TYPES.selfTest }),
    container({ algorithm: -8 }),
    container({ unprotected: new Map([[1, -7]]) }),
    changed,
  ];
  for (const bytes of wrong) assert.throws(() => endReceipt(bytes, KEY.public), ContainerError);
  assert.ok(verified(container({ typ: TYPES.selfTest }), KEY.public, TYPES.selfTest) instanceof Map);
});

test('what is no container at all is refused, too', () => {
  for (const digits of ['', 'f6', '80', '8440a04040', '8300a000', 'ff']) {
    assert.throws(() => endReceipt(Buffer.from(digits, 'hex'), KEY.public), ContainerError, digits);
  }
});
