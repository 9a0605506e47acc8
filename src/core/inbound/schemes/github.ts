import { isSame, type Scheme, sign } from "./scheme.ts"

/**
 * GitHub: `X-Hub-Signature-256: sha256=…` over the body. Neither the moment nor the id of the delivery is signed, so what
 * keeps a request from being sent again by others is that nobody sees it on its way.
 *
 * @see https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export const github = (): Scheme => scheme

const scheme: Scheme = {
  keeps: ["x-github-event", "x-github-delivery", "x-github-hook-id"],
  isSigned: ({ headers, body }, secret) =>
    isSame(
      headers.get("x-hub-signature-256") ?? "",
      `sha256=${sign("sha256", secret, "", body, "hex")}`,
    ),
  identify: ({ headers }) => ({
    eventId: headers.get("x-github-delivery"),
    type: headers.get("x-github-event"),
  }),
}
