/*
 * Field mode: puts the nearest first (the position stays in the phone), keeps what was done without a network until it
 * is sent, and keeps the list itself, so that it can be read without a network (phone.js has the store). Each act has
 * an id of its own: sent twice, the server does it once. Loaded before photo-upload.js: the list is kept as it came.
 */
(async function () {
  'use strict';

  const root = document.getElementById('field'), keep = window.PhoneKeep;
  if (!root || !keep || !window.indexedDB || !window.fetch) return;
  const texts = JSON.parse(document.getElementById('field-texts').textContent);
  const said = document.getElementById('field-said'), box = document.getElementById('field-queue');
  const AGAIN_MS = 20000, GIVE_UP_MS = 60000, AGE_MS = 30000, isOffline = 'offline' in root.dataset;
  const fill = (text, values) => Object.entries(values).reduce((all, [name, value]) => all.replace(`{${name}}`, value), text);
  let staff = Number(root.dataset.staff || 0);

  // ---------------------------------------------------------------- the list, for when there is no network

  // What is kept: the cards without pictures and without the tokens of their forms.
  const snapshot = document.createElement('div');
  let list = null;
  if (!isOffline) {
    snapshot.innerHTML = root.innerHTML;
    for (const part of snapshot.querySelectorAll('img, [name=csrf_token]')) part.remove();
    list = { staff, at: Date.now(), until: Number(root.dataset.until) * 1000, lang: document.documentElement.lang };
    store();
  } else {
    list = await keep.list().catch(() => null);
    staff = list ? list.staff : 0;
    snapshot.innerHTML = list ? list.html : '';
    root.append(...snapshot.cloneNode(true).childNodes);
    document.getElementById('field-nothing').hidden = Boolean(list);
    // The picture fields and the clocks of these cards begin now.
    root.dispatchEvent(new CustomEvent('htmx:load', { bubbles: true }));
    document.dispatchEvent(new CustomEvent('panel:clocks'));
    tellAge();
    setInterval(tellAge, AGE_MS);
  }

  function store() {
    if (list) keep.putList({ ...list, html: snapshot.innerHTML }).catch(() => {});
  }

  /** When the list was fetched, and how long ago that is. */
  function tellAge() {
    if (!list) return;
    const minutes = Math.floor((Date.now() - list.at) / 60000);
    const span = minutes < 1 ? texts.just_now : minutes < 60 ? fill(texts.minutes, { n: minutes }) : fill(texts.hours, { n: Math.floor(minutes / 60) });
    const time = new Date(list.at).toLocaleTimeString(list.lang === 'en' ? 'en-GB' : 'zh-CN', { hour: '2-digit', minute: '2-digit' });
    document.getElementById('field-age').textContent = fill(texts.list_of, { time, span });
  }

  /** This one is done: its card goes, here and in what is kept. */
  function remove(number) {
    for (const part of [root, snapshot]) {
      const card = part.querySelector(`[data-number="${number}"]`);
      if (card) card.remove();
    }
    store();
  }

  // ---------------------------------------------------------------- near and far

  const near = document.getElementById('field-near');
  let place = null;
  function metres(card) {
    if (!card.dataset.latitude) return Infinity;
    const rad = Math.PI / 180, north = (card.dataset.latitude - place.latitude) * rad;
    const east = (card.dataset.longitude - place.longitude) * rad * Math.cos(place.latitude * rad);
    return Math.hypot(north, east) * 6371000;
  }
  function sort() {
    const cards = [...root.querySelectorAll('.fm-card')].map((card) => [metres(card), card]);
    for (const [far, card] of cards.sort((a, b) => (a[0] === b[0] ? 0 : a[0] - b[0]))) {
      const rounded = far < 1000 ? fill(texts.metres, { n: Math.round(far / 10) * 10 }) : fill(texts.kilometres, { n: (far / 1000).toFixed(1) });
      card.querySelector('[data-distance]').textContent = Number.isFinite(far) ? rounded : '';
      root.append(card);
    }
  }
  if (navigator.geolocation && root.querySelector('.fm-card')) {
    near.hidden = false;
    near.addEventListener('click', () => {
      said.textContent = texts.asking;
      navigator.geolocation.getCurrentPosition(
        (found) => { place = found.coords; said.textContent = ''; sort(); },
        (problem) => { said.textContent = problem.code === problem.PERMISSION_DENIED ? texts.not_allowed : texts.no_place; },
        { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 },
      );
    });
  }

  // ---------------------------------------------------------------- what waits

  const mine = async () => (await keep.acts()).filter((act) => act.staff === staff);

  async function show() {
    // A button under a finger stays until it is up.
    if (window.PanelLive) await window.PanelLive.lifted();
    const waiting = await mine();
    const count = waiting.length;
    box.hidden = !count;
    box.replaceChildren();
    if (!count) return;
    const head = document.createElement('b'), hint = document.createElement('span'), now = document.createElement('button'), rows = document.createElement('ul');
    head.textContent = fill(texts.waiting, { n: waiting.reduce((sum, act) => sum + act.photos.length, 0), m: count });
    hint.textContent = texts.hint;
    now.type = 'button';
    now.className = 'btn';
    now.textContent = texts.send_now;
    now.addEventListener('click', () => send(true));
    for (const act of waiting) {
      const item = document.createElement('li'), words = document.createElement('span'), drop = document.createElement('button');
      words.textContent = act.problem ? `${act.title}: ${act.problem}` : act.title;
      drop.type = 'button';
      drop.className = 'btn';
      drop.textContent = texts.drop;
      drop.addEventListener('click', async () => { if (window.confirm(texts.drop_sure)) { await keep.dropAct(act.id); show(); } });
      item.append(words, drop);
      rows.append(item);
      const card = root.querySelector(`[data-number="${act.number}"]`);
      if (card) card.querySelectorAll('.fm-act').forEach((part) => { part.hidden = true; });
    }
    box.append(head, hint, now, rows);
  }

  async function ask(address, options) {
    const stop = new AbortController(), limit = setTimeout(() => stop.abort(), GIVE_UP_MS);
    try {
      return await fetch(address, { credentials: 'same-origin', redirect: 'manual', signal: stop.signal, headers: { Accept: 'application/json' }, ...options });
    } finally { clearTimeout(limit); }
  }

  const isOut = (answer) => answer.type === 'opaqueredirect' || answer.status === 401;

  /** The token of this person's forms; null when they are not logged in (any more), or somebody else is. */
  async function ready() {
    const answer = await ask(root.dataset.ready);
    if (!answer.ok && !isOut(answer) && answer.status !== 403) throw new Error('no answer');
    const told = answer.ok ? await answer.json() : null;
    if (told && told.staff === staff) return told.csrf;
    // Whoever holds the phone now must not read the list; what was done stays for the one who did it.
    list = null;
    await keep.dropList();
    said.textContent = told ? texts.somebody_else : texts.log_in;
    return null;
  }

  let sending = false;
  async function send(byHand) {
    if (sending || !navigator.onLine || !staff) return;
    sending = true;
    try {
      const waiting = (await mine()).filter((act) => byHand || !act.problem);
      const csrf = waiting.length ? await ready() : null;
      if (csrf === null) return;
      for (const act of waiting) {
        const form = new FormData();
        for (const [name, value] of act.fields) form.append(name, value);
        form.set('csrf_token', csrf);
        form.set('staff', staff);
        for (const photo of act.photos) form.append('photos', new File([photo], 'photo.jpg', { type: 'image/jpeg' }));
        const result = await ask(act.address, { method: 'POST', body: form });
        if (result.ok) {
          await keep.dropAct(act.id);
          remove(act.number);
          said.textContent = `${texts.sent}: ${act.title}`;
        } else if (isOut(result) || (result.status >= 400 && result.status < 500 && result.status !== 429)) {
          const { problem } = await result.json().catch(() => ({}));
          // Without a reason the login ended, or became another's, between the question and the answer.
          if ((isOut(result) || !problem) && (await ready()) === null) return;
          await keep.putAct({ ...act, problem: problem || texts.log_in });
        }
      }
    } catch {
      // No network after all: everything is still kept, and the next time is soon.
    } finally {
      sending = false;
      show().catch(() => {});
    }
  }

  async function put(form) {
    const fields = [...new FormData(form)].filter(([name]) => name !== 'photos' && name !== 'csrf_token');
    // As plain bytes: some browsers cannot keep files.
    const photos = await Promise.all([...form.querySelector('[name=photos]').files].map((file) => file.arrayBuffer()));
    const card = form.closest('.fm-card');
    await keep.putAct({ id: form.elements.client_id.value, staff, at: Date.now(), number: card.dataset.number, title: card.querySelector('h2 a').textContent, address: form.action, fields, photos, problem: '' });
  }

  root.addEventListener('submit', async (event) => {
    const form = event.target.closest('[data-field-act]');
    if (!form) return;
    event.preventDefault();
    if (form.dataset.photosBusy || form.dataset.kept) return;
    form.dataset.kept = '1';
    if (place) { form.elements.at_latitude.value = place.latitude; form.elements.at_longitude.value = place.longitude; }
    try {
      await put(form);
      said.textContent = texts.kept;
      await show();
      send(false);
    } catch {
      delete form.dataset.kept;
      form.querySelector('[data-said]').textContent = texts.not_kept;
      if (navigator.onLine && !isOffline) form.submit();
    }
  });

  // ---------------------------------------------------------------- the network is back

  async function goOn() {
    await send(false);
    if (!isOffline) return;
    // Not while somebody writes: the page is fetched anew when they are done.
    if (root.querySelector('.fm-act[open]:not([hidden])')) { said.textContent = texts.back; return; }
    // Only when the server answers: a page that cannot be had would only bring this one back.
    try { await ask(root.dataset.ready); window.location.replace(root.dataset.page); } catch { /* later */ }
  }
  window.addEventListener('online', goOn);
  // Somebody else may have logged in, in another window or since the phone was put away.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && navigator.onLine && staff) ready().catch(() => {});
  });
  setInterval(() => send(false), AGAIN_MS);
  show().then(() => send(false), () => {});
})();
