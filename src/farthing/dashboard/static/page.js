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
