// The console: signs in, watches a session, and drives it under a lease.

import { $, dress, make } from "/console/parts.js";
import { Refused, Watch, ask, token } from "/console/link.js";
import { Hands } from "/console/hands.js";
import { Player } from "/console/player.js";
import { Screen } from "/console/screen.js";
import { Timeline } from "/console/timeline.js";

const HEARTBEAT_MS = 3000;
const ROOMS = ["sign-in", "opening", "live", "episodes"];

const state = { session: null, lease: "", led: false, watch: null };
const screen = new Screen();
const timeline = new Timeline(screen);
const player = new Player(complain);
const hands = new Hands(screen, (actions) => state.watch?.send({ type: "input", lease: state.lease, actions }));

/* ---- rooms ---- */

function enter(room) {
  for (const name of ROOMS) $(name).hidden = name !== room;
  const inside = room !== "sign-in";
  for (const name of ["rooms", "leave"]) $(name).hidden = !inside;
  $("go-live").toggleAttribute("aria-current", room !== "episodes");
  $("go-episodes").toggleAttribute("aria-current", room === "episodes");
  $("new").hidden = $("link").hidden = room !== "live";
  $("sessions").hidden = room !== "live" || $("sessions").childElementCount < 2;
  $("dismiss").hidden = !state.session;
  if (room === "sign-in") $("token").focus();
  if (room === "opening") $("url").focus();
}

function complain(error) {
  if (error instanceof Refused && error.status === 401) {
    token.forget();
    state.watch?.close();
    enter("sign-in");
  }
  $("notice").textContent = error.message;
  $("notice").hidden = false;
  clearTimeout(complain.timer);
  complain.timer = setTimeout(() => { $("notice").hidden = true; }, 8000);
}

/** Run it; what goes wrong is told. */
const attempt = (work) => async (event) => {
  event?.preventDefault?.();
  try {
    $("notice").hidden = true;
    await work(event);
  } catch (error) {
    complain(error);
  }
};

async function start(wanted) {
  const { sessions } = await ask("GET", "/v1/sessions");
  $("sessions").replaceChildren(...sessions.map((each, i) => {
    const option = make("option", "", `${i + 1}. ${each.instruction || `${each.display} display`}`);
    option.value = each.id;
    return option;
  }));
  const chosen = sessions.find((each) => each.id === wanted) ?? sessions.at(-1);
  if (!chosen) {
    state.session = null;
    return enter("opening");
  }
  $("sessions").value = chosen.id;
  return watch(chosen);
}

function watch(session) {
  state.watch?.close();
  state.lease = "";
  state.led = false;
  timeline.clear();
  screen.clear();
  show(session);
  enter("live");
  state.watch = new Watch(session.id, {
    onEvent: take,
    onPicture: (head, tiles) => screen.show(head, tiles),
    onLink: link,
  });
}

function link(how, error) {
  if (how === "gone") return error.status === 404 ? attempt(() => start())() : complain(error);
  $("link").textContent = { live: "live", connecting: "connecting…", lost: "connection lost" }[how];
  $("link").className = `pill ${{ live: "good", connecting: "calm", lost: "bad" }[how]}`;
  if (how === "connecting") timeline.clear(); // all that is kept is told again
  return undefined;
}

function take(event) {
  if (event.type === "state") {
    // Only these come in order; the answer to a command may be older than what is shown.
    if (state.led && !event.session.controlled) state.lease = "";
    state.led = event.session.controlled;
    return show(event.session);
  }
  if (event.type === "error") return complain(new Error(event.message));
  if (event.type === "closed") return attempt(() => start())();
  return timeline.take(event);
}

/* ---- the session ---- */

