// Every page at 200 %, which is half as many pixels each way, and without motion: nothing
// is wider than the window, nothing that one could press is cut off, nothing moves.
import { arrive, launch, seed } from "./visit.mjs";

/** What is visited: the address, the page's name, and what stands there when it has come. @type {[string, string, string][]} */
const pages = [["/", "home", "Summarise build 3200"], ["/approvals", "approvals", "What it would do"], [`/approvals/${seed.payment}/act_02`, "approvals", "25 items"], ["/runs", "runs", "Match October invoices"],
  ["/runs/" + seed.payment, "run", "A person has to decide about this call."], ["/runs/" + seed.running, "run", "The tool is called."], [`/compare?a=${seed.digest}&b=${seed.ticket}`, "compare", "What they were made of"],
  ["/agents", "agents", "7 agents"], ["/agents/" + seed["invoice-clerk"], "agents", "Tools that the agent may call"], ["/robots", "robots", "Tender Watch"], ["/robots?talk=night-auditor", "robots", "Say what Night Auditor should reach."],
  ["/robots/night-auditor", "robot", "It does nothing just now."], ["/robots/night-auditor?tab=configuration", "robot", "What it is told of itself"], ["/playground", "playground", "Talk to log-triage."], ["/workflows", "workflows", "No workflows yet."],
  ["/tools", "tools", "payments.transfer"], ["/tools/payments.transfer", "tools", "after a crash it halts"], ["/webhooks", "webhooks", "The chat of the back office"], ["/schedules", "schedules", "churn-digest"], ["/index", "index", "handbook"],
  ["/settings/keys", "settings", "ops-desk"], ["/settings/models", "settings", "offline"], ["/settings/budgets", "settings", "the whole project"], ["/settings/audit", "settings", "agent.created"], ["/settings/system", "settings", "Storage: sqlite"],
  ["/nowhere", "nowhere", "No page has this address."]];

const browser = await launch();
const v = await arrive(browser, "zoom", { theme: "dark", width: 720 });
await v.page.setViewportSize({ width: 720, height: 450 });
try {
  await v.open("/");
  for (const [path, name, says] of pages) {
    await v.to(path);
    await v.page.locator(".main.p-" + name).getByText(says).filter({ visible: true }).first().waitFor();
    await v.page.waitForFunction(() => !document.querySelector(".main .skeleton"));
    const cut = await v.page.evaluate(outside);
    if (cut.length) v.faults.push(`${path}: ${cut.join(" | ")}`);
    await v.shot(path.replace(/[^a-z]+/g, "-").slice(0, 40));
  }
} catch (error) {
  v.faults.push(error.stack);
} finally {
  await browser.close();
}
if (v.faults.length) {
  console.error(v.faults.join("\n"));
  process.exitCode = 1;
}

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
