"use strict";
const at = id => document.getElementById(id);
const feed = at("cards"), none = at("none"), zoom = at("zoom"), help = at("help");
const SERVED = "served" in document.documentElement.dataset;  // by s2h-view --serve, which has the cards and the images
const CHUNK = 10, KEYS_OF = ["level", "task", "kind", "source", "verdict"];
const controls = [...document.querySelectorAll("[data-key]")];
const control = Object.fromEntries(controls.map(one => [one.dataset.key, one]));
const filters = [...KEYS_OF, "mark"].map(key => control[key]);
const texts = new Map(), named = new Map();  // named: the records of an id
let records = [];  // {id, level, ..., twin, scores: Map, mark, number, card: its element, or null while it is not fetched}
let shown = [], current = null, visited = false;  // visited: current has had the focus

// All cards of a page that is one file lie in it, each distinct picture once. They are taken out of the document.
const pictures = new Map();
function embedded() {
  const cards = [...feed.querySelectorAll("article")];
  for (const one of feed.querySelectorAll("template")) pictures.set(one.id, one);
  feed.replaceChildren();
  return cards.map(card => ({
    ...card.dataset, card, id: JSON.parse(card.dataset.id), scores: JSON.parse(card.dataset.scores || "{}"),
  }));
}
async function ask(address, given) {
  const answer = await fetch(address, given);
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}
function fail(error) {
  at("trouble").textContent = error instanceof TypeError  // by fetch: no answer
    ? "s2h-view --serve has ended. Start it again, and open the address that it prints." : error.message;
  at("trouble").hidden = false;
}
async function get(lacking) {
  const made = document.createElement("template");
  made.innerHTML = await (await ask("cards?n=" + lacking.map(one => one.number).join())).text();
  lacking.forEach((one, i) => { one.card = made.content.children[i]; });
}

// Only chunks of cards near the window are filled, so that a new order moves few elements. A card gets its pictures and its
// buttons with its first chunk.
function dress(one) {
  const { card } = one;
  card.setAttribute("aria-posinset", one.at + 1);
  card.setAttribute("aria-setsize", shown.length);
  card.classList.toggle("twin", one.beside);
  card.dataset.mark = one.mark;
  card.tabIndex = one === current ? 0 : -1;
  if (card.querySelector(".marks")) return;
  for (const image of card.querySelectorAll("img[data-i]")) {
    image.addEventListener("error", () => { image.alt += ": cannot be opened"; }, { once: true });
    image.src = SERVED ? "image/" + image.dataset.i : pictures.get("i" + image.dataset.i).content.textContent;
  }
  const group = document.createElement("div");
  group.className = "marks";
  for (const value of ["good", "bad"]) {  // their words come from the style, so that a search does not find them
    const button = document.createElement("button");
    button.type = "button";
    button.className = value;
    button.setAttribute("aria-label", "Mark " + value);
    button.setAttribute("aria-pressed", one.mark === value);
    button.addEventListener("click", () => mark(one, value));
    group.append(button);
  }
  card.querySelector(".tags").append(group);
}
const held = new Map();  // chunk -> its records
function fill(chunk) {
  const ones = held.get(chunk) || [], lacking = ones.filter(one => !one.card);
  if (!lacking.length) return attach(chunk);
  return chunk.coming ??= get(lacking).then(() => attach(chunk), error => { chunk.coming = undefined; fail(error); });
}
function attach(chunk) {
  near.unobserve(chunk);
  if (chunk.firstChild || !chunk.isConnected) return;
  const ones = held.get(chunk);
  ones.forEach(dress);
  chunk.append(...ones.map(one => one.card));
  chunk.classList.add("filled");
}
const near = new IntersectionObserver(entries => {
  for (const entry of entries) if (entry.isIntersecting) fill(entry.target);
}, { rootMargin: "1200px 0px" });
function lay() {
  near.disconnect();
  held.clear();
  let chunk = null, rows = 0;
  shown.forEach((one, i) => {
    one.at = i;
    const second = one.beside && i && shown[i - 1].beside && shown[i - 1].twin === one.twin && shown[i - 1].first;
    one.first = one.beside && !second;
    if (!second && (!chunk || rows === CHUNK)) {
      chunk = document.createElement("div");
      chunk.className = "chunk";
      held.set(chunk, []);
      rows = 0;
    }
    if (!second) chunk.style.setProperty("--rows", ++rows);
    held.get(chunk).push(one);
    one.chunk = chunk;
  });
  feed.replaceChildren(...held.keys());
  if (chunk) fill(feed.firstElementChild);
  for (const one of held.keys()) if (!one.firstChild) near.observe(one);
}
addEventListener("beforeprint", () => [...held.keys()].forEach(fill));
new ResizeObserver(() => {
  document.documentElement.style.setProperty("--top", document.querySelector("header").offsetHeight + "px");
}).observe(document.querySelector("header"));

