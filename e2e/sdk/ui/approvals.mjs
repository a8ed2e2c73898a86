// Approvals: the inbox, decided by keyboard, with what others decide meanwhile. The
// pictures are taken first; then one visit decides, in which nobody else looks.
import { api, seed, until, visit } from "./visit.mjs";

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

  // What was opened stays open while others decide.
  await page.getByRole("button", { name: /25 items/ }).click();
  await api("POST", `/v1/runs/${seed.notes}/approve`, { action_ids: ["act_01"], reject: true });
  await page.locator(".gone", { hasText: "db.migrate" }).getByText(/Rejected by key admin/).waitFor();
  if (await page.getByRole("button", { name: /25 items/ }).count()) throw new Error("an opened value has folded shut");

  // A says why it does nothing, as long as what is on the screen can't be approved.
  const checking = Promise.withResolvers();
  await page.keyboard.press("e");
  await page.route("**/check", (route) => checking.promise.then(() => route.continue()));
  await page.getByLabel("beneficiary").fill("Harbour Paper");
  await page.getByText("Asking the server…").waitFor();
  await page.getByRole("heading", { name: "payments.transfer" }).click(); // out of the field
  await page.waitForTimeout(350); // so soon after E it would be a text's letter
  await page.keyboard.press("a");
  await page.locator(".pressed", { hasText: "The server has not agreed to these arguments." }).waitFor();
  checking.resolve();
  await page.locator(".pressed").waitFor({ state: "detached" });
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

  // What somebody writes decides nothing, however it comes: with a hand on the keys and
  // no field under it, quickly, slowly, in capitals, with Space on a button.
  const there = page.url().replace(/\/approvals.*/, `/approvals/${seed.welcome}/act_01`);
  const waits = async (what) => {
    if ((await api("GET", "/v1/runs/" + seed.welcome)).status !== "awaiting_approval" || page.url() !== there) throw new Error(`${what} was taken for commands: ${page.url()}`);
  };
  await page.evaluate((address) => new Promise((done) => { // a press in the moment at which it appears, however slow the machine is
    new MutationObserver((_, self) => {
      if (document.querySelector(".verb h2")?.textContent !== "mail.send" || !document.querySelector(".decide .btn.you")) return;
      self.disconnect();
      dispatchEvent(new KeyboardEvent("keydown", { key: "a", code: "KeyA" }));
      done();
    }).observe(document.body, { subtree: true, childList: true });
    history.pushState(null, "", address);
    dispatchEvent(new PopStateEvent("popstate"));
  }), there);
  await page.locator(".pressed", { hasText: "had only just appeared, so nothing was done" }).waitFor();
  await page.waitForTimeout(350); // from here on A counts, but for what follows it
  // By timers of the page: they keep their order, and a slow machine only brings the letters nearer together.
  const write = (text, gap) => page.evaluate(([text, gap]) => new Promise((done) => {
    [...text].forEach((key, i) => setTimeout(() => dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey: key !== key.toLowerCase() })), i * gap));
    setTimeout(done, text.length * gap);
  }), [text, gap]);
  for (const [text, gap] of [["a small amount, as agreed", 0], ["a bad idea", 160], ["Ask Ana about an answer", 0]]) {
    await write(text, gap);
    await page.locator(".pressed", { hasText: "You were typing, so A did nothing" }).waitFor();
    await page.waitForTimeout(600); // longer than a press of A waits
    await waits(text);
  }
  await page.getByRole("button", { name: /^Approve/ }).focus();
  await page.keyboard.type("this bid is low", { delay: 20 });
  await page.locator(".pressed", { hasText: "You were typing, so the button did nothing" }).waitFor();
  await waits("text on a button");
  await page.getByRole("heading", { name: "mail.send" }).click(); // nothing has the focus
  await page.waitForTimeout(2100); // whoever wrote has stopped
  await page.evaluate(() => new Promise((done) => { // Esc as soon as A is held
    new MutationObserver((_, self) => {
      if (!document.querySelector(".pressed")?.textContent.startsWith("One moment")) return;
      self.disconnect();
      dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", code: "Escape" }));
      done();
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
    dispatchEvent(new KeyboardEvent("keydown", { key: "a", code: "KeyA" }));
  }));
  await page.getByText("One moment: any other key stops it.").waitFor({ state: "detached" });
  await waits("A and Esc");

  // Reject with a reason, by keyboard alone, as soon as there is something to see: R is
  // not kept waiting, and the reason is no command.
  await page.goto(there);
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
  const letter = (vendor, asks = {}) => api("POST", "/v1/runs", { model: "openai/gpt-5-mini", tools: ["mail.send"], approval: { required_for: ["mail.send"], ...asks }, background: true, prompt: `Write to ${vendor}\nmail.send {"to":"${vendor}@example.com","n":12345678901234567890}\n= Sent.` });
  for (const vendor of ["Northmill", "Papeterie", "Harbour"]) await letter(vendor);
  await v.open("/approvals");
  // What comes in before the one that is shown does not take its place.
  const shown = detail(page).locator(".args");
  await shown.getByText("@example.com").waitFor();
  const was = await shown.innerText();
  const sooner = await letter("Hasty", { timeout: 600 });
  await page.locator(".inbox li").first().getByText("Hasty").waitFor();
  if (await shown.innerText() !== was) throw new Error("another one has taken its place: " + await shown.innerText());
  await api("POST", `/v1/runs/${sooner.id}/cancel`);
  await page.locator(".inbox li", { hasText: "Hasty" }).and(page.locator(".gone")).waitFor();
  for (const vendor of ["Northmill", "Papeterie"]) {
    await page.locator(".inbox li", { hasText: vendor }).locator("a").click();
    await page.getByRole("heading", { name: "mail.send" }).waitFor();
    await page.keyboard.press("x");
    await page.getByRole("heading", { name: /selected/ }).waitFor();
  }
  await page.getByRole("heading", { name: "2 actions selected" }).waitFor();
  await until("both numbers are shown as they are", async () => (await page.locator(".args td", { hasText: "12345678901234567890" }).count()) === 2);
  await v.shot();
  await v.check("several");
  const asked = [];
  page.on("request", (request) => { if (request.method() === "POST") asked.push(new URL(request.url()).pathname); });
  await page.waitForTimeout(350); // so soon after another key it would be a text's letter
  await page.keyboard.down("a"); // held down it is one press
  for (let i = 0; i < 5; i++) await page.keyboard.down("a");
  await page.keyboard.up("a");
  await page.locator(".toast", { hasText: "Approved 2 of 2" }).waitFor();
  if (asked.join() !== "/v1/approvals/decide") throw new Error("two decisions were sent with " + asked);
  await until("the third is still there", async () => (await page.locator(".inbox li", { hasText: "Harbour" }).locator("input").count()) === 1);
  await page.locator(".gone", { hasText: "Northmill" }).getByText(/Approved by key admin/).waitFor();

  // The answer to a decision is late: whoever writes about another action by then stays
  // with that one, and whoever has left the page stays away.
  await letter("Linden");
  const quay = await letter("Quay"), held = [], item = (vendor) => page.locator(".inbox li", { hasText: vendor }).locator("a");
  await item("Quay").waitFor();
  const approve = async (vendor) => {
    await item(vendor).click();
    await shown.getByText(vendor + "@example.com").waitFor();
    await page.waitForTimeout(350); // what has just appeared is not decided on
    await page.route("**/approve", (route) => { held.push(route); });
    await page.getByRole("button", { name: /^Approve/ }).click();
    await until("it is sent", () => held.length === 1);
  };
  const answer = async (vendor) => {
    await held.pop().continue();
    await page.locator(".toast", { hasText: "Write to " + vendor }).waitFor();
    await page.unroute("**/approve");
  };
  await approve("Harbour");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.waitForURL(`**/approvals/${quay.id}/*`);
  await page.keyboard.press("r");
  await page.keyboard.type("Not before ");
  await answer("Harbour");
  await page.keyboard.type("Monday");
  await page.keyboard.press("Enter");
  await page.locator(".toast", { hasText: "Write to Quay" }).waitFor();
  const why = (await api("GET", `/v1/runs/${quay.id}/events`)).data.find((one) => one.type === "approval.decided").data;
  if (why.decision !== "rejected" || why.reason !== "Not before Monday") throw new Error("decided: " + JSON.stringify(why));
  await approve("Linden");
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await page.waitForURL("**/ui/runs");
  await answer("Linden");
  if (!page.url().endsWith("/ui/runs")) throw new Error("a late answer leads back to " + page.url());

  // Who has approved as the first of two still sees what waits for the other.
  await letter("Elm", { quorum: 2 });
  await v.to("/approvals");
  await shown.getByText("Elm@example.com").waitFor();
  await page.waitForTimeout(350);
  await page.getByRole("button", { name: /^Approve/ }).click();
  await detail(page).getByText("1 key has approved, 1 more key has to.").waitFor();
}, isDesk);
