// Names of saved agents by their ids, which is all that a list of runs has.
import { all, may } from "./api.js";
import { signal } from "./html.js";

/** @type {import("../vendor/signals.js").Signal<Map<string, string>>} */
const names = signal(new Map());
let asked = new Set();
let reading = false;

/**
 * The agent's name as far as it is known; asks once for one that is not.
 * @param {string|null} id
 * @returns {string}
 */
export function agentName(id) {
  if (!id) return "";
  const name = names.value.get(id);
  if (name === undefined && !asked.has(id) && may("agents:read")) {
    asked.add(id);
    read();
  }
  return name || "";
}

/**
 * Whose run it is: the agent's name, the robot's id, or "" for that of a model alone.
 * @param {string|null} id a run's agent
 */
export const whose = (id) => agentName(id) || (id?.startsWith("robot/") ? id.slice("robot/".length) : "");

async function read() {
  if (reading) return;
  reading = true;
  try {
    const found = await all("/v1/agents");
    names.value = new Map(found.map((one) => [one.id, one.name]));
  } catch {
    asked = new Set(); // the next one asks again
  }
  reading = false;
}