function show(session) {
  state.session = session;
  const { question } = session;
  const at = session.state;
  const busy = !["idle", "closed", "stopping"].includes(at);
  const mine = Boolean(state.lease);
  dress($("state"), at);
  $("reason").textContent = [
    session.working ? `step ${session.step + 1} of ${session.max_steps}` : "", session.reason,
    mine && at === "taken_over" ? "pointer and keys go to the screen, Shift+Esc leaves it" : "",
  ].filter(Boolean).join(" · ");
  $("lease").textContent = mine ? "you control" : session.controlled ? "another client controls" : "nobody controls";
  $("lease").className = `pill ${mine ? "good" : ""}`;
  const other = session.controlled && !mine;
  $("pause").firstElementChild.textContent = at === "paused" ? "Resume" : "Pause";
  $("pause").disabled = other || !["running", "asking", "paused"].includes(at);
  $("step").disabled = other || !["running", "asking", "paused"].includes(at);
  $("take").firstElementChild.textContent = at === "taken_over" ? "Hand back" : "Take over";
  $("take").disabled = other || at === "stopping";
  $("stop").disabled = !busy;
  $("task").querySelector(".primary").disabled = other || at !== "idle";
  $("close").disabled = other;
  if (session.working && document.activeElement !== $("supervised")) $("supervised").checked = session.supervised;
  $("supervised").disabled = other;
  hands.active = mine && at === "taken_over";
  const waits = question && at !== "stopping";
  if (waits && $("question").hidden) setTimeout(() => $("approve").focus(), 0);
  $("question").hidden = !waits;
  $("approve").disabled = $("deny").disabled = other;
  if (waits) {
    $("asked").textContent = question.what;
    $("why").textContent = question.reason;
    screen.tell([question.action], `Asks: ${question.what}`, false);
  }
}

const path = (what) => `/v1/sessions/${state.session.id}/${what}`;

async function lead() {
  if (state.lease) return;
  state.lease = (await ask("POST", path("lease"), {})).lease;
  show(state.session);
}

/** A command; the lease is taken first when nobody holds it. */
async function drive(what, body = {}) {
  await lead();
  await ask("POST", path(what), body, state.lease);
}

const stop = attempt(() => ask("POST", path("stop"), {}));
const pause = attempt(() => drive(state.session.state === "paused" ? "resume" : "pause"));
const step = attempt(() => drive("step"));
const takeOver = attempt(() => drive(state.session.state === "taken_over" ? "hand-back" : "take-over"));
const decide = (what) => attempt(() => drive(what, { question: state.session.question.number }));
const approve = decide("approve");
const deny = decide("deny");

const run = attempt(async () => {
  await drive("run", {
    instruction: $("instruction").value,
    max_steps: Number($("steps").value),
    supervised: $("supervised").checked,
  });
});

const supervise = attempt(async () => {
  if (state.session.working) await drive("supervise", { supervised: $("supervised").checked });
});

const close = attempt(async () => {
  await lead();
  await ask("DELETE", path("").slice(0, -1), undefined, state.lease);
});

const open = attempt(async () => {
  const [width, height] = $("size").value.split("×").map(Number);
  const button = $("opening").querySelector(".primary");
  button.disabled = true;
  try {
    const url = $("url").value.trim();
    const made = await ask("POST", "/v1/sessions", { width, height, ...(url ? { url } : {}) });
    await start(made.id);
  } finally {
    button.disabled = false;
  }
});

setInterval(() => {
  if (state.lease) state.watch?.send({ type: "heartbeat", lease: state.lease });
}, HEARTBEAT_MS);

/* ---- wiring ---- */

const clicks = {
  pause, step, take: takeOver, stop, approve, deny, close,
  new: () => enter("opening"),
  dismiss: () => enter("live"),
  theme: () => document.documentElement.classList.toggle("dark"),
  leave: () => { token.forget(); location.reload(); },
  "go-live": attempt(() => (state.session ? enter("live") : start())),
  "go-episodes": attempt(async () => { await player.list(); enter("episodes"); }),
};
for (const [id, work] of Object.entries(clicks)) $(id).addEventListener("click", work);
$("task").addEventListener("submit", run);
$("opening").addEventListener("submit", open);
$("supervised").addEventListener("change", supervise);
$("sessions").addEventListener("change", attempt(() => start($("sessions").value)));
$("sign-in").addEventListener("submit", attempt(async () => {
  token.value = $("token").value.trim();
  $("token").value = "";
  await start();
}));
$("instruction").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) run(event);
});

const keys = { p: "pause", s: "step", t: "take", a: "approve", d: "deny", Escape: "stop" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const writing = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (!$("episodes").hidden && !writing) return player.key(event);
  const id = keys[event.key];
  if ($("live").hidden || !id || (writing && event.key !== "Escape")) return undefined;
  if (["approve", "deny"].includes(id) && $("question").hidden) return undefined;
  event.preventDefault();
  $(id).click();
  return undefined;
});

if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.classList.add("dark");
token.takeFromAddress();
if (token.value) attempt(() => start())();
else enter("sign-in");
