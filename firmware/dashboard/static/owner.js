// What the owner sees.

import { byId, facts, made, text } from "./dom.js";

let shown = "";

export function showOwner(owner) {
  byId("owner-dot").dataset.is = owner.link.is;
  text(byId("owner-link"), owner.link.words);
  text(byId("owner-headline"), owner.headline);
  text(byId("owner-place"), owner.place_words);
  facts(byId("owner-facts"), owner.facts);
  byId("asked").hidden = !owner.asked;
  text(byId("asked-words"), owner.asked);
  byId("owner-code").hidden = !owner.code;
  text(byId("owner-code"), owner.code);
  const wanted = JSON.stringify(owner.reports);
  if (wanted === shown) return;
  shown = wanted;
  byId("reports").replaceChildren(...owner.reports.map(({ time, text: words, weight }) => {
    const line = made("li", "", { weight });
    line.append(made("time", time), made("span", words));
    return line;
  }));
}
