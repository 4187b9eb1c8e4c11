// What every page does: keys, copying, the viewer's time zone, and staying up to date. Pages work without any of it.
import { keepUpToDate } from "./live.js";

const seek = document.getElementById("seek");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (event.key === "/") {
    event.preventDefault();
    seek.focus();
    seek.select();
  }
});

// <button data-copy="id"> copies the text of the element with that id.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  await navigator.clipboard.writeText(source.value ?? source.textContent);
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = label), 1500);
});

// The first visit: the server doesn't know the viewer's zone yet. The page is fetched once more with it.
function tellZone() {
  if (/(^|; )clew_zone=/.test(document.cookie)) return;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  document.cookie = `clew_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
  if (zone !== "UTC" && /(^|; )clew_zone=/.test(document.cookie)) location.reload();
}

tellZone();
keepUpToDate();
