/** What a person chose on this computer. Nothing about patients is stored here. */

const PREFIX = 'fundoscope.';

/** A stored choice, or what is usual. */
export function chosen(name, usual) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? usual : JSON.parse(text);
  } catch {
    return usual;
  }
}

/** Store a choice, if the browser allows it. */
export function choose(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch { /* Private windows may refuse: the choice holds until the page is closed. */ }
}
