const data = JSON.parse($("data").textContent);
const state = { episode: 0, step: 0, after: false, marks: true, query: "" };
const episode = () => data.episodes[state.episode];
const step = () => episode().steps[state.step];

/** Text whose search hits are marked. */
function marked(text) {
  const parts = document.createDocumentFragment();
  const low = text.toLowerCase();
  let from = 0;
  if (state.query && low.length === text.length) {
    for (let at; (at = low.indexOf(state.query, from)) >= 0; from = at + state.query.length) {
      parts.append(text.slice(from, at), make("mark", "", text.slice(at, at + state.query.length)));
    }
  }
  parts.append(text.slice(from));
  return parts;
}

const hit = (one) => !state.query || one.words.includes(state.query);

/* ---- the screen and the action on it ---- */

function fit() {
  const one = step();
  const room = $("room").getBoundingClientRect();
  const [width, height] = one.size;
  const scale = Math.min((room.width - 4) / width, (room.height - 4) / height, 4);
  $("screen").style.width = `${width * scale}px`;
  $("screen").style.height = `${height * scale}px`;
  $("picture").classList.toggle("sharp", scale >= 1.5);
  draw(1 / scale);
}

const drawn = new Marks($("overlay"));

function draw(u) {
  const [width, height] = step().size;
  drawn.draw(state.marks && !state.after ? step().marks : [], width, height, u);
}

/** The URL of a picture; the blocks that hold them follow the script and may still be read. */
function pictureOf(digest) {
  const block = $(`p${digest}`);
  return block ? `data:image/webp;base64,${block.textContent}` : "";
}

/** Show the screen once its picture has been read. */
const arrival = new MutationObserver(() => { if (pictureOf(awaited)) showScreen(); });
let awaited = "";

function showScreen() {
  const one = step();
  const later = episode().steps[state.step + 1];
  const shown = state.after && later ? later : one;
  const picture = pictureOf(shown.picture);
  arrival.disconnect();
  awaited = shown.picture;
  if (!picture && !shown.lost) arrival.observe(document.body, { childList: true });
  $("screen").hidden = !picture;
  $("lost").hidden = Boolean(picture);
  $("lost").textContent = shown.lost || "The picture is being read.";
  if (picture) $("picture").src = picture;
  $("picture").alt = `Screen ${state.after ? "after" : "before"} step ${state.step + 1}`;
  $("caption").textContent = one.caption;
  $("caption").hidden = !one.caption || !state.marks || state.after;
  $("after").disabled = !later;
  $("before").setAttribute("aria-pressed", String(!state.after));
  $("after").setAttribute("aria-pressed", String(state.after));
  $("marks").setAttribute("aria-pressed", String(state.marks));
  fit();
}

/* ---- words ---- */

function action(one) {
  const box = make("div", "act", make("div", "what", make("b", "", marked(one.what)),
    one.outcome ? make("span", `pill ${one.look}`, one.outcome.replaceAll("_", " ")) : null));
  if (one.message) box.append(make("p", "", marked(one.message)));
  if (one.outcome) box.append(make("small", "", `acted ${ms(one.act_ms)} · settled ${ms(one.settle_ms)}`));
  return box;
}

function timing(parts) {
  const bar = make("div", "time");
  const legend = make("ul", "legend");
  parts.forEach(([name, value], i) => {
    if (!value) return;
    const piece = make("i", `c${i + 1}`);
    piece.style.flex = String(value);
    bar.append(piece);
    legend.append(make("li", "", make("i", `c${i + 1}`), name, make("b", "", ms(value))));
  });
  return bar.childElementCount ? [bar, legend] : [make("p", "none", "not measured")];
}

function showDetail() {
  const one = step();
  const parts = [make("h2", "", "Thought"), one.thought
    ? make("p", "thought", marked(one.thought)) : make("p", "thought none", "none")];
  if (one.error) parts.push(make("h2", "", "Not understood"), make("div", "error", marked(one.error)));
  parts.push(make("h2", "", one.actions.length === 1 ? "Action" : "Actions"));
  parts.push(...(one.actions.length ? one.actions.map(action) : [make("p", "thought none", "none")]));
  parts.push(make("h2", "", "Time"), ...timing(one.times));
  parts.push(make("h2", "", "Model text"), make("pre", "", marked(one.text)));
  const facts = make("ul", "legend");
  for (const [name, value] of one.facts) facts.append(make("li", "", name, make("b", "", value)));
  parts.push(make("h2", "", "Facts"), facts);
  $("detail").replaceChildren(...parts);
  $("detail").scrollTop = 0;
}

