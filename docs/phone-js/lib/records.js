// Encrypted records (section 7.3). One object for each direction of a session.

import { decode, encode } from './cbor.js';
import { open, seal } from './edhoc.js';

const MAX_RECORDS = 2 ** 20;
const COUNTER = 6;
const NOTHING = Buffer.alloc(0);
const ASSOCIATED = encode(['Encrypt0', NOTHING, NOTHING]);

export class RecordError extends Error {}

export class Sealer {
  #keys;
  #counter = 0;

  constructor(keys) {
    this.#keys = keys;
  }

  seal(plaintext) {
    if (this.#counter === MAX_RECORDS) throw new RecordError('the keys are used up: a new handshake is due');
    const counter = shortest(this.#counter);
    const nonce = nonceOf(this.#keys.iv, this.#counter);
    this.#counter += 1;
    return encode([NOTHING, new Map([[COUNTER, counter]]), seal(this.#keys.key, nonce, ASSOCIATED, plaintext)]);
  }
}

export class Opener {
  #keys;
  #last = -1;

  constructor(keys) {
    this.#keys = keys;
  }

  /** The plaintext. Throws RecordError, and a refused record changes nothing. */
  open(record) {
    const [counter, ciphertext] = parts(record);
    if (counter <= this.#last) throw new RecordError('a record that came before');
    let plaintext;
    try {
      plaintext = open(this.#keys.key, nonceOf(this.#keys.iv, counter), ASSOCIATED, ciphertext);
    } catch {
      throw new RecordError('a record that does not open');
    }
    this.#last = counter;
    return plaintext;
  }
}

function parts(record) {
  const value = decode(record);
  const [head, unprotected, ciphertext] = Array.isArray(value) && value.length === 3 ? value : [];
  const counter = unprotected instanceof Map && unprotected.size === 1 ? unprotected.get(COUNTER) : null;
  if (head?.length !== 0 || !Buffer.isBuffer(counter) || !Buffer.isBuffer(ciphertext))
    throw new RecordError('no record');
  const number = counter.length >= 1 && counter.length <= 3 ? counter.readUIntBE(0, counter.length) : MAX_RECORDS;
  if (number >= MAX_RECORDS || !shortest(number).equals(counter)) throw new RecordError('no counter of a record');
  return [number, ciphertext];
}

function shortest(counter) {
  const bytes = Buffer.alloc(3);
  bytes.writeUIntBE(counter, 0, 3);
  return bytes.subarray(counter < 0x100 ? 2 : counter < 0x10000 ? 1 : 0);
}

function nonceOf(iv, counter) {
  const nonce = Buffer.from(iv);
  for (let at = 0; at < 3; at += 1) nonce[11 - at] ^= (counter >> (8 * at)) & 0xff;
  return nonce;
}
