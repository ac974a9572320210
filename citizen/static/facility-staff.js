/* Check-ins: asks the phone where it is when the form is opened. Without an answer it is sent without a place. */
(function () {
  'use strict';

  function begin() {
    for (const form of document.querySelectorAll('form[data-where]')) {
      const box = form.closest('details');
      if (box && !box.open) box.addEventListener('toggle', () => ask(form), { once: true });
      else ask(form);
    }
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
