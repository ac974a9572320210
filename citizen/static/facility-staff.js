/* Check-ins: asks the phone where it is when the form is opened. Without an answer it is sent without a place. A fault
   needs a problem or words, asked for before anything is sent: a page that comes back has lost its pictures. */
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
