// The parts of a robot's configuration, in the order in which one thinks of them.
import { html } from "../lib/html.js";
import { Amount, Area, Items, Json, Line, Lines, Part, Pick, Some, Yes, FormOf, useForm } from "./robotform.js";
import { at } from "./robotdraft.js";

/** @typedef {{agents: any[], servers: any[], tools: any[], models: any[]}|undefined} Choices */

export const Identity = () => html`<${Part} id="identity" title="Identity" note="What it is told of itself, and what others see.">
  <div class="two"><${Line} path="display_name" label="Name" maxlength="128" /><${Line} path="robot_config.default_locale" label="Language of its host" placeholder="en" hint="Where a message does not show one." /></div>
  <${Area} path="bio" label="Description" rows=${2} />
  <${Area} path="robot_config.identity.role" label="What it is" rows=${3} hint="Its instructions begin with this." />
  <div class="two"><${Lines} path="robot_config.identity.duties" label="Duties" hint="One a line: its goals when the clock starts it." /><${Lines} path="robot_config.identity.rules" label="Rules" hint="One a line: what it always holds to." /></div>
  <${Area} path="system_prompt" label="Further instructions" rows=${4} />
  <div class="two"><${Line} path="manager_id" label="Reports to" hint="Its host knows whom." /><${Line} path="role_id" label="Role label" hint="For people. What it may do is its key’s matter." /></div>
  <div class="two"><${Pick} path="status" label="Status" options=${[{ value: "active", text: "Active" }, { value: "inactive", text: "Inactive" }, { value: "pending", text: "Pending" }, { value: "suspended", text: "Suspended" }]} hint="Only an active one can be started." />
    <${Pick} path="robot_status" label="Hold" options=${[{ value: "idle", text: "None" }, { value: "paused", text: "Paused" }, { value: "maintenance", text: "In maintenance" }]} hint="While it is held it starts nothing." /></div>
  <${Line} path="avatar" label="Picture" hint="An address or a small data: URL, for other programs: this page loads no pictures from elsewhere." /><//>`;

const phases = [["host", "Conversation"], ["inspiration", "Inspiration"], ["goals", "Goals"], ["tasks", "Planning"], ["run", "Work"], ["delivery", "Delivery"], ["learning", "Learning"]];

/** @param {{choices: Choices}} props */
export function Powers({ choices }) {
  const agents = (choices?.agents || []).map((one) => ({ value: one.name, text: one.name })), own = (choices?.tools || []).filter((one) => !one.name.startsWith("agent."));
  const families = [...new Set(own.filter((one) => one.origin !== "mcp" && one.name.includes(".")).map((one) => one.name.split(".")[0]))], servers = (choices?.servers || []).map((one) => one.name || one.id);
  return html`<${Part} id="powers" title="Model and tools" note="What it thinks with, what it may use, and whom it may hand tasks to.">
    <${Line} path="language_model" label="Model" list="robot-models" placeholder="default" class="in narrow" /><datalist id="robot-models">${(choices?.models || []).map((one) => html`<option key=${one.id} value=${one.id} />`)}</datalist>
    <${Some} path="agents" label="Agents that tasks may go to" options=${agents} hint="Each works with its own model, tools, gates and limits." none="There are no saved agents." />
    <${Some} path="mcp_servers" label="Servers and families of tools" options=${[...servers.map((one) => ({ value: one, text: html`${one} <span class="faint">MCP</span>` })), ...families.map((one) => ({ value: one, text: html`<code>${one}.*</code>` }))]} none="There are no MCP servers." />
    <${Some} path="robot_config.resources.tools" label="Single tools" options=${own.filter((one) => one.origin !== "mcp").map((one) => ({ value: one.name, text: html`<code>${one.name}</code>` }))} none="There are no tools." />
    <fieldset class="some"><legend class="label">Agents for phases</legend><p class="small faint">The agent’s instructions hold in the phase, and its tools are there, under its gates.</p><div class="three">${phases.map(([name, text]) => html`<${Pick} key=${name} path=${"robot_config.resources.phases." + name} label=${text} options=${[{ value: "", text: "the robot itself" }, ...agents]} />`)}</div></fieldset>
    <div class="field"><span class="label">Some tools of an MCP server</span></div>
    <${Items} path="robot_config.resources.mcp" noun="server" make=${() => ({ id: "", tools: [] })}>${(/** @type {string} */ path) => html`<${Line} path=${path + ".id"} label="Server" /><${Lines} path=${path + ".tools"} label="Tools" hint="One a line; none: all of them." />`}<//>
    <${Lines} path="robot_config.resources.agents" label="More agents, by id or name" hint="As the list above; one a line." /><//>`;
}

