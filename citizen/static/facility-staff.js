/* Check-ins: asks the phone where it is when the form is opened. Without an answer it is sent without a place. A fault
   needs a problem or words, asked for before anything is sent.
   Both forms are sent without leaving the page: what the server refuses, or no network takes, is still there with its
   pictures. */
(function () {
  'use strict';

  function begin() {
    for (const form of document.querySelectorAll('form[data-where]')) {
      const box = form.closest('details');
      if (box && !box.open) box.addEventListener('toggle', () => ask(form), { once: true });
      else ask(form);
      form.addEventListener('input', () => need(form));
      need(form);
    }
    for (const form of document.querySelectorAll('form[data-stay]')) {
      form.addEventListener('submit', (event) => {
        if (event.defaultPrevented) return;
        event.preventDefault();
        send(form);
      });
    }
  }

  async function send(form) {
    say(form, '');
    let answer, page;
    try {
      answer = await fetch(form.action, { method: 'POST', body: new FormData(form), credentials: 'same-origin' });
      page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    } catch {
      say(form, form.dataset.offline);
      return;
    }
    const here = new URL(location.href);
    const there = new URL(answer.url);
    if (answer.ok && answer.redirected && there.pathname === here.pathname) {
      location.assign(there.pathname + there.search + '#content');
      return;
    }
    const back = page.querySelector(`form[action="${form.getAttribute('action')}"]`);
    // The same form with what is wrong in it; or a page of its own, whose heading says what is the matter.
    const wrong = back ? [...back.querySelectorAll('.wrong')] : [...page.querySelectorAll('h1')].slice(0, 1);
    say(form, answer.redirected ? form.dataset.login : wrong.map((one) => one.textContent.trim()).join(' ') || form.dataset.offline);
  }

  /** Beside the button that was tapped; it can be tapped again. */
  function say(form, words) {
    const place = form.querySelector('[data-said]');
    place.textContent = words;
    place.hidden = !words;
    if (!words) return;
    form.dispatchEvent(new CustomEvent('form:stays'));
    place.focus();
  }

  function need(form) {
    const { result, note } = form.elements;
    const isNeeded = result.value === 'faulty' && !note.value.trim();
    for (const one of form.querySelectorAll('input[name="problem"]')) one.required = isNeeded;
  }

  function ask(form) {
    const said = form.querySelector('[data-where-said]');
    if (!navigator.geolocation || !window.isSecureContext) { said.textContent = said.dataset.unknown; return; }
    said.textContent = said.dataset.asking;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        // WGS-84, as the browser gives it.
        form.elements.at_latitude.value = coords.latitude.toFixed(6);
        form.elements.at_longitude.value = coords.longitude.toFixed(6);
        said.textContent = said.dataset.known;
      },
      () => { said.textContent = said.dataset.unknown; },
      { enableHighAccuracy: true, timeout: 12000, maximumAge: 30000 },
    );
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin); else begin();
})();
