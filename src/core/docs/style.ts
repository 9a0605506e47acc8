/** The style of the readable reference. A text, so that the page needs nothing but this worker. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #fdfcfa; --surface: #f4f1ec; --line: #e2ddd4; --text: #24211d; --quiet: #6b645a;
  --accent: #8a3b12; --code: #efebe4;
  --get: #1f6f43; --post: #8a5a00; --put: #1c5d99; --patch: #6a3fa0; --delete: #a8262d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #181715; --surface: #211f1c; --line: #37332d; --text: #e9e4db; --quiet: #a39b8e;
    --accent: #e8a06f; --code: #2a2723;
    --get: #6cc495; --post: #e0b055; --put: #79b8f0; --patch: #bd9bea; --delete: #f0898d;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1.5rem; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  display: grid; grid-template-columns: 18rem minmax(0, 1fr);
}
a { color: var(--accent); text-underline-offset: .15em; }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--ground); padding: .5rem 1rem; z-index: 1; }

nav {
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 2rem 1rem 3rem 1.5rem;
  background: var(--surface); border-right: 1px solid var(--line); font-size: .9rem;
}
nav .title { margin: 0 0 1rem; font-weight: 650; font-size: 1.1rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav > ul > li { margin-top: .35rem; }
nav ul ul { padding-left: .75rem; }
nav a { color: inherit; text-decoration: none; display: block; padding: .1rem .25rem; border-radius: 4px; overflow-wrap: anywhere; }
nav a:hover { background: var(--line); }
nav ul ul ul, nav > ul > li > ul:not(.groups) { font-size: .82rem; color: var(--quiet); }

main { padding: 3rem clamp(1rem, 4vw, 4rem) 6rem; max-width: 66rem; }
h1 { font-size: 2.4rem; line-height: 1.15; margin: 0 0 .25rem; letter-spacing: -.02em; }
h2 { font-size: 1.6rem; margin: 4rem 0 1rem; padding-top: 1rem; border-top: 1px solid var(--line); letter-spacing: -.01em; }
h3 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h4 { font-size: .95rem; margin: 1.5rem 0 .5rem; }
.summary { font-size: 1.15rem; color: var(--quiet); margin: 0 0 1.5rem; }
p { max-width: 44rem; }
section.tag { margin: 0 0 3rem; }
section.tag > h3 { font-size: 1.35rem; margin-top: 2.5rem; }

code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .86em; }
code { background: var(--code); padding: .1em .3em; border-radius: 4px; overflow-wrap: anywhere; }
pre { background: var(--code); padding: .9rem 1.1rem; border-radius: 8px; overflow-x: auto; line-height: 1.5; }
pre code { background: none; padding: 0; overflow-wrap: normal; font-size: 1em; }

.wide { overflow-x: auto; margin: .75rem 0 1.25rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { text-align: left; font-weight: 600; color: var(--quiet); font-size: .82rem; }
th, td { padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.fields td:first-child { width: 24%; min-width: 9rem; }
.fields td:nth-child(2) { width: 24%; min-width: 8rem; }
.fields td:nth-child(3) { min-width: 14rem; }
.type { color: var(--quiet); }
.mark { color: var(--quiet); font-size: .78rem; white-space: nowrap; }
.mark.required { color: var(--accent); }
.headers, .session { color: var(--quiet); font-size: .88rem; }
.status { font-variant-numeric: tabular-nums; font-weight: 600; }
.answers td:first-child { width: 4rem; }

.method {
  display: inline-block; min-width: 4em; font: 650 .72rem/1.4 ui-monospace, Menlo, Consolas, monospace;
  text-transform: uppercase; letter-spacing: .03em;
}
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); }
.patch { color: var(--patch); } .delete { color: var(--delete); }

.operation { border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0; background: var(--ground); }
.operation > summary { padding: .55rem .9rem; cursor: pointer; display: flex; flex-wrap: wrap; gap: .2rem .7rem; align-items: baseline; list-style: none; }
.operation > summary::-webkit-details-marker { display: none; }
.operation > summary::after { content: "+"; margin-left: auto; color: var(--quiet); }
.operation[open] > summary::after { content: "–"; }
.operation > summary:hover { background: var(--surface); border-radius: 8px; }
.operation[open] > summary { border-bottom: 1px solid var(--line); border-radius: 8px 8px 0 0; }
.operation .path { background: none; padding: 0; }
.operation .what { color: var(--quiet); font-size: .92rem; }
.operation .body { padding: .5rem .9rem 1rem; }
.operation:target { border-color: var(--accent); }

.terms { display: grid; grid-template-columns: 10rem minmax(0, 1fr); gap: .6rem 1rem; }
.terms dt { font-weight: 600; } .terms dd { margin: 0; max-width: 40rem; }
.problems > div { padding: .7rem .9rem; margin: 0 -.9rem; border-radius: 8px; }
.problems > div:target { background: var(--surface); box-shadow: inset 3px 0 0 var(--accent); }
.problems dd { margin: .2rem 0 0; max-width: 44rem; }
.problems a { text-decoration: none; }

@media (max-width: 60rem) {
  body { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); padding: 1.25rem 1rem; }
  nav ul ul ul, nav > ul > li > ul:not(.groups) { display: none; }
  nav > ul, nav .groups { display: flex; flex-wrap: wrap; gap: 0 .5rem; }
  nav .groups { padding: 0; }
  main { padding-top: 2rem; }
  h1 { font-size: 2rem; }
  .fields thead { display: none; }
  .fields tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .fields td, .fields td:first-child, .fields td:nth-child(2) { display: block; width: auto; min-width: 0; padding: .1rem 0; border: 0; }
  .terms { display: block; } .terms dd { margin-bottom: .8rem; }
}
@media print {
  nav { display: none; } body { display: block; }
}
`
