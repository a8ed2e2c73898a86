// How fast and how heavy: the first paint, what each page loads from an empty cache,
// and whether the page stays at hand while fifty runs stream.
import { api, arrive, launch, seed, url } from "./visit.mjs";

const pages = ["/", "/approvals", "/runs", "/runs/" + seed.payment, `/compare?a=${seed.digest}&b=${seed.ticket}`, "/agents", "/agents/" + seed["invoice-clerk"],
  "/robots", "/robots/night-auditor", "/playground", "/workflows", "/tools", "/webhooks", "/schedules", "/index", "/settings/keys", "/settings/models", "/settings/audit", "/settings/system"];
const allowance = 150_000;
const faults = [];
const browser = await launch();
try {
  const first = await arrive(browser, "speed", { theme: "light", width: 1440 });
  await first.open("/");
  const state = await first.context.storageState();

  const weights = {};
  for (const path of pages) {
    const context = await browser.newContext({ storageState: state, viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    await page.goto(url + "/ui" + path);
    await page.locator(".main > *").first().waitFor();
    await page.waitForTimeout(600); // what a page loads behind its first paint counts, too
    const weight = await page.evaluate(() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .filter((one) => one.name.includes("/ui/")).reduce((sum, one) => sum + one.encodedBodySize, 0));
    weights[path.replace(/[0-9a-f]{32}/g, "…")] = weight;
    if (weight > allowance) faults.push(`${path} loads ${weight} bytes, and may load ${allowance}`);
    if (weight < 60_000) faults.push(`${path} loads ${weight} bytes: they were not all counted`);
    await context.close();
  }

  // The best of some, from an empty cache, with a page of the server that has no script
  // beside it: what is slow on both is the machine.
  const paints = [], bare = [];
  for (let i = 0; i < 6; i++) {
    const context = await browser.newContext({ storageState: state, viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    await page.goto(url + "/healthz"); // the browser's process for this server is there
    bare.push(await painted(page, url + "/decide/none"));
    paints.push(await painted(page, url + "/ui/"));
    await context.close();
  }
  const middle = (all) => [...all].sort((a, b) => a - b)[all.length >> 1];
  if (Math.min(...paints) > 100 && middle(paints) > 3 * middle(bare)) faults.push(`the first paint comes after ${paints.join(", ")} ms, that of a bare page after ${bare.join(", ")}`);

  // Fifty runs stream; somebody watches Home, then the list of runs.
  const long = {};
  for (const path of ["/", "/runs"]) {
    const v = await arrive(browser, "speed", { theme: "light", width: 1440 });
    await v.context.addCookies(state.cookies);
    await v.open(path);
    await v.page.waitForTimeout(1500);
    await browser.startTracing(v.page, { categories: ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"] });
    await Promise.all(Array.from({ length: 50 }, (_, i) => api("POST", "/v1/runs", {
      model: "openai/gpt-5-mini", background: true, prompt: `Write letter ${i}\n= ${"The parcel was handed to a neighbour, who has signed for it. ".repeat(12)}`,
    })));
    await v.page.waitForTimeout(6000);
    long[path] = longest(JSON.parse(await browser.stopTracing()));
    const seen = await v.seen();
    if (seen.shift > 0.05) faults.push(`${path}: the layout has shifted by ${seen.shift}: ${seen.shifts.join(" || ")}`);
    if (!(long[path][0] > 0)) faults.push(`${path}: no task was measured`);
    // One may be the browser's own: it compiles, and tidies up.
    if (long[path][1] > 50 || long[path][0] > 75) faults.push(`${path}: tasks of ${long[path].join(", ")} ms while fifty runs stream`);
    faults.push(...v.faults);
    await v.context.close();
  }
  console.log(JSON.stringify({ weights, paints, bare, long }));
} catch (error) {
  faults.push(error.stack);
} finally {
  await browser.close();
}
if (faults.length) {
  console.error(faults.join("\n"));
  process.exitCode = 1;
}

/** Goes to a page; resolves with the ms until something of it was painted. */
async function painted(page, address) {
  await page.goto(address);
  return page.evaluate(() => new Promise((resolve) => {
    const look = () => {
      const paint = performance.getEntriesByName("first-contentful-paint")[0];
      if (paint) resolve(Math.round(paint.startTime));
      else setTimeout(look, 10);
    };
    look();
  }));
}

/** The longest tasks of the page's main threads, in ms of their own time: what other programs took is not in it. */
function longest({ traceEvents }) {
  const main = new Set(traceEvents.filter((one) => one.name === "thread_name" && one.args.name === "CrRendererMain").map((one) => `${one.pid}/${one.tid}`));
  return traceEvents.filter((one) => one.name.endsWith("RunTask") && one.tdur && main.has(`${one.pid}/${one.tid}`))
    .map((one) => Math.round(one.tdur / 1000)).sort((a, b) => b - a).slice(0, 8);
}
