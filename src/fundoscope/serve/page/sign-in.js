/** Asking for a token. */

import * as api from '/page/api.js';
import { button, field, make } from '/page/dom.js';
import { say } from '/page/language.js';

/** The question that is open: several answers of the service may ask for a token at once. */
let asked = null;

/** Ask until a token is valid; it is then kept in a cookie that scripts cannot read. */
export function ask() {
  asked ??= open().finally(() => { asked = null; });
  return asked;
}

function open() {
  return new Promise((resolve) => {
    const wrong = make('p.error', { role: 'alert' });
    const input = make('input', { type: 'password', autocomplete: 'current-password', required: true });
    const form = make('form', { onsubmit: submit },
      make('h1', { id: 'sign-in-title' }, say('page.sign_in')),
      make('p', {}, say('page.sign_in_why')),
      field(say('page.token'), input), wrong,
      button(say('page.sign_in'), null, { type: 'submit' }));
    let signedIn = false;
    const dialog = make('dialog', {
      'aria-labelledby': 'sign-in-title',
      oncancel: (event) => event.preventDefault(),
      // A second Escape closes it all the same in some browsers.
      onclose: () => { if (!signedIn) dialog.showModal(); },
    }, form);

    async function submit(event) {
      event.preventDefault();
      wrong.textContent = '';
      try {
        const session = await api.signIn(input.value.trim());
        signedIn = true;
        dialog.close();
        dialog.remove();
        resolve(session);
      } catch (problem) {
        wrong.textContent = problem.sentence || String(problem);
        input.focus();
      }
    }

    document.body.append(dialog);
    dialog.showModal();
  });
}
