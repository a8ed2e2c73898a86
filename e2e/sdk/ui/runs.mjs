// Runs, a run, and two of them side by side. The pictures are taken first; then one
// visit tells what a person does there.
import { api, seed, visit } from "./visit.mjs";

const isDesk = ({ theme, width }) => theme === "light" && width > 600;

await visit("runs", async (v) => {
  const { page } = v;
  await v.open("/runs");
  await page.getByRole("row", { name: /Match October invoices/ }).waitFor();
  await v.done();
});

await visit("run", async (v) => {
  const { page } = v;
  await v.open("/runs/" + seed.work);
  await page.getByRole("heading", { level: 1, name: /Match November invoices/ }).waitFor();
  await page.getByRole("button", { name: /Approve/ }).waitFor();
  await page.waitForTimeout(300);
  await v.done();
});

await visit("run-done", async (v) => {
  const { page } = v;
  await v.open("/runs/" + seed.digest);
  await page.getByRole("heading", { name: "Churn in week 46" }).waitFor();
  await v.done();
});

await visit("compare", async (v) => {
  const { page } = v;
  await v.open(`/compare?a=${seed.digest}&b=${seed.ticket}`);
  await page.getByRole("heading", { name: "Steps" }).waitFor();
  await v.done();
});
