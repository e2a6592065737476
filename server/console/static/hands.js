// A person's pointer and keys on the live screen, while they have taken over.

const BUTTONS = ["left", "middle", "right"];
const NAMES = { Control: "ctrl", Meta: "super", Shift: "shift", Alt: "alt" };

export class Hands {
  /** `send(actions)` passes them on. Shift+Escape leaves the screen: no key is a trap. */
  constructor(screen, send) {
    Object.assign(this, { screen, send, on: false, down: new Set(), moved: null });
    const canvas = screen.canvas;
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", (event) => this.release(event));
    canvas.addEventListener("contextmenu", (event) => { if (this.on) event.preventDefault(); });
    canvas.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("paste", (event) => this.paste(event));
  }

  set active(on) {
    if (on === this.on) return;
    this.on = on;
    this.down.clear();
    this.screen.canvas.classList.toggle("driven", on);
    if (on) this.screen.canvas.focus();
  }

  /** Moves are sent once per frame of the page; only the last place matters. */
  move(event) {
    if (!this.on) return;
    const waits = this.moved !== null;
    this.moved = this.screen.toScreen(event);
    if (!waits) requestAnimationFrame(() => this.flush());
  }

  flush() {
    if (this.moved && this.on) this.send([{ type: "move", point: this.moved }]);
    this.moved = null;
  }

  press(event) {
    if (!this.on) return;
    this.screen.canvas.focus();
    this.screen.canvas.setPointerCapture(event.pointerId);
    const button = BUTTONS[event.button];
    if (!button) return;
    event.preventDefault();
    this.moved = null;
    this.down.add(button);
    const held = this.held(event).map((key) => ({ type: "key_down", key }));
    this.send([...held, { type: "mouse_down", point: this.screen.toScreen(event), button }]);
  }

  release(event) {
    const button = BUTTONS[Math.max(event.button, 0)];
    if (!this.on || !this.down.delete(button)) return;
    this.moved = null;
    const held = ["ctrl", "alt", "shift", "super"].map((key) => ({ type: "key_up", key }));
    this.send([{ type: "mouse_up", point: this.screen.toScreen(event), button }, ...held]);
  }

  turn(event) {
    if (!this.on) return;
    event.preventDefault();
    const flat = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const way = flat ? (event.deltaX > 0 ? "right" : "left") : (event.deltaY > 0 ? "down" : "up");
    this.send([{ type: "scroll", direction: way, point: this.screen.toScreen(event), clicks: 1 }]);
  }

  key(event) {
    if (!this.on) return;
    event.stopPropagation();
    if (event.key === "Escape" && event.shiftKey) return this.screen.canvas.blur();
    if (event.key in NAMES || ["Dead", "Process", "Unidentified"].includes(event.key)) return;
    if (event.key.toLowerCase() === "v" && (event.ctrlKey || event.metaKey)) return; // see paste
    event.preventDefault();
    const mods = this.held(event).filter((key) => key !== "shift");
    if (event.key.length === 1 && !mods.length) {
      this.send([{ type: "type", text: event.key }]);
    } else {
      const keys = this.held(event).filter((key) => event.key.length > 1 || key !== "shift");
      this.send([{ type: "hotkey", keys: [...keys, event.key] }]);
    }
  }

  /** What is pasted is typed: the two clipboards never meet. */
  paste(event) {
    const text = event.clipboardData.getData("text/plain");
    if (!this.on || !text) return;
    event.preventDefault();
    this.send([{ type: "type", text: text.slice(0, 10000) }]);
  }

  held(event) {
    const names = { ctrl: event.ctrlKey, alt: event.altKey, shift: event.shiftKey, super: event.metaKey };
    return Object.keys(names).filter((name) => names[name]);
  }
}
