// The live screen: tiles on a canvas, the pointer, and the agent's next action over both.

import { $, Marks, fit } from "/console/parts.js";

const POINTS = ["point", "start", "end"];

export class Screen {
  constructor() {
    this.canvas = $("canvas");
    this.pen = this.canvas.getContext("2d", { alpha: false });
    this.marks = new Marks($("overlay"));
    this.actions = [];
    this.past = false;
    this.box = [0, 0, 1, 1];
    this.drawn = [];
    this.number = 0;
    this.scale = 1;
    new ResizeObserver(() => this.lay()).observe($("room"));
  }

  /** A picture came: all of its tiles at once, so that nothing tears. */
  show(head, tiles) {
    const [width, height] = head.size;
    this.box = head.box;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.lay();
    }
    for (const { left, top, image } of tiles) {
      this.pen.drawImage(image, left, top);
      image.close();
    }
    this.number = head.number;
    this.point(head.pointer);
    if (tiles.length) this.count();
  }

  clear() {
    this.canvas.width = this.canvas.height = 1;
    $("pointer").toggleAttribute("hidden", true);
    this.tell([], "", true);
  }

  point(place) {
    $("pointer").toggleAttribute("hidden", !place);
    if (!place) return;
    const [x, y] = this.toPicture(place);
    $("pointer").style.left = `${(100 * x) / this.canvas.width}%`;
    $("pointer").style.top = `${(100 * y) / this.canvas.height}%`;
  }

  /** Show what the agent is about to do, or (past) has done. */
  tell(actions, caption, past) {
    this.actions = actions;
    this.past = past;
    $("caption").textContent = caption;
    $("caption").hidden = !caption || past;
    this.drawMarks();
  }

  lay() {
    this.scale = fit($("screen"), $("room"), this.canvas.width, this.canvas.height);
    this.drawMarks();
  }

  drawMarks() {
    const marks = this.actions.map((action) => ({
      points: POINTS.filter((name) => action[name]).map((name) => this.toPicture(action[name])),
      count: action.count ?? 1,
      way: action.direction,
    })).filter(({ points }) => points.length);
    this.marks.draw(marks, this.canvas.width, this.canvas.height, 1 / this.scale, this.past);
  }

  /** Signed screen pixels to pixels of the picture: the middle of that pixel. */
  toPicture([x, y]) {
    const [left, top, right, bottom] = this.box;
    return [
      ((x - left + 0.5) * this.canvas.width) / (right - left),
      ((y - top + 0.5) * this.canvas.height) / (bottom - top),
    ];
  }

  /** A place on the page to whole screen pixels, inside the screen. */
  toScreen(event) {
    const area = this.canvas.getBoundingClientRect();
    const [left, top, right, bottom] = this.box;
    const inside = (value, low, high) => Math.min(Math.max(Math.floor(value), low), high - 1);
    return [
      inside(left + ((event.clientX - area.left) / area.width) * (right - left), left, right),
      inside(top + ((event.clientY - area.top) / area.height) * (bottom - top), top, bottom),
    ];
  }

  count() {
    const now = performance.now();
    this.drawn = [...this.drawn.filter((at) => now - at < 1000), now];
    $("rate").textContent = `${this.drawn.length} frames/s`;
    clearTimeout(this.still);
    this.still = setTimeout(() => { $("rate").textContent = "still"; }, 1000);
  }
}
