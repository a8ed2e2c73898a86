// Where this page lives: worked out from the module's own address, so that it holds
// under any base path. Assets lie in <base>/ui/at/<digest>/, pages in <base>/ui/.

const here = new URL(import.meta.url);

/** The path below which assets lie, with a slash at its end. */
export const assets = new URL("../", here).pathname;

const cut = here.pathname.lastIndexOf("/ui/at/");

/** The server's base path, without a slash at its end: "" or "/errand". */
export const base = cut < 0 ? "" : here.pathname.slice(0, cut);

/** The server's own address, as a client on another machine would write it. */
export const server = here.origin + base;

/**
 * The address of a page of this program: href("/runs/run_1") is "/errand/ui/runs/run_1".
 * @param {string} path
 */
export function href(path) {
  return base + "/ui" + path;
}
