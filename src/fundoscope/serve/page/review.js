/** The review: grade, confidence, comment and boxes of the person who reads. */

import * as api from '/page/api.js';
import { announce, button, choice, field, fill, make } from '/page/dom.js';
import { moment, say } from '/page/language.js';
import { Boxes } from '/page/boxes.js';
import * as drafts from '/page/drafts.js';
import { COLOURS } from '/page/viewer/lesions.js';

const GRADES = ['0', '1', '2', '3', '4'];
const UNGRADABLE = 'ungradable';
const CONFIDENCES = ['1', '2', '3', '4', '5'];
/** Milliseconds after a change until the draft is saved. */
const SAVE_MS = 3000;
/** How much of the photograph is shown around a chosen box: times its side, and in pixels. */
const AROUND = 10;
const LEAST_AROUND = 120;

export class Review {
  /**
   * @param {Eye} eye whose photograph is reviewed
   * @param {string} reader who reviews
   * @param {{saved: (answer: Object, words: string) => void, redraw: () => void}} told after a
   *   save that changes the view, and to draw
   */
  constructor(eye, reader, { saved, redraw }) {
    this.eye = eye;
    this.reader = reader;
    this.told = saved;
    this.redraw = redraw;
    this.state = make('p.quiet', { role: 'status', tabindex: '-1' });
    this.list = make('ol.boxes', { 'data-own-keys': true, 'aria-label': say('page.boxes'), onkeydown: (event) => this.key(event) });
    this.element = make('form.review', { onsubmit: (event) => event.preventDefault(), 'aria-label': say('page.review') });
    this.hide = () => { if (document.hidden) this.keep(); };
    document.addEventListener('visibilitychange', this.hide);
    // A page that is closed while a draft cannot be saved would take it along.
    this.leave = (event) => { if (this.unsaved && (this.problem || this.answer.withheld)) event.preventDefault(); };
    this.sent = Promise.resolve();
    window.addEventListener('beforeunload', this.leave);
    this.begin();
  }

  get answer() { return this.eye.answer; }

  /** Start from the draft, so that a review resumes where it stopped; else from nothing. */
  begin() {
    const draft = this.answer.draft || {};
    this.grade = draft.ungradable ? UNGRADABLE : draft.grade === undefined || draft.grade === null ? null : String(draft.grade);
    this.confidence = draft.confidence ? String(draft.confidence) : null;
    this.changedMind = draft.changed_mind === undefined ? null : draft.changed_mind;
    this.comment = draft.comment || '';
    this.boxes = null;
    this.eye.boxes = null;
    this.eye.view.tool = null;
    if (draft.boxes) this.edit(draft.boxes);
    this.draw();
    if (this.answer.draft) this.say(say('page.resumed', { when: moment(draft.saved) }));
  }

  /** End it; what is not saved yet is saved as a draft. Gives the problem if it cannot be. */
  async close() {
    document.removeEventListener('visibilitychange', this.hide);
    window.removeEventListener('beforeunload', this.leave);
    if (this.eye.view.tool === this.boxes) this.eye.view.tool = null;
    this.closed = true;
    await this.keep();
    return this.pending ? this.problem : null;
  }

  /** Forget what is not saved: the photograph is gone. */
  drop() {
    clearTimeout(this.timer);
    this.pending = false;
  }

  /** Save now what would be saved in a few seconds. */
  async keep() {
    clearTimeout(this.timer);
    // Where the software's opinion is withheld, a saved grade would end that: only by a button.
    if (this.pending) await this.save(true, this.answer.withheld ? null : this.grade);
  }

