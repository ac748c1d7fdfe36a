/** The frame of the page: header, footer, who is signed in, and which view is shown. */

import * as api from '/page/api.js';
import { announce, button, choice, fill, make } from '/page/dom.js';
import * as keys from '/page/keys.js';
import * as language from '/page/language.js';
import { show as showReading } from '/page/reading.js';
import { choose, chosen } from '/page/settings.js';
import { ask as askForToken } from '/page/sign-in.js';
import { show as showWorklist } from '/page/worklist.js';

const { say } = language;
const THEMES = ['system', 'light', 'dark'];
const main = document.getElementById('main');

let session = null;
/** Ends the view that is shown: timers, pictures, observers; saves what is not saved yet. */
let leave = async () => {};

async function begin() {
  await language.load();
  keys.listen();
  window.addEventListener('hashchange', route);
  window.addEventListener('unhandledrejection', (event) => {
    if (event.reason instanceof api.Problem) {
      event.preventDefault();
      complain(event.reason);
    }
  });
  await enter();
}

/** Find out who is there, ask for a token if one is needed, then draw everything. */
async function enter() {
  frame();
  try {
    session = await api.session();
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    if (problem.status !== 401) {
      fill(main, make('p.error', { role: 'alert' }, problem.sentence), button(say('page.again'), enter));
      return;
    }
    fill(main);
    session = await askForToken();
  }
  frame();
  await route();
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
  await leave();
  leave = async () => {};
  fill(main);
  const [, view, id] = location.hash.split('/');
  const shown = view === 'reading' && id ? showReading(main, session, decodeURIComponent(id)) : showWorklist(main, session);
  try {
    leave = (await shown) || leave;
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    fill(main, make('p.error', { role: 'alert' }, problem.sentence),
      make('p.row', {}, button(say('page.again'), route), make('a', { href: '#/' }, say('page.worklist'))));
  }
}

/** Show a problem that nobody awaited. */
function complain(problem) {
  announce(problem.sentence);
  const line = make('p.error', { role: 'alert' }, problem.sentence);
  main.prepend(line);
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
  await leave();
  leave = async () => {};
  fill(main);
  await api.signOut();
  session = null;
  await enter();
}

begin();
