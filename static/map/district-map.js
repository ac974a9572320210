/*
 * The map as pages use it. Load leaflet.js, base-layer.js, then this file; leaflet.markercluster too where many
 * reports are shown.
 *
 *   const view = DistrictMap.create(element, {latitude, longitude, zoom, ...});
 *   view.setMarker(latitude, longitude, {title})      one pin
 *   view.onPick((place) => ...)                       pick a place: {latitude, longitude, description, inside}
 *   view.addReports(list or address), view.addFacilities(list or address)
 *   view.map, view.ready (a promise), view.locate(), view.fitTown(), view.describe(latitude, longitude)
 *
 * An element with `data-district-map` is made into a map by itself; every option may be given as a data attribute:
 *
 *   data-latitude, data-longitude, data-zoom   where it opens (else the whole town)
 *   data-marker                                show a pin there
 *   data-pick                                  pick mode; the place is written into the form's inputs named
 *                                              latitude, longitude and into elements [data-place-name]
 *   data-reports, data-facilities              addresses of JSON lists
 *   data-tile-url                              a tile server in WGS-84 or CGCS2000 instead of our own ground
 *   data-texts                                 JSON of the words used (see TEXTS)
 *   data-map-root                              where base.json and buildings.json are (default /map)
 *   data-map-version                           counts up when the map changes, so that the files may be kept for ever
 *
 * All coordinates are WGS-84.
 */
