/** Runs before the first paint, so that a dark page never flashes white. Storage may be forbidden: then the system decides. */
export const themeScript = `(function () {
  var chosen = null;
  try { chosen = localStorage.getItem('lazyscope-theme'); } catch (e) {}
  var dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();`;
