// Keeps a page up to date without moving what one reads.
//
// An element with data-live and an id becomes like its namesake in the page fetched anew: what is equal stays, so
// focus, selection and links under a finger stay as well. With data-live="rows" its children (each with an id) are
// renewed in place; what came, went or moved is shown when asked for, or at once when the reader wants to follow.
// Nothing is renewed while text is selected, a button is held down, or the page isn't looked at.
// Between two renewals, data-counting (whole seconds) and <time data-ago> count on by themselves.

const EVERY_MS = 2500;
// Verdicts change by the clock alone, so a page is renewed now and then even when nothing came.
const AT_LEAST_EVERY_MS = 20_000;
const RESTS = 8;
const LONGEST_REST_MS = 60_000;

export function keepUpToDate() {
  const topics = document.querySelector("[data-topics] [data-live]")?.closest("[data-topics]")?.dataset.topics?.split(" ");
  count();
  if (!topics || !window.EventSource) return;
  let due = false;
  let busy = false;
  let renewed = Date.now();
  let asked = 0;
  let rest = 0;
  const lost = () => (due = true);
  listen((changed) => (due ||= changed.some((topic) => topics.includes(topic))), lost);
  addEventListener("pointerdown", () => (held = true));
  // A button that is let go outside the window is told by no pointerup.
  for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, () => (held = false));
  setInterval(async () => {
    const now = Date.now();
    due ||= now - renewed > AT_LEAST_EVERY_MS;
    if (!due || busy || now - asked < rest || atRest()) return;
    [due, busy] = [false, true];
    try {
      await renew();
      renewed = asked = Date.now();
      tellSilence(null);
      // Who asks a busy server again and again keeps it busy.
      rest = (renewed - now) * RESTS;
    } catch {
      [due, asked] = [true, Date.now()];
      if (!atRest()) {
        rest = Math.max(rest, Math.min(2 * rest || 2 * EVERY_MS, LONGEST_REST_MS));
        tellSilence(renewed);
      }
    }
    busy = false;
  }, EVERY_MS);
}

// Hears what has changed while the page is looked at. A browser has six connections to a server, and each hidden tab
// that kept one would take it from the tabs that are used.
function listen(hear, lost) {
  let source = null;
  const adjust = () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source) {
      source = new EventSource("/live");
      source.addEventListener("changed", (event) => hear(event.data.split(" ")));
      source.addEventListener("error", lost);
    }
  };
  adjust();
  document.addEventListener("visibilitychange", adjust);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

// What a page shows grows old when nobody answers: it says so, and lengths of time don't count on as if it were true.
let silent = false;

function tellSilence(since) {
  silent = since !== null;
  const place = document.getElementById("silence");
  const words = silent ? `No answer from Clew. This is how it was at ${new Date(since).toLocaleTimeString()}.` : "";
  if (place.textContent !== words) place.textContent = words;
}

let held = false;

function atRest() {
  const selection = getSelection();
  return document.hidden || held || !!document.querySelector("dialog[open]") || !(selection?.isCollapsed ?? true);
}

