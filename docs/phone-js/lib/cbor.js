// CBOR as section 2 of the protocol allows it: one encoding for each value, and nothing else is read.
//
// Values: numbers (BigInt beyond 2^53), Buffer, string, boolean, null, Array, Map. A Map keeps integer keys
// apart from text keys, which an object would not.

import { decodeFirst, encode as write, rfc8949EncodeOptions } from 'cborg';

const MAX_DEPTH = 8;
const MAX_ITEMS = 16;
const STRICT = {
  strict: true,
  useMaps: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  rejectDuplicateMapKeys: true,
};

export class CborError extends Error {}

/** The one encoding of `value`. Throws CborError for what section 2 does not allow. */
export function encode(value) {
  check(value, 0);
  return Buffer.from(write(value, rfc8949EncodeOptions));
}

/** The value that `bytes` are the one encoding of. Throws CborError for anything else, also for bytes behind it. */
export function decode(bytes) {
  const items = decodeSequence(bytes);
  if (items.length !== 1) throw new CborError(`${items.length} items where one is expected`);
  return items[0];
}

/** The values of a CBOR sequence (RFC 8742), at most 16. Throws CborError. */
export function decodeSequence(bytes) {
  const items = [];
  for (let rest = Buffer.from(bytes); rest.length > 0;) {
    if (items.length === MAX_ITEMS) throw new CborError(`more than ${MAX_ITEMS} items`);
    const [item, behind] = first(rest);
    const length = rest.length - behind.length;
    // The library sees long heads and double keys. What it does not see is the order of keys, floats that are integers
    // and text that is no UTF-8; all of these come back as other bytes.
    if (!encode(item).equals(rest.subarray(0, length))) throw new CborError('not the deterministic encoding');
    items.push(item);
    rest = rest.subarray(length);
  }
  return items;
}

/** The encodings of `values`, one behind the other. */
export function encodeSequence(...values) {
  return Buffer.concat(values.map(encode));
}

function first(bytes) {
  try {
    const [value, rest] = decodeFirst(bytes, STRICT);
    return [asBuffers(value), rest];
  } catch (error) {
    throw new CborError(error.message);
  }
}

function asBuffers(value) {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(asBuffers);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [asBuffers(key), asBuffers(item)]));
  return value;
}

function check(value, depth) {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (!Number.isSafeInteger(value)) throw new CborError('a number that is no integer, or not exact');
      return;
    case 'bigint':
      if (value >= 1n << 64n || value < -(1n << 64n)) throw new CborError('an integer outside of 64 bits');
      return;
    default:
      checkComposite(value, depth);
  }
}

function checkComposite(value, depth) {
  if (value === null || value instanceof Uint8Array) return;
  if (depth === MAX_DEPTH) throw new CborError(`nested more than ${MAX_DEPTH} deep`);
  if (Array.isArray(value)) {
    value.forEach((item) => check(item, depth + 1));
  } else if (value instanceof Map) {
    for (const [key, item] of value) {
      if (!isKey(key)) throw new CborError('a key that is neither an integer nor a string');
      check(key, depth + 1);
      check(item, depth + 1);
    }
    checkDistinct([...value.keys()]);
  } else {
    throw new CborError(`a value of type ${value?.constructor?.name ?? typeof value}`);
  }
}

function isKey(key) {
  return ['number', 'bigint', 'string'].includes(typeof key) || key instanceof Uint8Array;
}

function checkDistinct(keys) {
  const bytes = keys.filter((key) => key instanceof Uint8Array).map((key) => Buffer.from(key).toString('hex'));
  if (new Set(bytes).size !== bytes.length) throw new CborError('a key that comes twice');
}
