// What the command prints: sentences for people, or one JSON object a line: { stack, operation, ms, outcome, note }.
// `outcome` is ok, the name of a refusal, or failed; `note` is what a person would read.

import { duration, Refusal } from './refusals.js';

/** Of a connection: for programs, and for nobody else when they went well. */
const STEPS = new Set(['scan', 'connect', 'discover', 'mtu', 'public information', 'subscribe', 'handshake']);
const DONE = {
  UNLOCK: ['Unlocked.', 'It was unlocked already.'],
  LOCK: ['Locked.', 'It was locked already.'],
  ENABLE_DRIVE: ['Driving enabled.', 'Driving was enabled already.'],
  DISABLE_DRIVE: ['Driving disabled.', 'Driving was disabled already.'],
  OPEN_BOOT: ['Boot opened.', 'The boot was open already.'],
};

export class Teller {
  #print;

  constructor(json, print) {
    this.json = json;
    this.#print = print;
  }

  /** Awaits `promise` and tells how long it took and what came of it. `words` makes a note of its value. */
  async timed(operation, promise, words = () => '') {
    const begun = performance.now();
    try {
      const value = await promise;
      this.#line(operation, begun, 'ok', words(value));
      return value;
    } catch (error) {
      this.#line(operation, begun, error instanceof Refusal ? error.name : 'failed', error.message);
      throw error;
    }
  }

  /** Tells of what comes unasked. */
  tell(kind, ...what) {
    const words = {
      access: ([state]) => accessInWords(state),
      notice: ([notice, leftMs]) => `${notice}${leftMs > 0 ? `, ${duration(leftMs)} left` : ''}`,
      closed: ([why]) => why.message,
      passed: ([why]) => `not this one: ${why}`,
    };
    const note = words[kind](what);
    this.#print(this.json ? JSON.stringify({ told: kind, note }) : `(${note})`);
  }

  /** A function that puts the reply to an operation into words. */
  inWords(operation) {
    return ({ body, warning }) => {
      const text = sentence(operation, body);
      return warning ? `${text} Warning: ${warning}.` : text;
    };
  }

  #line(operation, begun, outcome, note) {
    const ms = Math.round((performance.now() - begun) * 100) / 100;
    if (this.json) this.#print(JSON.stringify({ stack: 'js', operation, ms, outcome, note }));
    else if (outcome === 'ok' && note && !STEPS.has(operation)) this.#print(note);
  }
}

function sentence(operation, body) {
  if (operation in DONE) return DONE[operation][body.already ? 1 : 0];
  switch (operation) {
    case 'STATUS':
      return [accessInWords(body.access), body.vehicle && vehicleInWords(body.vehicle)].filter(Boolean).join(' ');
    case 'END_BOOKING':
      return `The booking ended at ${utc(body.atMs)}${known(body.fromHomeM, (m) => `, ${m} m from home`)}.`;
    case 'LOCATE':
      return `${body.latitude}, ${body.longitude}, ${duration(body.ageMs)} ago.`;
    case 'KEYS':
      return body.keys
        .map(({ number, name, activated }) => `${number} ${name}${activated ? '' : ' (waits for its code)'}`)
        .join(', ');
    case 'GET_NONCE':
      return `${body.nonce.toString('hex')}, good for ${duration(body.goodForMs)}.`;
    case 'PUT':
      return body.pending ? 'Taken; it takes effect once the car is parked.' : 'Taken.';
    case 'OUTCOME':
      return `Operation ${body.operation}: ${body.code === 0 ? 'done' : `refused with ${body.code}`}.`;
    default:
      return JSON.stringify(body);
  }
}

/** Times left are told from the module's own clock (section 8.5). */
function accessInWords({ granted, phase, permissions, endMs, nowMs, why }) {
  if (!granted) return `Access denied: ${why.message}`;
  const until =
    endMs === undefined ? '' : ` until ${utc(endMs)} (${endMs > nowMs ? `${duration(endMs - nowMs)} left` : phase})`;
  return `Access granted: ${permissions.join(', ')}${until}.`;
}

function vehicleInWords(car) {
  const words = [
    [car.locked, 'locked', 'unlocked'],
    [car.doorOpen, 'a door is open', 'doors closed'],
    [car.ignition, 'ignition on', 'ignition off'],
    [car.parked, 'parked', 'not parked'],
    [car.driveEnabled, 'driving enabled', 'driving disabled'],
  ];
  const known = words.filter(([value]) => value !== undefined).map(([value, yes, no]) => (value ? yes : no));
  const figures = [
    car.fuelPercent !== undefined && `fuel ${car.fuelPercent} %`,
    car.odometerM !== undefined && `odometer ${car.odometerM / 1000} km`,
  ];
  return `Car: ${[...known, ...figures.filter(Boolean)].join(', ')}.`;
}

const known = (value, words) => (value === undefined ? '' : words(value));

function utc(ms) {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}
