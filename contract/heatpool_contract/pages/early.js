// Runs before the first paint: the theme and the language that were chosen last time.
(() => {
  const root = document.documentElement;
  const remembered = (name) => {
    try { return localStorage.getItem(`heatpool.${name}`); } catch { return null; }
  };
  const theme = remembered("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const language = remembered("language");
  const address = new URL(location.href);
  if (!address.searchParams.has("lang") && language && language !== root.lang) {
    address.searchParams.set("lang", language);
    location.replace(address);
  }
})();
