// The phone's side of EDHOC (RFC 9528) in the one profile of section 7.1: method 1, cipher suite 5, initiator.
//
//   const handshake = new Initiator({ idCred, cred, sign, modulePublic });
//   send(handshake.message1());
//   send(handshake.message3(received));
//   const keys = handshake.finish(received);
//
// A handshake that failed is dead: every method throws from then on.

import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';

import { decode, decodeSequence, encode, encodeSequence } from './cbor.js';
import { PrivateKey, sha256 } from './keys.js';

const METHOD = 1;
const SUITE = 5;
const HASH_BYTES = 32;
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const MAC_2_BYTES = 16;
const KID = Buffer.from([0x0a]);
const EXPORT_CONTEXT = Buffer.from('sharebox/1', 'ascii');
const NOTHING = Buffer.alloc(0);

export class HandshakeError extends Error {}

/** The module's MAC does not fit the key of the phone's file: another car, or none. Nothing was revealed. */
export class AnotherModule extends HandshakeError {}

export class Initiator {
  #ephemeral;
  #connectionId;
  #step = 'message_1';
  #th;
  #prk3e2m;
  #hashOfMessage1;

  /**
   * @param idCred Map, ID_CRED_I (section 7.1)
   * @param cred the decoded credential, CRED_I
   * @param sign function: bytes -> 64 bytes of ES256 by the holder's key
   * @param modulePublic PublicKey of the module's handshake key
   * @param ephemeral, connectionId for tests; fresh ones otherwise. An identifier is an integer
   *   from -24 to 23, or bytes.
   */
  constructor({ idCred, cred, sign, modulePublic, ephemeral = PrivateKey.generate(), connectionId = 14 }) {
    this.idCred = idCred;
    this.cred = cred;
    this.sign = sign;
    this.modulePublic = modulePublic;
    this.#ephemeral = ephemeral;
    this.#connectionId = connectionId;
  }

