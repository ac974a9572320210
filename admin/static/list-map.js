/*
 * The map beside a list of reports: a dot for each row of the page, circles with counts for all of the list.
 *
 * A row that the mouse is on, or the keyboard, is told on the map, and the other way round. The list can do all the map
 * can; nothing is only here but "only what the map shows".
 */
(function () {
  'use strict';

  const box = document.getElementById('list-map');
  if (!box || !window.L || !window.DistrictMap) return;
  const WAIT_MS = 250, AGAIN_MS = 15000;
  const note = document.querySelector('[data-map-note]');
  const only = document.querySelector('[data-box-address]');
  const view = window.DistrictMap.create(box, { locate: false });
  const map = view.map;
  map.createPane('counts').style.zIndex = 590;
  const circles = L.layerGroup().addTo(map);
  const dots = L.layerGroup().addTo(map);
  const dotOf = new Map(); // a row -> its dot
  let shownNumbers = new Set();

  // ---------------------------------------------------------------- the rows of the page

  function dot(row) {
    const [latitude, longitude] = row.dataset.at.split(',').map(Number);
    const link = row.querySelector('.work-link');
    const title = link.textContent.trim();
    const icon = L.divIcon({ className: `dm-dot dm-${row.dataset.kind}`, iconSize: [16, 16] });
    const marker = L.marker([latitude, longitude], { icon, title, alt: title, riseOnHover: true });
    marker.bindPopup(() => popup(title, row.querySelector('.work-words'), link.href), { maxWidth: 250, minWidth: 150, autoPanPadding: [20, 50] });
    const on = (is) => () => light(row, is);
    marker.on('mouseover', on(true)).on('mouseout', on(false));
    marker.on('add', () => {
      marker.getElement().addEventListener('focus', on(true));
      marker.getElement().addEventListener('blur', on(false));
    });
    marker.on('click', () => row.scrollIntoView({ block: 'nearest' }));
    return marker;
  }

  function popup(title, words, href) {
    const inside = document.createElement('div');
    inside.className = 'dm-popup';
    const head = document.createElement('a');
    head.href = href;
    head.textContent = title;
    inside.append(head);
    if (words) {
      const line = document.createElement('div');
      line.className = 'map-words';
      line.textContent = words.textContent;
      inside.append(line);
    }
    return inside;
  }

  function light(row, is) {
    row.classList.toggle('is-on', is);
    const marker = dotOf.get(row);
    const face = marker && marker.getElement();
    if (!face) return;
    face.classList.toggle('is-on', is);
    marker.setZIndexOffset(is ? 5000 : 0);
  }

  function readRows() {
    // Rows that are gone take their dots along, but for the one whose bubble is being read.
    for (const [row, marker] of dotOf) {
      if (row.isConnected || marker.isPopupOpen()) continue;
      dots.removeLayer(marker);
      dotOf.delete(row);
    }
    for (const row of document.querySelectorAll('.work-row[data-at]')) {
      if (dotOf.has(row)) continue;
      const marker = dot(row);
      dotOf.set(row, marker);
      dots.addLayer(marker);
    }
    shownNumbers = new Set([...dotOf.keys()].map((row) => row.querySelector('.work-link').getAttribute('href').split('/').pop()));
  }

  const rowOf = (event) => (event.target.closest ? event.target.closest('.work-row[data-at]') : null);
  document.addEventListener('mouseover', (event) => { const row = rowOf(event); if (row) light(row, true); });
  document.addEventListener('mouseout', (event) => { const row = rowOf(event); if (row && !row.contains(event.relatedTarget)) light(row, false); });
  document.addEventListener('focusin', (event) => {
    const row = rowOf(event);
    if (!row) return;
    light(row, true);
    const marker = dotOf.get(row);
    if (marker) map.panInside(marker.getLatLng(), { padding: [40, 40] });
  });
  document.addEventListener('focusout', (event) => { const row = rowOf(event); if (row) light(row, false); });
  for (const kind of ['htmx:afterSettle', 'panel:rows']) document.addEventListener(kind, () => { readRows(); ask(); });

  // ---------------------------------------------------------------- all of the list, counted

  let running = null, wait = 0;

  function circle(spot) {
    const single = Boolean(spot.number);
    if (single && shownNumbers.has(spot.number)) return null;
    const size = single ? 14 : Math.round(26 + Math.min(26, 5 * Math.log2(spot.count)));
    const face = document.createElement('span');
    face.textContent = single ? '' : String(spot.count);
    const icon = L.divIcon({ html: face, className: `dm-count dm-${spot.kind}${single ? ' dm-single' : ''}`, iconSize: [size, size] });
    const marker = L.marker([spot.latitude, spot.longitude], { icon, pane: 'counts', title: spot.words, alt: spot.words, zIndexOffset: -spot.count });
    if (single) marker.bindPopup(() => popup(spot.words, null, spot.url), { maxWidth: 250, minWidth: 150 });
    else marker.on('click', () => map.setView(marker.getLatLng(), Math.min(map.getMaxZoom(), map.getZoom() + 2)));
    return marker;
  }

  function show({ spots, note: words }) {
    // An open bubble is being read: what is under it stays until it is closed.
    if (box.querySelector('.leaflet-popup')) return;
    circles.clearLayers();
    for (const spot of spots) {
      const marker = circle(spot);
      if (marker) circles.addLayer(marker);
    }
    say(words);
  }

  function say(words) {
    note.hidden = !words;
    note.textContent = words || '';
  }

  const shown = () => {
    const edges = map.getBounds();
    return [edges.getWest(), edges.getSouth(), edges.getEast(), edges.getNorth()].map((degrees) => degrees.toFixed(5)).join(',');
  };

  async function ask(first) {
    if (running) running.abort();
    const mine = new AbortController();
    running = mine;
    try {
      const answer = await fetch(`${box.dataset.source}${first ? '' : `&shown=${shown()}`}`, { credentials: 'same-origin', signal: mine.signal, headers: { Accept: 'application/json' } });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const found = await answer.json();
      if (window.PanelLive) await window.PanelLive.lifted();
      if (running !== mine) return null;
      show(found);
      return found;
    } catch (error) {
      if (error.name === 'AbortError') return null;
      say(note.dataset.failed);
      setTimeout(() => { if (running === mine) ask(); }, AGAIN_MS);
      return null;
    }
  }

  function moved() {
    only.hidden = false;
    clearTimeout(wait);
    wait = setTimeout(() => ask(), WAIT_MS);
  }

  only.addEventListener('click', () => { window.location.assign(only.dataset.boxAddress.replace('BOX', encodeURIComponent(shown()))); });

  const fit = ([west, south, east, north], pad) => map.fitBounds([[south, west], [north, east]], { maxZoom: 16, padding: [pad, pad], animate: false });

  view.ready.catch(() => {}).then(async () => {
    readRows();
    if (box.dataset.box) fit(box.dataset.box.split(',').map(Number), 0);
    else {
      const found = await ask(true);
      if (found && found.extent) fit(found.extent, 30);
    }
    ask();
    map.on('moveend', moved);
    only.hidden = Boolean(box.dataset.box);
  });
})();
