// The vehicle's own menu: shared keys, a code, how far a takeover is; and whether the car calls for help.

import { act } from "./act.js";
import { byId, made, text } from "./dom.js";

let shown = "";

export function showMenu(menu) {
  words("menu-dark", menu.dark);
  words("call", menu.call_words);
  byId("sos").setAttribute("aria-pressed", menu.call === "waiting" || menu.call === "under way");
  byId("takeover").hidden = menu.takeover === null;
  if (menu.takeover !== null) {
    text(byId("takeover-words"), menu.takeover_words);
    byId("takeover-bar").value = menu.takeover;
  }
  byId("enter").hidden = Boolean(menu.dark);
  showKeys(menu.keys);
}

export function showKeysInside(count) {
  const select = byId("keys-inside");
  if (document.activeElement !== select) select.value = String(count);
}

function words(id, said) {
  byId(id).hidden = !said;
  text(byId(id), said);
}

function showKeys(keys) {
  const wanted = JSON.stringify(keys);
  if (wanted === shown) return;
  shown = wanted;
  byId("keys").replaceChildren(...keys.map((key) => {
    const line = made("li", "", { number: key.number });
    const name = made("span", key.name);
    name.append(made("small", [key.words, key.state].filter(Boolean).join("; ")));
    const button = made("button", "Deactivate");
    button.type = "button";
    button.setAttribute("aria-label", `Deactivate the key of ${key.name}`);
    button.addEventListener("click", async () => say(await act(button, { act: "menu", number: key.number })));
    line.append(name, button);
    return line;
  }));
}

function say(answer) {
  text(byId("menu-said"), answer?.lines?.[0] ?? answer?.refused ?? "");
}

byId("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = byId("code");
  const code = input.value;
  input.value = "";
  say(await act(event.submitter, { act: "menu", code }));
});
byId("sos").addEventListener("click", (event) => {
  const taken = event.target.getAttribute("aria-pressed") === "true";
  act(event.target, { act: "desk", line: `emergency ${taken ? "cancel" : "press"}` });
});
byId("keys-inside").addEventListener("change", (event) =>
  act(event.target, { act: "desk", line: `keys ${event.target.value}` }));
