/*
 * Makes <input type="file" data-photo-upload> kinder: pictures are turned upright, made smaller in the browser
 * (1600 px, JPEG), shown, and may be taken back one by one. The form itself is sent as ever: the input holds the
 * smaller files. Where a browser cannot do that, the input stays an ordinary one.
 *
 *   data-max           most pictures (default 9)
 *   data-preview       selector of the list that shows them
 *   data-texts         JSON: {"remove", "reading", "unreadable", "too_many"} ("{max}" is filled in)
 */
(function () {
  'use strict';

  const LONGEST_SIDE = 1600;
  const QUALITY = 0.82;
  const SMALL_ENOUGH = 350 * 1024;

  const canReplaceFiles = (() => {
    try { return Boolean(new DataTransfer().items.add); } catch { return false; }
  })();

  // Sent while pictures are still being made smaller: it goes as soon as they are, and nobody else hears of the first try.
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (!form.dataset.photosBusy) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (form.dataset.waits) return;
    form.dataset.waits = '1';
    const wait = setInterval(() => {
      if (form.dataset.photosBusy) return;
      clearInterval(wait);
      delete form.dataset.waits;
      form.requestSubmit(event.submitter);
    }, 150);
  }, true);

  async function decode(file) {
    if ('createImageBitmap' in window) {
      try { return await createImageBitmap(file, { imageOrientation: 'from-image' }); } catch { /* older browsers: below */ }
    }
    const address = URL.createObjectURL(file);
    try {
      const image = new Image();
      image.src = address;
      await image.decode();
      return image;
    } finally {
      URL.revokeObjectURL(address);
    }
  }

  /** The picture as a JPEG of at most 1600 px; the file itself when it is small already. Throws for what is no picture. */
  async function smaller(file) {
    const picture = await decode(file);
    const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
    if (scale === 1 && file.size <= SMALL_ENOUGH && file.type === 'image/jpeg') return file;
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(picture.width * scale);
    canvas.height = Math.round(picture.height * scale);
    const context = canvas.getContext('2d');
    context.fillStyle = '#ffffff'; // a transparent drawing must not turn black
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    if (picture.close) picture.close();
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
    if (!blob) throw new Error('no picture');
    const name = file.name.replace(/\.\w+$/, '') || 'photo';
    return new File([blob], `${name}.jpg`, { type: 'image/jpeg' });
  }

  function enhance(input) {
    if (input.photoUpload || !canReplaceFiles) return;
    input.photoUpload = true;
    const most = Number(input.dataset.max || 9);
    const texts = JSON.parse(input.dataset.texts || '{}');
    const list = document.querySelector(input.dataset.preview);
    const status = document.createElement('p');
    status.className = 'photo-status';
    status.setAttribute('role', 'status');
    list.after(status);
    let chosen = [];
    // Pictures of an earlier try that the server has kept already count as well.
    const kept = () => list.querySelectorAll('[data-kept-photo]').length;

    function write() {
      const transfer = new DataTransfer();
      for (const { file } of chosen) transfer.items.add(file);
      input.files = transfer.files;
      const full = chosen.length + kept() >= most;
      (input.closest('[data-photo-add]') || input).hidden = full;
      input.dispatchEvent(new CustomEvent('photo-upload:changed', { bubbles: true, detail: { count: chosen.length + kept() } }));
    }

    function show(entry) {
      const item = document.createElement('li');
      item.className = 'photo-item';
      const image = document.createElement('img');
      image.src = entry.address;
      image.alt = '';
      const remove = document.createElement('button');
      remove.type = 'button';
      remove.className = 'photo-remove';
      remove.setAttribute('aria-label', texts.remove || '×');
      remove.textContent = '×';
      remove.addEventListener('click', () => {
        chosen = chosen.filter((other) => other !== entry);
        URL.revokeObjectURL(entry.address);
        item.remove();
        write();
        input.focus();
      });
      item.append(image, remove);
      list.append(item);
    }

    // Whoever chooses again while pictures are still being read gets all of them, one choice after the other.
    let waiting = 0, turn = Promise.resolve();
    input.addEventListener('change', () => {
      const files = [...input.files];
      const form = input.form;
      waiting += 1;
      if (form) form.dataset.photosBusy = '1';
      turn = turn.then(() => take(files)).finally(() => {
        waiting -= 1;
        if (form && !waiting) delete form.dataset.photosBusy;
      });
    });

    async function take(files) {
      const room = most - chosen.length - kept();
      let trouble = files.length > room ? (texts.too_many || '').replace('{max}', most) : '';
      status.textContent = texts.reading || '';
      for (const file of files.slice(0, room)) {
        try {
          const small = await smaller(file);
          const entry = { file: small, address: URL.createObjectURL(small) };
          chosen.push(entry);
          show(entry);
        } catch {
          trouble = texts.unreadable || '';
        }
      }
      write();
      status.textContent = trouble;
    }

    list.addEventListener('click', (event) => {
      const button = event.target.closest('[data-remove-kept]');
      if (!button) return;
      button.closest('[data-kept-photo]').remove();
      write();
    });
  }

  function start(root) {
    for (const input of root.querySelectorAll('input[type=file][data-photo-upload]')) enhance(input);
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', () => start(document)); else start(document);
  document.addEventListener('htmx:load', (event) => start(event.target.parentNode || document));
})();
