
"use strict";
const root = document.documentElement, form = document.getElementById("filter");
const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(d => { d.open = true; }));
if (form) {
  form.hidden = false;
  const rows = [...document.querySelectorAll("#all tbody tr")], count = document.getElementById("count");
  const cells = [...document.querySelectorAll("button[data-threat]")];
  let texts, threat = "";
  const narrow = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(w => w);
    if (words.length && !texts) texts = rows.map(r => r.textContent.toLowerCase());
    const want = ["severity", "state", "host"].filter(n => form.elements[n]).map(n => [n, form.elements[n].value]);
    let shown = 0;
    rows.forEach((r, i) => {
      const show = want.every(([n, v]) => v === "" || r.dataset[n].split(" ").includes(v)) &&
        (threat === "" || r.dataset.threats.split(" ").includes(threat)) && words.every(w => texts[i].includes(w));
      if (r.hidden === show) r.hidden = !show;
      if (show) shown++;
    });
    document.getElementById("all").classList.toggle("narrowed", shown < rows.length);
    count.textContent = `${shown} of ${rows.length} rows` +
      (threat ? `, of the threat ${threat}` : "");
    cells.forEach(c => c.setAttribute("aria-pressed", String(c.dataset.threat === threat)));
  };
  form.addEventListener("input", narrow);
  form.addEventListener("submit", e => e.preventDefault());
  form.addEventListener("reset", () => { threat = ""; setTimeout(narrow); });
  cells.forEach(c => c.addEventListener("click", () => {
    threat = threat === c.dataset.threat ? "" : c.dataset.threat;
    narrow();
    if (threat) document.getElementById("findings").focus();
  }));
}
