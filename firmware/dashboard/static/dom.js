// Small tools: text goes into the page as text, never as markup.

export const byId = (id) => document.getElementById(id);

export function text(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export function made(tag, words = "", fields = {}) {
  const element = document.createElement(tag);
  element.textContent = words;
  Object.assign(element.dataset, fields);
  return element;
}

/** Rows of [name, value, mood] as a definition list; only what differs is touched. */
export function facts(list, rows) {
  const wanted = JSON.stringify(rows);
  if (list.dataset.rows === wanted) return;
  list.dataset.rows = wanted;
  while (list.children.length > rows.length) list.lastElementChild.remove();
  rows.forEach(([name, value, mood], index) => {
    if (list.children.length <= index) {
      const row = document.createElement("div");
      row.append(document.createElement("dt"), document.createElement("dd"));
      list.append(row);
    }
    const [label, shown] = list.children[index].children;
    text(label, name);
    text(shown, value);
    if (mood) shown.dataset.is = mood; else delete shown.dataset.is;
  });
}

let announced = "";
/** Tell people who listen to the page instead of looking at it. */
export function announce(words) {
  if (words === announced) return;
  announced = words;
  byId("live").textContent = words;
}

/** A group of buttons of which one is chosen: arrows move, as in any radio group. */
export function choose(group, chosen) {
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) chosen(button.dataset.value);
  });
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...group.querySelectorAll("button")];
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    chosen(next.dataset.value);
  });
}
