// The module's side, as far as the tests of the phone need one: it proves its key, admits anybody, and answers as told.
// It is written from RFC 9528 for its own part, so that a mistake in the phone's does not cancel out.

import { createHmac, randomBytes } from 'node:crypto';

import { decode, decodeSequence, encode, encodeSequence } from '../../lib/cbor.js';
import { credentialOf, kdf, open, seal } from '../../lib/edhoc.js';
import { Assembler, Fragmenter, WITHIN_SESSION_BYTES } from '../../lib/framing.js';
import { PrivateKey, PublicKey, sha256 } from '../../lib/keys.js';
import { Opener, Sealer } from '../../lib/records.js';

const NOTHING = Buffer.alloc(0);
const KID = Buffer.from([10]);
const extract = (salt, secret) => createHmac('sha256', salt).update(secret).digest();
const associated = (hash) => encode(['Encrypt0', NOTHING, hash]);

/** One EDHOC handshake as responder. `extensions` are what is put behind MAC_2 as EAD_2. */
export class Responder {
  constructor(handshakeKey, extensions = []) {
    this.key = handshakeKey;
    this.extensions = extensions;
    this.ephemeral = PrivateKey.generate();
  }

  message2(message1) {
    const [, , publicX] = decodeSequence(message1);
    const th2 = sha256(encodeSequence(this.ephemeral.public.x, sha256(message1)));
    const prk2e = extract(th2, this.ephemeral.agree(publicX));
    this.prk = extract(kdf(prk2e, 1, th2, 32), this.key.agree(publicX));
    const cred = credentialOf(this.key.public);
    const context = encodeSequence(-8, new Map([[4, KID]]), th2, cred, ...this.extensions);
    const plaintext = encodeSequence(-8, 10, kdf(this.prk, 2, context, 16), ...this.extensions);
    this.th3 = sha256(encode(th2), plaintext, encode(cred));
    const stream = kdf(prk2e, 0, th2, plaintext.length);
    const ciphertext = Buffer.from(plaintext.map((byte, at) => byte ^ stream[at]));
    return encode(Buffer.concat([this.ephemeral.public.x, ciphertext]));
  }

  /** Checks the holder's signature, and returns message_4 and the keys of the records. */
  message4(message3) {
    const derived = (label, hash, length) => kdf(this.prk, label, hash, length);
    const plaintext = open(
      derived(3, this.th3, 32),
      derived(4, this.th3, 12),
      associated(this.th3),
      decode(message3),
    );
    const [idCred, signature] = decodeSequence(plaintext);
    const [[label, cred]] = idCred;
    const shown = label === -70002 ? cred[1] : cred;
    const holder = PublicKey.fromCose(decode(shown[2]).get(8).get(1));
    const external = encodeSequence(this.th3, cred);
    const mac3 = derived(6, encodeSequence(idCred, this.th3, cred), 32);
    if (!holder.verifies(signature, encode(['Signature1', encode(idCred), external, mac3])))
      throw new Error('not the holder');
    const th4 = sha256(encode(this.th3), plaintext, encode(cred));
    const exporter = kdf(derived(7, th4, 32), 10, NOTHING, 32);
    const exported = (number, length) => kdf(exporter, number, Buffer.from('sharebox/1'), length);
    return {
      message4: encode(seal(derived(8, th4, 32), derived(9, th4, 12), associated(th4), NOTHING)),
      toModule: { key: exported(32768, 32), iv: exported(32769, 12) },
      fromModule: { key: exported(32770, 32), iv: exported(32771, 12) },
    };
  }
}

/** A link in memory, and the module at its other end. `answer(request)` gives the arrays that are sent back. */
export class ScriptedModule {
  constructor({ key, answer = () => [], extensions = [], attMtu = 247 }) {
    Object.assign(this, { responder: new Responder(key, extensions), answer, requests: [], closed: false });
    this.assembler = new Assembler();
    this.fragmenter = new Fragmenter();
    this.link = {
      attMtu,
      information: INFORMATION,
      write: async (bytes) => this.#take(bytes),
      close: async () => this.hangUp(),
    };
  }

  /** Sends `values`, each in a record. */
  tell(...values) {
    for (const value of values) this.send(2, this.sealer.seal(encode(value)));
  }

  send(type, body) {
    for (const fragment of this.fragmenter.split(Buffer.concat([Buffer.from([type]), body]), this.link.attMtu))
      this.notify(fragment);
  }

  notify(fragment) {
    if (!this.closed) this.link.onFragment(fragment);
  }

  hangUp() {
    if (this.closed) return;
    this.closed = true;
    this.link.onClosed('0x13');
  }

  #take(fragment) {
    const message = this.assembler.take(fragment);
    if (message === null) return;
    const [type, body] = [message[0], message.subarray(1)];
    if (type === 2) return this.#asked(decode(this.opener.open(body)));
    if (!this.responder.th3) return this.send(1, this.responder.message2(body));
    const { message4, toModule, fromModule } = this.responder.message4(body);
    Object.assign(this, { opener: new Opener(toModule), sealer: new Sealer(fromModule) });
    this.assembler.limit = WITHIN_SESSION_BYTES;
    this.send(1, message4);
    this.tell(...(this.answer(null) || [])); // pushes right behind message_4, as a busy module sends them
  }

  #asked(request) {
    this.requests.push(request);
    this.tell(...(this.answer(request) || []));
  }
}

export const INFORMATION = encode(
  new Map([
    [1, 1],
    [2, 1024],
    [3, 4096],
    [4, [5]],
    [5, [1]],
  ]),
);

/** A credential as files.js reads one, its holder and the module's key: a token that is right in form, of no issuer. */
export function fresh({ beaconKey } = {}) {
  const [holder, module] = [PrivateKey.generate(), PrivateKey.generate()];
  const header = encode(
    new Map([
      [1, -7],
      [4, Buffer.alloc(8)],
      [16, 65001],
    ]),
  );
  const payload = encode(
    new Map([
      [7, randomBytes(16)],
      [8, new Map([[1, holder.public.cose()]])],
    ]),
  );
  const token = [header, new Map(), payload, Buffer.alloc(64)];
  const shown = { idCred: new Map([[13, token]]), cred: token };
  return {
    holder,
    module,
    credential: { ...shown, beaconKey, moduleHandshake: module.public, moduleSigning: module.public },
  };
}
