"use strict";
// Swaps in what changed once a second. Scroll position, selection and half-written forms stay.
(() => {
  const area = document.querySelector("[data-refresh]");
  if (!area) return;
  const isList = !area.dataset.part;
  let last = "";

  const swap = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const now = fresh.querySelector("[data-now]");
    if (now) document.getElementById("now").innerHTML = now.innerHTML;
    const body = fresh.querySelector("tbody");
    if (isList && body && body.innerHTML !== last) {
      last = body.innerHTML;
      area.querySelector("tbody").replaceWith(document.importNode(body, true));
    }
    for (const piece of isList ? [] : fresh.querySelectorAll("[data-piece]")) {
      const old = document.querySelector(`[data-piece="${piece.dataset.piece}"]`);
      if (old && old.innerHTML !== piece.innerHTML) old.innerHTML = piece.innerHTML;
    }
  };

  const look = async () => {
    const busy = !window.getSelection().isCollapsed || document.hidden;
    if (!busy) {
      try {
        const answer = await fetch(area.dataset.refresh + location.search, { cache: "no-store" });
        if (answer.ok) swap(await answer.text());
      } catch {
        // The helpdesk is being restarted: look again in a second.
      }
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
})();
