// Answers that come late, the first that was asked for last: what is on a page already
// stays where it is. (What is known of a step is read behind it, and may push a little.)
import { everyPage, tour } from "./visit.mjs";

await tour("late", { theme: "dark", width: 390 }, async (v) => { // where everything stands below everything else
  await v.open("/");
  let nth = 0, open = 0;
  await v.page.route(/\/(v1|api)\//, async (route) => {
    if (route.request().method() !== "GET" || /\/(stream|events)\b/.test(route.request().url())) return route.continue();
    open++;
    await new Promise((done) => setTimeout(done, Math.max(30, 500 - 75 * nth++)));
    await route.continue().catch(() => {}); // the page has gone on
    return open--;
  });
  for (const [path] of everyPage) {
    nth = 0;
    await v.open(path);
    for (let quiet = 0; quiet < 4; quiet = open ? 0 : quiet + 1) await v.page.waitForTimeout(60);
    const { shift, shifts } = await v.seen();
    if (shift > 0.05) v.faults.push(`${path} has shifted by ${shift.toFixed(3)}: ${shifts.join(" || ")}`);
  }
});
