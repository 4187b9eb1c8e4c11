// The waterfall of a trace: fetches all its spans in lines and draws those rows that are seen.
//
// Spans come in tree order with the size of each subtree, so a folded one is skipped by adding its size. Texts of spans
// are only ever set as textContent.
import { Lens } from "./trace-lens.js";
import { Rows } from "./trace-rows.js";

const card = document.getElementById("waterfall");
const trace = card.dataset.trace;
const byId = (id) => document.getElementById(id);

// A reader of a screen takes the whole row as one: what it says.
function told(lines, place) {
  const words = [lines.nameOf(place), lines.serviceOf(place), lines.lengthOf(place)];
  if (lines.columns.failed[place]) words.push("failed", lines.errorOf(place));
  return words.filter(Boolean).join(", ");
}

class Lines {
  constructor(read) {
    Object.assign(this, read);
    this.count = this.columns.id.length;
    this.places = new Map(this.columns.id.map((id, place) => [id, place]));
    this.critical = new Map();
    for (const [place, from, to] of this.path) {
      if (place < 0) continue;
      if (!this.critical.has(place)) this.critical.set(place, []);
      this.critical.get(place).push([from, to]);
    }
  }

  nameOf(place) {
    return this.names[this.columns.name[place]] || "unnamed";
  }

  serviceOf(place) {
    return this.services[this.columns.service[place]];
  }

  errorOf(place) {
    const error = this.errors[this.columns.error[place]];
    return error === "error" ? "" : error;
  }

  lengthOf(place) {
    return brief(this.columns.duration[place]);
  }

  tell(place) {
    return told(this, place);
  }

  // Places whose service, name or error holds the text. Each text is looked at once, however many spans have it.
  holding(text) {
    const wanted = text.toLowerCase();
    const [services, names, errors] = [this.services, this.names, this.errors].map((texts) =>
      texts.map((each) => each.toLowerCase().includes(wanted)),
    );
    const { service, name, error } = this.columns;
    const found = [];
    for (let place = 0; place < this.count; place += 1) {
      if (services[service[place]] || names[name[place]] || errors[error[place]]) found.push(place);
    }
    return found;
  }
}

// The same words as the server's: 340 µs, 12.3 ms, 1.24 s, 2 min 5 s.
export function brief(ns) {
  if (!ns) return "0";
  if (ns < 1e6) return `${Math.round(ns / 1e3)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(1)} ms`;
  if (ns < 60e9) return `${(ns / 1e9).toFixed(2)} s`;
  let rest = Math.floor(ns / 1e9);
  const words = [];
  for (const [unit, size] of [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) words.push(`${count} ${unit === "day" && count !== 1 ? "days" : unit}`);
    else if (words.length) break;
    if (words.length === 2) break;
  }
  return words.join(" ");
}

async function start() {
  const answer = await fetch(`/traces/${trace}/lines`);
  if (!answer.ok) return;
  const lines = new Lines(await answer.json());
  const lens = new Lens(lines.duration, brief);
  const rows = new Rows(lines, lens, card.dataset.selected);
  connect(lines, lens, rows);
  performance.mark("clew-waterfall");
}

function connect(lines, lens, rows) {
  const panel = new Panel(rows);
  rows.onOpen = (place) => panel.open(lines.columns.id[place]);
  byId("turns").hidden = true;
  byId("hint").hidden = false;
  byId("tools").classList.add("ready");
  const search = new Search(lines, rows);
  const errors = lines.columns.failed.flatMap((failed, place) => (failed ? [place] : []));
  const actions = {
    "/": () => byId("within").focus(),
    n: () => search.next(),
    e: () => errors.length && rows.go(errors.find((place) => place > rows.active) ?? errors[0]),
    c: () => rows.toggleCritical(),
    "+": () => lens.zoom(0.5),
    "=": () => lens.zoom(0.5),
    "-": () => lens.zoom(2),
    0: () => lens.show(0, lines.duration),
    z: () => {
      const [start, length] = [lines.columns.start[rows.active], lines.columns.duration[rows.active]];
      lens.show(start - length * 0.1, start + length * 1.1);
    },
    Escape: () => panel.close(),
  };
  const buttons = { "next-found": "n", "next-error": "e", critical: "c", "zoom-in": "+", "zoom-out": "-", "zoom-all": "0" };
  for (const [id, key] of Object.entries(buttons)) byId(id).addEventListener("click", () => actions[key]());
  byId("fold-all").addEventListener("click", (event) => {
    event.target.textContent = rows.foldAll() ? "Unfold all" : "Fold all";
  });
  // Before the page's own keys: here / searches in the trace.
  document.addEventListener("keydown", (event) => act(event, actions), true);
  document.querySelector(".seek kbd")?.remove();
  document.addEventListener("click", (event) => {
    const place = lines.places.get(event.target.closest("[data-span]")?.dataset.span);
    if (place === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    rows.go(place);
    rows.element.focus({ preventScroll: true });
    panel.open(lines.columns.id[place]);
    card.scrollIntoView({ block: "nearest" });
  });
}

function act(event, actions) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, dialog")) return;
  // Keys of one character can be switched off for all pages.
  if (event.key.length === 1 && !byId("keys-on").checked) return;
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

class Search {
  constructor(lines, rows) {
    this.lines = lines;
    this.rows = rows;
    this.found = [];
    const field = byId("within");
    field.addEventListener("input", () => this.look(field.value.trim()));
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.next();
      else if (event.key === "Escape") rows.element.focus();
      else return;
      event.preventDefault();
    });
  }

  look(text) {
    this.found = text ? this.lines.holding(text) : [];
    this.rows.mark(this.found, text !== "");
    byId("next-found").hidden = !this.found.length;
    this.say(text ? `${this.found.length} found` : "");
  }

  next() {
    if (!this.found.length) return;
    let at = this.found.findIndex((place) => place > this.rows.active);
    if (at < 0) at = 0;
    this.rows.go(this.found[at]);
    this.say(`${at + 1} of ${this.found.length}`);
  }

  say(words) {
    byId("found").textContent = words;
  }
}

class Panel {
  constructor(rows) {
    this.rows = rows;
    this.wanted = "";
    byId("close").addEventListener("click", (event) => {
      event.preventDefault();
      this.close();
    });
  }

  async open(id) {
    this.wanted = id;
    this.rows.show(id);
    this.address(id);
    const content = await this.read(id);
    if (this.wanted !== id) return;
    byId("panel-content").replaceChildren(...content);
    byId("panel").hidden = false;
    byId("panel").scrollTop = 0;
    card.classList.add("with-panel");
    this.rows.draw();
  }

  async read(id) {
    try {
      const answer = await fetch(`/traces/${trace}/spans/${id}?part=true`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      // An error comes as a whole page, of which its words are shown.
      return (answer.ok ? page.body : page.querySelector("main")).childNodes;
    } catch {
      const line = document.createElement("p");
      line.className = "notice notice-bad";
      line.setAttribute("role", "alert");
      line.textContent = "Clew doesn't answer. Click the span again when it does.";
      return [line];
    }
  }

  close() {
    this.wanted = "";
    this.rows.show("");
    this.address("");
    byId("panel").hidden = true;
    card.classList.remove("with-panel");
    this.rows.element.focus({ preventScroll: true });
    this.rows.draw();
  }

  address(id) {
    const url = new URL(location.href);
    url.hash = "";
    if (id) url.searchParams.set("span", id);
    else url.searchParams.delete("span");
    history.replaceState(null, "", url);
  }
}

start();
