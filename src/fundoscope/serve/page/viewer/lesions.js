/**
 * Frames around lesions, as `fundoscope/report/lesion_boxes.py` draws them: each of the four usual
 * kinds has a colour and a shape, so that nobody has to tell colours apart.
 */

/** Colours of `fundoscope/kinds.py`; a test compares them. */
export const COLOURS = {
  microaneurysm: '#40e0ff', haemorrhage: '#7ab2ff', hard_exudate: '#fff040', soft_exudate: '#ffffff',
  neovascularisation: '#40ff80', vitreous_haemorrhage: '#c4acff', preretinal_haemorrhage: '#f096ff',
  fibrous_proliferation: '#bee6cd', irma: '#00c4a0', venous_beading: '#78d6be', laser_scar: '#b8b8b8',
  optic_disc: '#ffbe78', fovea: '#ff96cd',
};
const OTHER = '#ffb040';
/** The drawn parts of each side, from 0 (its first corner) to 1 (its second). */
const STYLES = {
  haemorrhage: [[0, 0.3], [0.7, 1]],
  hard_exudate: [[0.25, 0.75]],
  soft_exudate: [[0, 0.2], [0.4, 0.6], [0.8, 1]],
};
const WHOLE = [[0, 1]];
const EDGE = '#000000';
/** Screen pixels between a box and its frame, and the side of the smallest frame. */
const MARGIN = 2;
const SMALLEST = 14;
const LINE = 1.5;
const CHOSEN_LINE = 3;
const HANDLE = 7;

export const colourOf = (kind) => COLOURS[kind] || OTHER;

/** The frame of a box on the screen: left, top, right, bottom. */
export function frameOf(view, { x0, y0, x1, y1 }) {
  const low = view.toScreen(x0, y0);
  const high = view.toScreen(x1, y1);
  const wider = Math.max(MARGIN, (SMALLEST - (high.x - low.x)) / 2);
  const taller = Math.max(MARGIN, (SMALLEST - (high.y - low.y)) / 2);
  return [low.x - wider, low.y - taller, high.x + wider, high.y + taller];
}

/**
 * Draw frames. All of a kind are one path: hundreds then take hardly longer than one.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Array<{kind: string, x0: number, y0: number, x1: number, y1: number}>} boxes
 * @param {Object|null} selected one of them
 */
export function drawBoxes(context, view, boxes, selected = null) {
  const { width, height } = view.room;
  const paths = new Map();
  for (const box of boxes) {
    const frame = frameOf(view, box);
    if (frame[2] < 0 || frame[3] < 0 || frame[0] > width || frame[1] > height) continue;
    if (!paths.has(box.kind)) paths.set(box.kind, new Path2D());
    addFrame(paths.get(box.kind), frame, STYLES[box.kind] || WHOLE);
  }
  context.setLineDash([]);
  context.strokeStyle = EDGE;
  context.lineWidth = LINE + 2;
  for (const path of paths.values()) context.stroke(path);
  context.lineWidth = LINE;
  for (const [kind, path] of paths) {
    context.strokeStyle = colourOf(kind);
    context.stroke(path);
  }
  if (selected) drawSelected(context, frameOf(view, selected), colourOf(selected.kind));
}

function addFrame(path, [left, top, right, bottom], style) {
  if (style === WHOLE) {
    path.rect(left, top, right - left, bottom - top);
    return;
  }
  const wide = right - left;
  const tall = bottom - top;
  for (const [start, end] of style) {
    for (const y of [top, bottom]) {
      path.moveTo(left + start * wide, y);
      path.lineTo(left + end * wide, y);
    }
    for (const x of [left, right]) {
      path.moveTo(x, top + start * tall);
      path.lineTo(x, top + end * tall);
    }
  }
}

function drawSelected(context, [left, top, right, bottom], colour) {
  context.strokeStyle = EDGE;
  context.lineWidth = CHOSEN_LINE + 2;
  context.strokeRect(left, top, right - left, bottom - top);
  context.strokeStyle = colour;
  context.lineWidth = CHOSEN_LINE;
  context.strokeRect(left, top, right - left, bottom - top);
  context.fillStyle = colour;
  context.lineWidth = 1;
  context.strokeStyle = EDGE;
  for (const x of [left, right]) {
    for (const y of [top, bottom]) {
      context.fillRect(x - HANDLE / 2, y - HANDLE / 2, HANDLE, HANDLE);
      context.strokeRect(x - HANDLE / 2, y - HANDLE / 2, HANDLE, HANDLE);
    }
  }
}

/** The smallest box whose frame holds a place of the screen; `null` if there is none. */
export function boxAt(view, boxes, { x, y }) {
  let best = null;
  let least = Infinity;
  for (const box of boxes) {
    const [left, top, right, bottom] = frameOf(view, box);
    const area = (right - left) * (bottom - top);
    if (x >= left && x <= right && y >= top && y <= bottom && area < least) {
      best = box;
      least = area;
    }
  }
  return best;
}

/** Which corner of a box's frame a place of the screen is at: `'x0y0'`…; `null` if at none. */
export function cornerAt(view, box, { x, y }) {
  const [left, top, right, bottom] = frameOf(view, box);
  const near = (first, second) => Math.abs(first - second) <= HANDLE;
  const across = near(x, left) ? 'x0' : near(x, right) ? 'x1' : null;
  const down = near(y, top) ? 'y0' : near(y, bottom) ? 'y1' : null;
  return across && down ? across + down : null;
}

/** A sample of a kind's frame, for the legend. */
export function sample(kind, side = 18) {
  const canvas = document.createElement('canvas');
  canvas.width = side;
  canvas.height = side;
  canvas.setAttribute('aria-hidden', 'true');
  const context = canvas.getContext('2d');
  context.fillStyle = '#101214';
  context.fillRect(0, 0, side, side);
  const path = new Path2D();
  addFrame(path, [3, 3, side - 3, side - 3], STYLES[kind] || WHOLE);
  context.strokeStyle = colourOf(kind);
  context.lineWidth = 2;
  context.stroke(path);
  return canvas;
}
