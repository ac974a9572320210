/*
 * What only the report's page does: prepared replies go into the text.
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
})();
