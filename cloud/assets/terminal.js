// A terminal of a device in this page. The cloud carries it; what is drawn and typed is counted both ways, so that
// neither a flood nor a paste fills anything. Words for people come from the page or from the cloud.

const page = document.querySelector("[data-terminal]");
const [view, said, ends] = ["screen", "said", "ends"].map((name) => document.querySelector(`[data-${name}]`));
const keys = new Map([...page.querySelectorAll("[data-key]")].map((button) => [button.dataset.key, button]));

// As much as is drawn before the cloud hears of it, and pieces that may be on their way to it.
const [DRAWN, PIECE, PIECES] = [16 * 1024, 4096, 8];
const text = new TextEncoder();

let terminal;
let socket;
let going = false;
let control = false;
let waiting = [];
let away = 0;
let drawn = 0;
let replay = 0;

function tell({ what, quote = "", next = "" } = {}) {
  said.hidden = !what;
  for (const [name, words] of Object.entries({ what, quote, next })) {
    said.querySelector(`[data-${name}]`).textContent = words ?? "";
  }
}

const speak = (words) => { if (socket?.readyState === WebSocket.OPEN) socket.send(words); };

function send() {
  while (waiting.length > 0 && away < PIECES && socket?.readyState === WebSocket.OPEN) {
    socket.send(waiting.shift());
    away += 1;
  }
}

function type(bytes) {
  for (let at = 0; at < bytes.length; at += PIECE) waiting.push(bytes.subarray(at, at + PIECE));
  send();
}

function typed(characters) {
  // What the screen answers to what was shown before is no answer to the program of now.
  if (!going || replay > 0) return;
  const held = control && characters.length === 1;
  if (control) press(false);
  const code = characters.toUpperCase().charCodeAt(0);
  type(text.encode(held && code >= 0x3f && code <= 0x5f ? String.fromCharCode(code === 0x3f ? 0x7f : code & 0x1f) : characters));
}

function press(on) {
  control = on;
  keys.get("control").setAttribute("aria-pressed", String(on));
}

function draw(bytes, from) {
  terminal.write(bytes, () => {
    // What the socket before showed is not counted to this one.
    if (from !== socket) return;
    replay = Math.max(0, replay - bytes.length);
    drawn += bytes.length;
    if (drawn >= DRAWN) {
      speak(`shown ${drawn}`);
      drawn = 0;
    }
  });
}

// How many cells fit, by those that are there.
function fit() {
  const grid = view.querySelector(".xterm-screen")?.getBoundingClientRect();
  if (!grid?.width || !grid.height) return;
  const style = getComputedStyle(view);
  const inner = (size, ...sides) => size - sides.reduce((sum, side) => sum + parseFloat(style[side]), 0);
  const scrollbar = 14;
  const width = inner(view.clientWidth, "paddingLeft", "paddingRight") - scrollbar;
  const height = inner(view.clientHeight, "paddingTop", "paddingBottom");
  const columns = Math.min(Math.max(Math.floor(width / (grid.width / terminal.cols)), 10), 500);
  const rows = Math.min(Math.max(Math.floor(height / (grid.height / terminal.rows)), 3), 300);
  if (columns === terminal.cols && rows === terminal.rows) return;
  terminal.resize(columns, rows);
  if (going) speak(`size ${columns} ${rows}`);
}

// On a phone the screen takes what the keyboard leaves.
function room() {
  const narrow = matchMedia("(max-width: 55.99rem), (pointer: coarse)").matches;
  const seen = window.visualViewport?.height ?? innerHeight;
  const beside = page.querySelector(".keys").offsetHeight + 20;
  view.style.height = narrow ? `${Math.max(120, seen - beside)}px` : "";
  fit();
}

let later;
function soon() {
  clearTimeout(later);
  later = setTimeout(room, 80);
}

function leave() {
  going = false;
  socket = undefined;
  [waiting, away] = [[], 0];
  if (terminal) terminal.options.disableStdin = true;
  document.body.classList.remove("at-terminal");
  ends.hidden = true;
}

