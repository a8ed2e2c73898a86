// The page below a path, and the link that signs in once.
import { seed, url, visit } from "./visit.mjs";

const only = ({ theme, width }) => theme === "light" && width === 1440; // the link is good once

await visit("front", async (v) => {
  const { page } = v;
  await page.goto(seed.link);
  await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
  if (page.url() !== url + "/ui/") throw new Error("the link's token stays in the address: " + page.url());
  await page.getByText("Live", { exact: true }).first().waitFor();
  await page.getByRole("link", { name: "Runs", exact: true }).click();
  await page.waitForURL(url + "/ui/runs");
  await page.reload();
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
  const [cookie] = (await v.context.cookies(url + "/")).filter((one) => one.name.includes("session"));
  if (!cookie?.httpOnly || cookie.sameSite !== "Strict" || cookie.path !== "/errand/" && cookie.path !== "/errand") throw new Error("the cookie: " + JSON.stringify(cookie));
  await v.check();
  await v.context.clearCookies();
  await page.getByRole("link", { name: "Runs", exact: true }).click();
  await page.getByText("Your session has ended").waitFor();
  await v.check("the session has ended");
  await page.goto("about:blank");
  await page.goto(seed.link); // a second time
  await page.getByRole("heading", { name: "Sign in with a key" }).waitFor();
  await page.getByRole("alert").waitFor();
  v.forgive(/401/);
}, only);
