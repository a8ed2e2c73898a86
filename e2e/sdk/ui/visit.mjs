// Visits to Mission Control: in both themes, at the width of a desk and of a phone.
// A visit fails when the page says anything in the console, throws, breaks the policy,
// asks anybody else, moves what was painted, or gives axe something to find. Dark visits
// want no motion, and fail when anything moves.
//
//   import { visit } from "./visit.mjs";
//   await visit("home", async (v) => {
//     await v.open("/");                    // signed in, waits until the page is there
//     await v.page.getByRole("heading", { name: "Now" }).waitFor();
//     await v.done();                       // axe, and a picture where ERRAND_SHOTS says so
//   });
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const url = process.env.ERRAND_URL;
export const key = process.env.ERRAND_API_KEY;
/** What the test has made: ids by their names, see e2e/ui/seed_test.go. */
export const seed = JSON.parse(process.env.ERRAND_SEED || "{}");

/** Every page: the address, the page's name, and what stands there when it has come. @type {[string, string, string][]} */
export const everyPage = [["/", "home", "Summarise build 3200"], ["/approvals", "approvals", "What it would do"], [`/approvals/${seed.payment}/act_02`, "approvals", "25 items"], ["/runs", "runs", "Match October invoices"],
  ["/runs/" + seed.payment, "run", "A person has to decide about this call."], ["/runs/" + seed.running, "run", "The tool is called."], [`/compare?a=${seed.digest}&b=${seed.ticket}`, "compare", "What they were made of"],
  ["/agents", "agents", "7 agents"], ["/agents/" + seed["invoice-clerk"], "agents", "Tools that the agent may call"], ["/robots", "robots", "Tender Watch"], ["/robots?talk=night-auditor", "robots", "Say what Night Auditor should reach."],
  ["/robots/night-auditor", "robot", "It does nothing just now."], ["/robots/night-auditor?tab=configuration", "robot", "What it is told of itself"], ["/playground", "playground", "Talk to log-triage."], ["/workflows", "workflows", "No workflows yet."],
  ["/tools", "tools", "payments.transfer"], ["/tools/payments.transfer", "tools", "after a crash it halts"], ["/webhooks", "webhooks", "The chat of the back office"], ["/schedules", "schedules", "churn-digest"], ["/index", "index", "handbook"],
  ["/settings/keys", "settings", "ops-desk"], ["/settings/models", "settings", "offline"], ["/settings/budgets", "settings", "the whole project"], ["/settings/audit", "settings", "agent.created"], ["/settings/system", "settings", "Storage: sqlite"],
  ["/nowhere", "nowhere", "No page has this address."]];

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.ERRAND_SHOTS || "";

/**
 * The visits of a page: each theme once and each width once, which is what CI has the
 * time for. ERRAND_ALL=1 makes all four, ERRAND_ONLY=dark-390 one.
 */
const kinds = ["light", "dark"].flatMap((theme) => [1440, 390].map((width) => ({ theme, width })))
  .filter(({ theme, width }) => (process.env.ERRAND_ONLY ? process.env.ERRAND_ONLY === `${theme}-${width}` : process.env.ERRAND_ALL || (theme === "dark") === (width < 600)));

