/** The worklist: uploads, filters, and a table of readings. */

import * as api from '/page/api.js';
import { announce, button, choice, field, fill, make, typed } from '/page/dom.js';
import * as keys from '/page/keys.js';
import { moment, percent, say } from '/page/language.js';
import { choose, chosen } from '/page/settings.js';
import { panel as uploadPanel } from '/page/upload.js';
import { stepKey } from '/page/words.js';

/** Rows that are shown at first, and how many more each time. */
const PAGE_ROWS = 50;
/** Most rows that the service gives at once. */
const MOST_ROWS = 200;
/** Milliseconds between looks at the list, so that new photographs appear. */
const LOOK_MS = 4000;
const GRADES = ['0', '1', '2', '3', '4'];
/** Columns by which the service sorts: its name for it, and the first direction. */
const SORTS = { created: '-', patient: '', grade: '-', certainty: '' };
const NO_FILTER = { grade: '', needs_reader: '', ungradable: '', reviewed: '', patient: '', status: '' };

const uploadKey = () => ({ key: 'u', text: say('page.key_upload'), run: () => document.getElementById('files')?.click() });

/**
 * Draw the worklist.
 * @returns {() => void} ends it
 */
export async function show(main, session) {
  if (!session.roles.includes('look') && session.roles.includes('upload')) return showUploads(main, session);
  const wanted = { ...NO_FILTER, sort: '-created', ...chosen('worklist', {}), patient: '' };
  const body = make('tbody');
  const caption = make('p.row', { id: 'total' });
  const head = make('thead');
  let shown = null;
  /** Number of the latest question: an answer to an earlier one comes too late. */
  let turns = 0;
  let rows = PAGE_ROWS;
  let current = 0;
  let ended = false;

  const table = make('table.worklist', { 'aria-describedby': 'total' }, head, body);
  const more = button(say('page.more'), () => { rows += PAGE_ROWS; look(); });
  const filters = makeFilters(wanted, changed);
  fill(main,
    make('h1', {}, say('page.worklist')),
    session.roles.includes('upload') ? uploadPanel(session, () => ended || look()) : null,
    filters, caption, make('div.scroll', {}, table), more);

  async function look() {
    turns += 1;
    const turn = turns;
    const { patient, ...others } = wanted;
    const answer = { items: [], total: 0 };
    for (let part = null; !part || (part.items.length && answer.items.length < rows);) {
      const limit = Math.min(rows - answer.items.length, MOST_ROWS);
      part = await api.worklist({ ...others, patient_part: patient, limit, offset: answer.items.length });
      answer.items.push(...part.items);
      answer.total = part.total;
      if (answer.items.length >= answer.total) break;
    }
    if (ended || turn !== turns) return;
    if (JSON.stringify(answer) === JSON.stringify(shown)) return;
    shown = answer;
    draw();
  }

  function draw() {
    const focused = body.querySelector('a:focus')?.getAttribute('href');
    drawHead(head, wanted, sortBy);
    fill(caption, say('page.total', { total: shown.total }));
    more.hidden = shown.items.length >= shown.total;
    if (shown.items.length) fill(body, shown.items.map(row));
    else fill(body, make('tr', {}, make('td', { colspan: '8' }, say('page.none'))));
    if (!focused) return;
    const place = [...body.querySelectorAll('a')].findIndex((link) => link.getAttribute('href') === focused);
    go(place < 0 ? current : place); // The same photograph, wherever its row is now.
  }

  function changed() {
    const { patient, ...kept } = wanted; // A patient's name is not left on a shared computer.
    choose('worklist', kept);
    rows = PAGE_ROWS;
    return look();
  }

  function sortBy(column) {
    const [down, up] = [`-${column}`, column];
    if (wanted.sort === down && column !== 'patient') wanted.sort = up;
    else if (wanted.sort === up && column !== 'patient') wanted.sort = down;
    else wanted.sort = SORTS[column] + column;
    return changed();
  }

  body.addEventListener('focusin', () => {
    current = Math.max(0, [...body.querySelectorAll('a')].indexOf(document.activeElement));
  });

  function go(place) {
    const links = body.querySelectorAll('a');
    current = Math.max(0, Math.min(place, links.length - 1));
    if (links[current]) links[current].focus();
  }

  keys.use([
    { key: 'j', text: say('page.key_next_row'), run: () => go(document.activeElement.closest('tbody') ? current + 1 : 0) },
    { key: 'k', text: say('page.key_previous_row'), run: () => go(current - 1) },
    uploadKey(),
    { key: 'f', text: say('page.key_filter'), run: () => filters.querySelector('select').focus() },
  ]);
  await look();
  if (shown) announce(say('page.total', { total: shown.total })); // Else a later question is under way.
  const timer = setInterval(() => {
    if (document.hidden) return;
    look().catch((problem) => {
      if (problem.signedOut) throw problem; // Signed out elsewhere: a token is asked for.
      shown = null; // Drawn anew once the service answers again.
      fill(caption, make('span.error', { role: 'alert' }, problem.sentence || String(problem)));
    });
  }, LOOK_MS);
  return () => {
    ended = true;
    clearInterval(timer);
  };
}

