/** The frame of the page: header, footer, who is signed in, and which view is shown. */

import * as api from '/page/api.js';
import { announce, button, choice, fill, make } from '/page/dom.js';
import * as drafts from '/page/drafts.js';
import * as keys from '/page/keys.js';
import * as language from '/page/language.js';
import { show as showReading } from '/page/reading.js';
import { choose, chosen } from '/page/settings.js';
import { ask as askForToken } from '/page/sign-in.js';
import { clear as clearUploads } from '/page/upload.js';
import { show as showWorklist } from '/page/worklist.js';

const { say } = language;
const THEMES = ['system', 'light', 'dark'];
const main = document.getElementById('main');

let session = null;
/** Ends the view that is shown: timers, pictures, observers; saves what is not saved yet. */
let leave = async () => {};
/** Number of the view that was asked for last: an answer for an earlier one comes too late. */
let turns = 0;

async function begin() {
  await language.load();
  keys.listen();
  document.querySelector('.skip').addEventListener('click', (event) => {
    event.preventDefault(); // Its address would be that of another view.
    main.focus();
  });
  window.addEventListener('hashchange', route);
  window.addEventListener('unhandledrejection', (event) => {
    if (event.reason instanceof api.Problem) {
      event.preventDefault();
      if (event.reason.signedOut) enter();
      else complain(event.reason);
    }
  });
  await enter();
}

/** Find out who is there, ask for a token if one is needed, then draw everything. */
async function enter() {
  frame();
  const before = session;
  try {
    session = await api.session();
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    if (problem.status !== 401) {
      fill(main, make('p.error', { role: 'alert' }, problem.sentence), button(say('page.again'), enter));
      return;
    }
    turns += 1;
    await end(); // A view that went on would save its draft as that of the next person.
    keys.use([]);
    fill(main);
    session = await askForToken();
  }
  await welcome(before);
  frame();
  await route();
}

/** Go on as whoever is signed in now, who may be somebody else than before. */
async function welcome(before) {
  if (before && before.person !== session.person) {
    turns += 1;
    api.callAs(before.person); // The service refuses what is left to save; it is kept for that person.
    await end();
    clearUploads();
    fill(main);
    tell(say('page.other_person', { person: session.person }));
  }
  api.callAs(session.person);
  const problem = await drafts.send(session.person);
  if (problem) complain(problem, `${say('page.unsaved')} `);
}

/** Draw header and footer. */
function frame() {
  document.querySelector('.skip').textContent = say('page.skip');
  document.title = say('page.title');
  const languages = language.LANGUAGES.map((code) => [code, language.nameOf(code)]);
  const themes = THEMES.map((theme) => [theme, say(`page.theme_${theme}`)]);
  fill(document.getElementById('header'),
    make('a.home', { href: '#/' }, say('page.title')),
    make('nav.row', { 'aria-label': say('page.settings') },
      session && session.token_needed ? button(`${say('page.sign_out')} ${session.person}`, signOut) : null,
      choice(languages, language.current(), changeLanguage, { 'aria-label': say('page.language') }),
      choice(themes, chosen('theme', 'system'), changeTheme, { 'aria-label': say('page.theme') }),
      button(say('page.keys'), keys.help, { key: '?' })));
  fill(document.getElementById('footer'),
    make('strong', {}, say('disclaimer')),
    make('span', {}, session ? session.software : ''));
}

async function route() {
  turns += 1;
  const turn = turns;
  const isShown = () => turn === turns;
  await end();
  if (!isShown()) return;
  keys.use([]);
  const room = make('div');
  fill(main, room);
  const [, view, id] = location.hash.split('/');
  const shown = view === 'reading' && id
    ? showReading(room, session, plain(id), isShown) : showWorklist(room, session);
  try {
    const ending = await shown;
    if (isShown()) leave = ending || leave;
    else if (ending) await ending();
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    if (problem.signedOut) {
      await enter();
      return;
    }
    fill(room, make('p.error', { role: 'alert' }, problem.sentence),
      make('p.row', {}, button(say('page.again'), route), make('a', { href: '#/' }, say('page.worklist'))));
  }
  if (isShown() && document.activeElement === document.body) main.focus({ preventScroll: true });
}

/** A part of an address, decoded; as it is where it was copied wrongly: the service says what is wrong. */
function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** End the view that is shown; a draft that could not be saved is reported. */
async function end() {
  const ending = leave;
  leave = async () => {};
  const problem = await ending();
  if (problem instanceof api.Problem) complain(problem, `${say('page.unsaved')} `);
}

/** Show a problem that nobody awaited. */
function complain(problem, before = '') {
  tell(before + problem.sentence, 'p.error');
}

/** Show a line above the view for a while. */
function tell(text, tag = 'p.notice') {
  announce(text);
  const line = make(tag, { role: 'alert' }, text);
  main.before(line);
  setTimeout(() => line.remove(), 15000);
}

async function changeLanguage(code) {
  await language.change(code);
  frame();
  await route();
}

function changeTheme(theme) {
  choose('theme', theme);
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** Sign out; nothing about a patient stays on the screen. */
async function signOut() {
  turns += 1;
  await end();
  clearUploads();
  keys.use([]);
  fill(main);
  await api.signOut();
  session = null;
  await enter();
}

begin();
