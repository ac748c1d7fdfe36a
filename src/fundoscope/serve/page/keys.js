/**
 * Keys. Each view registers its own; a panel lists them. Single letters can be switched off (WCAG
 * 2.1.4), because they disturb people who dictate.
 */

import { button, make, toggle } from '/page/dom.js';
import { say } from '/page/language.js';
import { choose, chosen } from '/page/settings.js';

let bindings = [];
let letters = chosen('letters', true);

/**
 * Set the keys of a view; those of the view before are forgotten.
 * @param {Array<{key: string, text: string, run: (event: KeyboardEvent) => void}>} wanted `key` as
 *   KeyboardEvent has it, with `Ctrl+` before it where needed; `text` says what it does
 */
export function use(wanted) {
  bindings = [{ key: '?', text: say('page.keys'), run: help }, ...wanted];
}

/** Listen to the keyboard. */
export function listen() {
  document.addEventListener('keydown', (event) => {
    // Windows says Ctrl and Alt for AltGr, with which many keyboards write "[" and "]".
    const isAltGr = event.getModifierState?.('AltGraph');
    const withCtrl = (event.ctrlKey && !isAltGr) || event.metaKey;
    if ((event.altKey && !isAltGr) || isTyping(event, withCtrl)) return;
    const pressed = (withCtrl ? 'Ctrl+' : '') + event.key;
    const binding = bindings.find(({ key }) => key === pressed);
    if (!binding || (!letters && pressed.length === 1 && pressed !== '?')) return;
    event.preventDefault();
    binding.run(event);
  });
}

/** Whether a control wants the key for itself. */
function isTyping(event, withCtrl) {
  const { target, key } = event;
  if (document.querySelector('dialog[open]')) return true;
  if (withCtrl) return key === 'z' && target.matches('textarea, input');
  if (target.matches('textarea, select, input:not([type=checkbox]):not([type=radio])')) return true;
  if (target.matches('input[type=radio]') && key.startsWith('Arrow')) return true;
  if (target.closest('[data-own-keys]')) return key.startsWith('Arrow') || key === 'Delete';
  return target.matches('button, a, input, summary') && (key === 'Enter' || key === ' ');
}

/** Show the panel of keys. */
export function help() {
  const close = () => dialog.close();
  const rows = bindings.map(({ key, text }) =>
    make('tr', {}, make('td', {}, make('kbd', {}, nameOf(key))), make('td', {}, text)));
  const switched = toggle(say('page.letters'), letters, (on) => {
    letters = on;
    choose('letters', on);
  });
  const dialog = make('dialog.help', { 'aria-labelledby': 'help-title', onclose: () => dialog.remove() },
    make('h2', { id: 'help-title' }, say('page.keys')),
    make('p.row', {}, button(say('page.close'), close), switched),
    make('table', {}, make('tbody', {}, rows)),
    make('p', {}, say('page.keys_elsewhere')));
  document.body.append(dialog);
  dialog.showModal();
}

function nameOf(key) {
  const named = { ' ': 'Space', ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓' };
  return named[key] || key;
}
