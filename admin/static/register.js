/*
 * The register's map, which asks for what its present part shows, and the list of what is near.
 *
 * A map with `data-register` asks that address with `box=south,west,north,east` whenever it has moved; the answer has
 * dots (facilities) or heaps, which open when they are pressed.
 */
(function () {
  'use strict';

  const WAIT_MS = 150;
  const HEAP_ROOM = 72 * 72; // pixels

  function begin() {
    for (const button of document.querySelectorAll('[data-near]')) nearButton(button);
    for (const element of document.querySelectorAll('[data-register]')) registerMap(element);
  }

  function nearButton(button) {
    if (!navigator.geolocation || !window.isSecureContext) return;
    button.hidden = false;
    button.addEventListener('click', () => {
      button.disabled = true;
      navigator.geolocation.getCurrentPosition(
        (found) => {
          const { latitude, longitude } = found.coords;
          const to = new URL(button.dataset.near, window.location.href);
          to.searchParams.set('near', `${latitude.toFixed(6)},${longitude.toFixed(6)}`);
          window.location.assign(to);
        },
        () => { button.disabled = false; button.title = button.dataset.failed; button.lastChild.textContent = button.dataset.failed; },
        { enableHighAccuracy: true, timeout: 10000, maximumAge: 60000 },
      );
    });
  }

  function registerMap(element) {
    const view = window.DistrictMap.of(element);
    const layer = window.L.layerGroup().addTo(view.map);
    const renderer = window.L.canvas({ padding: 0.3 });
    const count = document.querySelector('[data-register-count]');
    let asked = 0, waiting = 0;

    async function ask() {
      const bounds = view.map.getBounds();
      const box = [bounds.getSouth(), bounds.getWest(), bounds.getNorth(), bounds.getEast()].map((place) => place.toFixed(6));
      const address = new URL(element.dataset.register, window.location.href);
      address.searchParams.set('box', box.join(','));
      // As many heaps as have room beside each other.
      const { x, y } = view.map.getSize();
      address.searchParams.set('heaps', String(Math.round((x * y) / HEAP_ROOM)));
      const mine = ++asked;
      let found;
      try {
        const answer = await fetch(address, { credentials: 'same-origin', headers: { Accept: 'application/json' } });
        if (!answer.ok) return;
        found = await answer.json();
      } catch { return; }
      // A later question was answered sooner.
      if (mine !== asked) return;
      if (window.PanelLive) await window.PanelLive.lifted();
      if (mine === asked) draw(found);
    }

    function draw({ facilities, heaps }) {
      // A bubble that has just opened moves the map into its place, and the map asks anew: what is read stays.
      const open = layer.getLayers().find((mark) => mark.isPopupOpen());
      for (const mark of layer.getLayers()) if (mark !== open) layer.removeLayer(mark);
      for (const one of facilities) if (!open || open.at !== one.url) layer.addLayer(dot(one));
      for (const one of heaps) layer.addLayer(heap(one));
      const all = facilities.length + heaps.reduce((sum, one) => sum + one.count, 0);
      if (count) count.textContent = (heaps.length ? count.dataset.many : count.dataset.some).replace('{n}', all.toLocaleString());
      element.dataset.drawn = String(all);
    }

    function dot(one) {
      const mark = window.L.circleMarker([one.latitude, one.longitude], {
        renderer, radius: 7, weight: 2, color: '#ffffff', fillColor: one.is_intact ? '#2a6fb0' : '#b93c0a', fillOpacity: 1,
      });
      mark.at = one.url;
      return mark.bindPopup(() => {
        const box = document.createElement('div');
        box.className = 'dm-popup';
        const name = document.createElement('strong'), detail = document.createElement('div'), link = document.createElement('a');
        name.textContent = one.name;
        detail.textContent = one.detail;
        link.href = one.url;
        link.textContent = element.dataset.show;
        box.append(name, detail, link);
        return box;
      });
    }

    function heap(one) {
      const size = one.count < 100 ? 36 : one.count < 1000 ? 44 : 54;
      const words = document.createElement('span');
      words.textContent = one.count.toLocaleString();
      const mark = window.L.marker([one.latitude, one.longitude], {
        icon: window.L.divIcon({ html: words, className: 'register-heap', iconSize: [size, size] }),
        alt: element.dataset.heap.replace('{n}', one.count), keyboard: true,
      });
      return mark.on('click', () => view.map.setView([one.latitude, one.longitude], view.map.getZoom() + 2));
    }

    view.map.on('moveend', () => { clearTimeout(waiting); waiting = setTimeout(ask, WAIT_MS); });
    view.ready.then(ask).catch(() => {});
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin); else begin();
})();
