// The rows of a waterfall: only those that are seen are in the document.
import { clamp } from "./trace-lens.js";

const HIGH = 26;
const AROUND = 6;
const INDENT = 12;
const DEEPEST = 16;

export class Rows {
  constructor(lines, lens, selected) {
    this.lines = lines;
    this.lens = lens;
    this.element = document.getElementById("rows");
    this.folded = new Uint8Array(lines.count);
    this.marked = new Uint8Array(lines.count);
    this.marking = false;
    this.onlyCritical = false;
    this.pool = [];
    this.opened = selected;
    this.active = lines.places.get(selected) ?? 0;
    this.onOpen = () => {};
    this.takeOver();
    lens.onChange = () => this.draw();
    lens.onPoint = (share) => (this.element.scrollTop = share * this.seen.length * HIGH - this.element.clientHeight / 2);
    this.reflow();
    this.go(this.active);
  }

  takeOver() {
    const rows = this.element;
    // The height that the server's first rows have, so that nothing below moves.
    rows.style.height = `min(70vh, ${this.lines.count * HIGH}px)`;
    this.space = document.createElement("div");
    this.space.setAttribute("role", "presentation");
    rows.replaceChildren(this.space);
    rows.classList.add("drawn");
    rows.setAttribute("role", "treegrid");
    this.template = document.getElementById("row").content.firstElementChild;
    let due = false;
    rows.addEventListener("scroll", () => {
      if (due) return;
      due = true;
      requestAnimationFrame(() => {
        due = false;
        this.draw();
      });
    }, { passive: true });
    addEventListener("resize", () => this.draw());
    rows.addEventListener("keydown", (event) => this.onKey(event));
    rows.addEventListener("click", (event) => this.onClick(event));
    rows.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.listenToDrag();
  }

  // Which places are rows now: all but those inside of a folded one, or only the critical path and what is above it.
  reflow() {
    const { lines, folded } = this;
    const keep = this.onlyCritical ? this.aboveCritical() : null;
    this.seen = [];
    for (let place = 0; place < lines.count; ) {
      if (!keep || keep[place]) this.seen.push(place);
      place += folded[place] ? lines.columns.size[place] : 1;
    }
    this.rowOf = new Map(this.seen.map((place, row) => [place, row]));
    this.space.style.height = `${this.seen.length * HIGH}px`;
    this.element.setAttribute("aria-rowcount", this.seen.length);
    this.draw();
  }

  aboveCritical() {
    const keep = new Uint8Array(this.lines.count);
    for (let place of this.lines.critical.keys()) {
      for (; place >= 0 && !keep[place]; place = this.lines.columns.parent[place]) keep[place] = 1;
    }
    return keep;
  }

