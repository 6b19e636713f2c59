// A session over a link in memory: what comes when, what is lost, and what a command may mean then.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encode } from '../lib/cbor.js';
import { AnotherModule } from '../lib/edhoc.js';
import { OPERATIONS } from '../lib/messages.js';
import { Refusal } from '../lib/refusals.js';
import { LinkLost, newCommandId, Session } from '../lib/session.js';
import { fresh, ScriptedModule } from './support/module.js';

const ACCESS = new Map([
  [1, true],
  [2, 1],
  [3, 7],
  [4, 5000],
  [5, 9000],
  [6, 1000],
]);
const REFUSAL = new Map([
  [1, 'CUT-2'],
  [2, new Map([['overdue_ms', 1864000]])],
  [3, true],
  [4, true],
  [5, 'Ask for it.'],
]);
const DONE = new Map([[1, false]]);

async function opened(answer, attMtu, patience) {
  const { holder, module, credential } = fresh();
  const scripted = new ScriptedModule({ key: module, answer, attMtu });
  const session = new Session(scripted.link, patience);
  const told = [];
  for (const event of ['access', 'notice', 'closed']) session.on(event, (...what) => told.push([event, ...what]));
  await session.authenticate(credential, holder);
  return { session, scripted, told };
}

test('pushes right behind the last message of the handshake are heard', async () => {
  for (const attMtu of [23, 517]) {
    const { told } = await opened(
      (asked) =>
        asked
          ? []
          : [
              [0, 1, ACCESS],
              [
                0,
                2,
                new Map([
                  [1, 2],
                  [2, 300000],
                ]),
              ],
            ],
      attMtu,
    );
    assert.deepEqual(
      told.map(([event]) => event),
      ['access', 'notice'],
    );
    assert.deepEqual(told[0][1].permissions, ['unlock', 'drive', 'lock']);
    assert.deepEqual(told[1].slice(1), ['five minutes to the cutoff', 300000]);
  }
});

test('replies find their requests in any order, and a push of a later version is ignored', async () => {
  const held = [];
  const { session } = await opened((asked) => {
    if (asked) held.push([asked[0], 0, 1, new Map([[1, asked[1] === 2]])]);
    return held.length === 2
      ? [
          [0, 9, new Map()],
          [
            0,
            2,
            new Map([
              [1, 99],
              [2, 0],
            ]),
          ],
          ...held.splice(0).reverse(),
        ]
      : [];
  });
  const replies = await Promise.all([1, 2].map((operation) => session.request(operation, newCommandId())));
  assert.deepEqual(
    replies.map(({ body }) => body.already),
    [false, true],
  );
});

test('a refusal comes with its words and figures, a warning with what was done', async () => {
  const { session } = await opened(
    (asked) => asked && [asked[1] === 1 ? [asked[0], 21, 0, REFUSAL] : [asked[0], 128, 1, DONE]],
  );
  await assert.rejects(session.request(1, newCommandId()), (error) => {
    assert.ok(error instanceof Refusal && error.mayHaveSucceeded && error.temporary);
    assert.equal(error.message, 'NOT_PARKED: overdue 31 min 4 s (rule CUT-2). Ask for it.');
    return true;
  });
  assert.equal((await session.request(2, newCommandId())).warning, 'OVERDUE');
});

test('a code that is not known here is not worth trying again', async () => {
  const { session } = await opened((asked) => asked && [[asked[0], 126, 0, REFUSAL]]);
  await assert.rejects(
    session.request(6),
    (error) => error.temporary === false && error.message.startsWith('code 126'),
  );
});

test('another module gets no token', async () => {
  const { holder, credential } = fresh();
  const scripted = new ScriptedModule({ key: fresh().module });
  await assert.rejects(new Session(scripted.link).authenticate(credential, holder), AnotherModule);
  assert.ok(scripted.closed && !scripted.opener);
});

test('an error message ends the attempt, and is shown', async () => {
  const { holder, module, credential } = fresh();
  const scripted = new ScriptedModule({ key: module });
  scripted.responder.message2 = () => {
    scripted.send(3, encode([31, REFUSAL]));
    return Buffer.alloc(1);
  };
  const session = new Session(scripted.link);
  await assert.rejects(session.authenticate(credential, holder), /TOO_MANY_HANDSHAKES/);
  assert.ok(scripted.closed);
  await assert.rejects(session.request(6), LinkLost);
});

test('within a session an error message is no answer to a command', async () => {
  const { session, scripted } = await opened((asked) => {
    if (asked) scripted.send(3, encode([21, REFUSAL]));
  });
  await assert.rejects(session.request(1, newCommandId()), (error) => {
    return error instanceof LinkLost && error.message.startsWith('the session is over: NOT_PARKED');
  });
  assert.ok(scripted.closed);
});

test('a module that says nothing any more is given up', async () => {
  const { session, scripted } = await opened(() => [], 247, { replyMs: 20 });
  await assert.rejects(session.request(1, newCommandId()), /no reply came/);
  assert.ok(scripted.closed);
});

test('a lost link leaves a command open, and nothing can be asked over it any more', async () => {
  const { session, scripted, told } = await opened((asked) => (asked && scripted.hangUp(), []));
  await assert.rejects(session.request(1, newCommandId()), LinkLost);
  await assert.rejects(session.request(6), LinkLost);
  assert.deepEqual(
    told.map(([event]) => event),
    ['closed'],
  );
  await session.over;
});

test('a record that does not open changes nothing; a broken fragment closes the link', async () => {
  const { session, scripted } = await opened((asked) => asked && [[asked[0], 0, 1, DONE]]);
  scripted.send(2, encode([Buffer.alloc(0), new Map([[6, Buffer.from([5])]]), Buffer.alloc(40)]));
  await session.request(OPERATIONS.UNLOCK, newCommandId());
  scripted.notify(Buffer.from('01ff', 'hex'));
  assert.ok(scripted.closed);
  await assert.rejects(session.request(6), LinkLost);
});

test('requests at the same time do not mix their fragments', async () => {
  const { session, scripted } = await opened((asked) => asked && [[asked[0], 0, 6, new Map([[1, false]])]], 23);
  const container = Buffer.alloc(1000, 3);
  await Promise.all([1, 2, 3].map(() => session.request(OPERATIONS.PUT, container)));
  assert.equal(scripted.requests.length, 3);
  await assert.rejects(session.request(OPERATIONS.PUT, Buffer.alloc(4200)), /too long: 4160/);
});
