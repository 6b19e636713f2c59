// The driver's phone: the slider, the countdown, and why.

import { byId, facts, made, text } from "./dom.js";

export function showDriver(driver) {
  byId("link-dot").dataset.is = driver.link.is;
  text(byId("link-words"), driver.link.words);
  const slider = byId("slider");
  slider.dataset.blue = driver.slider.blue;
  slider.dataset.is = driver.slider.blue ? "blue" : "grey";
  text(byId("slider-label"), driver.slider.label);
  text(byId("slider-why"), driver.slider.why);
  showCountdown(driver.countdown);
  showRefusal(driver.refusal);
  byId("notice").hidden = !driver.notice;
  text(byId("notice"), driver.notice);
  for (const button of document.querySelectorAll("#driver-actions [data-driver]")) {
    const words = driver.labels[button.dataset.driver];
    if (words) text(button, words);
  }
  byId("driver-facts").hidden = driver.facts.length === 0;
  facts(byId("driver-facts"), driver.facts);
  text(byId("driver-place"), driver.place_words);
}

function showCountdown(countdown) {
  const element = byId("countdown");
  element.hidden = !countdown;
  if (!countdown) return;
  element.dataset.is = countdown.is;
  text(byId("count"), countdown.value);
  text(byId("count-words"), countdown.words);
  byId("count-bar").style.width = `${countdown.share}%`;
}

function showRefusal(refusal) {
  const element = byId("refusal");
  element.hidden = !refusal;
  const wanted = JSON.stringify(refusal);
  if (!refusal || element.dataset.rows === wanted) return;
  element.dataset.rows = wanted;
  element.replaceChildren();
  for (const [name, words] of refusal) {
    const said = made("dd", words);
    said.className = name.toLowerCase();
    element.append(made("dt", name), said);
  }
}
