// Robots: how they stand, a task settled with the host, an execution that is steered, and
// a configuration that is saved. The pictures are taken first; then two visits act, in which nobody else looks.
import { api, seed, until, visit } from "./visit.mjs";

const robots = "/v1/agent/robots";
const card = (page, name) => page.locator("article.card", { has: page.getByRole("heading", { name }) });
const same = (what, got, want) => { if (got !== want) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`); };

await visit("robots", async (v) => {
  const { page } = v;
  await v.open("/robots");
  await card(page, "Accounts Payable").getByText("Waiting for you").waitFor();
  await card(page, "Contract Reader").getByText("Asks you").waitFor();
  await card(page, "Inbox Sorter").getByText("Working").waitFor();
  await card(page, "Inbox Sorter").getByText("1 of 2 tasks").waitFor();
  await card(page, "Register Watch").getByText("Error").waitFor();
  await card(page, "Board Reporter").getByText("Paused").waitFor();
  await card(page, "Accounts Payable").getByText("$0.", { exact: false }).waitFor();
  await page.getByRole("link", { name: "Completed: Check 214 parts in 6 shops" }).waitFor();
  await v.done();
  await v.open("/robots?talk=night-auditor");
  await page.getByRole("complementary", { name: "Assign a task to Night Auditor" }).waitFor();
  await v.check("the talk");
  await v.shot("talk");

  v.name = "robot"; // of the pictures
  await v.open("/robots/accounts-payable");
  await page.getByRole("article", { name: /Execution: Pay what agrees/ }).getByRole("link", { name: "Review" }).waitFor();
  await page.getByText("Match invoices and orders").waitFor();
  await v.done();
  await v.open("/robots/part-finder?tab=history");
  await page.getByRole("link", { name: "Check 214 parts in 6 shops" }).waitFor();
  await v.done("history");
  await page.getByLabel("Words of the goal").fill("nobody asked for this");
  await page.getByRole("button", { name: "Show all" }).click();
  await page.getByRole("link", { name: "Check 214 parts in 6 shops" }).waitFor();
  if (await page.getByLabel("Words of the goal").inputValue()) throw new Error("all are shown, and the filter says something else");
  await v.open("/robots/part-finder?tab=results");
  await page.getByText("Nine of 214 prices have changed", { exact: false }).first().waitFor();
  await v.done("results");
  await v.open("/robots/part-finder?exec=" + seed.delivered);
  const drawer = page.getByRole("dialog", { name: "Check 214 parts in 6 shops" });
  await drawer.getByRole("heading", { name: "Prices, 21 November" }).waitFor();
  await drawer.getByRole("link", { name: "Download" }).waitFor();
  await drawer.getByText("file to file_", { exact: false }).waitFor();
  await v.done("drawer");
  await v.open("/robots/night-auditor?tab=configuration");
  await page.getByLabel("What it is").waitFor();
  await page.locator(".next-times li > time").nth(4).waitFor();
  await v.done("configuration");
});

const isDesk = ({ theme, width }) => theme === "light" && width > 600;

// A task is given by keyboard, settled, confirmed; it is guided, held, and tried again.
await visit("robots-story", async (v) => {
  const { page } = v;
  await v.open("/robots");
  await card(page, "Contract Reader").waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await until("the second card has the focus", () => card(page, "Contract Reader").getByRole("link").first().evaluate((one) => one === document.activeElement));
  await page.getByRole("button", { name: "1 asking" }).click();
  await until("one card", async () => (await page.locator("article.card").count()) === 1);
  await page.getByRole("button", { name: "1 asking" }).click();
  await card(page, "Night Auditor").getByRole("button", { name: "Assign task to Night Auditor" }).click();
  const talk = page.getByRole("complementary", { name: "Assign a task to Night Auditor" }), field = talk.getByLabel("Message to the host");
  await until("the field has the focus", () => field.evaluate((one) => one === document.activeElement));
  await page.keyboard.type("Find card payments of last week that nobody handed in a receipt for.");

  // The talk goes on while one looks elsewhere; what is written while the host answers waits.
  const answering = await v.hold("**/night-auditor/interact", "POST");
  await page.keyboard.press("Control+Enter");
  await answering.came();
  await v.to("/runs");
  await talk.waitFor({ state: "detached" });
  await v.to("/robots?talk=night-auditor");
  await talk.getByText("Find card payments of last week", { exact: false }).waitFor();
  await field.fill("Field team. List only, send me the table.");
  same("Send", await talk.getByRole("button", { name: "Send" }).isDisabled(), true);
  await talk.getByText("Then you can send.", { exact: false }).waitFor();
  await page.keyboard.press("Control+Enter");
  await answering.release();
  await talk.getByText("All cards, or only those of the field team?", { exact: false }).waitFor();
  await talk.getByRole("button", { name: "Confirm goal" }).waitFor(); // it has said all
  same("what is written", await field.inputValue(), "Field team. List only, send me the table.");
  await page.keyboard.press("Control+Enter");
  await talk.getByText("Shall I start?").waitFor();
  await v.shot("goal");
  if (await talk.getByRole("article").count()) throw new Error("something runs that nobody has confirmed");
  await talk.getByRole("button", { name: "Confirm goal" }).click();
  await talk.getByText("goal confirmed · now it runs", { exact: false }).waitFor();
  const execution = talk.getByRole("article", { name: /^Execution: List field team/ });
  await execution.getByText("List entries without a receipt").waitFor();
  await execution.locator("li[aria-current=step]", { hasText: "Run" }).waitFor();
  await card(page, "Night Auditor").getByText("2 of 5 tasks").waitFor(); // the card beside goes along
  await card(page, "Night Auditor").getByText("Working").waitFor();
  await v.check("a live execution");
  await v.shot("live");
  const id = (await execution.getByRole("link", { name: /^exec_/ }).getAttribute("title")).match(/exec_\w+/)[0];

  // It hears what a person says, and rests when it is told to.
  await execution.getByRole("button", { name: "Guide…" }).click();
  await until("the field has the focus", () => field.evaluate((one) => one === document.activeElement));
  await talk.getByRole("button", { name: "Add a task" }).click();
  await field.fill("Add up the amounts, too.");
  await page.keyboard.press("Control+Enter");
  await talk.getByText("a task is added", { exact: false }).waitFor();
  await execution.getByRole("button", { name: "Pause" }).click();
  await execution.getByText("Paused", { exact: true }).waitFor();
  same("the execution", (await api("GET", `${robots}/night-auditor/executions/${id}`)).status, "paused");
  await execution.getByRole("button", { name: "Resume" }).click();
  await execution.getByRole("button", { name: "Pause" }).waitFor();
  await execution.getByRole("button", { name: "Cancel…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel execution" }).click();
  await execution.getByText("Cancelled", { exact: true }).waitFor();
  await execution.getByRole("button", { name: "Retry" }).click();
  await talk.getByText("tried again", { exact: false }).waitFor();
  await until("two cards", async () => (await talk.getByRole("article").count()) === 2);
  await until("a second execution", async () => (await api("GET", `${robots}/night-auditor/executions`)).data.some((one) => one.id !== id && one.status === "running" && one.name.startsWith("List field team")));

  // What happens elsewhere shows at once.
  await api("PUT", `${robots}/board-reporter`, { robot_status: "idle" });
  await api("POST", `${robots}/price-scout/execute`, { goals: "Look once more" });
  await page.getByRole("link", { name: /: Look once more/ }).first().waitFor();

  // A question that a task waits with is answered where it is asked.
  await page.keyboard.press("Escape");
  await card(page, "Contract Reader").getByRole("link", { name: "Answer Contract Reader" }).click();
  const drawer = page.getByRole("dialog", { name: "Extract renewal terms of contract 2026-114" });
  await drawer.getByText("Which of the two renewal dates is binding: 1 March or 1 April?").waitFor();
  await v.shot("question");
  await v.check("a question");


  // The task asks something else before the page has heard of it: what was written for
  // the first question is no answer to the next.
  const asking = `${robots}/contract-reader/executions/${seed.asking}`, answer = drawer.getByLabel("Your answer"), reading = Promise.withResolvers(), sending = Promise.withResolvers(), sent = [];
  await answer.fill("1 April");
  await page.route((address) => address.pathname === asking, (route) => reading.promise.then(() => route.continue()));
  await api("POST", asking + "/tasks/task-2/reply", { message: "1 March" });
  await until("it asks again", async () => (await api("GET", asking)).results.some((one) => one.input_question === "Of which year?"));
  reading.resolve();
  await drawer.getByText("Of which year?").first().waitFor();
  same("the answer to another question", await answer.inputValue(), "");

  // A key that is held down, or pressed once more, sends once.
  const press = async () => {
    await page.keyboard.down("Control");
    for (let i = 0; i < 2; i++) await page.keyboard.down("Enter");
    await page.keyboard.up("Enter");
    await page.keyboard.press("Enter");
    await page.keyboard.up("Control");
  };
  await page.route(/\/(reply|interact)$/, (route) => {
    const what = route.request().url().split("/").pop();
    sent.push(what);
    return sending.promise.then(() => (what === "reply" ? route.continue() : route.fulfill({ json: { status: "acknowledged", message: "It has been told." } })));
  });
  await drawer.getByRole("button", { name: "Guide…" }).click();
  await drawer.getByLabel("What it should know").fill("The contract was extended.");
  await press();
  await answer.fill("2027");
  await press();
  sending.resolve();
  await page.locator(".toast", { hasText: "It was told" }).waitFor();
  await drawer.getByText("It renews on 1 March.").first().waitFor();
  await drawer.getByText("Completed", { exact: true }).waitFor();
  same("what was sent", sent.join(), "interact,reply");

  // The robot is held, and says so.
  await page.keyboard.press("Escape");
  await drawer.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator(".robot-top .st", { hasText: "Paused" }).waitFor();
  same("the robot", (await api("GET", `${robots}/contract-reader`)).robot_status, "paused");
}, isDesk);

// A robot is made, set up and deleted; what is wrong stands at its field, and nobody
// saves over somebody else.
await visit("robot-story", async (v) => {
  const { page } = v;

  // From one robot to another: what the one does is not shown as the other's.
  await v.open("/robots/accounts-payable");
  await page.getByRole("article", { name: /Execution: Pay what agrees/ }).waitFor();
  const reading = await v.hold("**/robots/part-finder/executions?*", "GET");
  await v.to("/robots/part-finder");
  await page.getByRole("heading", { level: 1, name: "Part Finder" }).waitFor();
  await reading.came();
  same("the other's executions", await page.getByRole("article").count(), 0);
  await reading.release();

  await v.open("/robots?new=1");
  const making = page.getByRole("dialog", { name: "New robot" });
  await making.getByLabel("Name").fill("Ledger Clerk");
  await making.getByLabel("Robot ID").fill("ledger clerk");
  await making.getByLabel("What it is").fill("You keep the ledger.");
  await page.keyboard.press("Control+Enter");
  await making.getByText(/Must be 1 to 64 letters/).waitFor();
  v.forgive(/400/);
  await making.getByLabel("Robot ID").fill("ledger-clerk");
  await page.keyboard.press("Control+Enter");
  await page.getByRole("heading", { level: 1, name: "Ledger Clerk" }).waitFor();
  await page.locator(".robot-id code", { hasText: "ledger-clerk" }).waitFor();
  await page.locator(".robot-id").getByRole("button", { name: "Copy" }).click();
  same("copied", await page.evaluate(() => navigator.clipboard.readText()), "ledger-clerk");

  // The schedule says when it would start.
  await page.getByRole("button", { name: "Every so often" }).click();
  await page.getByLabel("Every", { exact: true }).fill("2x");
  await page.locator(".next-times .bad").waitFor();
  v.forgive(/400/);
  await page.getByLabel("Every", { exact: true }).fill("6h");
  await until("five times", async () => (await page.locator(".next-times li > time").count()) === 5);
  await page.getByLabel("It may work for").fill("forever");
  await page.keyboard.press("Control+s");
  await page.getByText("Must be a time such as 90s, 30m or 2h", { exact: false }).first().waitFor();
  v.forgive(/400/);
  await v.shot("wrong");
  await v.check("a field that is wrong");
  await page.getByLabel("It may work for").fill("10m");
  await page.getByRole("checkbox", { name: "As a file of the project" }).check();
  await page.getByRole("button", { name: "Add file" }).click();
  await page.locator("#delivery .item").getByLabel("Name").fill("ledger.md");
  await page.keyboard.press("Control+s");
  await page.locator(".toast", { hasText: "Saved Ledger Clerk" }).waitFor();
  const saved = await api("GET", `${robots}/ledger-clerk`);
  same("the period", saved.robot_config.clock.every, "6h");
  same("the file", saved.robot_config.delivery.file.targets[0].name, "ledger.md");

  // Somebody else is quicker.
  await api("PUT", `${robots}/ledger-clerk`, { bio: "Keeps the ledger of all branches." });
  await page.getByLabel("Reports to").fill("ops");
  await page.keyboard.press("Control+s");
  await page.getByText("Somebody else has saved this robot").waitFor();
  same("saved over it", (await api("GET", `${robots}/ledger-clerk`)).manager_id || "", "");
  await api("PUT", `${robots}/ledger-clerk`, { bio: "Keeps the ledger of all branches and banks." });
  await page.getByRole("button", { name: "Save mine over it" }).click();
  await page.locator(".toast", { hasText: "Somebody else has saved it once more." }).waitFor();
  same("saved over what nobody has seen", (await api("GET", `${robots}/ledger-clerk`)).manager_id || "", "");
  await page.getByRole("button", { name: "Take theirs" }).click();
  await until("theirs", async () => (await page.getByLabel("Description").inputValue()) === "Keeps the ledger of all branches and banks.");

  // What is typed while it is saved stays.
  await page.getByLabel("Reports to").fill("ops");
  const saving = await v.hold(`**${robots}/ledger-clerk`, "PUT");
  await page.keyboard.press("Control+s");
  await saving.came();
  await page.getByLabel("What it is").fill("You keep two ledgers.");
  await saving.release();
  await until("it is saved", async () => !(await page.getByRole("button", { name: /^Save/ }).isDisabled()));
  same("what was typed", await page.getByLabel("What it is").inputValue(), "You keep two ledgers.");
  await page.getByText("1 change not saved").waitFor();
  await page.keyboard.press("Control+s");
  await page.getByText("Everything is saved").waitFor({ state: "attached" });
  const kept = await api("GET", `${robots}/ledger-clerk`);
  same("both", kept.manager_id + " " + kept.robot_config.identity.role, "ops You keep two ledgers.");

  // Its address answers, and the server says what it does not speak.
  await page.getByRole("button", { name: "Verify the address" }).click();
  await page.getByText("host/ledger-clerk leads the talk", { exact: false }).waitFor();
  await page.getByRole("button", { name: "Verify", exact: true }).click();
  await page.getByText("This server does not speak to telegram", { exact: false }).waitFor();
  await page.locator("#integrations pre", { hasText: "/v1/agent/robots/ledger-clerk/completions" }).waitFor();

  await page.getByRole("button", { name: "Delete robot…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete robot" }).click();
  await page.getByRole("heading", { level: 1, name: "Robots" }).waitFor();
  await page.locator("article.card").first().waitFor();
  same("its card", await card(page, "Ledger Clerk").count(), 0);
}, isDesk);
