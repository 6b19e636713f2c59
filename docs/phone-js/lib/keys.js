// Keys on P-256, and what they do: ES256, static Diffie-Hellman, key ids (section 6.1).

import { createECDH, createHash, createPrivateKey, createPublicKey, ECDH, sign, verify } from 'node:crypto';

const CURVE = 'prime256v1';
const ES256 = { dsaEncoding: 'ieee-p1363' }; // r || s, not the DER of most other formats

export const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

/** A public key, from the compressed point of 33 bytes. */
export class PublicKey {
  constructor(compressed) {
    if (compressed.length !== 33) throw new Error(`a compressed point has 33 bytes, not ${compressed.length}`);
    this.compressed = Buffer.from(compressed);
    const point = ECDH.convertKey(this.compressed, CURVE, undefined, undefined, 'uncompressed'); // throws off the curve
    this.x = point.subarray(1, 33);
    this.y = point.subarray(33);
  }

  /** From the x coordinate and the sign of y, as a COSE_Key holds them. */
  static fromCose(key) {
    return new PublicKey(Buffer.concat([Buffer.from([key.get(-3) ? 3 : 2]), key.get(-2)]));
  }

  get keyId() {
    return sha256(this.x).subarray(0, 8);
  }

  /** The COSE_Key of section 6.1; `more` are further members, such as a kid. */
  cose(more = []) {
    return new Map([[1, 2], ...more, [-1, 1], [-2, this.x], [-3, this.compressed[0] === 3]]);
  }

  verifies(signature, data) {
    const key = createPublicKey({ key: this.#jwk(), format: 'jwk' });
    return signature.length === 64 && verify('sha256', data, { key, ...ES256 }, signature);
  }

  #jwk() {
    return { kty: 'EC', crv: 'P-256', x: this.x.toString('base64url'), y: this.y.toString('base64url') };
  }
}

/**
 * A private key. On a real phone it lives in the secure element: the handshake needs `sign` and `public` of the
 * holder's key, and nothing else of it.
 */
export class PrivateKey {
  #ecdh;
  #key;

  constructor(secret) {
    this.#ecdh = createECDH(CURVE);
    this.#ecdh.setPrivateKey(secret);
    this.public = new PublicKey(this.#ecdh.getPublicKey(null, 'compressed'));
    const [x, y, d] = [this.public.x, this.public.y, secret].map((bytes) => bytes.toString('base64url'));
    this.#key = createPrivateKey({ key: { kty: 'EC', crv: 'P-256', x, y, d }, format: 'jwk' });
  }

  static generate() {
    const ecdh = createECDH(CURVE);
    ecdh.generateKeys();
    return new PrivateKey(leftPadded(ecdh.getPrivateKey()));
  }

  /** From a PEM file (PKCS #8 or SEC 1), or 64 hexadecimal digits. */
  static parse(text) {
    if (/^[0-9a-f]{64}$/i.test(text.trim())) return new PrivateKey(Buffer.from(text.trim(), 'hex'));
    const { crv, d } = createPrivateKey(text).export({ format: 'jwk' });
    if (crv !== 'P-256') throw new Error(`a key on P-256 is needed, not on ${crv ?? 'something else'}`);
    return new PrivateKey(Buffer.from(d, 'base64url'));
  }

  sign(data) {
    return sign('sha256', data, { key: this.#key, ...ES256 });
  }

  /** The x coordinate of the shared point; `x` is that of the other key, whose sign does not matter. */
  agree(x) {
    return this.#ecdh.computeSecret(Buffer.concat([Buffer.from([2]), x]));
  }
}

function leftPadded(secret) {
  return Buffer.concat([Buffer.alloc(32 - secret.length), secret]);
}
