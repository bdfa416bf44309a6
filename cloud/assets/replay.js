// Replays a recording of a terminal in the reader's own browser.

const page = document.querySelector("[data-replay]");
const form = page.querySelector("form");
const says = page.querySelector("[role=alert]");
const player = page.querySelector("[data-player]");
const screen = page.querySelector("[data-screen]");
const [button, seek, speed, clock] =
  ["play", "seek", "speed", "clock"].map((name) => page.querySelector(`[data-${name}]`));

const time = (seconds) => {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

function size(data) {
  const [columns, rows] = data.split("x").map(Number);
  return [Math.min(Math.max(columns, 2), 500), Math.min(Math.max(rows, 1), 300)];
}

function play(terminal, { header, events, length }) {
  let [at, next, since, wake] = [0, 0, null, 0];
  seek.max = String(Math.ceil(length * 10));
  const show = () => {
    seek.value = at >= length ? seek.max : String(Math.floor(at * 10));
    clock.textContent = `${time(at)} / ${time(length)}`;
    seek.setAttribute("aria-valuetext", clock.textContent);
    const going = since !== null;
    button.textContent = going ? page.dataset.pause : page.dataset.resume;
  };
  const apply = (until) => {
    while (next < events.length && events[next].at <= until) {
      const { kind, data } = events[next];
      if (kind === "o") terminal.write(data);
      else if (kind === "r") terminal.resize(...size(data));
      next += 1;
    }
    at = Math.min(until, length);
  };
  const step = () => {
    const now = performance.now();
    apply(at + ((now - since) / 1000) * Number(speed.value));
    since = now;
    if (at >= length && next >= events.length) since = null;
    else wake = requestAnimationFrame(step);
    show();
  };
  const stop = () => {
    cancelAnimationFrame(wake);
    since = null;
    show();
  };
  const go = () => {
    if (at >= length) jump(0);
    since = performance.now();
    wake = requestAnimationFrame(step);
    show();
  };
  const jump = (to) => {
    if (to < at) {
      terminal.reset();
      terminal.resize(...size(`${header.width}x${header.height}`));
      next = 0;
    }
    apply(to);
    show();
  };
  button.addEventListener("click", () => (since === null ? go() : stop()));
  seek.addEventListener("input", () => jump(Number(seek.value) / 10));
  apply(0);
  show();
  go();
}

async function open() {
  const { decrypt, read } = await import(page.dataset.recording);
  const answer = await fetch(page.dataset.file, { method: "POST" });
  if (!answer.ok) throw new Error("gone");
  const file = new Uint8Array(await answer.arrayBuffer());
  const { cast, ended } = await decrypt(file, JSON.parse(page.dataset.keys), form.elements.passphrase.value);
  const recorded = read(cast);
  const { load } = await import(page.dataset.screenScript);
  const make = await load(page.dataset.xterm);
  const [cols, rows] = size(`${recorded.header.width}x${recorded.header.height}`);
  form.hidden = true;
  player.hidden = false;
  const terminal = make(screen, { cols, rows, disableStdin: true });
  // Nobody types here; what is shown can be read line by line.
  terminal.textarea?.setAttribute("tabindex", "-1");
  page.querySelector("[data-cut]").hidden = ended;
  page.dataset.ready = "yes";
  window.replayed = () => {
    const lines = [];
    for (let line = 0; line < terminal.buffer.active.length; line += 1) {
      lines.push(terminal.buffer.active.getLine(line).translateToString(true));
    }
    return lines.join("\n").trimEnd();
  };
  button.focus();
  play(terminal, recorded);
}

form.querySelector("button").disabled = false;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const press = form.querySelector("button");
  [press.disabled, says.textContent] = [true, ""];
  try {
    await open();
  } catch (error) {
    says.textContent = page.dataset[`said${error.message}`] ?? page.dataset.saiddamaged;
    press.disabled = false;
    form.elements.passphrase.focus();
  }
});
