// The car, drawn: one SVG file whose parts follow attributes of what holds it.

import { byId, facts, text } from "./dom.js";
import { act } from "./act.js";

const FLASH_MS = 500;
let flashes = null;
let latest = null;

async function draw() {
  const answer = await fetch("/static/car.svg");
  const drawing = new DOMParser().parseFromString(await answer.text(), "image/svg+xml");
  byId("car-view").replaceChildren(document.importNode(drawing.documentElement, true));
}
draw();

export function showCar(car) {
  latest = car;
  const view = byId("car-view").dataset;
  view.locked = car.locked;
  view.boot = car.boot;
  view.ignition = car.ignition;
  view.moves = car.moves;
  car.doors.forEach((open, number) => { view[`door${number}`] = open; });
  if (flashes !== null && car.flashes > flashes) {
    view.flash = true;
    setTimeout(() => { view.flash = false; }, FLASH_MS);
  }
  flashes = car.flashes;
  facts(byId("car-facts"), car.facts);
  byId("door").setAttribute("aria-pressed", car.doors[0]);
  byId("boot").setAttribute("aria-pressed", car.boot);
  byId("ignition").setAttribute("aria-pressed", car.ignition);
  text(byId("key"), car.locked ? "Key: unlock" : "Key: lock");
}

const desk = (button, line) => act(button, { act: "desk", line });
byId("door").addEventListener("click", (event) => desk(event.target, `door ${latest.doors[0] ? "close" : "open"}`));
byId("boot").addEventListener("click", (event) => desk(event.target, `boot ${latest.boot ? "close" : "open"}`));
byId("key").addEventListener("click", (event) => desk(event.target, `key ${latest.locked ? "unlock" : "lock"}`));
byId("ignition").addEventListener("click", (event) => desk(event.target, `ignition ${latest.ignition ? "off" : "on"}`));
