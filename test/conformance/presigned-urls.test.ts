import { expect, test } from "vitest"
import { presign } from "../../src/core/files/presign.ts"

test("the example of AWS is signed as AWS signs it", () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
  const signed = presign({
    method: "GET",
    url: "https://examplebucket.s3.amazonaws.com/test.txt",
    headers: {},
    region: "us-east-1",
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    now: Date.parse("2013-05-24T00:00:00Z"),
    expiresSeconds: 86_400,
  })
  expect(signed).toBe(
    "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  )
})

test("headers and paths with all sorts of characters are signed as aws4fetch 1.0.20 signs them", () => {
  const signed = presign({
    method: "PUT",
    url: "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com/my-bucket/files/a%20b(1)'*!é.bin",
    headers: { "if-none-match": "*", "content-length": "12345" },
    region: "auto",
    accessKeyId: "AKIDEXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    now: Date.parse("2026-11-29T01:02:03Z"),
    expiresSeconds: 3_600,
  })
  expect(new URL(signed).searchParams.get("X-Amz-SignedHeaders")).toBe(
    "content-length;host;if-none-match",
  )
  expect(new URL(signed).searchParams.get("X-Amz-Signature")).toBe(
    "fcebee3c960162b4cee5e72746afaa5265c3bfa9be5e93a44ee64cbf3f6f465a",
  )
})
