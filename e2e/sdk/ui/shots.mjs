// The pictures of the documentation. Usage: shots.mjs DIR
import { join } from "node:path";
import { arrive, launch, seed } from "./visit.mjs";

const dir = process.argv[2];

const talk = async (page) => {
  const field = page.getByLabel("Message", { exact: true });
  await field.fill("Weekly digest of churn reasons for the support team");
  await field.press("Control+Enter");
  await page.getByText("slow first sync").or(page.getByText("Slow first sync")).first().waitFor();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" }); // until then its Markdown is as it is typed
};
const approval = `/approvals/${seed.hero}/act_06`;

/** Name of the file, page, theme, width, and what to do before. */
const pictures = [
  ["home", "/", "light", 1440], ["home-dark", "/", "dark", 1440], ["home-phone", "/", "dark", 390],
  ["approvals", approval, "light", 1440], ["approvals-dark", approval, "dark", 1440], ["approvals-phone", approval, "light", 390],
  ["runs", "/runs", "light", 1440], ["run", "/runs/" + seed.hero, "light", 1440], ["run-dark", "/runs/" + seed.hero, "dark", 1440], ["run-phone", "/runs/" + seed.hero, "dark", 390],
  ["compare", `/compare?a=${seed.digest}&b=${seed.again}`, "light", 1440],
  ["agents", "/agents/" + seed["invoice-clerk"], "light", 1440],
  ["robots", "/robots", "light", 1440], ["robot", "/robots/price-scout", "dark", 1440],
  ["playground", "/playground?agent=" + seed["churn-digest"], "light", 1440, talk], ["workflows", "/workflows/" + seed.workflow, "light", 1440],
  ["tools", "/tools", "light", 1440], ["webhooks", "/webhooks", "light", 1440], ["schedules", "/schedules", "light", 1440], ["search-index", "/index", "light", 1440],
  ["keys", "/settings/keys", "light", 1440], ["models", "/settings/models", "light", 1440], ["budgets", "/settings/budgets", "light", 1440], ["audit", "/settings/audit", "light", 1440], ["system", "/settings/system", "dark", 1440],
];

const browser = await launch();
const visits = new Map();
for (const [name, path, theme, width, before] of pictures) {
  const kind = `${theme}-${width}`;
  if (!visits.has(kind)) visits.set(kind, await arrive(browser, "shots", { theme, width }));
  const v = visits.get(kind);
  await v.open(path);
  if (before) await before(v.page);
  await v.page.waitForTimeout(1200); // charts, strips, what a page reads behind its first paint
  await v.page.mouse.move(0, 0);
  await v.page.screenshot({ path: join(dir, name + ".png"), animations: "disabled" });
  console.log(name);
}
await browser.close();
