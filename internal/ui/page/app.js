// Start: who one is, then the shell with the page of the address in it.
import { effect, html, render, useEffect } from "./lib/html.js";
import { session } from "./lib/api.js";
import { signIn, tokenOfLink, whoami } from "./lib/session.js";
import { follow, load, place } from "./lib/route.js";
import { start, stop } from "./lib/live.js";
import { watchInbox } from "./lib/inbox.js";
import { Shell } from "./part/shell.js";
import { SignIn, signInError } from "./part/signin.js";

function App() {
  const who = session.value;
  useEffect(() => {
    if (!who) return;
    start();
    const end = watchInbox();
    return () => {
      end();
      stop();
    };
  }, [who && who.id]);
  return who ? html`<${Shell} />` : html`<${SignIn} />`;
}

effect(() => { // for the next first paint
  if (session.value) localStorage.setItem("errand.in", "1");
  else if (session.value === false) localStorage.removeItem("errand.in");
});
follow();
load(place.peek().route.page).catch(() => {}); // said when it is shown

const token = tokenOfLink();
try {
  await (token ? signIn({ link: token }) : whoami());
} catch (error) {
  signInError.value = error;
  session.value = false;
}
const app = /** @type {HTMLElement} */ (document.getElementById("app"));
app.replaceChildren();
render(html`<${App} />`, app);
