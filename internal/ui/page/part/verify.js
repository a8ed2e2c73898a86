// How a receiver checks that a delivery is this server's: the libraries of Standard
// Webhooks take the secret as it is.
import { html } from "../lib/html.js";
import { Snippets } from "../lib/snippet.js";

const typescript = `import { Webhook } from "standardwebhooks"; // npm install standardwebhooks

const hook = new Webhook(process.env.ERRAND_WEBHOOK_SECRET);
app.post("/hooks/errand", express.raw({ type: "*/*" }), (request, response) => {
  const event = hook.verify(request.body, request.headers); // throws if it is not ours, or is older than five minutes
  console.log(event.type, event.data.object.id);
  response.sendStatus(204);
});`;

const python = `from standardwebhooks.webhooks import Webhook  # pip install standardwebhooks

hook = Webhook(os.environ["ERRAND_WEBHOOK_SECRET"])

@app.post("/hooks/errand")
def told():
    event = hook.verify(request.get_data(), request.headers)  # raises if it is not ours
    print(event["type"], event["data"]["object"]["id"])
    return "", 204`;

const golang = `import standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

hook, err := standardwebhooks.NewWebhook(os.Getenv("ERRAND_WEBHOOK_SECRET"))
// in the handler:
body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
if err != nil || hook.Verify(body, r.Header) != nil {
	http.Error(w, "not signed by our server", http.StatusUnauthorized)
	return
}
w.WriteHeader(http.StatusNoContent)`;

const shell = `# Mynd-Signature: t=SECONDS,v1=HEX, over SECONDS.BODY under the whole secret
printf '%s.%s' "$seconds" "$body" |
  openssl dgst -sha256 -hmac "$ERRAND_WEBHOOK_SECRET" # has to be HEX`;

export const Verification = () => html`<${Snippets} request=${{ method: "", path: "" }} all=${[
  { name: "TypeScript", text: typescript }, { name: "Python", text: python }, { name: "Go", text: golang }, { name: "openssl", text: shell }]} />`;
