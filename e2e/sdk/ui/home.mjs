// Home: what is so now, and what changes while one looks.
import { api, seed, until, visit } from "./visit.mjs";

const same = (what, got, want) => { if (got !== want) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`); };

await visit("home", async (v) => {
  const { page } = v;
  await v.open("/");
  await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
  await page.getByRole("link", { name: "Review payments.transfer of invoice-clerk" }).waitFor();
  await page.getByRole("link", { name: "Night Auditor" }).waitFor();
  await page.getByRole("img", { name: /^Runs per minute/ }).locator("canvas").waitFor();
  await page.getByRole("img", { name: /^Cost per minute/ }).locator("canvas").waitFor();
  await page.getByRole("row", { name: /Triage 214 new error groups/ }).waitFor();
  await v.done();
  if (v.phone || v.theme === "dark") return;

  // Another range stays in the address.
  await page.getByRole("button", { name: "7 d" }).click();
  await page.getByRole("img", { name: /^Runs per 6 hours in 7 days: at most [1-9]/ }).waitFor();
  await page.reload();
  await page.getByRole("img", { name: /^Runs per 6 hours/ }).locator("canvas").waitFor();
  await page.getByRole("button", { name: "1 h" }).click();

  // What begins elsewhere appears; nobody asks for it. While the pointer is in the list
  // it waits behind a button.
  const figure = page.locator(".figures a", { hasText: "Waiting for you" }).locator(".n");
  await until("how many wait", async () => /^\d/.test(await figure.textContent()));
  const before = parseInt(await figure.textContent());
  const begin = (prompt) => api("POST", `/v1/agents/${seed["release-notes"]}/run`, { prompt, background: true });
  const asks = [];
  page.on("request", (request) => asks.push(new URL(request.url()).pathname));
  await page.getByRole("row", { name: /Summarise build 3200/ }).hover();
  await begin("Draft release notes for 3.18 and store them");
  await page.waitForFunction(([n]) => document.querySelectorAll(".figures .n")[1].textContent.startsWith(String(n)), [before + 1]);
  await until("the rail counts it", async () => (await page.locator(".rail .count.you").textContent()) === String(before + 1));
  await until("the title counts it", async () => (await page.title()).startsWith(`(${before + 1}) `));
  await page.waitForFunction(([n]) => document.querySelector("[role=status]").textContent === n + " wait for you", [before + 1]);
  const title = () => page.locator(".runs tbody tr").first().locator("a").innerText(), first = await title();
  await page.getByRole("button", { name: "1 new" }).waitFor();
  same("the row under the pointer", await title(), first);
  await page.getByRole("button", { name: "1 new" }).click();
  await page.locator(".runs tbody tr").first().getByText("Draft release notes for 3.18").waitFor();

  // By keyboard: J to the second row, Enter opens it.
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const second = page.locator(".runs tbody tr").nth(1).locator("a"), address = await second.getAttribute("href");
  same("the focus", await page.evaluate(() => document.activeElement.getAttribute("href")), address);
  await page.keyboard.press("Enter");
  await page.waitForURL("**" + address);
  await page.goBack();
  await page.getByRole("row", { name: /Triage 214 new error groups/ }).waitFor();

  // At rest nothing is asked.
  await page.mouse.move(5, 5);
  await page.waitForTimeout(5100); // budgets are read at most once in five seconds
  asks.length = 0;
  await page.waitForTimeout(2500);
  if (asks.length) { // on a busy machine one may have come late
    asks.length = 0;
    await page.waitForTimeout(6000);
  }
  same("requests at rest", asks.join(), "");

  // A stream that breaks is said, and what one sees stays.
  await v.to("/runs");
  await page.getByRole("heading", { level: 1, name: "Runs" }).waitFor();
  await v.to("/");
  await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
  await v.context.setOffline(true);
  await page.locator(".rail").getByText(/Not connected/).waitFor();
  await page.getByRole("link", { name: "Review payments.transfer of invoice-clerk" }).waitFor();
  await v.shot("lost");
  await v.to("/runs"); // what could not be read meanwhile is read when the server is back
  await page.getByText("The runs could not be read.").waitFor();
  await v.context.setOffline(false);
  await page.locator(".rail").getByText("Live", { exact: true }).waitFor();
  await page.getByRole("row", { name: /Triage 214 new error groups/ }).waitFor();
  await page.getByText("The runs could not be read.").waitFor({ state: "detached" });

  // A page that was never loaded before the server went away comes when it is back.
  await v.context.setOffline(true);
  await page.locator(".rail").getByText(/Not connected/).waitFor();
  await v.to("/robots");
  await page.getByText("This page could not be loaded.").waitFor();
  await v.context.setOffline(false);
  await page.getByRole("heading", { level: 1, name: "Robots" }).waitFor();
  same("notes about what could not be loaded", await page.getByText("This page could not be loaded.").count(), 0);
  await v.to("/");
  await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
  v.forgive(/ERR_INTERNET_DISCONNECTED/);
  await begin("Draft release notes for 3.18 and store them");
  await page.waitForFunction(([n]) => document.querySelectorAll(".figures .n")[1].textContent.startsWith(String(n)), [before + 2]);

  // A second tab listens to the first one, and takes over when that goes.
  const tab = await v.context.newPage(), streams = [];
  tab.on("request", (request) => { if (request.url().endsWith("/v1/stream")) streams.push(request.url()); });
  await tab.goto(page.url());
  await tab.locator(".rail").getByText("Live", { exact: true }).waitFor();
  const reads = (n) => tab.waitForFunction(([n]) => document.querySelectorAll(".figures .n")[1].textContent.startsWith(String(n)), [n]);
  await reads(before + 2);
  await begin("Draft release notes for 3.18 and store them");
  await reads(before + 3);
  same("streams of the second tab", streams.length, 0);
  await page.close();
  await begin("Draft release notes for 3.18 and store them");
  await reads(before + 4);
  same("streams of the second tab", streams.length, 1);
});
