// Verifies deliveries with the library that receivers use. The argument is a file
// with a list of {secret, headers, body}; out comes "ok", or why not, for each.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const verdicts = JSON.parse(readFileSync(process.argv[2], "utf8")).map(({ secret, headers, body }) => {
  try {
    const event = new Webhook(secret).verify(body, headers);
    return event.id === headers["webhook-id"] ? "ok" : `the body has the id ${event.id}`;
  } catch (error) {
    return String(error.message);
  }
});
console.log(JSON.stringify(verdicts));