/* ---- moving about ---- */

function show(to) {
  const steps = episode().steps;
  if (!steps.length) return;
  state.step = Math.max(0, Math.min(to, steps.length - 1));
  state.after = false;
  $("place").textContent = `Step ${state.step + 1} of ${steps.length}`;
  $("back").disabled = state.step === 0;
  $("next").disabled = state.step === steps.length - 1;
  $("strip").querySelector("[aria-current]")?.removeAttribute("aria-current");
  const thumb = $("strip").children[state.step];
  thumb.setAttribute("aria-current", "step");
  thumb.scrollIntoView({ block: "nearest", inline: "nearest" });
  history.replaceState(null, "", `#${state.episode + 1}.${state.step + 1}`);
  showScreen();
  showDetail();
}

function find(query) {
  state.query = query.trim().toLowerCase();
  let hits = 0;
  episode().steps.forEach((one, i) => {
    const found = hit(one);
    hits += found;
    $("strip").children[i].classList.toggle("miss", !found);
  });
  $("hits").textContent = state.query ? `${hits} of ${episode().steps.length}` : "";
  if (!episode().steps.length) return;
  if (state.query && hits && !hit(step())) nextHit();
  else showDetail();
}

function nextHit() {
  const count = episode().steps.length;
  for (let i = 1; i <= count; i += 1) {
    const at = (state.step + i) % count;
    if (hit(episode().steps[at])) return show(at);
  }
  return undefined;
}

function openEpisode(index) {
  state.step = 0;
  state.episode = Math.max(0, Math.min(index, data.episodes.length - 1));
  const one = episode();
  $("episode").value = String(state.episode);
  $("instruction").textContent = one.instruction;
  $("instruction").title = one.instruction;
  $("outcome").textContent = one.outcome;
  $("outcome").className = `pill ${one.look}`;
  $("outcome").title = one.message;
  $("facts").textContent = one.facts;
  $("strip").replaceChildren(...one.steps.map((each, i) => {
    const thumb = make("button", "", make("span", "", String(i + 1)), make("i", each.look));
    if (data.thumbs[each.picture]) {
      const image = make("img");
      image.alt = "";
      image.src = data.thumbs[each.picture];
      thumb.prepend(image);
    }
    thumb.title = each.caption || each.actions.map((act) => act.what).join(", ");
    thumb.addEventListener("click", () => show(i));
    return thumb;
  }));
  $("screen").hidden = !one.steps.length;
  $("lost").hidden = Boolean(one.steps.length);
  $("lost").textContent = "This episode has no steps.";
  $("detail").replaceChildren();
  $("place").textContent = "";
  find($("search").value);
}

const keys = {
  ArrowRight: () => show(state.step + 1), ArrowLeft: () => show(state.step - 1),
  j: () => show(state.step + 1), k: () => show(state.step - 1),
  Home: () => show(0), End: () => show(episode().steps.length - 1),
  n: nextHit, a: () => turn("after"), o: () => turn("marks"), t: theme,
  "/": () => $("search").focus(),
};

function turn(name) {
  if (!episode().steps.length) return;
  state[name] = !state[name];
  showScreen();
}

function theme() { document.documentElement.classList.toggle("dark"); }

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === $("search")) {
    if (event.key === "Escape") { $("search").value = ""; find(""); $("search").blur(); }
    if (event.key === "Enter") nextHit();
    return;
  }
  if (event.target === $("episode") || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
$("search").addEventListener("input", () => find($("search").value));
$("back").addEventListener("click", () => show(state.step - 1));
$("next").addEventListener("click", () => show(state.step + 1));
$("before").addEventListener("click", () => { state.after = false; showScreen(); });
$("after").addEventListener("click", () => { state.after = true; showScreen(); });
$("marks").addEventListener("click", () => turn("marks"));
$("theme").addEventListener("click", theme);
$("episode").addEventListener("change", () => { openEpisode(Number($("episode").value)); show(0); });
new ResizeObserver(() => { if (episode().steps.length) fit(); }).observe($("room"));

data.episodes.forEach((one, i) => {
  const option = make("option", "", `${i + 1}. ${one.instruction}`);
  option.value = String(i);
  $("episode").append(option);
});
$("episode").hidden = data.episodes.length < 2;
if (matchMedia("(prefers-color-scheme: dark)").matches) theme();
const [first, second] = location.hash.slice(1).split(".").map(Number);
openEpisode((first || 1) - 1);
show((second || 1) - 1);
