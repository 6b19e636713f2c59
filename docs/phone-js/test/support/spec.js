// The protocol's own text, as the tests read it: its worked example and its tables.

import { readFileSync } from 'node:fs';

export const SPEC = readFileSync(new URL('../../../../protocol/SPEC.md', import.meta.url), 'utf8');

/** The first block of hexadecimal digits behind `heading`, its lines put together. */
export function block(heading) {
  return Buffer.from(blockText(heading).replace(/\s/g, ''), 'hex');
}

/** The same, each line for itself. */
export function blockLines(heading) {
  return blockText(heading).split('\n');
}

function blockText(heading) {
  const at = SPEC.indexOf(`\n${heading}`);
  if (at < 0) throw new Error(`the specification has no "${heading}"`);
  const [, text] = SPEC.slice(at).match(/```\n([^`]*)\n```/);
  return text;
}

/** The keys of a table of section 12: { private, public }. */
export function keyPair(name) {
  const row = SPEC.split('\n').find((line) => line.startsWith(`| ${name} | \``));
  const [secret, point] = [...row.matchAll(/`([0-9a-f]+)`/g)].map(([, digits]) => Buffer.from(digits, 'hex'));
  return { private: secret, public: point };
}
