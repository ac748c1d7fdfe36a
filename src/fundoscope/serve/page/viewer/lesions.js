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
/** The drawn parts of each side, from 0 (its first corner) to 1 (its second); of others all. */
const STYLES = {
  haemorrhage: [[0, 0.3], [0.7, 1]],
  hard_exudate: [[0.25, 0.75]],
  soft_exudate: [[0, 0.2], [0.4, 0.6], [0.8, 1]],
};
const EDGE = '#000000';
/** Screen pixels between a box and its frame, and the side of the smallest frame. */
const MARGIN = 2;
const SMALLEST = 14;
const LINE = 2;
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
 * Draw frames: rectangles on whole pixels, which a browser without a graphics card draws many times
 * faster than it strokes a path; `bench/page.py` measures it.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Array<{kind: string, x0: number, y0: number, x1: number, y1: number}>} boxes
 * @param {Object|null} selected one of them
 */
export function drawBoxes(context, view, boxes, selected = null) {
  const { width, height } = view.room;
  const kinds = new Map();
  context.strokeStyle = EDGE;
  context.lineWidth = LINE + 2;
  // All edges before all lines, so that no edge hides a line.
  for (const box of boxes) {
    const frame = frameOf(view, box).map(Math.round);
    const [left, top, right, bottom] = frame;
    if (right < 0 || bottom < 0 || left > width || top > height) continue;
    context.strokeRect(left, top, right - left, bottom - top);
    if (!kinds.has(box.kind)) kinds.set(box.kind, []);
    kinds.get(box.kind).push(frame);
  }
  for (const [kind, frames] of kinds) {
    for (const frame of frames) drawFrame(context, frame, kind);
  }
  if (selected) drawSelected(context, frameOf(view, selected), colourOf(selected.kind));
}

/** Draw the line of a frame: all of it, or the parts of each side that its kind has. */
function drawFrame(context, [left, top, right, bottom], kind) {
  const wide = right - left;
  const tall = bottom - top;
  const style = STYLES[kind];
  if (!style) {
    context.strokeStyle = colourOf(kind);
    context.lineWidth = LINE;
    context.strokeRect(left, top, wide, tall);
    return;
  }
  context.fillStyle = colourOf(kind);
  const half = LINE / 2;
  for (const [start, end] of style) {
    const across = Math.round((end - start) * wide);
    const down = Math.round((end - start) * tall);
    const x = Math.round(left + start * wide);
    const y = Math.round(top + start * tall);
    context.fillRect(x, top - half, across, LINE);
    context.fillRect(x, bottom - half, across, LINE);
    context.fillRect(left - half, y, LINE, down);
    context.fillRect(right - half, y, LINE, down);
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
  drawFrame(context, [3, 3, side - 3, side - 3], kind);
  return canvas;
}
