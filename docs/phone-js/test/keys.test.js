// Keys and signatures: the vectors of RFC 6979, A.2.5 (P-256 with SHA-256), and what is no key.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';

import { PrivateKey, PublicKey } from '../lib/keys.js';
import { sign } from './support/rfc6979.js';

const hex = (text) => Buffer.from(text, 'hex');
const SECRET = hex('c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721');
const X = hex('60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6');
const Y = hex('7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299');
const SIGNATURES = {
  sample:
    'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716' +
    'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
  test:
    'f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367' +
    '019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083',
};

test('the key and the signatures of RFC 6979', () => {
  const key = new PrivateKey(SECRET);
  assert.deepEqual([key.public.x, key.public.y], [X, Y]);
  for (const [text, signature] of Object.entries(SIGNATURES)) {
    assert.deepEqual(sign(SECRET, Buffer.from(text)), hex(signature));
    assert.ok(key.public.verifies(hex(signature), Buffer.from(text)));
    assert.ok(key.public.verifies(key.sign(Buffer.from(text)), Buffer.from(text)));
    assert.ok(!key.public.verifies(hex(signature), Buffer.from(`${text}.`)));
    assert.ok(!key.public.verifies(hex(signature).subarray(1), Buffer.from(text)));
  }
});

test('a private key from a file: PEM of both kinds, or hexadecimal', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const secret = Buffer.from(privateKey.export({ format: 'jwk' }).d, 'base64url');
  const texts = ['pkcs8', 'sec1'].map((type) => privateKey.export({ type, format: 'pem' }));
  for (const text of [...texts, `${secret.toString('hex')}\n`]) {
    assert.deepEqual(PrivateKey.parse(text).public.compressed, new PrivateKey(secret).public.compressed);
  }
});

test('no key: another curve, a point off the curve, a wrong length', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  assert.throws(() => PrivateKey.parse(privateKey.export({ type: 'pkcs8', format: 'pem' })), /P-256/);
  assert.throws(() => new PublicKey(Buffer.concat([hex('02'), Buffer.alloc(32, 0xff)])));
  assert.throws(() => new PublicKey(Buffer.alloc(32, 2)), /33 bytes/);
});
