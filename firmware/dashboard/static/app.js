// Puts the parts together: what arrives is shown, what is pressed is passed on.

import { act } from "./act.js";
import { showKeysInside, showMenu } from "./cabin.js";
import { showCar } from "./car.js";
import { showDriver } from "./driver.js";
import { announce, byId, choose } from "./dom.js";
import { shortcuts } from "./keys.js";
import { showLog } from "./log.js";
import { makeMap } from "./map.js";
import { showOwner } from "./owner.js";
import { listen } from "./stream.js";
import { showFaults, showScene, showTime } from "./surroundings.js";

const maps = {};

function showMap(layout) {
  for (const part of ["driver", "world", "owner"]) {
    maps[part] ??= makeMap(byId(`${part}-map`));
    maps[part].draw(layout);
  }
}

const shows = {
  scene: showScene,
  time: showTime,
  map: showMap,
  car: (car) => { showCar(car); showKeysInside(car.keys); maps.world?.put(car.place, { way: car.way }); },
  faults: showFaults,
  menu: showMenu,
  driver: (driver) => { showDriver(driver); maps.driver?.put(driver.place, { veil: driver.veil }); },
  owner: (owner) => { showOwner(owner); maps.owner?.put(owner.place, { track: owner.track, veil: owner.veil }); },
};

function show(sections) {
  for (const [name, section] of Object.entries(shows)) {
    if (name in sections) section(sections[name]);
  }
}

const BANNERS = {
  connecting: "Connecting …",
  locked: "Open the address that sharebox dashboard printed: behind # stands the key of its run.",
  lost: "The connection to Sharebox is lost. This page comes back by itself; if it does not, look at the terminal.",
};
let powerless = "";

function banner(link) {
  const words = BANNERS[link] ?? powerless;
  const element = byId("banner");
  element.textContent = words;
  element.toggleAttribute("data-shows", Boolean(words));
  if (words) element.dataset.shows = BANNERS[link] ? link : "power";
}

const log = showLog();
listen({
  link(state) {
    document.body.dataset.link = state;
    banner(state);
  },
  snapshot({ view, log: lines }) {
    show(view);
    log.replace(lines);
  },
  change(sections) {
    show(sections);
    if (sections.scene) {
      powerless = sections.scene.power ? "" : sections.scene.powerless;
      banner(document.body.dataset.link);
    }
  },
  news(line) {
    log.add(line);
    if (line.weight === "alert" || line.weight === "news") announce(`${line.who}: ${line.text}`);
  },
});

// ------------------------------------------------------------ what is pressed
for (const button of document.querySelectorAll("[data-desk]")) {
  button.addEventListener("click", () => act(button, { act: "desk", line: button.dataset.desk }));
}
for (const button of document.querySelectorAll("[data-time]")) {
  button.addEventListener("click", () => {
    const again = button.id === "pause" && button.getAttribute("aria-pressed") === "true";
    act(button, { act: "desk", line: `time ${again ? "go" : button.dataset.time}` });
  });
}
for (const button of document.querySelectorAll("[data-driver]")) {
  button.addEventListener("click", () => act(button, { act: "driver", what: button.dataset.driver }));
}
for (const button of document.querySelectorAll("[data-owner]")) {
  button.addEventListener("click", () => act(button, { act: "owner", what: button.dataset.owner }));
}
byId("slider").addEventListener("click", () => act(byId("slider"), { act: "driver", what: "slide" }));
byId("next").addEventListener("click", () => act(byId("next"), { act: "next" }));
byId("stop").addEventListener("click", () => act(byId("stop"), { act: "stop" }));
byId("drive-off").addEventListener("click", () => act(byId("drive-off"), { act: "drive", place: byId("place").value }));
byId("desk").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("desk-line");
  if (!input.value.trim()) return;
  act(null, { act: "desk", line: input.value });
  input.select();
});
choose(byId("people"), (who) => act(null, { act: "person", who }));
shortcuts();
