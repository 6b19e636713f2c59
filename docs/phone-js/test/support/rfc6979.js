// ES256 with the nonce of RFC 6979, so that the bytes of the worked example come out again. For tests only: its time
// depends on the key.

import { createECDH, createHmac } from 'node:crypto';

import { sha256 } from '../../lib/keys.js';

const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const number = (bytes) => BigInt(`0x${bytes.toString('hex')}`);
const bytes = (value) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
const hmac = (key, ...parts) => parts.reduce((mac, part) => mac.update(part), createHmac('sha256', key)).digest();

/** r || s over SHA-256 of `data`. */
export function sign(secret, data) {
  const digest = number(sha256(data)) % N;
  const k = nonce(secret, bytes(digest));
  const point = createECDH('prime256v1');
  point.setPrivateKey(bytes(k));
  const r = number(point.getPublicKey().subarray(1, 33)) % N;
  const s = (inverse(k) * (digest + r * number(secret))) % N;
  return Buffer.concat([bytes(r), bytes(s)]);
}

function nonce(secret, digest) {
  let [key, value] = [Buffer.alloc(32, 0), Buffer.alloc(32, 1)];
  for (const byte of [0, 1]) {
    key = hmac(key, value, Buffer.from([byte]), secret, digest);
    value = hmac(key, value);
  }
  for (;;) {
    value = hmac(key, value);
    if (number(value) > 0n && number(value) < N) return number(value);
    key = hmac(key, value, Buffer.from([0]));
    value = hmac(key, value);
  }
}

function inverse(value) {
  let [result, base] = [1n, value];
  for (let exponent = N - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % N;
    base = (base * base) % N;
  }
  return result;
}
