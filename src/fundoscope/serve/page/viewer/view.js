/**
 * A photograph on a canvas that is moved and zoomed by wheel, fingers and keys.
 *
 * Coordinates: "photograph" are pixels of the upright photograph, as in a Reading; "screen" are CSS
 * pixels of the canvas. Layers draw above the photograph, in screen coordinates.
 */

import { make } from '/page/dom.js';
import { say } from '/page/language.js';

/** How far beyond "one pixel on one pixel" one can zoom, and below "all of it". */
const MOST_ZOOM = 32;
const LEAST_OF_FIT = 0.5;
/** Zoom of a wheel's step (100 units) is `exp(100 * this)`, about 1.2. */
const WHEEL_ZOOM = 0.0018;
/** A wheel that counts in lines has about this many pixels a line. */
const LINE_PIXELS = 33;
const KEY_ZOOM = 1.25;
/** Share of the canvas that an arrow key moves. */
const KEY_PAN = 0.1;
/** Part of the photograph that always stays on the canvas, in screen pixels. */
const KEPT = 60;

export class View {
  /**
   * @param {string} label what the photograph shows, for people who cannot see it
   */
  constructor(label) {
    this.canvas = make('canvas', { role: 'img', 'aria-label': label, tabindex: '0' });
    this.element = make('div.view', {}, this.canvas);
    this.context = this.canvas.getContext('2d', { alpha: false });
    /** The photograph at several sizes: `{bitmap, scale}`, `scale` being bitmap over photograph. */
    this.levels = [];
    this.size = { width: 1, height: 1 };
    /** Screen pixels of a photograph's pixel, and where its first pixel lies on the screen. */
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.fitted = true;
    this.smooth = true;
    this.layers = [];
    /** Takes the pointer before the view does; see boxes.js. */
    this.tool = null;
    this.onhover = () => {};
    this.fingers = new Map();
    this.waits = false;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.element);
    this.listen();
  }

  /** End everything that would keep it alive. */
  close() {
    this.observer.disconnect();
    this.levels = [];
    this.closed = true;
  }

  /**
   * Show a photograph, or the same one in more detail.
   * @param {Array<{bitmap: ImageBitmap, scale: number}>} levels the largest first
   * @param {{width: number, height: number}} size of the photograph
   */
  show(levels, size) {
    const grown = size.width / this.size.width;
    this.levels = levels;
    this.size = size;
    if (this.fitted) this.fit();
    else this.scale /= grown;
    this.request();
  }

  /** Width and height of the canvas in screen pixels. */
  get room() {
    return { width: this.element.clientWidth || 1, height: this.element.clientHeight || 1 };
  }

  get fitScale() {
    return Math.min(this.room.width / this.size.width, this.room.height / this.size.height);
  }

  /** Fit the canvas to its place on the page; what is in the middle stays there. */
  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = this.room;
    const before = this.before || { width, height };
    this.x += (width - before.width) / 2;
    this.y += (height - before.height) / 2;
    this.before = { width, height };
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (this.fitted) this.fit();
    this.draw();
  }

  /** Show the whole photograph. */
  fit() {
    this.scale = this.fitScale;
    this.x = (this.room.width - this.size.width * this.scale) / 2;
    this.y = (this.room.height - this.size.height * this.scale) / 2;
    this.fitted = true;
    this.request();
  }

  /** Zoom about a point of the screen, the middle by default. */
  zoom(factor, at = { x: this.room.width / 2, y: this.room.height / 2 }) {
    const wanted = Math.min(MOST_ZOOM, Math.max(this.fitScale * LEAST_OF_FIT, this.scale * factor));
    this.x = at.x - (at.x - this.x) * (wanted / this.scale);
    this.y = at.y - (at.y - this.y) * (wanted / this.scale);
    this.scale = wanted;
    this.moved();
  }

  zoomIn() { this.zoom(KEY_ZOOM); }

  zoomOut() { this.zoom(1 / KEY_ZOOM); }

  /** One pixel of the photograph on one of the screen. */
  actualSize() { this.zoom(1 / (window.devicePixelRatio || 1) / this.scale); }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.moved();
  }

  /** Move by a step of an arrow key; `right` and `down` are -1, 0 or 1. */
  step(right, down) {
    this.pan(-right * this.room.width * KEY_PAN, -down * this.room.height * KEY_PAN);
  }

  /** Bring a place of the photograph into the middle, so near that `extent` pixels are seen. */
  goTo({ x, y }, extent) {
    const { width, height } = this.room;
    this.scale = Math.min(MOST_ZOOM, Math.max(this.fitScale, Math.min(width, height) / extent));
    this.x = width / 2 - x * this.scale;
    this.y = height / 2 - y * this.scale;
    this.moved();
  }

  moved() {
    const { width, height } = this.room;
    this.x = Math.min(width - KEPT, Math.max(KEPT - this.size.width * this.scale, this.x));
    this.y = Math.min(height - KEPT, Math.max(KEPT - this.size.height * this.scale, this.y));
    this.fitted = false;
    this.request();
  }

  toScreen(x, y) { return { x: x * this.scale + this.x, y: y * this.scale + this.y }; }

  toPhotograph({ x, y }) { return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale }; }

  /** Draw before the next frame, however often this is called. */
  request() {
    if (this.waits || this.closed) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.draw();
    });
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = '#101214';
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawPhotograph(ratio);
    for (const layer of this.layers) layer(context, this);
    this.element.dataset.zoom = this.scale.toFixed(4);
  }

  /** Draw the visible part, from the smallest level that has enough pixels. */
  drawPhotograph(ratio) {
    if (!this.levels.length) return;
    const needed = this.scale * ratio;
    const level = [...this.levels].reverse().find(({ scale }) => scale >= needed) || this.levels[0];
    const { bitmap, scale } = level;
    const shown = this.scale / scale; // Screen pixels of a pixel of this level.
    const { width, height } = this.room;
    const left = Math.max(0, Math.floor(-this.x / shown));
    const top = Math.max(0, Math.floor(-this.y / shown));
    const right = Math.min(bitmap.width, Math.ceil((width - this.x) / shown));
    const bottom = Math.min(bitmap.height, Math.ceil((height - this.y) / shown));
    if (right <= left || bottom <= top) return;
    this.context.imageSmoothingEnabled = this.smooth || shown * ratio < 1;
    this.context.drawImage(bitmap, left, top, right - left, bottom - top,
      this.x + left * shown, this.y + top * shown, (right - left) * shown, (bottom - top) * shown);
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PIXELS : 1);
      // A pinch on a touch pad comes as a wheel with Ctrl and small steps.
      this.zoom(Math.exp(-pixels * WHEEL_ZOOM * (event.ctrlKey ? 4 : 1)), this.place(event));
    }, { passive: false });
    canvas.addEventListener('pointerdown', (event) => this.down(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    for (const kind of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(kind, (event) => this.up(event));
    }
    canvas.addEventListener('dblclick', (event) => {
      if (!this.tool) this.zoom(2, this.place(event));
    });
  }

  place(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  down(event) {
    if (event.button > 1) return;
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const place = this.place(event);
    this.fingers.set(event.pointerId, place);
    if (this.fingers.size === 1 && event.button === 0 && this.tool) this.held = this.tool.down(this, place);
    if (this.fingers.size === 2 && this.held) { // A second finger zooms: the first drew nothing.
      this.tool.cancel(this);
      this.held = false;
    }
  }

  move(event) {
    const place = this.place(event);
    const before = this.fingers.get(event.pointerId);
    if (!before) {
      this.onhover(place);
      this.canvas.style.cursor = (this.tool && this.tool.cursor(this, place)) || 'grab';
      return;
    }
    if (this.held) this.tool.move(this, place);
    else if (this.fingers.size === 1) this.pan(place.x - before.x, place.y - before.y);
    else if (this.fingers.size === 2) this.pinch(event.pointerId, before, place);
    this.fingers.set(event.pointerId, place);
  }

  pinch(finger, before, now) {
    const [other] = [...this.fingers].filter(([id]) => id !== finger).map(([, place]) => place);
    const distance = (place) => Math.hypot(place.x - other.x, place.y - other.y) || 1;
    const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
    this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    this.zoom(distance(now) / distance(before), middle);
  }

  up(event) {
    this.fingers.delete(event.pointerId);
    if (this.held && !this.fingers.size) {
      if (event.type === 'pointerup') this.tool.up(this);
      else this.tool.cancel(this);
      this.held = false;
    }
  }

  /** The keys of a view, for keys.js. */
  static keys(views) {
    const all = (run) => () => views().forEach(run);
    return [
      { key: '+', text: say('page.key_zoom_in'), run: all((view) => view.zoomIn()) },
      { key: '-', text: say('page.key_zoom_out'), run: all((view) => view.zoomOut()) },
      { key: '0', text: say('page.key_fit'), run: all((view) => view.fit()) },
      { key: '1', text: say('page.key_actual'), run: all((view) => view.actualSize()) },
      { key: 'ArrowLeft', text: say('page.key_pan'), run: all((view) => view.step(-1, 0)) },
      { key: 'ArrowRight', text: say('page.key_pan'), run: all((view) => view.step(1, 0)) },
      { key: 'ArrowUp', text: say('page.key_pan'), run: all((view) => view.step(0, -1)) },
      { key: 'ArrowDown', text: say('page.key_pan'), run: all((view) => view.step(0, 1)) },
    ];
  }
}
