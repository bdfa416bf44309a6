// Passkeys. A form with `data-passkey="create"` or `"get"` runs its ceremony before it is sent: it posts its own fields
// to `data-begin`, hands the options that come back to the browser, and puts what the browser made into the fields
// `ceremony` and `credential`. A feature with a challenge of its own choosing answers `data-begin` with it, or gives the
// options in `data-options`; with options of `null` there is nothing to sign, and the form is sent as it is. Without passkeys in the browser such a form stays hidden.

const bytes = (text) => {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
};
const text = (buffer) => {
  const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

// The options with bytes where the API wants bytes (WebAuthn section 5.1.9).
const read = ({ publicKey }) => {
  const credentials = (list) => list?.map((known) => ({ ...known, id: bytes(known.id) }));
  const options = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (publicKey.user) options.user = { ...publicKey.user, id: bytes(publicKey.user.id) };
  if (publicKey.excludeCredentials) options.excludeCredentials = credentials(publicKey.excludeCredentials);
  if (publicKey.allowCredentials) options.allowCredentials = credentials(publicKey.allowCredentials);
  return { publicKey: options };
};

// What the browser made, with text where it gives bytes.
const write = (credential) => {
  const { response } = credential;
  const made = { clientDataJSON: text(response.clientDataJSON) };
  if (response.attestationObject) {
    made.attestationObject = text(response.attestationObject);
    made.transports = response.getTransports?.() ?? [];
  } else {
    made.authenticatorData = text(response.authenticatorData);
    made.signature = text(response.signature);
    if (response.userHandle) made.userHandle = text(response.userHandle);
  }
  const { id, type } = credential;
  return { id, rawId: text(credential.rawId), type, response: made, extensions: credential.getClientExtensionResults() };
};

const begun = async (form) => {
  if (form.dataset.options) return { options: JSON.parse(form.dataset.options) };
  const answer = await fetch(form.dataset.begin, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    headers: { Accept: "application/json" },
    redirect: "error",
  });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
};

const run = async (form) => {
  const { ceremony, options } = await begun(form);
  if (options) {
    const credential = form.dataset.passkey === "create"
      ? await navigator.credentials.create(read(options))
      : await navigator.credentials.get(read(options));
    if (ceremony) form.elements.ceremony.value = ceremony;
    form.elements.credential.value = JSON.stringify(write(credential));
  }
  // Past the listener below: the ceremony is over.
  HTMLFormElement.prototype.submit.call(form);
};

if (window.PublicKeyCredential && navigator.credentials) {
  // Regions that live on bring forms in after the page was read.
  const show = () => {
    for (const note of document.querySelectorAll("[data-no-passkeys]")) note.hidden = true;
    for (const form of document.querySelectorAll("form[data-passkey][hidden]")) form.hidden = false;
  };
  show();
  new MutationObserver(show).observe(document.body, { childList: true, subtree: true });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-passkey]");
    if (!form) return;
    event.preventDefault();
    const button = form.querySelector("button");
    const said = form.querySelector("[data-said]");
    // Not disabled: a button keeps the focus, and with it its region its place, until the person is through.
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    said.hidden = true;
    run(form).catch(() => {
      form.ariaBusy = null;
      said.textContent = form.dataset.failed;
      said.hidden = false;
    });
  });
}
