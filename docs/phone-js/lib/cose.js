// Signed containers (section 6.2), as far as a phone verifies any: what the module signs.

import { CborError, decode, encode } from './cbor.js';

export const TYPES = { endReceipt: 65006, selfTest: 65008 };
const NOTHING = Buffer.alloc(0);

export class ContainerError extends Error {}

/** The claims of a container of type `typ`, signed with `key`. Throws ContainerError. */
export function verified(container, key, typ) {
  const [protectedHeader, unprotected, payload, signature] = parts(container);
  const header = new Map([
    [1, -7],
    [4, key.keyId],
    [16, typ],
  ]);
  // Deterministic encoding leaves one form for the header that is expected, so there is nothing to parse in it.
  if (!encode(header).equals(protectedHeader) || unprotected.size !== 0)
    throw new ContainerError('signed as something else');
  if (!key.verifies(signature, encode(['Signature1', protectedHeader, NOTHING, payload]))) {
    throw new ContainerError('the signature does not fit');
  }
  return decode(payload);
}

function parts(container) {
  try {
    const items = decode(container);
    const shape =
      items.length === 4 && items[1] instanceof Map && [0, 2, 3].every((at) => Buffer.isBuffer(items[at]));
    if (shape) return items;
  } catch (error) {
    if (!(error instanceof CborError || error instanceof TypeError)) throw error;
  }
  throw new ContainerError('no container');
}

/** What an end receipt says (section 6.7). Throws ContainerError. */
export function endReceipt(container, key) {
  const claims = verified(container, key, TYPES.endReceipt);
  const [moduleId, booking, endedAtS, positionKnown, offline] = [1, 2, 3, 4, 5].map((name) => claims.get(name));
  return { moduleId, booking, endedAtS, positionKnown, offline };
}
