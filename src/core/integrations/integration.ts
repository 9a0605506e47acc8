/** Another service that the product calls. */
export interface Integration {
  readonly name: string
  readonly options: IntegrationOptions
}

interface IntegrationOptions {
  /** Names of the only hosts that are called, as `api.example.com`: each in full, without a port. */
  readonly hosts: readonly string[]
  /** Headers that hold a secret: by header, the name of the deployment's variable, and what stands before its value. */
  readonly secrets?: Readonly<
    Record<string, string | { readonly name: string; readonly prefix: string }>
  >
  /** Of one attempt, until the last byte of its answer. 10 unless told. */
  readonly timeoutSeconds?: number
  /** Of an answer. 1 MiB unless told. */
  readonly maxBytes?: number
  /**
   * Milliseconds before each further attempt at what bears repetition; jitter shortens them by up to a half. 200 and 1,000
   * unless told: it is for a moment's trouble. What takes longer is for a job to try again.
   */
  readonly retryMilliseconds?: readonly number[]
}

/** Declares a service; `name` is what the log calls it. */
export const integration = (name: string, options: IntegrationOptions): Integration => ({
  name,
  options,
})
