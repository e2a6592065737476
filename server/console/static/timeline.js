// What the agent thought and did, newest first.

import { $, make, ms, pill } from "/console/parts.js";

const MOST = 400;

export class Timeline {
  constructor(screen) {
    this.screen = screen;
    this.clear();
  }

  clear() {
    this.steps = new Map();
    $("timeline").replaceChildren();
    this.say("", "");
  }

  /** Take in an event of the session. */
  take(event) {
    const how = { started: this.started, thinking: this.thinking, decided: this.decided,
      stepped: this.stepped, ended: this.ended }[event.type];
    if (how) how.call(this, event);
  }

  started({ instruction }) {
    this.steps = new Map();
    this.add("head", make("b", "", instruction));
    this.say("Looking at the screen…", "");
  }

  thinking({ step }) {
    this.say(step > 1 ? "Thinking…" : "Looking and thinking…", "");
  }

  decided({ step, thought, error, actions }) {
    const next = actions.map(({ what }) => what).join(", ");
    const item = this.add("", make("i", "", String(step)), make("div", ""));
    this.steps.set(step, item);
    this.write(item, thought, error, actions.map(({ what }) => ({ what })));
    item.thought = thought;
    item.error = error;
    this.say(thought || (error ? "It could not be read." : ""), error ? "" : next);
    this.screen.tell(actions.map(({ action }) => action), next && `Next: ${next}`, false);
  }

  stepped({ step, receipts, feedback, total_ms }) {
    const item = this.steps.get(step);
    if (item && receipts.length) this.write(item, item.thought, item.error, receipts);
    if (item) {
      const settle = receipts.reduce((sum, each) => sum + each.settle_ms, 0);
      item.lastChild.append(make("small", "", `${ms(total_ms)}${settle ? `, ${ms(settle)} of it watching the screen` : ""}`));
      if (feedback && !receipts.some((each) => each.message)) item.lastChild.append(make("p", "", feedback));
    }
    this.screen.tell(this.screen.actions, "", true);
  }

  ended({ outcome, message, steps }) {
    const count = `after ${steps} step${steps === 1 ? "" : "s"}`;
    const box = make("div", "", make("div", "act", make("b", "", count), pill(outcome)));
    if (message) box.append(make("p", "", message));
    this.add("head", box);
    this.say(message, "");
    this.screen.tell([], "", true);
  }

  write(item, thought, error, acts) {
    const parts = acts.map(({ what, outcome, message }) => {
      const act = make("div", "", make("div", "act", make("b", "", what), outcome ? pill(outcome) : null));
      if (message) act.append(make("p", "", message));
      return act;
    });
    if (error) parts.push(make("p", "", error));
    item.lastChild.replaceChildren(...(thought ? [make("p", "", thought)] : []), ...parts);
  }

  add(kind, ...children) {
    const item = make("li", kind, ...children);
    $("timeline").prepend(item);
    if ($("timeline").childElementCount > MOST) $("timeline").lastChild.remove();
    return item;
  }

  say(thought, next) {
    $("thought").textContent = thought || "Nothing yet. Give it a task.";
    $("thought").classList.toggle("none", !thought);
    $("next").textContent = next;
  }
}
