// Comfort alone: without it every page works the same.
"use strict";

// The reader's own time zone, as one more choice of days.
for (const list of document.querySelectorAll("select[data-zones]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && zone !== "UTC" && ![...list.options].some((one) => one.value === zone || one.text === zone)) {
    list.add(new Option(zone, zone));
  }
}

// A choice is a question: no need to press the button. The value of a filter has to be typed first.
for (const form of document.querySelectorAll("form.filters")) {
  form.addEventListener("change", (event) => {
    const name = event.target.name;
    if (name === "add") {
      form.elements.value.focus();
    } else if (name !== "value" || form.elements.add.value) {
      form.requestSubmit();
    }
  });
  // Fields that say nothing stay out of the address, so that it can be read.
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) {
      if (!value && !(name === "value" && form.elements.add.value)) {
        event.formData.delete(name);
      }
    }
  });
}

// "/" goes to the filter, "[" and "]" to the calls before and after.
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  if (event.key === "/") {
    const field = document.querySelector("select[data-add]");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  } else if (event.key === "[" || event.key === "]") {
    const words = event.key === "[" ? "Later calls" : "Earlier calls";
    [...document.querySelectorAll("p.more a")].find((one) => one.textContent === words)?.click();
  }
});

// A live page asks for its figures anew. Where the reader is stays: focus, scroll, and what is being typed or marked.
const live = document.querySelector("[data-refresh-s]");
if (live) {
  const isBusy = () => document.hidden || Boolean(String(document.getSelection()));
  const firstInView = () => [...live.querySelectorAll("tbody a")].find((one) => one.getBoundingClientRect().top >= 0);
  const same = (one) => one && [...live.querySelectorAll("a")].find((other) => other.href === one.href);
  const take = (fresh) => {
    if (fresh.innerHTML === live.innerHTML) {
      return;
    }
    const focused = live.contains(document.activeElement) ? document.activeElement : null;
    const seen = scrollY > 0 ? firstInView() : null;
    const top = seen ? seen.getBoundingClientRect().top : 0;
    const lefts = [...live.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
    const said = live.querySelector(".said p")?.textContent;
    live.replaceChildren(...fresh.childNodes);
    live.querySelectorAll(".scroll").forEach((one, n) => { one.scrollLeft = lefts[n] ?? 0; });
    const still = same(seen);
    if (still) {
      scrollBy(0, still.getBoundingClientRect().top - top);
    }
    if (focused) {
      (same(focused) ?? live.querySelector(".scroll"))?.focus({ preventScroll: true });
    }
    const says = live.querySelector(".said p")?.textContent ?? "";
    if (says !== said) {
      document.querySelector("[data-renewed]").textContent = says;
    }
  };
  const renew = async () => {
    if (!isBusy()) {
      try {
        const answer = await fetch(live.dataset.refreshFrom);
        if (answer.redirected) {
          location.reload(); // signed out meanwhile
          return;
        }
        const found = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = found.querySelector("[data-refresh-s]");
        if (answer.ok && fresh) {
          take(fresh);
        } else if (answer.ok) {
          location.reload(); // what was waited for is there
          return;
        }
      } catch {
        // Nobody answers now; somebody may soon.
      }
    }
    setTimeout(renew, 1000 * Number(live.dataset.refreshS));
  };
  setTimeout(renew, 1000 * Number(live.dataset.refreshS));
}
