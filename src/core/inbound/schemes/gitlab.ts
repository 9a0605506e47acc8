import { isSameSecret, type Scheme } from "./scheme.ts"
import { standardWebhooks } from "./standard-webhooks.ts"

/**
 * GitLab. A secret `whsec_…` is a signing token (GitLab 19.0): the request has to be signed as Standard Webhooks are. Any
 * other is a secret token, which comes along as `X-Gitlab-Token` and proves nothing about the body.
 *
 * @see https://docs.gitlab.com/user/project/integrations/webhooks/
 */
export const gitlab = (): Scheme => scheme

const standard = standardWebhooks()

const scheme: Scheme = {
  keeps: [
    ...standard.keeps,
    "idempotency-key",
    "x-gitlab-event",
    "x-gitlab-event-uuid",
    "x-gitlab-instance",
  ],
  isSigned: (request, secret, now) =>
    secret.startsWith("whsec_")
      ? standard.isSigned(request, secret, now)
      : isSameSecret(request.headers.get("x-gitlab-token") ?? "", secret),
  identify: ({ headers }) => ({
    // Where it signs, the id that it signs. X-Gitlab-Event-UUID is shared by hooks that set off one another.
    eventId: headers.get("webhook-id") ?? headers.get("idempotency-key"),
    type: headers.get("x-gitlab-event"),
  }),
}
