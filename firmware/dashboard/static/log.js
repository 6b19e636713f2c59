// The event log: newest at the end, kept in view unless somebody reads further up.

import { byId, made } from "./dom.js";

const MOST_LINES = 400;
const KINDS = ["story", "bench", "car", "module", "phone", "owner"];

export function showLog() {
  const list = byId("lines");
  const hidden = new Set();

  function row(line) {
    const element = made("li", "", { who: line.who, weight: line.weight });
    element.append(made("time", line.time), made("span", line.who), made("span", line.text));
    element.hidden = hidden.has(line.who);
    return element;
  }

  function keeping(change) {
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    change();
    while (list.children.length > MOST_LINES) list.firstElementChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  for (const who of KINDS) {
    const button = made("button", who);
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => {
      if (!hidden.delete(who)) hidden.add(who);
      button.setAttribute("aria-pressed", !hidden.has(who));
      keeping(() => { for (const each of list.children) each.hidden = hidden.has(each.dataset.who); });
    });
    byId("filters").append(button);
  }

  return {
    add: (line) => keeping(() => list.append(row(line))),
    replace: (lines) => { list.replaceChildren(...lines.map(row)); list.scrollTop = list.scrollHeight; },
  };
}
