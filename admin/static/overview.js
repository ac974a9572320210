/*
 * Both screens of the overview: asks for new figures, draws the map's bubbles and heat, keeps the clock.
 *
 * A wall runs for weeks: nothing is added that is not taken away, one request runs at a time and is given up after a
 * while, and a wall loads itself anew once a day, at night, while the network is there.
 */
(function () {
  'use strict';

  const root = document.getElementById('overview');
  if (!root) return;
  const EVERY_MS = 15000, GIVE_UP_MS = 12000, STALE_MS = 45000, TICKER_MS = 6000, HEAT_MS = 30000, NIGHT_HOUR = 4;
  const wall = 'wall' in root.dataset;
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const texts = read('overview-texts');
  const fill = (text, values) => Object.entries(values).reduce((all, [name, value]) => all.replace(`{${name}}`, value), text || '');
  const $ = (selector) => root.querySelector(selector);

  // ---------------------------------------------------------------- time, as the server has it

  let ahead = 0; // milliseconds that this machine's clock is ahead of the server's
  const now = () => new Date(Date.now() - ahead);
  const tag = document.documentElement.lang === 'en' ? 'en-GB' : 'zh-CN';
  const zone = root.dataset.zone;
  const clockWords = new Intl.DateTimeFormat(tag, { timeZone: zone, hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  const minuteWords = new Intl.DateTimeFormat(tag, { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const dayWords = new Intl.DateTimeFormat(tag, { timeZone: zone, year: 'numeric', month: 'long', day: 'numeric' });
  const weekdayWords = new Intl.DateTimeFormat(tag, { timeZone: zone, weekday: 'long' });

  const say = (element, words) => { if (element && element.textContent !== words) element.textContent = words; };
  const clock = document.getElementById('overview-clock'), date = document.getElementById('overview-date');
  function tick() {
    const moment = now();
    say(clock, clockWords.format(moment));
    say(date, `${dayWords.format(moment)} ${weekdayWords.format(moment)}`);
  }
  if (clock) { tick(); setInterval(tick, 1000); }

  // ---------------------------------------------------------------- the map

  let bubbles = null, heat = null, view = null, drawn = '';
  const box = document.getElementById('overview-map');

  function bubble(cell) {
    const kind = cell.critical ? 'critical' : cell.urgent ? 'urgent' : 'normal';
    const size = Math.round(16 + Math.min(26, 7 * Math.log2(cell.open)));
    const face = document.createElement('span');
    face.textContent = cell.open > 1 ? String(cell.open) : '';
    const icon = L.divIcon({ html: face, className: `ov-dot ov-dot-${kind}${cell.overdue ? ' ov-dot-late' : ''}`, iconSize: [size, size] });
    const words = fill(texts.cell, { n: cell.open });
    const marker = L.marker([cell.latitude, cell.longitude], { icon, interactive: !wall, keyboard: !wall, title: wall ? '' : words, alt: words, zIndexOffset: cell.critical ? 2000 : cell.urgent ? 1000 : 0 });
    if (!wall) marker.bindPopup(() => popup(cell, words), { maxWidth: 240, minWidth: 150 });
    return marker;
  }

  function popup(cell, words) {
    const inside = document.createElement('div');
    inside.className = 'dm-popup';
    const head = document.createElement('strong');
    head.textContent = words;
    const line = document.createElement('div');
    line.textContent = ['critical', 'urgent', 'overdue'].filter((name) => cell[name]).map((name) => fill(texts[name], { n: cell[name] })).join(' · ');
    const link = document.createElement('a');
    link.href = cell.url;
    link.textContent = texts.oldest;
    inside.append(head, line, link);
    return inside;
  }

  function draw(cells) {
    const key = JSON.stringify(cells);
    if (!view || key === drawn) return;
    // An open bubble is being read: what is under it waits for the next time.
    if (box.querySelector('.leaflet-popup')) return;
    drawn = key;
    bubbles.clearLayers();
    heat.clearLayers();
    for (const cell of cells) {
      bubbles.addLayer(bubble(cell));
      const weight = Math.min(1, 0.25 + 0.12 * (cell.open + 2 * cell.urgent + 4 * cell.critical));
      heat.addLayer(L.circle([cell.latitude, cell.longitude], { pane: 'heat', radius: 170, stroke: false, className: `ov-heat-${cell.critical ? 'critical' : cell.urgent ? 'urgent' : 'normal'}`, fillOpacity: weight, interactive: false }));
    }
  }

  function showHeat(on) {
    box.classList.toggle('ov-heated', on);
    for (const button of document.querySelectorAll('[data-heat]')) button.setAttribute('aria-pressed', String((button.dataset.heat === 'on') === on));
  }

  if (box && window.L && window.DistrictMap) {
    view = window.DistrictMap.create(box, {});
    view.map.createPane('heat');
    heat = L.layerGroup().addTo(view.map);
    bubbles = L.layerGroup().addTo(view.map);
    view.ready.then(() => {
      const cells = read('overview-cells');
      const bounds = L.latLngBounds(cells.map((cell) => [cell.latitude, cell.longitude]));
      if (wall && bounds.isValid()) view.map.fitBounds(bounds, { maxZoom: 15, padding: [60, 60], animate: false });
      draw(cells);
    }, () => {});
    for (const button of document.querySelectorAll('[data-heat]')) button.addEventListener('click', () => showHeat(button.dataset.heat === 'on'));
    if (wall) setInterval(() => showHeat(!box.classList.contains('ov-heated')), HEAT_MS);
  }

  // ---------------------------------------------------------------- one alarm after the other

  let turn = 0;
  function nextAlarm() {
    const alarms = root.querySelectorAll('.ov-ticker .ov-alarm');
    if (!alarms.length) return;
    turn = (turn + 1) % alarms.length;
    alarms.forEach((alarm, index) => alarm.classList.toggle('ov-on', index === turn));
  }
  if (wall) { turn = -1; nextAlarm(); setInterval(nextAlarm, TICKER_MS); }

  // ---------------------------------------------------------------- new figures

  const stale = document.getElementById('overview-stale');
  const shown = {};
  let lastAt = Date.now(), running = false, ended = false, over = false;

  /** The link of this screen was turned off or has run out: nothing stays on it. */
  function finish() {
    over = true;
    const words = document.createElement('p');
    words.className = 'wall-over';
    words.setAttribute('role', 'status');
    words.textContent = texts.over;
    root.replaceChildren(words);
    root.classList.add('is-over');
  }

  function tellAge() {
    if (over) return;
    const late = ended || Date.now() - lastAt > STALE_MS || !navigator.onLine;
    document.body.classList.toggle('ov-is-stale', late);
    stale.hidden = !late;
    if (late) say(stale, `${fill(texts.stale, { time: minuteWords.format(new Date(lastAt - ahead)) })} · ${ended ? texts.ended : texts.why}`);
  }

  async function renew() {
    if (running || over) return;
    running = true;
    const stop = new AbortController();
    const limit = setTimeout(() => stop.abort(), GIVE_UP_MS);
    try {
      const answer = await fetch(root.dataset.source, { credentials: 'same-origin', cache: 'no-cache', redirect: 'manual', signal: stop.signal, headers: { Accept: 'application/json' } });
      if (answer.status === 410) { finish(); return; }
      ended = answer.type === 'opaqueredirect' || answer.status === 401 || answer.status === 403 || answer.status === 404;
      if (answer.ok) {
        const { parts, cells } = await answer.json();
        if (window.PanelLive) await window.PanelLive.lifted();
        const told = Date.parse(answer.headers.get('Date') || '');
        if (Number.isFinite(told)) ahead = Math.abs(Date.now() - told) > 3000 ? Date.now() - told : 0;
        for (const [name, html] of Object.entries(parts)) if (shown[name] !== html) put(name, html);
        draw(cells);
        lastAt = Date.now();
      }
    } catch {
      // No network, or too slow: the line above says how old the figures are, and the next time is soon.
    } finally {
      clearTimeout(limit);
      running = false;
      tellAge();
    }
  }

  function put(name, html) {
    const part = root.querySelector(`[data-part="${name}"]`);
    shown[name] = html;
    // A number that somebody is on with the keyboard must not vanish under them.
    if (!part || part.contains(document.activeElement)) { shown[name] = null; return; }
    part.innerHTML = html;
    if (wall && name === 'ticker') { turn -= 1; nextAlarm(); }
  }

  setInterval(() => { if (wall || document.visibilityState === 'visible') renew(); }, EVERY_MS);
  setInterval(tellAge, 5000);
  window.addEventListener('online', renew);
  window.addEventListener('offline', tellAge);
  document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible') renew(); });

  if (wall) {
    const born = Date.now();
    setInterval(() => {
      const hour = Number(new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', hourCycle: 'h23' }).format(now()));
      // Only with an answer that just came: a page that cannot be loaded would leave the wall empty.
      if (hour === NIGHT_HOUR && Date.now() - born > 7200000 && Date.now() - lastAt < EVERY_MS * 2) window.location.reload();
    }, 600000);
  }
})();
