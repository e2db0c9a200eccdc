"use strict";
const at = id => document.getElementById(id);
const feed = at("cards"), none = at("none"), zoom = at("zoom"), help = at("help");
const cards = [...feed.querySelectorAll("article")];
const controls = [...document.querySelectorAll("[data-key]")];
const control = Object.fromEntries(controls.map(one => [one.dataset.key, one]));
const filters = ["level", "task", "kind", "source", "verdict", "mark"].map(key => control[key]);
const ids = new Map(), scores = new Map(), places = new Map(), texts = new Map(), cardsOf = new Map();
for (const card of cards) {
  const id = JSON.parse(card.dataset.id);
  ids.set(card, id);
  scores.set(card, new Map(Object.entries(JSON.parse(card.dataset.scores || "{}"))));
  places.set(card, places.size);
  cardsOf.set(id, [...(cardsOf.get(id) || []), card]);
  card.dataset.mark = "unmarked";
}
let shown = cards, current = null, visited = false;  // visited: current has had the focus

// Pictures lie in the page once each; a card gets its own, and its buttons, when it comes near the window.
function fill(card) {
  if (card.querySelector(".marks")) return;
  for (const image of card.querySelectorAll("img[data-i]")) image.src = at("i" + image.dataset.i).content.textContent;
  const group = document.createElement("div");
  group.className = "marks";
  for (const value of ["good", "bad"]) {  // their words come from the style, so that a search does not find them
    const button = document.createElement("button");
    button.type = "button";
    button.className = value;
    button.setAttribute("aria-label", "Mark " + value);
    button.setAttribute("aria-pressed", card.dataset.mark === value);
    button.addEventListener("click", () => mark(card, value));
    group.append(button);
  }
  card.querySelector(".tags").append(group);
}
const near = new IntersectionObserver(entries => {
  for (const entry of entries) if (entry.isIntersecting) { fill(entry.target); near.unobserve(entry.target); }
}, { rootMargin: "1200px 0px" });
for (const card of cards) near.observe(card);
addEventListener("beforeprint", () => shown.forEach(fill));
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
for (const select of filters) {
  if (select === control.mark) continue;
  const counts = count(cards.map(card => card.dataset[select.dataset.key]));
  offer(select, counts);
  select.hidden = counts.size < 2;
}
for (const [name, many] of count(cards.flatMap(card => [...scores.get(card).keys()])))
  control.score.add(new Option(`${name} (${many})`, name));
control.score.parentElement.hidden = control.score.length < 2;