const actions = ["task.add", "task.cancel", "task.update", "goal.add", "goal.adjust", "goal.complete", "goal.cancel", "instruct"];

export function Triggers() {
  const form = useForm(), people = at(form.draft, "robot_config.triggers.intervene");
  const narrowed = { ...form, set: (/** @type {string} */ _, /** @type {string[]} */ list) => form.set("robot_config.triggers.intervene", { enabled: true, actions: list }) }; // a switch that is named says whether it is on
  return html`<${Part} id="triggers" title="Triggers" note="What may start it. One that is not named is on.">
    <${Yes} path="robot_config.triggers.clock.enabled" usual label="Its clock" />
    <${Yes} path="robot_config.triggers.event.enabled" usual label="Events" />
    <${Yes} path="robot_config.triggers.intervene.enabled" usual label="People: talks, tasks, requests of programs" />
    ${people?.enabled !== false && html`<${FormOf} value=${narrowed}><${Some} path="robot_config.triggers.intervene.actions" label="What people may ask for" hint="None chosen: anything." options=${actions.map((value) => ({ value, text: html`<code>${value}</code>` }))} /><//>`}<//>`;
}

/** @param {{choices: Choices}} props */
export const Bounds = ({ choices }) => html`<${Part} id="bounds" title="Approval and limits" note="When a person is asked, and how much it may use.">
  <${Lines} path="robot_config.approval.required_for" label="Tools that need a person" hint=${`One a line, patterns too: email.*, payments.transfer.${choices ? ` There are ${choices.tools.length} tools.` : ""}`} code />
  <${Line} path="robot_config.approval.timeout" label="An approval expires after" placeholder="never" class="in narrow" />
  <div class="three"><${Amount} path="robot_config.quota.max" label="At work at once" placeholder="2" min="1" max="1000" /><${Amount} path="robot_config.quota.queue" label="May wait" placeholder="10" min="1" max="1000" /><${Amount} path="robot_config.quota.priority" label="Priority, 1 to 10" placeholder="5" min="1" max="10" /></div>
  <div class="three"><${Amount} path="cost_limit" label="US dollars a month" placeholder="no limit" min="0" step="any" /><${Line} path="robot_config.executor.max_duration" label="Works for at most" placeholder="30m" /><${Pick} path="robot_config.executor.mode" label="Mode" options=${[{ value: "", text: "Plans and works" }, { value: "standard", text: "Plans and works (standard)" }, { value: "dryrun", text: "Plans alone (dry run)" }]} /></div><//>`;

export function Learning() {
  const form = useForm(), on = at(form.draft, "robot_config.learn.on");
  return html`<${Part} id="learning" title="Learning" note="What later executions are told of earlier ones: the latest twelve notes.">
    <${Yes} path="robot_config.learn.on" label="It keeps what it has learnt" />
    ${on && html`<${Some} path="robot_config.learn.types" label="What is kept" hint="None chosen: all of it." options=${[{ value: "execution", text: "What each execution came to" }, { value: "feedback", text: "What people said meanwhile" }, { value: "insight", text: "What it found worth knowing" }]} />
      <${Amount} path="robot_config.learn.keep" label="For so many days" placeholder="90" min="1" max="3650" class="in narrow" />`}<//>`;
}

export const Deliveries = () => html`<${Part} id="delivery" title="Delivery" note="Who gets what an execution hands in. Each target stands for itself.">
  <${Yes} path="robot_config.delivery.email.enabled" label="By e-mail" />
  <${Items} path="robot_config.delivery.email.targets" noun="mail" make=${() => ({ to: [], subject: "" })}>${(/** @type {string} */ path) => html`<${Lines} path=${path + ".to"} label="To" hint="One address a line." /><${Line} path=${path + ".subject"} label="Subject" placeholder="the execution’s name" />`}<//>
  <${Yes} path="robot_config.delivery.webhook.enabled" label="By webhook" />
  <${Items} path="robot_config.delivery.webhook.targets" noun="webhook" make=${() => ({ url: "" })}>${(/** @type {string} */ path) => html`<${Line} path=${path + ".url"} label="URL" type="url" /><${Line} path=${path + ".secret"} label="Secret" type="password" autocomplete="off" placeholder="the one that it has, or the robot’s" hint="Signs each delivery. It is taken and never shown." /><${Json} path=${path + ".headers"} label="Headers" rows=${2} hint=${'{"X-Team": "purchasing"}, none that carry credentials'} />`}<//>
  <${Yes} path="robot_config.delivery.file.enabled" label="As a file of the project" />
  <${Items} path="robot_config.delivery.file.targets" noun="file" make=${() => ({ name: "" })}>${(/** @type {string} */ path) => html`<${Line} path=${path + ".name"} label="Name" placeholder="after the execution’s name" />`}<//><//>`;
