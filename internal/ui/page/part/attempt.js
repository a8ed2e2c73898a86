// Changing something on the server: one attempt at a time, with what is wrong field by
// field, and short words about what was done.
import { useEffect, useState } from "../lib/html.js";
import { toast } from "../lib/announce.js";

/**
 * @typedef {{busy: string, error: any, wrong: (field: string) => string|undefined, stray: (shown: string[]) => boolean,
 *   attempt: <T>(act: () => Promise<T>, name?: string) => Promise<T|undefined>}} Attempt
 *   busy: the name of what is under way; wrong: what the server says of a field or of something in it; stray: whether
 *   it says something that stands at none of the fields shown
 */

/**
 * What is wrong, by field. A conflict names its field in its words alone.
 * @param {any} error @returns {Record<string, string>}
 */
function fieldsOf(error) {
  const named = error?.status === 409 && /^([a-z_]+): (.+)$/s.exec(error.message);
  return named ? { [named[1]]: named[2] } : error?.fields || {};
}

/** @returns {Attempt} */
export function useAttempt() {
  const [busy, setBusy] = useState(""), [error, setError] = useState(/** @type {any} */ (null));
  const within = (/** @type {string} */ path, /** @type {string} */ field) => path === field || path.startsWith(field + "[") || path.startsWith(field + ".");
  const fields = fieldsOf(error), paths = Object.keys(fields);
  useEffect(() => { // what is wrong may stand where one does not look
    if (error) /** @type {HTMLElement|null} */ (document.querySelector('dialog:modal [aria-invalid="true"]'))?.focus();
    if (error && !paths.length) document.querySelector("dialog:modal .trouble")?.scrollIntoView({ block: "nearest" });
  }, [error]);
  return {
    busy, error,
    wrong: (field) => fields[paths.find((path) => within(path, field)) ?? ""],
    stray: (shown) => !!error && (!paths.length || paths.some((path) => !shown.some((field) => within(path, field)))),
    attempt: async (act, name = "it") => {
      setBusy(name);
      setError(null);
      try {
        return await act();
      } catch (fault) {
        setError(fault);
        return undefined;
      } finally {
        setBusy("");
      }
    },
  };
}

/**
 * Does something from a row, where there is no place for a note: a toast says how it went.
 * @param {() => Promise<any>} act @param {string} said @param {string} failed
 * @returns {Promise<boolean>} whether it was done
 */
export async function does(act, said, failed) {
  try {
    await act();
    toast(said);
    return true;
  } catch (error) {
    toast(failed, { s: "failed", detail: /** @type {Error} */ (error).message });
    return false;
  }
}