/** Asks the server as a program does. */
export async function api(method, path, body) {
  const answer = await fetch(url + path, {
    method, headers: { Authorization: "Bearer " + key, "Content-Type": "application/json" }, body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

/** Waits until something is so: what the page shows follows what was done, and not at once. */
export async function until(what, test) {
  for (let i = 0; i < 600; i++) {
    if (await test()) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("never: " + what);
}

/** Starts a Chromium for a script that needs visits of its own kind. */
export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"] });

// Starting Chromium and walking through the door take a second each on a busy machine:
// all visits of a script share one browser, and the first one's session.
let shared = null, leaving = 0, cookies = [];

/** Runs a story in each kind of visit, or in those that choose takes. */
export async function visit(name, story, choose = () => true) {
  clearTimeout(leaving);
  const browser = await (shared ||= launch());
  try {
    for (const kind of kinds.filter(choose)) {
      const v = await arrive(browser, name, kind);
      if (cookies.length) await v.context.addCookies(cookies);
      try {
        await story(v);
        if (v.faults.length) throw new Error("the page is at fault:\n  " + v.faults.join("\n  "));
      } catch (error) {
        const shown = await v.page.evaluate(() => document.body.innerText).catch(() => "");
        if (shots) await v.page.screenshot({ path: join(shots, `failed-${name}-${kind.theme}-${kind.width}.png`) }).catch(() => {});
        throw new Error(`${name}, ${kind.theme}, ${kind.width} px: ${error.stack}\nfaults: ${v.faults.join("; ") || "none"}\nThe page says:\n${shown.slice(0, 3000)}`);
      }
      await v.context.close();
    }
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
  leaving = setTimeout(async () => { // unless another visit follows
    shared = null;
    await browser.close();
  }, 100);
}

/** A visit of a kind of its own, to many pages: fails at its end, with all that it has found. */
export async function tour(name, kind, story) {
  const browser = await launch(), v = await arrive(browser, name, kind);
  try {
    await story(v);
  } catch (error) {
    v.faults.push(error.stack);
  } finally {
    await browser.close();
  }
  if (v.faults.length) {
    console.error(v.faults.join("\n"));
    process.exitCode = 1;
  }
}

/** A new browser context, watched from its first byte. */
export async function arrive(browser, name, { theme, width }) {
  const phone = width < 600;
  const context = await browser.newContext({
    colorScheme: theme, reducedMotion: theme === "dark" ? "reduce" : "no-preference", viewport: { width, height: phone ? 844 : 900 }, hasTouch: phone, isMobile: phone, locale: "en-GB", timezoneId: "Europe/Berlin",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  context.setDefaultTimeout(60_000); // what comes anyway: a busy machine is slow, not at fault
  const page = await context.newPage(), faults = [];
  await context.addInitScript(watch);
  page.on("console", (message) => {
    if (["error", "warning", "assert"].includes(message.type())) faults.push(`console ${message.type()}: ${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => faults.push("uncaught: " + (error.stack || error)));
  page.on("dialog", (dialog) => { faults.push("a dialog of the browser: " + dialog.message()); dialog.dismiss(); });
  page.on("request", (request) => {
    if (!request.url().startsWith(url + "/") && !/^(data|blob):/.test(request.url())) faults.push("a request to " + request.url());
  });
  return new Visit(context, page, faults, name, theme, width);
}

// watch runs in the page, before anything else.
function watch() {
  const seen = (window.__seen = { shift: 0, shifts: [], long: [], policy: [] });
  document.addEventListener("securitypolicyviolation", (event) => seen.policy.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample} ${event.sourceFile}:${event.lineNumber}`));
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      seen.shift += entry.value;
      seen.shifts.push(entry.value.toFixed(4) + " " + entry.sources.map((one) => {
        const node = one.node, place = (r) => `${r.x | 0},${r.y | 0} ${r.width | 0}x${r.height | 0}`;
        return `${node?.nodeName || "?"}.${node?.className?.baseVal ?? node?.className ?? ""} ${place(one.previousRect)} > ${place(one.currentRect)}`;
      }).join("; "));
    }
  }).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver((list) => { for (const entry of list.getEntries()) seen.long.push(Math.round(entry.duration)); }).observe({ type: "longtask", buffered: true });
}

class Visit {
  constructor(context, page, faults, name, theme, width) {
    Object.assign(this, { context, page, faults, name, theme, width, phone: width < 600 });
  }

  /** Signs in through the door, where one is not yet, and opens a page of the program. */
  async open(path) {
    await this.page.goto(url + "/ui" + path);
    await this.page.locator(".door, .main > *").first().waitFor();
    if (await this.page.locator(".door").count()) {
      this.forgive(/401/); // the question who one is
      await this.page.getByLabel("Key").fill(key);
      await this.page.getByRole("button", { name: "Sign in" }).click();
      await this.page.locator(".main > *").first().waitFor();
      cookies = await this.context.cookies();
    }
  }

  /** Goes to another page as a link would, without loading the program anew. */
  async to(path) {
    await this.page.evaluate((address) => {
      history.pushState(null, "", address);
      dispatchEvent(new PopStateEvent("popstate"));
    }, new URL(url).pathname.replace(/\/$/, "") + "/ui" + path);
    await this.page.locator(".main > *").first().waitFor();
  }

  /** Lets such requests reach the server, and holds its answers: came waits for the first of them. */
  async hold(pattern, method) {
    let there = 0, free;
    const freed = new Promise((done) => { free = done; }), held = [];
    const answer = async (route) => {
      const response = await route.fetch();
      there++;
      await freed;
      await route.fulfill({ response });
    };
    const take = (route) => (route.request().method() === method ? void held.push(answer(route).catch(() => {})) : route.fallback()); // it may be that the page waits no more
    await this.page.route(pattern, take);
    return { came: () => until(`${method} ${pattern}`, () => there > 0), release: async () => { free(); await Promise.all(held); await this.page.unroute(pattern, take); } };
  }

  /** Takes back what the console has said of an answer that the story is about. */
  forgive(pattern) {
    for (let i = this.faults.length - 1; i >= 0; i--) if (pattern.test(this.faults[i])) this.faults.splice(i, 1);
  }

  /** What the observers have seen: {shift, shifts, long, policy}. */
  seen() {
    return this.page.evaluate(() => window.__seen);
  }

  /** A picture: <page>[-<what>]-<theme>-<width>.png */
  async shot(what = "") {
    if (shots) await this.page.screenshot({ path: join(shots, `${this.name}${what ? "-" + what : ""}-${this.theme}-${this.width}.png`), animations: "disabled" });
  }

  /** axe, the policy, and whether anything is wider than the window. */
  async check(what = "") {
    const { policy } = await this.seen();
    if (policy.length) this.faults.push("the policy was broken: " + policy.join("; "));
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (this.theme === "dark") {
      const moves = await this.page.evaluate(() => document.getAnimations().map((one) => one.animationName || one.transitionProperty));
      if (moves.length) this.faults.push(`${what} it moves: ${moves.join(", ")}`);
    }
    if (wide > 0) this.faults.push(`${what} the page is ${wide} px wider than the window`);
    // What is fading in has not its contrast yet. What turns for ever is not waited for.
    await this.page.evaluate(() => Promise.all(document.getAnimations()
      .filter((one) => one.effect?.getComputedTiming().iterations !== Infinity).map((one) => one.finished.catch(() => {}))));
    await this.page.evaluate(axe);
    const found = await this.page.evaluate(async () => {
      const result = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
      return result.violations.map((one) => `axe ${one.id}: ${one.help}: ${one.nodes.slice(0, 4).map((node) => node.target.join(" ") + " " + (node.any[0]?.message || "")).join(" | ")}`);
    });
    this.faults.push(...found.map((one) => (what ? what + ": " : "") + one));
  }

  /** The end of a visit: check, no shift of what was painted, a picture. */
  async done(what = "") {
    await this.check(what);
    const { shift, shifts } = await this.seen();
    if (shift > 0.02) this.faults.push(`the layout has shifted by ${shift.toFixed(3)}: ${shifts.join(" || ")}`);
    await this.shot(what);
  }
}
