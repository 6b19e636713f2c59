// Booking, key and share files (section 11), and what a phone shows of them in the handshake (section 7.1).

import { readFileSync } from 'node:fs';

import { decode } from './cbor.js';
import { PrivateKey, PublicKey } from './keys.js';

const KCWT = 13;
const STANDING_KEY = -70001;
const SHARED_KEY = -70002;
const SHOWN = {
  'sharebox-booking/1': (file) => [KCWT, decode(hex(file, 'token'))],
  'sharebox-key/1': (file) => [STANDING_KEY, decode(hex(file, 'token'))],
  'sharebox-share/1': (file) => [SHARED_KEY, [decode(hex(file, 'parent')), decode(hex(file, 'share'))]],
};
const COMMON = ['format', 'module_id', 'module_handshake_public', 'module_signing_public'];
const TOKENS = {
  'sharebox-booking/1': ['token'],
  'sharebox-key/1': ['token'],
  'sharebox-share/1': ['parent', 'share'],
};

export class FileError extends Error {}

/** What a phone needs: { moduleId, moduleHandshake, moduleSigning, beaconKey, idCred, cred }. Throws FileError. */
export function readCredential(text) {
  try {
    const file = JSON.parse(text);
    if (!Object.hasOwn(SHOWN, file.format)) throw new FileError(`its format is ${JSON.stringify(file.format)}`);
    const known = [...COMMON, ...TOKENS[file.format], 'beacon_key'];
    const unknown = Object.keys(file).filter((name) => !known.includes(name));
    if (unknown.length > 0) throw new FileError(`this program does not know its field ${unknown[0]}`);
    const [label, cred] = SHOWN[file.format](file);
    return {
      moduleId: hex(file, 'module_id'),
      moduleHandshake: new PublicKey(hex(file, 'module_handshake_public')),
      moduleSigning: new PublicKey(hex(file, 'module_signing_public')),
      beaconKey: file.beacon_key === undefined ? undefined : hex(file, 'beacon_key'),
      idCred: new Map([[label, cred]]),
      cred,
    };
  } catch (error) {
    throw error instanceof FileError ? error : new FileError(error.message);
  }
}

export function loadCredential(path) {
  return loading(path, 'booking, key or share file', readCredential);
}

export function loadPrivateKey(path) {
  return loading(path, 'private key', (text) => PrivateKey.parse(text));
}

function loading(path, what, read) {
  try {
    return read(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new FileError(`${path} is no ${what}: ${error.message}`);
  }
}

function hex(file, name) {
  const text = file[name];
  if (typeof text !== 'string' || !/^([0-9a-f]{2})+$/i.test(text))
    throw new FileError(`its field ${name} is not hexadecimal`);
  return Buffer.from(text, 'hex');
}
