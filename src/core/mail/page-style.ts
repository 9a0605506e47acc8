import type { Html } from "../../platform/html.ts"

/** The style of the pages of mail: a text, so that they need nothing but this worker. */
export const pageStyle = {
  html: `<style>
:root { color-scheme: light dark; --ground: #fdfcfa; --surface: #f4f1ec; --line: #e2ddd4; --text: #24211d; --quiet: #6b645a; --accent: #8a3b12; }
@media (prefers-color-scheme: dark) { :root { --ground: #181715; --surface: #211f1c; --line: #37332d; --text: #e9e4db; --quiet: #a39b8e; --accent: #e8a06f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 82rem; margin: 0 auto; padding: 2.5rem clamp(1rem, 4vw, 3rem) 5rem; }
main.narrow { max-width: 34rem; padding-top: 16vh; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.02em; }
h2 { font-size: 1.3rem; margin: 3rem 0 1rem; padding-top: 1rem; border-top: 1px solid var(--line); }
p { max-width: 44rem; } .quiet { color: var(--quiet); font-size: .9rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; } a { color: var(--accent); }
button { font: inherit; font-weight: 600; color: var(--ground); background: var(--accent); border: 0; border-radius: 8px; padding: .7rem 1.5rem; cursor: pointer; }
button:focus-visible, a:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.mail { border: 1px solid var(--line); border-radius: 10px; margin: 0 0 1rem; overflow: hidden; }
.mail > header, .mail > summary { background: var(--surface); padding: .6rem 1rem; display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: baseline; }
.mail > summary { cursor: pointer; }
.mail .subject { font-weight: 600; overflow-wrap: anywhere; } .tag { color: var(--quiet); font-size: .82rem; }
.sides { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); }
.sides iframe { border: 0; width: 100%; height: 34rem; background: #f4f1ec; display: block; }
.sides pre { margin: 0; padding: 1rem; border-left: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; font: .85rem/1.5 ui-monospace, Menlo, Consolas, monospace; max-height: 34rem; overflow: auto; }
@media (max-width: 50rem) { .sides { display: block; } .sides pre { border-left: 0; border-top: 1px solid var(--line); } }
</style>`,
} satisfies Html

/** The style stands in the page; nothing else may be loaded or run. */
export const pagePolicy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
