// Light or dark: as the system says, until somebody chooses here.
import { signal } from "./html.js";
import { painted } from "./chart.js";

const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

/** Whether it is dark now. */
export const dark = signal(root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

system.addEventListener("change", () => {
  if (!root.dataset.theme) put(system.matches);
});

/** @param {boolean} on */
function put(on) {
  dark.value = on;
  painted.value++; // canvases do not follow by themselves
}

/** Switches, and keeps the choice; choosing what the system says anyway keeps none. */
export function toggleTheme() {
  const on = !dark.peek();
  if (on === system.matches) {
    delete root.dataset.theme;
    localStorage.removeItem("errand.theme");
  } else {
    root.dataset.theme = on ? "dark" : "light";
    localStorage.setItem("errand.theme", on ? "dark" : "light");
  }
  put(on);
}
