// The page of recordings: makes an organisation's key pair from a passphrase that is never sent.

import(document.querySelector("[data-recording]")?.dataset.recording ?? "data:text/javascript,").then((recording) => {
  const form = document.querySelector("[data-recording-key]");
  if (!form) return;
  const { passphrase, repeated } = form.elements;
  const says = form.querySelector("[role=alert]");
  form.querySelector("button").disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    says.textContent = "";
    if (passphrase.value.length < 12) says.textContent = form.dataset.short;
    else if (passphrase.value !== repeated.value) says.textContent = form.dataset.different;
    if (says.textContent) {
      passphrase.focus();
      return;
    }
    form.querySelector("button").disabled = true;
    const made = await recording.make(passphrase.value);
    for (const [name, value] of Object.entries(made)) form.elements[name].value = value;
    // Without a name a field is not part of the form.
    for (const field of [passphrase, repeated]) field.removeAttribute("name");
    form.submit();
  });
});
