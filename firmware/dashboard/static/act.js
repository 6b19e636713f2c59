// Passes on what was pressed. The answer is shown by the log; a refusal is read out as well.

import { announce } from "./dom.js";
import { withKey } from "./key.js";

export async function act(button, what) {
  if (button?.getAttribute("aria-busy") === "true") return null;
  button?.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch("/act", {
      method: "POST",
      headers: withKey({ "Content-Type": "application/json" }),
      body: JSON.stringify(what),
    });
    const said = await answer.json();
    if (said.refused ?? said.message) announce(said.refused ?? said.message);
    return said;
  } catch {
    announce("Sharebox does not answer.");
    return null;
  } finally {
    button?.removeAttribute("aria-busy");
  }
}
