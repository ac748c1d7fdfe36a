/** Uploads: drag and drop or choose, several at once, each with its progress and its error. */

import * as api from '/page/api.js';
import { announce, button, choice, field, fill, make, typed } from '/page/dom.js';
import { say } from '/page/language.js';
import { sentenceOfGrade, step, verdict } from '/page/words.js';

/** Uploads at the same time: while one is read, the next is sent. */
const AT_ONCE = 2;
/** How often a busy service is asked again for one photograph. */
const MOST_RETRIES = 20;
const MILLISECONDS = 1000;
const MIB = 2 ** 20;

/** Uploads go on while another view is shown; their lines are there when one comes back. */
const list = make('ul.uploads');
const waiting = [];
let active = 0;
let whose = null;
let done = () => {};

window.addEventListener('beforeunload', (event) => {
  if (active || waiting.length) event.preventDefault();
});

/** Forget all uploads: nothing of them stays on the screen. Those that are being sent arrive. */
export function clear() {
  waiting.length = 0;
  list.replaceChildren();
  whose = null;
}

async function next() {
  while (whose && active < AT_ONCE && waiting.length) {
    active += 1;
    waiting.shift().run(whose).finally(() => {
      active -= 1;
      done();
      next();
    });
  }
}

/**
 * The panel for uploads.
 * @param {Object} session of the service
 * @param {() => void} then called after each photograph
 */
export function panel(session, then) {
  whose = session;
  done = then;
  list.setAttribute('aria-label', say('page.uploads'));
  const said = { eye: '', patient: '', keepName: false };
  const input = make('input', {
    type: 'file', multiple: true, accept: 'image/jpeg,image/png,image/tiff,.jpg,.jpeg,.jpe,.jfif,.png,.tif,.tiff',
    id: 'files', onchange: () => { take(input.files); input.value = ''; },
  });
  const eyes = [['', say('page.eye_from_photograph')], ['right', say('eye.right')], ['left', say('eye.left')]];
  const patient = make('input', { type: 'text', autocomplete: 'off', maxlength: '128', oninput: () => { said.patient = typed(patient); } });
  const eye = choice(eyes, '', (value) => { said.eye = value; });
  const keep = make('input', { type: 'checkbox', onchange: () => { said.keepName = keep.checked; } });
  const drop = make('div.drop', {},
    make('div.row', {}, // First whose photograph it is: a file is sent as soon as it is chosen.
      field(say('paper.patient'), patient),
      field(say('page.eye'), eye),
      make('label.check', {}, keep, say('page.keep_name'))),
    make('label', { for: 'files' }, say('page.drop')), input);
  const region = make('section.upload', { 'aria-label': say('page.upload') }, drop, list);

  for (const kind of ['dragenter', 'dragover']) {
    region.addEventListener(kind, (event) => {
      event.preventDefault();
      region.classList.add('over');
    });
  }
  region.addEventListener('dragleave', (event) => {
    if (!region.contains(event.relatedTarget)) region.classList.remove('over');
  });
  region.addEventListener('drop', (event) => {
    event.preventDefault();
    region.classList.remove('over');
    take(event.dataTransfer.files);
  });

  function take(files) {
    if (!files.length) return;
    for (const file of files) waiting.push(new Upload(file, { ...said }, list));
    forget();
    next();
  }

  /** The next photographs may be of somebody else. */
  function forget() {
    Object.assign(said, { patient: '', eye: '' });
    patient.value = '';
    eye.value = '';
  }
  return region;
}

/** Whether a later try may do better: the service or the network failed, not the photograph. */
const mayPass = ({ status, signedOut }) => !status || status >= 500 || status === 408 || signedOut;

/** One photograph on its way: a line of the list. */
class Upload {
  constructor(file, said, list) {
    this.file = file;
    this.said = said;
    this.bar = make('progress', { max: '1', value: 0, 'aria-label': file.name });
    this.words = make('span', {}, say('page.waiting'));
    this.line = make('li', {}, make('span.name', {}, file.name), this.bar, this.words);
    list.prepend(this.line);
  }

  async run(session) {
    const isOurs = () => whose?.person === session.person; // Not if somebody signed out meanwhile.
    if (this.file.size > session.upload_bytes) {
      this.fail(say('page.too_large', { most: Math.floor(session.upload_bytes / MIB) }));
      return;
    }
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await api.upload(this.file, this.said, (share) => this.progress(share));
        if (isOurs()) this.finish(answer, session);
        return;
      } catch (problem) {
        if (!isOurs()) return;
        // With an id it is no queue that is full: this photograph was tried, and may fail again.
        if (problem.status !== 503 || problem.id || tries >= MOST_RETRIES) {
          this.fail(problem.sentence || String(problem), mayPass(problem));
          if (problem.signedOut) Promise.reject(problem); // The page asks who is there.
          return;
        }
        this.words.textContent = say('page.busy', { seconds: problem.retry });
        await new Promise((resolve) => { setTimeout(resolve, problem.retry * MILLISECONDS); });
        if (!isOurs()) return;
      }
    }
  }

  again() {
    this.line.classList.remove('error');
    this.words.removeAttribute('role');
    this.bar.value = 0;
    this.words.before(this.bar);
    this.words.textContent = say('page.waiting');
    waiting.push(this);
    next();
  }

  progress(share) {
    this.bar.value = share;
    this.words.textContent = share < 1 ? say('page.sending') : say('page.reading');
  }

  finish(answer, session) {
    const { reading } = answer;
    const words = reading ? [sentenceOfGrade(reading), verdict(reading), step(reading)].filter(Boolean).join(' · ') : '';
    const link = session.roles.includes('look')
      ? make('a', { href: `#/reading/${encodeURIComponent(answer.id)}` }, words || say('page.open'))
      : words || say('page.uploaded');
    const again = answer.same_as ? ` (${say('page.same_as')})` : '';
    this.bar.remove();
    fill(this.words, link, again);
    announce(`${this.file.name}: ${this.words.textContent}`);
  }

  /** Say what is wrong; what may pass can be tried again. */
  fail(sentence, again = false) {
    this.bar.remove();
    this.line.classList.add('error');
    this.words.setAttribute('role', 'alert');
    fill(this.words, sentence, ' ', again ? button(say('page.again'), () => this.again()) : null, ' ',
      button(say('page.dismiss'), () => this.line.remove()));
    if (!this.line.isConnected) announce(`${this.file.name}: ${sentence}`);
  }
}
