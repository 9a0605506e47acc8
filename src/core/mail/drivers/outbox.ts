import type { Mailer } from "../mailer.ts"

/** Nothing leaves: the row in `mails` is the mail, for tests, administrators and the preview to read. */
export const outboxDriver: Mailer = {
  driver: "outbox",
  remembersSeconds: Number.POSITIVE_INFINITY,
  keepsBodies: true,
  send: async ({ id }) => ({ kind: "sent", messageId: id }),
}
