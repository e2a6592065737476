// Small parts that every room of the console uses.

import { make } from "./shared.js";

export { $, make, ms, Marks } from "./shared.js";

export const words = (name) => name.replaceAll("_", " ");

const LOOKS = {
  confirmed: "good", finished: "good", done: "good", refused: "bad", failed: "bad", "": "",
  running: "busy", asking: "calm", paused: "calm", taken_over: "calm", stopping: "calm", idle: "",
};

/** A word in a coloured pill. */
export const pill = (name) => make("span", `pill ${LOOKS[name] ?? "calm"}`, words(name));

export function dress(element, name) {
  element.textContent = words(name);
  element.classList.remove("good", "bad", "calm", "busy");
  const look = LOOKS[name] ?? "calm";
  if (look) element.classList.add(look);
}

const EDGE = 12; // room for the line around the screen

/** Set a width and height that fill the room without changing the shape. */
export function fit(element, room, width, height) {
  const space = room.getBoundingClientRect();
  const flows = matchMedia("(max-width: 860px)").matches;
  const scale = Math.min((space.width - EDGE) / width, flows ? 1e9 : (space.height - EDGE) / height, 4);
  if (scale <= 0) return 1; // the room is not shown
  element.style.width = `${width * scale}px`;
  element.style.height = `${height * scale}px`;
  return scale;
}
