// Messages as fragments (section 4). One object for each direction of a link; neither knows what a message means.

const FIRST = 0x80;
const LAST = 0x40;
const NUMBERS = 64;
const MAX_FRAGMENT = 512;
const BETWEEN_FRAGMENTS_MS = 1000;
const WHOLE_MESSAGE_MS = 5000;

export const BEFORE_SESSION_BYTES = 1024;
export const WITHIN_SESSION_BYTES = 4160;

/** The other side broke the rules of section 4. A phone closes the link. */
export class FramingViolation extends Error {}

export class Fragmenter {
  #number = 0;

  /** The fragments of `message` on a link with this ATT MTU, in order. */
  split(message, attMtu) {
    const size = Math.min(attMtu - 3, MAX_FRAGMENT);
    const fragments = [];
    for (let at = 0; at < message.length;) {
      const head = at === 0 ? [0, message.length >> 8, message.length & 0xff] : [0];
      const payload = message.subarray(at, at + size - head.length);
      const last = at + payload.length === message.length;
      head[0] = (at === 0 ? FIRST : 0) | (last ? LAST : 0) | this.#number;
      this.#number = (this.#number + 1) % NUMBERS;
      fragments.push(Buffer.concat([Buffer.from(head), payload]));
      at += payload.length;
    }
    return fragments;
  }
}

export class Assembler {
  #now;
  #previous = null;
  #parts = null; // of the message under way: { announced, received, chunks, next, begun, latest }

  /** @param now function: milliseconds of a clock that never goes back */
  constructor(now = () => performance.now()) {
    this.#now = now;
    this.limit = BEFORE_SESSION_BYTES;
  }

  /** The message that this fragment completes, or null. Throws FramingViolation. */
  take(fragment) {
    if (this.#previous?.equals(fragment)) return null; // repeated by the radio or the stack
    this.#previous = Buffer.from(fragment);
    if (fragment.length < 2) throw this.#violation('a fragment without payload');
    const [first, last] = [Boolean(fragment[0] & FIRST), Boolean(fragment[0] & LAST)];
    const payload = first ? this.#begin(fragment) : this.#goOn(fragment);
    return this.#add(payload, fragment[0] % NUMBERS, last);
  }

  #begin(fragment) {
    const interrupted = this.#parts !== null && !this.#late();
    this.#parts = null;
    if (interrupted) throw this.#violation('a message before the one under way was complete');
    if (fragment.length < 4) throw this.#violation('a first fragment without payload');
    const announced = fragment.readUInt16BE(1);
    if (announced === 0 || announced > this.limit) throw this.#violation(`a message of ${announced} bytes`);
    this.#parts = { announced, received: 0, chunks: [], next: 0, begun: this.#now(), latest: 0 };
    return fragment.subarray(3);
  }

  #goOn(fragment) {
    if (this.#parts === null) throw this.#violation('a fragment of no message');
    if (this.#late()) throw this.#violation('a fragment that came too late');
    if (fragment[0] % NUMBERS !== this.#parts.next) throw this.#violation('a fragment is missing');
    return fragment.subarray(1);
  }

  #add(payload, number, last) {
    const parts = this.#parts;
    parts.chunks.push(payload);
    parts.received += payload.length;
    parts.next = (number + 1) % NUMBERS;
    parts.latest = this.#now();
    if (last !== parts.received >= parts.announced || parts.received > parts.announced) {
      throw this.#violation('the end of a message is not where it was announced');
    }
    if (!last) return null;
    this.#parts = null;
    return Buffer.concat(parts.chunks);
  }

  #late() {
    const now = this.#now();
    return now - this.#parts.latest > BETWEEN_FRAGMENTS_MS || now - this.#parts.begun > WHOLE_MESSAGE_MS;
  }

  #violation(why) {
    this.#parts = null;
    return new FramingViolation(why);
  }
}