/** The page of somebody who uploads and may not look at readings. */
function showUploads(main, session) {
  fill(main, make('h1', {}, say('page.upload')), uploadPanel(session, () => {}));
  keys.use([uploadKey()]);
  return () => {};
}

function makeFilters(wanted, changed) {
  const set = (name) => (value) => { wanted[name] = value; return changed(); };
  const any = ['', say('page.any')];
  const answers = [any, ['true', say('page.yes')], ['false', say('page.no')]];
  const grades = [any, ...GRADES.map((grade) => [grade, `${grade} ${say(`grade.${grade}`)}`])];
  const statuses = [['', say('page.status_all')], ...['waiting', 'read', 'refused'].map((each) => [each, say(`page.status_${each}`)])];
  const patient = make('input', { type: 'search', value: wanted.patient, oninput: () => {
    clearTimeout(patient.timer);
    patient.timer = setTimeout(() => set('patient')(typed(patient)), 300);
  } });
  return make('form.row.filters', { onsubmit: (event) => event.preventDefault(), 'aria-label': say('page.filters') },
    field(say('page.grade'), choice(grades, wanted.grade, set('grade'))),
    field(say('page.needs_reader'), choice(answers, wanted.needs_reader, set('needs_reader'))),
    field(say('page.ungradable'), choice(answers, wanted.ungradable, set('ungradable'))),
    field(say('page.reviewed'), choice(answers, wanted.reviewed, set('reviewed'))),
    field(say('page.status'), choice(statuses, wanted.status, set('status'))),
    field(say('paper.patient'), patient));
}

function drawHead(head, wanted, sortBy) {
  const titles = {
    photograph: say('paper.photograph'), patient: say('paper.patient'), eye: say('page.eye'),
    grade: say('page.grade'), certainty: say('paper.certainty'), step: say('paper.next'),
    reviewed: say('page.reviewed'), created: say('page.received'),
  };
  const focused = [...head.querySelectorAll('button')].indexOf(document.activeElement);
  fill(head, make('tr', {}, Object.entries(titles).map(([column, title]) => {
    if (!(column in SORTS)) return make('th', { scope: 'col' }, title);
    const sorted = wanted.sort === column ? 'ascending' : wanted.sort === `-${column}` ? 'descending' : 'none';
    const arrow = { ascending: ' ▲', descending: ' ▼', none: '' }[sorted];
    return make('th', { scope: 'col', 'aria-sort': sorted }, button(title + arrow, () => sortBy(column)));
  })));
  if (focused >= 0) head.querySelectorAll('button')[focused].focus();
}

/** A line of the table. What the software thinks is left out where it is withheld. */
function row(item) {
  const name = item.name || say('page.photograph_number', { number: item.id.slice(0, 8) });
  return make('tr', {},
    make('th', { scope: 'row' }, make('a', { href: `#/reading/${encodeURIComponent(item.id)}` }, name)),
    make('td', {}, item.patient || ''),
    make('td', {}, item.eye ? say(`eye.${item.eye}`) : ''),
    make('td', {}, gradeOf(item)),
    make('td', {}, item.certainty === null ? '' : percent(item.certainty)),
    make('td', {}, stepOf(item)),
    make('td', {}, item.reviewed ? say('page.yes') : item.draft ? say('page.draft') : ''),
    make('td', {}, moment(item.created)));
}

function gradeOf(item) {
  if (item.status !== 'read') return say(`page.status_${item.status}`);
  if (item.withheld) return say('page.withheld_short');
  if (item.grade === null) return say('grade.none');
  const grade = `${item.grade} ${say(`grade.${item.grade}`)}`;
  return item.referable ? `${grade} · ${say('referable.yes')}` : grade;
}

function stepOf(item) {
  if (!item.next_step) return '';
  const key = stepKey(item.next_step);
  return make(`span.step.${key}`, {}, say(`step.${key}`));
}
