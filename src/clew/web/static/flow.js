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

// As the server rounds: what lies exactly between two goes to the even one.
function rounded(value, places) {
  const scaled = value * 10 ** places;
  const between = Number.isInteger(value * 4) && scaled % 1 === 0.5;
  return (between ? (2 * Math.round(scaled / 2)) / 10 ** places : value).toFixed(places);
}

// The same words as the server's: never 100 % or 0 % of what isn't all or nothing.
export function inWords(share) {
  const percent = share * 100;
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  if (percent > 99.9 && percent < 100) return "> 99.9 %";
  const whole = (percent >= 10 && percent < 99.5) || percent === 0 || percent === 100;
  return `${rounded(percent, whole ? 0 : 1)} %`;
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