function textOf(card) {
  if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
  return texts.get(card);
}
function fitting() {
  const wanted = filters.filter(select => select.value);
  const words = control.q.value.toLowerCase().split(/\s+/).filter(Boolean);
  const score = control.score.value, limited = control.from.value || control.to.value;
  const low = control.from.value === "" ? -Infinity : +control.from.value;
  const high = control.to.value === "" ? Infinity : +control.to.value;
  const value = card => scores.get(card).get(score);
  const found = cards.filter(card => wanted.every(select => card.dataset[select.dataset.key] === select.value)
    && words.every(word => textOf(card).includes(word))
    && (!score || !limited || (value(card) >= low && value(card) <= high)));
  if (!score || !control.order.value) return found;
  const sign = control.order.value === "up" ? 1 : -1, last = sign * Infinity;
  const key = card => value(card) ?? last;
  return found.sort((a, b) => key(a) === key(b) ? 0 : sign * (key(a) - key(b)));
}
// A pair and its counterfactual twin stand side by side where both are shown.
function coupled(found) {
  const twins = new Map(), made = new Set();
  for (const card of found) {
    const name = card.dataset.twin;
    if (name !== undefined) twins.set(name, [...(twins.get(name) || []), card]);
  }
  for (const card of found) {
    const couple = twins.get(card.dataset.twin);
    const both = couple !== undefined && couple.length === 2;
    card.classList.toggle("twin", both);
    for (const one of both ? couple : [card]) made.add(one);
  }
  return [...made];
}
function show() {
  for (const one of [control.from, control.to, control.order]) one.disabled = !control.score.value;
  shown = coupled(fitting());
  const visible = new Set(shown);
  if (shown.some((card, i) => i && places.get(card) < places.get(shown[i - 1]))) {
    const moved = new DocumentFragment();
    places.clear();
    for (const card of [...shown, ...cards.filter(card => !visible.has(card))]) {
      places.set(card, places.size);
      moved.append(card);
    }
    feed.append(moved);
  }
  for (const card of cards) if (card.hidden === visible.has(card)) card.hidden = !visible.has(card);
  shown.forEach((card, i) => {
    card.setAttribute("aria-posinset", i + 1);
    card.setAttribute("aria-setsize", shown.length);
  });
  if (!visible.has(current)) choose(shown[0] || null);
  at("count").textContent = shown.length === cards.length ? `${cards.length} shown` : `${shown.length} of ${cards.length} shown`;
  none.hidden = shown.length > 0 || !cards.length;
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

// Marks, by id. The browser keeps them by the page's address, each with a hash of the text that was marked: a page that is
// written anew keeps the marks of the records that did not change.
const KEPT = "s2h-marks " + location.pathname;
const marks = new Map(), undone = [];
let others = [];  // marks of records that this page does not show
function hashOf(id) {
  const card = cardsOf.get(id)[0];
  let hash = 0x811c9dc5;  // FNV-1a
  for (const part of card.querySelectorAll(".prompt, .answer"))
    for (const unit of part.textContent + "\n") hash = Math.imul(hash ^ unit.codePointAt(0), 0x01000193);
  return hash;
}
function put(id, value) {
  if (value) marks.set(id, value); else marks.delete(id);
  for (const card of cardsOf.get(id)) {
    card.dataset.mark = value || "unmarked";
    for (const button of card.querySelectorAll(".marks button"))
      button.setAttribute("aria-pressed", button.className === value);
  }
}
function keep() {
  at("save").textContent = marks.size ? `Save marks (${marks.size})` : "Save marks";
  at("save").disabled = !marks.size;
  at("undo").disabled = !undone.length;
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
  others = kept.filter(([id]) => !cardsOf.has(id));
  for (const [id, value, hash] of kept) if (cardsOf.has(id) && hashOf(id) === hash) put(id, value);
  at("save").disabled = !marks.size;
  if (marks.size) at("save").textContent = `Save marks (${marks.size})`;
}
function mark(card, value) {
  const id = ids.get(card), before = marks.get(id) || "";
  undone.push([id, before]);
  put(id, before === value ? "" : value);
  keep();
  at("said").textContent = before === value ? `${id}: mark removed` : `${id}: marked ${value}`;
}
function undo() {
  if (!undone.length) return;
  const [id, before] = undone.pop();
  put(id, before);
  keep();
  at("said").textContent = `${id}: ${before ? "marked " + before : "mark removed"}`;
  const card = cardsOf.get(id).find(one => !one.hidden);
  if (card) visit(card);
}
function save() {
  const lines = [...cardsOf.keys()].filter(id => marks.has(id)).map(id => JSON.stringify({ id, mark: marks.get(id) }) + "\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = "marks.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
at("save").addEventListener("click", save);
at("undo").addEventListener("click", undo);
addEventListener("storage", event => { if (event.key === KEPT) load(); });

// Keyboard: one card at a time takes the focus.
function choose(card) {
  if (current) current.tabIndex = -1;
  current = card;
  visited = false;
  if (card) card.tabIndex = 0;
}
function visit(card) {
  choose(card);
  fill(card);
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "start" });
}
function step(by) {
  if (!shown.length) return;
  const top = document.querySelector("header").offsetHeight;
  const next = visited ? shown.indexOf(current) + by : shown.findIndex(card => card.getBoundingClientRect().bottom > top);
  visit(shown[Math.min(Math.max(next, 0), shown.length - 1)]);
}
// Only a card that has the focus is marked, so that nobody marks what is out of sight.
function markFocused(value) {
  if (feed.contains(document.activeElement)) mark(current, value);
  else if (visited) visit(current);
  else step(0);
}
feed.addEventListener("focusin", event => {
  choose(event.target.closest("article"));
  visited = true;
});

let images = [], place = 0;
function enlarge(by) {
  place = (place + by + images.length) % images.length;
  const large = new Image();
  large.src = images[place].src;
  large.alt = images[place].alt;
  zoom.querySelector("div").replaceChildren(large);
  zoom.querySelector("p").textContent = images.length > 1 ? `${large.alt} (${place + 1} of ${images.length})` : large.alt;
}
function openZoom(card, image) {
  fill(card);
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
  } else if (key === "enter" && event.target === current) {
    openZoom(current);
    event.preventDefault();
  } else if (Object.hasOwn(KEYS, key)) {
    KEYS[key]();
    event.preventDefault();
  }
});
load();
recall();