// Choose and order
function offer(select, counts) {
  for (const value of [...counts.keys()].sort()) {
    const named = select === control.level && /^\d+$/.test(value) ? "level " + value : value;
    select.add(new Option(`${named} (${counts.get(value)})`, value));
  }
}
function count(values) {
  const counts = new Map();
  for (const value of values) if (value) counts.set(value, (counts.get(value) || 0) + 1);
  return counts;
}
function offers() {
  for (const select of filters) {
    if (select === control.mark) continue;
    const counts = count(records.map(one => one[select.dataset.key]));
    offer(select, counts);
    select.hidden = counts.size < 2;
  }
  for (const [name, many] of count(records.flatMap(one => [...one.scores.keys()])))
    control.score.add(new Option(`${name} (${many})`, name));
  control.score.parentElement.hidden = control.score.length < 2;
}

function textOf(one) {
  if (!texts.has(one)) texts.set(one, one.card.textContent.toLowerCase());
  return texts.get(one);
}
let matches = { words: "", numbers: new Set() };  // what the server found
async function seek(words) {
  try {
    const numbers = new Set(await (await ask("search?" + new URLSearchParams({ q: words }))).json());
    if (words !== control.q.value) return;  // the person typed on
    matches = { words, numbers };
    show();
  } catch (error) { fail(error); }
}
function fitting() {
  const wanted = filters.filter(select => select.value);
  const words = control.q.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = SERVED ? one => !words.length || matches.numbers.has(one.number)
    : one => words.every(word => textOf(one).includes(word));
  const score = control.score.value, limited = control.from.value || control.to.value;
  const low = control.from.value === "" ? -Infinity : +control.from.value;
  const high = control.to.value === "" ? Infinity : +control.to.value;
  const value = one => one.scores.get(score);
  const found = records.filter(one => wanted.every(select => one[select.dataset.key] === select.value) && fits(one)
    && (!score || !limited || (value(one) >= low && value(one) <= high)));
  if (!score || !control.order.value) return found;
  const sign = control.order.value === "up" ? 1 : -1, last = sign * Infinity;
  const key = one => value(one) ?? last;
  return found.sort((a, b) => key(a) === key(b) ? 0 : sign * (key(a) - key(b)));
}
// A pair and its counterfactual twin stand side by side where both are shown.
function coupled(found) {
  const twins = new Map(), made = new Set();
  for (const one of found) if (one.twin !== undefined) twins.set(one.twin, [...(twins.get(one.twin) || []), one]);
  for (const one of found) {
    const couple = twins.get(one.twin);
    one.beside = couple !== undefined && couple.length === 2;
    for (const each of one.beside ? couple : [one]) made.add(each);
  }
  return [...made];
}
function show() {
  if (SERVED && control.q.value.trim() && matches.words !== control.q.value) { seek(control.q.value); return; }
  for (const one of [control.from, control.to, control.order]) one.disabled = !control.score.value;
  shown = coupled(fitting());
  if (!shown.includes(current)) choose(shown[0] || null);
  lay();
  at("count").textContent = shown.length === records.length ? `${records.length} shown` : `${shown.length} of ${records.length} shown`;
  none.hidden = shown.length > 0 || !records.length;
}
function remember() {
  history.replaceState(null, "", "#" + new URLSearchParams(
    controls.filter(one => one.value).map(one => [one.dataset.key, one.value])));
}
function recall() {
  const said = new URLSearchParams(location.hash.slice(1));
  for (const one of controls) {
    one.value = said.get(one.dataset.key) || "";
    if (one.selectedIndex < 0) one.value = "";
  }
  show();
}
for (const one of controls) one.addEventListener("input", () => { show(); remember(); });
none.querySelector("button").addEventListener("click", () => {
  for (const one of controls) one.value = "";
  show();
  remember();
});
addEventListener("hashchange", recall);

