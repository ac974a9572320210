/*
 * Keeps the static files of the offline page and that page, which holds nobody's data, and answers with it when a
 * page of the panel cannot be had. No page and no answer of the panel is ever kept here. `PANEL` is put in front by
 * the server; its version names the store.
 */
(function () {
  'use strict';

  const { version, files, offline, field, alone } = self.PANEL;
  const PREFIX = 'bihuan-panel-', STORE = PREFIX + version, PATIENCE_MS = 8000;
  const kept = new Set(files);

  self.addEventListener('install', (event) => {
    event.waitUntil((async () => {
      const store = await caches.open(STORE);
      await store.addAll([...files, offline].map((address) => new Request(address, { credentials: 'omit' })));
      await self.skipWaiting();
    })());
  });

  self.addEventListener('activate', (event) => {
    event.waitUntil((async () => {
      const names = await caches.keys();
      await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== STORE).map((name) => caches.delete(name)));
      await self.clients.claim();
    })());
  });

  const own = async (address) => (await caches.open(STORE)).match(address, { ignoreVary: true });

  async function file(request) {
    return (await own(request.url)) || fetch(request);
  }

  /** Whether the phone holds a list to show (phone.js keeps it); makes no store where there is none. */
  const hasList = () => new Promise((resolve) => {
    const request = indexedDB.open('bihuan-field');
    request.onupgradeneeded = () => request.transaction.abort();
    request.onerror = (event) => { event.preventDefault(); resolve(false); };
    request.onsuccess = () => {
      const opened = request.result;
      const asked = opened.transaction('lists').objectStore('lists').count();
      asked.onsuccess = () => { opened.close(); resolve(asked.result > 0); };
      asked.onerror = () => { opened.close(); resolve(false); };
    };
  });

  /** The page from the network; without one, or for a list that is kept with a very slow one, the offline page. */
  async function page(request) {
    const isField = new URL(request.url).pathname === field;
    let timer;
    const patience = new Promise((_, giveUp) => {
      const tired = async () => { if (await hasList().catch(() => false)) giveUp(new Error('slow')); };
      if (isField) timer = setTimeout(tired, PATIENCE_MS);
    });
    try {
      return await Promise.race([fetch(request), patience]);
    } catch (error) {
      const shown = await own(offline);
      if (shown) return shown;
      throw error;
    } finally { clearTimeout(timer); }
  }

  self.addEventListener('fetch', (event) => {
    const { request } = event, address = new URL(request.url);
    if (request.method !== 'GET' || address.origin !== self.location.origin) return;
    if (request.mode === 'navigate') {
      // A wall display helps itself.
      if (address.pathname !== alone && !address.pathname.startsWith(`${alone}/`)) event.respondWith(page(request));
    } else if (kept.has(address.pathname + address.search)) event.respondWith(file(request));
  });
})();
