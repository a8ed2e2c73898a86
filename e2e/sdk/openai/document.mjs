// Runs an example of the robots API's document as it stands there, to the letter.
// The host in it, your-server, is ERRAND_URL. Prints what was asked and answered.
const real = globalThis.fetch;
const seen = [];
globalThis.fetch = async (url, init) => {
  const address = String(url?.url ?? url);
  if (!address.startsWith("https://your-server/")) throw new Error(`the example asks ${address}`);
  const answer = await real(process.env.ERRAND_URL + address.slice("https://your-server".length), init);
  seen.push({ path: new URL(address).pathname, answer: answer.clone() });
  return answer;
};
await import(`./document/${process.argv[2]}.mjs`);
const told = [];
for (const { path, answer } of seen) {
  told.push({ path, status: answer.status, type: answer.headers.get("content-type"), body: await answer.text() });
}
console.log(JSON.stringify({ told }));
