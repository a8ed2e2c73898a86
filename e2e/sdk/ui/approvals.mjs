// Approvals: the inbox, decided by keyboard, with what others decide meanwhile. The
// pictures are taken first; then one visit decides, in which nobody else looks.
import { api, seed, visit } from "./visit.mjs";

const detail = (page) => page.getByRole("region", { name: /The action that waits|The question that waits/ });

await visit("approvals", async (v) => {
  const { page } = v;
  await v.open("/approvals/" + seed.payment + "/act_02");
  await page.getByRole("heading", { name: "payments.transfer" }).waitFor();
  await page.getByText("3 characters").or(page.getByText("2 characters")).first().waitFor();
  await detail(page).getByText("U+200B").first().waitFor();
  await page.getByRole("button", { name: /25 items/ }).waitFor(); // long values are folded, with their size
  await page.getByText("1 value not opened").waitFor();
  await page.getByRole("button", { name: /Approve with 2 hidden characters/ }).waitFor();
  await detail(page).getByText(/Digest/).first().waitFor();
  await v.done();
});

await visit("approvals-unknown", async (v) => {
  const { page } = v;
  await v.open("/approvals/" + seed.unknown + "/act_01");
  for (const name of ["It happened", "It did not: run again", "Stop the run"]) await page.getByRole("button", { name }).waitFor();
  if (await page.getByRole("button", { name: /^Approve/ }).count()) throw new Error("an unknown outcome can be approved");
  await v.done();
}, ({ theme }) => theme === "light");

const isDesk = ({ theme, width }) => theme === "light" && width > 600;

// Edit, reject, answer, several: by keyboard, on the desk.
await visit("approvals-story", async (v) => {
  const { page } = v;
  await v.open("/approvals/" + seed.payment + "/act_02");
  await page.getByRole("button", { name: /Approve with 2/ }).waitFor();
  await page.waitForTimeout(350); // A does nothing for 300 ms
  await page.keyboard.press("e");
  await page.getByLabel("beneficiary").fill("Harbour Paper B.V.");
  await page.getByText(/Digest of these arguments/).waitFor();
  await v.shot("edit");
  await v.check("editing");
  await page.getByLabel("urgent").fill("fal");
  await page.getByText("Write JSON here: true or false.").waitFor();
  if (await page.getByRole("button", { name: /Approve with these/ }).isEnabled()) throw new Error("half of a JSON text can be approved");
  await page.getByLabel("urgent").fill("false");
  const approve = page.getByRole("button", { name: /Approve with these arguments/ });
  await page.getByText(/Digest of these arguments/).waitFor();
  await approve.click();
  await page.locator(".toast", { hasText: "Approved payments.transfer" }).waitFor();
  const events = await api("GET", `/v1/runs/${seed.payment}/events`);
  const said = events.data.find((one) => one.type === "approval.decided").data;
  if (said.arguments.beneficiary !== "Harbour Paper B.V." || said.arguments.amount !== "4180.00") throw new Error("decided: " + JSON.stringify(said));

  // The next one follows. Somebody else decides on another meanwhile: the row says who.
  await api("POST", `/v1/runs/${seed.notes}/approve`, { action_ids: ["act_01"], reject: true });
  await page.locator(".gone", { hasText: "db.migrate" }).getByText(/Rejected by key admin/).waitFor();

  // Reject with a reason, by keyboard alone.
  await page.goto(page.url().replace(/\/approvals.*/, `/approvals/${seed.welcome}/act_01`));
  await page.getByRole("heading", { name: "mail.send" }).waitFor();
  await page.keyboard.press("r");
  await page.keyboard.type("Not before Monday");
  await page.keyboard.press("Enter");
  await page.locator(".toast", { hasText: "Rejected mail.send" }).waitFor();
  const welcome = await api("GET", `/v1/runs/${seed.welcome}/events`);
  const rejected = welcome.data.find((one) => one.type === "approval.decided").data;
  if (rejected.decision !== "rejected" || rejected.reason !== "Not before Monday") throw new Error("decided: " + JSON.stringify(rejected));

  // A question is answered.
  await page.goto(page.url().replace(/\/approvals.*/, `/approvals/${seed.question}/question`));
  await page.getByText("Which of the two renewal dates is binding?").waitFor();
  await v.shot("question");
  await v.check("a question");
  await page.getByLabel("Your answer").fill("The first: 1 March.");
  await page.keyboard.press("Control+Enter");
  await page.locator(".toast", { hasText: "Answered" }).waitFor();

  // What came of a call is not known: it is made again, on a person's word.
  await page.goto(page.url().replace(/\/approvals.*/, `/approvals/${seed.unknown}/act_01`));
  await page.getByRole("button", { name: "It did not: run again" }).waitFor();
  await page.waitForTimeout(350);
  await page.getByRole("button", { name: "It did not: run again" }).click();
  await page.getByText("Nothing waits for you.").waitFor();
  await page.locator(".toast").last().waitFor({ state: "detached" }); // so that the picture is of the page alone
  await v.done("empty");
}, isDesk);

// Several at once: each with its arguments on the screen.
await visit("approvals-several", async (v) => {
  const { page } = v;
  for (const vendor of ["Northmill", "Papeterie", "Harbour"]) {
    await api("POST", "/v1/runs", { model: "openai/gpt-5-mini", tools: ["mail.send"], approval: { required_for: ["mail.send"] }, background: true, prompt: `Write to ${vendor}\nmail.send {"to":"${vendor}@example.com","n":12345678901234567890}\n= Sent.` });
  }
  await v.open("/approvals");
  for (const vendor of ["Northmill", "Papeterie"]) {
    await page.locator(".inbox li", { hasText: vendor }).locator("a").click();
    await page.getByRole("heading", { name: "mail.send" }).waitFor();
    await page.keyboard.press("x");
    await page.getByRole("heading", { name: /selected/ }).waitFor();
  }
  await page.getByRole("heading", { name: "2 actions selected" }).waitFor();
  if (await page.locator(".args td", { hasText: "12345678901234567890" }).count() !== 2) throw new Error("a number is not shown as it is");
  await v.shot();
  await v.check("several");
  await page.keyboard.press("a");
  await page.locator(".toast", { hasText: "Approved 2 of 2" }).waitFor();
  await page.locator(".gone", { hasText: "Northmill" }).getByText(/Approved by key admin/).waitFor();
}, isDesk);