  message1() {
    return this.#take('message_1', 'message_2', () => {
      const message = encodeSequence(METHOD, SUITE, this.#ephemeral.public.x, this.#connectionId);
      this.#hashOfMessage1 = sha256(message);
      return message;
    });
  }

  /** Checks message_2 and makes message_3. Throws AnotherModule, HandshakeError. */
  message3(message2) {
    return this.#take('message_2', 'message_4', () => {
      this.#readMessage2(message2);
      return this.#makeMessage3();
    });
  }

  /** Checks message_4. Returns the keys of the records (section 7.2): { toModule, fromModule }, each { key, iv }. */
  finish(message4) {
    return this.#take('message_4', 'over', () => {
      const key = kdf(this.#prk3e2m, 8, this.#th, KEY_BYTES);
      const iv = kdf(this.#prk3e2m, 9, this.#th, IV_BYTES);
      const plaintext = open(key, iv, encrypt0Data(this.#th), byteString(message4));
      checkExtensions(decodeSequence(plaintext));
      const prkOut = kdf(this.#prk3e2m, 7, this.#th, HASH_BYTES);
      const prkExporter = kdf(prkOut, 10, NOTHING, HASH_BYTES);
      const exported = (label, length) => kdf(prkExporter, label, EXPORT_CONTEXT, length);
      return {
        toModule: { key: exported(32768, KEY_BYTES), iv: exported(32769, IV_BYTES) },
        fromModule: { key: exported(32770, KEY_BYTES), iv: exported(32771, IV_BYTES) },
      };
    });
  }

  #readMessage2(message2) {
    const body = byteString(message2);
    if (body.length <= 32) throw new HandshakeError('message_2 is too short');
    const publicY = body.subarray(0, 32);
    const ciphertext = body.subarray(32);
    const th2 = sha256(encodeSequence(publicY, this.#hashOfMessage1));
    const prk2e = hmac(th2, this.#ephemeral.agree(publicY)); // HKDF-Extract
    const plaintext = xor(ciphertext, kdf(prk2e, 0, th2, ciphertext.length));
    const [connectionId, kid, mac2, ...extensions] = decodeSequence(plaintext);

    // A kid of one byte that encodes a small integer travels as that integer (RFC 9528, section 3.5.3.2).
    if (kid !== KID[0] || !Buffer.isBuffer(mac2))
      throw new HandshakeError('message_2 shows no credential of this protocol');
    checkExtensions(extensions);
    this.#prk3e2m = hmac(kdf(prk2e, 1, th2, HASH_BYTES), this.#ephemeral.agree(this.modulePublic.x));
    const idCredR = new Map([[4, KID]]);
    const context = encodeSequence(connectionId, idCredR, th2, credentialOf(this.modulePublic), ...extensions);
    const expected = kdf(this.#prk3e2m, 2, context, MAC_2_BYTES);
    if (mac2.length !== expected.length || !timingSafeEqual(mac2, expected)) {
      throw new AnotherModule('this module does not have the key of the booking');
    }
    this.#th = sha256(encode(th2), plaintext, encode(credentialOf(this.modulePublic)));
  }

  #makeMessage3() {
    const th3 = this.#th;
    const [protectedHeader, cred] = [encode(this.idCred), encode(this.cred)];
    const context = Buffer.concat([protectedHeader, encode(th3), cred]);
    const mac3 = kdf(this.#prk3e2m, 6, context, HASH_BYTES);
    const external = Buffer.concat([encode(th3), cred]);
    const signature = this.sign(encode(['Signature1', protectedHeader, external, mac3]));
    const plaintext = encodeSequence(this.idCred, signature);
    const key = kdf(this.#prk3e2m, 3, th3, KEY_BYTES);
    const iv = kdf(this.#prk3e2m, 4, th3, IV_BYTES);
    this.#th = sha256(encode(th3), plaintext, cred);
    return encode(seal(key, iv, encrypt0Data(th3), plaintext));
  }

  #take(now, next, make) {
    if (this.#step !== now) throw new HandshakeError(`the handshake is at ${this.#step}, not at ${now}`);
    this.#step = 'failed';
    try {
      const result = make();
      this.#step = next;
      return result;
    } catch (error) {
      throw error instanceof HandshakeError ? error : new HandshakeError(error.message);
    }
  }
}

/** CRED_R: the module's key as a CWT claims set. */
export function credentialOf(modulePublic) {
  return new Map([[8, new Map([[1, modulePublic.cose([[2, KID]])]])]]);
}

function byteString(message) {
  const value = decode(message);
  if (!Buffer.isBuffer(value)) throw new HandshakeError('no byte string');
  return value;
}

// EAD (RFC 9528, section 3.8): labels with an optional byte string each. A negative one is critical, and none is known.
function checkExtensions(items) {
  for (let at = 0; at < items.length; at += 1) {
    if (!Number.isInteger(items[at])) throw new HandshakeError('what follows is no external authorization data');
    if (items[at] < 0) throw new HandshakeError(`critical external authorization data ${items[at]} is unknown`);
    if (Buffer.isBuffer(items[at + 1])) at += 1;
  }
}

const hmac = (key, ...parts) => parts.reduce((mac, part) => mac.update(part), createHmac('sha256', key)).digest();

/** EDHOC_KDF: HKDF-Expand with the info of RFC 9528, section 4.1.2. */
export function kdf(prk, label, context, length) {
  const info = encodeSequence(label, context, length);
  let [output, block] = [NOTHING, NOTHING];
  for (let count = 1; output.length < length; count += 1) {
    block = hmac(prk, block, info, Buffer.from([count]));
    output = Buffer.concat([output, block]);
  }
  return output.subarray(0, length);
}

const xor = (left, right) => Buffer.from(left.map((byte, at) => byte ^ right[at]));
const encrypt0Data = (external) => encode(['Encrypt0', NOTHING, external]);

export function seal(key, nonce, data, plaintext) {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(data);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

export function open(key, nonce, data, ciphertext) {
  if (ciphertext.length < TAG_BYTES) throw new Error('too short for its tag');
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(data);
  decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(ciphertext.subarray(0, -TAG_BYTES)), decipher.final()]);
}
