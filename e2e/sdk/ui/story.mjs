// A day at the desk, from a new key to its end.
import { api, arrive, launch, seed, url } from "./visit.mjs";

const same = (what, got, want) => { if (got !== want) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`); };
const browser = await launch();
const admin = await arrive(browser, "story-admin", { theme: "light", width: 1440 }), desk = await arrive(browser, "story", { theme: "dark", width: 1440 });
try {
  // The administrator makes a key.
  await admin.open("/settings/keys");
  await admin.page.getByRole("button", { name: "New key" }).click();
  await admin.page.getByLabel("Name").fill("night-shift");
  await admin.page.getByRole("button", { name: "Create key" }).click();
  const secret = await admin.page.locator(".secret-line code").innerText();
  await admin.page.getByRole("button", { name: "I have kept it" }).click();

  // Its owner signs in.
  const { page } = desk;
  await page.goto(url + "/ui/");
  await page.getByLabel("Key").fill(secret);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
  await page.getByText("No run yet").waitFor();
  await page.getByText("Nothing waits for you").waitFor();

  // An agent, found by ⌘K, with a gate.
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Find or do" }).fill("new agent");
  await page.keyboard.press("Enter");
  await page.getByLabel("Name", { exact: true }).fill("invoice-clerk");
  await page.getByLabel("Model").fill("openai/gpt-5-mini");
  await page.getByLabel("Instructions").fill("You pay what agrees.");
  await page.getByRole("button", { name: "Add tool" }).click();
  await page.getByLabel("Find a tool").fill("payments");
  await page.getByRole("checkbox", { name: /payments\.transfer/ }).check();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("switch", { name: /payments\.transfer/ }).click();
  await page.keyboard.press("Control+s");
  await page.waitForURL(/\/ui\/agents\/agt_/);
  await desk.check("the new agent");
  const [agent] = (await api("GET", "/v1/agents")).data;
  same("the gate", JSON.stringify(agent.approval.required_for), '["payments.transfer"]');

  // It runs, and wants to pay. The keyboard leads to the inbox.
  await page.getByLabel("Task for the test run").fill("Match October invoices of Harbour Paper");
  await page.keyboard.press("Control+Enter");
  const id = (await page.getByRole("link", { name: "Open run" }).getAttribute("href")).split("/").pop();
  await page.locator(".rail .count.you", { hasText: "1" }).waitFor();
  await page.locator("h1").first().click(); // out of any field
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.getByRole("button", { name: /Approve with 1 hidden character/ }).waitFor();
  await page.getByText("12345678901234567890.50").first().waitFor();
  await page.getByText("U+200B").first().waitFor();
  same("pictures from elsewhere", await page.locator("main img").count(), 0);
  await page.waitForTimeout(350); // what has just appeared is not decided on: approvals.mjs
  await page.keyboard.press("a");
  await page.locator(".toast", { hasText: "Approved payments.transfer" }).waitFor();

  // The answer, as it is written.
  await page.goto(url + "/ui/runs/" + id);
  await page.getByText(/The supplier has its money/).first().waitFor();
  const early = await api("GET", "/v1/runs/" + id);
  same("the run, while it writes", early.status, "running");
  await fetch(seed.seen, { method: "POST" }); // until then it goes on
  await page.getByText("Nothing is open.").first().waitFor();
  await page.getByText("Completed", { exact: true }).first().waitFor();
  await desk.check("the run");
  await desk.shot("run");

  // It is found again by its words.
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await page.getByRole("searchbox", { name: /Find runs/ }).fill("harbour paper");
  await page.getByRole("link", { name: /Match October invoices/ }).first().waitFor();
  await page.waitForURL(/q=harbour/);
  await desk.check("the list");

  // The key is revoked, and opens nothing any more: not here, and not elsewhere.
  await admin.page.getByRole("button", { name: "Revoke night-shift…" }).click();
  await admin.page.getByRole("button", { name: "Revoke key" }).click();
  await api("POST", "/v1/runs", { model: "openai/gpt-5-mini", prompt: "What the revoked key must not see", background: true });
  await page.getByRole("heading", { name: "Sign in with a key" }).waitFor();
  same("what is left on the page", (await page.content()).includes("must not see"), false);
  same("the key's status", (await fetch(url + "/v1/runs", { headers: { Authorization: "Bearer " + secret } })).status, 401);
  await admin.check("the keys");
  desk.forgive(/401|ERR_INCOMPLETE_CHUNKED/); // at the end: the console says it a moment after the page does
  for (const v of [admin, desk]) if (v.faults.length) throw new Error(`${v.name}: ${v.faults.join("\n")}`);
} catch (error) {
  for (const v of [admin, desk]) console.error(`${v.name} says:\n` + (await v.page.evaluate(() => document.body.innerText).catch(() => "")).slice(0, 1500), v.faults.join("; "));
  console.error(error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
