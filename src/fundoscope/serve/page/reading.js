/** The reading view: photograph, what is drawn on it, what the software says, and the review. */

import * as api from '/page/api.js';
import { announce, button, fill, make, toggle } from '/page/dom.js';
import { Eye, firstSight } from '/page/eye.js';
import { Identity, mayCorrect, mayDelete } from '/page/identity.js';
import * as keys from '/page/keys.js';
import { current, limitPercent, moment, ofProblem, percent, say } from '/page/language.js';
import { Review } from '/page/review.js';
import { hasGrid, hasQuadrants } from '/page/viewer/anatomy.js';
import { sample } from '/page/viewer/lesions.js';
import { View } from '/page/viewer/view.js';
import * as words from '/page/words.js';

/** Milliseconds between looks at a photograph that is not read yet. */
const LOOK_MS = 1000;
/** Keys that switch a kind of lesion. */
const KIND_KEYS = { microaneurysm: 'm', haemorrhage: 'h', hard_exudate: 'x', soft_exudate: 's' };
/** A step of the threshold by a key. */
const STEP = 0.05;

/**
 * Draw the view of a reading.
 * @param {() => boolean} isShown whether nobody has gone on to another view
 * @returns {() => Promise<Problem|null>} ends it; what kept a draft from being saved
 */
export async function show(main, session, id, isShown) {
  const sight = firstSight(id); // Asked for at once: it needs nothing that the reading says.
  const answer = await api.reading(id);
  if (!isShown()) return null;
  const reading = new ReadingView(main, session, answer, sight);
  return () => reading.close();
}

class ReadingView {
  constructor(main, session, answer, sight) {
    this.main = main;
    this.session = session;
    this.answer = answer;
    this.sight = sight;
    this.shown = {
      boxes: true, hidden: new Set(), threshold: 0, landmarks: true, grid: false, quadrants: false, heat: false,
      redFree: false, contrast: false, smooth: true,
    };
    this.header = make('div');
    this.eyes = [];
    this.panel = make('div.panel');
    this.tools = make('div.tools.row', { role: 'toolbar', 'aria-label': say('page.tools') });
    this.stage = make('div.stage');
    fill(main, this.header, make('div.reading', {}, make('div.left', {}, this.tools, this.stage), this.panel));
    this.drawHead();
    if (answer.status === 'refused') this.refuse();
    else this.open();
  }

