// Before anything is drawn, so that a dark room is not lit by a white flash.
try {
  const chosen = JSON.parse(localStorage.getItem('fundoscope.theme'));
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
} catch { /* Private windows may refuse storage: the system's theme is used. */ }
