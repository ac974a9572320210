/* What residents' pages gain where scripts run. Everything works without it. */
(function () {
  'use strict';

  document.documentElement.classList.replace('no-js', 'js');

  // The private key leaves the address bar: whoever is shown or sent this page's address gets the public part only.
  // The browser itself remembers the key in its own cookie.
  const here = new URL(location.href);
  if (here.pathname.startsWith('/r/') && here.searchParams.has('key')) {
    for (const name of ['key', 'new', 'done']) here.searchParams.delete(name);
    history.replaceState(null, '', here);
  }

  function begin() {
    for (const form of document.querySelectorAll('form[data-once]')) sendOnce(form);
    const words = document.querySelector('textarea[data-suggest]');
    if (words) suggest(words);
    const firstWrong = document.querySelector('[aria-invalid=true]');
    if (firstWrong) firstWrong.focus();
    // The place is the telephone's own position as long as the map still stands there; once moved, it is picked.
    let located = null;
    const note = (element, place) => {
      const form = element.closest('form');
      const input = form && form.elements.namedItem('place_source');
      if (!input) return;
      const same = located && Math.abs(place.latitude - located.latitude) < 2e-6 && Math.abs(place.longitude - located.longitude) < 2e-6;
      input.value = same ? 'device' : 'picked';
    };
    document.addEventListener('district-map:located', (event) => { located = event.detail; note(event.target, located); });
    document.addEventListener('district-map:picked', (event) => note(event.target, event.detail));
  }

  /** A second tap while the first is on its way must not file a second report. */
  function sendOnce(form) {
    form.addEventListener('submit', (event) => {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = '1';
      const button = event.submitter || form.querySelector('[type=submit]');
      if (!button) return;
      button.setAttribute('aria-busy', 'true');
      const label = button.querySelector('span') || button;
      label.dataset.was = label.textContent;
      label.textContent = form.dataset.once;
    });
    const again = () => {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll('[aria-busy]')) {
        button.removeAttribute('aria-busy');
        const label = button.querySelector('[data-was]');
        if (label) label.textContent = label.dataset.was;
      }
    };
    form.addEventListener('form:stays', again);
    // Coming back by the browser's "back" shows the page as it was left: let it be sent again.
    window.addEventListener('pageshow', (event) => { if (event.persisted) again(); });
  }

  /** Categories that fit the words, offered as buttons; a tap sets the select. */
  function suggest(words) {
    const box = document.getElementById('suggestions');
    const list = box && box.querySelector('.choices');
    const select = document.getElementById('category');
    if (!list || !select) return;
    let timer = 0, asked = '', held = null;
    // What a finger is on is not replaced before it has gone up and the press has been counted.
    list.addEventListener('pointerdown', () => { held = new Promise((go) => { for (const kind of ['pointerup', 'pointercancel']) document.addEventListener(kind, () => setTimeout(go, 300), { once: true }); }); });
    words.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(ask, 500);
    });
    async function ask() {
      const text = words.value.trim().slice(0, 120);
      if (text === asked) return;
      asked = text;
      if (text.length < 2) { box.hidden = true; return; }
      try {
        const answer = await fetch(`${words.dataset.suggest}?q=${encodeURIComponent(text)}`, { headers: { Accept: 'application/json' } });
        if (!answer.ok) return;
        const { categories } = await answer.json();
        await held;
        // Later words were asked about meanwhile.
        if (asked === text) show(categories.slice(0, 4));
      } catch { /* without a network the select is still there */ }
    }
    function show(categories) {
      list.textContent = '';
      for (const category of categories) {
        const label = document.createElement('label');
        label.className = 'choice';
        const input = document.createElement('input');
        input.type = 'radio';
        input.name = 'suggested';
        input.checked = select.value === category.code;
        input.addEventListener('change', () => { select.value = category.code; });
        const text = document.createElement('span');
        text.textContent = category.name;
        label.append(input, text);
        list.append(label);
      }
      box.hidden = categories.length === 0;
    }
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin); else begin();
})();
