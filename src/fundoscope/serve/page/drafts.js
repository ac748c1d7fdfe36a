/**
 * Drafts that could not be saved because their reader was signed out in between. They stay in the
 * memory of this page, are never shown, and are saved when the same person signs in again.
 */

import * as api from '/page/api.js';

/** The body of a review by the reader and the id of the reading. */
const kept = new Map();

window.addEventListener('beforeunload', (event) => {
  if (kept.size) event.preventDefault();
});

/** Keep a draft of a reader. */
export function keep(reader, id, body) {
  kept.set(JSON.stringify([reader, id]), body);
}

/** Save the drafts of a reader who is back. Gives the problem if one cannot be saved. */
export async function send(reader) {
  let trouble = null;
  for (const [key, body] of kept) {
    const [whose, id] = JSON.parse(key);
    if (whose !== reader) continue;
    try {
      await api.review(id, body);
      kept.delete(key);
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      // What is refused, as of a photograph deleted meanwhile, will be refused again.
      if (problem.status && problem.status < 500 && !problem.signedOut) kept.delete(key);
      trouble = problem;
    }
  }
  return trouble;
}
