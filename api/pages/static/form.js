// A dialog's comforts: focus goes to what is wrong, and the slider and the number say the same. What a person has changed
// before the scripts were there counts too.
export function ready(scope = document) {
  scope.querySelector("[data-focus]")?.focus();
  const level = scope.querySelector("#level");
  const slide = scope.querySelector("#slide");
  if (!level || !slide || slide.dataset.ready) return;
  slide.dataset.ready = "yes";
  slide.parentElement.hidden = false;
  slide.addEventListener("input", () => { level.value = slide.value; });
  level.addEventListener("input", () => { if (level.value !== "") slide.value = level.value; });
  const time = scope.querySelector('input[name="until"]');
  time?.addEventListener("input", () => { scope.querySelector('input[name="end"][value="time"]').checked = true; });
}

// The fields that do not stand as the server has sent them.
export function touched(scope) {
  const other = (field) => field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked
    : field instanceof HTMLSelectElement ? [...field.options].some((one) => one.defaultSelected)
      ? [...field.options].some((one) => one.selected !== one.defaultSelected) : field.selectedIndex > 0
      : field.type !== "hidden" && field.type !== "file" && field.value !== field.defaultValue;
  return [...scope.querySelectorAll("input, select, textarea")].filter(other);
}

ready();
document.body.addEventListener("htmx:afterSettle", (event) => ready(event.target));
addEventListener("load", () => {  // by now every script listens: they are told as if it were changed now
  for (const field of touched(document)) for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
});
