// What pages gain where scripts run. Every page works without; nothing here decides anything.

const body = document.body;
const tag = document.documentElement.lang;
const language = tag === "en" ? "en-GB" : tag;

// Regions that live on, as they came, before anything here or a person touches them.
const known = new Map([...document.querySelectorAll("[data-live][id]")].map((region) => [region.id, region.innerHTML]));

// Codes, MACs and serials get a copy button.
for (const code of document.querySelectorAll("[data-copyable]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = body.dataset.copy;
  button.setAttribute("aria-label", `${body.dataset.copy} ${code.textContent}`);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = body.dataset.copied;
    setTimeout(() => { button.textContent = body.dataset.copy; }, 2000);
  });
  code.after(button);
}

// Times in the reader's own time zone.
function localTimes(root) {
  const format = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[data-moment]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.valueOf())) time.textContent = format.format(at);
  }
}
localTimes(document);

// A one-time link carries its token in the fragment, which no server sees. It moves into the form's field and out of
// the address bar; sending it stays a person's press on the button.
const token = document.querySelector("[data-token]");
if (token && location.hash.length > 1) {
  token.querySelector("input").value = location.hash.slice(1);
  token.hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
}

// A step between two pages that only a form can make goes on by itself.
document.querySelector("form[data-goes-on]")?.requestSubmit();

// Refused forms: the summary takes the focus, so that it is read first.
document.querySelector("[data-errors]")?.focus();

// Codes are typed and pasted in any spelling: upper case, no spaces at the ends.
for (const input of document.querySelectorAll("input[data-code]")) {
  input.addEventListener("blur", () => { input.value = input.value.trim().toUpperCase(); });
}

// A label's whole text, from a scanner or the clipboard, fills the fields of the form.
const form = document.querySelector("[data-label-form]");
if (form) {
  const grouped = (text, size, mark) => text.match(new RegExp(`.{1,${size}}`, "g")).join(mark);
  const fill = () => {
    const label = form.elements.label.value.trim().toUpperCase();
    const parts = /^GL1:([0-9A-Z]{12}):([0-9A-F]{12})(?::([0-9A-Z]{16}))?$/.exec(label);
    if (!parts) return;
    form.elements.id_code.value = grouped(parts[1], 4, "-");
    form.elements.mac.value = grouped(parts[2], 2, ":");
    if (parts[3]) form.elements.proof.value = grouped(parts[3], 4, "-");
    form.elements.label.value = "";
    form.querySelector("details").open = false;
    (parts[3] ? form.elements.web_address : form.elements.proof).focus();
  };
  form.elements.label.addEventListener("input", fill);
  // Scanners end with Enter, which would send a half-filled form.
  form.elements.label.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); fill(); }
  });
}

// Hours are first offered in the reader's own time zone.
for (const choice of document.querySelectorAll("select[data-zone]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...choice.options].some((known) => known.value === zone)) choice.value = zone;
}

// Menus close on Escape and on a press elsewhere.
for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
}

// Regions that live on are read again while somebody looks, and replaced in place where they differ. A region whose
// button has the focus is left alone: nothing moves under a finger.
if (known.size > 0) {
  const refresh = async () => {
    if (document.visibilityState !== "visible") return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const [id, before] of known) {
      const [mine, theirs] = [document.getElementById(id), page.getElementById(id)];
      if (!mine || !theirs || theirs.innerHTML === before) continue;
      if (!mine.contains(document.activeElement)) {
        mine.replaceChildren(...theirs.cloneNode(true).childNodes);
        localTimes(mine);
        mine.classList.remove("grown");
        requestAnimationFrame(() => mine.classList.add("grown"));
        known.set(id, theirs.innerHTML);
      }
    }
  };
  const beat = () => refresh().catch(() => {}).finally(() => setTimeout(beat, 3000));
  beat();
}
