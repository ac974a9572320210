/*
 * An outline drawn on the map with taps: add, move, delete corners. The page's text field holds it as GeoJSON and is
 * all that is sent; without this script a file or the text itself still does.
 *
 * An empty outline is drawn corner by corner: each tap adds one, the first corner (or the button) closes it. A closed
 * one is changed: a tap between two corners adds one there, a corner is dragged, or chosen and deleted. Keys on a
 * corner: Enter chooses, arrows move, Delete deletes. Outlines in several parts or with holes are shown, not changed.
 */
(function () {
  'use strict';

  // More corners than this at once is a hedge that nobody can tap: the map must be closer first.
  const MOST_CORNERS = 160;
  // Corners closer to each other than this, in pixels, cannot be told apart: they show when the map is closer.
  const APART = 28;
  const STEPS_KEPT = 50;
  const METRES = 111320;
  const round = (value) => Math.round(value * 1e6) / 1e6;

  function start(box) {
    const input = document.getElementById(box.dataset.input);
    const mapBox = box.querySelector('[data-district-map]');
    if (!input || !mapBox || !window.DistrictMap) return;
    const texts = JSON.parse(box.querySelector('[data-outline-texts]').textContent);
    const part = (name) => box.querySelector(`[data-outline-${name}]`);
    const readonly = 'readonly' in box.dataset;
    const view = window.DistrictMap.of(mapBox);
    const map = view.map;
    const shape = L.polygon([], { className: 'outline-shape', interactive: false });
    const handles = L.layerGroup();
    const neighbours = L.layerGroup();
    let ring = []; // [latitude, longitude], the first not repeated
    let drawing = false;
    let locked = false;
    let chosen = -1;
    let steps = [];
    let ready = false; // before its first view the map has no place for handles

    const say = (words) => { part('say').textContent = words; };

    function read() {
      locked = false;
      ring = [];
      const text = input.value.trim();
      if (text) {
        try {
          const found = JSON.parse(text);
          const features = found.type === 'FeatureCollection' ? found.features : [found];
          const mine = features.find((one) => one.properties && one.properties.code === box.dataset.code) || features[0];
          const geometry = mine.type === 'Feature' ? mine.geometry : mine;
          const several = features.length > 1 && !(mine.properties && mine.properties.code === box.dataset.code);
          const single = geometry.type === 'Polygon' && geometry.coordinates.length === 1 && !several;
          if (single) ring = geometry.coordinates[0].slice(0, -1).map(([x, y]) => [y, x]);
          else {
            locked = true;
            const flip = (rings) => rings.map((one) => one.map(([x, y]) => [y, x]));
            shape.setLatLngs(geometry.type === 'Polygon' ? flip(geometry.coordinates) : geometry.coordinates.map(flip));
          }
        } catch (error) {
          say(texts.unreadable);
          drawing = true;
          show(true);
          return;
        }
      }
      drawing = !locked && ring.length < 3;
      show();
    }

    function write() {
      if (locked) return;
      const corners = ring.map(([y, x]) => [round(x), round(y)]);
      if (corners.length) corners.push(corners[0]);
      input.value = ring.length ? JSON.stringify({ type: 'Polygon', coordinates: [corners] }) : '';
      input.dispatchEvent(new Event('input', { bubbles: true }));
    }

    function size() {
      if (ring.length < 3) return '';
      const [first] = ring;
      const wide = METRES * Math.cos((first[0] * Math.PI) / 180);
      let double = 0;
      ring.forEach(([y, x], i) => {
        const [ny, nx] = ring[(i + 1) % ring.length];
        double += (x - first[1]) * wide * (ny - first[0]) * METRES - (nx - first[1]) * wide * (y - first[0]) * METRES;
      });
      return texts.size.replace('{n}', ring.length).replace('{size}', (Math.abs(double) / 2e6).toFixed(2));
    }

    function handle(at, className, title, actions) {
      const marker = L.marker(at, {
        icon: L.divIcon({ className, iconSize: [32, 32] }), draggable: Boolean(actions.drag), title, alt: title, keyboard: true, autoPan: true, zIndexOffset: className.includes('is-chosen') ? 1000 : 0,
      });
      marker.on('click', (event) => { L.DomEvent.stopPropagation(event); actions.tap(); });
      if (actions.drag) {
        marker.on('dragstart', () => keep());
        marker.on('drag', () => { const to = marker.getLatLng(); actions.drag([to.lat, to.lng]); shape.setLatLngs(ring); });
        marker.on('dragend', () => { write(); show(); });
      }
      marker.addTo(handles);
      const element = marker.getElement();
      element.setAttribute('role', 'button');
      element.setAttribute('aria-label', title);
      if (actions.key) element.addEventListener('keydown', actions.key);
      return marker;
    }

    function show(quiet) {
      handles.clearLayers();
      if (!locked) shape.setLatLngs(ring);
      part('size').textContent = size();
      for (const name of ['close', 'back', 'delete', 'clear']) if (part(name)) part(name).hidden = locked;
      part('close').hidden = locked || !drawing || ring.length < 3;
      part('back').disabled = !steps.length;
      part('delete').disabled = chosen < 0;
      if (readonly) { say(''); return; }
      if (locked) { say(texts.parts); return; }
      if (!quiet) say(drawing ? texts.drawing : texts.editing);
      if (!ready) return;
      const seen = map.getBounds().pad(0.1);
      const near = ring.map((at, i) => i).filter((i) => seen.contains(ring[i]));
      if (near.length > MOST_CORNERS) { if (!quiet) say(texts.closer); return; }
      let last = null;
      const shown = near.filter((i) => {
        const at = map.latLngToContainerPoint(ring[i]);
        const stands = i === chosen || !last || at.distanceTo(last) >= APART;
        if (stands) last = at;
        return stands;
      });
      for (const i of shown) {
        const name = texts.corner.replace('{n}', i + 1);
        handle(ring[i], `outline-corner${i === chosen ? ' is-chosen' : ''}${drawing && i === 0 ? ' is-first' : ''}`, name, {
          tap: () => {
            if (drawing && i === 0 && ring.length > 2) { close(); return; }
            chosen = chosen === i ? -1 : i;
            show();
            focus(i);
          },
          drag: (to) => { ring[i] = to; },
          key: (event) => key(event, i),
        });
      }
      if (drawing) return;
      for (const i of near) {
        const next = ring[(i + 1) % ring.length];
        const apart = map.latLngToContainerPoint(ring[i]).distanceTo(map.latLngToContainerPoint(next));
        if (apart < 56) continue;
        const middle = [(ring[i][0] + next[0]) / 2, (ring[i][1] + next[1]) / 2];
        handle(middle, 'outline-between', texts.between, { tap: () => { keep(); ring.splice(i + 1, 0, middle); chosen = i + 1; write(); show(); focus(i + 1); } });
      }
    }

    function focus(index) {
      const name = texts.corner.replace('{n}', index + 1);
      handles.eachLayer((one) => { if (one.options.alt === name && one.getElement()) one.getElement().focus({ preventScroll: true }); });
    }

    function key(event, index) {
      const moves = { ArrowUp: [0, -4], ArrowDown: [0, 4], ArrowLeft: [-4, 0], ArrowRight: [4, 0] };
      if (event.key === 'Delete' || event.key === 'Backspace') {
        event.preventDefault();
        chosen = index;
        remove();
      } else if (moves[event.key]) {
        event.preventDefault();
        event.stopPropagation();
        keep();
        const to = map.containerPointToLatLng(map.latLngToContainerPoint(ring[index]).add(moves[event.key]));
        ring[index] = [to.lat, to.lng];
        chosen = index;
        write();
        show();
        focus(index);
      }
    }

    function keep() {
      steps.push({ ring: ring.map((at) => [...at]), drawing });
      if (steps.length > STEPS_KEPT) steps.shift();
    }

    function close() {
      keep();
      drawing = false;
      chosen = -1;
      write();
      show();
    }

    function remove() {
      if (chosen < 0 || !ring.length) return;
      keep();
      ring.splice(chosen, 1);
      chosen = -1;
      if (ring.length < 3) drawing = true;
      write();
      show();
    }

    /** Between which two corners a tap is nearest, in pixels. */
    function nearestEdge(at) {
      const point = map.latLngToLayerPoint(at);
      let best = ring.length, least = Infinity;
      ring.forEach((corner, i) => {
        const a = map.latLngToLayerPoint(corner), b = map.latLngToLayerPoint(ring[(i + 1) % ring.length]);
        const distance = L.LineUtil.pointToSegmentDistance(point, a, b);
        if (distance < least) { least = distance; best = i + 1; }
      });
      return best;
    }

    const levelInput = () => document.querySelector(`[name="${box.dataset.levelInput}"]`);

    let asked = 0;
    async function fetchNeighbours() {
      const level = levelInput() ? levelInput().value : '', mine = ++asked;
      neighbours.clearLayers();
      if (!level) return;
      const query = new URLSearchParams({ level, but: box.dataset.code });
      try {
        const answer = await fetch(`${box.dataset.neighbours}?${query}`, { credentials: 'same-origin', headers: { Accept: 'application/json' } });
        if (!answer.ok) return;
        const { areas } = await answer.json();
        // Another level was chosen meanwhile.
        if (mine !== asked) return;
        for (const area of areas) {
          L.geoJSON(area.outline, { interactive: false, style: () => ({ className: 'outline-neighbour' }) }).addTo(neighbours);
        }
      } catch (error) {
        // The neighbours are a help only: the outline can be drawn without them.
      }
    }

    part('tools').hidden = readonly;
    // Corners are tapped one soon after the other: two taps are two corners.
    if (!readonly) map.doubleClickZoom.disable();
    part('close').addEventListener('click', close);
    part('delete').addEventListener('click', remove);
    part('clear').addEventListener('click', () => { keep(); ring = []; drawing = true; chosen = -1; write(); show(); });
    part('back').addEventListener('click', () => {
      const before = steps.pop();
      if (!before) return;
      ({ ring, drawing } = before);
      chosen = -1;
      write();
      show();
    });
    map.on('click', (event) => {
      if (readonly || locked) return;
      const at = [event.latlng.lat, event.latlng.lng];
      keep();
      const index = drawing ? ring.length : nearestEdge(event.latlng);
      ring.splice(index, 0, at);
      chosen = drawing ? -1 : index;
      write();
      show();
    });
    map.on('moveend', () => show(true));
    input.addEventListener('change', () => { steps = []; chosen = -1; read(); frame(); });
    const file = box.querySelector('input[type=file]');
    if (file) {
      file.addEventListener('change', async () => {
        if (!file.files.length) return;
        input.value = await file.files[0].text();
        // What is shown is what is sent: the file itself is not needed any more.
        file.value = '';
        steps = [];
        chosen = -1;
        read();
        frame();
      });
    }
    if (levelInput()) levelInput().addEventListener('change', fetchNeighbours);

    function frame() {
      const bounds = shape.getBounds();
      if (bounds.isValid()) map.fitBounds(bounds, { padding: [30, 30], maxZoom: 17, animate: false });
    }

    view.ready.then(() => {
      // Not before its first view: Leaflet cannot place what is added to a map without one.
      for (const layer of [neighbours, shape, handles]) layer.addTo(map);
      ready = true;
      frame();
      show();
    }, () => {});
    read();
    fetchNeighbours();
    box.dataset.ready = '';
  }

  for (const box of document.querySelectorAll('[data-outline]')) start(box);
})();
