// The slider of the process map hides rare steps while it moves; let go, the map is drawn anew without them.

const slider = document.getElementById("min-share");

document.documentElement.classList.add("scripted");

// On a narrow screen the views are a row that scrolls: what is shown is brought into sight.
const views = document.querySelector(".views");
const here = views.querySelector("[aria-current]");
if (here && views.scrollWidth > views.clientWidth) views.scrollLeft = here.offsetLeft - views.clientWidth / 2;

function hideBelow(least) {
  for (const part of document.querySelectorAll("#map [data-share]")) {
    part.classList.toggle("rare", Number(part.dataset.share) < least);
  }
}

function inWords(share) {
  const percent = share * 100;
  return percent >= 10 || percent === 0 ? `${Math.round(percent)} %` : `${percent.toFixed(1)} %`;
}

let asked = 0;

async function drawAnew(least) {
  const place = new URL(location.href);
  place.searchParams.set("min_share", least);
  asked += 1;
  const turn = asked;
  const answer = await fetch(place);
  if (!answer.ok || turn !== asked) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("map");
  if (!fresh || turn !== asked) return;
  document.getElementById("map").replaceChildren(...fresh.childNodes);
  history.replaceState(null, "", place);
}

if (slider) {
  slider.addEventListener("input", () => {
    document.getElementById("min-share-told").textContent = inWords(Number(slider.value));
    hideBelow(Number(slider.value));
  });
  slider.addEventListener("change", () => drawAnew(slider.value));
}
