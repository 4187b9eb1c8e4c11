// Keeps a page up to date without moving what one reads.
//
// An element with data-live and an id takes the content of its namesake in the page fetched anew. With
// data-live="rows" its children (each with an id) are renewed in place; those that came or went are shown when asked for.

const EVERY_MS = 2500;

export function keepUpToDate() {
  const topics = document.querySelector("[data-live]")?.closest("[data-topics]")?.dataset.topics?.split(" ");
  if (!topics || !window.EventSource) return;
  let due = false;
  let busy = false;
  const source = new EventSource("/live");
  source.addEventListener("changed", (event) => {
    due ||= event.data.split(" ").some((topic) => topics.includes(topic));
  });
  addEventListener("pagehide", () => source.close());
  setInterval(async () => {
    if (!due || busy || document.hidden) return;
    [due, busy] = [false, true];
    try {
      await renew();
    } catch {
      due = true;
    }
    busy = false;
  }, EVERY_MS);
}

async function renew() {
  const answer = await fetch(location.href, { headers: { "X-Clew-Live": "1" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || old.contains(document.activeElement) && old.dataset.live !== "rows") continue;
    if (old.dataset.live === "rows") renewRows(old, now);
    else if (old.innerHTML !== now.innerHTML) old.replaceChildren(...now.childNodes);
  }
  document.dispatchEvent(new CustomEvent("clew:renewed"));
}

function renewRows(old, now) {
  const fresh = new Map([...now.children].map((row) => [row.id, row]));
  let gone = 0;
  for (const row of old.children) {
    const other = fresh.get(row.id);
    row.classList.toggle("gone", !other);
    if (!other) gone += 1;
    else if (other.innerHTML !== row.innerHTML && !row.contains(document.activeElement)) row.innerHTML = other.innerHTML;
    if (other) row.className = other.className;
    fresh.delete(row.id);
  }
  offer(old, now, fresh.size, gone);
}

// A button that shows the list as it is now; the list itself doesn't move until it is pressed.
function offer(old, now, came, gone) {
  const place = document.getElementById(`${old.id}-changed`);
  if (!place) return;
  const words = [came && `${came} more`, gone && `${gone} no longer here`].filter(Boolean).join(", ");
  place.replaceChildren();
  if (!words) return;
  const button = document.createElement("button");
  button.className = "changed primary";
  button.textContent = `The list has changed (${words}): show it`;
  button.addEventListener("click", () => {
    old.replaceChildren(...[...now.children].map((row) => document.adoptNode(row)));
    place.replaceChildren();
  });
  place.append(button);
}
