/** Whose photograph it is and which eye: corrected here, or the photograph is deleted. */

import * as api from '/page/api.js';
import { announce, button, choice, field, fill, make, typed } from '/page/dom.js';
import { say } from '/page/language.js';

/** Whether somebody may correct what was said of a photograph. */
export function mayCorrect(session, answer) {
  return answer.status === 'read' && ['upload', 'look'].every((role) => session.roles.includes(role));
}

/** Whether somebody may delete a photograph: who uploaded it, until it is reviewed. */
export function mayDelete(session, answer) {
  return answer.uploaded_by === session.person && session.roles.includes('upload') && !answer.reviews.length;
}

/** A form below the head of a reading. */
export class Identity {
  /**
   * @param {Object} session of the service
   * @param {Object} answer about the photograph
   * @param {{closed: () => void, removed: () => void}} told when the form is left, and when the
   *   photograph is deleted
   */
  constructor(session, answer, { closed, removed }) {
    Object.assign(this, { session, answer, closed, removed });
    this.patient = make('input', { type: 'text', autocomplete: 'off', maxlength: '128', value: answer.patient || '' });
    const eyes = [['', say('page.eye_from_photograph')], ['right', say('eye.right')], ['left', say('eye.left')]];
    this.eye = choice(eyes, answer.eye || '', () => {});
    this.trouble = make('p.error', { role: 'alert' });
    this.buttons = make('p.row');
    this.corrects = mayCorrect(session, answer);
    const fields = this.corrects ? make('div.row', {}, field(say('paper.patient'), this.patient), field(say('page.eye'), this.eye)) : null;
    const title = say(this.corrects ? 'page.correct' : 'page.delete');
    this.element = make('form.identity', { onsubmit: (event) => { event.preventDefault(); if (this.corrects) this.save(); }, 'aria-label': title },
      fields, this.buttons, this.trouble);
    this.offer();
  }

  focus() { (this.corrects ? this.patient : this.buttons.querySelector('button')).focus(); }

  /** Save or leave, or delete the photograph. Of one that was not read nothing is corrected. */
  offer() {
    const deletes = mayDelete(this.session, this.answer);
    fill(this.buttons,
      this.corrects ? button(say('page.save_correction'), () => this.save(), { 'data-main': true }) : null,
      button(say('page.cancel'), () => this.closed()),
      deletes ? button(say('page.delete'), () => this.ask()) : null);
  }

  ask() {
    const keep = button(say('page.keep'), () => { this.offer(); this.focus(); });
    fill(this.buttons, make('strong', {}, say('page.delete_sure')),
      button(say('page.delete_now'), () => this.remove()), keep);
    keep.focus();
  }

  /** Save what differs, and show the reading anew. */
  async save() {
    const said = { patient: typed(this.patient) || null, eye: this.eye.value || null };
    const body = Object.fromEntries(Object.entries(said).filter(([name, value]) => value !== (this.answer[name] ?? null)));
    if (!Object.keys(body).length) {
      this.closed();
      return;
    }
    await this.attempt(async () => {
      const doing = body.eye === undefined ? 'page.sending' : 'page.reading';
      fill(this.buttons, say(doing));
      await api.correct(this.answer.id, body);
      announce(say('page.corrected'));
      window.dispatchEvent(new HashChangeEvent('hashchange'));
    });
  }

  async remove() {
    await this.attempt(async () => {
      await api.remove(this.answer.id);
      this.removed();
      announce(say('page.deleted'));
      window.location.hash = '#/';
    });
  }

  async attempt(run) {
    this.trouble.textContent = '';
    try {
      await run();
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      this.offer();
      this.trouble.textContent = problem.sentence;
      if (problem.signedOut) Promise.reject(problem); // The page asks who is there.
    }
  }
}
