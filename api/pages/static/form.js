// A dialog's comforts: focus goes to what is wrong, and the slider and the number say the same.
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

ready();
document.body.addEventListener("htmx:afterSettle", (event) => ready(event.target));
