/*
 * What the panel's pages do beyond links and forms. Everything works without it, only less kindly.
 * Words come from the page (#panel-texts). No inline handlers, no eval: the policy forbids both.
 */
(function () {
  'use strict';

  const wordsBox = document.getElementById('panel-texts');
  const words = wordsBox ? JSON.parse(wordsBox.textContent) : {};
  const $ = (selector, root) => (root || document).querySelector(selector);
  const $$ = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const fill = (text, values) => Object.entries(values).reduce((all, [name, value]) => all.replace(`{${name}}`, value), text || '');

  function toast(text, kind) {
    const box = $('#toasts');
    if (!box || !text) return;
    const line = document.createElement('p');
    line.className = `toast-line${kind ? ` toast-${kind}` : ''}`;
    line.textContent = text;
    box.append(line);
    setTimeout(() => line.remove(), 5000);
  }
  for (const line of $$('[data-toast]')) setTimeout(() => line.remove(), 6000);

  // ---------------------------------------------------------------- groups of doors stay as somebody left them

  // The group of this page is open whatever was chosen: where one is must be in sight.
  const DOORS = 'bihuan.doors';
  const chosenDoors = (() => { try { return JSON.parse(localStorage.getItem(DOORS)) || {}; } catch { return {}; } })();
  for (const group of $$('[data-door-group]')) {
    const name = group.dataset.doorGroup;
    if (name in chosenDoors && !$('.is-here', group)) group.open = chosenDoors[name];
    $('summary', group).addEventListener('click', () => {
      chosenDoors[name] = !group.open;
      try { localStorage.setItem(DOORS, JSON.stringify(chosenDoors)); } catch { /* this browser keeps nothing: each page begins anew */ }
    });
  }

  // What lies over the page folds up with Escape, and the focus is where it was opened.
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.defaultPrevented || $('dialog[open]')) return;
    const open = $$('details.filters[open], details.more-menu[open], details.bar-more[open]').pop();
    if (!open) return;
    open.open = false;
    $('summary', open).focus();
  });

  // ---------------------------------------------------------------- clocks count on by themselves

  const span = (seconds) => {
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return fill(words.minutes, { n: Math.max(1, minutes) });
    if (minutes < 2880) return fill(words.hours, { n: Math.floor(minutes / 60) });
    return fill(words.days, { n: Math.floor(minutes / 1440) });
  };

  function tickClocks() {
    const now = Date.now() / 1000;
    for (const clock of $$('.clock[data-due]')) {
      const left = Number(clock.dataset.due) - now;
      const late = left <= 0;
      $('[data-clock-text]', clock).textContent = fill(late ? words.late : words.left, { span: span(Math.abs(left)) });
      if (late && !clock.classList.contains('clock-late')) {
        clock.classList.remove('clock-calm', 'clock-soon', 'clock-pressing');
        clock.classList.add('clock-late');
      }
    }
  }
  if (words.left) setInterval(tickClocks, 30000);
  document.addEventListener('panel:clocks', tickClocks);

  // ---------------------------------------------------------------- the list asks what is new

  const LOOK_EVERY_S = 20, LOOK_HIDDEN_EVERY_S = 60;
  const live = $('[data-live]');
  if (live) {
    let last = Date.now();
    const look = () => { last = Date.now(); document.body.dispatchEvent(new CustomEvent('panel:tick')); };
    setInterval(() => {
      const wait = document.visibilityState === 'visible' ? LOOK_EVERY_S : LOOK_HIDDEN_EVERY_S;
      if (Date.now() - last >= wait * 1000 - 500) look();
    }, 1000);
    document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible' && Date.now() - last > 5000) look(); });
  }

  // ---------------------------------------------------------------- the sheet: a form over the page

  const sheet = $('#sheet');
  const sheetBody = $('#sheet-body');
  const loaded = () => { const form = sheetBody && $('form', sheetBody); return form ? form.dataset.action : ''; };

  function openSheet() {
    if (!sheet) return;
    for (const open of $$('details.bar-more[open], details.more-menu[open]')) open.open = false;
    if (sheet.open && !sheet.matches(':modal')) sheet.close();
    if (!sheet.open) sheet.showModal();
    if (window.DistrictMap) for (const box of $$('[data-district-map]', sheet)) { const view = window.DistrictMap.of(box); if (view) view.resized(); }
    const wrong = $('[aria-invalid=true] input:not([type=hidden]), input[aria-invalid=true], textarea[aria-invalid=true]', sheetBody);
    // On a telephone the keyboard would cover half of the form: only a mistake is worth that.
    const first = window.matchMedia('(min-width: 768px)').matches ? $('.sheet-fields textarea:not([readonly]), .sheet-fields [type=search]', sheetBody) : null;
    (wrong || first || $('#sheet-title')).focus({ preventScroll: true });
    if (wrong) wrong.scrollIntoView({ block: 'center' });
  }

  if (sheet && sheet.showModal) {
    let asking = null;
    document.addEventListener('htmx:beforeRequest', (event) => {
      const button = event.detail.elt, wanted = button.dataset && button.dataset.sheet;
      if (!wanted) return;
      asking = button;
      // What was typed is still there: show it again instead of an empty form.
      if (wanted === loaded()) { event.preventDefault(); openSheet(); }
    });
    // Whoever has pressed another button meanwhile means that one, whichever is answered first.
    document.addEventListener('htmx:beforeSwap', (event) => {
      const button = event.detail.requestConfig.elt;
      if (event.detail.target === sheetBody && button.dataset.sheet && button !== asking) event.detail.shouldSwap = false;
    });
    // After settling, because htmx itself moves the focus until then.
    document.addEventListener('htmx:afterSettle', (event) => { if (event.detail.target === sheetBody) openSheet(); });
    sheet.addEventListener('click', (event) => {
      if (event.target === sheet) sheet.close();
      if (event.target.closest('[data-sheet-close]')) { event.preventDefault(); sheet.close(); }
    });
    sheet.addEventListener('close', () => {
      const page = $('[data-sheet-close]', sheet);
      if (page && /\/do\//.test(window.location.pathname)) window.history.replaceState(null, '', page.getAttribute('href'));
    });
    if (sheet.hasAttribute('data-open')) {
      openSheet();
      // The browser went to the open form at the page's end; the page itself belongs at its top.
      window.scrollTo(0, 0);
    }
  }

  // ---------------------------------------------------------------- forms are sent once, and not by mistake

  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) { event.preventDefault(); return; }
    if (form.method === 'get') {
      for (const field of form.elements) if (field.name && !field.value && field.type !== 'checkbox') { field.disabled = true; setTimeout(() => { field.disabled = false; }); }
      return;
    }
    if (!('once' in form.dataset)) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = '1';
    form.classList.add('is-sending');
    for (const button of $$('button[type=submit]', form)) button.setAttribute('aria-disabled', 'true');
  });
  // A page that comes back from the browser's memory may be used again.
  window.addEventListener('pageshow', () => {
    for (const form of $$('form[data-sent]')) {
      delete form.dataset.sent;
      form.classList.remove('is-sending');
      for (const button of $$('button[aria-disabled]', form)) button.removeAttribute('aria-disabled');
    }
  });

  const isTyped = (form) => [...form.elements].some((field) => (field.tagName === 'TEXTAREA' || ['text', 'tel'].includes(field.type)) && field.value !== field.defaultValue);
  window.addEventListener('beforeunload', (event) => {
    const open = $$('form[data-guard], .sheet-form').some((form) => !form.dataset.sent && isTyped(form));
    if (open) { event.preventDefault(); event.returnValue = ''; }
  });

  // Ctrl or Command and Enter sends the form one is writing in.
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.target.form && event.target.form.method === 'post') event.target.form.requestSubmit();
  });

  document.addEventListener('change', (event) => {
    const form = event.target.closest('form[data-filters]');
    if (form && event.target.matches('select, [type=checkbox], [type=date]')) form.requestSubmit();
  });

  // ---------------------------------------------------------------- small helps

  document.addEventListener('click', async (event) => {
    const copy = event.target.closest('[data-copy]');
    if (copy) {
      const text = $(copy.dataset.copy).textContent.trim();
      try { await navigator.clipboard.writeText(text); } catch {
        const area = document.createElement('textarea');
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand('copy');
        area.remove();
      }
      toast(words.copied);
    }
    const phrase = event.target.closest('[data-phrase]');
    if (phrase) {
      const area = $(phrase.dataset.phrase);
      area.value = area.value.trim() ? `${area.value.trim()}\n${phrase.textContent}` : phrase.textContent;
      area.focus();
    }
    if (event.target.closest('[data-print]')) window.print();
    const back = event.target.closest('[data-back]');
    if (back && document.referrer && window.history.length > 1) {
      const from = new URL(document.referrer), to = new URL(back.href);
      // Back to the list as it was, with its filters and where one had scrolled to.
      if (from.origin === to.origin && from.pathname === to.pathname) { event.preventDefault(); window.history.back(); }
    }
    for (const open of $$('details.more-menu[open], details.bar-more[open], details.filters[open]')) if (!open.contains(event.target)) open.open = false;
  });

  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') for (const open of $$('details.more-menu[open], details.bar-more[open], details.filters[open]')) { open.open = false; $('summary', open).focus(); }
  });

  document.addEventListener('htmx:sendError', () => toast(words.offline, 'bad'));
  document.addEventListener('htmx:responseError', () => toast(words.offline, 'bad'));

  // ---------------------------------------------------------------- pickers: find by typing, choose by arrow or tap

  function enhancePicker(picker) {
    if (picker.dataset.ready) return;
    picker.dataset.ready = '1';
    const find = $('[data-picker-find]', picker), none = $('[data-picker-none]', picker), list = $('[data-picker-list]', picker);
    const items = $$('.picker-item', picker), heads = $$('.picker-head', picker);
    const folds = picker.dataset.picker === 'folds';
    let chosenBox = null;

    const shown = () => [...list.querySelectorAll('.picker-item')].filter((item) => !item.hidden);
    const chosen = () => items.find((item) => $('input', item).checked);

    const order = [...list.children];
    const nameOf = (item) => $('.picker-name', item).textContent.toLowerCase();

    // While somebody types, what begins with their words comes first, the shortest names before the others.
    function narrow() {
      const words = find.value.trim().toLowerCase();
      const parts = words.split(/\s+/).filter(Boolean);
      for (const item of items) item.hidden = !parts.every((part) => item.dataset.find.includes(part));
      for (const head of heads) head.hidden = parts.length > 0;
      none.hidden = shown().length > 0;
      const rank = (item) => { const name = nameOf(item); return (name.startsWith(words) ? 0 : name.includes(words) ? 100 : 200) + name.length; };
      list.append(...(parts.length ? [...shown().sort((one, other) => rank(one) - rank(other)), ...order.filter((child) => !items.includes(child) || child.hidden)] : order));
      list.scrollTop = 0;
    }

    function fold() {
      const item = chosen();
      if (!folds || !item || !$('input', item).value) { unfold(false); return; }
      if (!chosenBox) {
        chosenBox = document.createElement('div');
        chosenBox.className = 'picker-chosen';
        const text = document.createElement('span');
        const change = document.createElement('button');
        change.type = 'button';
        change.className = 'quiet';
        change.textContent = words.change;
        change.addEventListener('click', () => { unfold(true); find.focus(); });
        chosenBox.append(text, change);
        picker.append(chosenBox);
      }
      chosenBox.firstChild.textContent = `${$('.picker-name', item).textContent}${$('.picker-detail', item) ? ` · ${$('.picker-detail', item).textContent}` : ''}`;
      picker.classList.add('is-folded');
    }

    function unfold(wide) {
      picker.classList.remove('is-folded');
      picker.classList.toggle('is-wide', wide || Boolean(find.value));
    }

    find.addEventListener('input', () => { narrow(); if (folds) unfold(true); });
    find.addEventListener('focus', () => { if (folds) unfold(true); });
    find.addEventListener('keydown', (event) => {
      const first = shown()[0];
      if (event.key === 'Enter') {
        event.preventDefault();
        if (first && find.value.trim()) choose(first);
      }
      if (event.key === 'ArrowDown' && first) { event.preventDefault(); $('input', first).focus(); }
    });
    function choose(item) {
      const input = $('input', item);
      input.checked = true;
      input.dispatchEvent(new Event('change', { bubbles: true }));
      fold();
      if (!folds) item.scrollIntoView({ block: 'nearest' });
    }
    list.addEventListener('click', (event) => { if (event.target.matches('input') && event.detail) fold(); });
    list.addEventListener('keydown', (event) => { if (event.key === 'Enter' && event.target.matches('input')) { event.preventDefault(); choose(event.target.closest('.picker-item')); } });
    picker.addEventListener('focusout', (event) => { if (folds && !picker.contains(event.relatedTarget)) setTimeout(() => { if (!picker.contains(document.activeElement)) fold(); }, 150); });
    fold();
    const item = chosen();
    if (!folds && item) item.scrollIntoView({ block: 'nearest' });
  }
  const startPickers = (root) => { for (const picker of $$('[data-picker]', root)) enhancePicker(picker); };
  startPickers(document);
  document.addEventListener('htmx:load', (event) => startPickers(event.target));

  // ---------------------------------------------------------------- the place of a telephone report

  const call = $('#call');
  if (call) {
    const field = (name) => call.elements.namedItem(name);
    const told = () => { clearTimeout(told.wait); told.wait = setTimeout(() => document.body.dispatchEvent(new CustomEvent('panel:place')), 250); };
    const mapBox = $('[data-district-map]', call);
    // Enter means the words that are there now: it waits for their answer, and never takes one to earlier words.
    const find = field('place');
    let askedFor = '', shownFor = '', isWanted = false;
    const first = () => { isWanted = false; const found = $('[data-place]'); if (found) found.click(); };
    find.addEventListener('htmx:beforeRequest', () => { askedFor = find.value.trim(); });
    find.addEventListener('input', () => { isWanted = false; });
    document.addEventListener('htmx:beforeSwap', (event) => {
      // A place has been taken meanwhile: nobody looks for one any more.
      if (event.detail.target === $('#places') && !find.value.trim()) event.detail.shouldSwap = false;
    });
    document.addEventListener('htmx:afterSettle', (event) => {
      if (event.detail.target !== $('#places')) return;
      shownFor = askedFor;
      if (isWanted) first();
    });
    document.addEventListener('click', (event) => {
      const button = event.target.closest('[data-place]');
      if (!button) return;
      const place = JSON.parse(button.dataset.place);
      field('address').value = place.address;
      field('facility').value = place.facility;
      find.value = '';
      shownFor = '';
      $('#places').replaceChildren();
      const view = window.DistrictMap && window.DistrictMap.of(mapBox);
      if (view) view.ready.then(() => {
        view.map.setZoom(17, { animate: false });
        // The map's own way of picking: as if somebody had tapped there.
        view.map.fire('click', { latlng: window.L.latLng(place.latitude, place.longitude) });
      }).catch(() => {});
      field('latitude').value = place.latitude;
      field('longitude').value = place.longitude;
      field('place_source').value = 'gazetteer';
      told();
    });
    mapBox.addEventListener('district-map:picked', (event) => {
      const known = Number(field('latitude').value);
      if (field('place_source').value === 'gazetteer' && Math.abs(known - event.detail.latitude) > 0.0002) field('place_source').value = '';
      if (!field('address').value && event.detail.description) field('address').placeholder = event.detail.description;
      told();
    });
    call.addEventListener('change', (event) => { if (event.target.name === 'category') told(); });
    find.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      if (find.value.trim() === shownFor) first(); else isWanted = true;
    });
  }

  // ---------------------------------------------------------------- pictures large

  let box = null;
  let album = [];
  let at = 0;

  function buildBox() {
    const make = (tag, name, label) => { const made = document.createElement(tag); made.className = name; if (label) made.setAttribute('aria-label', label); if (tag === 'button') made.type = 'button'; return made; };
    box = make('dialog', 'lightbox', words.photo);
    const image = make('img', 'lightbox-image');
    const caption = make('p', 'lightbox-caption');
    const close = make('button', 'lightbox-close', words.close), back = make('button', 'lightbox-step is-back', words.previous), next = make('button', 'lightbox-step is-next', words.next);
    close.textContent = '×';
    back.textContent = '‹';
    next.textContent = '›';
    close.addEventListener('click', () => box.close());
    back.addEventListener('click', () => step(-1));
    next.addEventListener('click', () => step(1));
    box.append(image, caption, back, next, close);
    box.addEventListener('click', (event) => { if (event.target === box) box.close(); });
    box.addEventListener('keydown', (event) => { if (event.key === 'ArrowLeft') step(-1); if (event.key === 'ArrowRight') step(1); if (event.key === '+' || event.key === '=') zoom(true); if (event.key === '-') zoom(false); });
    let from = null;
    image.addEventListener('pointerdown', (event) => { from = event.clientX; });
    image.addEventListener('pointerup', (event) => {
      const far = from === null ? 0 : event.clientX - from;
      from = null;
      if (Math.abs(far) <= 8) zoom(!box.classList.contains('is-zoomed'), event);
      else if (Math.abs(far) > 40 && !box.classList.contains('is-zoomed')) step(far < 0 ? 1 : -1);
    });
    image.addEventListener('pointercancel', () => { from = null; });
    image.draggable = false;
    document.body.append(box);
  }

  // Its own size, to be moved about by finger, wheel or arrow; a second tap fits it again.
  function zoom(wide, at) {
    const image = $('img', box), place = image.getBoundingClientRect();
    const x = at ? (at.clientX - place.left) / place.width : 0.5, y = at ? (at.clientY - place.top) / place.height : 0.5;
    box.classList.toggle('is-zoomed', wide);
    if (!wide) return;
    box.scrollTo(x * image.offsetWidth - box.clientWidth / 2, y * image.offsetHeight - box.clientHeight / 2);
  }

  function step(by) {
    zoom(false);
    at = (at + by + album.length) % album.length;
    const link = album[at];
    $('img', box).src = link.href;
    $('img', box).alt = $('img', link).alt;
    $('.lightbox-caption', box).textContent = link.dataset.caption;
    box.classList.toggle('is-single', album.length < 2);
  }

  document.addEventListener('click', (event) => {
    const link = event.target.closest('[data-lightbox]');
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (!box) buildBox();
    album = $$('[data-lightbox]');
    at = album.indexOf(link);
    step(0);
    box.showModal();
  });
})();
