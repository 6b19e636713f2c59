// What is said inside a session (section 8), and the two messages that need none (sections 3.3 and 5).

import { CborError, decode, encode } from './cbor.js';
import { Refusal, WARNINGS } from './refusals.js';

export const EDHOC = 1;
export const RECORD = 2;
export const ERROR = 3;

export const OPERATIONS = {
  UNLOCK: 1,
  LOCK: 2,
  ENABLE_DRIVE: 3,
  DISABLE_DRIVE: 4,
  END_BOOKING: 5,
  STATUS: 6,
  PUT: 7,
  KEYS: 8,
  GET_NONCE: 9,
  LOCATE: 11,
  OUTCOME: 12,
  OPEN_BOOT: 13,
  SELF_TEST: 14,
};
export const PHASES = ['none', 'active', 'overdue', 'cutoff pending', 'cut off', 'ended'];
export const NOTICES = {
  1: 'the booking is overdue',
  2: 'five minutes to the cutoff',
  3: 'the booking was cut off',
  4: 'the booking was ended by an order',
  5: 'a shared key was accepted',
  6: 'a shared key was activated',
};
const PERMISSIONS = [
  [1, 'unlock'],
  [2, 'drive'],
  [4, 'lock'],
  [8, 'locate'],
  [16, 'boot'],
];
const COMMANDS = new Set([1, 2, 3, 4, 5, 13]);

/** Whether an operation moves something, and so carries a command id (section 8.2). */
export const isCommand = (operation) => COMMANDS.has(operation);

export class MessageError extends Error {}

export function request(id, operation, argument) {
  return encode(argument === undefined ? [id, operation] : [id, operation, argument]);
}

/**
 * What a record from the module holds: { id, warning, body } for a reply that was carried out, { id, refusal } for one
 * that was not, { access } or { notice, leftMs } for a push, {} for a push of an unknown kind. Throws MessageError.
 */
export function fromModule(plaintext) {
  return reading(() => {
    const items = decode(plaintext);
    if (items[0] === 0) return push(items[1], items[2]);
    const [id, status, kind, body] = items;
    if (kind === 0) return { id, refusal: Refusal.read(status, body) };
    return {
      id,
      warning: status === 0 ? undefined : (WARNINGS[status] ?? `warning ${status}`),
      body: readBody(kind, body),
    };
  });
}

/** The Refusal in an ERROR message. Nobody has signed it. */
export function error(body) {
  return reading(() => {
    const [code, refusal] = decode(body);
    return Refusal.read(code, refusal);
  });
}

export function publicInformation(value) {
  return reading(() => {
    const map = decode(value);
    const [version, longestMessage, longestList, suites, methods] = [1, 2, 3, 4, 5].map((key) => map.get(key));
    return {
      version,
      longestMessage,
      longestList,
      suites,
      methods,
      supported: suites.includes(5) && methods.includes(1),
    };
  });
}

function reading(read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof CborError || error instanceof TypeError)
      throw new MessageError(`not readable: ${error.message}`);
    throw error;
  }
}

function push(kind, body) {
  if (kind === 1) return { access: access(body) };
  if (kind === 2 && body.get(1) in NOTICES) return { notice: NOTICES[body.get(1)], leftMs: Number(body.get(2)) };
  return {};
}

function readBody(kind, body) {
  switch (kind) {
    case 1:
      return { already: body.get(1) };
    case 2:
      return { atMs: body.get(1), fromHomeM: body.get(2), positionAgeMs: body.get(3), receipt: body.get(4) };
    case 3:
      return { access: access(body.get(1)), vehicle: body.has(2) ? vehicle(body.get(2)) : undefined };
    case 4:
      return { nonce: body.get(1), moduleId: body.get(2), goodForMs: body.get(3) };
    case 5:
      return { latitude: body.get(1) / 1e7, longitude: body.get(2) / 1e7, ageMs: body.get(3) };
    case 6:
      return { pending: body.get(1) };
    case 7:
      return { operation: body.get(1), code: body.get(2), mayHaveSucceeded: body.get(3) };
    case 8:
      return { keys: body.get(1).map(sharedKey) };
    case 9:
      return { report: body.get(1) };
    default:
      throw new MessageError(`a reply of kind ${kind}`);
  }
}

function access(map) {
  const reason = map.get(7);
  return {
    granted: map.get(1),
    phase: PHASES[map.get(2)] ?? `phase ${map.get(2)}`,
    permissions: PERMISSIONS.filter(([bit]) => map.get(3) & bit).map(([, name]) => name),
    endMs: map.get(4) || undefined,
    cutoffMs: map.get(5) || undefined,
    nowMs: map.get(6),
    why: reason && Refusal.read(reason[0], reason[1]),
  };
}

function vehicle(map) {
  const names = [
    [1, 'locked'],
    [2, 'doorOpen'],
    [3, 'bootOpen'],
    [4, 'ignition'],
    [5, 'driveEnabled'],
    [6, 'parked'],
    [7, 'fuelPercent'],
    [8, 'odometerM'],
    [9, 'fromHomeM'],
  ];
  return Object.fromEntries(names.filter(([key]) => map.has(key)).map(([key, name]) => [name, map.get(key)]));
}

function sharedKey(map) {
  const [number, cti, name, permissions, endMs, activated, deleted] = [1, 2, 3, 4, 5, 6, 7].map((key) =>
    map.get(key),
  );
  return { number, cti, name, permissions, endMs, activated, deleted };
}