function hear(message) {
  const from = message.currentTarget;
  if (from !== socket) return;
  if (typeof message.data !== "string") {
    draw(new Uint8Array(message.data), from);
    return;
  }
  const word = JSON.parse(message.data);
  if (word.says === "begun") {
    [going, drawn, replay] = [true, 0, word.replay];
    terminal.reset();
    terminal.options.disableStdin = false;
    document.body.classList.add("at-terminal");
    page.scrollIntoView({ block: "start" });
    terminal.focus();
    soon();
  } else if (word.says === "taken") {
    away -= 1;
    send();
  } else if (word.says === "ends") {
    ends.querySelector("[data-what]").textContent = word.what;
    ends.hidden = false;
  } else if (word.says === "over") {
    tell(word);
    leave();
    said.scrollIntoView({ block: "center" });
  }
}

async function make() {
  const { load } = await import(page.dataset.screenScript);
  const screen = await load(page.dataset.xterm);
  const options = { disableStdin: true, screenReaderMode: true, fontSize: innerWidth < 640 ? 13 : 14 };
  terminal = screen(view, options);
  terminal.textarea.setAttribute("aria-label", page.dataset.label);
  terminal.textarea.setAttribute("aria-describedby", "terminal-out");
  for (const [name, value] of [["autocapitalize", "none"], ["autocorrect", "off"], ["spellcheck", "false"]]) {
    terminal.textarea.setAttribute(name, value);
  }
  terminal.onData(typed);
  terminal.onBinary((bytes) => { if (going && replay === 0) type(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))); });
  terminal.attachCustomKeyEventHandler((event) => {
    const chord = event.ctrlKey && event.shiftKey;
    if (chord && event.key === "ArrowDown") {
      if (event.type === "keydown") (document.querySelector("#live a, #live button") ?? view).focus();
      return false;
    }
    // The browser's own paste.
    return !(chord && event.key.toLowerCase() === "v");
  });
  new ResizeObserver(soon).observe(view);
  window.visualViewport?.addEventListener("resize", soon);
}

async function open(button) {
  button.disabled = true;
  tell();
  page.hidden = false;
  try {
    if (!terminal) await make();
    room();
    const size = new URLSearchParams({ columns: terminal.cols, rows: terminal.rows });
    const answer = await fetch(page.dataset.enter, { method: "POST", body: size });
    const told = await answer.json();
    if (!told.ticket) return tell(told);
    const address = new URL(page.dataset.socket, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const mine = new WebSocket(address);
    mine.binaryType = "arraybuffer";
    mine.addEventListener("open", () => mine.send(`ticket ${told.ticket} ${terminal.cols} ${terminal.rows}`));
    mine.addEventListener("message", hear);
    mine.addEventListener("close", () => {
      if (socket !== mine) return;
      leave();
      tell({ what: page.dataset.lost, next: page.dataset.lostnext });
    });
    socket = mine;
  } catch {
    tell({ what: page.dataset.failed, next: page.dataset.failednext });
  } finally {
    button.disabled = false;
  }
}

const sequences = { escape: () => "\x1b", tab: () => "\t" };
for (const arrow of ["A", "B", "C", "D"]) {
  sequences[arrow] = () => `\x1b${terminal.modes.applicationCursorKeysMode ? "O" : "["}${arrow}`;
}
for (const [name, button] of keys) {
  // The keyboard of a phone stays where it is.
  button.addEventListener("pointerdown", (event) => event.preventDefault());
  button.addEventListener("click", async () => {
    if (!going) return;
    if (name === "control") press(!control);
    else if (name === "paste") terminal.paste(await navigator.clipboard.readText().catch(() => ""));
    else terminal.input(sequences[name](), true);
  });
}

// The button comes and goes with what the page knows of the session.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-open]");
  if (button && !going) open(button);
});
