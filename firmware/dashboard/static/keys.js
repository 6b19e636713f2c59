// Single keys press the buttons that name them. They can be switched off; inside fields they are text.

import { byId, made } from "./dom.js";

const KEPT = "sharebox-shortcuts";

export function shortcuts() {
  const help = byId("help");
  const on = byId("shortcuts-on");
  on.checked = localStorage.getItem(KEPT) !== "off";
  on.addEventListener("change", () => localStorage.setItem(KEPT, on.checked ? "on" : "off"));
  byId("help-open").addEventListener("click", open);

  function open() {
    byId("shortcuts").replaceChildren(...all().map((button) => {
      const line = made("div");
      const key = document.createElement("dt");
      key.append(made("kbd", button.dataset.key));
      line.append(key, made("dd", words(button)));
      return line;
    }));
    help.showModal();
  }

  document.addEventListener("keydown", (event) => {
    if (!on.checked || event.ctrlKey || event.metaKey || event.altKey || event.repeat || help.open) return;
    if (event.target.matches("input, select, textarea")) return;
    if (event.key === " " && event.target.matches("button")) return;
    const name = event.key === " " ? "space" : event.key.toLowerCase();
    const button = buttons().find((each) => each.dataset.key.toLowerCase() === name);
    if (!button) return;
    event.preventDefault();
    if (button.matches("input")) button.focus(); else button.click();
  });
}

const all = () => [...document.querySelectorAll("[data-key]")];
const buttons = () => all().filter((each) => !each.closest("[hidden]"));

const words = (button) => button.dataset.help ?? button.firstElementChild?.textContent ?? button.textContent;
