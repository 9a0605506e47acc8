import {
  badAnySession,
  badBody,
  type DocumentedModule,
  type Operation,
  patchBody,
} from "../../platform/operation.ts"
import * as shapes from "./schema.ts"

const { databaseQuery, jobDetails, jobPage, jobPatch, jobScheduleList, jobsQuery } = shapes

const closed = [...badAnySession, "forbidden", "invalid_input"] as const
const path = "/jobs/{id}"
const one = {
  auth: "administrator",
  pathParameters: { id: "Id of the job." },
  query: databaseQuery,
} as const
const theJob = { 200: { description: "The job.", schema: jobDetails } }

const operations: readonly Operation[] = [
  {
    method: "get",
    path: "/jobs",
    operationId: "listJobs",
    summary: "Jobs, the newest first",
    auth: "administrator",
    query: jobsQuery,
    responses: { 200: { description: "A page.", schema: jobPage, headers: { Link: "`next`" } } },
    problems: [...closed, "invalid_cursor"],
  },
  {
    ...one,
    method: "get",
    path,
    operationId: "getJob",
    summary: "A job, with its payload, its error and its steps",
    responses: theJob,
    problems: [...closed, "not_found"],
  },
  {
    ...one,
    method: "patch",
    path,
    operationId: "updateJob",
    summary: "Change what a job is to do, or when",
    description:
      "While it waits, or after it was given up or cancelled. A payload has to be one that its kind takes.",
    body: patchBody(jobPatch),
    responses: theJob,
    problems: [...closed, ...badBody, "not_found", "conflict"],
  },
  {
    ...one,
    method: "delete",
    path,
    operationId: "deleteJob",
    summary: "Forget a job that has ended",
    responses: { 204: { description: "It is gone." } },
    problems: [...closed, "not_found", "conflict"],
  },
  {
    ...one,
    method: "post",
    path: `${path}/cancellation`,
    operationId: "cancelJob",
    summary: "Cancel a job",
    description: "What runs is told to stop: at its next step, or within 10 seconds.",
    responses: theJob,
    problems: [...closed, "not_found", "conflict"],
  },
  {
    ...one,
    method: "post",
    path: `${path}/retries`,
    operationId: "retryJob",
    summary: "Run a job again, from its last step",
    description: "One that was given up or cancelled, or one that waits for its next attempt: now.",
    responses: theJob,
    problems: [...closed, "not_found", "conflict"],
  },
  {
    method: "get",
    path: "/jobs/schedules",
    operationId: "listSchedules",
    summary: "Schedules, and when they are due",
    auth: "administrator",
    query: databaseQuery,
    responses: { 200: { description: "All of them.", schema: jobScheduleList } },
    problems: closed,
  },
  {
    method: "post",
    path: "/jobs/schedules/{name}/runs",
    operationId: "runSchedule",
    summary: "Start now what a schedule starts",
    auth: "administrator",
    pathParameters: { name: "Name of the schedule." },
    query: databaseQuery,
    responses: {
      201: { description: "The job.", schema: jobDetails, headers: { Location: "The job." } },
    },
    problems: [...closed, "not_found"],
  },
]

export const jobsDocs: DocumentedModule = {
  tag: "jobs",
  description: "What happens later: jobs, and the schedules that start them.",
  operations,
  shapes,
}
