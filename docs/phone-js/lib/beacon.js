// Which of the modules in range is the phone's own (section 3.1). It proves nothing: it only says
// which one to ask first.

import { createHmac } from 'node:crypto';

const NONCE_BYTES = 5;
const TAG_BYTES = 8;

/** Whether a module that sends `beacon` may be the one of `key`. */
export function recognises(key, beacon) {
  if (beacon.length !== NONCE_BYTES + TAG_BYTES) return false;
  const mac = createHmac('sha256', key).update('sharebox beacon').update(beacon.subarray(0, NONCE_BYTES)).digest();
  return mac.subarray(0, TAG_BYTES).equals(beacon.subarray(NONCE_BYTES));
}

export const OWN = 0;
export const SILENT = 1;
export const OTHER = 2;

/** OWN, SILENT (it may be ours: no key, or no beacon heard) or OTHER: in this order they are tried. */
export function rank(key, beacon) {
  if (key === undefined || beacon === undefined) return SILENT;
  return recognises(key, beacon) ? OWN : OTHER;
}
