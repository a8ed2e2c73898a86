// Runs, a run, and two of them side by side. The pictures are taken first; then one
// visit tells what a person does there.
import { api, seed, until, visit } from "./visit.mjs";

const isDesk = ({ theme, width }) => theme === "light" && width > 600;
const must = (holds, what) => { if (!holds) throw new Error(what); };

await visit("runs", async (v) => {
  const { page } = v;
  await v.open("/runs");
  await page.getByRole("row", { name: /Match October invoices/ }).waitFor();
  await v.done();
  await v.open("/runs/" + seed.work);
  await page.getByRole("heading", { level: 1, name: /Match November invoices/ }).waitFor();
  await page.getByRole("button", { name: /^Approve/ }).waitFor();
  await page.getByText("A person has to decide about this call.").waitFor();
  v.name = "run";
  await v.done();
  await v.open("/runs/" + seed.digest);
  await page.getByRole("heading", { name: "Churn in week 46" }).waitFor();
  v.name = "run-done";
  await v.done();
  await v.open(`/compare?a=${seed.digest}&b=${seed.ticket}`);
  await page.getByRole("heading", { name: "Steps" }).waitFor();
  v.name = "compare";
  await v.done();
});

// The list: filter by keyboard, the address has it; new runs wait while one is in it.
await visit("runs-list", async (v) => {
  const { page } = v;
  await v.open("/runs");
  await page.getByRole("row", { name: /Match October invoices/ }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("tender documents");
  await page.getByRole("row", { name: /Read the tender documents/ }).waitFor();
  await page.getByRole("row", { name: /Match October/ }).waitFor({ state: "detached" });
  await until("who looks for words is not shown what waits", async () => (await page.locator(".runs tr.group").count()) === 0);
  await page.waitForURL((address) => address.searchParams.get("q") === "tender documents");
  await page.keyboard.press("Escape");
  await page.getByRole("row", { name: /Match October/ }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByLabel("Status").selectOption("awaiting_approval,awaiting_input");
  await page.getByRole("row", { name: /Summarise build/ }).first().waitFor({ state: "detached" });
  await page.getByRole("row", { name: /Refund order/ }).waitFor();
  await page.reload();
  await page.getByRole("row", { name: /Refund order/ }).waitFor();
  must(await page.getByRole("row", { name: /Summarise build/ }).count() === 0, "a reload forgets the filter");
  await page.getByRole("button", { name: "Cost, time" }).click();
  await page.getByLabel("Cost from").fill("5000");
  await page.keyboard.press("Enter");
  await page.getByText("No run fits.").waitFor();
  await page.getByLabel("Find runs").fill("nobody wrote this");
  await page.getByText("the first 80 characters of a prompt").waitFor(); // where words are looked for
  await v.check("nothing fits");
  await page.getByRole("link", { name: "Show all runs" }).click();
  await page.getByRole("row", { name: /Match October/ }).waitFor();
  // Words that are still being typed are cleared with the rest.
  await page.getByLabel("API").selectOption("native");
  await page.getByRole("button", { name: "Clear", exact: true }).waitFor();
  await page.evaluate(() => new Promise((done) => {
    const field = document.querySelector("search input[type=search]");
    field.value = "tender";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    [...document.querySelectorAll("search button")].find((one) => one.textContent === "Clear").click();
    setTimeout(done, 300); // behind the moment at which they would have been looked for
  }));
  must(new URL(page.url()).search === "" && (await page.getByLabel("Find runs").inputValue()) === "", "what was cleared is back: " + page.url());

  // What waits for a person stands above the rest, and stays in its place under a hand.
  const first = page.locator(".runs tr.group + tr"), letter = first.getByText("Write to the carrier");
  const asked = await api("POST", "/v1/runs", { model: "openai/gpt-5-mini", background: true, tools: ["mail.send"], approval: { required_for: ["mail.send"] }, prompt: 'Write to the carrier\nmail.send {"to":["c@carrier.example"],"subject":"Hello","body":"Hello"}\n= Sent.' });
  await page.mouse.move(5, 5);
  await letter.waitFor();
  await until("what waits stands in the list once", async () => (await page.locator(".runs").getByText("Write to the carrier").count()) === 1);
  await until("five stand above the list", () => page.locator(".runs tr.last").evaluate((last) => [...last.parentElement.children].indexOf(last) === 5));
  await page.locator(".runs tr.group").getByRole("link", { name: "All that wait" }).waitFor();
  await v.check("what waits");
  await first.hover();
  await api("POST", `/v1/runs/${asked.id}/cancel`);
  await first.getByText("Cancelled").waitFor();
  must(await letter.count() === 1, "a row has left from under a hand");
  await page.mouse.move(5, 5);
  await letter.waitFor({ state: "detached" });
  await page.getByRole("row", { name: /Write to the carrier/ }).getByText("Cancelled").waitFor();

  // A list that is narrowed counts what waits of its own.
  await v.to("/runs?agent=" + seed["refund-desk"]);
  await page.locator(".runs tr.group").getByText("1 waits for you").waitFor();
  must(await page.locator(".runs tr.group").getByRole("link").count() === 1, "there is nothing more that waits");
  await v.to("/runs");

  const row = page.getByRole("row", { name: /Summarise build 3200/ });
  await row.hover();
  await api("POST", "/v1/runs", { model: "openai/gpt-5-mini", background: true, prompt: "Count the paper clips\n= Twelve." });
  await page.getByRole("button", { name: "1 new" }).waitFor();
  must(await page.getByRole("row", { name: /Count the paper clips/ }).count() === 0, "a row has moved under a hand");
  await page.getByRole("button", { name: "1 new" }).click();
  await page.getByRole("row", { name: /Count the paper clips/ }).getByText("Completed").first().waitFor();
  await page.mouse.move(5, 5);

  // The keys mean the run that one has come to, whatever comes in before it.
  await row.getByRole("link").focus();
  await api("POST", "/v1/runs", { model: "openai/gpt-5-mini", background: true, prompt: "Count the rubber bands\n= None." });
  await page.getByRole("button", { name: "1 new" }).waitFor();
  await page.getByRole("heading", { level: 1, name: "Runs" }).click();
  await page.getByRole("row", { name: /Count the rubber bands/ }).waitFor();
  must((await page.locator("tr[data-current]").innerText()).includes("Summarise build 3200"), "another run is current");
  await page.keyboard.press("x");
  await page.getByRole("row", { name: /Summarise build 3200/, selected: true }).waitFor();
  await page.keyboard.press("Escape");

  // Whoever comes back from a run stands where they were.
  await page.evaluate(() => scrollTo(0, 240));
  await page.getByRole("link", { name: /Compare shipping quotes/ }).evaluate((link) => link.click()); // without scrolling to it
  await page.getByRole("heading", { level: 1, name: /Compare shipping quotes/ }).waitFor();
  await page.goBack();
  await page.waitForFunction(() => scrollY === 240);
  await page.evaluate(() => scrollTo(0, 0));

  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.getByText("2 selected").waitFor();
  await v.shot("selected");
  await page.keyboard.press("v");
  await page.getByRole("heading", { name: "Compare runs" }).waitFor();
  await page.getByRole("heading", { name: "Figures" }).waitFor();
}, isDesk);

// A run: by keyboard through its steps, into the prompt, and to its neighbours.
await visit("run-story", async (v) => {
  const { page } = v;
  await v.open("/runs/" + seed.work);
  const steps = page.getByRole("region", { name: "Waterfall" }).getByRole("button"), aside = page.getByRole("complementary", { name: "Inspector" });
  await page.getByText("12345678901234567890.50").waitFor(); // to the digit
  await until("eleven spans", async () => (await steps.count()) === 11);
  const current = page.locator(".wr[aria-current]");
  await until("what waits is selected", async () => /payments\.transfer/.test(await current.textContent()));
  await page.keyboard.press("k");
  await page.getByRole("button", { name: "Exact prompt" }).waitFor();
  await until("the step is in the address", () => new URL(page.url()).searchParams.get("step") === "model/3/1");
  await aside.getByText("act_05").first().waitFor();
  await page.keyboard.press("l");
  await page.locator(".toast", { hasText: "Link to this step copied" }).waitFor();
  must((await page.evaluate(() => navigator.clipboard.readText())) === page.url(), "another link was copied");
  await page.getByRole("button", { name: "Exact prompt" }).click();
  const drawer = page.getByRole("dialog", { name: "Prompt of step 3" });
  await drawer.getByText("You match supplier invoices").waitFor();
  await v.check("prompt");
  await v.shot("prompt");
  await page.keyboard.press("Escape");
  await drawer.waitFor({ state: "detached" });
  await page.keyboard.press("ArrowLeft"); // to the step, and fold it
  await page.keyboard.press("ArrowLeft");
  await until("a folded step shows no parts", async () => (await steps.count()) === 9);
  await page.keyboard.press("ArrowRight");
  await until("the step unfolds", async () => (await steps.count()) === 11);
  await page.keyboard.press("c");
  await page.locator(".toast", { hasText: "Copied as curl" }).waitFor();
  must((await page.evaluate(() => navigator.clipboard.readText())).startsWith("curl -X POST"), "no curl was copied");

  for (const [tab, text] of [["Messages", "ledger.match"], ["Spec", "Instructions"], ["curl", "ERRAND_API_KEY"]]) {
    await page.getByRole("tab", { name: tab }).click();
    await page.getByRole("tabpanel").getByText(text).first().waitFor();
    await v.check(tab);
    await v.shot(tab.toLowerCase());
  }
  await page.getByRole("tab", { name: "Live" }).click();
  await page.getByRole("button", { name: /run\.created/ }).click();
  await page.getByLabel("Event 1", { exact: true }).getByText(/"team": "payables"/).waitFor();
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  await page.waitForFunction(() => navigator.clipboard.readText().then((text) => text.includes("12345678901234567890.50")));

  // Approve in place: the run goes on, and its end shows by itself.
  await page.keyboard.press("a");
  await page.locator(".toast", { hasText: "Approved payments.transfer" }).waitFor();
  await page.locator(".facts").getByText("Completed").waitFor();
  await page.getByRole("tab", { name: "Result" }).click();
  await page.getByRole("tabpanel").getByText("Paid. The transfer is booked for Monday.").waitFor();
  const said = (await api("GET", `/v1/runs/${seed.work}/events`)).data.find((one) => one.type === "approval.decided").data;
  must(said.decision === "approved" && said.action_ids[0] === "act_05", "decided: " + JSON.stringify(said));

  // Again, with another prompt: the new run is there, and is held against the old one.
  await page.getByRole("button", { name: "Run again…" }).click();
  await page.getByLabel("Prompt").fill("Say it shorter\n= Booked.");
  await page.getByText("Changed: prompt").waitFor();
  await v.check("again");
  await v.shot("again");
  await page.getByRole("button", { name: /^Run again/ }).last().click();
  const beside = await page.locator(".toast", { hasText: "Started again" }).getByRole("link", { name: "Compare" }).getAttribute("href"); // it stays for a few seconds
  await page.getByRole("heading", { level: 1, name: "Say it shorter" }).waitFor();
  await page.getByRole("tabpanel").getByText("Booked.").first().waitFor();
  await v.to(beside.slice(beside.indexOf("/ui/") + 3));
  await page.getByRole("heading", { name: "What they were made of" }).waitFor();
  await page.locator("del", { hasText: "November" }).first().waitFor();
  await page.locator("ins", { hasText: "shorter" }).first().waitFor();

  // Through the list by [ and ].
  await page.goto(page.url().replace(/\/compare.*/, "/runs/" + seed.ticket));
  await page.getByRole("heading", { level: 1, name: /Answer ticket/ }).waitFor();
  await page.keyboard.press("]");
  await page.getByRole("heading", { level: 1, name: /Weekly digest/ }).waitFor();
  await page.keyboard.press("[");
  await page.getByRole("heading", { level: 1, name: /Answer ticket/ }).waitFor();
  let next; // it comes when one has left
  await page.route("**/v1/runs?*limit=1", (route) => { next = route; });
  await page.keyboard.press("]");
  await until("the next one is asked for", () => next);
  await v.to("/compare");
  await page.getByRole("heading", { name: "Compare runs" }).waitFor();
  const ended = page.waitForEvent("requestfinished", (one) => one === next.request());
  await next.continue();
  await ended;
  await page.evaluate(() => new Promise((done) => setTimeout(done, 100)));
  must(page.url().endsWith("/compare"), "the next run leads back to " + page.url());
}, isDesk);

// What goes on: paused, resumed, cancelled; answered; followed while it writes; deleted meanwhile.
await visit("run-live", async (v) => {
  const { page } = v;
  const held = await api("POST", "/v1/runs", { model: "openai/gpt-5-mini", background: true, tools: ["logs.scan"], prompt: "Look through the logs of today\nlogs.scan {}\n= Nothing." });
  await v.open("/runs/" + held.id);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator(".facts").getByText("Paused").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator(".facts").getByText("Running").waitFor();

  // What a person has confirmed is done, whatever else is under way.
  const pausing = Promise.withResolvers();
  await page.route("**/pause", (route) => pausing.promise.then(() => route.fulfill({ json: {} })));
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel run" }).click();
  await page.locator(".facts").getByText("Cancelled").waitFor();
  const paused = page.waitForResponse("**/pause");
  pausing.resolve();
  await paused;

  await page.goto(page.url().replace(/\/runs\/.*/, "/runs/" + seed.question));
  await page.getByText("Which of the two renewal dates is binding?").first().waitFor();
  await v.check("a question");
  await v.shot("question");
  await page.getByLabel("Your answer").fill("The first: 1 March.");
  await page.getByRole("complementary").getByRole("button", { name: /^Answer/ }).click();
  await page.getByText("It renews on 1 March.").first().waitFor();

  await page.goto(page.url().replace(/\/runs\/.*/, "/runs/" + seed.parent));
  const child = page.getByRole("region", { name: "Waterfall" }).getByRole("button", { name: /Writer/ });
  await child.click();
  await page.getByRole("complementary").getByRole("link", { name: /^run_/ }).first().click();
  await page.getByRole("heading", { level: 1, name: "Say what is paid and when" }).waitFor();
  await page.getByText("Part of").waitFor();

  await page.goto(page.url().replace(/\/runs\/.*/, "/runs/" + seed.long));
  await page.getByText("242 spans").waitFor();
  must(await page.locator(".wr").count() < 120, "all rows are in the document: " + await page.locator(".wr").count());
  await page.locator(".left").evaluate((box) => { box.scrollTop = 242 * 28 - 900; });
  await page.getByRole("button", { name: /Step 16/ }).waitFor();
  await v.shot("long");

  const words = Array.from({ length: 1600 }, (_, i) => "word" + i).join(" "); // more than anybody waits for
  const slow = await api("POST", "/v1/runs", { model: "openai/gpt-5-mini", background: true, prompt: "Write slowly\n= " + words });
  await page.goto(page.url().replace(/\/runs\/.*/, "/runs/" + slow.id));
  await page.getByRole("heading", { name: "The model writes" }).waitFor();
  await page.getByText("word3").first().waitFor();
  await v.shot("writes");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel run" }).click();
  await page.locator(".facts").getByText("Cancelled").waitFor();
  await api("DELETE", "/v1/runs/" + slow.id);
  await page.getByText("This run was deleted.").waitFor();
  await page.goto(page.url().replace(/\/runs\/.*/, "/runs/run_00000000000000000000000000000000"));
  await page.getByText("There is no such run.").waitFor();
  await v.check("no such run");

  // The stream breaks: it is said, what stands there stays, and it comes back by itself.
  await page.route("**/v1/runs/*/stream", (route) => route.abort());
  await page.goto(page.url().replace(/\/runs\/.*/, "/runs/" + seed.notes));
  await page.getByText("The stream of this run is lost.").waitFor();
  v.forgive(/404/); // all of them: the page that has asked is gone
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await v.check("a lost stream");
  await page.unroute("**/v1/runs/*/stream");
  await page.getByText("The stream of this run is lost.").waitFor({ state: "detached" });
  v.forgive(/ERR_FAILED/);

  // A key that may decide and nothing else: what it can't do says which scope it needs.
  await page.evaluate((key) => fetch("/v1/session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key }) }), seed.secret);
  await page.goto(page.url().replace(/\/runs\/.*/, "/runs/" + seed.notes));
  await page.getByRole("button", { name: /^Approve/ }).waitFor();
  v.forgive(/401/); // the page before may have asked something of the session that has ended
  must(await page.getByRole("button", { name: /^Approve/ }).isEnabled(), "a key that may approve can't");
  const pause = page.getByRole("button", { name: "Pause" });
  must(await pause.isDisabled() && /runs:write/.test(await pause.getAttribute("title")), "pausing does not say what it needs");
}, isDesk);

// What a run asks within a chat: the key sends the form that is written in, and another
// question takes neither the field from whoever writes nor the answer to the one before.
await visit("run-asks", async (v) => {
  const { page } = v, message = page.getByLabel("Message", { exact: true }), answer = page.getByLabel("Your answer"), asked = (text) => page.locator(".asked", { hasText: text }).waitFor();
  const { id } = await api("POST", "/v1/runs", {
    model: "openai/gpt-5-mini", background: true, functions: [{ type: "function", function: { name: "ask_person", description: "Asks.", parameters: { type: "object" } } }],
    prompt: 'Book the invoices\nask_person {"question":"Of which month?"}\nask_person {"question":"Of which year?"}\n= They are booked.',
  });
  const waiting = async () => (await api("GET", `/v1/runs/${id}?include_trace=false`)).pending_calls[0]?.id;
  await v.open("/playground?run=" + id);
  await asked("Of which month?");
  await answer.fill("November");
  await message.fill("2026");
  const first = await waiting(), reading = Promise.withResolvers(); // the page hears of nothing between the two
  await page.route((address) => address.pathname === "/v1/runs/" + id, (route) => reading.promise.then(() => route.continue()));
  await api("POST", `/v1/runs/${id}/tool_outputs`, { outputs: [{ action_id: first, output: "October" }] });
  await until("it asks again", async () => ![undefined, first].includes(await waiting()));
  reading.resolve();
  await asked("Of which year?");
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))); // it would take the focus once it is painted
  must(await answer.inputValue() === "", "the answer to one question stands under another");
  must(await message.evaluate((one) => one === document.activeElement), "a question has taken the focus from what was being written");
  await page.keyboard.press("Control+Enter"); // the message, which is an answer, too
  await page.locator(".turn-words", { hasText: "They are booked." }).waitFor();

  const letter = await api("POST", "/v1/runs", { model: "openai/gpt-5-mini", background: true, tools: ["mail.send"], approval: { required_for: ["mail.send"] }, prompt: 'Write to the bank\nmail.send {"to":["b@bank.example"]}\n= Sent.' });
  await v.to("/playground?run=" + letter.id);
  await page.getByRole("button", { name: /^Reject…/ }).click();
  await message.fill("Write in Dutch.");
  await page.keyboard.press("Control+Enter");
  await page.locator(".turn-later", { hasText: "Write in Dutch." }).waitFor();
  must((await api("GET", "/v1/runs/" + letter.id)).status === "awaiting_approval", "a message has rejected an action");
  await page.getByLabel("Why not?").fill("Not to the bank.");
  await page.keyboard.press("Control+Enter");
  await page.locator(".toast", { hasText: "Rejected mail.send" }).waitFor();
}, isDesk);

// What was asked for earlier and comes later takes nothing back; and what was read of one
// is not shown as another's.
await visit("runs-late", async (v) => {
  const { page } = v;
  await v.open("/runs?q=the%20late%20port");
  await page.getByText("No run fits.").waitFor();
  const letter = await api("POST", "/v1/runs", { model: "openai/gpt-5-mini", background: true, tools: ["mail.send"], approval: { required_for: ["mail.send"] }, prompt: 'Write to the late port\nmail.send {"to":["p@port.example"]}\n= Sent.' });
  const row = page.locator("tr", { has: page.locator(`a[href$="${letter.id}"]`) }).first(), early = Promise.withResolvers(), late = Promise.withResolvers(), over = Promise.withResolvers();
  await row.getByText("Awaiting approval").waitFor();
  let asked = 0;
  await page.route(/\/v1\/runs\?.*limit=50/, async (route) => {
    const response = await route.fetch(), first = ++asked === 1;
    if (first) early.resolve();
    if (first) await late.promise;
    await route.fulfill({ response }).catch(() => {}); // the page waits no more
    if (first) over.resolve();
  });
  await api("POST", "/v1/runs", { model: "openai/gpt-5-mini", background: true, prompt: "Write to the late port once more\n= Done." });
  await early.promise;
  await api("POST", `/v1/runs/${letter.id}/cancel`);
  await row.getByText("Cancelled").waitFor();
  await until("it is read again", () => asked > 1);
  late.resolve();
  await over.promise;
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  must(await row.getByText("Cancelled").count(), "an older answer was shown");

  const prompt = page.getByRole("dialog").locator(".prompt");
  await v.open(`/runs/${seed.digest}?prompt=1`);
  await prompt.waitFor();
  const reading = await v.hold("**/steps/2/prompt", "GET");
  await page.getByRole("button", { name: "Step 2", exact: true }).click();
  await page.getByRole("dialog", { name: "Prompt of step 2" }).waitFor();
  await reading.came();
  must(await prompt.count() === 0, "the prompt of another step");
  await reading.release();
  await prompt.waitFor();

  const link = page.getByRole("region", { name: "First run" }).locator("h2 a");
  await v.open(`/compare?a=${seed.digest}&b=${seed.ticket}`);
  await page.getByRole("heading", { name: "Steps" }).waitFor();
  const turned = await v.hold(/\/v1\/runs\/\w+\?include_trace=false/, "GET");
  await page.keyboard.press("s");
  await turned.came();
  must((await link.getAttribute("href")).endsWith(seed.ticket), "the run of the other side");
  await turned.release();
}, isDesk);
