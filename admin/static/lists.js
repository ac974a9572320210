/* Choosing rows of a list: all of the page, from here to there with Shift, and how many. The form works without it. */
(function () {
  'use strict';
  const live = document.getElementById('rows');
  if (!live) return;
  const rows = () => [...document.querySelectorAll('input.pick')];
  let last = null;

  // The list is replaced by itself when there is something new, and its bar with it: both are looked for each time.
  function count() {
    const bar = document.getElementById('bulk'), all = document.getElementById('pick-all');
    if (!bar) return;
    const said = bar.querySelector('[data-picked]');
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
  const check = (all) => { for (const row of rows()) row.checked = all; count(); };
  document.addEventListener('change', (event) => { if (event.target.id === 'pick-all') check(event.target.checked); });
  document.addEventListener('click', (event) => { if (event.target.closest('[data-pick-none]')) check(false); });
  for (const kind of ['htmx:afterSettle', 'panel:rows']) document.addEventListener(kind, count);
  window.addEventListener('pageshow', count);
  count();
})();

/* The order of the columns: each goes up and down by its buttons, or with Alt and the arrows from its tick. */
(function () {
  'use strict';
  const list = document.querySelector('[data-columns]');
  if (!list) return;
  const said = list.parentElement.querySelector('[data-columns-said]');

  function move(item, by) {
    const other = by < 0 ? item.previousElementSibling : item.nextElementSibling;
    if (!other) return;
    if (by < 0) other.before(item); else other.after(item);
    item.scrollIntoView({ block: 'nearest' });
    const items = [...list.children];
    said.textContent = list.dataset.moved.replace('{name}', item.querySelector('span').textContent).replace('{n}', items.indexOf(item) + 1).replace('{all}', items.length);
  }

  list.addEventListener('click', (event) => {
    const button = event.target.closest('[data-move]');
    if (!button) return;
    move(button.closest('li'), Number(button.dataset.move));
    button.focus();
  });
  list.addEventListener('keydown', (event) => {
    if (!event.altKey || !['ArrowUp', 'ArrowDown'].includes(event.key)) return;
    event.preventDefault();
    const held = document.activeElement;
    move(event.target.closest('li'), event.key === 'ArrowUp' ? -1 : 1);
    held.focus();
  });
})();

/* The open tab is in sight, however many there are before it. */
(function () {
  'use strict';
  const tabs = document.getElementById('tabs');
  const here = tabs && tabs.querySelector('[aria-current]');
  if (here) tabs.scrollLeft = here.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - here.offsetWidth) / 2;
})();