  async close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.eyes.forEach((eye) => eye.close());
    return this.review ? this.review.close() : null;
  }

  drawHead() {
    const { answer, session } = this;
    const name = answer.name || say('page.photograph_number', { number: answer.id.slice(0, 8) });
    const change = mayCorrect(session, answer) ? 'page.correct' : mayDelete(session, answer) ? 'page.delete' : null;
    fill(this.header, make('div.row.head', {},
      make('a', { href: '#/' }, `← ${say('page.worklist')}`),
      make('h1', {}, name),
      answer.patient ? make('span', {}, `${say('paper.patient')}: ${answer.patient}`) : null,
      make('span.quiet', {}, moment(answer.created)),
      change ? button(say(change), (event) => this.correct(event.target)) : null));
  }

  /** Ask below the head for the right patient and eye, or whether to delete the photograph. */
  correct(opener) {
    if (this.main.querySelector('.identity')) return;
    const identity = new Identity(this.session, this.answer, {
      closed: () => { identity.element.remove(); opener.focus(); },
      removed: () => { if (this.review) this.review.drop(); },
    });
    this.header.append(identity.element);
    if (!mayCorrect(this.session, this.answer)) identity.ask();
    else identity.focus();
  }

  refuse() {
    const { refusal } = this.answer;
    keys.use([this.escape()]);
    fill(this.main, this.header, make('p.error', { role: 'alert' },
      ofProblem(refusal.code, say('page.refused', { reason: refusal.reason, remedy: refusal.remedy }))));
  }

  open() {
    this.eye = new Eye(this.answer, this.shown);
    this.eyes = [this.eye];
    fill(this.stage, this.eye.element);
    this.drawTools();
    this.drawPanel();
    this.useKeys();
    this.eye.load(this.sight).catch((problem) => this.eye.fail(problem));
    if (this.answer.status === 'waiting') this.wait();
    if (this.answer.patient) this.findPartner().catch(() => {});
  }

  /** Look again until the photograph is read. */
  wait() {
    this.timer = setTimeout(async () => {
      try {
        this.answer = await api.reading(this.answer.id);
      } catch (problem) {
        if (!(problem instanceof api.Problem) || (problem.status && problem.status < 500)) {
          this.eye.fail(problem); // It was deleted, or the token is not valid any more.
          throw problem;
        }
      }
      if (this.closed) return;
      if (this.answer.status === 'waiting') {
        this.wait();
        return;
      }
      if (this.answer.status === 'refused') {
        this.refuse();
        return;
      }
      this.eye.update(this.answer);
      this.take(this.answer);
    }, LOOK_MS);
  }

  /** Draw what a newer answer changes, and say what was done. */
  take(answer, said = '') {
    const before = this.answer;
    this.answer = answer;
    if (answer.patient !== before.patient || answer.eye !== before.eye || answer.status !== before.status) this.identify();
    this.drawTools();
    this.drawPanel();
    this.useKeys();
    this.redraw();
    if (said) this.review.resume(said);
    else if (answer.reading) announce(words.sentenceOfGrade(answer.reading));
  }

  /** Patient, eye or status changed: somebody corrected them, or the photograph was read. */
  identify() {
    if (this.eyes.length === 2) this.both(false);
    this.partner = null;
    this.drawHead();
    if (this.answer.patient) this.findPartner().catch(() => {});
  }

  redraw() { this.eyes.forEach((eye) => eye.view.request()); }

  /** The photograph of the patient's other eye at the same visit, if there is one. */
  async findPartner() {
    const { items } = await api.sameVisit(this.answer.id);
    if (this.closed) return;
    const mine = sideOf(this.answer);
    for (const item of items.slice(0, 4)) {
      const answer = await api.reading(item.id);
      if (this.closed) return;
      const other = sideOf(answer);
      if (other && other !== mine) {
        this.partner = answer;
        this.drawTools();
        this.useKeys();
        if (answer.reading) this.panel.querySelector('.files')?.replaceWith(this.files());
        return;
      }
    }
  }

  /** Show one eye, or both beside each other: the right one on the left, as people sit opposite. */
  both(on) {
    if (on && this.eyes.length === 1) {
      const eye = new Eye(this.partner, this.shown);
      eye.element.append(this.summary(this.partner));
      this.eyes.push(eye);
      eye.load(firstSight(this.partner.id)).catch((problem) => eye.fail(problem));
    } else if (!on && this.eyes.length === 2) {
      this.eyes.pop().close();
    }
    const order = [...this.eyes].sort((eye) => (sideOf(eye.answer) === 'right' ? -1 : 1));
    fill(this.stage, order.map(({ element }) => element));
    this.stage.classList.toggle('two', on);
    if (this.slider) this.slider.min = String(this.leastScore());
  }

  summary(answer) {
    if (!answer.reading) return make('p', {}, say(answer.withheld ? 'page.withheld' : `page.status_${answer.status}`));
    return make('p', {}, words.sentenceOfGrade(answer.reading), ' · ', words.step(answer.reading), ' ',
      make('a', { href: `#/reading/${encodeURIComponent(answer.id)}` }, say('page.open')));
  }

  switches() {
    const { reading } = this.answer;
    const draw = () => this.redraw();
    const filter = () => this.eyes.forEach((eye) => eye.filter());
    const smooth = (on) => this.eyes.forEach(({ view }) => { view.smooth = on; view.request(); });
    return [
      ['boxes', 'b', draw, Boolean(reading)],
      ['redFree', 'g', filter, true],
      ['contrast', 'c', filter, true],
      ['smooth', 'z', smooth, true],
      ['landmarks', 'd', draw, Boolean(reading)],
      ['grid', 'e', draw, Boolean(reading) && hasGrid(reading)],
      ['heat', 'a', draw, Boolean(reading && reading.heat)],
      ['quadrants', 'q', draw, Boolean(reading) && hasQuadrants(reading)],
    ].filter(([, , , there]) => there);
  }

  drawTools() {
    const views = () => this.eyes.map(({ view }) => view);
    this.toggles = new Map();
    const focused = [...this.tools.children].indexOf(document.activeElement);
    fill(this.tools,
      button('+', () => views().forEach((view) => view.zoomIn()), { key: '+', 'aria-label': say('page.key_zoom_in') }),
      button('−', () => views().forEach((view) => view.zoomOut()), { key: '-', 'aria-label': say('page.key_zoom_out') }),
      button(say('page.fit'), () => views().forEach((view) => view.fit()), { key: '0' }),
      this.switches().map(([name, key, run]) => {
        const made = toggle(say(`page.show_${name}`), this.shown[name], (on) => {
          this.shown[name] = on;
          run(on);
        }, { key, data: { switch: name } });
        this.toggles.set(name, made);
        return made;
      }),
      this.partner ? this.bothToggle() : null);
    if (focused >= 0) this.tools.children[focused]?.focus();
  }

  bothToggle() {
    const made = toggle(say('page.both_eyes'), this.eyes.length === 2, (on) => this.both(on), { key: 'y' });
    this.toggles.set('both', made);
    return made;
  }

  drawPanel() {
    const { answer } = this;
    const { reading } = answer;
    const mayReview = this.session.roles.includes('review');
    if (this.review) this.review.close();
    this.review = mayReview && answer.status === 'read'
      ? new Review(this.eye, this.session.person, { saved: (newer, said) => this.take(newer, said), redraw: () => this.redraw() })
      : null;
    const software = reading ? this.software(reading)
      : make('p', {}, say(answer.withheld ? 'page.withheld' : 'page.status_waiting'));
    fill(this.panel,
      make('section', { 'aria-label': say('page.software') }, software),
      reading ? this.lesions(reading) : null,
      this.review ? this.review.element : null,
      reading ? this.files() : null);
  }

  /** What the software says. */
  software(reading) {
    const probabilities = reading.grade.probabilities || [];
    const missing = words.missing(reading);
    const notes = words.notes(reading);
    const verdict = words.verdict(reading);
    return [
      make('h2', {}, words.sentenceOfGrade(reading), verdict ? ` · ${verdict}` : ''),
      make(`p.next.step.${words.stepKey(reading.next_step?.step)}`, {}, words.step(reading)),
      probabilities.length ? make('table.bars', {}, make('caption', {}, say('paper.probabilities')),
        make('tbody', {}, probabilities.map((share, grade) => bar(share, grade, grade === reading.grade.icdr)))) : null,
      make('dl', {}, [...words.rows(reading), ...(missing ? [[say('paper.not_assessed'), missing]] : []),
        ...(notes.length ? [[say('paper.notes'), notes.join('; ')]] : [])]
        .map(([name, text]) => make('div', {}, make('dt', {}, name), make('dd', {}, text)))),
      make('p.quiet', {}, reading.models.map(({ name }) => name).join(', '), ' · ', reading.software),
    ];
  }

  /** Kinds of lesion to switch on and off, and the threshold. */
  lesions(reading) {
    const assessed = reading.lesion_summary.filter((each) => each.assessed);
    if (!assessed.length) return null;
    const least = this.leastScore();
    const value = make('output', {}, limitPercent(Math.max(this.shown.threshold, least)));
    this.slider = make('input', {
      type: 'range', min: String(least), max: '1', step: '0.01', id: 'threshold', value: String(Math.max(this.shown.threshold, least)),
      oninput: () => {
        this.shown.threshold = Number(this.slider.value);
        value.textContent = limitPercent(this.shown.threshold);
        this.count(counts);
        this.redraw();
      },
    });
    const counts = new Map();
    this.kindToggles = new Map();
    const kinds = assessed.map(({ kind, withheld }) => {
      const key = KIND_KEYS[kind];
      const count = make('span.count');
      counts.set(kind, count);
      const made = toggle(say(`kind.${kind}`), !this.shown.hidden.has(kind), (on) => {
        if (on) this.shown.hidden.delete(kind);
        else this.shown.hidden.add(kind);
        this.redraw();
      }, { ...(key ? { key } : {}), data: { kind } });
      this.kindToggles.set(kind, made);
      return make('li', {}, sample(kind), made, count, withheld ? make('span', {}, say('paper.withheld', { count: withheld })) : null);
    });
    this.count(counts);
    return make('section', { 'aria-label': say('paper.lesions') }, make('h2', {}, say('paper.lesions')),
      make('ul.kinds', {}, kinds),
      make('p', {}, make('label', { for: 'threshold' }, say('page.threshold')), this.slider, value));
  }

  /** The lowest score of a box in the eyes that are shown: there the slider begins. */
  leastScore() {
    const scores = this.eyes.flatMap((eye) => eye.lesions.map(({ score }) => score));
    return scores.length ? Math.floor(Math.min(...scores) * 100) / 100 : 0;
  }

  count(counts) {
    for (const [kind, element] of counts) {
      const shown = this.eye.lesions.filter((each) => each.kind === kind && each.score >= this.shown.threshold);
      element.textContent = String(shown.length);
    }
  }

  /** What can be taken away: the report, annotations. */
  files() {
    const { id } = this.answer;
    const other = this.partner?.reading ? `&other=${encodeURIComponent(this.partner.id)}` : '';
    return make('p.row.files', {},
      make('a', { href: `${api.part(id, 'report.pdf')}?language=${current()}${other}`, target: '_blank', rel: 'noopener' }, say('page.report')),
      make('a', { href: api.part(id, 'annotations.xml'), download: `${id}.xml` }, say('page.annotations')),
      make('a', { href: api.part(id, 'overlay.png'), target: '_blank', rel: 'noopener' }, say('page.overlay')));
  }

  useKeys() {
    const press = (element) => () => element && element.click();
    const lower = (by) => () => {
      if (!this.slider) return;
      this.slider.value = String(Number(this.slider.value) + by);
      this.slider.dispatchEvent(new Event('input'));
    };
    const kinds = Object.entries(KIND_KEYS).filter(([kind]) => this.kindToggles && this.kindToggles.has(kind));
    const switches = this.switches().map(([name, key]) => (
      { key, text: say(`page.show_${name}`), run: () => this.toggles.get(name).click() }));
    keys.use([
      ...View.keys(() => this.eyes.map(({ view }) => view)),
      ...switches,
      ...kinds.map(([kind, key]) => ({ key, text: say(`kind.${kind}`), run: () => this.kindToggles.get(kind).click() })),
      { key: '[', text: say('page.key_lower'), run: lower(-STEP) },
      { key: ']', text: say('page.key_raise'), run: lower(STEP) },
      ...(this.partner ? [{ key: 'y', text: say('page.both_eyes'), run: () => this.toggles.get('both').click() }] : []),
      ...this.reviewKeys(press),
      this.escape(),
    ]);
  }

  escape() { return { key: 'Escape', text: say('page.key_back'), run: () => this.back() }; }

  /** Let go of the chosen box, if there is one; else go back to the worklist. */
  back() {
    const boxes = this.review && this.review.boxes;
    if (boxes && boxes.selected) boxes.select(null);
    else window.location.hash = '#/';
  }

  reviewKeys(press) {
    if (!this.review) return [];
    const boxes = (run) => () => this.review.boxes && run(this.review.boxes);
    return [
      { key: 'r', text: say('page.edit_boxes'), run: () => press(this.review.element.querySelector('#edit-boxes'))() },
      { key: 'n', text: say('page.new_box'), run: boxes((edited) => edited.addInView(this.eye.view)) },
      { key: 'Delete', text: say('page.delete_box'), run: boxes((edited) => edited.remove()) },
      { key: 'Ctrl+z', text: say('page.undo'), run: boxes((edited) => edited.undo()) },
      { key: 'Ctrl+s', text: say('page.save'), run: () => (this.answer.withheld ? this.review.give() : this.review.finish()) },
    ];
  }
}

function bar(share, grade, given) {
  const track = make('progress', { max: '1', value: share, 'aria-hidden': 'true' });
  return make(given ? 'tr.given' : 'tr', {}, make('th', { scope: 'row' }, String(grade)), make('td', {}, track), make('td', {}, percent(share)));
}

/** The eye of a photograph, as the caller or the picture says. */
function sideOf({ eye, reading }) {
  return eye || (reading ? reading.anatomy.laterality.eye : null);
}
