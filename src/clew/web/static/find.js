// Completes what one types into the search form from the data, and lets one choose a time over the histogram.
// Words of the data are only ever set as the value of an option.

const form = document.getElementById("search");
const WAIT_MS = 150;

async function complete(list, asked, before = "") {
  const answer = await fetch(`/traces/words?${new URLSearchParams(asked)}`);
  if (!answer.ok) return;
  const { words } = await answer.json();
  const options = words.map((word) => {
    const option = document.createElement("option");
    option.value = before + word;
    return option;
  });
  document.getElementById(list).replaceChildren(...options);
}

// An attribute is completed twice: its key first, and once there is a = its value.
function completeField(field) {
  const service = form.elements.service.value;
  const part = field.value;
  if (field.name === "service") return complete("services", { of: "service", part });
  if (field.name === "caller" || field.name === "callee") return complete("services", { of: "service", part });
  if (field.name === "name") return complete("names", { of: "name", part: part.replace(/\*$/, ""), service });
  if (field.name !== "attribute") return undefined;
  const at = part.indexOf("=");
  if (at < 0) return complete("attributes", { of: "key", part, service });
  const key = part.slice(0, at);
  return complete("attributes", { of: "value", part: part.slice(at + 1), service, key }, `${key}=`);
}

let due = 0;
function completeSoon(event) {
  if (!event.target.list) return;
  clearTimeout(due);
  due = setTimeout(() => completeField(event.target), event.type === "focusin" ? 0 : WAIT_MS);
}
form.addEventListener("focusin", completeSoon);
form.addEventListener("input", completeSoon);

// Fields that are empty don't belong into the address; the server takes them out as well.
form.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (value === "" && name !== "attribute") event.formData.delete(name);
  const pairs = event.formData.getAll("attribute").filter((pair) => pair !== "");
  event.formData.delete("attribute");
  for (const pair of pairs) event.formData.append("attribute", pair);
});

function letBrush() {
  const slots = document.getElementById("slots");
  if (!slots) return;
  const picture = document.querySelector("#brush .plot");
  const [from, to] = [BigInt(picture.dataset.fromNs), BigInt(picture.dataset.toNs)];
  const brushed = document.getElementById("brushed");
  let began = null;
  let moved = false;
  slots.classList.add("ready");
  const share = (event) => {
    const box = slots.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  slots.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    [began, moved] = [share(event), false];
  });
  slots.addEventListener("dragstart", (event) => event.preventDefault());
  addEventListener("pointermove", (event) => {
    if (began === null) return;
    const now = share(event);
    moved ||= Math.abs(now - began) > 0.005;
    if (!moved) return;
    brushed.setAttribute("x", Math.min(began, now) * 1000);
    brushed.setAttribute("width", Math.abs(now - began) * 1000);
  });
  addEventListener("pointerup", (event) => {
    if (began !== null && moved) {
      const [since, until] = [began, share(event)].sort((a, b) => a - b);
      form.elements.since.value = moment(at(from, to, since));
      form.elements.until.value = moment(at(from, to, until));
      form.requestSubmit();
    }
    began = null;
  });
  // After a drag the bar below the pointer isn't followed.
  slots.addEventListener("click", (event) => moved && event.preventDefault(), true);
}

const at = (from, to, share) => from + ((to - from) * BigInt(Math.round(share * 1e6))) / 1000000n;
const moment = (ns) => new Date(Number(ns / 1000000n)).toISOString();

letBrush();