// Marks, by id. s2h-view --serve writes each into a file. Else the browser keeps them by the page's address, each with a hash of
// the text that was marked: a page that is written anew keeps the marks of the records that did not change.
const KEPT = "s2h-marks " + location.pathname;
const marks = new Map(), undone = [];
let others = [];  // marks of records that this page does not show
let file = "", posted = Promise.resolve();  // posted: marks reach the server in their order
function hashOf(id) {
  const { card } = named.get(id)[0];
  let hash = 0x811c9dc5;  // FNV-1a
  for (const part of card.querySelectorAll(".prompt, .answer"))
    for (const unit of part.textContent + "\n") hash = Math.imul(hash ^ unit.codePointAt(0), 0x01000193);
  return hash;
}
function put(id, value) {
  if (value) marks.set(id, value); else marks.delete(id);
  for (const one of named.get(id)) {
    one.mark = value || "unmarked";
    if (!one.card) continue;
    one.card.dataset.mark = one.mark;
    for (const button of one.card.querySelectorAll(".marks button"))
      button.setAttribute("aria-pressed", button.className === value);
  }
}
function tally() {
  at("save").textContent = marks.size ? `Save marks (${marks.size})` : "Save marks";
  at("save").disabled = !marks.size;
  at("kept").textContent = SERVED && marks.size ? `${marks.size} ${marks.size === 1 ? "mark" : "marks"} in ${file}` : "";
  at("undo").disabled = !undone.length;
}
function keep(id) {
  tally();
  if (SERVED) {
    const body = JSON.stringify({ id, mark: marks.get(id) || "" });
    posted = posted.then(() => ask("marks", { method: "POST", body })).catch(fail);
    return;
  }
  try {
    localStorage.setItem(KEPT, JSON.stringify([...others, ...[...marks].map(([id, value]) => [id, value, hashOf(id)])]));
  } catch {
    at("save").textContent += ": this browser does not keep them";
  }
}
function load() {
  let kept = null;
  try { kept = JSON.parse(localStorage.getItem(KEPT)); } catch { /* no storage, or damaged */ }
  for (const id of [...marks.keys()]) put(id, "");
  if (!Array.isArray(kept)) kept = [];
  others = kept.filter(([id]) => !named.has(id));
  for (const [id, value, hash] of kept) if (named.has(id) && hashOf(id) === hash) put(id, value);
  tally();
}
function mark(one, value) {
  const { id } = one, before = marks.get(id) || "";
  undone.push([id, before]);
  put(id, before === value ? "" : value);
  keep(id);
  at("said").textContent = before === value ? `${id}: mark removed` : `${id}: marked ${value}`;
}
function undo() {
  if (!undone.length) return;
  const [id, before] = undone.pop();
  put(id, before);
  keep(id);
  at("said").textContent = `${id}: ${before ? "marked " + before : "mark removed"}`;
  const one = named.get(id).find(each => shown.includes(each));
  if (one) visit(one);
}
function save() {
  const lines = [...named.keys()].filter(id => marks.has(id)).map(id => JSON.stringify({ id, mark: marks.get(id) }) + "\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = "marks.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
at("save").addEventListener("click", save);
at("undo").addEventListener("click", undo);
addEventListener("storage", event => { if (!SERVED && event.key === KEPT) load(); });

// Keyboard: one card at a time takes the focus.
function choose(one) {
  if (current?.card) current.card.tabIndex = -1;
  current = one;
  visited = false;
  if (one?.card) one.card.tabIndex = 0;
}
async function visit(one) {
  choose(one);
  visited = true;
  await fill(one.chunk);
  if (current !== one || !one.card?.isConnected) return;
  one.card.focus({ preventScroll: true });
  one.card.scrollIntoView({ block: "start" });
}
function step(by) {
  if (!shown.length) return;
  const top = document.querySelector("header").offsetHeight;
  const below = one => one.card?.isConnected && one.card.getBoundingClientRect().bottom > top;
  const next = visited ? shown.indexOf(current) + by : shown.findIndex(below);
  visit(shown[Math.min(Math.max(next, 0), shown.length - 1)]);
}
// Only a card that has the focus is marked, so that nobody marks what is out of sight.
function markFocused(value) {
  if (feed.contains(document.activeElement)) mark(current, value);
  else if (visited) visit(current);
  else step(0);
}
feed.addEventListener("focusin", event => {
  const card = event.target.closest("article");
  choose(shown.find(one => one.card === card));
  visited = true;
});

let images = [], place = 0;
function enlarge(by) {
  place = (place + by + images.length) % images.length;
  const large = new Image();
  large.src = images[place].src + (SERVED ? "?large" : "");
  large.alt = images[place].alt;
  zoom.querySelector("div").replaceChildren(large);
  zoom.querySelector("p").textContent = images.length > 1 ? `${large.alt} (${place + 1} of ${images.length})` : large.alt;
}
function openZoom(card, image) {
  images = [...card.querySelectorAll("figure img")];
  if (!images.length) return;
  place = Math.max(images.indexOf(image), 0);
  enlarge(0);
  zoom.showModal();
}
feed.addEventListener("click", event => {
  const button = event.target.closest(".zoom");
  if (button) openZoom(button.closest("article"), button.querySelector("img"));
});
zoom.addEventListener("click", () => zoom.close());
at("keys").addEventListener("click", () => help.showModal());

const KEYS = {
  j: () => step(1), arrowright: () => step(1), k: () => step(-1), arrowleft: () => step(-1),
  g: () => markFocused("good"), b: () => markFocused("bad"), u: undo, "?": () => help.showModal(),
};
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open || event.target.closest?.("select, input")) return;
  const key = event.key.toLowerCase();
  if (zoom.open) {
    if (key === "arrowright" || key === "arrowleft") enlarge(key === "arrowright" ? 1 : -1);
  } else if (key === "enter" && current && event.target === current.card) {
    openZoom(current.card);
    event.preventDefault();
  } else if (Object.hasOwn(KEYS, key)) {
    KEYS[key]();
    event.preventDefault();
  }
});
function begin(given) {
  records = given.map((one, number) => ({
    ...one, number, scores: new Map(Object.entries(one.scores || {})), mark: "unmarked", at: number, beside: false,
  }));
  for (const one of records) {
    named.set(one.id, [...(named.get(one.id) || []), one]);
    if (one.card) one.card.dataset.mark = one.mark;
  }
  document.body.classList.toggle("empty", !records.length);
  offers();
}
if (SERVED) {
  ask("index.json").then(answer => answer.json()).then(given => {
    file = given.file;
    begin(given.records.map(one => ({ ...one, card: null })));
    for (const [id, value] of Object.entries(given.marks)) put(id, value);
    tally();
    recall();
  }).catch(fail);
} else {
  begin(embedded());
  load();
  recall();
}