async function renew() {
  const answer = await fetch(location.href, { headers: { "X-Clew-Live": "1" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (atRest()) throw new Error("somebody reads");
  // Something that wasn't there before has no place yet: the first order, say.
  if ([...fresh.querySelectorAll("[data-live]")].some((each) => !document.getElementById(each.id))) location.reload();
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id) ?? document.createElement(old.tagName);
    if (old.dataset.live === "rows") renewRows(old, now);
    else alike(old, now);
  }
  document.dispatchEvent(new CustomEvent("clew:renewed"));
}

// Makes an element like another one by the least change.
function alike(old, now) {
  if (old.isEqualNode(now)) return;
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [mine, theirs] = [[...old.childNodes], [...now.childNodes]];
  theirs.forEach((other, index) => {
    const child = mine[index];
    if (!child) old.append(document.importNode(other, true));
    else if (child.nodeName !== other.nodeName) child.replaceWith(document.importNode(other, true));
    else if (child.nodeType === Node.ELEMENT_NODE) alike(child, other);
    else if (child.nodeValue !== other.nodeValue) child.nodeValue = other.nodeValue;
  });
  for (const child of mine.slice(theirs.length)) child.remove();
}

// What a reader opened stays open.
const KEPT = new Set(["open"]);

function renewRows(old, now) {
  const fresh = new Map([...now.children].map((row) => [row.id, row]));
  const [before, after] = [[...old.children], [...now.children]].map((rows) => rows.map((row) => row.id));
  for (const row of old.children) {
    const other = fresh.get(row.id);
    if (other) alike(row, other);
    else markGone(row);
  }
  if (following()) show(old, now);
  else offer(old, now, before, after);
}

// A style alone tells nothing to who doesn't see it. The mark goes when the row is made like a fresh one.
function markGone(row) {
  if (row.classList.contains("gone")) return;
  row.classList.add("gone");
  const word = document.createElement("span");
  word.className = "unseen";
  word.textContent = " gone from this list";
  (row.querySelector("th") ?? row).append(word);
}

// A button that shows the list as it is now; the list itself doesn't move until it is pressed.
function offer(old, now, before, after) {
  const place = document.getElementById(`${old.id}-changed`);
  if (!place) return;
  const [were, are] = [new Set(before), new Set(after)];
  const came = after.filter((id) => !were.has(id)).length;
  const gone = before.filter((id) => !are.has(id)).length;
  const moved = !came && !gone && before.join() !== after.join();
  const words = [came && `${came} new`, gone && `${gone} gone`, moved && "another order"].filter(Boolean).join(", ");
  if (!words) return place.replaceChildren();
  const button = place.querySelector("button") ?? document.createElement("button");
  button.className = "changed primary";
  button.textContent = `Show the list as it is now: ${words}`;
  button.onclick = () => {
    const lost = place.contains(document.activeElement);
    show(old, now);
    if (lost) old.querySelector("a")?.focus();
  };
  if (!button.isConnected) place.append(button);
}

// The rows as they are now. Those that stay are moved, not made anew, so the focus stays with them.
function show(old, now) {
  const rows = new Map([...old.children].map((row) => [row.id, row]));
  const wanted = [...now.children].map((row) => rows.get(row.id) ?? document.importNode(row, true));
  const focused = document.activeElement;
  old.replaceChildren(...wanted);
  if (focused?.isConnected && focused !== document.body) focused.focus({ preventScroll: true });
  document.getElementById(`${old.id}-changed`)?.replaceChildren();
}

// <input type="checkbox" data-follow hidden>: whether rows move by themselves, as on a screen on the wall.
const FOLLOW = "clew.follow";

function following() {
  return document.querySelector("[data-follow]")?.checked ?? false;
}

export function offerToFollow() {
  const box = document.querySelector("[data-follow]");
  if (!box) return;
  box.checked = localStorage.getItem(FOLLOW) === "1";
  box.addEventListener("change", () => localStorage.setItem(FOLLOW, box.checked ? "1" : "0"));
  box.closest("label").classList.add("usable");
}

// Lengths of time go on between two renewals; words as the server writes them.
function count() {
  const go = () => {
    if (silent || document.hidden || !getSelection()?.isCollapsed) return;
    for (const each of document.querySelectorAll("[data-counting]")) {
      write(each, howLong(secondsOf(each, each.dataset.counting)));
    }
    for (const each of document.querySelectorAll("time[data-ago]")) {
      const seconds = secondsOf(each, each.dataset.ago);
      write(each, seconds < 0 ? `in ${howLong(-seconds)}` : seconds < 1 ? "just now" : `${howLong(seconds)} ago`);
    }
  };
  go();
  setInterval(go, 1000);
}

const told = new WeakMap();

// What the server told of an element, and what has passed since.
function secondsOf(element, value) {
  if (told.get(element)?.value !== value) told.set(element, { value, at: performance.now() });
  return Number(value) + Math.floor((performance.now() - told.get(element).at) / 1000);
}

function write(element, words) {
  if (element.firstChild && element.textContent !== words) element.firstChild.nodeValue = words;
}

const UNITS = [["day", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

// As clew.journey.words.how_long: at most two neighbouring units, rounded down.
export function howLong(seconds) {
  const index = UNITS.findIndex(([, size]) => seconds >= size);
  if (index < 0) return "less than 1 s";
  const named = (number, unit) => (unit === "day" && number !== 1 ? `${number} days` : `${number} ${unit}`);
  const [unit, size] = UNITS[index];
  const words = [named(Math.floor(seconds / size), unit)];
  if (index + 1 < UNITS.length) {
    const [smaller, part] = UNITS[index + 1];
    const rest = Math.floor((seconds % size) / part);
    if (rest) words.push(named(rest, smaller));
  }
  return words.join(" ");
}
