import { type Html, html } from "../../platform/html.ts"
import type { Answer, Content, Located, OpenApi, Parameter, Schema } from "./document.ts"
import { propertyTable, typeOf } from "./page-schemas.ts"
import { inline, prose } from "./prose.ts"
import { curlOf, resolve } from "./sample.ts"

/** One operation: a line that opens to its parameters, body and answers. */
export function operationCard(document: OpenApi, origin: string, located: Located): Html {
  const { method, path, operation } = located
  const open = operation.security.some((way) => Object.keys(way).length === 0)
  const parameters = operation.parameters.map((parameter) =>
    resolve<Parameter>(document, parameter),
  )
  return html`<details class="operation" id="${operation.operationId}">
<summary><span class="method ${method}">${method}</span> <code class="path">${path}</code> <span class="what">${inline(operation.summary)}</span></summary>
<div class="body">
${operation.description && prose(operation.description)}
<p class="session">${open ? "No session needed." : "Needs a session."} Method name: <code>${operation.operationId}</code></p>
<pre><code>${curlOf(document, origin, method, path, operation)}</code></pre>
${parameters.length > 0 && parameterTable(document, parameters)}
${operation.requestBody && bodyOf(document, operation.requestBody.content, operation.requestBody.required)}
<h4>Answers</h4>
<div class="wide"><table class="answers"><tbody>${Object.entries(operation.responses).map(([status, answer]) => answerRow(document, status, resolve<Answer>(document, answer)))}</tbody></table></div>
</div>
</details>`
}

const parameterTable = (
  document: OpenApi,
  parameters: readonly Parameter[],
): Html => html`<h4>Parameters</h4>
<div class="wide"><table class="fields"><tbody>${parameters.map(
  (parameter) =>
    html`<tr><td><code>${parameter.name}</code> <span class="mark">${parameter.in}</span></td><td>${parameterType(document, parameter)}</td><td>${inline(parameter.description)}${defaultOf(parameter.schema)}</td></tr>`,
)}</tbody></table></div>`

const parameterType = (document: OpenApi, { schema, explode }: Parameter): Html =>
  explode === false ? html`<span class="type">names, with commas</span>` : typeOf(document, schema)

const defaultOf = ({ default: value, minimum, maximum }: Schema): Html | false =>
  value !== undefined &&
  html` <code>${JSON.stringify(value)}</code> unless told${minimum !== undefined && maximum !== undefined && `; ${minimum} to ${maximum}`}.`

function bodyOf(document: OpenApi, content: Content, required: boolean): Html {
  const [type, media] = Object.entries(content)[0] ?? []
  if (!type || !media) return html``
  const schema = resolve<Schema>(document, media.schema)
  const writable = Object.fromEntries(
    Object.entries(schema.properties ?? {}).filter(([, property]) => !property.readOnly),
  )
  return html`<h4>Body${!required && " (optional)"}: ${Object.keys(content).map((each, i) => [i > 0 && " or ", html`<code>${each}</code>`])}</h4>
${schema.description && html`<p>${inline(schema.description)}</p>`}
${propertyTable(document, { ...schema, properties: writable }, schema)}`
}

function answerRow(document: OpenApi, status: string, answer: Answer): Html {
  const [type, media] = Object.entries(answer.content ?? {})[0] ?? []
  const plain = type === "application/json" && media
  const headers = Object.keys(answer.headers ?? {}).filter((name) => name !== "X-Request-Id")
  return html`<tr><td><span class="status">${status}</span></td><td>${type === "application/problem+json" ? problemLinks(answer.description) : inline(answer.description)}${plain && [" ", typeOf(document, media.schema)]}${headers.length > 0 && html`<br><span class="headers">Headers: ${headers.join(", ")}</span>`}</td></tr>`
}

/** `code`: text. Each code leads to where it is explained. */
const problemLinks = (description: string): Html =>
  html`${description
    .split(/(`\w+`)/)
    .map((part) =>
      part.startsWith("`")
        ? html`<a href="#problem-${part.slice(1, -1)}"><code>${part.slice(1, -1)}</code></a>`
        : part,
    )}`
