// What the server sends: a whole picture first, then what changes. Comes back by itself, from where it was.

const PATIENCE_MS = 12000;
const AGAIN_MS = 1500;

export function listen({ link, snapshot, change, news }) {
  let run = null;
  let last = "";
  let watchdog = 0;
  let source = null;

  function open() {
    source = new EventSource(last ? `/events?after=${encodeURIComponent(last)}` : "/events");
    alive();
    source.addEventListener("open", alive);
    source.addEventListener("snapshot", (event) => {
      const whole = take(event);
      if (run !== null && run !== whole.run) {
        location.reload(); // another process: this page's token is not its own
        return;
      }
      run = whole.run;
      link("up");
      snapshot(whole);
      change(whole.view);
    });
    source.addEventListener("change", (event) => change(take(event)));
    source.addEventListener("news", (event) => news(take(event)));
    source.addEventListener("resumed", (event) => { take(event); link("up"); });
    source.addEventListener("beat", alive);
    source.addEventListener("error", again);
  }

  function take(event) {
    alive();
    if (event.lastEventId) last = event.lastEventId;
    return JSON.parse(event.data);
  }

  function alive() {
    clearTimeout(watchdog);
    watchdog = setTimeout(again, PATIENCE_MS);
  }

  function again() {
    clearTimeout(watchdog);
    source.close();
    link(run === null ? "connecting" : "lost");
    watchdog = setTimeout(open, AGAIN_MS);
  }

  link("connecting");
  open();
}
