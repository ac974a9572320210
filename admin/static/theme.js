/* Runs before the page is painted: says that scripts run, and follows the system's light or dark. */
(function () {
  'use strict';
  const root = document.documentElement;
  root.classList.add('js');
  if (!window.matchMedia) return;
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const follow = () => { root.dataset.bsTheme = dark.matches ? 'dark' : 'light'; };
  follow();
  if (dark.addEventListener) dark.addEventListener('change', follow);
})();
