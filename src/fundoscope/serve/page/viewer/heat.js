/** Where the grader looked, as `fundoscope/report/heat.py` draws it. */

/** Red, green and blue of a colour that no retina and no kind of lesion has. */
const COLOUR = [204, 121, 167];
/** The value at which the colour is strongest, and the greatest share of it. */
const FULL = 12;
const STRONGEST = 0.55;
/** Side in pixels to which a map of about ten cells is smoothed. */
const DRAWN = 512;

const drawn = new WeakMap();

/** Lay what speaks for "referable" over the field of view. */
export function drawHeat(context, view, { heat, field }) {
  if (!heat || !field.found) return;
  if (!drawn.has(heat)) drawn.set(heat, smoothed(heat.values));
  const radius = field.radius * view.scale;
  const across = radius / (field.stretch || 1);
  const { x, y } = view.toScreen(...field.centre);
  context.save();
  context.beginPath();
  context.ellipse(x, y, across, radius, 0, 0, 2 * Math.PI);
  context.clip();
  context.imageSmoothingEnabled = true;
  context.drawImage(drawn.get(heat), x - across, y - radius, 2 * across, 2 * radius);
  context.restore();
}

function smoothed(values) {
  const cells = canvasOf(values[0].length, values.length);
  const context = cells.getContext('2d');
  const pixels = context.createImageData(cells.width, cells.height);
  values.flat().forEach((value, cell) => {
    const share = Math.min(1, Math.max(0, value / FULL)) * STRONGEST;
    pixels.data.set([...COLOUR, Math.round(255 * share)], 4 * cell);
  });
  context.putImageData(pixels, 0, 0);
  const large = canvasOf(DRAWN, DRAWN);
  const target = large.getContext('2d');
  target.imageSmoothingQuality = 'high';
  target.drawImage(cells, 0, 0, DRAWN, DRAWN);
  return large;
}

function canvasOf(width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}
