// Names of saved agents and of keys by their ids, which is all that lists and versions have.
import { all, may } from "./api.js";
import { signal } from "./html.js";

/**
 * Names by id, read as a whole when the first one is asked for that is not known.
 * @param {string} path @param {string} scope without which nothing is asked
 */
function register(path, scope) {
  /** @type {import("../vendor/signals.js").Signal<Map<string, string>>} */
  const names = signal(new Map());
  let asked = new Set(), reading = false;
  const read = async () => {
    if (reading) return;
    reading = true;
    try {
      names.value = new Map((await all(path)).map((one) => [one.id, one.name]));
    } catch {
      asked = new Set(); // the next one asks again
    }
    reading = false;
  };
  return (/** @type {string|null} */ id) => {
    if (!id) return "";
    const name = names.value.get(id);
    if (name === undefined && !asked.has(id) && may(scope)) {
      asked.add(id);
      read();
    }
    return name || "";
  };
}

/** The agent's name as far as it is known; asks once for one that is not. */
export const agentName = register("/v1/agents", "agents:read");

/** The same for a key. */
const namedKey = register("/v1/keys", "keys:write");

/** Who that was, as far as it can be told: a key's name, or its id. @param {string|null} id */
export const keyName = (id) => namedKey(id) || id || "nobody known";

/**
 * Whose run it is: the agent's name, the robot's id, or "" for that of a model alone.
 * @param {string|null} id a run's agent
 */
export const whose = (id) => agentName(id) || (id?.startsWith("robot/") ? id.slice("robot/".length) : "");
