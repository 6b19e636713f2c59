// Requests, replies and pushes (section 8), the public information (3.3), and how refusals are worded.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encode } from '../lib/cbor.js';
import { error, fromModule, MessageError, publicInformation, request } from '../lib/messages.js';
import { duration, Refusal } from '../lib/refusals.js';

const ACCESS = new Map([
  [1, false],
  [2, 4],
  [3, 31],
  [4, 0],
  [5, 0],
  [6, 7],
]);
const REFUSAL = new Map([
  [1, 'CUT-2'],
  [2, new Map()],
  [3, false],
  [4, false],
  [5, 'Ask.'],
]);
const body = (kind, map) => fromModule(encode([7, 0, kind, map])).body;

test('requests with and without an argument', () => {
  assert.deepEqual(request(65535, 6), encode([65535, 6]));
  assert.deepEqual(request(1, 12, Buffer.alloc(8)), encode([1, 12, Buffer.alloc(8)]));
});

test('bodies of replies; keys of a later version are ignored', () => {
  const receipt = Buffer.alloc(3);
  assert.deepEqual(
    body(
      1,
      new Map([
        [1, true],
        [99, 0],
      ]),
    ),
    { already: true },
  );
  const ended = { atMs: 5, fromHomeM: undefined, positionAgeMs: undefined, receipt };
  assert.deepEqual(
    body(
      2,
      new Map([
        [1, 5],
        [4, receipt],
      ]),
    ),
    ended,
  );
  assert.deepEqual(
    body(
      5,
      new Map([
        [1, 481375000],
        [2, -1],
        [3, 9],
      ]),
    ),
    { latitude: 48.1375, longitude: -1e-7, ageMs: 9 },
  );
  assert.deepEqual(body(6, new Map([[1, true]])), { pending: true });
  assert.equal(
    body(
      7,
      new Map([
        [1, 3],
        [2, 21],
        [3, false],
      ]),
    ).code,
    21,
  );
  assert.equal(
    body(
      4,
      new Map([
        [1, receipt],
        [2, receipt],
        [3, 300000],
      ]),
    ).goodForMs,
    300000,
  );
  assert.equal(body(9, new Map([[1, receipt]])).report.length, 3);
});

test('a status: what is missing is not known, what is denied has a reason', () => {
  const denied = new Map([...ACCESS, [7, [16, REFUSAL]]]);
  const { access, vehicle } = body(
    3,
    new Map([
      [1, denied],
      [
        2,
        new Map([
          [5, false],
          [6, true],
        ]),
      ],
    ]),
  );
  assert.deepEqual(vehicle, { driveEnabled: false, parked: true });
  assert.equal(access.why.name, 'BOOKING_CUT_OFF');
  assert.deepEqual([access.endMs, access.cutoffMs, access.phase], [undefined, undefined, 'cut off']);
  assert.deepEqual(access.permissions, ['unlock', 'drive', 'lock', 'locate', 'boot']);
  assert.equal(body(3, new Map([[1, denied]])).vehicle, undefined);
});

test('what can not be read says so', () => {
  for (const value of [
    null,
    7,
    [],
    [7],
    [7, 0, 1],
    [7, 0, 1, 5],
    [7, 21, 0, null],
    [7, 0, 99, new Map()],
    [0, 1, 3],
  ]) {
    assert.throws(() => fromModule(encode(value)), MessageError, JSON.stringify(value));
  }
  assert.throws(() => error(encode([1])), MessageError);
  assert.throws(() => publicInformation(Buffer.from('a1')), MessageError);
});

test('a module of a later version is spoken to if it still knows the suite and the method', () => {
  const of = (suites, methods) => {
    const map = new Map([
      [1, 9],
      [2, 1024],
      [3, 4096],
      [4, suites],
      [5, methods],
      [6, 'more'],
    ]);
    return publicInformation(encode(map)).supported;
  };
  assert.deepEqual([of([5, 6], [1]), of([6], [1]), of([5], [2, 3])], [true, false, false]);
});

test('figures in words', () => {
  assert.deepEqual([0, 250, 9999, 10_000, 65_000, 3_600_000, 90_061_000].map(duration), [
    '0 s',
    '0.25 s',
    '9.999 s',
    '10 s',
    '1 min 5 s',
    '1 h 0 min 0 s',
    '25 h 1 min 1 s',
  ]);
  const { message } = new Refusal(
    46,
    'KEY-4',
    { pause_ms: 30000, tries_left: 2, away_m: 301, wait_s: 5 },
    true,
    false,
    'W.',
  );
  assert.equal(message, 'CODE_PAUSED: pause 30 s, tries left 2, away 301 m, wait 5 s (rule KEY-4). W.');
});
