"use strict";
const EYES = 1000;
const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "not given");
for (const box of document.querySelectorAll("[data-sensitivity]")) {
  const sensitivity = Number(box.dataset.sensitivity);
  const specificity = Number(box.dataset.specificity);
  const slider = box.querySelector("input");
  const update = () => {
    const prevalence = Number(slider.value) / 100;
    const hits = EYES * prevalence * sensitivity;
    const missed = EYES * prevalence - hits;
    const alarms = EYES * (1 - prevalence) * (1 - specificity);
    const passed = EYES * (1 - prevalence) * specificity;
    const values = {
      prevalence: `${slider.value} %`,
      ppv: percent(hits / (hits + alarms)),
      npv: percent(passed / (passed + missed)),
      referred: (hits + alarms).toFixed(0),
      missed: missed.toFixed(1),
    };
    for (const [name, text] of Object.entries(values)) {
      box.querySelector(`[data-value="${name}"]`).textContent = text;
    }
  };
  slider.addEventListener("input", update);
  update();
}
