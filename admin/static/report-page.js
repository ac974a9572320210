/*
 * What only the report's page does: prepared replies and names go into the text, and who else is here is asked.
 * Everything works without it, only less kindly.
 */
(function () {
  'use strict';

  const $ = (selector, root) => (root || document).querySelector(selector);

  document.addEventListener('click', (event) => {
    const offer = event.target.closest('[data-reply-offer]');
    if (!offer) return;
    const area = $(offer.dataset.replyOffer);
    area.value = area.value.trim() ? `${area.value.trim()}\n${offer.dataset.words}` : offer.dataset.words;
    area.dispatchEvent(new CustomEvent('reply:filled', { bubbles: true }));
    area.focus();
  });

  // ---------------------------------------------------------------- who else is here

  const HERE_EVERY_S = 10, HIDDEN_EVERY_S = 45;
  const form = $('#here-form');
  if (form) {
    let last = 0;
    const say = () => {
      last = Date.now();
      const sheet = $('#sheet[open] .sheet-form');
      form.elements.doing.value = sheet ? sheet.dataset.action : '';
      document.body.dispatchEvent(new CustomEvent('panel:here'));
    };
    setInterval(() => {
      const wait = document.visibilityState === 'visible' ? HERE_EVERY_S : HIDDEN_EVERY_S;
      if (Date.now() - last >= wait * 1000) say();
    }, 1000);
    document.addEventListener('htmx:afterSettle', (event) => {
      const target = event.detail.target;
      if (target && target.id === 'sheet-body') say();
      // An open form lies over the page: it is said there, too.
      if (target && target.id === 'here' && $('#here-sheet')) $('#here-sheet').replaceChildren(...[...target.children].map((one) => one.cloneNode(true)));
    });
    const sheet = $('#sheet');
    if (sheet) sheet.addEventListener('close', say);
    document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible') say(); });
    window.addEventListener('pagehide', () => {
      const gone = new FormData(form);
      gone.set('left', '1');
      navigator.sendBeacon(form.dataset.here, gone);
    });
    window.addEventListener('load', say);
  }

  // ---------------------------------------------------------------- names in notes

  // The word after the last @ before the cursor, as long as it has no blank in it.
  const calling = (area) => /@([^\s@]{0,20})$/.exec(area.value.slice(0, area.selectionStart));

  document.addEventListener('input', (event) => {
    const box = $('[data-mentions]');
    if (!box || event.target !== $(box.dataset.mentions)) return;
    const call = calling(event.target);
    if (call) box.open = true;
    const asked = call ? call[1].toLowerCase() : '';
    for (const one of box.querySelectorAll('[data-mention]')) one.hidden = !one.dataset.find.includes(asked);
  });

  document.addEventListener('click', (event) => {
    const one = event.target.closest('[data-mention]');
    if (!one) return;
    const box = one.closest('[data-mentions]'), area = $(box.dataset.mentions);
    const call = calling(area), at = area.selectionStart;
    const before = area.value.slice(0, call ? at - call[0].length : at), after = area.value.slice(at);
    const put = `@${one.dataset.mention} `;
    area.value = `${before}${put}${after}`;
    area.focus();
    area.setSelectionRange(before.length + put.length, before.length + put.length);
    for (const other of box.querySelectorAll('[data-mention]')) other.hidden = false;
  });

  // ---------------------------------------------------------------- before and after

  for (const figure of document.querySelectorAll('[data-compare]')) {
    const frame = $('.compare-frame', figure), slider = $('input', figure);
    figure.hidden = false;
    slider.addEventListener('input', () => frame.style.setProperty('--at', `${slider.value}%`));
  }

  // ---------------------------------------------------------------- how far from the report a check is made

  const METRES_A_DEGREE = 111320;

  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-spot-ask]')) return;
    const box = event.target.closest('[data-spot]'), said = $('[data-spot-said]', box);
    const texts = JSON.parse(box.dataset.texts);
    const say = (text, isFar) => { said.textContent = text; said.classList.toggle('is-far', Boolean(isFar)); };
    if (!navigator.geolocation) { say(texts.failed, true); return; }
    say(texts.asking);
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      $('[name=at_latitude]', box).value = coords.latitude.toFixed(6);
      $('[name=at_longitude]', box).value = coords.longitude.toFixed(6);
      const north = (coords.latitude - Number(box.dataset.latitude)) * METRES_A_DEGREE;
      const east = (coords.longitude - Number(box.dataset.longitude)) * METRES_A_DEGREE * Math.cos((coords.latitude * Math.PI) / 180);
      const metres = Math.round(Math.hypot(north, east)), isFar = metres > Number(box.dataset.limit);
      say((isFar ? texts.warn : texts.at).replace('{n}', metres).replace('{limit}', box.dataset.limit), isFar);
    }, () => say(texts.failed, true), { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 });
  });
})();
