// Shows the page anew when the device's status has changed. Everything works without it.
"use strict";
(() => {
  let seen = null;
  const look = async () => {
    try {
      const answer = await fetch("/status.json", { cache: "no-store" });
      const text = await answer.text();
      if (seen !== null && text !== seen) {
        location.reload();
      }
      seen = text;
    } catch {
      // The agent restarts now and then; the next look will tell.
    }
  };
  setInterval(look, 3000);
  look();
})();
