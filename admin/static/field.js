/*
 * Field mode: puts the nearest first (the position stays in the phone), and keeps what was done without a network in
 * IndexedDB until it is sent. Each act has an id of its own: sent twice, the server does it once.
 */
(function () {
  'use strict';

  const root = document.getElementById('field');
  if (!root || !window.indexedDB || !window.fetch) return;
  const texts = JSON.parse(document.getElementById('field-texts').textContent);
  const said = document.getElementById('field-said'), box = document.getElementById('field-queue');
  const staff = Number(root.dataset.staff), AGAIN_MS = 20000, GIVE_UP_MS = 60000;
  const fill = (text, values) => Object.entries(values).reduce((all, [name, value]) => all.replace(`{${name}}`, value), text);

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
  if (navigator.geolocation) {
    near.hidden = false;
    near.addEventListener('click', () => {
      said.textContent = texts.asking;
      navigator.geolocation.getCurrentPosition((found) => { place = found.coords; said.textContent = ''; sort(); },
        () => { said.textContent = texts.no_place; }, { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 });
    });
  }

  // ---------------------------------------------------------------- what waits

  const done = (request) => new Promise((resolve, reject) => { request.onsuccess = () => resolve(request.result); request.onerror = () => reject(request.error); });
  const opened = new Promise((resolve, reject) => {
    const request = indexedDB.open('bihuan-field', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('acts', { keyPath: 'id' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  opened.catch(() => {});
  const acts = async (mode, use) => done(use((await opened).transaction('acts', mode).objectStore('acts')));
  const mine = async () => (await acts('readonly', (store) => store.getAll())).filter((act) => act.staff === staff);

  let count = 0;
  async function show() {
    const waiting = await mine();
    count = waiting.length;
    box.hidden = !count;
    box.replaceChildren();
    if (!count) return;
    const head = document.createElement('b'), hint = document.createElement('span'), now = document.createElement('button'), list = document.createElement('ul');
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
      drop.addEventListener('click', async () => { if (window.confirm(texts.drop_sure)) { await acts('readwrite', (store) => store.delete(act.id)); show(); } });
      item.append(words, drop);
      list.append(item);
      const card = root.querySelector(`[data-number="${act.number}"]`);
      if (card) card.querySelectorAll('.fm-act').forEach((part) => { part.hidden = true; });
    }
    box.append(head, hint, now, list);
  }

  async function ask(address, options) {
    const stop = new AbortController(), limit = setTimeout(() => stop.abort(), GIVE_UP_MS);
    try {
      return await fetch(address, { credentials: 'same-origin', redirect: 'manual', signal: stop.signal, headers: { Accept: 'application/json' }, ...options });
    } finally { clearTimeout(limit); }
  }

  let sending = false;
  async function send(byHand) {
    if (sending || !navigator.onLine) return;
    sending = true;
    try {
      const waiting = (await mine()).filter((act) => byHand || !act.problem);
      if (!waiting.length) return;
      const answer = await ask(root.dataset.ready);
      const ready = answer.ok ? await answer.json() : null;
      // Somebody else's login must not send this person's work.
      if (!ready || ready.staff !== staff) { said.textContent = texts.log_in; return; }
      for (const act of waiting) {
        const form = new FormData();
        for (const [name, value] of act.fields) form.append(name, value);
        form.set('csrf_token', ready.csrf);
        for (const photo of act.photos) form.append('photos', new File([photo], 'photo.jpg', { type: 'image/jpeg' }));
        const result = await ask(act.address, { method: 'POST', body: form });
        if (result.ok) {
          await acts('readwrite', (store) => store.delete(act.id));
          const card = root.querySelector(`[data-number="${act.number}"]`);
          if (card) card.remove();
          said.textContent = `${texts.sent}: ${act.title}`;
        } else if (result.status >= 400 && result.status < 500 && result.status !== 429) {
          const told = await result.json().catch(() => ({}));
          await acts('readwrite', (store) => store.put({ ...act, problem: told.problem || texts.log_in }));
        }
      }
    } catch {
      // No network after all: everything is still kept, and the next time is soon.
    } finally {
      sending = false;
      show().catch(() => {});
    }
  }

  async function keep(form) {
    const fields = [...new FormData(form)].filter(([name]) => name !== 'photos' && name !== 'csrf_token');
    // As plain bytes: some browsers cannot keep files.
    const photos = await Promise.all([...form.querySelector('[name=photos]').files].map((file) => file.arrayBuffer()));
    const card = form.closest('.fm-card');
    await acts('readwrite', (store) => store.put({ id: form.elements.client_id.value, staff, number: card.dataset.number, title: card.querySelector('h2 a').textContent, address: form.action, fields, photos, problem: '' }));
  }

  root.addEventListener('submit', async (event) => {
    const form = event.target.closest('[data-field-act]');
    if (!form) return;
    event.preventDefault();
    if (form.dataset.photosBusy || form.dataset.kept) return;
    form.dataset.kept = '1';
    if (place) { form.elements.at_latitude.value = place.latitude; form.elements.at_longitude.value = place.longitude; }
    try {
      await keep(form);
      said.textContent = texts.kept;
      await show();
      send(false);
    } catch {
      delete form.dataset.kept;
      form.querySelector('[data-said]').textContent = texts.not_kept;
      if (navigator.onLine) form.submit();
    }
  });
  // Nothing of a person stays in the phone after they have left.
  for (const form of document.querySelectorAll('form[action$="/logout"]')) {
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (count && !window.confirm(texts.leave_sure)) return;
      const go = () => form.submit();
      mine().then((all) => Promise.all(all.map((act) => acts('readwrite', (store) => store.delete(act.id))))).then(go, go);
    });
  }
  window.addEventListener('online', () => send(false));
  setInterval(() => send(false), AGAIN_MS);
  show().then(() => send(false), () => {});
})();
