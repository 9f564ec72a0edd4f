// Light, dark, or as the device: kept in this browser only. A classic script, so that the page is never drawn twice.
(() => {
  const root = document.documentElement;
  let theme = "";
  try { theme = localStorage.getItem("theme") || ""; } catch { /* no storage: as the device */ }
  const apply = () => { if (theme) root.dataset.theme = theme; else delete root.dataset.theme; };
  apply();
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const label = button.querySelector("[data-now]");
    const show = () => { label.textContent = button.dataset[theme || "auto"]; };
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      theme = { "": "light", light: "dark", dark: "" }[theme];
      try { theme ? localStorage.setItem("theme", theme) : localStorage.removeItem("theme"); } catch { /* as above */ }
      apply();
      show();
      dispatchEvent(new Event("themechange"));
    });
  });
})();