  draw() {
    const blind = this.answer.withheld;
    const grades = [...GRADES.map((grade) => [grade, `${grade} ${say(`grade.${grade}`)}`]), [UNGRADABLE, say('page.ungradable')]];
    fill(this.element,
      make('h2', {}, say('page.review')),
      blind ? make('p', {}, say('page.blind')) : null,
      this.earlier(),
      radios('grade', say('page.your_grade'), grades, this.grade, (value) => { this.grade = value; this.changed(); }),
      radios('confidence', say('page.confidence'), CONFIDENCES.map((each) => [each, each]), this.confidence,
        (value) => { this.confidence = value; this.changed(); }, say('page.confidence_scale')),
      blind ? null : radios('mind', say('page.changed_mind'), [['true', say('page.yes')], ['false', say('page.no')]],
        this.changedMind === null ? null : String(this.changedMind),
        (value) => { this.changedMind = value === 'true'; this.changed(); }),
      blind ? null : this.boxesPart(),
      field(say('page.comment'), make('textarea', {
        rows: '3', maxlength: '4000', value: this.comment,
        oninput: (event) => { this.comment = event.target.value; this.changed(); },
      })),
      make('p.row', {}, blind
        ? button(say('page.give_first_grade'), () => this.give())
        : [button(say('page.save'), () => this.finish(), { 'aria-keyshortcuts': 'Control+S', 'data-main': true }),
          button(say('page.save_draft'), () => this.save(true))]),
      this.state);
  }

  /** Earlier reviews of the photograph. */
  earlier() {
    const { reviews } = this.answer;
    if (!reviews.length) return null;
    return make('ul.earlier', { 'aria-label': say('page.earlier') }, reviews.map((each) => make('li', {},
      say('page.reviewed_by', { reader: each.reader, when: moment(each.saved) }), ': ',
      each.ungradable ? say('page.ungradable') : `${each.grade} ${say(`grade.${each.grade}`)}`,
      each.boxes ? `, ${say('page.box_count', { count: each.boxes.length })}` : '')));
  }

  boxesPart() {
    if (!this.boxes) {
      return make('fieldset', {}, make('legend', {}, say('page.boxes')),
        make('p.quiet', {}, say('page.boxes_untouched')),
        button(say('page.edit_boxes'), () => this.edit(), { key: 'r', id: 'edit-boxes' }));
    }
    const kinds = Object.keys(COLOURS).filter((kind) => kind !== 'optic_disc' && kind !== 'fovea').map((kind) => [kind, say(`kind.${kind}`)]);
    const kind = choice(kinds, this.boxes.kind, (value) => this.boxes.setKind(value), { id: 'box-kind' });
    this.kindChoice = kind;
    this.fillList();
    return make('fieldset', { id: 'boxes', tabindex: '-1' }, make('legend', {}, say('page.boxes')),
      make('p.quiet', {}, say('page.boxes_help')),
      field(say('page.kind'), kind),
      make('p.row', {},
        button(say('page.new_box'), () => this.boxes.addInView(this.eye.view), { key: 'n' }),
        button(say('page.delete_box'), () => this.boxes.remove(), { key: 'Delete' }),
        button(say('page.undo'), () => this.boxes.undo(), { key: 'Ctrl+z' }),
        button(say('page.discard_boxes'), () => this.discard())),
      this.list);
  }

  /** Begin to go through the boxes: those of a draft, of the latest review, or of the software. */
  edit(from = null) {
    const { reading, reviews } = this.answer;
    const { hidden, threshold } = this.eye.shown;
    const shown = this.eye.lesions.filter(({ score }) => score >= threshold);
    const corrected = [...reviews].reverse().find(({ boxes }) => boxes);
    const start = from || corrected?.boxes || shown.map(({ kind, x0, y0, x1, y1 }) => ({ kind, x0, y0, x1, y1 }));
    const size = reading ? reading.photo : this.eye.size;
    this.boxes = new Boxes(start, size, (how) => this.boxesChanged(how));
    this.boxes.hidden = (kind) => hidden.has(kind);
    this.eye.boxes = this.boxes;
    this.eye.view.tool = this.boxes;
    if (!from) this.changed();
    const focused = this.element.contains(document.activeElement);
    this.draw();
    if (focused) this.element.querySelector('#boxes').focus();
    this.redraw();
  }

  discard() {
    this.boxes = null;
    this.eye.boxes = null;
    this.eye.view.tool = null;
    this.changed();
    this.draw();
    this.redraw();
    this.element.querySelector('#edit-boxes').focus();
  }

  boxesChanged(how) {
    if (how === 'boxes') this.changed();
    const { selected } = this.boxes;
    if (selected) {
      this.boxes.kind = selected.kind;
      if (this.kindChoice) this.kindChoice.value = selected.kind;
    }
    this.fillList();
    this.eye.view.request();
    this.redraw();
  }

