/** A Reading in words; the counterpart of `fundoscope/report/paper/sentences.py`. */

import { apart, knows, percent, say, translated } from '/page/language.js';

/** The grade with its name, or why there is none. */
export function sentenceOfGrade(reading) {
  const { icdr } = reading.grade;
  if (icdr !== null) return `${icdr} ${say(`grade.${icdr}`)}`;
  const cause = whyNotGraded(reading);
  return cause ? `${say('grade.none')}: ${cause}` : say('grade.none');
}

function whyNotGraded(reading) {
  if (!reading.field.found) return say(`no_field.${reading.field.reason || 'no_disc'}`);
  return reading.quality.gradable === false ? qualityReasons(reading) : '';
}

const qualityReasons = (reading) => (reading.quality.reasons || []).map((code) => say(`quality.${code}`)).join(', ');

/** Whether the photograph is referable; `''` without a grade. */
export function verdict(reading) {
  const { icdr, referable } = reading.grade;
  if (icdr === null || referable === null) return '';
  return say(referable.positive ? 'referable.yes' : 'referable.no');
}

/** What to do next with this photograph, and why. */
export function step(reading) {
  const next = reading.next_step;
  if (next === null) return say('step.unknown');
  const key = `why.${next.reason}`;
  return `${say(`step.${stepKey(next.step)}`)}: ${knows(key) ? say(key) : next.words}`;
}

/**
 * The key of a step in the texts and the styles. Nobody is recalled as usual by one eye, so that
 * step says that the other one decides, too.
 */
export function stepKey(step) {
  if (!step) return 'unknown';
  return step === 'routine_recall' ? 'one_eye' : step;
}

/** How certain the grade is, with the plausible grades; `''` without a grade. */
export function certainty({ grade }) {
  if (grade.icdr === null || grade.probabilities === null) return '';
  const parts = [say('certainty.likely', { percent: percent(grade.probabilities[grade.icdr]) })];
  if (grade.set && grade.set.length && grade.set_coverage !== null) {
    parts.push(say(grade.set.length === 1 ? 'certainty.single' : 'certainty.set', {
      first: grade.set[0], last: grade.set[grade.set.length - 1], coverage: percent(grade.set_coverage),
    }));
  }
  if (grade.abstained) parts.push(say('certainty.abstained'));
  return parts.join('; ');
}

/** Whether the photograph can be graded, and if not why. */
export function quality(reading) {
  if (reading.quality.gradable === null) return say('quality.unknown');
  if (reading.quality.gradable) return say('quality.good');
  return say('quality.poor', { reasons: qualityReasons(reading) });
}

/** What hard exudates say about macular oedema. */
export function oedema({ oedema: { state, distance, reason }, anatomy }) {
  if (state === 'possible' && distance !== null) {
    const far = distance.toFixed(1);
    const text = say(Number(far) ? 'oedema.possible' : 'oedema.on_fovea', { distance: far });
    return anatomy.fovea.state === 'estimated' ? say('oedema.estimated', { text }) : text;
  }
  const text = say(`oedema.${state || 'unknown'}`);
  return reason ? `${text}: ${say(`no_oedema.${reason}`)}` : text;
}

/** How far the grade and the lesions agree. */
function agreement({ agreement: found, lesion_summary: summary }) {
  const text = say(`agreement.${found || 'unknown'}`);
  const partly = summary.some(({ kind, assessed }) => OF_RETINOPATHY.includes(kind) && !assessed);
  return found && partly ? say('agreement.partly', { text }) : text;
}

const OF_RETINOPATHY = ['microaneurysm', 'haemorrhage', 'hard_exudate', 'soft_exudate'];
const PROLIFERATIVE = 4;

function byLesions({ lesion_grade: { icdr, referable_probability: probability }, lesion_summary: summary }) {
  const key = icdr === PROLIFERATIVE ? 'by_lesions.proliferative' : 'by_lesions';
  const text = say(key, { icdr, name: say(`grade.${icdr}`), probability: percent(probability) });
  return summary.some(({ assessed }) => assessed) ? text : say('by_lesions.no_kind', { text });
}

/** Name and text of each further finding of a photograph. */
export function rows(reading) {
  const graded = reading.grade.icdr !== null;
  const { referable } = reading.grade;
  const found = [];
  if (graded) found.push([say('paper.certainty'), certainty(reading)]);
  if (graded && referable) {
    const [probability, threshold] = apart(referable.probability, referable.threshold);
    found.push([say('paper.referable'), say('paper.threshold', { probability, threshold })]);
  }
  found.push([say('paper.oedema'), oedema(reading)]);
  if (graded) found.push([say('paper.agreement'), agreement(reading)]);
  if (reading.lesion_grade) found.push([say('paper.by_lesions'), byLesions(reading)]);
  if (reading.lesion_summary.some(({ withheld }) => withheld)) found.push([say('paper.not_drawn'), say('paper.not_drawn_why')]);
  found.push([say('paper.quality'), quality(reading)]);
  return found;
}

/** The kinds of lesion that were not looked for, grouped by the reason. */
export function missing(reading) {
  const groups = new Map();
  for (const each of reading.lesion_summary.filter(({ assessed }) => !assessed)) {
    const reason = each.reason || 'no_detector';
    groups.set(reason, [...(groups.get(reason) || []), say(`kind.${each.kind}`)]);
  }
  return [...groups].map(([reason, kinds]) => `${kinds.join(', ')} (${say(`missing.${reason}`)})`).join('; ');
}

/** What is unusual about a photograph. */
export function notes(reading) {
  const reasons = reading.needs_reader.map((code) => say(`why.${code}`));
  return [...reasons, ...reading.warnings.map((warning) => translated(warning))];
}

/** Which eye it is and who says so. */
export function eye(answer) {
  const side = answer.reading ? answer.reading.anatomy.laterality : { eye: null, source: null, contradiction: false };
  const title = say(`eye.${answer.eye || side.eye || 'unknown'}`);
  const parts = [];
  if (answer.eye || side.source) parts.push(say(`eye.${answer.eye ? 'given' : side.source}`));
  if (side.contradiction) parts.push(say('eye.contradiction'));
  return parts.length ? `${title} (${parts.join('; ')})` : title;
}
