// What the report of an episode and the console of the server both draw with. The report holds it
// inline, the console loads it.

export const $ = (id) => document.getElementById(id);

/** An element with a class and children; text only ever becomes text. */
export function make(tag, kind, ...children) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...children.filter((child) => child !== null));
  return made;
}

export const ms = (value) =>
  value >= 9999.5 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(value < 10 ? 1 : 0)} ms`;

const SVG = "http://www.w3.org/2000/svg";
const WAY = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] };

/** Draws where actions go, in pixels of a picture. Every line is white under colour. */
export class Marks {
  constructor(layer) { this.layer = layer; }

  /** `marks` are {points, count, way}; `u` is one pixel of the page in pixels of the picture. */
  draw(marks, width, height, u, past) {
    this.layer.replaceChildren();
    this.layer.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.layer.classList.toggle("past", Boolean(past));
    for (const { points, count, way } of marks) {
      if (!points.length) continue;
      if (way) {
        const [[x, y], [dx, dy]] = [points[0], WAY[way]];
        this.arrow([x - 26 * u * dx, y - 26 * u * dy], [x + 26 * u * dx, y + 26 * u * dy], u);
      } else if (points.length === 2) {
        this.arrow(points[0], points[1], u);
        this.add("circle", "dot", { cx: points[0][0], cy: points[0][1], r: 5 * u }, 1.5 * u);
      } else {
        this.target(points[0], count, u);
      }
    }
  }

  add(kind, look, values, width) {
    const made = document.createElementNS(SVG, kind);
    made.setAttribute("class", look);
    for (const [name, value] of Object.entries(values)) made.setAttribute(name, value);
    made.setAttribute("stroke-width", width);
    this.layer.append(made);
  }

  both(kind, values, u) {
    this.add(kind, "halo", values, 6 * u);
    this.add(kind, "inked", values, 3 * u);
  }

  target([x, y], count, u) {
    this.add("circle", "pulse", { cx: x, cy: y, r: 18 * u }, 3 * u);
    for (let i = 0; i < count; i += 1) this.both("circle", { cx: x, cy: y, r: (13 + 8 * i) * u }, u);
    this.add("circle", "dot", { cx: x, cy: y, r: 4.5 * u }, 1.5 * u);
  }

  arrow([ax, ay], [bx, by], u) {
    const angle = Math.atan2(by - ay, bx - ax);
    const wing = (turn) => `${bx - 14 * u * Math.cos(angle + turn)} ${by - 14 * u * Math.sin(angle + turn)}`;
    this.both("path", { d: `M${ax} ${ay}L${bx} ${by}M${wing(0.5)}L${bx} ${by}L${wing(-0.5)}` }, u);
  }
}
