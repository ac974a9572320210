/*
 * New work appears by itself, unless somebody is in the middle of something; a critical report rings and marks the title.
 * Whoever mutes it stays muted in this browser.
 */
(function () {
  'use strict';

  const $ = (selector, root) => (root || document).querySelector(selector);
  const $$ = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const words = JSON.parse(($('#panel-texts') || { textContent: '{}' }).textContent);

  function toast(text, address) {
    const box = $('#toasts');
    if (!box || !text) return;
    const line = document.createElement(address ? 'a' : 'p');
    line.className = `toast-line${address ? ' toast-bad' : ''}`;
    line.textContent = text;
    if (address) line.href = address;
    box.append(line);
    setTimeout(() => line.remove(), address ? 30000 : 5000);
  }

  // ---------------------------------------------------------------- under somebody's hand nothing is replaced

  // What a finger went down on must still be there when it goes up, or the press is lost, or goes to what came instead.
  const AFTER_PRESS_MS = 300, HAND_MS = 1000;
  let pressed = null, lifting = 0, overRowsAt = 0, atLift = [];
  document.addEventListener('pointerdown', (event) => { clearTimeout(lifting); pressed = event.target; }, true);
  const lift = () => {
    clearTimeout(lifting);
    // The click comes after the finger has gone up.
    lifting = setTimeout(() => { pressed = null; for (const go of atLift.splice(0)) go(); }, AFTER_PRESS_MS);
  };
  for (const kind of ['pointerup', 'pointercancel']) document.addEventListener(kind, lift, true);
  window.addEventListener('blur', lift);
  document.addEventListener('pointermove', (event) => { if (event.target.closest && event.target.closest('#rows')) overRowsAt = Date.now(); }, { passive: true });
  const lifted = () => (pressed ? new Promise((go) => { atLift.push(go); }) : Promise.resolve());
  window.PanelLive = { toast, lifted };

  // What comes with another answer waits for the next one: it is asked for again and again.
  document.addEventListener('htmx:oobBeforeSwap', (event) => {
    const old = event.detail.target;
    if (old && (old.contains(pressed) || old.contains(document.activeElement))) event.detail.shouldSwap = false;
  });

  // A part that asks for itself while something is under way is replaced every second, and has a button to stop it.
  let focused = '';
  document.addEventListener('htmx:beforeSwap', (event) => {
    const part = event.detail.target, at = document.activeElement;
    if (part.id === 'here' && part.contains(pressed)) event.detail.shouldSwap = false;
    if (part !== event.detail.requestConfig.elt) return;
    focused = part.contains(at) && at.form ? at.form.getAttribute('action') : '';
    if (!part.contains(pressed)) return;
    event.detail.shouldSwap = false;
    lifted().then(() => window.htmx.ajax('GET', part.getAttribute('hx-get'), { source: part, target: part, swap: 'outerHTML' })).catch(() => {});
  });
  document.addEventListener('htmx:afterSettle', () => {
    const button = focused && $(`form[action="${focused}"] button`);
    focused = '';
    if (button) button.focus({ preventScroll: true });
  });

  // ---------------------------------------------------------------- the title says what is new

  const plainTitle = document.title;
  let moved = 0, critical = 0;
  function entitle() {
    document.title = `${critical ? `❗${words.urgent} ` : ''}${moved ? `(${moved}) ` : ''}${plainTitle}`;
  }
  const seen = () => { if (critical) { critical = 0; entitle(); } };
  for (const kind of ['pointerdown', 'keydown']) document.addEventListener(kind, seen);

  // ---------------------------------------------------------------- rows come by themselves

  // Not while somebody chooses, reads further down, or has loaded more than the first rows.
  function isBusy() {
    const at = document.activeElement;
    return Boolean(
      $('dialog[open], details.filters[open], details.more-menu[open]')
      || (at && at.matches('input, textarea, select'))
      || $('#rows input:checked')
      || window.scrollY > 400
      || $$('#rows table.work > tbody:not(.more)').length > 1
      || String(window.getSelection() || '')
      || pressed || Date.now() - overRowsAt < HAND_MS,
    );
  }

  async function bring() {
    const answer = await fetch(window.location.href, { headers: { Accept: 'text/html', 'X-Requested-With': 'fetch' } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const rows = $('#rows', page), live = $('#live', page);
    if (!rows || !live || isBusy()) return;
    const before = new Set($$('#rows .work-link').map((link) => link.getAttribute('href')));
    const focused = document.activeElement && document.activeElement.matches('.work-link') ? document.activeElement.getAttribute('href') : '';
    $('#rows').replaceWith(rows);
    $('#live').replaceWith(live);
    $('#fresh').replaceChildren();
    for (const link of $$('#rows .work-link')) {
      if (!before.has(link.getAttribute('href'))) link.closest('tr').classList.add('is-new');
      if (link.getAttribute('href') === focused) link.focus({ preventScroll: true });
    }
    window.htmx.process(live);
    window.htmx.process(rows);
    document.dispatchEvent(new CustomEvent('panel:rows'));
    moved = 0;
    entitle();
  }

  let isBringing = false;
  document.addEventListener('htmx:oobAfterSwap', async (event) => {
    if (!event.detail.target || event.detail.target.id !== 'fresh') return;
    moved = Number(($('#fresh') || { dataset: {} }).dataset.moved || 0);
    entitle();
    if (!moved || isBringing || isBusy()) return;
    isBringing = true;
    try { await bring(); } catch { /* the pill stays, and the next look tries again */ } finally { isBringing = false; }
  });

  // ---------------------------------------------------------------- the alarm

  const ASK_EVERY_S = 15, MUTED = 'bihuan-muted';
  const address = document.body.dataset.alarm;
  const isMuted = () => { try { return window.localStorage.getItem(MUTED) === '1'; } catch { return false; } };

  function showSound() {
    for (const button of $$('[data-sound]')) button.setAttribute('aria-pressed', String(!isMuted()));
  }
  showSound();
  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-sound]')) return;
    try { window.localStorage.setItem(MUTED, isMuted() ? '0' : '1'); } catch { /* it lasts as long as the page */ }
    showSound();
    toast(isMuted() ? words.sound_off : words.sound_on);
    if (!isMuted()) ring();
  });

  // Two short tones; browsers let a page sound once somebody has touched it.
  let audio = null;
  function ring() {
    if (isMuted() || !window.AudioContext) return;
    audio = audio || new window.AudioContext();
    if (audio.state === 'suspended') audio.resume();
    for (const [after, pitch] of [[0, 880], [0.22, 1175]]) {
      const tone = audio.createOscillator(), volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.18, audio.currentTime + after);
      volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + after + 0.2);
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + after);
      tone.stop(audio.currentTime + after + 0.2);
    }
  }

  if (address) {
    // What was heard of goes along from page to page, so that nothing rings twice or is missed on the way.
    const HEARD = 'bihuan-heard';
    let known = [], since = 0, last = 0;
    try {
      const kept = JSON.parse(window.sessionStorage.getItem(HEARD) || 'null');
      if (kept && Date.now() / 1000 - kept.at < 300) { known = kept.known; since = kept.at; }
    } catch { /* begins anew */ }
    const ask = async () => {
      last = Date.now();
      try {
        const answer = await fetch(since ? `${address}?since=${since}` : address, { headers: { Accept: 'application/json' } });
        if (!answer.ok || answer.redirected) return;
        const { at, reports } = await answer.json();
        const fresh = reports.filter((one) => !known.includes(one.number));
        const isFirst = !since;
        since = at;
        known = [...known, ...fresh.map((one) => one.number)].slice(-50);
        try { window.sessionStorage.setItem(HEARD, JSON.stringify({ at, known })); } catch { /* only this page knows */ }
        if (isFirst || !fresh.length) return;
        critical += fresh.length;
        entitle();
        ring();
        for (const one of fresh) toast(`❗${words.urgent} · ${one.words}`, one.address);
      } catch { /* asked again soon */ }
    };
    ask();
    document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible') ask(); });
    setInterval(() => { if (Date.now() - last >= ASK_EVERY_S * 1000) ask(); }, 1000);
  }
})();
