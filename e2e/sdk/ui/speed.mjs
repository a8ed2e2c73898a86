// How fast and how heavy: the first paint, what a page loads from an empty cache, and
// whether the page stays at hand while fifty runs stream.
import { api, arrive, launch, seed, url } from "./visit.mjs";

// The heaviest ones; what each page may load at most is added up in internal/ui.
const pages = ["/runs/" + seed.payment, "/agents/" + seed["invoice-clerk"], "/robots/night-auditor"];
const allowance = 150_000;
const faults = [];
const browser = await launch();
const fresh = async (state) => (await browser.newContext({ storageState: state, viewport: { width: 1440, height: 900 } })).newPage();
try {
  const first = await arrive(browser, "speed", { theme: "light", width: 1440 });
  await first.open("/");
  const state = await first.context.storageState();
  await first.context.close();

  const weights = {};
  for (const path of pages) {
    const page = await fresh(state);
    await page.goto(url + "/ui" + path);
    await page.locator(".main > *").first().waitFor();
    await page.waitForTimeout(600); // what a page loads behind its first paint counts, too
    const weight = await page.evaluate(() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .filter((one) => one.name.includes("/ui/")).reduce((sum, one) => sum + one.encodedBodySize, 0));
    weights[path.replace(/[0-9a-f]{20,}/g, "…")] = weight;
    if (weight > allowance) faults.push(`${path} loads ${weight} bytes, and may load ${allowance}`);
    if (weight < 60_000) faults.push(`${path} loads ${weight} bytes: they were not all counted`);
    await page.context().close();
  }

  // From an empty cache, with a page of the server that has no script beside it: what is
  // slow on both is the machine. On a busy one the figures say little, so what makes them
  // is held as well: the frame is painted before a module is even asked for.
  const paints = [], bare = [], early = [];
  for (let i = 0; i < 12 && !(i >= 6 && Math.min(...paints) <= 100); i++) {
    const page = await fresh(state);
    await page.goto(url + "/healthz"); // the browser's process for this server is there
    bare.push((await painted(page, url + "/decide/none")).paint);
    const { paint, module, frame } = await painted(page, url + "/ui/");
    paints.push(paint);
    early.push(paint < module);
    if (frame < 8) faults.push(`what is painted first has ${frame} links: the rail is missing`);
    await page.context().close();
  }
  const middle = (all) => [...all].sort((a, b) => a - b)[all.length >> 1];
  const figures = `the first paint comes after ${paints.join(", ")} ms, that of a bare page after ${bare.join(", ")}`;
  if (Math.min(...paints) > 100 && middle(paints) > 5 * middle(bare)) faults.push(figures);
  if (early.filter(Boolean).length < early.length / 2) faults.push(`modules are asked for before the first paint, ${early.filter((one) => !one).length} of ${early.length} times: ${figures}`);

  // Fifty runs stream; somebody watches Home, then the list of runs.
  const long = {};
  for (const path of ["/", "/runs"]) {
    const v = await arrive(browser, "speed", { theme: "light", width: 1440 });
    await v.context.addCookies(state.cookies);
    await v.open(path);
    await v.page.locator(".runs tbody tr, .list [role=row]").first().waitFor();
    await browser.startTracing(v.page, { categories: ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"] });
    const begun = await Promise.all(Array.from({ length: 50 }, (_, i) => api("POST", "/v1/runs", {
      model: "openai/gpt-5-mini", background: true, prompt: `Write letter ${i}\n= ${"The parcel was handed to a neighbour, who has signed for it. ".repeat(12)}`,
    })));
    for (let open = begun; open.length;) { // and they have ended
      await v.page.waitForTimeout(250);
      const ended = new Set((await api("GET", "/v1/runs?limit=100&status=completed,failed")).data.map((one) => one.id));
      open = open.filter((one) => !ended.has(one.id));
    }
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

/** Goes to a page; when something of it was painted and its first module was asked for, in ms, and how many links the rail had. */
async function painted(page, address) {
  await page.goto(address, { waitUntil: "commit" });
  return page.evaluate(() => new Promise((resolve) => {
    const look = () => {
      const paint = performance.getEntriesByName("first-contentful-paint")[0];
      if (!paint) return setTimeout(look, 10);
      const modules = performance.getEntriesByType("resource").filter((one) => /\/(lib|part|pages|vendor)\/|\/app\.js$/.test(one.name)).map((one) => one.startTime);
      resolve({ paint: Math.round(paint.startTime), module: Math.round(Math.min(Infinity, ...modules)), frame: document.querySelectorAll(".rail a").length });
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
