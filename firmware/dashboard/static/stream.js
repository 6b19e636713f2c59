// What the server sends: a whole picture first, then what changes. Comes back by itself, from where it was. Server-sent
// events, read by hand: an EventSource can not show a key.

import { withKey } from "./key.js";

const PATIENCE_MS = 12000;
const AGAIN_MS = 1500;
const REFUSED = 403;

export function listen({ link, snapshot, change, news }) {
  let begun = false;
  let last = "";
  let watchdog = 0;
  let hangUp = new AbortController();

  const hears = {
    snapshot(whole) {
      begun = true;
      link("up");
      snapshot(whole);
      change(whole.view);
    },
    resumed() { link("up"); },
    change,
    news,
    beat() {},
  };

  async function open() {
    hangUp = new AbortController();
    const { signal } = hangUp;
    alive();
    try {
      const address = last ? `/events?after=${encodeURIComponent(last)}` : "/events";
      const answer = await fetch(address, { headers: withKey(), cache: "no-store", signal });
      if (answer.status === REFUSED) {
        clearTimeout(watchdog);
        link("locked");
        return;
      }
      if (answer.ok) await read(answer.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch { /* the connection broke, or was given up */ }
    if (!signal.aborted) again();
  }

  async function read(reader) {
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      const events = (text + value).split("\n\n");
      text = events.pop();
      events.forEach(take);
    }
  }

  function take(event) {
    const fields = Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/s)));
    if (fields.id) last = fields.id;
    try {
      hears[fields.event](JSON.parse(fields.data));
    } catch (error) {
      reportError(error); // a fault of the page: the connection is well
    }
  }

  function alive() {
    clearTimeout(watchdog);
    watchdog = setTimeout(again, PATIENCE_MS);
  }

  function again() {
    clearTimeout(watchdog);
    hangUp.abort();
    link(begun ? "lost" : "connecting");
    watchdog = setTimeout(open, AGAIN_MS);
  }

  link("connecting");
  open();
}
