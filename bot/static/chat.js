/* The chat window: shows the log, sends messages, picks places and codes. All words come from the page. */
(function () {
  'use strict';
  const $ = (id) => document.getElementById(id);
  const texts = JSON.parse($('texts').textContent);
  const csrf = document.querySelector('meta[name="csrf-token"]').content;
  const icons = document.querySelector('.round use').getAttribute('href').split('#')[0];
  const log = $('log');
  let last = 0;
  let scanKey = 'SCAN';
  let view = null;
  let place = null;

  function make(tag, name, text) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text) element.textContent = text;
    return element;
  }

  function icon(name) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('class', 'icon');
    svg.setAttribute('aria-hidden', 'true');
    const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
    use.setAttribute('href', `${icons}#${name}`);
    svg.append(use);
    return svg;
  }

  // WeChat opens a link inside itself; so does this window, with pages of its own server.
  function leadsInside(anchor) {
    anchor.target = '_blank';
    anchor.rel = 'noopener';
    anchor.addEventListener('click', (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || new URL(anchor.href).origin !== location.origin) return;
      event.preventDefault();
      openPage(anchor.href);
    });
  }

  function openPage(address) {
    $('page').src = address;
    $('page-outside').href = address;
    $('page-title').textContent = '';
    openSheet($('page-sheet'));
  }

  // Replies may hold simple links and nothing else: each becomes a link element, the rest stays text.
  function words(text, into) {
    const link = /<a href="((?:https?|weixin):\/\/[^"<>]+)">([^<]*)<\/a>/g;
    let from = 0;
    for (const found of text.matchAll(link)) {
      into.append(text.slice(from, found.index));
      into.append(found[1].startsWith('weixin:') ? spoken(found[1], found[2]) : led(found[1], found[2]));
      from = found.index + found[0].length;
    }
    into.append(text.slice(from));
  }

  function led(address, line) {
    const anchor = make('a', '', line);
    anchor.href = address;
    leadsInside(anchor);
    return anchor;
  }

  // WeChat sends the content of such a link as if it had been typed.
  function spoken(address, line) {
    const button = make('button', 'spoken', line);
    button.type = 'button';
    const content = new URLSearchParams(address.split('?')[1] || '').get('msgmenucontent');
    button.addEventListener('click', () => send({ kind: 'text', text: content }));
    return button;
  }

  function bubble(entry) {
    if (entry.kind === 'system') return make('p', 'system', entry.text);
    const row = make('div', `row ${entry.side}`);
    const face = make('div', 'face');
    face.append(icon(entry.side === 'mine' ? 'user' : 'circle-check'));
    const body = make('div', 'bubble');
    if (entry.kind === 'image') {
      body.classList.add('picture');
      const image = make('img');
      image.alt = texts.picture;
      image.src = `/chat/media/${entry.media}`;
      image.addEventListener('load', toEnd);
      body.append(image);
    } else if (entry.kind === 'location') {
      body.classList.add('place-card');
      body.append(icon('map-pin'), make('span', '', entry.text || `${entry.latitude.toFixed(5)}, ${entry.longitude.toFixed(5)}`));
    } else if (entry.kind === 'voice') {
      body.classList.add('place-card');
      body.append(icon('volume'), make('span', '', entry.text || texts.voice));
    } else if (entry.kind === 'card') {
      body.classList.add('card');
      body.append(make('strong', '', texts.pushed));
      for (const line of entry.lines) body.append(make('p', '', line));
      if (/^https?:/.test(entry.url)) {
        const anchor = make('a', '', texts.details);
        anchor.href = entry.url;
        leadsInside(anchor);
        body.append(anchor);
      }
    } else {
      words(entry.text, body);
    }
    row.append(face, body);
    return row;
  }

  function toEnd() { log.scrollTop = log.scrollHeight; }

  let lastAt = 0;
  function stamp(at) {
    if (at - lastAt < 300000) return;
    lastAt = at;
    log.append(make('p', 'system', new Date(at).toLocaleTimeString(document.documentElement.lang, { hour: '2-digit', minute: '2-digit' })));
  }

  let asking = false;
  async function refresh() {
    if (asking) return;
    asking = true;
    try {
      const answer = await fetch(`/chat/log?after=${last}`, { credentials: 'same-origin' });
      if (!answer.ok) return;
      const { entries } = await answer.json();
      for (const entry of entries) {
        if (entry.number <= last) continue;
        last = entry.number;
        stamp(entry.at);
        log.append(bubble(entry));
      }
      if (entries.length) toEnd();
      $('follow').closest('p').hidden = last > 0;
    } catch (error) {
      // The server is away for a moment: the next turn asks again.
    } finally {
      asking = false;
    }
  }

  async function send(fields) {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    $('trouble').hidden = true;
    $('send').disabled = true;
    try {
      const answer = await fetch('/chat/send', { method: 'POST', body, headers: { 'X-CSRFToken': csrf }, credentials: 'same-origin' });
      if (!answer.ok) {
        const told = await answer.json().catch(() => ({}));
        throw new Error(told.error || texts.failed);
      }
      return true;
    } catch (error) {
      $('trouble').textContent = error instanceof TypeError ? texts.failed : error.message;
      $('trouble').hidden = false;
      return false;
    } finally {
      $('send').disabled = false;
      await refresh();
    }
  }

  function showPanel(open) {
    $('panel').hidden = !open;
    $('plus').setAttribute('aria-expanded', String(open));
    if (open) toEnd();
  }

  const text = $('text');
  text.addEventListener('input', () => {
    const some = text.value.trim() !== '';
    $('send').hidden = !some;
    $('plus').hidden = some;
    text.style.height = 'auto';
    text.style.height = `${Math.min(text.scrollHeight + 2, 120)}px`;
  });
  text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      $('form').requestSubmit();
    }
  });
  $('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const value = text.value.trim();
    if (!value) return;
    text.value = '';
    text.dispatchEvent(new Event('input'));
    if (!(await send({ kind: 'text', text: value }))) {
      text.value = value; // nothing typed is lost
      text.dispatchEvent(new Event('input'));
    }
  });
  $('plus').addEventListener('click', () => showPanel($('panel').hidden));
  $('follow').addEventListener('click', () => send({ kind: 'follow' }));
  $('sample-tile').addEventListener('click', async () => {
    showPanel(false);
    await send({ kind: 'image', photo: new File([await samplePicture()], 'sample.jpg', { type: 'image/jpeg' }) });
  });
  $('voice-tile').addEventListener('click', () => { openSheet($('voice-sheet')); $('voice-words').focus(); });
  $('voice-send').addEventListener('click', async () => {
    const said = $('voice-words').value.trim();
    $('voice-words').value = '';
    $('voice-sheet').close();
    await send({ kind: 'voice', text: said });
  });
  $('people').addEventListener('click', () => openSheet($('people-sheet')));
  $('leave').addEventListener('click', async () => {
    $('people-sheet').close();
    await send({ kind: 'leave' });
  });
  $('page').addEventListener('load', () => {
    try { $('page-title').textContent = $('page').contentDocument.title; } catch (error) { /* another server's page has no title for us */ }
  });
  $('page-sheet').addEventListener('close', () => { $('page').src = 'about:blank'; });
  $('photo-tile').addEventListener('click', () => $('photo').click());
  $('photo').addEventListener('change', async () => {
    const [file] = $('photo').files;
    if (file) await send({ kind: 'image', photo: file });
    $('photo').value = '';
    showPanel(false);
  });

  // A picture for whoever has none at hand: a broken cover on a grey street, drawn here and now.
  function samplePicture() {
    const canvas = make('canvas');
    canvas.width = 900;
    canvas.height = 680;
    const pen = canvas.getContext('2d');
    pen.fillStyle = '#8d9196';
    pen.fillRect(0, 0, 900, 680);
    for (let index = 0; index < 2600; index += 1) {
      pen.fillStyle = `rgba(${index % 2 ? '255,255,255' : '0,0,0'},${Math.random() * 0.12})`;
      pen.fillRect(Math.random() * 900, Math.random() * 680, 3, 3);
    }
    pen.fillStyle = '#d9b84a';
    pen.fillRect(60, 0, 22, 680);
    pen.fillStyle = '#15171a';
    pen.beginPath();
    pen.ellipse(480, 360, 230, 170, 0, 0, 7);
    pen.fill();
    pen.fillStyle = '#4d5258';
    pen.beginPath();
    pen.ellipse(560, 300, 210, 150, 0.5, 0.4, 3.9);
    pen.fill();
    pen.strokeStyle = '#2c3035';
    pen.lineWidth = 9;
    for (let index = -4; index < 5; index += 1) {
      pen.beginPath();
      pen.moveTo(440 + index * 36, 190);
      pen.lineTo(560 + index * 36, 330);
      pen.stroke();
    }
    return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.85));
  }

  function openSheet(sheet) {
    showPanel(false);
    sheet.show();
  }
  for (const close of document.querySelectorAll('[data-close]')) {
    close.addEventListener('click', () => close.closest('dialog').close());
  }
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') for (const sheet of document.querySelectorAll('dialog[open]')) sheet.close();
  });

  $('place-tile').addEventListener('click', () => {
    openSheet($('place-sheet'));
    if (!view) {
      view = window.DistrictMap.create($('map'), { pick: true, texts, mapVersion: texts.map_version, tileUrl: texts.tile_url || undefined });
      view.onPick((picked) => {
        place = picked;
        $('place-name').textContent = picked.description || '';
      });
    }
    view.map.invalidateSize();
  });
  $('place-send').addEventListener('click', async () => {
    // A map that is still coming has no middle.
    await view.ready.catch(() => {});
    const centre = place || (() => { const c = view.map.getCenter(); return { latitude: c.lat, longitude: c.lng, description: view.describe(c.lat, c.lng) || '' }; })();
    $('place-sheet').close();
    await send({ kind: 'location', latitude: centre.latitude, longitude: centre.longitude, label: centre.description || '' });
  });

  let waiting = 0;
  let asked = 0;
  let held = null;
  // What a finger is on is not replaced before it has gone up and the tap has been counted.
  $('found').addEventListener('pointerdown', () => {
    held = new Promise((go) => {
      for (const kind of ['pointerup', 'pointercancel']) document.addEventListener(kind, () => setTimeout(go, 300), { once: true });
    });
  });
  async function search() {
    asked += 1;
    const mine = asked;
    let facilities;
    try {
      const answer = await fetch(`/chat/facilities?q=${encodeURIComponent($('scan-search').value)}`, { credentials: 'same-origin' });
      if (!answer.ok) return;
      ({ facilities } = await answer.json());
    } catch (error) { return; /* the server is away: what was found stays, and the next letter asks again */ }
    await held;
    // An earlier question may be answered later; its list must not take the place of what is about to be tapped.
    if (mine !== asked) return;
    $('found').replaceChildren();
    if (!facilities.length) { const item = make('li'); item.append(make('p', '', texts.scan_empty)); $('found').append(item); }
    for (const one of facilities) {
      const item = make('li');
      const button = make('button', '', one.name);
      button.type = 'button';
      button.append(make('small', '', one.address));
      button.addEventListener('click', async () => {
        $('scan-sheet').close();
        await send({ kind: 'scan', token: one.token, name: one.name, key: scanKey });
      });
      const code = make('img', 'code');
      code.src = one.code;
      code.alt = `${texts.code} ${one.name}`;
      code.loading = 'lazy';
      const page = make('a', 'page-link', texts.open_page);
      page.href = one.page;
      leadsInside(page);
      page.addEventListener('click', () => $('scan-sheet').close());
      item.append(code, button, page);
      $('found').append(item);
    }
  }
  function scan(key) {
    scanKey = key;
    openSheet($('scan-sheet'));
    search();
    $('scan-search').focus();
  }
  $('scan-search').addEventListener('input', () => { asked += 1; clearTimeout(waiting); waiting = setTimeout(search, 250); });
  $('scan-tile').addEventListener('click', () => scan(document.querySelector('[data-scan]').dataset.scan));
  for (const button of document.querySelectorAll('.menu button')) {
    button.addEventListener('click', () => {
      const group = button.closest('details');
      if (group) group.open = false;
      if (button.dataset.scan) scan(button.dataset.scan);
      else send({ kind: 'click', key: button.dataset.click });
    });
  }

  refresh();
  setInterval(() => { if (!document.hidden) refresh(); }, 1500);
}());
