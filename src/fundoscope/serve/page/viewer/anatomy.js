/**
 * Landmarks and grids, as `fundoscope/lesions/etdrs.py` and `fundoscope/lesions/anatomy.py` define
 * them: circles of 1/3, 1 and 2 disc diameters about the fovea, turned to the line from the disc.
 */

import { COLOURS } from '/page/viewer/lesions.js';

const RINGS = [1 / 3, 1, 2];
const GRID = '#ffffff';
const EDGE = '#000000';
const DASHES = [8, 6];
const FOVEA_ARM = 9;

/** Draw the ring of the disc, and a cross on the fovea: dashed where it is only estimated. */
export function drawLandmarks(context, view, { anatomy, field }) {
  const { disc, fovea } = anatomy;
  if (disc.centre && disc.diameter) {
    const ring = new Path2D();
    const { x, y } = view.toScreen(...disc.centre);
    const radius = disc.diameter / 2 * view.scale;
    ring.ellipse(x, y, radius / (field.stretch || 1), radius, 0, 0, 2 * Math.PI);
    stroke(context, ring, COLOURS.optic_disc, DASHES);
  }
  if (fovea.centre) {
    const cross = new Path2D();
    const { x, y } = view.toScreen(...fovea.centre);
    cross.moveTo(x - FOVEA_ARM, y);
    cross.lineTo(x + FOVEA_ARM, y);
    cross.moveTo(x, y - FOVEA_ARM);
    cross.lineTo(x, y + FOVEA_ARM);
    stroke(context, cross, COLOURS.fovea, fovea.state === 'found' ? [] : [3, 3]);
  }
}

/** Whether the ETDRS grid is known. */
export const hasGrid = (reading) => temporal(reading) !== null;

/** Draw the ETDRS grid; dashed where fovea or disc is only estimated. */
export function drawGrid(context, view, reading) {
  const along = temporal(reading);
  if (!along) return;
  const { disc, fovea } = reading.anatomy;
  const stretch = reading.field.stretch || 1;
  const up = along.x > 0 ? { x: along.y, y: -along.x } : { x: -along.y, y: along.x };
  const place = (towards, upwards) => view.toScreen(
    fovea.centre[0] + (towards * along.x + upwards * up.x) * disc.diameter / stretch,
    fovea.centre[1] + (towards * along.y + upwards * up.y) * disc.diameter,
  );
  const grid = new Path2D();
  const middle = place(0, 0);
  for (const ring of RINGS) {
    const radius = ring * disc.diameter * view.scale;
    grid.moveTo(middle.x + radius / stretch, middle.y);
    grid.ellipse(middle.x, middle.y, radius / stretch, radius, 0, 0, 2 * Math.PI);
  }
  const [inner, , outer] = RINGS.map((ring) => ring * Math.SQRT1_2);
  for (const [right, above] of [[1, 1], [1, -1], [-1, 1], [-1, -1]]) {
    const from = place(inner * right, inner * above);
    const to = place(outer * right, outer * above);
    grid.moveTo(from.x, from.y);
    grid.lineTo(to.x, to.y);
  }
  stroke(context, grid, GRID, fovea.state === 'found' && disc.found ? [] : DASHES);
}

/** Whether the quadrants are known. */
export const hasQuadrants = ({ anatomy }) => division(anatomy) !== null;

/** Draw the lines between the quadrants, within the field of view. */
export function drawQuadrants(context, view, { anatomy, field }) {
  const centre = division(anatomy);
  if (!centre || !field.found) return;
  const [x, y] = centre;
  const across = field.radius / (field.stretch || 1);
  const lines = new Path2D();
  const left = view.toScreen(field.centre[0] - across, y);
  const right = view.toScreen(field.centre[0] + across, y);
  const top = view.toScreen(x, field.centre[1] - field.radius);
  const bottom = view.toScreen(x, field.centre[1] + field.radius);
  lines.moveTo(left.x, left.y);
  lines.lineTo(right.x, right.y);
  lines.moveTo(top.x, top.y);
  lines.lineTo(bottom.x, bottom.y);
  stroke(context, lines, GRID, DASHES);
}

/** Where the lines between the quadrants cross: the fovea if it was seen, else the disc. */
function division({ disc, fovea }) {
  return fovea.state === 'found' ? fovea.centre : disc.centre;
}

/** The direction towards the temple, in pixels of equal width and height. */
function temporal({ anatomy: { disc, fovea, laterality }, field }) {
  if (!fovea.centre || !disc.diameter) return null;
  if (disc.centre) {
    const x = (fovea.centre[0] - disc.centre[0]) * (field.stretch || 1);
    const y = fovea.centre[1] - disc.centre[1];
    const length = Math.hypot(x, y);
    if (x) return { x: x / length, y: y / length };
  }
  if (!laterality.eye) return null;
  return { x: laterality.eye === 'right' ? -1 : 1, y: 0 };
}

function stroke(context, path, colour, dashes) {
  context.setLineDash(dashes);
  context.strokeStyle = EDGE;
  context.lineWidth = 3.5;
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.stroke(path);
  context.setLineDash([]);
}
