/*
 * What the phone itself keeps, on every page of the panel and before the login: the work outside that waits for a
 * network (`acts`) and the list shown last (`lists`), both in IndexedDB and both with their person's id.
 *
 * The list goes as soon as the phone learns that its person is not logged in any more. Work that waits goes when its
 * person logs out and says so; when a login only ended, it stays for the same person, and for nobody else.
 */
(function () {
  'use strict';

  const given = document.currentScript.dataset;
  const staff = Number(given.staff || 0), OTHERS_KEPT_MS = 7 * 86400000, PATIENCE_MS = 4000;
  if (given.worker && 'serviceWorker' in navigator) {
    navigator.serviceWorker.register(given.worker, { scope: given.scope, updateViaCache: 'none' }).catch(() => {});
  }

  const done = (request) => new Promise((resolve, reject) => { request.onsuccess = () => resolve(request.result); request.onerror = () => reject(request.error); });
  let opened = null;
  function open() {
    if (!opened) {
      opened = new Promise((resolve, reject) => {
        if (!window.indexedDB) { reject(new Error('no store')); return; }
        const request = indexedDB.open('bihuan-field', 2);
        request.onupgradeneeded = () => {
          const made = request.result;
          if (!made.objectStoreNames.contains('acts')) made.createObjectStore('acts', { keyPath: 'id' });
          if (!made.objectStoreNames.contains('lists')) made.createObjectStore('lists', { keyPath: 'id' });
        };
        request.onsuccess = () => { request.result.onversionchange = () => request.result.close(); resolve(request.result); };
        request.onerror = () => reject(request.error);
      });
      opened.catch(() => {});
    }
    return opened;
  }
  const use = async (store, mode, what) => done(what((await open()).transaction(store, mode).objectStore(store)));

  const keep = {
    acts: () => use('acts', 'readonly', (store) => store.getAll()),
    putAct: (act) => use('acts', 'readwrite', (store) => store.put(act)),
    dropAct: (id) => use('acts', 'readwrite', (store) => store.delete(id)),
    /** The list shown last, `null` when there is none or its person's login has run out by now. */
    list: async () => {
      const found = (await use('lists', 'readonly', (store) => store.get('last'))) || null;
      if (found && found.until > Date.now()) return found;
      if (found) await keep.dropList();
      return null;
    },
    putList: (list) => use('lists', 'readwrite', (store) => store.put({ ...list, id: 'last' })),
    dropList: () => use('lists', 'readwrite', (store) => store.clear()),
    /** Nothing of this person stays. */
    leave: async (who) => {
      await keep.dropList();
      for (const act of await keep.acts()) if (act.staff === who) await keep.dropAct(act.id);
    },
  };
  window.PhoneKeep = keep;

  /** What colleagues left here long ago goes; tells how much of theirs still waits. */
  async function tidy() {
    const others = (await keep.acts()).filter((act) => act.staff !== staff);
    const old = others.filter((act) => act.at < Date.now() - OTHERS_KEPT_MS);
    for (const act of old) await keep.dropAct(act.id);
    const line = document.getElementById('phone-waits'), left = others.length - old.length;
    if (line && left) { line.textContent = line.dataset.words.replace('{n}', left); line.hidden = false; }
  }
  // Before the login, and on the offline page, nobody is known; only the first means that nobody is logged in.
  if (given.is === 'nobody') keep.dropList().then(tidy).catch(() => {});
  else if (given.is === 'somebody') {
    keep.list().then((list) => (list && list.staff !== staff ? keep.dropList() : null)).then(tidy).catch(() => {});
  }

  for (const form of document.querySelectorAll('form[action$="/logout"]')) {
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      let gone = false;
      const go = () => { if (!gone) { gone = true; form.submit(); } };
      // A store that does not answer must not keep anybody logged in.
      const limit = setTimeout(go, PATIENCE_MS);
      keep.acts().then((all) => all.filter((act) => act.staff === staff).length, () => 0).then((count) => {
        clearTimeout(limit);
        if (count && !window.confirm(given.leaveSure)) return;
        setTimeout(go, PATIENCE_MS);
        keep.leave(staff).then(go, go);
      });
    });
  }

  // ---------------------------------------------------------------- "put me on the home screen"

  const hint = document.getElementById('install-hint');
  if (!hint) return;
  const DISMISSED = 'bihuan-install-dismissed', agent = navigator.userAgent;
  const isApp = window.matchMedia('(display-mode: standalone)').matches || navigator.standalone === true;
  const remembered = () => { try { return localStorage.getItem(DISMISSED); } catch { return '1'; } };
  // WeChat's browser cannot install anything.
  if (isApp || /MicroMessenger/i.test(agent) || remembered()) return;
  const button = hint.querySelector('[data-install]');
  const hide = () => { hint.hidden = true; try { localStorage.setItem(DISMISSED, '1'); } catch { /* told again next time */ } };
  hint.querySelector('[data-dismiss]').addEventListener('click', hide);
  let offer = null;
  window.addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault();
    offer = event;
    button.hidden = false;
    hint.hidden = false;
  });
  window.addEventListener('appinstalled', hide);
  button.addEventListener('click', async () => { if (offer) { offer.prompt(); await offer.userChoice; offer = null; hide(); } });
  if (/iPhone|iPad/.test(agent)) { hint.querySelector('[data-apple]').hidden = false; hint.hidden = false; }
})();
