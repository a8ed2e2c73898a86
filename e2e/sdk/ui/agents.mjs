// Agents: make one, be told what is wrong, try it unsaved, save, compare, restore; what
// others save meanwhile is not lost.
import { api, seed, visit } from "./visit.mjs";

await visit("agents", async (v) => {
  const brief = !process.env.ERRAND_ONLY && (v.theme === "dark") !== v.phone; // the whole story once at each width, once in each theme
  const { page } = v, mark = `${v.theme}-${v.width}`;
  const field = (label) => page.getByLabel(label, { exact: true });
  const says = (text) => page.getByText(text).first().waitFor();
  const equal = (is, want, what) => { if (is !== want) throw new Error(`${what}: ${JSON.stringify(is)}, want ${JSON.stringify(want)}`); };
  const save = () => page.getByRole("button", { name: /^Save as v|^Create agent/ });

  // The list: filtered by words, opened by keys.
  await v.open("/agents");
  await page.getByRole("link", { name: "invoice-clerk" }).waitFor();
  await v.done("list");
  await page.getByLabel("Filter agents").fill("payments.transfer");
  await page.getByRole("link", { name: "refund-desk" }).waitFor({ state: "detached" });
  await page.getByLabel("Filter agents").press("Enter");
  await page.getByRole("heading", { name: "invoice-clerk", level: 1 }).waitFor();

  // What is wrong is said at its field, as one types.
  await field("Steps").fill("900");
  await says(/must be a whole number from 1 to/);
  await field("Result schema").fill('{\n  "type": "object",\n  "properties": {\n    "amount": {"type": "money"}\n  }\n}');
  await says(/^Line 4: “type”/);
  await page.getByRole("button", { name: "2 problems" }).waitFor();
  equal(await save().isDisabled(), true, "saving with problems");
  await v.check("problems");
  await v.shot("problems");
  await page.keyboard.press("Control+s");
  equal((await api("GET", "/v1/agents/" + seed["invoice-clerk"])).max_steps, 16, "what is wrong was saved");
  await field("Steps").fill("16");
  await field("Result schema").fill("");
  await page.getByRole("button", { name: /problem/ }).waitFor({ state: "detached" });

  // What is not saved is kept when one looks elsewhere.
  await field("Steps").fill("9");
  await page.keyboard.press("Escape");
  await page.evaluate(() => history.back());
  await page.getByRole("heading", { name: "Agents", level: 1 }).waitFor();
  await page.getByText("unsaved").first().waitFor();
  await page.getByRole("link", { name: "invoice-clerk" }).click();
  equal(await field("Steps").inputValue(), "9", "the draft");
  await page.getByRole("button", { name: "Discard" }).click();
  await page.getByRole("button", { name: "Discard changes" }).click();
  await page.getByText("1 change", { exact: true }).waitFor({ state: "detached" });
  await v.open("/agents/" + seed["invoice-clerk"]);
  await field("Instructions").waitFor();
  await page.locator(".list .st").first().waitFor({ state: "attached" });
  await v.done("edit");
  if (brief) return;

  // A key saves what stands there now, though the server has only spoken of what stood there before.
  await v.open("/agents/new");
  await field("Name").fill("quick-" + mark);
  await page.getByRole("button", { name: "2 problems" }).waitFor(); // neither a model nor instructions
  await page.route("**/v1/agents/validate", () => {}); // a slow answer: none
  await field("Model").fill("openai/gpt-5-mini");
  await field("Instructions").fill("You are quick.");
  const creating = await v.hold("**/v1/agents", "POST");
  await page.keyboard.press("Control+s");
  await creating.came();
  await field("Description").fill("And brief."); // while it is saved
  const known = page.waitForResponse((answer) => answer.request().method() === "GET" && /\/v1\/agents\/agt_\w+$/.test(answer.url())); // its first reading is not the one that is held below
  await creating.release();
  await known;
  await page.getByRole("heading", { name: "quick-" + mark, level: 1 }).waitFor();
  await page.getByText("1 change", { exact: true }).waitFor();
  equal(await field("Description").inputValue(), "And brief.", "what was typed while it was created");
  equal((await api("GET", "/v1/agents/quick-" + mark)).description, "", "what was not saved yet");
  await page.unroute("**/v1/agents/validate");

  // What was read before it was saved comes after it: what is saved stays, and is read again.
  const reading = await v.hold("**/v1/agents/agt_*", "GET");
  await page.evaluate(() => { dispatchEvent(new Event("focus")); });
  await reading.came();
  await page.keyboard.press("Control+s");
  await page.locator(".top .tag", { hasText: "v2" }).waitFor();
  let reads = 0;
  const again = page.waitForResponse((answer) => answer.request().method() === "GET" && /\/v1\/agents\/agt_\w+$/.test(answer.url()) && ++reads === 2);
  await reading.release();
  await again;
  equal(await page.locator(".top .tag").innerText(), "v2", "the version that is shown");
  equal(await field("Description").inputValue(), "And brief.", "what was saved");

  // A new one, tried before it is saved, with a call that asks first.
  await v.open("/agents/new");
  const name = "carrier-desk-" + mark;
  await field("Name").fill(name);
  await field("Model").fill("openai/gpt-5-mini");
  await field("Instructions").fill("You book carriers.");
  await page.getByRole("button", { name: "Add tool" }).click();
  await page.getByLabel("Find a tool").fill("mail");
  await page.getByRole("checkbox", { name: /^mail\.send/ }).check();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByLabel("Task for the test run").fill(`Book a carrier\nmail.send {"to":"${mark}"}\n= The carrier is **booked**.`);
  await page.getByLabel("Task for the test run").press("Control+Enter");
  await page.getByRole("button", { name: /^Approve/ }).waitFor();
  await v.shot("try");
  await page.waitForTimeout(350); // what has just appeared decides nothing
  await page.getByRole("button", { name: /^Approve/ }).click();
  await page.locator(".try strong", { hasText: "booked" }).waitFor();
  equal((await api("GET", "/v1/agents?limit=100")).data.some((one) => one.name === name), false, "the test run has saved the agent");
  await save().click();
  await page.getByRole("heading", { name, level: 1 }).waitFor();
  const made = (await api("GET", "/v1/agents/" + name));
  equal([made.tools.join(), made.approval.required_for.length].join(), "mail.send,0", "what was created");

  // A gate with a condition, and the next version by key.
  await page.getByRole("switch", { name: /mail\.send/ }).check();
  await page.getByLabel("Condition of the gate on mail.send").fill("to contains");
  await says(/can't be used/);
  await page.getByLabel("Condition of the gate on mail.send").fill('to contains "@"');
  await page.getByText(/can't be used/).waitFor({ state: "detached" });
  await field("Instructions").fill("You book carriers.\nYou are brief.");
  await page.waitForFunction(() => !document.querySelector(".top .btn.primary").disabled);
  await page.keyboard.press("Control+s");
  await page.locator(".top .tag", { hasText: "v2" }).waitFor();
  equal((await api("GET", "/v1/agents/" + name)).approval.required_for[0].when, 'to contains "@"', "the gate");

  // Somebody else saves while one writes: nothing of either is lost.
  await field("Description").fill("Mine");
  await api("PATCH", "/v1/agents/" + name, { max_steps: 7 });
  await page.getByText("1 change", { exact: true }).waitFor();
  await page.waitForFunction(() => !document.querySelector(".top .btn.primary").disabled);
  await save().click();
  await says("v3 was saved while you were writing");
  v.forgive(/412/);
  await page.locator(".meanwhile", { hasText: "It changes steps." }).waitFor();
  await v.check("saved meanwhile");
  await v.shot("meanwhile");
  equal((await api("GET", "/v1/agents/" + name)).description, "", "saved over the other's change");
  equal(await field("Description").inputValue(), "Mine", "what was typed");
  await page.getByRole("button", { name: "Put mine on v3" }).click();
  await page.waitForFunction(() => /v4/.test(document.querySelector(".top .btn.primary").textContent) && !document.querySelector(".top .btn.primary").disabled);
  await save().click();
  await page.locator(".top .tag", { hasText: "v4" }).waitFor();
  const joined = await api("GET", "/v1/agents/" + name);
  equal(joined.description + joined.max_steps, "Mine7", "both changes");

  // Both change the same: one's own is saved over it when one says so, or goes.
  const theirs = (changes) => api("PATCH", "/v1/agents/" + name, changes);
  const collide = async (mine, other) => {
    await field("Description").fill(mine);
    await theirs(other);
    await page.waitForFunction(() => !document.querySelector(".top .btn.primary").disabled);
    await save().click();
    await page.locator(".meanwhile", { hasText: "You have changed description, too." }).waitFor();
    v.forgive(/412/);
  };
  await collide("Mine again", { description: "Theirs", max_steps: 6 });
  await page.getByRole("button", { name: "Save mine as v6" }).click();
  await page.locator(".top .tag", { hasText: "v6" }).waitFor();
  const over = await api("GET", "/v1/agents/" + name);
  equal(over.description + over.max_steps, "Mine again6", "saved over theirs");
  await collide("Mine once more", { description: "Theirs at last" });
  await page.getByRole("button", { name: "Take v7…" }).click();
  await page.getByRole("button", { name: "Keep my changes" }).click();
  equal(await field("Description").inputValue(), "Mine once more", "what is kept");
  await page.getByRole("button", { name: "Take v7…" }).click();
  await page.getByRole("button", { name: "Take v7", exact: true }).click();
  await page.locator(".top .tag", { hasText: "v7" }).waitFor();
  equal(await field("Description").inputValue(), "Theirs at last", "what is taken");

  // Versions: what differs, and back.
  await page.getByRole("link", { name: /^Versions/ }).click();
  await page.getByRole("button", { name: /^v2/ }).click();
  await page.locator(".d-add", { hasText: "You are brief." }).waitFor();
  await v.check("versions");
  await v.shot("versions");
  await page.getByRole("button", { name: /^v1/ }).click();
  await page.getByRole("button", { name: "Restore v1" }).click();
  await page.locator(".top .tag", { hasText: "v8" }).waitFor();
  equal((await api("GET", "/v1/agents/" + name)).instructions, "You book carriers.", "restored");

  // A version that somebody has saved since is shown, and not another in its place.
  await theirs({ description: "From elsewhere" });
  await v.to(`/agents/${made.id}?tab=versions&v=9&against=8`);
  await page.locator(".d-add", { hasText: "From elsewhere" }).waitFor();
  await page.evaluate(() => { dispatchEvent(new Event("focus")); });
  await page.getByRole("button", { name: /^v9/ }).waitFor();

  // How programs call it: with this server's address.
  await page.getByRole("tab", { name: "OpenAI" }).click();
  await page.getByRole("button", { name: "Python" }).click();
  await page.locator(".code pre", { hasText: "agent:" + name }).waitFor();
  await page.locator(".code pre", { hasText: new URL(page.url()).origin + "/v1" }).waitFor();

  // And away with it.
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete agent" }).click();
  await page.getByRole("heading", { name: "Agents", level: 1 }).waitFor();
  equal((await api("GET", "/v1/agents?limit=100")).data.some((one) => one.name === name), false, "deleted");
});
