import { Text } from "@mantine/core"
import { amount, moment } from "../dates.ts"
import { useLanguage } from "../text.tsx"

export interface Series {
  readonly label: string
  readonly colour: string
  readonly values: readonly (number | null)[]
}

const width = 320
const height = 72

/** Lines over equal steps of time, the first filled. The numbers behind it are in its description, for those who do not see it. */
export function Chart(props: { label: string; at: readonly string[]; series: readonly Series[] }) {
  const { text, language } = useLanguage()
  const { at, series, label } = props
  const highest = Math.max(1, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)))
  const x = (i: number) => (at.length < 2 ? 0 : (i / (at.length - 1)) * width)
  const y = (value: number) => height - (value / highest) * (height - 4)
  const from = moment(at[0], language)
  const to = moment(at.at(-1), language)
  const peaks = series
    .map(
      ({ label, values }) =>
        `${label}: ${amount(Math.max(0, ...values.map((v) => v ?? 0)), language)}`,
    )
    .join(", ")
  return (
    <figure className="chart">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${text.overview.chart(label, from, to)}. ↑ ${peaks}`}
      >
        {series.map(({ label, colour, values }, i) => {
          const points = values.map(
            (value, at) => `${x(at).toFixed(1)},${y(value ?? 0).toFixed(1)}`,
          )
          return (
            <g key={label}>
              {i === 0 && (
                <polygon
                  points={`0,${height} ${points.join(" ")} ${width},${height}`}
                  fill={colour}
                  opacity="0.15"
                />
              )}
              <polyline
                points={points.join(" ")}
                fill="none"
                stroke={colour}
                strokeWidth="1.5"
                vectorEffect="non-scaling-stroke"
              />
            </g>
          )
        })}
      </svg>
      <Text component="figcaption" size="xs" c="dimmed">
        <span>{from}</span>
        <span>{to}</span>
      </Text>
    </figure>
  )
}
