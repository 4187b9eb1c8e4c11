// What every page does: keys, copying, and staying up to date. Pages work without any of it.
import { keepUpToDate, offerToFollow } from "./live.js";

const seek = document.getElementById("seek");
const keys = document.getElementById("keys");
const keysOn = document.getElementById("keys-on");

// Keys of one character get in the way of people who speak to their computer: they can be switched off (WCAG 2.1.4).
keysOn.checked = localStorage.getItem("clew.keys") !== "off";
keysOn.addEventListener("change", () => localStorage.setItem("clew.keys", keysOn.checked ? "on" : "off"));
for (const button of document.querySelectorAll("[data-keys]")) {
  button.classList.add("usable");
  button.addEventListener("click", () => keys.showModal());
}

const ACTIONS = {
  "/": () => (seek.focus(), seek.select()),
  "?": () => keys.showModal(),
  j: () => step(1),
  k: () => step(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !keysOn.checked) return;
  if (event.target.closest("input, textarea, select, dialog, [contenteditable]")) return;
  const action = ACTIONS[event.key];
  if (!action) return;
  if ("jk".includes(event.key) && !rowLinks().length) return;
  event.preventDefault();
  action();
});

// The links with data-open within data-rows: one for each row.
function rowLinks() {
  return [...document.querySelectorAll("[data-rows] [data-open]")];
}

function step(by) {
  const links = rowLinks();
  const row = document.activeElement?.closest("[data-rows] > *");
  const here = row ? links.findIndex((link) => row.contains(link)) : by > 0 ? -1 : links.length;
  const link = links[Math.max(0, Math.min(links.length - 1, here + by))];
  link.focus({ preventScroll: true });
  link.closest("[data-rows] > *").scrollIntoView({ block: "nearest" });
}

// An address holds no filter that is empty.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});

// <button data-copy="id"> copies the text of the element with that id; a summary does when it opens.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button || (button.matches("summary") && button.parentNode.open)) return;
  const source = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    button.textContent = "Copied";
  } catch {
    // Over plain http from another machine a page has no clipboard. A summary shows its text first.
    await new Promise(requestAnimationFrame);
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => (button.textContent = label), 1500);
});

offerToFollow();
keepUpToDate();
