import {
  Badge,
  Button,
  Code,
  Drawer,
  Group,
  JsonInput,
  Loader,
  Stack,
  Text,
  Title,
} from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import { read, write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { ProblemNotice } from "../problem.tsx"
import { StateFilter } from "../state-filter.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { useParameters } from "../use-parameters.ts"

const states = ["waiting", "held", "queued", "running", "succeeded", "cancelled", "dead"] as const

interface Job {
  readonly id: string
  readonly name: string
  readonly state: (typeof states)[number]
  readonly priority: string
  readonly runAt: string
  readonly attempts: number
  readonly finishedAt: string | null
}

interface JobDetails extends Job {
  readonly version: number
  readonly payload: unknown
  readonly error: string | null
  readonly progress: unknown
  readonly steps: readonly unknown[]
}

/** What is done later: waiting, running, ended, given up. */
export default function Jobs() {
  const { text, language } = useLanguage()
  const [parameters, set] = useParameters()
  const state = parameters.get("state") ?? ""
  const open = parameters.get("job")
  const t = text.jobs
  return (
    <Stack>
      <Title order={2}>{t.title}</Title>
      <StateFilter
        value={state}
        onChange={(value) => set("state", value)}
        states={states}
        words={t.states}
      />
      <PagedTable<Job>
        path="/jobs"
        parameters={{ state: state || null }}
        keyOf={({ id }) => id}
        empty={t.empty}
        emptyAction={
          state !== "" && (
            <Button size="xs" variant="default" onClick={() => set("state", "")}>
              {text.jobs.showAll}
            </Button>
          )
        }
        onOpen={({ id }) => set("job", id)}
        columns={[
          { head: t.name, cell: ({ name }) => name },
          { head: t.state, cell: (job) => <JobState state={job.state} /> },
          { head: t.runAt, cell: ({ runAt }) => moment(runAt, language) },
          { head: t.attempts, cell: ({ attempts }) => attempts },
        ]}
      />
      <Drawer
        opened={open !== null}
        onClose={() => set("job", "")}
        position="right"
        size="lg"
        title={t.title}
      >
        {open && <JobView id={open} />}
      </Drawer>
    </Stack>
  )
}

function JobState({ state }: { state: Job["state"] }) {
  const { text } = useLanguage()
  const colour = state === "dead" ? "red" : state === "succeeded" ? "fir" : "gray"
  return (
    <Badge variant="light" color={colour}>
      {text.jobs.states[state]}
    </Badge>
  )
}

function JobView({ id }: { id: string }) {
  const { text, language } = useLanguage()
  const path = `/jobs/${id}`
  const { data: job, error } = useQuery({
    queryKey: ["/jobs", id],
    queryFn: () => read<JobDetails>(path),
  })
  const { busy, run } = useAction()
  const [payload, setPayload] = useState<string | null>(null)
  const t = text.jobs
  if (error) return <ProblemNotice error={error} />
  if (!job) return <Loader role="status" aria-label={text.loading} />
  const changed = [["/jobs"]]
  const ended = job.finishedAt !== null
  return (
    <Stack>
      <Group>
        <Text fw={600}>{job.name}</Text>
        <JobState state={job.state} />
      </Group>
      <Text size="sm">
        {t.runAt} {moment(job.runAt, language)} · {t.attempts} {job.attempts}
      </Text>
      {job.error && (
        <div>
          <Text size="sm" fw={600}>
            {t.error}
          </Text>
          <Code block>{job.error}</Code>
        </div>
      )}
      {job.progress !== null && (
        <Text size="sm">
          {t.progress} <Code>{JSON.stringify(job.progress)}</Code>
        </Text>
      )}
      <JsonInput
        label={t.payload}
        autosize
        minRows={4}
        readOnly={job.state !== "dead" && job.state !== "waiting"}
        value={payload ?? JSON.stringify(job.payload, null, 2)}
        onChange={setPayload}
        validationError={text.data.invalidJson}
      />
      <Group>
        {payload !== null && (
          <Button
            variant="default"
            loading={busy}
            onClick={() =>
              void run(
                async () =>
                  write(
                    "PATCH",
                    path,
                    { payload: JSON.parse(payload) },
                    { "if-match": `"${job.version}"` },
                  ),
                {
                  done: text.saved,
                  changed,
                },
              )
            }
          >
            {text.save}
          </Button>
        )}
        {ended ? (
          <Button
            loading={busy}
            onClick={() =>
              void run(() => write("POST", `${path}/retries`), { done: t.started, changed })
            }
          >
            {t.retry}
          </Button>
        ) : (
          <Button
            color="red"
            variant="light"
            loading={busy}
            onClick={() =>
              void run(() => write("POST", `${path}/cancellation`), {
                done: text.people.done,
                changed,
              })
            }
          >
            {t.cancel}
          </Button>
        )}
      </Group>
    </Stack>
  )
}
