/** The photograph of one eye with what is drawn above it. */

import * as api from '/page/api.js';
import { fill, make } from '/page/dom.js';
import { percent, say } from '/page/language.js';
import { drawGrid, drawLandmarks, drawQuadrants } from '/page/viewer/anatomy.js';
import { drawHeat } from '/page/viewer/heat.js';
import { boxAt, drawBoxes } from '/page/viewer/lesions.js';
import { filtered, levelsOf } from '/page/viewer/photograph.js';
import { View } from '/page/viewer/view.js';
import * as words from '/page/words.js';

/** Pixels of the shorter side of the first sight, which comes while the photograph is loaded. */
const FIRST_SIDE = 640;

/** Ask for a small picture of a photograph. */
export function firstSight(id) {
  const sight = api.picture(id, `photograph?side=${FIRST_SIDE}`).then((blob) => createImageBitmap(blob));
  sight.catch(() => {}); // A photograph that cannot be shown is reported with the whole of it.
  return sight;
}

export class Eye {
  /**
   * @param {Object} answer of the service about a reading
   * @param {Object} shown what is switched on, shared by both eyes: see reading.js
   */
  constructor(answer, shown) {
    this.shown = shown;
    this.boxes = null;
    this.view = new View('');
    this.hint = make('div.hint', { 'aria-hidden': 'true' });
    this.title = make('h2');
    this.trouble = make('div', { role: 'alert' });
    this.element = make('section.eye', {}, this.title, this.trouble, this.view.element);
    this.view.element.append(this.hint);
    this.view.layers.push((context) => this.draw(context));
    this.view.onhover = (place) => this.hover(place);
    this.stopFilter = () => {};
    this.update(answer);
  }

  /** Take a newer answer about the same photograph. */
  update(answer) {
    this.answer = answer;
    const { reading } = answer;
    this.lesions = reading
      ? reading.lesions.map(({ kind, box: [x0, y0, x1, y1], score }) => ({ kind, x0, y0, x1, y1, score }))
      : [];
    this.title.textContent = words.eye(answer);
    const grade = reading ? words.sentenceOfGrade(reading) : say('page.photograph');
    this.view.canvas.setAttribute('aria-label', `${this.title.textContent}: ${grade}`);
    this.view.request();
  }

  /**
   * Load the photograph: a small one at once, then all of it.
   * @param {Promise<ImageBitmap>} first see firstSight
   */
  async load(first) {
    const { id } = this.answer;
    const whole = api.picture(id, 'photograph').then((blob) => levelsOf(blob));
    first.then((bitmap) => {
      if (!this.levels && !this.closed) this.view.show([{ bitmap, scale: bitmap.width / this.sizeOr(bitmap).width }], this.sizeOr(bitmap));
      this.element.dataset.sighted = 'true';
    }).catch(() => {});
    this.levels = await whole;
    if (this.closed) return;
    const { width, height } = this.levels[0].bitmap;
    this.size = { width, height };
    this.view.show(this.levels, this.size);
    this.loaded = true;
    this.element.dataset.loaded = 'true';
    this.filter();
  }

  /** Say why the photograph cannot be shown. */
  fail(problem) {
    fill(this.trouble, make('p.error', {}, problem.sentence || String(problem)));
  }

  sizeOr(bitmap) {
    const { reading } = this.answer;
    return reading ? reading.photo : { width: bitmap.width, height: bitmap.height };
  }

  close() {
    this.closed = true;
    this.stopFilter();
    this.view.close();
  }

  /** Show the photograph through the filters that are on. */
  filter() {
    this.stopFilter();
    if (!this.levels) return;
    const { redFree, contrast } = this.shown;
    if (!redFree && !contrast) {
      this.view.show(this.levels, this.size);
      this.element.dataset.filtered = '';
      return;
    }
    this.stopFilter = filtered(this.levels, { redFree, contrast }, (done) => {
      if (this.closed) return;
      const missing = this.levels.slice(0, this.levels.length - done.length);
      this.view.show(done, this.size);
      if (!missing.length) this.element.dataset.filtered = `${redFree}-${contrast}`;
    });
  }

  /** The boxes that are drawn: the reader's while a review is made, else the software's. */
  drawn() {
    const { hidden, threshold } = this.shown;
    if (this.boxes) {
      const boxes = this.boxes.boxes.filter(({ kind }) => !hidden.has(kind));
      return this.boxes.drawn ? [...boxes, this.boxes.drawn] : boxes;
    }
    return this.lesions.filter(({ kind, score }) => !hidden.has(kind) && score >= threshold);
  }

  draw(context) {
    const { reading } = this.answer;
    const { view, shown } = this;
    if (reading && shown.heat) drawHeat(context, view, reading);
    if (reading && shown.quadrants) drawQuadrants(context, view, reading);
    if (reading && shown.grid) drawGrid(context, view, reading);
    if (reading && shown.landmarks) drawLandmarks(context, view, reading);
    if (shown.boxes) drawBoxes(context, view, this.drawn(), this.boxes ? this.boxes.selected : this.chosen);
  }

  hover(place) {
    const box = this.shown.boxes ? boxAt(this.view, this.drawn(), place) : null;
    this.hint.textContent = box && box !== this.boxes?.drawn ? this.nameOf(box) : '';
  }

  nameOf({ kind, score }) {
    const name = say(`kind.${kind}`);
    return score === undefined ? name : `${name}, ${say('page.score', { percent: percent(score) })}`;
  }
}
