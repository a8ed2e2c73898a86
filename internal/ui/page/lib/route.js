// From an address to a page. The address holds what one looks at: page, tab, filter,
// drawer, selection. Pages are loaded when they are first wanted.
import { assets, href } from "./root.js";
import { effect, signal } from "./html.js";

/**
 * @typedef {{path: string, page: string, nav: string, title: string}} Route  page: the module pages/<page>.js and
 *   css/<page>.css; nav: which entry of the rail is current
 */

/** @type {Route[]} */
export const routes = [
  { path: "/", page: "home", nav: "home", title: "Home" },
  { path: "/approvals", page: "approvals", nav: "approvals", title: "Approvals" },
  { path: "/approvals/:run/:action", page: "approvals", nav: "approvals", title: "Approvals" },
  { path: "/runs", page: "runs", nav: "runs", title: "Runs" },
  { path: "/runs/:id", page: "run", nav: "runs", title: "Run" },
  { path: "/compare", page: "compare", nav: "runs", title: "Compare runs" },
  { path: "/agents", page: "agents", nav: "agents", title: "Agents" },
  { path: "/agents/:id", page: "agents", nav: "agents", title: "Agents" },
  { path: "/robots", page: "robots", nav: "robots", title: "Robots" },
  { path: "/robots/:id", page: "robot", nav: "robots", title: "Robot" },
  { path: "/playground", page: "playground", nav: "playground", title: "Playground" },
  { path: "/workflows", page: "workflows", nav: "playground", title: "Workflows" },
  { path: "/workflows/:id", page: "workflows", nav: "playground", title: "Workflows" },
  { path: "/tools", page: "tools", nav: "tools", title: "Tools" },
  { path: "/tools/:name", page: "tools", nav: "tools", title: "Tools" },
  { path: "/webhooks", page: "webhooks", nav: "tools", title: "Webhooks" },
  { path: "/schedules", page: "schedules", nav: "tools", title: "Schedules" },
  { path: "/index", page: "index", nav: "tools", title: "Search index" },
  { path: "/settings", page: "settings", nav: "settings", title: "Settings" },
  { path: "/settings/:section", page: "settings", nav: "settings", title: "Settings" },
];

/** @type {Route} */
const nowhere = { path: "", page: "nowhere", nav: "", title: "Nothing here" };

/**
 * @typedef {{path: string, query: URLSearchParams, params: Record<string, string>, route: Route, scroll?: number}} Place
 *   scroll: one comes back to here, and had scrolled so far
 * @returns {Place}
 */
function read() {
  const top = href("");
  const path = location.pathname.startsWith(top + "/") ? location.pathname.slice(top.length) : "/";
  const tidy = path.length > 1 ? path.replace(/\/+$/, "") : path;
  for (const route of routes) {
    const params = match(route.path, tidy);
    if (params) return { path: tidy, query: new URLSearchParams(location.search), params, route };
  }
  return { path: tidy, query: new URLSearchParams(location.search), params: {}, route: nowhere };
}

/**
 * @param {string} pattern @param {string} path
 * @returns {Record<string, string>|null}
 */
function match(pattern, path) {
  const want = pattern.split("/"), have = path.split("/");
  if (want.length !== have.length) return null;
  /** @type {Record<string, string>} */
  const params = {};
  for (let i = 0; i < want.length; i++) {
    if (want[i].startsWith(":") && have[i]) {
      try {
        params[want[i].slice(1)] = decodeURIComponent(have[i]);
      } catch {
        return null;
      }
    } else if (want[i] !== have[i]) return null;
  }
  return params;
}

/** Where one is. */
export const place = signal(read());

/** What the bar says: the way here; the last one is the current one. */
export const crumbs = signal(/** @type {{text: string, path?: string}[]} */ ([]));

addEventListener("popstate", () => { place.value = { ...read(), scroll: history.state?.scroll || 0 }; });

/**
 * Goes to a page: go("/runs/run_1"), go("/runs?status=failed").
 * @param {string} to
 * @param {{replace?: boolean}} [how]
 */
export function go(to, how = {}) {
  const before = place.peek().path;
  if (how.replace) history.replaceState(null, "", href(to));
  else {
    history.replaceState({ scroll: scrollY }, ""); // for whoever comes back
    history.pushState(null, "", href(to));
  }
  place.value = read();
  if (place.peek().path !== before) scrollTo(0, 0);
}

/**
 * Changes words of the query: setQuery({tab: "raw", drawer: null}). A filter that is
 * typed replaces; what one would want to come back from pushes.
 * @param {Record<string, string|number|null|undefined>} words null and "" take a word out
 * @param {{push?: boolean}} [how]
 */
export function setQuery(words, how = {}) {
  const query = new URLSearchParams(place.peek().query);
  for (const [name, value] of Object.entries(words)) {
    if (value === null || value === undefined || value === "") query.delete(name);
    else query.set(name, String(value));
  }
  const text = query.toString();
  if (text === place.peek().query.toString()) return;
  go(place.peek().path + (text ? "?" + text : ""), { replace: !how.push });
}

/** Follows links of this page without loading it anew. */
export function follow() {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = /** @type {Element} */ (event.target).closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute("download")) return;
    const to = new URL(link.href);
    if (to.origin !== location.origin || !to.pathname.startsWith(href("/"))) return;
    if (to.hash && to.pathname === location.pathname && to.search === location.search) return;
    event.preventDefault();
    go(to.pathname.slice(href("").length) + to.search);
  });
  document.addEventListener("pointerover", (event) => { // what is pointed at is soon wanted
    const link = /** @type {Element} */ (event.target).closest?.("a.nav[href]");
    if (!(link instanceof HTMLAnchorElement)) return;
    const path = new URL(link.href).pathname.slice(href("").length);
    const route = routes.find((one) => match(one.path, path));
    if (route) load(route.page).catch(() => {}); // said when it is opened
  });
}

/** @typedef {{default: (props: {params: Record<string, string>, query: URLSearchParams}) => any, full?: boolean}} Page */

/** @type {Map<string, Promise<Page>>} */
const loaded = new Map();

/**
 * Loads a page and its style, once.
 * @param {string} name
 * @returns {Promise<Page>}
 */
export function load(name) {
  let page = loaded.get(name);
  if (!page) {
    page = Promise.all([import(`../pages/${name}.js`), style(name)]).then(([module]) => module);
    page.catch(() => loaded.delete(name)); // so that it can be tried again
    loaded.set(name, page);
  }
  return page;
}

/**
 * Loads css/<name>.css and waits for it, so that nothing is painted without it.
 * @param {string} name
 * @returns {Promise<void>}
 */
export function style(name) {
  const address = name.includes("/") ? assets + name : `${assets}css/${name}.css`;
  if (document.querySelector(`link[href="${address}"]`)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: address });
    link.onload = () => resolve();
    link.onerror = () => { link.remove(); reject(new Error("A style of this page could not be loaded.")); };
    document.head.append(link);
  });
}

/** How many wait for a person, for the title of the tab. */
export const waiting = signal(0);

effect(() => {
  const last = crumbs.value.at(-1);
  document.title = (waiting.value ? `(${waiting.value}) ` : "") + (last ? last.text : place.value.route.title) + " · Errand";
});
