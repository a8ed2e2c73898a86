// The shell: rail, bar, tabs on a phone, and the page that the address names.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { get, session } from "../lib/api.js";
import { base, href } from "../lib/root.js";
import { crumbs, go, load, place } from "../lib/route.js";
import { Icon } from "../lib/glyph.js";
import { Key, useKeys } from "../lib/keys.js";
import { heardAt, link, reconnect, retryAt, useReturn } from "../lib/live.js";
import { Ago, now } from "../lib/time.js";
import { inboxCount } from "../lib/inbox.js";
import { dark, toggleTheme } from "../lib/theme.js";
import { Announcer, announce } from "../lib/announce.js";
import { Guard, Trouble } from "../lib/fault.js";
import { signOut } from "../lib/session.js";
import { Drawer } from "../lib/dialog.js";
import { entries } from "./entries.js";
import { Palette, finding } from "./palette.js";
import { KeysHelp, helping } from "./keyhelp.js";

export function Shell() {
  useKeys([
    { keys: "mod+k", does: "Find or do anything", where: "Everywhere", run: () => { finding.value = true; } },
    { keys: "?", does: "Keys", where: "Everywhere", run: () => { helping.value = true; } },
    ...entries.map((one) => ({ keys: "g " + one.key, does: one.text, where: "Go to", run: () => go(one.path) })),
    { keys: "n", does: "New run", where: "Everywhere", run: () => go("/playground") },
  ]);
  const n = inboxCount.value, before = useRef(n);
  useEffect(() => {
    if (n > before.current) announce(n === 1 ? "1 waits for you" : n + " wait for you");
    before.current = n;
  }, [n]);
  return html`
    <a class="skip" href="#main">Skip to content</a>
    <div class="shell">
      <${Rail} />
      <div class="page"><${Bar} /><${Outlet} /></div>
    </div>
    <${Tabs} />
    <${Palette} /><${KeysHelp} /><${Announcer} href=${href} />`;
}

/** @param {{one: import("./entries.js").Entry}} props */
function NavLink({ one }) {
  const here = place.value.route.nav === one.name, n = inboxCount.value;
  return html`<a class="nav" href=${href(one.path)} aria-current=${here ? "page" : undefined}><${Icon} name=${one.icon} />${one.text}
    ${one.name === "approvals" && n > 0 && html`<span class="count you" title=${n === 1 ? "1 waits for you" : n + " wait for you"}>${n}</span>`}</a>`;
}

function Rail() {
  return html`<nav class="rail" aria-label="Main">
    <a class="brand" href=${href("/")}><svg viewBox="0 0 22 22" aria-hidden="true"><use href="#mark" /></svg>Errand</a>
    ${entries.slice(0, 6).map((one) => html`<${NavLink} key=${one.name} one=${one} />`)}
    <div class="sep" role="presentation" />
    ${entries.slice(6).map((one) => html`<${NavLink} key=${one.name} one=${one} />`)}
    <div class="foot"><${LinkState} /><${Version} /></div>
  </nav>`;
}

// Is what one sees now what is so?
function LinkState() {
  if (link.value === "live") return html`<span class="live" title="The stream is open: what changes shows at once">Live</span>`;
  if (link.value !== "lost") return html`<span class="live off">${link.value === "off" ? "No stream: the key lacks runs:read" : "Connecting"}</span>`;
  const left = Math.max(0, Math.ceil((retryAt.value - now.value) / 1000));
  return html`<button class="live off plain" type="button" title="Try again now" onClick=${reconnect}>Not connected, ${left ? `retrying in ${left} s` : "retrying"}</button>
    ${heardAt.value > 0 && html`<span>This is how it was <${Ago} at=${heardAt.value} /> ago</span>`}`;
}

function Version() {
  const [version, set] = useState("");
  useEffect(() => { get("/", { headers: { Accept: "application/json" } }).then((said) => set(said.version), () => {}); }, []);
  return html`<span class="cut" title=${location.host + base}>errand ${version === "(devel)" ? "" : version} · ${location.host}</span>`;
}