(function (global) {
  'use strict';

  // Every word shown comes from the page's data-texts; these keys are what it should hold.
  const TEXTS = [
    'synthetic', 'zoom_in', 'zoom_out', 'locate', 'locating', 'locate_refused', 'locate_failed', 'outside', 'near', 'map',
    'pick', 'town', 'failed',
  ];
  const CLOSEST = 19;
  const STREET_LEVEL = 17;
  const SVG = 'http://www.w3.org/2000/svg';
  const calm = global.matchMedia && global.matchMedia('(prefers-reduced-motion: reduce)').matches;

  const files = new Map(); // address -> promise of its JSON, so that two maps on a page share one file

  function fetchJson(address) {
    if (!files.has(address)) {
      const promise = fetch(address, { credentials: 'same-origin', headers: { Accept: 'application/json' } }).then((answer) => {
        if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
        return answer.json();
      });
      promise.catch(() => files.delete(address));
      files.set(address, promise);
    }
    return files.get(address);
  }

  function pinIcon(kind, small) {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 32 42');
    svg.setAttribute('aria-hidden', 'true');
    const drop = document.createElementNS(SVG, 'path');
    drop.setAttribute('class', 'dm-pin-drop');
    drop.setAttribute('d', 'M16 1.5C8 1.5 1.5 7.9 1.5 15.8c0 10.4 14.5 24.7 14.5 24.7s14.5-14.3 14.5-24.7C30.5 7.9 24 1.5 16 1.5z');
    const eye = document.createElementNS(SVG, kind === 'solved' ? 'path' : 'circle');
    eye.setAttribute('class', 'dm-pin-eye');
    if (kind === 'solved') eye.setAttribute('d', 'M10 16l4.5 4.5 8-9');
    else { eye.setAttribute('cx', '16'); eye.setAttribute('cy', '15.8'); eye.setAttribute('r', '5.6'); }
    svg.append(drop, eye);
    const [wide, high] = small ? [27, 35] : [32, 42];
    return L.divIcon({
      className: `dm-pin dm-pin-${kind || 'place'}`, html: svg, iconSize: [wide, high], iconAnchor: [wide / 2, high - 1], popupAnchor: [0, 6 - high],
    });
  }

  class DistrictMap {
    constructor(element, options) {
      this.element = element;
      this.options = { root: '/map', texts: {}, ...options };
      this.model = null;
      this._pickers = [];
      element.classList.add('dm');
      const embedded = this.options.embedded === true;
      this.map = L.map(element, {
        zoomControl: false,
        attributionControl: false,
        minZoom: 10,
        maxZoom: CLOSEST, // marker clusters need one where there is no tile layer
        zoomSnap: 1,
        fadeAnimation: !calm,
        zoomAnimation: !calm,
        markerZoomAnimation: !calm,
        inertia: !calm,
        scrollWheelZoom: !embedded,
        bounceAtZoomLimits: false,
        worldCopyJump: false,
      });
      if (embedded) this.map.on('focus', () => this.map.scrollWheelZoom.enable());
      if (embedded) this.map.on('blur', () => this.map.scrollWheelZoom.disable());
      element.setAttribute('role', 'application');
      if (!element.hasAttribute('aria-label')) element.setAttribute('aria-label', this._text('map'));
      this._controls();
      this._openingView();
      this.ready = this._load();
    }

    _text(key, values) {
      let text = this.options.texts[key] || '';
      for (const name of Object.keys(values || {})) text = text.replace(`{${name}}`, values[name]);
      return text;
    }

    _address(file) {
      const { root, version } = this.options;
      return `${root}/${file}.json${version ? `?v=${version}` : ''}`;
    }

    _openingView() {
      const { latitude, longitude, zoom } = this.options;
      this._placed = Number.isFinite(latitude) && Number.isFinite(longitude);
      if (this._placed) this.map.setView([latitude, longitude], zoom || STREET_LEVEL);
      if (this._placed && this.options.marker) this.setMarker(latitude, longitude, { title: this.options.title });
    }

    async _load() {
      let file;
      try {
        file = await fetchJson(this._address('base'));
      } catch (error) {
        if (!this._placed) this.map.setView([0, 0], 2);
        this.say(this._text('failed'));
        throw error;
      }
      const model = new global.DistrictBase.Model(file);
      this.model = model;
      const [west, south, east, north] = model.bounds;
      const pad = 0.25;
      const high = (north - south) * pad, wide = (east - west) * pad;
      this.map.setMaxBounds([[south - high, west - wide], [north + high, east + wide]]);
      if (!this._placed && !this.map._loaded) this.fitTown();
      const tiles = this.options.tileUrl;
      if (tiles) L.tileLayer(tiles, { maxZoom: CLOSEST, maxNativeZoom: 18 }).addTo(this.map);
      this.ground = new global.DistrictBase.Layer(model, { overlay: Boolean(tiles) }).addTo(this.map);
      if (!tiles) {
        this.map.on('zoomend', () => this._wantBuildings());
        this._wantBuildings();
      }
      if (model.synthetic && !tiles) this._note(this._text('synthetic'));
      this._tellPick();
      return this;
    }

    _wantBuildings() {
      // A wide screen shows enough of the town at zoom 14 for its houses to be worth their 30 KB.
      const from = this.options.buildingsFrom || (this.element.clientWidth >= 760 ? 14 : 15);
      if (this._buildings || this.map.getZoom() < from) return;
      this._buildings = fetchJson(this._address('buildings')).then(
        (file) => { if (!this.model.buildings) this.model.addBuildings(file); this.ground.refresh(); },
        () => { this._buildings = null; }, // the ground alone is still a map; the next zoom tries again
      );
    }

    // ------------------------------------------------------------ controls

    _controls() {
      const bar = L.DomUtil.create('div', 'dm-bar leaflet-bar');
      const button = (name, label, path, action) => {
        const control = L.DomUtil.create('button', `dm-button dm-${name}`, bar);
        control.type = 'button';
        control.title = label;
        control.setAttribute('aria-label', label);
        const svg = document.createElementNS(SVG, 'svg');
        svg.setAttribute('viewBox', '0 0 24 24');
        svg.setAttribute('aria-hidden', 'true');
        const line = document.createElementNS(SVG, 'path');
        line.setAttribute('d', path);
        svg.append(line);
        control.append(svg);
        L.DomEvent.disableClickPropagation(control);
        control.addEventListener('click', action);
        return control;
      };
      if (this.options.locate !== false && (window.districtLocate || 'geolocation' in navigator)) {
        this._locateButton = button('locate', this._text('locate'), 'M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0 -8 M12 2v3 M12 19v3 M2 12h3 M19 12h3', () => this.locate());
      }
      const closer = button('in', this._text('zoom_in'), 'M12 5v14 M5 12h14', () => this.map.zoomIn());
      const farther = button('out', this._text('zoom_out'), 'M5 12h14', () => this.map.zoomOut());
      this.map.on('zoomend', () => {
        closer.disabled = this.map.getZoom() >= this.map.getMaxZoom();
        farther.disabled = this.map.getZoom() <= this.map.getMinZoom();
      });
      const Bar = L.Control.extend({ onAdd: () => bar });
      new Bar({ position: 'bottomright' }).addTo(this.map);
      L.control.scale({ imperial: false, maxWidth: 90, position: 'bottomleft' }).addTo(this.map);
      this._status = L.DomUtil.create('div', 'dm-status', this.element);
      this._status.setAttribute('role', 'status');
      this._status.setAttribute('aria-live', 'polite');
    }

    _note(words) {
      if (!words || this._noted) return;
      this._noted = true;
      const Note = L.Control.extend({
        onAdd() {
          const note = L.DomUtil.create('div', 'dm-note');
          note.textContent = words;
          return note;
        },
      });
      new Note({ position: 'bottomleft' }).addTo(this.map);
    }

    /** A sentence over the map for a few seconds, read out by screen readers. */
    say(words) {
      this._status.textContent = words;
      this._status.classList.toggle('dm-shown', Boolean(words));
      clearTimeout(this._silence);
      this._silence = setTimeout(() => this._status.classList.remove('dm-shown'), 5000);
    }

    /** The town fills the box: its outermost tenth may lie outside, else a narrow screen would open a whole zoom farther. */
    fitTown() {
      if (this.model) this.map.fitBounds(L.latLngBounds(this.model.townBounds()).pad(-0.1), { animate: false });
    }

    /** Where the person is, in WGS-84, which is what we keep: by `districtLocate` of an app around us, else by the browser. */
    locate() {
      this.say(this._text('locating'));
      this._locateButton && this._locateButton.classList.add('dm-busy');
      const finish = () => this._locateButton && this._locateButton.classList.remove('dm-busy');
      const byBrowser = () => new Promise((done, failed) => {
        if (!('geolocation' in navigator)) { failed({ code: 2 }); return; }
        navigator.geolocation.getCurrentPosition(({ coords }) => done(coords), failed, { enableHighAccuracy: true, timeout: 12000, maximumAge: 30000 });
      });
      // Whoever refused the app its place is not asked by the browser, too.
      const place = window.districtLocate ? window.districtLocate().catch((error) => (error.code === 1 ? Promise.reject(error) : byBrowser())) : byBrowser();
      place.then(
        ({ latitude, longitude, accuracy }) => {
          finish();
          if (this.model && !this.model.contains(latitude, longitude)) { this.say(this._text('outside')); return; }
          this.say('');
          if (this._here) this._here.remove();
          this._here = L.layerGroup([
            L.circle([latitude, longitude], { radius: Math.min(accuracy || 30, 400), className: 'dm-accuracy', interactive: false }),
            L.circleMarker([latitude, longitude], { radius: 7, className: 'dm-here', interactive: false }),
          ]).addTo(this.map);
          this._picked = true;
          this.map.setView([latitude, longitude], Math.max(this.map.getZoom(), STREET_LEVEL));
          this.element.dispatchEvent(new CustomEvent('district-map:located', { bubbles: true, detail: { latitude, longitude, accuracy } }));
        },
        (error) => { finish(); this.say(this._text(error.code === 1 ? 'locate_refused' : 'locate_failed')); },
      );
    }

    // ------------------------------------------------------------ pins

    setMarker(latitude, longitude, options) {
      const { title, kind, draggable, onMove } = options || {};
      if (this._marker) this._marker.remove();
      this._marker = L.marker([latitude, longitude], {
        icon: pinIcon(kind), title: title || '', alt: title || '', keyboard: Boolean(title), draggable: Boolean(draggable), interactive: Boolean(title || draggable),
      }).addTo(this.map);
      if (draggable && onMove) this._marker.on('moveend', () => { const at = this._marker.getLatLng(); onMove(at.lat, at.lng); });
      return this._marker;
    }

    clearMarker() { if (this._marker) { this._marker.remove(); this._marker = null; } }

    async _list(source) {
      const list = typeof source === 'string' ? await fetchJson(source) : source;
      return Array.isArray(list) ? list : list.items || list.reports || list.facilities || [];
    }

    /** Reports: {latitude, longitude, title, status (open, working, solved, refused), url, detail}. Clustered where the plug-in is there. */
    async addReports(source, options) {
      const list = await this._list(source);
      const layer = L.markerClusterGroup
        ? L.markerClusterGroup({ showCoverageOnHover: false, maxClusterRadius: 46, animate: !calm, iconCreateFunction: clusterIcon })
        : L.layerGroup();
      for (const report of list) {
        if (!Number.isFinite(report.latitude) || !Number.isFinite(report.longitude)) continue;
        const marker = L.marker([report.latitude, report.longitude], { icon: pinIcon(report.status || 'open', true), title: report.title, alt: report.title });
        marker.bindPopup(() => popup(report), { maxWidth: 260, minWidth: 160 });
        layer.addLayer(marker);
      }
      layer.addTo(this.map);
      if (options && options.fit && list.length) {
        const bounds = L.latLngBounds(list.filter((r) => Number.isFinite(r.latitude)).map((r) => [r.latitude, r.longitude]));
        if (bounds.isValid()) this.map.fitBounds(bounds, { maxZoom: 16, padding: [30, 30], animate: false });
      }
      return layer;
    }

    /** Facilities: {latitude, longitude, name, url, code}. Dots on canvas, so that thousands stay quick; from zoom 16 on. */
    async addFacilities(source, options) {
      const list = await this._list(source);
      const renderer = L.canvas({ padding: 0.3 });
      const layer = L.layerGroup();
      for (const facility of list) {
        if (!Number.isFinite(facility.latitude)) continue;
        const dot = L.circleMarker([facility.latitude, facility.longitude], { renderer, radius: 6, weight: 2, color: '#ffffff', fillColor: '#2a6fb0', fillOpacity: 1 });
        dot.bindTooltip(facility.name || facility.code || '', { direction: 'top', offset: [0, -6] });
        if (options && options.onChoose) dot.on('click', (event) => { L.DomEvent.stopPropagation(event); options.onChoose(facility); });
        else if (facility.url) dot.bindPopup(() => popup({ title: facility.name, detail: facility.code, url: facility.url }));
        layer.addLayer(dot);
      }
      const from = (options && options.from) || 16;
      const show = () => (this.map.getZoom() >= from ? layer.addTo(this.map) : layer.remove());
      this.map.on('zoomend', show);
      show();
      return layer;
    }

    // ------------------------------------------------------------ picking a place

    /**
     * The pin stands still in the middle and the map moves under it: good for a thumb, for a mouse (a click brings the
     * spot to the middle) and for the arrow keys. Called with {latitude, longitude, description, inside} once the
     * person has moved the map, pressed "where am I" or opened with a place.
     */
    onPick(callback) {
      this._pickers.push(callback);
      if (!this._crosshair) this._startPicking();
      return this;
    }

    _startPicking() {
      this._crosshair = L.DomUtil.create('div', 'dm-crosshair', this.element);
      this._crosshair.setAttribute('aria-hidden', 'true');
      this._crosshair.append(pinIcon('place').options.html);
      this.clearMarker();
      this._picked = this._placed;
      this.element.setAttribute('aria-label', this._text('pick') || this._text('map'));
      this.map.on('dragstart', () => { this._picked = true; this._crosshair.classList.add('dm-lifted'); });
      this.map.on('keydown', (event) => { if (/^Arrow/.test(event.originalEvent.key)) this._picked = true; });
      this.map.on('click', (event) => { this._picked = true; this.map.setView(event.latlng, Math.max(this.map.getZoom(), 16)); });
      this.map.on('moveend', () => { this._crosshair.classList.remove('dm-lifted'); this._tellPick(); });
    }

    _tellPick() {
      if (!this._crosshair || !this._picked || !this.model) return;
      const at = this.map.getCenter();
      const latitude = Math.round(at.lat * 1e6) / 1e6, longitude = Math.round(at.lng * 1e6) / 1e6;
      const inside = this.model.contains(latitude, longitude);
      const description = this.describe(latitude, longitude);
      if (!inside) this.say(this._text('outside'));
      for (const callback of this._pickers) callback({ latitude, longitude, inside, description });
    }

    /** "Near such a road", or '' where nothing with a name is near. */
    describe(latitude, longitude) {
      if (!this.model) return '';
      const { compound, poi, road } = this.model.describe(latitude, longitude);
      const names = [compound || road, poi].filter((name, i, all) => name && all.indexOf(name) === i);
      return names.length ? this._text('near', { place: names.join(' · ') }) || names.join(' · ') : '';
    }

    /** Call after the element was shown or resized. */
    resized() { this.map.invalidateSize(); return this; }
  }

  function clusterIcon(cluster) {
    const count = cluster.getChildCount();
    const badge = document.createElement('span');
    badge.textContent = String(count);
    const size = count < 10 ? 36 : count < 100 ? 42 : 50;
    return L.divIcon({ html: badge, className: `dm-cluster dm-cluster-${size}`, iconSize: [size, size] });
  }

  function popup({ title, detail, url, link }) {
    const box = document.createElement('div');
    box.className = 'dm-popup';
    const head = document.createElement('strong');
    head.textContent = title || '';
    box.append(head);
    if (detail) {
      const line = document.createElement('div');
      line.textContent = detail;
      box.append(line);
    }
    if (url) {
      const anchor = document.createElement('a');
      anchor.href = url;
      anchor.textContent = link || '→';
      if (!link && title) anchor.setAttribute('aria-label', title);
      box.append(anchor);
    }
    return box;
  }

  // ---------------------------------------------------------------- from a page's own attributes

  function optionsOf(element) {
    const data = element.dataset;
    const number = (value) => (value === undefined || value === '' ? undefined : Number(value));
    let texts = {};
    if (data.texts) {
      const source = data.texts.startsWith('#') ? document.querySelector(data.texts).textContent : data.texts;
      texts = JSON.parse(source);
    }
    return {
      latitude: number(data.latitude), longitude: number(data.longitude), zoom: number(data.zoom), marker: 'marker' in data,
      title: data.title, tileUrl: data.tileUrl || '', root: data.mapRoot || '/map', texts, embedded: 'embedded' in data,
      version: data.mapVersion, buildingsFrom: number(data.buildingsFrom), locate: data.locate !== 'off',
    };
  }

  function fromElement(element) {
    if (element.districtMap) return element.districtMap;
    const view = new DistrictMap(element, optionsOf(element));
    element.districtMap = view;
    const { pick, reports, facilities } = element.dataset;
    if (pick !== undefined) {
      const form = element.closest('form');
      view.onPick((place) => {
        if (!form) return;
        for (const name of ['latitude', 'longitude']) {
          const input = form.elements.namedItem(name);
          if (input) input.value = place[name].toFixed(6);
        }
        for (const label of form.querySelectorAll('[data-place-name]')) label.textContent = place.description || `${place.latitude.toFixed(5)}, ${place.longitude.toFixed(5)}`;
        element.dispatchEvent(new CustomEvent('district-map:picked', { bubbles: true, detail: place }));
      });
    }
    if (reports) view.ready.then(() => view.addReports(reports)).catch(() => {});
    if (facilities) view.ready.then(() => view.addFacilities(facilities)).catch(() => {});
    view.ready.catch(() => {});
    return view;
  }

  global.DistrictMap = {
    create: (element, options) => {
      const view = new DistrictMap(element, { ...optionsOf(element), ...options });
      element.districtMap = view;
      view.ready.catch(() => {});
      return view;
    },
    of: fromElement,
    start: (root) => {
      for (const element of (root || document).querySelectorAll('[data-district-map]')) fromElement(element);
    },
    TEXTS,
  };

  const begin = () => global.DistrictMap.start(document);
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin); else begin();
  // Parts of a page that htmx brings later.
  document.addEventListener('htmx:load', (event) => global.DistrictMap.start(event.target.parentNode || document));
})(window);
