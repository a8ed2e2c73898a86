// Texts that want to run are looked at on every page; none does.
import { seed, visit } from "./visit.mjs";

const only = ({ theme, width }) => theme === "light" && width === 1440;

await visit("hostile", async (v) => {
  const { page } = v;
  const look = async (path) => {
    await page.waitForTimeout(40);
    const ran = await page.evaluate(() => window.__ran);
    if (ran !== undefined) throw new Error(`${path}: payload ${ran} has run`);
    const { policy } = await v.seen();
    if (policy.length) throw new Error(`${path}: the policy had to stop something: ${policy.join("; ")}`);
    const alien = await page.evaluate(() => [...document.querySelectorAll("#app script, #app iframe, #app object, #app embed, #app base, #app meta, #app link, #app form[action], #app img[src^='http'], #app a[href^='javascript'], #app a[ping]")].map((one) => one.outerHTML));
    if (alien.length) throw new Error(`${path}: the page has ${alien.join(" ")}`);
  };
  for (const path of ["/", "/approvals", "/runs", "/agents", "/robots", "/playground", "/workflows", "/tools", "/tools/note.write", "/webhooks", "/index", "/schedules", "/settings/keys", "/settings/audit"]) {
    await v.open(path);
    await page.waitForFunction(() => !document.querySelector(".main .skel"));
    await page.waitForTimeout(100);
    await look(path);
  }
  for (const [i, id] of seed.runs.entries()) {
    if (i % 2 === 0 && i > 16) continue; // it waits for a person: below, its arguments are shown by the same part
    await v.to("/runs/" + id);
    await page.waitForFunction((run) => document.querySelector(".p-run") && document.body.innerHTML.includes(run.slice(-6)), id);
    await page.waitForTimeout(60);
    await look("/runs/" + id);
    if (i % 8 < 2) for (const tab of await page.getByRole("tab").all()) {
      await tab.click();
      await look("/runs/" + id + " " + await tab.textContent());
    }
  }
  await v.open("/approvals");
  const items = await page.locator("main a[href*='/approvals/run_']").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
  for (const item of items) {
    await v.to(item.slice(item.indexOf("/ui/") + 3));
    await page.waitForTimeout(80);
    await look(item);
  }
  for (const payload of seed.payloads.slice(0, 6)) {
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Find or do" }).fill(payload.slice(0, 60));
    await page.waitForTimeout(200);
    await look("the palette");
    await page.keyboard.press("Escape");
  }
}, only);
