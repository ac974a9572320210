/* Choosing rows of a list: all of the page, from here to there with Shift, and how many. The form works without it. */
(function () {
  'use strict';
  const bar = document.getElementById('bulk');
  if (!bar) return;
  const rows = () => [...document.querySelectorAll('input.pick')];
  const all = document.getElementById('pick-all');
  const said = bar.querySelector('[data-picked]');
  let last = null;

  function count() {
    const picked = rows().filter((row) => row.checked).length;
    bar.classList.toggle('is-on', picked > 0);
    said.textContent = said.dataset.picked.replace('{n}', picked);
    if (all) { all.checked = picked > 0 && picked === rows().length; all.indeterminate = picked > 0 && !all.checked; }
  }

  document.addEventListener('click', (event) => {
    const pick = event.target;
    if (!pick.matches || !pick.matches('input.pick')) return;
    const list = rows();
    if (event.shiftKey && last && list.includes(last)) {
      const [from, to] = [list.indexOf(last), list.indexOf(pick)].sort((one, other) => one - other);
      for (const row of list.slice(from, to + 1)) row.checked = pick.checked;
    }
    last = pick;
    count();
  });
  if (all) all.addEventListener('change', () => { for (const row of rows()) row.checked = all.checked; count(); });
  bar.querySelector('[data-pick-none]').addEventListener('click', () => { for (const row of rows()) row.checked = false; count(); });
  document.addEventListener('htmx:afterSettle', count);
  window.addEventListener('pageshow', count);
  count();
})();
