/** The texts of the page: a JSON file for each language, the same that reports use. */

import { choose, chosen } from '/page/settings.js';

/** Codes of the languages. To add one, add its JSON file beside the others and its code here. */
export const LANGUAGES = ['en', 'zh'];
const ENGLISH = 'en';
/** Half a percent; what is nearer to 0 or 1 would be rounded to it. */
const ROUNDED_AWAY = 0.005;

/** Decimals of a percentage that would else look like the limit beside it. */
const MOST_DECIMALS = 2;

/** The values of warnings that are translated, too, by the section of their texts. */
const SECTION_OF = { wrong: 'wrong', wrong_too: 'wrong', remedy: 'remedy' };

const names = {};
let english = {};
let texts = {};
let code = ENGLISH;

/** Load the language that was chosen, or that of the browser. */
export async function load(wanted = chosen('language', null)) {
  const browsers = (navigator.languages || []).map((each) => each.slice(0, 2).toLowerCase());
  code = [wanted, ...browsers].find((each) => LANGUAGES.includes(each)) || ENGLISH;
  const all = await Promise.all(LANGUAGES.map(read));
  LANGUAGES.forEach((each, place) => { names[each] = all[place].language; });
  english = all[LANGUAGES.indexOf(ENGLISH)];
  texts = { ...english, ...all[LANGUAGES.indexOf(code)] };
  document.documentElement.lang = code;
}

async function read(each) {
  const answer = await fetch(`/page/languages/${each}.json`);
  return answer.json();
}

/** Change the language; the page is drawn again by whoever calls. */
export async function change(wanted) {
  choose('language', wanted);
  await load(wanted);
}

/** The code of the language in use. */
export const current = () => code;

/** Name of a language in itself. */
export const nameOf = (each) => names[each];

/** Whether there is a text for a key. */
export const knows = (key) => key in texts;

/**
 * The text of a key, with values in their places.
 * For an unknown key, as of a code of a later version, its last part in words.
 */
export function say(key, values = {}) {
  const text = texts[key];
  if (text === undefined) return key.slice(key.indexOf('.') + 1).replaceAll('_', ' ');
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/**
 * A warning of a reading, which is in English, in the language in use; one of another version stays.
 * The counterpart of `fundoscope/report/languages/warnings.py`.
 */
export function translated(sentence, section = 'warning') {
  for (const [key, text] of Object.entries(english)) {
    const match = key.startsWith(`${section}.`) && pattern(text).exec(sentence);
    if (match) {
      const values = Object.entries(match.groups || {}).map(
        ([name, value]) => [name, SECTION_OF[name] ? translated(value, SECTION_OF[name]) : value],
      );
      return say(key, Object.fromEntries(values));
    }
  }
  return sentence;
}

/**
 * What the service says of a problem, which is in English and exact; in another language the text of
 * the problem's code, where there is one.
 */
export function ofProblem(problem, sentence) {
  const key = `problem.${problem}`;
  return code !== ENGLISH && knows(key) ? say(key) : sentence;
}

/** What matches an English text with any values. */
function pattern(text) {
  const escaped = text.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\{(\w+)\}/g, '(?<$1>.+?)')}$`);
}

/** A probability as a whole percentage; it is never 0 % or 100 %. */
export function percent(share) {
  if (share <= ROUNDED_AWAY) return say('percent.less');
  if (share >= 1 - ROUNDED_AWAY) return say('percent.more');
  return say('percent', { number: Math.round(share * 100) });
}

/** A limit as a whole percentage; other than a probability it may be 0 % or 100 %. */
export function limitPercent(limit) {
  return limit > 0 && limit < 1 ? percent(limit) : say('percent', { number: Math.round(limit * 100) });
}

/** A probability and a limit, with as many decimals as tell them apart, two at most. */
export function apart(share, limit) {
  const whole = [percent(share), limitPercent(limit)];
  if (whole[0] !== whole[1]) return whole;
  for (let digits = 1; digits <= MOST_DECIMALS; digits += 1) {
    const [has, least] = [share, limit].map((value) => (value * 100).toFixed(digits));
    const certain = [has, least].some((text) => [0, 100].includes(Number(text)));
    if (has !== least && !certain) return [say('percent', { number: has }), say('percent', { number: least })];
  }
  return whole;
}

/** A time of the service, in UTC, as people here write it: English is not that of one country. */
export function moment(text) {
  const when = new Date(text);
  const here = (navigator.languages || []).find((each) => each.slice(0, 2).toLowerCase() === code);
  return Number.isNaN(when.getTime())
    ? text
    : when.toLocaleString(here || code, { dateStyle: 'medium', timeStyle: 'short' });
}