  draw() {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / HIGH) - AROUND);
    const last = Math.min(this.seen.length, Math.ceil((scrollTop + clientHeight) / HIGH) + AROUND);
    const wanted = last - first;
    while (this.pool.length < wanted) this.pool.push(this.make());
    // A row keeps its element while it is seen, so scrolling by one row fills one row anew.
    for (let row = first; row < last; row += 1) this.fill(this.pool[row % this.pool.length], row);
    for (const slot of this.pool) {
      const shown = slot.row >= first && slot.row < last;
      if (slot.hidden === shown) {
        slot.hidden = !shown;
        slot.element.hidden = !shown;
        slot.element.style.display = shown ? "" : "none";
      }
    }
    const whole = Math.max(this.seen.length * HIGH, 1);
    this.lens.showRows(scrollTop / whole, Math.min((scrollTop + clientHeight) / whole, 1));
    const active = this.rowOf.get(this.active);
    if (active >= first && active < last) this.element.setAttribute("aria-activedescendant", this.idOf(this.active));
    else this.element.removeAttribute("aria-activedescendant");
  }

  idOf(place) {
    return `s${this.lines.columns.id[place]}`;
  }

  make() {
    const element = this.template.cloneNode(true);
    this.space.append(element);
    const find = (selector) => element.querySelector(selector);
    const link = find("a");
    link.tabIndex = -1;
    return {
      element, link, row: -1, hidden: false,
      name: link.querySelector("b"), service: find(".row-service"), length: find(".row-length"),
      indent: find(".indent"), fold: find(".fold"), sign: find(".row-sign"),
      mark: find(".row-mark"), said: find(".row-mark .unseen"), bar: find(".span-bar"), critical: find(".span-critical"),
    };
  }

  fill(slot, row) {
    const place = this.seen[row];
    if (slot.row !== row || slot.place !== place) this.fillText(slot, row, place);
    slot.row = row;
    slot.place = place;
    const { columns } = this.lines;
    const states = {
      failed: columns.failed[place] === 1, open: columns.id[place] === this.opened, active: place === this.active,
      match: this.marked[place] === 1, aside: this.marking && !this.marked[place],
    };
    for (const [name, on] of Object.entries(states)) slot.element.classList.toggle(name, on);
    if (columns.size[place] > 1) slot.element.setAttribute("aria-expanded", String(!this.folded[place]));
    else slot.element.removeAttribute("aria-expanded");
    const sign = columns.size[place] > 1 ? (this.folded[place] ? "▸" : "▾") : "";
    if (slot.fold.textContent !== sign) slot.fold.textContent = sign;
    this.fillLane(slot, place);
  }

  fillText(slot, row, place) {
    const { lines } = this;
    const { columns } = lines;
    const { element } = slot;
    element.className = `row ${lines.tones[columns.service[place]]}`;
    element.style.transform = `translateY(${row * HIGH}px)`;
    element.id = this.idOf(place);
    element.setAttribute("aria-rowindex", row + 1);
    element.setAttribute("aria-level", columns.depth[place] + 1);
    element.setAttribute("aria-label", lines.tell(place));
    const deep = Math.min(columns.depth[place], DEEPEST);
    slot.indent.setAttribute("width", deep * INDENT);
    slot.name.textContent = lines.nameOf(place);
    slot.service.textContent = lines.serviceOf(place);
    slot.length.textContent = lines.lengthOf(place);
    slot.link.href = `?span=${columns.id[place]}#s${columns.id[place]}`;
    slot.sign.hidden = !columns.failed[place];
    const mark = lines.marks[place] ?? "";
    slot.mark.hidden = !mark;
    slot.mark.title = mark;
    slot.said.textContent = mark;
  }

  fillLane(slot, place) {
    const { start, duration } = this.lines.columns;
    const bar = this.lens.bar(start[place], duration[place]);
    slot.bar.setAttribute("x", bar ? bar[0].toFixed(1) : 0);
    slot.bar.setAttribute("width", bar ? bar[1].toFixed(1) : 0);
    let path = "";
    for (const [from, to] of this.lines.critical.get(place) ?? []) {
      const part = this.lens.bar(from, to - from);
      if (part) path += `M${part[0].toFixed(1)} 20h${part[1].toFixed(1)}`;
    }
    slot.critical.setAttribute("d", path);
  }

  // Makes a span the active one, unfolds what it is in, and brings it into view.
  go(place) {
    let hidden = !this.rowOf.has(place);
    for (let above = this.lines.columns.parent[place]; above >= 0; above = this.lines.columns.parent[above]) {
      if (this.folded[above]) [this.folded[above], hidden] = [0, true];
    }
    if (hidden && this.onlyCritical && !this.aboveCritical()[place]) this.toggleCritical();
    this.active = place;
    if (hidden) this.reflow();
    const top = (this.rowOf.get(place) ?? 0) * HIGH;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop || top + HIGH > scrollTop + clientHeight) this.element.scrollTop = top - clientHeight / 3;
    this.draw();
  }

  show(id) {
    this.opened = id;
    this.draw();
  }

  mark(places, marking) {
    this.marked.fill(0);
    for (const place of places) this.marked[place] = 1;
    this.marking = marking;
    this.draw();
  }

  toggleCritical() {
    this.onlyCritical = !this.onlyCritical;
    this.reflow();
    document.getElementById("critical").setAttribute("aria-pressed", String(this.onlyCritical));
    if (!this.rowOf.has(this.active)) this.active = this.seen[0] ?? 0;
    this.draw();
    return this.onlyCritical;
  }

  // All but the top are folded away, or all are shown again; gives whether they are folded now.
  foldAll() {
    const { size } = this.lines.columns;
    const fold = !this.folded.includes(1);
    this.folded.forEach((_, place) => (this.folded[place] = fold && size[place] > 1 ? 1 : 0));
    this.reflow();
    this.element.scrollTop = 0;
    if (!this.rowOf.has(this.active)) this.active = this.seen[0] ?? 0;
    this.draw();
    return fold;
  }

  fold(place, folded) {
    if (this.lines.columns.size[place] < 2 || Boolean(this.folded[place]) === folded) return false;
    this.folded[place] = folded ? 1 : 0;
    this.reflow();
    return true;
  }

  onClick(event) {
    const slot = this.pool.find((each) => each.element.contains(event.target));
    if (!slot || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (this.dragged) return;
    this.active = slot.place;
    if (event.target.closest(".fold")) this.fold(slot.place, !this.folded[slot.place]);
    else this.onOpen(slot.place);
    this.draw();
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = this.rowOf.get(this.active) ?? 0;
    const page = Math.floor(this.element.clientHeight / HIGH) - 1;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.seen.length, End: this.seen.length };
    if (event.key in steps) {
      this.go(this.seen[Math.min(Math.max(row + steps[event.key], 0), this.seen.length - 1)]);
    } else if (event.key === "ArrowRight") {
      if (!this.fold(this.active, false) && this.lines.columns.size[this.active] > 1) this.go(this.seen[row + 1] ?? this.active);
    } else if (event.key === "ArrowLeft") {
      if (!this.fold(this.active, true)) this.go(Math.max(this.lines.columns.parent[this.active], 0));
    } else if (event.key === "Enter" || event.key === " ") {
      this.onOpen(this.active);
    } else return;
    event.preventDefault();
  }

  // Wheel with Ctrl zooms where the pointer is, with Shift it moves along; alone it scrolls.
  onWheel(event) {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    if (event.ctrlKey) this.lens.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.share(event));
    else this.lens.move((event.deltaY || event.deltaX) > 0 ? 0.1 : -0.1);
  }

  share(event) {
    const box = (this.pool.find((slot) => !slot.hidden) ?? this.pool[0]).element.querySelector(".row-lane").getBoundingClientRect();
    return clamp((event.clientX - box.left) / Math.max(box.width, 1));
  }

  // Dragging over the lanes chooses the time that is shown.
  listenToDrag() {
    const chosen = document.createElement("div");
    chosen.className = "chosen-time";
    let began = null;
    this.element.addEventListener("pointerdown", (event) => {
      this.dragged = false;
      if (event.button === 0 && event.pointerType === "mouse" && event.target.closest(".row-lane")) began = event.clientX;
    });
    addEventListener("pointermove", (event) => {
      if (began === null || (!this.dragged && Math.abs(event.clientX - began) < 5)) return;
      this.dragged = true;
      const left = this.element.getBoundingClientRect().left;
      chosen.style.left = `${Math.min(began, event.clientX) - left}px`;
      chosen.style.width = `${Math.abs(event.clientX - began)}px`;
      chosen.style.height = `${this.seen.length * HIGH}px`;
      if (!chosen.isConnected) this.space.append(chosen);
    });
    addEventListener("pointerup", (event) => {
      if (began !== null && this.dragged) {
        const shares = [this.share({ clientX: began }), this.share(event)].sort((a, b) => a - b);
        this.lens.show(...shares.map((share) => this.lens.at(share)));
      }
      chosen.remove();
      began = null;
    });
  }
}
