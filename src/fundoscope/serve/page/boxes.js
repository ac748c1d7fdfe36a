/** The boxes of a review: drawn, moved, resized, deleted and named by mouse, finger or keys. */

import { boxAt, cornerAt } from '/page/viewer/lesions.js';

/** The smallest side of a box that is drawn, in screen pixels: a click draws none. */
const SMALLEST_DRAWN = 4;
/** Side of a box that is added by a key, in screen pixels. */
const ADDED = 40;
/** A box never gets smaller than a pixel of the photograph. */
const SMALLEST = 1;
const STEPS_BACK = 100;

export class Boxes {
  /**
   * @param {Array<Object>} boxes `{kind, x0, y0, x1, y1}` in pixels of the photograph
   * @param {{width: number, height: number}} size of the photograph
   * @param {(how: string) => void} onchange called with `'boxes'` or `'selected'`
   */
  constructor(boxes, size, onchange) {
    this.boxes = boxes.map((box) => ({ ...box }));
    this.size = size;
    this.onchange = onchange;
    this.selected = null;
    this.kind = 'microaneurysm';
    this.before = [];
    this.drawn = null;
  }

  /** The boxes that are shown: kinds that are switched off cannot be changed by accident. */
  shown() { return this.boxes.filter(({ kind }) => !this.hidden || !this.hidden(kind)); }

  select(box) {
    this.selected = box;
    this.onchange('selected');
  }

  remember() {
    this.before.push(this.boxes.map((box) => ({ ...box })));
    if (this.before.length > STEPS_BACK) this.before.shift();
  }

  undo() {
    if (!this.before.length) return;
    this.boxes = this.before.pop();
    this.selected = null;
    this.onchange('boxes');
  }

  add(box) {
    this.remember();
    this.boxes.push(box);
    this.selected = box;
    this.onchange('boxes');
  }

  remove() {
    if (!this.selected) return;
    this.remember();
    this.boxes = this.boxes.filter((box) => box !== this.selected);
    this.selected = null;
    this.onchange('boxes');
  }

  /** Set the kind of the next box, and of the selected one. */
  setKind(kind) {
    this.kind = kind;
    if (!this.selected || this.selected.kind === kind) return;
    this.remember();
    this.selected.kind = kind;
    this.onchange('boxes');
  }

  /** Move or resize the selected box by pixels of the photograph. */
  nudge(dx, dy, corner = false) {
    if (!this.selected) return;
    this.remember();
    if (corner) this.stretch(this.selected, { x1: this.selected.x1 + dx, y1: this.selected.y1 + dy });
    else this.shift(this.selected, dx, dy);
    this.onchange('boxes');
  }

  shift(box, dx, dy) {
    const x = Math.min(this.size.width - box.x1, Math.max(-box.x0, dx));
    const y = Math.min(this.size.height - box.y1, Math.max(-box.y0, dy));
    Object.assign(box, { x0: box.x0 + x, x1: box.x1 + x, y0: box.y0 + y, y1: box.y1 + y });
  }

  /** Move some sides of a box: not past the opposite ones, nor out of the photograph. */
  stretch(box, sides) {
    for (const [low, high, most] of [['x0', 'x1', this.size.width], ['y0', 'y1', this.size.height]]) {
      if (low in sides) box[low] = Math.min(sides[low], box[high] - SMALLEST);
      if (high in sides) box[high] = Math.max(sides[high], box[low] + SMALLEST);
      box[low] = Math.max(0, box[low]);
      box[high] = Math.min(most, box[high]);
    }
  }

  /** Add a box in the middle of a view. */
  addInView(view) {
    const middle = view.toPhotograph({ x: view.room.width / 2, y: view.room.height / 2 });
    const half = ADDED / 2 / view.scale;
    const box = { kind: this.kind, x0: middle.x - half, y0: middle.y - half, x1: middle.x + half, y1: middle.y + half };
    this.stretch(box, {});
    if (box.x1 > box.x0 && box.y1 > box.y0) this.add(box);
  }

  /** What is saved: whole pixels would move a box of a microaneurysm visibly, a tenth does not. */
  saved() {
    const tenth = (value) => Math.round(value * 10) / 10;
    return this.boxes.map(({ kind, x0, y0, x1, y1 }) => (
      { kind, x0: tenth(x0), y0: tenth(y0), x1: tenth(x1), y1: tenth(y1) }));
  }

  // What follows is the tool of a view.

  down(view, place) {
    const at = view.toPhotograph(place);
    this.from = at;
    this.corner = this.selected && cornerAt(view, this.selected, place);
    const hit = this.corner ? this.selected : boxAt(view, this.shown(), place);
    this.remember();
    this.changed = false;
    if (hit) {
      this.held = hit;
      this.original = { ...hit };
      this.select(hit);
      return true;
    }
    if (at.x < 0 || at.y < 0 || at.x > this.size.width || at.y > this.size.height) {
      this.before.pop();
      this.select(null);
      return false;
    }
    this.held = null;
    this.drawn = { kind: this.kind, x0: at.x, y0: at.y, x1: at.x, y1: at.y };
    return true;
  }

  move(view, place) {
    const at = view.toPhotograph(place);
    this.changed = true;
    if (this.drawn) {
      const clamp = (value, most) => Math.min(most, Math.max(0, value));
      const x = clamp(at.x, this.size.width);
      const y = clamp(at.y, this.size.height);
      Object.assign(this.drawn, {
        x0: Math.min(x, this.from.x), x1: Math.max(x, this.from.x),
        y0: Math.min(y, this.from.y), y1: Math.max(y, this.from.y),
      });
    } else if (this.corner) {
      this.stretch(this.held, { [this.corner.slice(0, 2)]: at.x, [this.corner.slice(2)]: at.y });
    } else {
      Object.assign(this.held, this.original);
      this.shift(this.held, at.x - this.from.x, at.y - this.from.y);
    }
    view.request();
  }

  up(view) {
    const box = this.drawn;
    this.drawn = null;
    if (box) {
      const large = Math.min(box.x1 - box.x0, box.y1 - box.y0) * view.scale >= SMALLEST_DRAWN;
      if (large) {
        this.boxes.push(box);
        this.selected = box;
        this.onchange('boxes');
        return;
      }
      this.select(null);
    } else if (this.changed) {
      this.onchange('boxes');
      return;
    }
    this.before.pop();
    view.request();
  }

  cancel(view) {
    if (this.held && this.original) Object.assign(this.held, this.original);
    this.drawn = null;
    this.held = null;
    this.before.pop();
    view.request();
  }

  cursor(view, place) {
    if (this.selected && cornerAt(view, this.selected, place)) return 'nwse-resize';
    return boxAt(view, this.shown(), place) ? 'move' : 'crosshair';
  }
}
