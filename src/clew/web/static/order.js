// The timeline of an order: zoom, details on hover and focus, arrow keys. The page works without any of it.

const LEVELS = [1, 2, 4, 8, 16, 32, 64];
const wide = document.getElementById("tl-wide");
const scroll = document.getElementById("tl-scroll");
let level = 0;

document.documentElement.classList.add("with-js");
// Where there is no room for all of it, the present is what one came for.
scroll.scrollLeft = scroll.scrollWidth;

// The name of a stage that began further left is shown where the stage comes into view.
function keepNames() {
  const left = scroll.getBoundingClientRect().left;
  for (const text of wide.querySelectorAll(".tl-block text")) {
    const box = text.parentNode.querySelector(".body").getBoundingClientRect();
    text.setAttribute("x", 5 + Math.max(0, Math.min(left - box.left, box.width - 80)));
  }
}

scroll.addEventListener("scroll", keepNames);
document.addEventListener("clew:renewed", keepNames);
keepNames();

// Keeps what is at a place of the window where it is.
function zoom(step, atX = scroll.clientWidth / 2) {
  const next = Math.min(LEVELS.length - 1, Math.max(0, level + step));
  if (next === level) return;
  const share = (scroll.scrollLeft + atX) / wide.offsetWidth;
  level = next;
  wide.style.width = `${LEVELS[level] * 100}%`;
  scroll.scrollLeft = share * wide.offsetWidth - atX;
  document.getElementById("tl-level").textContent = `${LEVELS[level] * 100} %`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-zoom]");
  if (button) zoom(Number(button.dataset.zoom));
});

scroll.addEventListener(
  "wheel",
  (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1 : -1, event.clientX - scroll.getBoundingClientRect().left);
  },
  { passive: false },
);

scroll.addEventListener("keydown", (event) => {
  if (event.key === "+" || event.key === "-") return zoom(event.key === "+" ? 1 : -1);
  const here = event.target.closest("a");
  if (!here || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  event.preventDefault();
  const all = [...wide.querySelectorAll("a")].sort((a, b) => left(a) - left(b));
  all[all.indexOf(here) + (event.key === "ArrowRight" ? 1 : -1)]?.focus();
});

function left(item) {
  return item.getBoundingClientRect().left;
}

// Details: the words of an element in a box that doesn't wait as the browser's own does.
const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("aria-hidden", "true");
tip.hidden = true;
scroll.after(tip);

function takeTitles() {
  for (const title of wide.querySelectorAll("a > title, g > title")) {
    title.parentNode.setAttribute("aria-label", title.textContent);
    title.remove();
  }
}

function show(item, x, y) {
  tip.textContent = item.getAttribute("aria-label");
  tip.hidden = false;
  tip.style.left = `${Math.max(8, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 16 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 12 : y + 16}px`;
}

const labelled = (event) => event.target.closest?.("a[aria-label], g[aria-label]");
wide.addEventListener("pointermove", (event) => {
  const item = labelled(event);
  if (item) show(item, event.clientX, event.clientY);
  else tip.hidden = true;
});
wide.addEventListener("pointerleave", () => (tip.hidden = true));
wide.addEventListener("focusin", (event) => {
  const item = labelled(event);
  if (!item || !item.matches(":focus-visible")) return;
  const box = item.getBoundingClientRect();
  show(item, box.left, box.bottom - 12);
});
wide.addEventListener("focusout", () => (tip.hidden = true));
addEventListener("keydown", (event) => {
  if (event.key === "Escape") tip.hidden = true;
});
document.addEventListener("clew:renewed", takeTitles);
takeTitles();