  fillList() {
    const focused = this.list.contains(document.activeElement);
    fill(this.list, this.boxes.boxes.map((box) => {
      const place = `${Math.round(box.x0)}, ${Math.round(box.y0)} – ${Math.round(box.x1)}, ${Math.round(box.y1)}`;
      const chosen = box === this.boxes.selected;
      return make('li', {}, button(`${say(`kind.${box.kind}`)} ${place}`, () => this.look(box), { 'aria-pressed': String(chosen) }));
    }));
    const pressed = this.list.querySelector('[aria-pressed=true]');
    if (focused) (pressed || this.list.querySelector('button') || this.element.querySelector('#boxes'))?.focus();
    else if (pressed) pressed.scrollIntoView({ block: 'nearest' });
  }

  look(box) {
    this.boxes.select(box);
    const extent = Math.max(LEAST_AROUND, AROUND * Math.max(box.x1 - box.x0, box.y1 - box.y0));
    this.eye.view.goTo({ x: (box.x0 + box.x1) / 2, y: (box.y0 + box.y1) / 2 }, extent);
  }

  /** Arrows move the chosen box, with Shift its corner; Delete removes it. */
  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === 'Delete') this.boxes.remove();
    else if (event.key in steps && this.boxes.selected) this.boxes.nudge(...steps[event.key], event.shiftKey);
    else return;
    event.preventDefault();
  }

  changed() {
    if (this.closed) return;
    this.unsaved = true;
    this.pending = true;
    this.say(say('page.unsaved'));
    this.saveSoon();
  }

  /** Save a draft in a while. */
  saveSoon() {
    clearTimeout(this.timer);
    if (this.pending && !this.closed) this.timer = setTimeout(() => this.keep(), SAVE_MS);
  }

  say(text) { this.state.textContent = text; }

  /** Say something after the form was drawn anew, and lead the keyboard there. */
  resume(text) {
    this.say(text);
    this.state.focus();
  }

  body(draft, grade) {
    return {
      grade: grade === null || grade === UNGRADABLE ? null : Number(grade),
      ungradable: grade === UNGRADABLE,
      comment: this.comment,
      confidence: this.confidence === null ? null : Number(this.confidence),
      changed_mind: this.changedMind,
      boxes: this.boxes ? this.boxes.saved() : null,
      draft,
    };
  }

  /** Save, one after another; a problem is said beside the buttons. */
  save(draft, grade = this.grade) {
    clearTimeout(this.timer);
    this.pending = false;
    this.unsaved = grade !== this.grade;
    const body = this.body(draft, grade);
    this.sent = this.sent.then(() => this.send(body));
    return this.sent;
  }

  async send(body) {
    try {
      const answer = await api.review(this.answer.id, body);
      this.problem = null;
      if (this.closed) return null;
      this.eye.update(answer);
      if (!this.pending) this.say(say(this.unsaved ? 'page.grade_not_given' : body.draft ? 'page.draft_saved' : 'page.saved'));
      return answer;
    } catch (problem) {
      this.problem = problem;
      this.say(problem.sentence || String(problem));
      if (problem.signedOut) {
        drafts.keep(this.reader, this.answer.id, { ...body, draft: true });
        this.pending = false;
        if (!this.closed) Promise.reject(problem); // The page asks who is there.
        return null;
      }
      this.unsaved = true;
      this.pending = true;
      // A service that does not answer may do so soon; one that refuses will refuse it again.
      if (!problem.status || problem.status >= 500) this.saveSoon();
      return null;
    }
  }

  /** The first grade of a blind reading: the software's opinion is shown after it. */
  async give() {
    if (this.grade === null) {
      this.say(say('page.grade_needed'));
      return;
    }
    const answer = await this.save(true);
    if (answer) this.told(answer, say('page.first_grade_saved'));
  }

  async finish() {
    if (this.grade === null) {
      this.say(say('page.grade_needed'));
      announce(say('page.grade_needed'));
      return;
    }
    const answer = await this.save(false);
    if (answer) this.told(answer, say('page.saved'));
  }
}

function radios(name, title, options, chosen, onchange, hint = '') {
  return make('fieldset', {}, make('legend', {}, title), hint ? make('p.quiet', {}, hint) : null,
    make('div.radios', {}, options.map(([value, text]) => make('label.check', {},
      make('input', { type: 'radio', name, value, checked: value === chosen, onchange: () => onchange(value) }), text))));
}
