/*
 * The keyboard: j k move, o or Enter opens, a assigns, n goes on, / searches, ? tells. Never while somebody writes.
 * Words come from the page (#panel-texts).
 */
(function () {
  'use strict';

  const $ = (selector, root) => (root || document).querySelector(selector);
  const $$ = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const words = JSON.parse(($('#panel-texts') || { textContent: '{}' }).textContent);
  const help = $('#keys');
  const toast = (text) => window.PanelLive && window.PanelLive.toast(text);

  const isShown = (one) => one.getClientRects().length > 0;

  function move(by) {
    const links = $$('.work-link');
    const stops = links.length ? links : $$('#main section.card, #main .case').filter(isShown);
    if (!stops.length) return;
    const at = stops.findIndex((one) => one === document.activeElement || (!links.length && one.contains(document.activeElement)));
    const next = stops[Math.min(stops.length - 1, Math.max(0, at + by))];
    if (!links.length) next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: links.length ? 'center' : 'start' });
  }

  // The report that is meant: the one whose page this is, or the chosen line of a list.
  const chosen = () => (document.activeElement && document.activeElement.matches('.work-link') ? document.activeElement : null);

  function act(name) {
    const row = chosen();
    if (row) { window.location.assign(`${row.getAttribute('href')}/do/${name}`); return; }
    const button = $$(`[data-sheet="${name}"]`).find(isShown) || $(`[data-sheet="${name}"]`);
    if (button) button.click();
    else if ($('#here-form')) toast(words.not_now);
  }

  async function next() {
    const number = $('#number');
    try {
      const answer = await fetch(`${document.body.dataset.next}?after=${encodeURIComponent(number ? number.textContent.trim() : '')}`, { headers: { Accept: 'application/json' } });
      if (!answer.ok || answer.redirected) { window.location.reload(); return; }
      const { address } = await answer.json();
      if (address) window.location.assign(address);
      else toast(words.no_next);
    } catch { toast(words.offline); }
  }

  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    o: () => { const row = chosen(); if (row) row.click(); },
    a: () => act('assign'),
    r: () => act('reply'),
    c: () => act('comment'),
    n: () => { if (document.body.dataset.next) next(); },
    u: () => { const back = $('.back a'); if (back) back.click(); },
    m: () => { const sound = $('[data-sound]'); if (sound) sound.click(); },
    '/': () => { const find = $('#find'); if (find) { find.focus(); find.select(); } },
    '?': () => { if (help && help.showModal) help.showModal(); },
  };

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (event.target.closest('input, textarea, select, dialog, [contenteditable]') || $('dialog[open]')) return;
    const does = KEYS[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  });

  document.addEventListener('click', (event) => {
    if (event.target.closest('[data-keys]') && help && help.showModal) help.showModal();
    if (event.target === help) help.close();
  });
})();
