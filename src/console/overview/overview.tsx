import {
  Card,
  Group,
  Loader,
  SegmentedControl,
  SimpleGrid,
  Stack,
  Table,
  Text,
  Title,
} from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { type ReactNode, useState } from "react"
import { Link } from "wouter"
import { isProblem } from "../backend.ts"
import { amount } from "../dates.ts"
import { Empty } from "../empty.tsx"
import { ProblemNotice } from "../problem.tsx"
import { useLanguage } from "../text.tsx"
import { Chart, type Series } from "./chart.tsx"
import { type Counted, type Figures, metricsQuery, type RangeName, type Report } from "./metrics.ts"

const green = "var(--mantine-color-fir-6)"
const orange = "var(--mantine-color-orange-6)"
const red = "var(--mantine-color-red-6)"

/** What the deployment does, over time. Each number leads to the list behind it. */
export function Overview() {
  const { text } = useLanguage()
  const [range, setRange] = useState<RangeName>("hour")
  const { data, error, refetch } = useQuery(metricsQuery(range))
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={2}>{text.overview.title}</Title>
        <SegmentedControl
          aria-label={text.overview.range}
          value={range}
          onChange={(value) => setRange(value as RangeName)}
          data={(["hour", "day", "month"] as const).map((value) => ({
            value,
            label: text.overview[value],
          }))}
        />
      </Group>
      {isProblem(error, "not_found") ? (
        <Text>{text.overview.off}</Text>
      ) : (
        error && <ProblemNotice error={error} onRetry={() => void refetch()} />
      )}
      {!data && !error && <Loader role="status" aria-label={text.loading} />}
      {data && <Cards report={data} />}
      {data && (
        <FigureTable
          title={text.overview.routes}
          head={text.overview.route}
          rows={data.routes.map((row) => [`${row.method} ${row.route}`, row])}
        />
      )}
      {data && data.organisations.length > 0 && (
        <FigureTable
          title={text.overview.organisations}
          head={text.overview.organisation}
          rows={data.organisations.map((row) => [row.organisation ?? text.none, row])}
        />
      )}
    </Stack>
  )
}

