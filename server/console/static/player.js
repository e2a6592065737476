// The episodes of this server, and a player for one of them.

import { $, Marks, dress, fit, make, pill } from "/console/parts.js";
import { ask, askForBlob } from "/console/link.js";

const STEP_MS = 1500;

export class Player {
  constructor(fail) {
    this.fail = fail;
    this.marks = new Marks($("marks"));
    this.pictures = new Map();
    $("at").addEventListener("input", () => this.show(Number($("at").value)));
    $("play").addEventListener("click", () => this.toggle());
    $("picture").addEventListener("load", () => this.lay());
    new ResizeObserver(() => this.lay()).observe($("film"));
  }

  async list() {
    const { episodes } = await ask("GET", "/v1/episodes");
    const items = episodes.map((each) => {
      const when = new Date(each.created * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
      const button = make("button", "", make("b", "", each.instruction || "(no instruction)"),
        pill(each.end || "not closed"), make("small", "", when));
      button.title = each.instruction;
      button.addEventListener("click", () => this.open(each, button).catch(this.fail));
      return make("li", "", button);
    });
    if (!items.length) items.push(make("li", "none", "No task has been recorded yet."));
    $("list").replaceChildren(...items);
  }

  async open({ id, end }, button) {
    this.pause();
    this.episode = await ask("GET", `/v1/episodes/${encodeURIComponent(id)}`);
    this.id = id;
    for (const url of this.pictures.values()) URL.revokeObjectURL(url);
    this.pictures.clear();
    $("list").querySelector("[aria-current]")?.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    $("told").textContent = this.episode.instruction;
    dress($("outcome"), end || "not closed");
    $("at").max = String(Math.max(0, this.episode.steps.length - 1));
    $("player").hidden = false;
    await this.show(0);
    if (matchMedia("(max-width: 860px)").matches) $("player").scrollIntoView();
  }

  async show(index) {
    const { steps, message } = this.episode;
    this.index = Math.max(0, Math.min(index, steps.length - 1));
    $("at").value = String(this.index);
    $("place").textContent = steps.length ? `${this.index + 1} of ${steps.length}` : "no steps";
    const step = steps[this.index];
    $("still").hidden = !step;
    if (!step) return $("detail").replaceChildren(make("p", "none", message || "nothing was recorded"));
    const acts = step.actions.map(({ what, outcome }) =>
      make("div", "act", make("b", "", what), outcome ? pill(outcome) : null));
    const notes = step.actions.filter((each) => each.message).map((each) => make("p", "none", each.message));
    $("detail").replaceChildren(...(step.thought ? [make("p", "", step.thought)] : []), ...acts, ...notes,
      ...(step.error ? [make("p", "none", step.error)] : []));
    const { id } = this;
    const url = await this.picture(step);
    if (id === this.id && step === this.episode.steps[this.index]) {
      $("picture").src = url;
      $("picture").alt = `Screen before step ${this.index + 1}`;
    }
    return undefined;
  }

  async picture(step) {
    if (!this.pictures.has(step.picture)) {
      const path = `/v1/episodes/${encodeURIComponent(this.id)}/steps/${this.index}/picture`;
      this.pictures.set(step.picture, URL.createObjectURL(await askForBlob(path)));
    }
    return this.pictures.get(step.picture);
  }

  lay() {
    const step = this.episode?.steps[this.index];
    if (!step) return;
    const [width, height] = step.size;
    const scale = fit($("still"), $("film"), width, height);
    this.marks.draw(step.marks, width, height, 1 / scale, false);
  }

  toggle() {
    if (this.timer) return this.pause();
    if (this.index === this.episode.steps.length - 1) this.index = -1;
    const next = () => {
      this.show(this.index + 1).catch(this.fail);
      if (this.index >= this.episode.steps.length - 1) this.pause();
    };
    this.timer = setInterval(next, STEP_MS);
    $("play").textContent = "❚❚";
    $("play").setAttribute("aria-label", "Pause");
    return next();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    $("play").textContent = "▶";
    $("play").setAttribute("aria-label", "Play");
  }

  key({ key, target }) {
    if (!this.episode) return;
    if (key === "ArrowRight") this.show(this.index + 1).catch(this.fail);
    if (key === "ArrowLeft") this.show(this.index - 1).catch(this.fail);
    if (key === " " && target.tagName !== "BUTTON") this.toggle();
  }
}
