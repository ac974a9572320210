/* Inside WeChat's browser: our page is signed for its script, which then knows the place and shows the consent button. */
(function () {
  'use strict';

  const PATIENCE_MS = 8000;

  /** Resolves when WeChat has accepted our signature; rejects when there is no script, no signature, or no answer. */
  const ready = new Promise((done, failed) => {
    if (!window.wx || !window.wx.config) { failed(new Error('no script')); return; }
    setTimeout(() => failed(new Error('no answer')), PATIENCE_MS);
    // WeChat signs the address without its fragment, as the browser shows it now.
    const address = location.href.split('#')[0];
    fetch('/api/v1/jssdk?url=' + encodeURIComponent(address), { headers: { Accept: 'application/json' } })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error('no signature'))))
      .then((signed) => {
        wx.ready(done);
        wx.error(failed);
        wx.config({ ...signed, debug: false, jsApiList: ['getLocation'], openTagList: ['wx-open-subscribe'] });
      })
      .catch(failed);
  });

  /** Where the telephone is, in WGS-84: WeChat may know it although the page may not ask the browser. */
  function locate() {
    return ready.then(() => new Promise((done, failed) => {
      wx.getLocation({
        type: 'wgs84',
        success: (place) => done({
          latitude: Number(place.latitude), longitude: Number(place.longitude), accuracy: Number(place.accuracy) || undefined,
        }),
        cancel: () => failed(Object.assign(new Error('refused'), { code: 1 })),
        fail: () => failed(new Error('failed')),
      });
    }));
  }
  window.districtLocate = locate;

  /** WeChat's own button: it alone may ask for consent. Its looks and words are templates that WeChat draws. */
  function consentButton(templates, label) {
    const button = document.createElement('wx-open-subscribe');
    button.setAttribute('template', templates);
    const piece = (html, slot) => {
      const script = document.createElement('script');
      script.type = 'text/wxtag-template';
      if (slot) script.slot = slot;
      script.textContent = html;
      button.append(script);
    };
    piece('<style>.agree{display:block;width:100%;padding:13px 0;border:0;border-radius:8px;background:#07794a;color:#fff;font-size:17px;font-weight:600}</style>', 'style');
    const inner = document.createElement('button');
    inner.className = 'agree';
    inner.textContent = label;
    piece(inner.outerHTML);
    return button;
  }

  function begin() {
    const box = document.querySelector('[data-consent]');
    if (!box) return;
    const say = (name) => {
      for (const line of document.querySelectorAll('[data-consent-says]')) line.hidden = line.dataset.consentSays !== name;
    };
    const button = consentButton(box.dataset.templates, box.dataset.label);
    button.addEventListener('success', (event) => {
      const details = (event.detail || {}).subscribeDetails || '';
      say(String(details).includes('accept') ? 'accepted' : 'refused');
    });
    button.addEventListener('error', () => say('away'));
    box.append(button);
    ready.then(() => { box.hidden = false; say(''); }, () => say('away'));
  }
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin); else begin();
})();
