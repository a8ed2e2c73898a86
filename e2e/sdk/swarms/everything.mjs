// The MCP server "everything" over streamable HTTP, on the port that PORT names.
process.argv[2] = "streamableHttp";
await import("../node_modules/@modelcontextprotocol/server-everything/dist/index.js");
