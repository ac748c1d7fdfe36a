/**
 * Elements of the page. Texts are always set as text, never as HTML: a name with tags is a name.
 */

/**
 * Make an element.
 * @param {string} tag its name, followed by a class after each dot: `'p.quiet'`
 * @param {Object} properties attributes; `onclick` and the like take functions, `data` a map;
 *   `false`, `null` and `undefined` leave an attribute out
 * @param {...(Node|string|null|Array)} children
 * @returns {HTMLElement}
 */
export function make(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(properties)) set(element, key, value);
  append(element, children);
  return element;
}

function set(element, key, value) {
  if (value === false || value === null || value === undefined) return;
  if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
  else if (key === 'data') Object.assign(element.dataset, value);
  else if (key === 'value' || key === 'checked' || key === 'disabled') element[key] = value;
  else element.setAttribute(key, value === true ? '' : value);
}

function append(element, children) {
  for (const child of children.flat(2)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/** Replace what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** A button that says what it does, and which key does the same. */
export function button(label, onclick, { key, ...properties } = {}) {
  const keys = key ? { 'aria-keyshortcuts': key, title: `${label} (${key})` } : {};
  return make('button', { type: 'button', onclick, ...keys, ...properties }, label);
}

/** A button that is on or off. */
export function toggle(label, on, onchange, properties = {}) {
  const element = button(label, () => show(element.getAttribute('aria-pressed') !== 'true'), properties);
  const show = (pressed) => {
    element.setAttribute('aria-pressed', String(pressed));
    onchange(pressed);
  };
  element.setAttribute('aria-pressed', String(on));
  return element;
}

/** A labelled control of a form. */
export function field(label, control, tag = 'label.field') {
  return make(tag, {}, make('span.label', {}, label), control);
}

/** What was typed in a line. Other blanks, as pasted from a document, become ordinary ones. */
export const typed = (input) => input.value.replace(/\s/g, ' ').trim();

/** A list to choose from. */
export function choice(options, chosen, onchange, properties = {}) {
  const select = make('select', { onchange: () => onchange(select.value), ...properties });
  for (const [value, text] of options) {
    select.append(make('option', { value, selected: value === chosen }, text));
  }
  return select;
}

/** Say something to people who cannot see the page. */
export function announce(text) {
  const status = document.getElementById('status');
  status.textContent = '';
  requestAnimationFrame(() => { status.textContent = text; });
}
