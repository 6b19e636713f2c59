#!/usr/bin/env node
// The command: a phone for one booking, at this machine's Bluetooth. README.md beside it says how to use it.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { ContainerError, endReceipt } from './lib/cose.js';
import { HandshakeError } from './lib/edhoc.js';
import { FileError, loadCredential, loadPrivateKey } from './lib/files.js';
import { FramingViolation } from './lib/framing.js';
import { MessageError } from './lib/messages.js';
import { Air, AirError } from './lib/noble-air.js';
import { NotFound, Phone } from './lib/phone.js';
import { Refusal } from './lib/refusals.js';
import { LinkLost } from './lib/session.js';
import { Teller } from './lib/teller.js';

const USAGE = `Usage: phone.js [--booking FILE] [--key FILE] [--uart PATH | --adapter N] [--within S] [--json]
       COMMAND...

Commands: status, unlock, lock, start, stop, end, boot, locate, keys, nonce, put=FILE, outcome=ID, reconnect, hang-up,
wait (until the module hangs up). With - they are read from standard input, one a line.`;
const COMMANDS = {
  status: 'STATUS',
  unlock: 'UNLOCK',
  lock: 'LOCK',
  start: 'ENABLE_DRIVE',
  stop: 'DISABLE_DRIVE',
  end: 'END_BOOKING',
  boot: 'OPEN_BOOT',
  locate: 'LOCATE',
  keys: 'KEYS',
  nonce: 'GET_NONCE',
};
const ARGUMENTS = {
  put: ['PUT', (path) => readFileSync(path)],
  outcome: ['OUTCOME', (text) => Buffer.from(text, 'hex')],
};
const OTHERS = ['wait', 'hang-up', 'reconnect'];
const TOLD_AS = { start: 'start (immobiliser off)', stop: 'stop (immobiliser on)' };
const EXIT = { done: 0, fault: 1, usage: 2, refused: 3, unreachable: 4, unauthenticated: 5, file: 6 };

class UsageError extends Error {}

async function main() {
  const { values, positionals } = options();
  const credential = loadCredential(values.booking);
  const holder = loadPrivateKey(values.key);
  const adapter = values.adapter === undefined ? undefined : Number(values.adapter);
  const air = new Air({ uart: values.uart, adapter });
  const teller = new Teller(values.json, (line) => process.stdout.write(`${line}\n`));
  const phone = new Phone({
    air,
    credential,
    holder,
    timed: (...step) => teller.timed(...step),
    tell: (kind, ...what) => teller.tell(kind, ...what),
  });
  try {
    await air.powerOn();
    await phone.connect(Number(values.within) * 1000);
    return await obey({ phone, teller, credential, withinMs: Number(values.within) * 1000 }, commands(positionals));
  } finally {
    await phone.hangUp();
    air.stop();
  }
}

function options() {
  try {
    const parsed = parseArgs({
      allowPositionals: true,
      options: {
        booking: { type: 'string', default: 'booking.json' },
        key: { type: 'string', default: 'holder.pem' },
        uart: { type: 'string' },
        adapter: { type: 'string' },
        within: { type: 'string', default: '15' },
        json: { type: 'boolean', default: false },
      },
    });
    if (parsed.positionals.length === 0) throw new Error('no command');
    parsed.positionals.filter((word) => word !== '-').forEach(split); // before anything is done
    return parsed;
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`${error.message}\n\n${USAGE}`);
  }
}

async function* commands(positionals) {
  for (const word of positionals) {
    if (word !== '-') yield word;
    else yield* createInterface({ input: process.stdin });
  }
}

/** Carries out each command. One that is refused does not keep the next from being tried; the exit code tells of it. */
async function obey(parts, words) {
  let exit = EXIT.done;
  for await (const word of words) {
    try {
      if (word.trim() !== '') await carryOut(parts, word.trim());
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      exit = EXIT.refused;
      if (!parts.teller.json) process.stderr.write(`${word} refused: ${error.message}\n`);
    }
  }
  return exit;
}

async function carryOut({ phone, teller, credential, withinMs }, word) {
  const [name, text] = split(word);
  if (name === 'wait') return teller.timed('cut off', phone.gone(), () => 'the module hung up');
  if (name === 'hang-up') return teller.timed('hang up', phone.hangUp());
  if (name === 'reconnect') return teller.timed('reconnect', admitted(phone, withinMs));
  if (name in ARGUMENTS) {
    const [operation, read] = ARGUMENTS[name];
    return teller.timed(name, phone.send(operation, read(text)), teller.inWords(operation));
  }
  const words = teller.inWords(COMMANDS[name]);
  const proven = (reply) => words(reply) + receiptInWords(reply.body.receipt, credential.moduleSigning);
  return teller.timed(TOLD_AS[name] ?? name, phone.send(COMMANDS[name]), proven);
}

/** A command and its argument. Throws UsageError. */
function split(word) {
  const [name, text] = word.split(/=(.*)/s);
  const known = name in ARGUMENTS ? Boolean(text) : text === undefined && (name in COMMANDS || OTHERS.includes(name));
  if (!known) throw new UsageError(`${word} is no command\n\n${USAGE}`);
  return [name, text];
}

/** Throws ContainerError for a receipt that is not the module's. */
function receiptInWords(receipt, moduleSigning) {
  if (receipt === undefined) return '';
  const { positionKnown, offline } = endReceipt(receipt, moduleSigning);
  return ` The car signed it, ${positionKnown ? 'knows' : 'does not know'} where it stands and ${
    offline ? 'had no connection: hand the receipt to your backend' : 'told the backend'
  }.`;
}

/** Connects, and asks at once whether that was of any use (section 1). Throws the Refusal with which it was not. */
async function admitted(phone, withinMs) {
  await phone.connect(withinMs);
  const { access } = (await phone.send('STATUS')).body;
  if (!access.granted) throw access.why;
}

function exitCode(error) {
  const kinds = [
    [EXIT.usage, UsageError],
    [EXIT.refused, Refusal],
    [EXIT.unauthenticated, HandshakeError, ContainerError],
    [EXIT.file, FileError],
    [EXIT.unreachable, LinkLost, NotFound, AirError, MessageError, FramingViolation],
  ];
  return kinds.find(([, ...types]) => types.some((type) => error instanceof type))?.[0] ?? EXIT.fault;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    const code = exitCode(error);
    process.stderr.write(`phone.js: ${code === EXIT.fault ? error.stack : error.message}\n`);
    process.exit(code);
  },
);
