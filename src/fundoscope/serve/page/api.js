/** Calls of the service. What fails becomes a Problem: what is wrong, and what to do. */

import { ofProblem, say } from '/page/language.js';

/** Seconds after which a busy service is asked again, if it does not say. */
const RETRY_S = 5;

/** Says with every call whom the page shows as signed in: another window may have changed that. */
const PERSON = 'Fundoscope-Person';
let person = null;

/** Call as a person from now on. */
export function callAs(who) { person = who; }

const asWho = () => (person === null ? {} : { [PERSON]: person });

/** An answer that is an error. */
export class Problem extends Error {
  constructor({ status = 0, code = 'unreachable', detail, remedy, id = null, retry = RETRY_S }) {
    super(detail || say('page.unreachable'));
    Object.assign(this, { status, code, remedy: remedy || '', id, retry });
  }

  /** Whether nobody is signed in any more, or somebody else. */
  get signedOut() { return this.status === 401 || this.code === 'other_person'; }

  /** What is wrong and what to do, in a sentence. */
  get sentence() {
    return ofProblem(this.code, this.remedy ? `${this.message}: ${this.remedy}` : this.message);
  }
}

async function call(address, { who = asWho(), ...options } = {}) {
  let answer;
  try {
    const headers = { ...options.headers, ...who };
    answer = await fetch(address, { credentials: 'same-origin', ...options, headers });
  } catch {
    throw new Problem({ remedy: say('page.unreachable_remedy') });
  }
  if (!answer.ok) throw problemOf(answer.status, await answer.text(), answer.headers.get('Retry-After'));
  return answer;
}

function problemOf(status, text, retry) {
  let told = {};
  try {
    told = JSON.parse(text);
  } catch { /* A proxy in between answers in HTML. */ }
  const seconds = Number(retry) || RETRY_S;
  return new Problem({ ...told, status, detail: told.detail || say('page.failed', { status }), retry: seconds });
}

const json = async (address, options) => (await call(address, options)).json();

function send(address, body, method = 'POST') {
  const headers = { 'Content-Type': 'application/json' };
  return json(address, { method, headers, body: JSON.stringify(body) });
}

/** Address of something that is made of a reading. */
export const part = (id, what) => `/v1/readings/${encodeURIComponent(id)}/${what}`;

/** Who is signed in now, whoever that is. */
export const session = () => json('/v1/session', { who: {} });
export const signIn = (token) => send('/v1/session', { token });
export const signOut = () => call('/v1/session', { method: 'DELETE' });
export const reading = (id) => json(`/v1/readings/${encodeURIComponent(id)}`);
export const review = (id, body) => send(part(id, 'review'), body);
export const correct = (id, body) => send(`/v1/readings/${encodeURIComponent(id)}`, body, 'PATCH');
export const remove = (id) => call(`/v1/readings/${encodeURIComponent(id)}`, { method: 'DELETE' });
export const picture = async (id, what) => (await call(part(id, what))).blob();

/**
 * The worklist; leaves out filters that are empty. Sent as a body: a proxy on the way writes
 * addresses into its log, and they would name patients.
 */
export function worklist(wanted) {
  const typed = { true: true, false: false };
  const given = Object.entries(wanted)
    .filter(([, value]) => value !== '' && value !== null)
    .map(([name, value]) => [name, name === 'grade' ? Number(value) : typed[value] ?? value]);
  return send('/v1/worklist', Object.fromEntries(given));
}

/** The other photographs of the same patient at the same visit. */
export const sameVisit = (id) => json(part(id, 'same-visit'));

/**
 * Upload a photograph. XMLHttpRequest, because fetch says nothing while it sends.
 * @param {File} file
 * @param {{eye: string, patient: string, keepName: boolean}} said
 * @param {(share: number) => void} progress called with 0 to 1
 */
export function upload(file, said, progress) {
  const form = new FormData();
  if (said.eye) form.append('eye', said.eye);
  if (said.patient) form.append('patient', said.patient);
  if (said.keepName) form.append('keep_name', 'true');
  form.append('photograph', file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/v1/readings');
    for (const [name, value] of Object.entries(asWho())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(problemOf(request.status, request.responseText, request.getResponseHeader('Retry-After')));
    };
    request.onerror = () => reject(new Problem({ remedy: say('page.unreachable_remedy') }));
    request.send(form);
  });
}
