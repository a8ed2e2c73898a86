// The first paint. Before it: the theme that was chosen here, and whether anybody has
// signed in, for the frame that index.html has. After it: the program, whose modules
// wait in a template. Forty requests at once would keep the styles, and so the paint,
// waiting for as long as all of them take.
const root = document.documentElement;
try {
  const kept = localStorage.getItem("errand.theme");
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  if (localStorage.getItem("errand.in")) root.dataset.in = "";
} catch { /* storage is off: the system's theme holds */ }

let begun = false;
function begin() {
  const program = /** @type {HTMLTemplateElement|null} */ (document.getElementById("program"));
  if (begun || !program) return;
  begun = true;
  document.head.append(program.content);
}

new PerformanceObserver(begin).observe({ type: "paint", buffered: true });
// A tab that opens behind others is not painted, and is to be there when one turns to it.
addEventListener("DOMContentLoaded", () => setTimeout(begin, document.hidden ? 0 : 300));
