import { isSame, type Scheme, sign } from "./scheme.ts"

/**
 * Shopify: `X-Shopify-Hmac-Sha256`, base64, over the body. `X-Shopify-Webhook-Id` is the same when it is sent again;
 * `X-Shopify-Event-Id` is shared by events of several topics.
 *
 * @see https://shopify.dev/docs/apps/build/webhooks/subscribe/https
 */
export const shopify = (): Scheme => scheme

const scheme: Scheme = {
  keeps: [
    "x-shopify-topic",
    "x-shopify-webhook-id",
    "x-shopify-event-id",
    "x-shopify-shop-domain",
    "x-shopify-api-version",
    "x-shopify-triggered-at",
  ],
  isSigned: ({ headers, body }, secret) =>
    isSame(headers.get("x-shopify-hmac-sha256") ?? "", sign("sha256", secret, "", body, "base64")),
  identify: ({ headers }) => ({
    eventId: headers.get("x-shopify-webhook-id"),
    type: headers.get("x-shopify-topic"),
  }),
}
