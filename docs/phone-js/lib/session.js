// A session with a module over any link (sections 5, 7 and 8): the handshake, then requests, replies and pushes.
//
// A link is { attMtu, write(fragment): Promise, close(): Promise } and tells of what comes by link.onFragment(bytes)
// and link.onClosed(why). Everything that comes is handled at once and in order: the record right behind message_4
// finds its keys.

import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';

import { HandshakeError, Initiator } from './edhoc.js';
import { Assembler, BEFORE_SESSION_BYTES, Fragmenter, WITHIN_SESSION_BYTES } from './framing.js';
import * as messages from './messages.js';
import { Opener, RecordError, Sealer } from './records.js';

const HANDSHAKE_MS = 10_000; // the module waits no longer either (section 5)
const REPLY_MS = 5_000;
const SELF_TEST_MS = 30_000; // it moves five things, one after the other

/** The link is gone. A command that had no reply yet may have been carried out all the same. */
export class LinkLost extends Error {}

/** A new identifier for an intention of the user (section 8.2). */
export const newCommandId = () => randomBytes(8);

/** Emits 'access' (section 8.5), 'notice' (words, time left in ms) and 'closed' (why, when it was not the phone). */
export class Session extends EventEmitter {
  #link;
  #assembler = new Assembler();
  #fragmenter = new Fragmenter();
  #writing = Promise.resolve();
  #receive;
  #fail = () => {};
  #sealer;
  #opener;
  #waiting = new Map();
  #nextId = 1;
  #closed;
  #replyMs;
  #over;

  constructor(link, { replyMs = REPLY_MS } = {}) {
    super();
    this.#replyMs = replyMs;
    /** Resolves when the link is closed, by whomever. */
    this.over = new Promise((resolve) => {
      this.#over = resolve;
    });
    this.#link = link;
    link.onFragment = (bytes) => this.#take(bytes);
    link.onClosed = (why) => this.#end(new LinkLost(`the link was closed: ${why}`));
  }

  /**
   * Runs the handshake. `credential` as files.js reads it, `holder` has `sign`. Rejects with Refusal, AnotherModule,
   * HandshakeError or LinkLost; the link is closed then.
   */
  async authenticate(credential, holder) {
    const handshake = new Initiator({
      idCred: credential.idCred,
      cred: credential.cred,
      sign: (bytes) => holder.sign(bytes),
      modulePublic: credential.moduleHandshake,
    });
    try {
      await bounded(HANDSHAKE_MS, 'the module did not answer the handshake', (resolve, reject) => {
        this.#fail = reject;
        this.#receive = (message2) => {
          const message3 = handshake.message3(message2);
          this.#receive = (message4) => resolve(this.#begin(handshake.finish(message4)));
          this.#send(messages.EDHOC, message3);
        };
        this.#send(messages.EDHOC, handshake.message1());
      });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * One request (section 8.1). Resolves to { body, warning } of the reply; rejects with Refusal, or LinkLost.
   * A command needs its command id as `argument`.
   */
  async request(operation, argument) {
    if (this.#closed) throw this.#closed;
    const id = this.#nextId;
    this.#nextId = (id % 65535) + 1;
    const limit = operation === messages.OPERATIONS.SELF_TEST ? SELF_TEST_MS : this.#replyMs;
    try {
      return await bounded(limit, 'no reply came', (resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        this.#send(messages.RECORD, this.#sealer.seal(messages.request(id, operation, argument)));
      });
    } catch (error) {
      if (error instanceof LinkLost) await this.close(); // also when it was only silent: nothing can be said over it
      throw error;
    } finally {
      this.#waiting.delete(id);
    }
  }

  async close() {
    this.#end(new LinkLost('the phone closed the link'), { byUs: true });
    await this.#link.close();
  }

  #begin(keys) {
    this.#sealer = new Sealer(keys.toModule);
    this.#opener = new Opener(keys.fromModule);
    this.#assembler.limit = WITHIN_SESSION_BYTES;
    this.#receive = undefined;
    this.#fail = () => {};
  }

  #send(type, body) {
    const message = Buffer.concat([Buffer.from([type]), body]);
    const limit = this.#sealer ? WITHIN_SESSION_BYTES : BEFORE_SESSION_BYTES;
    if (message.length > limit) throw new Error(`a message of ${message.length} bytes is too long: ${limit} at most`);
    // One message at a time: its fragments stay together, whoever else sends meanwhile.
    this.#writing = this.#writing.then(async () => {
      for (const fragment of this.#fragmenter.split(message, this.#link.attMtu)) await this.#link.write(fragment);
    });
    this.#writing = this.#writing.catch((error) => this.#end(new LinkLost(`a write failed: ${error.message}`)));
  }

  #take(fragment) {
    if (this.#closed) return;
    try {
      const message = this.#assembler.take(fragment);
      if (message !== null) this.#dispatch(message[0], message.subarray(1));
    } catch (error) {
      // Whatever it is, this link is no use any more: section 4 for fragments, 7.1 for the handshake.
      this.#end(error);
      void this.#link.close();
    }
  }

  #dispatch(type, body) {
    if (type === messages.ERROR) {
      const refusal = messages.error(body);
      // Nobody has signed it. Within a session it must not pass for the answer to a command, which may be on its way.
      throw this.#opener ? new LinkLost(`the session is over: ${refusal.message}`) : refusal;
    }
    if (type === messages.EDHOC && this.#receive) return this.#receive(body);
    if (type === messages.RECORD && this.#opener) return this.#record(body);
    throw new HandshakeError(`a message of type ${type} that nobody waits for`);
  }

  #record(body) {
    let told;
    try {
      told = messages.fromModule(this.#opener.open(body));
    } catch (error) {
      if (error instanceof RecordError) return; // anybody can send one: it changes nothing (section 7.3)
      throw error;
    }
    if (told.access) this.emit('access', told.access);
    if (told.notice) this.emit('notice', told.notice, told.leftMs);
    const waiting = this.#waiting.get(told.id);
    if (told.refusal) waiting?.reject(told.refusal);
    else waiting?.resolve({ body: told.body, warning: told.warning });
  }

  #end(why, { byUs = false } = {}) {
    if (this.#closed) return;
    this.#closed = why instanceof LinkLost ? why : new LinkLost(why.message);
    this.#fail(why);
    for (const { reject } of this.#waiting.values()) reject(this.#closed);
    if (!byUs) this.emit('closed', why);
    this.#over();
  }
}

function bounded(ms, why, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new LinkLost(why)), ms);
    const settled = (settle) => (value) => {
      clearTimeout(timer);
      settle(value);
    };
    try {
      start(settled(resolve), settled(reject));
    } catch (error) {
      settled(reject)(error);
    }
  });
}
