// Booking, key and share files (section 11).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decode } from '../lib/cbor.js';
import { FileError, loadCredential, loadPrivateKey, readCredential } from '../lib/files.js';
import { block, keyPair } from './support/spec.js';

const PUBLIC = keyPair('module, handshake').public.toString('hex');
const COMMON = {
  module_id: '0011223344556677',
  module_handshake_public: PUBLIC,
  module_signing_public: PUBLIC,
};
const [TOKEN, PARENT, SHARE] = ['Booking token (230 bytes)', 'Standing key (205 bytes)', 'Share (307 bytes)'].map(
  block,
);
const read = (fields) => readCredential(JSON.stringify({ ...COMMON, ...fields }));

test('each kind of file is shown under its own label', () => {
  const booking = read({ format: 'sharebox-booking/1', token: TOKEN.toString('hex') });
  assert.deepEqual([...booking.idCred], [[13, decode(TOKEN)]]);
  const key = read({ format: 'sharebox-key/1', token: PARENT.toString('hex') });
  assert.deepEqual([...key.idCred], [[-70001, decode(PARENT)]]);
  const tokens = { parent: PARENT.toString('hex'), share: SHARE.toString('hex') };
  const share = read({ format: 'sharebox-share/1', ...tokens });
  assert.deepEqual([...share.idCred], [[-70002, [decode(PARENT), decode(SHARE)]]]);
});

test('the beacon key may be left out', () => {
  const fields = { format: 'sharebox-booking/1', token: TOKEN.toString('hex') };
  assert.equal(read(fields).beaconKey, undefined);
  assert.deepEqual(read({ ...fields, beacon_key: '00'.repeat(16) }).beaconKey, Buffer.alloc(16));
});

for (const [why, fields, said] of [
  ['an unknown format', { format: 'sharebox-booking/2' }, /"sharebox-booking\/2"/],
  ['no format', {}, /undefined/],
  ['a field of a later version', { format: 'sharebox-booking/1', token: 'f6', more: 1 }, /field more/],
  ['no token', { format: 'sharebox-booking/1' }, /field token/],
  ['a token that is no CBOR', { format: 'sharebox-booking/1', token: 'ff' }, /./],
  ['half a byte', { format: 'sharebox-booking/1', token: 'f' }, /field token/],
  ['no key', { format: 'sharebox-key/1', token: 'f6', module_handshake_public: '02' }, /33 bytes/],
]) {
  test(`refused: ${why}`, () => {
    assert.throws(
      () => read(fields),
      (error) => error instanceof FileError && said.test(error.message),
    );
  });
}

test('a missing file is named', () => {
  assert.throws(() => loadCredential('no such file'), /no such file is no booking, key or share file/);
  assert.throws(() => loadPrivateKey('no such file'), /no such file is no private key/);
  assert.throws(() => readCredential('{'), FileError);
});
