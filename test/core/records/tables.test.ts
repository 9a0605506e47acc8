import { changes } from "../../../src/core/changes/tables.ts"
import { idempotencyKeys, memberOrganisations, refusals } from "../../../src/core/records/tables.ts"
import { testStorageManual } from "../../support/storage-manual.ts"

testStorageManual([changes, idempotencyKeys, memberOrganisations, refusals])
