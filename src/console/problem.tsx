import { Alert, Button, Code, Group, Stack, Text } from "@mantine/core"
import { notifications } from "@mantine/notifications"
import { Component, type ReactNode } from "react"
import { ApiProblem } from "../client/problem.ts"
import { useText } from "./text.tsx"

/** What went wrong, in words, with the id by which the server's log knows the request. */
export function ProblemNotice({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const text = useText()
  const problem = error instanceof ApiProblem ? error : null
  if (isNotLoaded(error)) {
    return (
      <Alert color="red" title={text.problem.title} role="alert">
        <Text size="sm" mb="xs">
          {text.problem.notLoaded}
        </Text>
        <Button size="xs" variant="default" onClick={() => location.reload()}>
          {text.problem.reload}
        </Button>
      </Alert>
    )
  }
  return (
    <Alert color="red" title={text.problem.title} role="alert">
      <Stack gap="xs">
        <Text size="sm">{wordsFor(error, text.problem.unexpected)}</Text>
        {problem?.errors.map(({ path, message }) => (
          <Text size="sm" key={path + message}>
            <Code>{path}</Code> {message}
          </Text>
        ))}
        <Group justify="space-between">
          {problem?.requestId && (
            <Text size="xs" c="dimmed">
              {text.problem.request(problem.requestId)}
            </Text>
          )}
          {onRetry && (
            <Button size="xs" variant="default" onClick={onRetry}>
              {text.retry}
            </Button>
          )}
        </Group>
      </Stack>
    </Alert>
  )
}

/** A part of the console that did not arrive; it is not asked for again before the page is loaded anew. */
const isNotLoaded = (error: unknown): boolean =>
  error instanceof TypeError && /import|module/i.test(error.message)

export const wordsFor = (error: unknown, unexpected: string): string =>
  error instanceof ApiProblem ? error.detail : unexpected

/** A notice in the corner, for what was asked for by a button. */
export function useTell() {
  const text = useText()
  return {
    done: (message: ReactNode) => notifications.show({ message, color: "fir" }),
    /** Stays long enough to be read and reached. */
    undoable: (message: ReactNode) =>
      notifications.show({ message, color: "fir", autoClose: 15_000 }),
    failed: (error: unknown) =>
      notifications.show({
        color: "red",
        title: wordsFor(error, text.problem.unexpected),
        message:
          error instanceof ApiProblem && error.requestId
            ? text.problem.request(error.requestId)
            : undefined,
        autoClose: 10_000,
      }),
  }
}

/** One page that breaks does not take the others along: at another place it begins anew. */
export class ErrorBoundary extends Component<
  { children: ReactNode; place: string },
  { error: unknown }
> {
  override state = { error: null as unknown }
  static getDerivedStateFromError(error: unknown) {
    return { error }
  }
  override componentDidUpdate(before: { place: string }) {
    if (before.place !== this.props.place && this.state.error !== null) {
      this.setState({ error: null })
    }
  }
  override render() {
    const { error } = this.state
    if (error === null) return this.props.children
    return <ProblemNotice error={error} onRetry={() => this.setState({ error: null })} />
  }
}
