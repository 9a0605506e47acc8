import { isRecent, isSame, membersOf, type Scheme, sign, textOrNull } from "./scheme.ts"

/**
 * Slack: `X-Slack-Signature: v0=…` over `v0:timestamp:body`. Its challenge, when an address is entered, is answered once
 * it has proved to be Slack's.
 *
 * @see https://docs.slack.dev/authentication/verifying-requests-from-slack
 */
export const slack = (): Scheme => scheme

const scheme: Scheme = {
  keeps: ["x-slack-request-timestamp", "x-slack-retry-num", "x-slack-retry-reason"],
  isSigned({ headers, body }, secret, now) {
    const timestamp = headers.get("x-slack-request-timestamp") ?? ""
    if (!isRecent(timestamp, now)) return false
    const expected = `v0=${sign("sha256", secret, `v0:${timestamp}:`, body, "hex")}`
    return isSame(headers.get("x-slack-signature") ?? "", expected)
  },
  identify({ body }) {
    const { event_id, event, type } = membersOf(body)
    const inner = typeof event === "object" && event !== null && "type" in event ? event.type : type
    return { eventId: textOrNull(event_id), type: textOrNull(inner) }
  },
  challenge({ body }) {
    const { type, challenge } = membersOf(body)
    return type === "url_verification" ? textOrNull(challenge) : null
  },
}
