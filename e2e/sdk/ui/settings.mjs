// Settings: a key from its making to its end, and what the other sections say.
import { api, seed, until, url, visit } from "./visit.mjs";

/** Whether a secret opens anything. */
const opens = async (secret) => (await fetch(url + "/v1/runs?limit=1", { headers: { Authorization: "Bearer " + secret } })).status === 200;

const sections = { keys: "ops-desk", models: "offline", budgets: "the whole project", audit: "key.created", system: "Providers" };

for (const [section, says] of Object.entries(sections)) {
  await visit("settings-" + section, async (v) => {
    await v.open("/settings/" + section);
    await v.page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
    await v.page.getByText(says).first().waitFor();
    await v.done();
  }, ({ theme, width }) => (theme === "light") === (width > 600));
}

// Whatever comes last pushes nothing away.
await visit("settings-late", async (v) => {
  const { page } = v, held = [];
  await page.route(/\/v1\/(budgets|agents)\b/, (route) => { held.push(route); });
  const usage = page.waitForResponse(/\/v1\/usage/);
  await v.open("/settings/budgets");
  await usage;
  await until("both are asked for", () => held.length === 2);
  for (const path of ["budgets", "agents"]) {
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))); // painted
    const answer = page.waitForResponse((one) => one.url().includes(path));
    held.find((route) => route.request().url().includes(path)).continue();
    await answer;
  }
  await page.getByText("agent invoice-clerk").waitFor();
  await page.getByRole("columnheader", { name: "Day" }).waitFor();
  await v.done();
}, ({ width }) => width < 600);

await visit("settings-story", async (v) => {
  const { page } = v;
  await v.open("/settings");
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("Name").fill("night-shift");
  await page.getByLabel(/^runs:approve/).uncheck();
  await v.shot("new-key");
  await v.check("a new key");
  await page.getByRole("button", { name: "Create key" }).click();
  const secret = await page.locator(".secret-line code").innerText();
  if (!/^sk_live_\w{39}$/.test(secret)) throw new Error("the secret is " + secret);
  if (!(await opens(secret))) throw new Error("a new key opens nothing");
  await page.getByText(`Authorization: Bearer ${secret}`).waitFor(); // a request that tests it
  await v.check("its secret");
  await page.getByRole("button", { name: "I have kept it" }).click();
  const row = page.getByRole("row", { name: /night-shift/ });
  await row.waitFor();
  if ((await page.content()).includes(secret)) throw new Error("the secret is still on the page");
  const made = (await api("GET", "/v1/keys")).data.find((one) => one.name === "night-shift");
  if (made.scopes.includes("runs:approve") || !made.scopes.includes("runs:write") || !made.expires_at) throw new Error(JSON.stringify(made));

  await row.getByRole("button", { name: "Rotate night-shift…" }).click();
  await page.getByLabel(/works on for/).selectOption("0");
  await page.getByRole("button", { name: "Rotate key" }).click();
  const fresh = await page.locator(".secret-line code").innerText();
  if ((await opens(secret)) || !(await opens(fresh))) throw new Error("after the rotation the wrong secret opens");
  await page.getByRole("button", { name: "I have kept it" }).click();

  await row.getByRole("button", { name: "Revoke night-shift…" }).click();
  await page.getByRole("button", { name: "Keep key" }).waitFor();
  await v.check("a question");
  await page.getByRole("button", { name: "Revoke key" }).click();
  await row.waitFor({ state: "detached" });
  if (await opens(fresh)) throw new Error("a revoked key opens");

  // A budget: wrong, then right, then gone.
  await page.getByRole("link", { name: "Budgets and usage" }).click();
  await page.getByRole("button", { name: "New budget" }).click();
  await page.getByLabel("Name").fill("clerk");
  await page.getByLabel("For the runs of").selectOption({ label: "invoice-clerk" });
  await page.getByLabel("US dollars").fill("-1");
  await page.getByRole("button", { name: "Save budget" }).click();
  await page.locator(".field .err").first().waitFor();
  v.forgive(/400/);
  await page.getByLabel("US dollars").fill("12.5");
  await page.getByRole("button", { name: "Save budget" }).click();
  await page.getByRole("button", { name: "Change clerk" }).click();
  const budget = (await api("GET", "/v1/budgets")).data.find((one) => one.name === "clerk");
  if (budget.max_cost_usd !== 12.5 || budget.agent !== seed["invoice-clerk"]) throw new Error(JSON.stringify(budget));
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete budget" }).click();
  await page.getByRole("button", { name: "Change clerk" }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "By model" }).click();
  await page.getByRole("row", { name: /gpt-5-mini/ }).waitFor();

  await page.getByRole("link", { name: "Models", exact: true }).click();
  await page.getByRole("button", { name: "Test offline", exact: true }).click();
  await page.getByText(/calls (no )?tools/).first().waitFor();

  await page.getByRole("link", { name: "Audit log" }).click();
  await page.getByPlaceholder(/^Action/).fill("key.revoked");
  await page.keyboard.press("Enter");
  await page.getByRole("row", { name: /key.created/ }).first().waitFor({ state: "detached" }); // or the filter lets others through
  await page.getByRole("row", { name: /key.revoked/ }).waitFor();
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText(/lines are what was written/).waitFor();

  await page.getByRole("link", { name: "System" }).click();
  await page.getByText(/[1-9]\d* of pages like this one/).waitFor(); // its own stream, at least
  await page.getByRole("button", { name: "Examine" }).click();
  await page.locator(".doctor li").first().waitFor();
  await v.done("doctor");
}, ({ theme, width }) => theme === "light" && width > 600);
