// What the rail offers, in its order, with the key behind G.

/** @typedef {{name: string, path: string, text: string, icon: string, key: string}} Entry */

/** @type {Entry[]} */
export const entries = [
  { name: "home", path: "/", text: "Home", icon: "home", key: "h" },
  { name: "approvals", path: "/approvals", text: "Approvals", icon: "inbox", key: "a" },
  { name: "runs", path: "/runs", text: "Runs", icon: "runs", key: "r" },
  { name: "agents", path: "/agents", text: "Agents", icon: "agents", key: "g" },
  { name: "robots", path: "/robots", text: "Robots", icon: "robots", key: "b" },
  { name: "playground", path: "/playground", text: "Playground", icon: "play", key: "p" },
  { name: "tools", path: "/tools", text: "Tools", icon: "tools", key: "t" },
  { name: "settings", path: "/settings", text: "Settings", icon: "gear", key: "s" },
];
