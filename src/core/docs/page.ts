import { type Html, html } from "../../platform/html.ts"
import { type ProblemCode, problems } from "../../platform/problem.ts"
import { type Located, locate, type OpenApi } from "./document.ts"
import { expressionGuide } from "./expression-guide.ts"
import { operationCard } from "./page-operations.ts"
import { fieldTable } from "./page-schemas.ts"
import { problemAdvice } from "./problem-advice.ts"
import { inline, prose } from "./prose.ts"

/**
 * The reference for people, from the same document that programs read: one page of HTML, whole without scripts and
 * without any other file than its style. `origin` stands in the examples.
 */
export function referencePage(document: OpenApi, origin: string): string {
  const byTag = Map.groupBy(locate(document.paths), ({ operation }) => operation.tags[0])
  const collections = document.tags.filter((tag) => isCollection(document, tag.name))
  const others = document.tags.filter((tag) => !collections.includes(tag))
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${document.info.title}: API reference</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
<a class="skip" href="#top">Skip to the reference</a>
<nav aria-label="Contents">${contents(document, byTag)}</nav>
<main id="top">
<header>
<h1>${document.info.title}</h1>
<p class="summary">${document.info.summary}</p>
${prose(document.info.description)}
<p>For programs: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
</header>
${start(origin, openList(document))}
${conventions()}
${expressionGuide()}
<section id="collections"><h2>Collections</h2>
${collections.map((tag) => tagSection(document, origin, tag, byTag.get(tag.name) ?? []))}
</section>
${others.map(
  (
    tag,
  ) => html`<section id="tag-${tag.name}"><h2>${titleOf(tag.name)}</h2><p>${inline(tag.description)}</p>
${(byTag.get(tag.name) ?? []).map((located) => operationCard(document, origin, located))}</section>`,
)}
${problemSection()}
</main>
</body>
</html>
`.html
}

const isCollection = (document: OpenApi, tag: string): boolean =>
  `/records/${tag}` in document.paths || `/records/${tag}/{id}` in document.paths

const titleOf = (tag: string): string =>
  ({ auth: "Sign-in", mail: "Mail", deployment: "Deployment" })[tag] ?? tag

function contents(document: OpenApi, byTag: ReadonlyMap<string, readonly Located[]>): Html {
  const entry = (tag: string) => html`<li><a href="#tag-${tag}">${titleOf(tag)}</a>
<ul>${(byTag.get(tag) ?? []).map(({ method, operation }) => html`<li><a href="#${operation.operationId}"><span class="method ${method}">${method}</span> ${operation.operationId}</a></li>`)}</ul></li>`
  const collections = document.tags.filter((tag) => isCollection(document, tag.name))
  const others = document.tags.filter((tag) => !collections.includes(tag))
  return html`<p class="title"><a href="#top">${document.info.title}</a></p>
<ul>
<li><a href="#start">First steps</a></li>
<li><a href="#conventions">Conventions</a></li>
<li><a href="#expressions">Expressions</a></li>
<li><a href="#collections">Collections</a><ul class="groups">${collections.map((tag) => entry(tag.name))}</ul></li>
${others.map((tag) => entry(tag.name))}
<li><a href="#problems">Problems</a></li>
</ul>`
}

/** A list that needs no session, if there is one. */
const openList = (document: OpenApi): string | null =>
  locate(document.paths).find(
    ({ path, method, operation }) =>
      method === "get" &&
      /^\/records\/\w+$/.test(path) &&
      operation.security.some((way) => Object.keys(way).length === 0),
  )?.path ?? null

function start(origin: string, list: string | null): Html {
  const lines: readonly (readonly [string, string])[] = [
    ...(list ? [["Read what anyone may read:", `curl '${origin}${list}?limit=3'`] as const] : []),
    [
      "Sign up, and sign in:",
      `curl '${origin}/auth/users' -H 'Content-Type: application/json' \\\n  -d '{"email":"ann@example.com","password":"correct horse battery","name":"Ann"}'\n\ncurl '${origin}/auth/sessions' -H 'Content-Type: application/json' \\\n  -d '{"email":"ann@example.com","password":"correct horse battery"}'`,
    ],
    [
      "Go on with the accessToken of the answer:",
      `TOKEN=…\ncurl '${origin}/auth/me' -H "Authorization: Bearer $TOKEN"`,
    ],
  ]
  return html`<section id="start"><h2>First steps</h2>
${lines.map(([text, line]) => html`<p>${text}</p><pre><code>${line}</code></pre>`)}
</section>`
}

const conventionTexts: readonly (readonly [string, string])[] = [
  [
    "Pages",
    "A list answers `items` and `next`. Send `next` as `cursor`, with the same filter, sort and search, until it is null. `Link` carries the same address.",
  ],
  [
    "Parts of records",
    "`fields=title,author.name` answers only these; `expand=author` adds related records under `expanded`. A to-many field itself is an array of ids.",
  ],
  [
    "Changes",
    "`PATCH` is a JSON Merge Patch: what is absent stays, `null` empties. `PUT` replaces: what is absent falls back to its default.",
  ],
  [
    "Races",
    "`ETag` names the version. Send it back in `If-Match`, and a write meets that version or is refused with 412. `If-None-Match` saves an answer that you have: 304.",
  ],
  [
    "Repeats",
    "`Idempotency-Key` makes a `POST` safe to repeat for 24 hours: the record is made once.",
  ],
  [
    "One's own writes",
    "Send the `X-Bookmark` that you were answered last, and you read what you wrote. Browsers get it as a cookie.",
  ],
  [
    "What you may see",
    "A field that you may not read is absent, a record that you may not read is not found. Filters, sorts and counts behave as if neither were there.",
  ],
]

const conventions = (): Html => html`<section id="conventions"><h2>Conventions</h2>
<dl class="terms">${conventionTexts.map(([term, text]) => html`<dt>${term}</dt><dd>${inline(text)}</dd>`)}</dl></section>`

function tagSection(
  document: OpenApi,
  origin: string,
  tag: { readonly name: string; readonly description: string },
  operations: readonly Located[],
): Html {
  return html`<section class="tag" id="tag-${tag.name}"><h3>${tag.name}</h3>
<p>${inline(tag.description)}</p>
${fieldTable(document, tag.name, operations)}
${operations.map((located) => operationCard(document, origin, located))}
</section>`
}

const problemSection = (): Html => html`<section id="problems"><h2>Problems</h2>
<p>A refusal is <code>application/problem+json</code> (RFC 9457) with <code>type</code>, <code>title</code>, <code>status</code>, <code>detail</code>, <code>code</code> and <code>requestId</code>; wrong input adds <code>errors</code>, each with <code>path</code>, <code>code</code> and <code>message</code>. Programs decide by <code>code</code>.</p>
<dl class="problems">${(Object.keys(problems) as ProblemCode[]).map((code) => {
  const [status, title] = problems[code]
  return html`<div id="problem-${code}"><dt><a href="#problem-${code}"><code>${code}</code></a> <span class="status">${status}</span> ${title}</dt><dd>${inline(problemAdvice[code])}</dd></div>`
})}</dl></section>`
