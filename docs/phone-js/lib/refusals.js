// Refusals (sections 8.6 and 9): what came over the air, as something to show and to decide by.

export const NAMES = {
  1: 'MALFORMED',
  2: 'UNKNOWN_OPERATION',
  3: 'NOT_ADMITTED',
  4: 'PERMISSION_MISSING',
  5: 'UNKNOWN_ISSUER',
  6: 'SIGNATURE_INVALID',
  7: 'TOKEN_MALFORMED',
  8: 'WRONG_VEHICLE',
  9: 'HOLDER_KEY_MISMATCH',
  10: 'WRONG_KEY_EPOCH',
  11: 'NOT_YET_VALID',
  12: 'BOOKING_OVER',
  13: 'CLOCK_UNCERTAIN',
  14: 'VEHICLE_IN_USE',
  15: 'BOOKING_ENDED',
  16: 'BOOKING_CUT_OFF',
  17: 'BOOKING_SUPERSEDED',
  18: 'BOOKING_CANCELLED',
  19: 'TOKEN_REVOKED',
  20: 'DEVICE_REPLACED',
  21: 'NOT_PARKED',
  22: 'DOORS_OPEN',
  23: 'END_NOT_POSSIBLE',
  24: 'VEHICLE_NO_RESPONSE',
  25: 'OUTCOME_UNKNOWN',
  26: 'COMMAND_ID_REUSED',
  27: 'POSITION_UNKNOWN',
  28: 'STORAGE_FAILED',
  29: 'BUSY',
  30: 'HANDSHAKE_FAILED',
  31: 'TOO_MANY_HANDSHAKES',
  32: 'NONCE_UNKNOWN',
  33: 'ORDER_LATE',
  34: 'ORDER_UNSUPPORTED',
  35: 'LIST_OUTDATED',
  36: 'MESSAGE_TOO_LARGE',
  37: 'FRAMING',
  38: 'SESSION_OVER',
  39: 'SUBSCRIPTION_EXPIRED',
  40: 'REMOTE_INACTIVE',
  41: 'SUBSCRIPTION_OUTDATED',
  42: 'ACTIVATION_REQUIRED',
  43: 'CODE_WRONG',
  44: 'CODE_EXPIRED',
  45: 'CODE_DEAD',
  46: 'CODE_PAUSED',
  47: 'CODE_UNEXPECTED',
  48: 'KEY_DEACTIVATED',
  49: 'KEY_DELETED',
  50: 'KEY_LIST_FULL',
  51: 'SHARE_INVALID',
  52: 'OUTSIDE_HOURS',
  53: 'KEYS_UNAVAILABLE',
  54: 'NOT_COUPLED',
  55: 'NOT_PREPARED',
  56: 'NO_MODULE',
  57: 'ALREADY_OWNED',
  58: 'VIN_INVALID',
  59: 'KEYS_MISSING',
  60: 'NOT_CONNECTED',
  61: 'TAKEOVER_INTERRUPTED',
  62: 'DRIVER_LIST_FULL',
  63: 'SERVICE_INACTIVE',
  64: 'SIM_BLOCKED',
  65: 'OUT_OF_TERRITORY',
  66: 'ROLE_REQUIRED',
  67: 'ORDER_OUTDATED',
};

export const WARNINGS = { 128: 'OVERDUE', 129: 'OUTSIDE_HOME_AREA' };

/** The module said no. What to show: `message`; what to decide by: `code`, `temporary`, `mayHaveSucceeded`. */
export class Refusal extends Error {
  constructor(code, rule, numbers, temporary, mayHaveSucceeded, remedy) {
    const name = NAMES[code] ?? `code ${code}`;
    const figures = Object.entries(numbers).map(([what, value]) => inWords(what, value));
    super(`${name}${figures.length ? `: ${figures.join(', ')}` : ''} (rule ${rule}). ${remedy}`);
    // Whoever knows no more than the number of a code treats it as one that trying again does not help (section 9.1).
    const known = code in NAMES;
    Object.assign(this, { code, name, rule, numbers, temporary: known && temporary, mayHaveSucceeded, remedy });
  }

  static read(code, body) {
    return new Refusal(code, body.get(1), Object.fromEntries(body.get(2)), body.get(3), body.get(4), body.get(5));
  }
}

function inWords(name, value) {
  const [, what, unit] = /^(.*?)_?(ms|s|m|)$/.exec(name);
  const words = what.replaceAll('_', ' ');
  if (unit === 'ms') return `${words} ${duration(Number(value))}`;
  return unit ? `${words} ${value} ${unit}` : `${words} ${value}`;
}

/** 1864000 -> "31 min 4 s"; parts of a second only below 10 s. */
export function duration(ms) {
  if (ms < 10_000) return `${ms / 1000} s`;
  const seconds = Math.floor(ms / 1000);
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const begin = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(begin)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}
