// CBOR: the published examples of RFC 8949, appendix A, and what section 2 refuses.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { CborError, decode, decodeSequence, encode } from '../lib/cbor.js';

const hex = (text) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const examples = JSON.parse(readFileSync(new URL('../../../tests/vectors/rfc8949_appendix_a.json', import.meta.url)));
// Floats, tags (bignums too), indefinite lengths, undefined and simple values, by how the RFC writes them.
const refused = ({ hex: digits, diagnostic }) =>
  /^c[23]/.test(digits) || /[._(]|Infinity|NaN|undefined/.test(diagnostic);

test('examples of RFC 8949: what is allowed comes back as the same bytes, the rest is refused', () => {
  const [no, yes] = [examples.filter(refused), examples.filter((example) => !refused(example))];
  assert.deepEqual([no.length, yes.length], [45, 37]);
  for (const { hex: digits } of yes) assert.deepEqual(encode(decode(hex(digits))), hex(digits));
  for (const { hex: digits } of no) assert.throws(() => decode(hex(digits)), CborError, digits);
});

for (const [why, digits] of [
  ['a number with a longer head than it needs', '1817'],
  ['a length with a longer head than it needs', '5801ff'],
  ['keys in another order', 'a2 02 00 01 00'],
  ['keys in the order of RFC 7049', 'a2 20 00 18 64 00'],
  ['a key twice', 'a2 01 00 01 00'],
  ['a key of bytes twice', 'a2 41aa 00 41aa 00'],
  ['an array as a key', 'a1 80 00'],
  ['true as a key', 'a1 f5 00'],
  ['a float that is an integer', 'f9 3c00'],
  ['text that is no UTF-8', '61 ff'],
  ['a tag', 'c1 00'],
  ['undefined', 'f7'],
  ['an array without end', '9f ff'],
  ['nine containers in each other', '81 81 81 81 81 81 81 81 80'],
  ['a byte behind the item', '00 00'],
  ['nothing', ''],
  ['half an item', '82 00'],
]) {
  test(`refused: ${why}`, () => assert.throws(() => decode(hex(digits)), CborError));
}

test('eight containers in each other are fine, and so is a negative key behind a large one', () => {
  assert.deepEqual(encode(decode(hex('8181818181818180'))), hex('8181818181818180'));
  assert.deepEqual(
    encode(
      new Map([
        [-1, 0],
        [100, 0],
      ]),
    ),
    hex('a2 1864 00 20 00'),
  );
});

test('integers of 64 bits are exact', () => {
  for (const digits of ['1b ffffffffffffffff', '3b ffffffffffffffff', '1b 0020000000000001']) {
    assert.deepEqual(encode(decode(hex(digits))), hex(digits));
  }
  assert.throws(() => encode(1.5), CborError);
  assert.throws(() => encode(1n << 64n), CborError);
  assert.throws(() => encode({ a: 1 }), CborError);
});

test('a sequence has at most 16 items', () => {
  assert.equal(decodeSequence(Buffer.alloc(16)).length, 16);
  assert.throws(() => decodeSequence(Buffer.alloc(17)), CborError);
});