function Cards({ report: { total, steps } }: { report: Report }) {
  const { text, language } = useLanguage()
  const of = (label: string, colour: string, value: (step: Counted) => number | null): Series => ({
    label,
    colour,
    values: steps.map(value),
  })
  const at = steps.map((step) => step.at)
  const number = (n: number) => amount(n, language)
  const t = text.overview
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, lg: 4 }}>
      <Figure
        title={t.requests}
        value={number(total.requests)}
        href="#routes"
        chart={
          <Chart label={t.requests} at={at} series={[of(t.requests, green, (s) => s.requests)]} />
        }
      />
      <Figure
        title={t.errors}
        value={number(total.clientErrors + total.serverErrors)}
        note={`${number(total.clientErrors)} 4xx · ${number(total.serverErrors)} 5xx`}
        href="#routes"
        chart={
          <Chart
            label={t.errors}
            at={at}
            series={[
              of(t.clientErrors, orange, (s) => s.clientErrors),
              of(t.serverErrors, red, (s) => s.serverErrors),
            ]}
          />
        }
      />
      <Figure
        title={t.latency}
        value={t.milliseconds(total.p50Milliseconds)}
        note={`${t.p95} ${t.milliseconds(total.p95Milliseconds)} · ${t.p99} ${t.milliseconds(total.p99Milliseconds)}`}
        href="#routes"
        chart={
          <Chart
            label={t.latency}
            at={at}
            format={t.milliseconds}
            series={[
              of(t.p99, orange, (s) => s.p99Milliseconds),
              of(t.p50, green, (s) => s.p50Milliseconds),
            ]}
          />
        }
      />
      <Figure
        title={t.rowsRead}
        value={number(total.rowsRead)}
        href="#routes"
        chart={
          <Chart label={t.rowsRead} at={at} series={[of(t.rowsRead, green, (s) => s.rowsRead)]} />
        }
      />
      <Figure
        title={t.rowsWritten}
        value={number(total.rowsWritten)}
        href="#routes"
        chart={
          <Chart
            label={t.rowsWritten}
            at={at}
            series={[of(t.rowsWritten, green, (s) => s.rowsWritten)]}
          />
        }
      />
      <Figure
        title={t.jobs}
        value={number(total.jobs.succeeded)}
        note={`${number(total.jobs.failed)} ${t.failed} · ${number(total.jobs.dead)} ${t.dead}`}
        href={total.jobs.dead > 0 ? "/jobs?state=dead" : "/jobs"}
        chart={
          <Chart
            label={t.jobs}
            at={at}
            series={[
              of(t.succeeded, green, (s) => s.jobs.succeeded),
              of(t.failed, red, (s) => s.jobs.failed + s.jobs.dead),
            ]}
          />
        }
      />
      <Figure
        title={t.mails}
        value={number(total.mails.sent)}
        note={`${number(total.mails.failed)} ${t.failed} · ${number(total.mails.uncertain)} ${t.uncertain}`}
        href={total.mails.failed > 0 ? "/mails?state=failed" : "/mails"}
        chart={
          <Chart
            label={t.mails}
            at={at}
            series={[
              of(t.sent, green, (s) => s.mails.sent),
              of(t.failed, red, (s) => s.mails.failed + s.mails.uncertain),
            ]}
          />
        }
      />
      <Figure
        title={t.signIns}
        value={number(total.signIns.succeeded)}
        note={`${number(total.signIns.failed)} ${t.failed}`}
        href="/audit"
        chart={
          <Chart
            label={t.signIns}
            at={at}
            series={[
              of(t.succeeded, green, (s) => s.signIns.succeeded),
              of(t.failed, red, (s) => s.signIns.failed),
            ]}
          />
        }
      />
    </SimpleGrid>
  )
}

function Figure(props: {
  title: string
  value: string
  note?: string
  href: string
  chart: ReactNode
}) {
  const content = (
    <>
      <Text size="sm" c="dimmed">
        {props.title}
      </Text>
      <Text size="xl" fw={600} className="numbers">
        {props.value}
      </Text>
      <Text size="xs" c="dimmed" className="numbers" mih="1.2rem">
        {props.note}
      </Text>
      {props.chart}
    </>
  )
  return props.href.startsWith("#") ? (
    <Card withBorder component="a" href={props.href} className="figure">
      {content}
    </Card>
  ) : (
    <Card withBorder component={Link} href={props.href} className="figure">
      {content}
    </Card>
  )
}

function FigureTable(props: {
  title: string
  head: string
  rows: readonly (readonly [string, Figures])[]
}) {
  const { text, language } = useLanguage()
  const t = text.overview
  const number = (n: number) => amount(n, language)
  return (
    <section id={props.head === t.route ? "routes" : "organisations"}>
      <Title order={3} size="h4" mb="xs">
        {props.title}
      </Title>
      {props.rows.length === 0 && <Empty words={t.empty} />}
      {props.rows.length > 0 && (
        <Table.ScrollContainer minWidth={720}>
          <Table striped className="numbers">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{props.head}</Table.Th>
                {[t.requests, "4xx", "5xx", t.p50, t.p99, t.rowsRead, t.rowsWritten].map((head) => (
                  <Table.Th key={head} ta="right">
                    {head}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {props.rows.map(([name, row]) => (
                <Table.Tr key={name}>
                  <Table.Td>{name}</Table.Td>
                  {[
                    number(row.requests),
                    number(row.clientErrors),
                    number(row.serverErrors),
                    t.milliseconds(row.p50Milliseconds),
                    t.milliseconds(row.p99Milliseconds),
                    number(row.rowsRead),
                    number(row.rowsWritten),
                  ].map((cell, i) => (
                    <Table.Td key={[t.requests, "4", "5", "p50", "p99", "r", "w"][i]} ta="right">
                      {cell}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </section>
  )
}
