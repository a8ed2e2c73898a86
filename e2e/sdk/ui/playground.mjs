// The playground: a chat whose turns are runs, decided in place, found again by its
// address; and workflows, replayed with other values.
import { api, seed, until, visit } from "./visit.mjs";

const pixel = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

await visit("playground", async (v) => {
  const brief = !process.env.ERRAND_ONLY && (v.theme === "dark") !== v.phone; // the whole story once at each width, once in each theme
  const { page } = v;
  const equal = (is, want, what) => { if (is !== want) throw new Error(`${what}: ${JSON.stringify(is)}, want ${JSON.stringify(want)}`); };
  const say = async (text) => { await page.getByLabel("Message", { exact: true }).fill(text); await page.getByLabel("Message", { exact: true }).press("Control+Enter"); };
  const answers = (text) => page.locator(".turn-words", { hasText: text }).waitFor();

  // N lands here; an agent answers, and what is foreign in its words is not loaded.
  await v.open("/agents");
  await page.getByRole("heading", { name: "Agents", level: 1 }).waitFor();
  await page.keyboard.press("n");
  await page.getByRole("heading", { name: "Playground" }).waitFor({ state: "attached" });
  await page.getByLabel("Talk to", { exact: true }).selectOption({ label: "churn-digest" });
  await page.getByText("Talk to churn-digest.").waitFor();
  await v.done("empty");
  await say("Hello\n= A **table**, ![a picture](https://evil.example/p.png) and <img src=x onerror=alert(1)>.\nsql.lookup {\"question\":\"churn reasons of week 46\"}\n= **Price** comes first.");
  await page.locator(".turn-words strong", { hasText: "table" }).waitFor();
  equal(await page.locator(".turn-words img").count(), 0, "pictures in what the model says");
  const first = new URL(page.url()).searchParams.get("run");

  // The next turn goes on from the one before; its tool is seen, with what it was given.
  const message = page.getByLabel("Message", { exact: true }), sending = await v.hold("**/v1/agents/*/run", "POST");
  await say("Which reason comes first?");
  await sending.came();
  equal(await message.inputValue(), "", "what is being sent");
  await message.fill("And the second?"); // while it is sent
  await sending.release();
  await answers("Price comes first.");
  equal(await message.inputValue(), "And the second?", "what was typed while it was sent");
  await message.fill("");
  await page.locator(".turn-steps summary", { hasText: "sql.lookup" }).click();
  await page.locator(".turn-more .args", { hasText: "churn reasons of week 46" }).waitFor();
  const second = new URL(page.url()).searchParams.get("run");
  equal((await api("GET", "/v1/runs/" + second)).previous_run_id, first, "the run before");
  await v.check("chat");
  await v.shot("chat");

  if (brief) {
    await v.open("/workflows/" + seed.sum);
    await page.getByRole("heading", { name: "Recorded steps" }).waitFor();
    await v.done("workflow");
    return;
  }

  // Whoever has the address has the chat.
  await page.reload();
  await page.locator(".turn-words strong", { hasText: "table" }).waitFor();
  await answers("Price comes first.");
  await until("two turns of the chat", async () => (await page.locator("article").count()) === 2);

  // What could not be sent is there again, before what was typed meanwhile.
  let fails = null;
  await page.route("**/v1/agents/*/run", async (route) => {
    await new Promise((done) => { fails = done; });
    await route.fulfill({ status: 503, contentType: "application/json", body: '{"error":{"code":"unavailable","message":"The store is away."}}' });
  });
  await say("A first thought");
  await until("it is being sent", () => fails);
  await message.fill("A second one");
  fails();
  await until("both stand there", async () => (await message.inputValue()) === "A first thought\n\nA second one");
  await page.unroute("**/v1/agents/*/run");
  v.forgive(/503/);
  await message.fill("");

  // What needs a person is decided in place. What is said in the chat before comes into no other.
  const late = await v.hold("**/v1/agents/*/run", "POST");
  await say("Thank you.");
  await late.came();
  await page.locator(".said").press("n");
  await page.locator("article").first().waitFor({ state: "detached" });
  await late.release();
  await page.getByLabel("Talk to", { exact: true }).selectOption({ label: "vendor-onboarding" });
  await say("Welcome the three new vendors");
  await page.getByRole("button", { name: /^Approve/ }).waitFor();
  equal(await page.locator("article").count(), 1, "turns of the new chat");
  equal((await api("GET", "/v1/runs/" + new URL(page.url()).searchParams.get("run"))).previous_run_id || "", "", "the run before the first");
  await page.waitForTimeout(350); // what has just appeared decides nothing
  await v.check("waits");
  await v.shot("waits");
  await page.getByLabel("Message", { exact: true }).press("Escape");
  await page.keyboard.press("a");
  await answers("Three letters are out.");

  // A model without an agent, with a file, and one that is stopped.
  await page.getByRole("button", { name: "New chat" }).click();
  await page.getByLabel("Talk to", { exact: true }).selectOption({ label: "Another model…" });
  await page.getByLabel("The model’s name").fill("openai/gpt-5-mini");
  await page.getByLabel("The model’s name").press("Tab");
  await page.locator("input[type=file]").setInputFiles([{ name: "notes.md", mimeType: "text/markdown", buffer: Buffer.from("# Notes") }, { name: "dot.png", mimeType: "image/png", buffer: pixel }]);
  await page.getByText("7 B", { exact: true }).waitFor();
  await page.getByText("70 B").waitFor();
  await say('What is in the files?\n= Two things.\nmail.send {"to":["ana@harbour.example"]}\n= Written.');
  await answers("Two things.");
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" }); // it has ended: what is said now is the next turn
  await page.getByRole("button", { name: "Choose" }).click();
  await page.getByLabel("Find a tool").fill("mail.send");
  await page.getByRole("checkbox", { name: /^mail\.send/ }).check();
  await page.getByRole("button", { name: "Done" }).click();
  await say("Write them to Ana");
  await page.getByRole("button", { name: /^Approve/ }).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Cancelled.").waitFor();

  // A workflow, with other values, without a model.
  await page.getByRole("link", { name: "Workflows" }).click();
  await page.getByRole("link", { name: /What is the sum of/ }).first().click();
  await page.getByRole("heading", { name: "Recorded steps" }).waitFor();
  await v.check("workflow");
  await v.shot("workflow");
  await page.getByLabel("a", { exact: true }).fill("40");
  await page.getByLabel("b", { exact: true }).fill("2");
  await page.getByRole("button", { name: "Replay" }).click();
  await page.locator(".replay pre", { hasText: "The sum of 40 and 2 is" }).last().waitFor();
  await page.getByText("no model was called").waitFor();

  // One that does not work any more is mended, and says where.
  await v.open("/workflows/" + seed.broken);
  await page.getByRole("button", { name: "Replay" }).click();
  await page.locator(".healed .tag").waitFor();
  await page.getByRole("button", { name: "Keep what was mended" }).waitFor();
  await v.check("healed");
  await v.shot("healed");

  // And one made of any run that was successful.
  await page.getByRole("button", { name: "Make from a run" }).click();
  await page.getByLabel("Words of the run").fill("Which reason");
  await page.getByRole("radio", { name: /Which reason/ }).first().check();
  await v.check("record");
  await v.shot("record");
  await page.getByRole("button", { name: "Make workflow" }).click();
  await page.locator(".wsteps code", { hasText: "sql.lookup" }).waitFor();
});