function Bar() {
  const way = crumbs.value.length ? crumbs.value : [{ text: place.value.route.title }];
  return html`<header class="bar">
    <ol class="crumbs" aria-label="Where you are">${way.map((one, i) => html`<li key=${i}>${i === way.length - 1
      ? html`<span class="cut" aria-current="page">${one.text}</span>` : one.path ? html`<a href=${href(one.path)}>${one.text}</a>` : one.text}</li>`)}</ol>
    <span class="push" />
    ${link.value === "lost" && html`<span class="live off phone">Not connected</span>`}
    <button class="jump" type="button" onClick=${() => { finding.value = true; }}><${Icon} name="search" /><span class="grow">Find or do…</span><${Key} k="mod+k" /></button>
    <button class="btn icon quiet phone" type="button" aria-label="Find or do" onClick=${() => { finding.value = true; }}><${Icon} name="search" /></button>
    <button class="btn icon quiet" type="button" aria-label="Dark theme" aria-pressed=${String(dark.value)} title="Switch between light and dark" onClick=${toggleTheme}><${Icon} name="sun" /></button>
    <${Who} />
  </header>`;
}

function Who() {
  const who = session.value;
  if (!who) return null;
  return html`<button class="btn icon quiet" type="button" popovertarget="who" aria-label="Your session" title=${"Signed in as " + who.key.name}><${Icon} name="user" /></button>
    <div id="who" popover class="pop">
      <dl class="kv"><dt>Key</dt><dd>${who.key.name}</dd><dt>Project</dt><dd>${who.project}</dd><dt>Scopes</dt><dd>${who.scopes.join(", ")}</dd></dl>
      <button class="btn" type="button" onClick=${signOut}><${Icon} name="out" />Sign out</button>
    </div>`;
}

function Tabs() {
  const [more, setMore] = useState(false), here = place.value.route.nav, n = inboxCount.value;
  useEffect(() => setMore(false), [place.value.path]);
  const tabs = entries.filter((one) => ["home", "approvals", "runs", "robots"].includes(one.name));
  const rest = entries.filter((one) => !tabs.includes(one));
  return html`<nav class="tabbar" aria-label="Main, small screen">
      ${tabs.map((one) => html`<a key=${one.name} href=${href(one.path)} aria-current=${here === one.name ? "page" : undefined}><${Icon} name=${one.icon} />${one.text}
        ${one.name === "approvals" && n > 0 && html`<span class="count you">${n}</span>`}</a>`)}
      <button type="button" class="plain" aria-current=${rest.some((one) => one.name === here) ? "page" : undefined} onClick=${() => setMore(true)}><${Icon} name="menu" />More</button>
    </nav>
    ${more && html`<${Drawer} title="More" onClose=${() => setMore(false)}>
      <nav class="more" aria-label="More pages">${rest.map((one) => html`<${NavLink} key=${one.name} one=${one} />`)}</nav>
      <div class="stack more-foot"><${LinkState} /><${Version} /></div>
    <//>`}`;
}

// Why a page does not come, as far as one can tell from here: a browser says little of it.
const away = "The server does not answer. The page comes by itself as soon as it is back.", changed = "If the server has just been updated, load it again.";

// The page of the address. The one before stays until it is loaded.
function Outlet() {
  const at = place.value, name = at.route.page, main = useRef(/** @type {HTMLElement|null} */ (null));
  const [shown, show] = useState(/** @type {{name: string, module: import("../lib/route.js").Page}|null} */ (null));
  const [error, fail] = useState(/** @type {any} */ (null)), [tries, retry] = useState(0), before = useRef(name);
  const last = useRef(/** @type {Record<string, import("../lib/route.js").Place>} */ ({})); // where one was on each page
  useEffect(() => {
    let gone = false;
    fail(null);
    load(name).then((module) => {
      if (gone) return;
      if (before.current !== name) {
        crumbs.value = [];
        main.current?.focus({ preventScroll: true });
      }
      before.current = name;
      show({ name, module });
    }, (reason) => { if (!gone) fail(reason); });
    return () => { gone = true; };
  }, [name, tries]);
  useReturn(!!error, () => retry(tries + 1)); // the server was away, and what it did not give it gives now
  last.current[name] = at;
  const { params, query } = last.current[shown?.name || name]; // one may be on the way to the next already
  const kind = shown && !error ? `main p-${shown.name}${shown.module.full ? " full" : ""}` : "main";
  return html`<main class=${kind} id="main" tabindex="-1" ref=${main}>
    ${error ? html`<${Trouble} error=${link.value === "lost" ? away : `${changed} ${error.message || error}`} what="This page could not be loaded." retry=${() => { retry(tries + 1); location.reload(); }} />`
      : shown && html`<${Guard} key=${shown.name}><${shown.module.default} params=${params} query=${query} /><//>`}
  </main>`;
}
