// Time, faults, and who and where: what stands around the car.

import { act } from "./act.js";
import { byId, made, text } from "./dom.js";

export function showTime(time) {
  text(byId("clock"), time.clock);
  text(byId("date"), time.date);
  const pace = byId("pace");
  pace.dataset.pace = time.pace;
  text(pace, time.pace_words);
  for (const button of document.querySelectorAll("[data-time]")) {
    const verb = { freeze: "frozen", go: "real", "race 60": "races" }[button.dataset.time];
    if (verb) button.setAttribute("aria-pressed", verb === time.pace);
  }
  const next = byId("next");
  text(next, time.next || "No deadline ahead");
  next.disabled = !time.next;
  showStop(time.under_way);
}

const STOP_AFTER_MS = 1000; // most presses are over before anybody could call them off
let stopComes = 0;

function showStop(underWay) {
  if (underWay) {
    stopComes ||= setTimeout(() => { byId("stop").hidden = false; }, STOP_AFTER_MS);
  } else {
    clearTimeout(stopComes);
    stopComes = 0;
    byId("stop").hidden = true;
  }
}

export function showFaults(faults) {
  const row = byId("faults");
  for (const fault of faults) {
    let button = row.querySelector(`[data-fault="${fault.id}"]`);
    if (!button) {
      button = made("button", "", { fault: fault.id });
      button.type = "button";
      button.append(made("span", fault.name), made("small"));
      if (fault.key) button.dataset.key = fault.key;
      button.addEventListener("click", () =>
        act(button, { act: "fault", name: fault.id, on: button.ariaPressed !== "true", lasts: byId("fault-for").value }));
      row.insertBefore(button, row.lastElementChild);
    }
    button.ariaPressed = String(fault.on);
    button.setAttribute("aria-pressed", fault.on);
    text(button.lastElementChild, fault.words);
  }
}

export function showScene(scene) {
  text(byId("scene"), scene.title);
  document.body.dataset.power = scene.power;
  const people = byId("people");
  const ids = scene.people.map(({ id }) => id).join();
  if (people.dataset.ids !== ids) {
    people.dataset.ids = ids;
    people.replaceChildren(...scene.people.map(({ id, name, role }) => {
      const button = made("button", name, { value: id });
      button.type = "button";
      button.setAttribute("role", "radio");
      button.append(made("small", role));
      return button;
    }));
  }
  scene.people.forEach(({ role }, index) => text(people.children[index].lastElementChild, role));
  for (const button of people.children) {
    const chosen = button.dataset.value === scene.person;
    button.setAttribute("aria-checked", chosen);
    button.tabIndex = chosen ? 0 : -1;
  }
  const places = byId("place");
  if (places.children.length !== scene.places.length) {
    places.replaceChildren(...scene.places.map(({ id, name }) => {
      const option = made("option", name);
      option.value = id;
      return option;
    }));
  }
}
