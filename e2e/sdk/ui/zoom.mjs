// Every page at 200 %, which is half as many pixels each way, and without motion: nothing
// is wider than the window, nothing that one could press is cut off, nothing moves.
import { everyPage, tour } from "./visit.mjs";

await tour("zoom", { theme: "dark", width: 720 }, async (v) => {
  await v.page.setViewportSize({ width: 720, height: 450 });
  await v.open("/");
  for (const [path, name, says] of everyPage) {
    await v.to(path);
    await v.page.locator(".main.p-" + name).getByText(says).filter({ visible: true }).first().waitFor();
    await v.page.waitForFunction(() => !document.querySelector(".main .skeleton"));
    const cut = await v.page.evaluate(outside);
    if (cut.length) v.faults.push(`${path}: ${cut.join(" | ")}`);
    await v.shot(path.replace(/[^a-z]+/g, "-").slice(0, 40));
  }
});

/** What is wrong on the page; runs in it. */
function outside() {
  const found = [], wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) found.push(`${wide} px wider than the window`);
  for (const one of document.getAnimations()) found.push("it moves: " + (one.animationName || one.transitionProperty));
  const scrolls = (one) => { for (let up = one.parentElement; up; up = up.parentElement) if (/auto|scroll/.test(getComputedStyle(up).overflowX) && up.scrollWidth > up.clientWidth) return true; return false; };
  for (const one of document.querySelectorAll("#app a, #app button, #app input, #app select, #app textarea")) {
    const { left, right, width, height } = one.getBoundingClientRect();
    if (width < 2 || height < 2 || !one.checkVisibility({ visibilityProperty: true })) continue;
    if ((right > innerWidth + 1 || left < -1) && !scrolls(one) && !one.closest(".sr, .skip")) found.push(`cut off at ${Math.round(left)} to ${Math.round(right)}: ${one.outerHTML.slice(0, 120)}`);
  }
  return found.slice(0, 5);
}
