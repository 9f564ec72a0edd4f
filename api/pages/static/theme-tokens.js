// The page's colours for what is drawn by hand, and when they change.
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const onTheme = (change) => {
  addEventListener("themechange", change);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", change);
};
