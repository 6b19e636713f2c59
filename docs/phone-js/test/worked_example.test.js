// Section 12 of the protocol, byte for byte: whoever gets all of this right speaks to a module.

import assert from 'node:assert/strict';
import { hkdfSync } from 'node:crypto';
import { test } from 'node:test';

import { OTHER, OWN, rank, recognises, SILENT } from '../lib/beacon.js';
import { decode, encode } from '../lib/cbor.js';
import { credentialOf, Initiator } from '../lib/edhoc.js';
import { Assembler, Fragmenter } from '../lib/framing.js';
import { PrivateKey, PublicKey } from '../lib/keys.js';
import { fromModule, request } from '../lib/messages.js';
import { Opener, Sealer } from '../lib/records.js';
import { sign } from './support/rfc6979.js';
import { block, blockLines, keyPair, SPEC } from './support/spec.js';

const TOKEN = block('Booking token (230 bytes)');

function handshake() {
  const holder = keyPair('holder');
  return new Initiator({
    idCred: new Map([[13, decode(TOKEN)]]),
    cred: decode(TOKEN),
    sign: (data) => sign(holder.private, data),
    modulePublic: new PublicKey(keyPair('module, handshake').public),
    ephemeral: new PrivateKey(keyPair('phone, ephemeral').private),
  });
}

function finished() {
  const phone = handshake();
  phone.message1();
  phone.message3(block('message_2 (53 bytes)'));
  return phone.finish(block('message_4 (17 bytes)'));
}

test('each private key has the public key beside it', () => {
  for (const name of [
    'issuer',
    'holder',
    'module, handshake',
    'phone, ephemeral',
    'module, ephemeral',
    "owner's phone",
  ]) {
    const pair = keyPair(name);
    assert.deepEqual(new PrivateKey(pair.private).public.compressed, pair.public, name);
  }
});

test('the token names its issuer and its holder, and is signed', () => {
  const [header, , payload, signature] = decode(TOKEN);
  const issuer = new PublicKey(keyPair('issuer').public);
  assert.deepEqual(decode(header).get(4), issuer.keyId);
  assert.ok(issuer.verifies(signature, encode(['Signature1', header, Buffer.alloc(0), payload])));
  const holder = PublicKey.fromCose(decode(payload).get(8).get(1));
  assert.deepEqual(holder.compressed, keyPair('holder').public);
  assert.deepEqual(encode(holder.cose()), encode(decode(payload).get(8).get(1)));
});

test('the credential of the module', () => {
  assert.deepEqual(
    encode(credentialOf(new PublicKey(keyPair('module, handshake').public))),
    block('CRED_R (49 bytes)'),
  );
});

test('the handshake', () => {
  const phone = handshake();
  assert.deepEqual(phone.message1(), block('message_1 (37 bytes)'));
  assert.deepEqual(
    phone.message3(block('message_2 (53 bytes)')),
    block('message_3, with the token inside (317 bytes)'),
  );
  phone.finish(block('message_4 (17 bytes)'));
});

test('the fragments of message_1 and of message_2', () => {
  const message = Buffer.concat([Buffer.from([1]), block('message_1 (37 bytes)')]);
  const lines = blockLines('message_1 as the phone writes it').map((line) => Buffer.from(line, 'hex'));
  assert.deepEqual(new Fragmenter().split(message, 23), lines);
  const received = new Assembler().take(block('message_2 as the module notifies it'));
  assert.deepEqual(received, Buffer.concat([Buffer.from([1]), block('message_2 (53 bytes)')]));
});

test('the keys of the records', () => {
  const keys = finished();
  const lines = blockLines('### 12.2 Keys of the records').map((line) => line.split(' ')[1]);
  const made = [keys.toModule.key, keys.toModule.iv, keys.fromModule.key, keys.fromModule.iv];
  assert.deepEqual(
    made.map((bytes) => bytes.toString('hex')),
    lines,
  );
});

test('unlock: the request, its record and its fragment', () => {
  const plaintext = request(1, 1, Buffer.from('c0ffee0123456789', 'hex'));
  assert.deepEqual(plaintext, block('Request 1, UNLOCK'));
  const record = new Sealer(finished().toModule).seal(plaintext);
  assert.deepEqual(record, block("The same as the phone's first record"));
  const fragmenter = new Fragmenter();
  fragmenter.split(Buffer.concat([Buffer.from([1]), block('message_1 (37 bytes)')]), 247);
  fragmenter.split(Buffer.concat([Buffer.from([1]), block('message_3, with the token inside (317 bytes)')]), 247);
  const [fragment] = fragmenter.split(Buffer.concat([Buffer.from([2]), record]), 247);
  assert.deepEqual(fragment, block('As the phone writes it at an ATT MTU of 247'));
});

test('the reply and the refusal', () => {
  const opener = new Opener(finished().fromModule);
  const reply = opener.open(block("The same as the module's first record"));
  assert.deepEqual(reply, block('Reply 1: done'));
  assert.deepEqual(fromModule(reply), { id: 1, warning: undefined, body: { already: false } });
  const refused = fromModule(opener.open(block("The same as the module's second record")));
  assert.equal(refused.id, 2);
  assert.equal(refused.refusal.name, 'BUSY');
  assert.equal(refused.refusal.temporary, true);
  assert.match(refused.refusal.message, /BUSY \(rule ACC-7\)\. Wait for the command/);
});

test('what the phone of a guest shows', () => {
  const shown = [decode(block('Standing key (205 bytes)')), decode(block('Share (307 bytes)'))];
  assert.deepEqual(encode(new Map([[-70002, shown]])), block("ID_CRED_I of the guest's phone (519 bytes)"));
});

test('a beacon is recognised by its key, and by no other', () => {
  const [key, beacon] = [block('Beacon key (16 bytes)'), block('Beacon (13 bytes)')];
  const secret = Buffer.from(Array.from({ length: 16 }, (_, at) => at));
  const info = Buffer.concat([Buffer.from('sharebox beacon'), Buffer.from([0, 0, 0, 3])]);
  assert.deepEqual(Buffer.from(hkdfSync('sha256', secret, '', info, 16)), key);
  assert.ok(recognises(key, beacon));
  assert.deepEqual(block('Scan response (31 bytes)').subarray(18), beacon);
  for (const other of [beacon.subarray(1), Buffer.from(beacon).reverse(), Buffer.alloc(13)]) {
    assert.ok(!recognises(key, other));
  }
  assert.equal(rank(key, beacon), OWN);
  assert.equal(rank(key, undefined), SILENT);
  assert.equal(rank(undefined, beacon), SILENT);
  assert.equal(rank(Buffer.alloc(16), beacon), OTHER);
});

test('the codes of refusals are those of the table', async () => {
  const { NAMES } = await import('../lib/refusals.js');
  const table = SPEC.slice(SPEC.indexOf('### 9.2 Codes'), SPEC.indexOf('### 9.3'));
  const rows = [...table.matchAll(/^\| (\d+) \| ([A-Z_0-9]+) \|/gm)].map(([, code, name]) => [code, name]);
  assert.deepEqual(Object.fromEntries(rows), NAMES);
});
