// The shell: finding and doing, keys, theme, session, a stream that breaks.
import { api, key, seed, until, url, visit } from "./visit.mjs";

const same = (what, got, want) => { if (got !== want) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`); };

await visit("shell", async (v) => {
  const { page, phone } = v;
  await v.open("/nowhere/at/all");
  await page.getByText("No page has this address.").waitFor();
  await v.check("nowhere");

  // A page that comes when one is already on the way to the next is not shown with the
  // words of another address.
  await page.route("**/pages/run.js", async (request) => {
    await new Promise((done) => setTimeout(done, 300)); // until it has been asked for by both
    await request.continue();
  });
  await page.evaluate(async (run) => {
    const module = performance.getEntriesByType("resource").find((one) => one.name.endsWith("/lib/route.js"));
    const { go, load } = await import(module.name);
    const left = load("run").then(() => go("/webhooks"));
    go("/runs/" + run);
    await left;
  }, seed.payment);
  await page.getByText("The chat of the back office").waitFor();
  await page.unroute("**/pages/run.js");

  // Find or do: by words, by id, by keys.
  await page.keyboard.press("Control+k");
  const field = page.getByRole("combobox", { name: "Find or do" });
  await field.fill("invoice-clerk");
  await page.getByRole("option", { name: /invoice-clerk/ }).first().waitFor();
  await v.check("palette");
  await v.shot("palette");
  await field.fill(seed.payment);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/ui/runs/" + seed.payment);
  // Enter is about what is written, even when that is not shown yet.
  await page.keyboard.press("Control+k");
  await field.evaluate((/** @type {HTMLInputElement} */ input) => {
    input.value = "webhooks";
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
  });
  await page.waitForURL("**/ui/webhooks");
  // What is picked stays picked when more is found, and an end of the list is an end.
  const late = [], robots = async () => { await until("the robots are asked for", () => late.length > 0); await late.pop().continue(); };
  await page.route("**/v1/agent/robots?*", (route) => { late.push(route); });
  await page.keyboard.press("Control+k");
  await field.fill("audit");
  await page.getByRole("option", { name: "Audit log" }).waitFor();
  await page.keyboard.press("ArrowDown");
  await robots();
  await page.getByRole("option", { name: "Pause Night Auditor" }).waitFor();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/ui/settings/audit");
  // What acts, and stands first since a moment, is not what Enter was meant for.
  await page.keyboard.press("Control+k");
  await field.fill("pause night");
  await field.evaluate((/** @type {HTMLInputElement} */ input) => new MutationObserver((_, seen) => {
    if (!document.querySelector("#found [aria-selected=true]")) return;
    seen.disconnect();
    input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
  }).observe(document.getElementById("found"), { childList: true }));
  await robots();
  await page.getByText("It had only just appeared, so nothing was done.").waitFor();
  await page.keyboard.press("Escape");
  await page.unroute("**/v1/agent/robots?*");
  await page.keyboard.press("Control+k");
  await field.fill("policy library"); // words of a run
  await page.getByRole("option", { name: /Re-index the policy library/ }).waitFor();
  const verb = v.width === 1440 ? (v.theme === "light" ? "Pause" : "Resume") : null;
  if (verb) {
    await field.fill(verb.toLowerCase() + " tender");
    await page.getByRole("option", { name: verb + " Tender Watch" }).waitFor();
    await page.waitForTimeout(350); // what has just appeared is not done
    await page.keyboard.press("Enter");
    await page.locator(".toast").getByText(verb === "Pause" ? "Tender Watch is paused" : "Tender Watch works again").waitFor();
    same("the robot", (await api("GET", "/v1/agent/robots/tender-watch")).robot_status, verb === "Pause" ? "paused" : "idle");
  } else await page.keyboard.press("Escape");

  if (!phone) {
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await v.check("keys");
    await v.shot("keys");
    await page.keyboard.press("g"); // does nothing while a dialog is open
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("h");
    await page.waitForURL("**/ui/");
    await page.getByRole("navigation", { name: "Main", exact: true }).getByRole("link", { name: "Settings" }).click();
    await page.waitForURL("**/ui/settings");
    await page.goBack();
    await page.waitForURL("**/ui/");
  } else {
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("dialog", { name: "More" }).waitFor();
    await v.check("more");
    await v.shot("more");
    await page.getByRole("dialog", { name: "More" }).getByRole("link", { name: "Settings" }).click();
    await page.waitForURL("**/ui/settings");
    await page.getByRole("dialog", { name: "More" }).waitFor({ state: "detached" });
  }

  // The theme is kept, until it is what the system says anyway.
  const scheme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
  const dark = () => page.getByRole("button", { name: "Dark theme" });
  await dark().click();
  same("the theme", await scheme(), v.theme === "dark" ? "light" : "dark");
  await page.reload();
  await dark().waitFor();
  same("the theme after a reload", await scheme(), v.theme === "dark" ? "light" : "dark");
  await dark().click();
  same("what is kept", await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage })), JSON.stringify({ "errand.in": "1" }));

  // The way out, and what stays behind.
  await v.to("/robots?talk=night-auditor");
  await page.getByLabel("Message to the host").fill("For my eyes");
  await page.getByRole("button", { name: "Your session" }).click();
  await page.getByText("admin").first().waitFor();
  await v.check("session");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in with a key" }).waitFor();
  await page.getByLabel("Key").fill("sk_nobody");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await v.check("door");
  await v.shot("door");
  const kept = await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage }));
  same("what a script can read", kept, "{}");
  const cookies = (await v.context.cookies(url + "/")).filter((one) => one.name.includes("session"));
  same("cookies of the session that is over", cookies.length, 0);
  await page.getByLabel("Key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  same("what the next one finds", await page.getByLabel("Message to the host").inputValue(), "");
  v.forgive(/401/); // at the end: the console says it a moment after the page does
});
