// The door: a key, or the link that `errand serve` prints.
import { html, signal, useEffect, useRef, useState } from "../lib/html.js";
import { Fault, sessionEnded } from "../lib/api.js";
import { signIn } from "../lib/session.js";
import { Button, TextField } from "../lib/field.js";
import { Trouble } from "../lib/fault.js";

/** Why one is here, if it went wrong. */
export const signInError = signal(/** @type {any} */ (null));

// The server speaks to programs; a person has pasted something.
/** @param {any} error */
function said(error) {
  if (!(error instanceof Fault) || error.status !== 401) return error;
  return new Fault(401, { message: "This key, or this link, is not valid here. It may be mistyped, used up, revoked or expired.", request_id: error.requestID });
}

export function SignIn() {
  const [key, setKey] = useState(""), [busy, setBusy] = useState(false), form = useRef(/** @type {HTMLFormElement|null} */ (null));
  useEffect(() => { form.current?.querySelector("input")?.focus(); }, []);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!key.trim() || busy) return;
    setBusy(true);
    try {
      await signIn({ key: key.trim() });
      signInError.value = null;
    } catch (error) {
      signInError.value = error;
    }
    setBusy(false);
  };
  return html`<main class="door" id="main">
    <div class="brand"><svg viewBox="0 0 22 22" aria-hidden="true"><use href="#mark" /></svg>Errand</div>
    <form class="stack" ref=${form} onSubmit=${submit} autocomplete="off">
      <h1>Sign in with a key</h1>
      ${sessionEnded.value && html`<p class="note-box" role="status">Your session has ended: it expired, or its key did or was revoked. After signing in you are back on this page.</p>`}
      <${TextField} label="Key" type="password" value=${key} onInput=${setKey} spellcheck=${false} autocomplete="off" required hint="This browser keeps a cookie that no script can read, not the key." />
      ${signInError.value && html`<${Trouble} error=${said(signInError.value)} />`}
      <${Button} type="submit" kind="primary" busy=${busy}>Sign in<//>
      <p class="small dim"><code>errand serve</code> prints a link that signs in once, and <code>errand keys create</code> makes a key.</p>
    </form>
  </main>`;
}
