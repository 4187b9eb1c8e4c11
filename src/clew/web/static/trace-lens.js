// The part of a trace's time that lanes show: zoom, the axis above the rows, and the map of the whole.

const SHORTEST_NS = 1000;
const WIDE = 1000;
const MAP = 300;
const STEPS = [1, 2, 5];
const svg = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);

export class Lens {
  constructor(duration, brief) {
    this.whole = Math.max(duration, 1);
    this.brief = brief;
    this.from = 0;
    this.to = this.whole;
    this.onChange = () => {};
    this.map = document.getElementById("map");
    this.listen();
  }

  show(from, to) {
    const length = Math.min(Math.max(to - from, Math.min(SHORTEST_NS, this.whole)), this.whole);
    this.from = Math.min(Math.max(0, from), this.whole - length);
    this.to = this.from + length;
    this.drawAxis();
    this.drawMap();
    this.onChange();
  }

  // Around a place of the lane, 0 to 1; a factor below 1 shows less time.
  zoom(factor, around = 0.5) {
    const length = (this.to - this.from) * factor;
    const fixed = this.from + (this.to - this.from) * around;
    this.show(fixed - length * around, fixed + length * (1 - around));
  }

  move(share) {
    const by = (this.to - this.from) * share;
    this.show(this.from + by, this.to + by);
  }

  at(share) {
    return this.from + (this.to - this.from) * share;
  }

  // Left end and width of a bar in thousandths of the lane; null when none of it is seen.
  bar(start, length) {
    const scale = WIDE / (this.to - this.from);
    const left = (start - this.from) * scale;
    const right = (start + length - this.from) * scale;
    if (right < 0 || left > WIDE) return null;
    const [shownLeft, shownRight] = [Math.max(left, 0), Math.min(right, WIDE)];
    const width = Math.max(shownRight - shownLeft, 2);
    return [Math.min(shownLeft, WIDE - width), width];
  }

  drawAxis() {
    const ticks = document.getElementById("ticks");
    const length = this.to - this.from;
    const step = stepOf(length / 6);
    const texts = [];
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      const share = (at - this.from) / length;
      const text = svg("text");
      text.setAttribute("x", `${(share * 100).toFixed(2)}%`);
      text.setAttribute("y", "14");
      text.setAttribute("text-anchor", share < 0.02 ? "start" : share > 0.95 ? "end" : "middle");
      text.textContent = at && step < 1e3 ? `${Math.round(at)} ns` : this.brief(at);
      texts.push(text);
    }
    ticks.replaceChildren(...texts);
  }

  drawMap() {
    const [left, right] = [this.from, this.to].map((at) => (at / this.whole) * MAP);
    document.getElementById("map-left").setAttribute("width", left);
    const after = document.getElementById("map-right");
    after.setAttribute("x", right);
    after.setAttribute("width", MAP - right);
  }

  showRows(top, bottom) {
    const rows = document.getElementById("map-rows");
    rows.setAttribute("y", top * 40);
    rows.setAttribute("height", bottom - top < 1 ? Math.max((bottom - top) * 40, 1) : 0);
  }

  // Dragging over the map chooses a time; a click goes to its rows.
  listen() {
    let began = null;
    const share = (event) => {
      const box = this.map.getBoundingClientRect();
      return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
    };
    this.map.addEventListener("pointerdown", (event) => {
      began = share(event);
      this.map.setPointerCapture(event.pointerId);
    });
    this.map.addEventListener("pointermove", (event) => {
      if (!began) return;
      const [x] = share(event);
      if (Math.abs(x - began[0]) > 0.01) this.show(...[began[0], x].sort((a, b) => a - b).map((each) => each * this.whole));
    });
    this.map.addEventListener("pointerup", (event) => {
      const [x, y] = share(event);
      if (began && Math.abs(x - began[0]) <= 0.01) this.onPoint?.(y);
      began = null;
    });
    this.map.addEventListener("dblclick", () => this.show(0, this.whole));
  }
}

export const clamp = (share) => Math.min(Math.max(share, 0), 1);

// The round length of time next above: 1, 2 or 5 times a power of ten; from a minute on, of minutes.
function stepOf(wanted) {
  if (wanted > 60e9) return Math.ceil(wanted / 60e9) * 60e9;
  const power = 10 ** Math.floor(Math.log10(Math.max(wanted, 1)));
  return (STEPS.find((each) => each * power >= wanted) ?? 10) * power;
}
