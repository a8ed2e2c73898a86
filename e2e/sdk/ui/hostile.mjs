// Texts that want to run are looked at on every page; none does.
import { seed, until, visit } from "./visit.mjs";

const only = ({ theme, width }) => theme === "light" && width === 1440;

await visit("hostile", async (v) => {
  const { page } = v;
  const payload = /window\.__ran|evil\.example/;
  const look = async (path) => { // when what is there has come: what would run has a moment to
    await page.waitForFunction(() => !document.querySelector(".main .skeleton"));
    await page.waitForTimeout(60);
    const ran = await page.evaluate(() => window.__ran);
    if (ran !== undefined) throw new Error(`${path}: payload ${ran} has run`);
    const { policy } = await v.seen();
    if (policy.length) throw new Error(`${path}: the policy had to stop something: ${policy.join("; ")}`);
    const alien = await page.evaluate(() => [...document.querySelectorAll("#app script, #app iframe, #app object, #app embed, #app base, #app meta, #app link, #app form[action], #app img[src^='http'], #app a[href^='javascript'], #app a[ping]")].map((one) => one.outerHTML));
    if (alien.length) throw new Error(`${path}: the page has ${alien.join(" ")}`);
  };
  for (const [path, name, says = payload] of [["/", "home"], ["/approvals", "approvals"], ["/runs", "runs"], ["/agents", "agents"], ["/robots", "robots"], ["/playground", "playground"], ["/workflows", "workflows", "No workflows yet."],
    ["/tools", "tools"], ["/tools/note.write", "tools", "after a crash it halts"], ["/webhooks", "webhooks"], ["/index", "index", "The index is empty."], ["/schedules", "schedules", "Nothing starts by the clock yet."],
    ["/settings/keys", "settings"], ["/settings/audit", "settings", "key.created"]]) {
    await v.open(path);
    await page.locator(".main.p-" + name).getByText(says).filter({ visible: true }).first().waitFor();
    await look(path);
  }
  const inside = { Live: ".ev li", Messages: ".talk .msg", Result: ".result, p", Spec: "h2:text('Instructions')", curl: "pre" };
  for (const [i, id] of seed.runs.entries()) {
    if (i % 2 === 0 && i > 16) continue; // it waits for a person: below, its arguments are shown by the same part
    await v.to("/runs/" + id);
    await page.locator(".main.p-run .insp", { hasText: id.slice(-6) }).waitFor();
    await page.locator(".main").getByText("run.created").first().waitFor();
    await look("/runs/" + id);
    if (i % 8 < 2) for (const tab of await page.getByRole("tab").all()) {
      const name = (await tab.textContent()).match(/^[a-z]+/i)[0];
      await tab.click();
      await page.getByRole("tabpanel", { name }).locator(inside[name]).first().waitFor();
      await look("/runs/" + id + " " + name);
    }
  }
  await v.open("/approvals");
  const items = page.locator("main a[href*='/approvals/run_']");
  await until("every call that is asked for waits", async () => (await items.count()) === seed.payloads.length);
  for (const item of await items.evaluateAll((all) => all.map((one) => one.getAttribute("href")))) {
    await v.to(item.slice(item.indexOf("/ui/") + 3));
    await page.locator(`main a[href="${item}"][aria-current]`).waitFor();
    await page.locator(".detail .args").waitFor();
    await look(item);
  }
  for (const one of seed.payloads.slice(0, 6)) {
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Find or do" }).fill(one.slice(0, 60));
    await page.getByRole("option", { name: "gated " + one.slice(0, 30) }).first().waitFor();
    await look("the palette");
    await page.keyboard.press("Escape");
  }
}, only);
