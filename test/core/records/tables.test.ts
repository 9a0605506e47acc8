import {
  archivedChanges,
  archivePositions,
  changeSegments,
  changes,
} from "../../../src/core/changes/tables.ts"
import { bulkOperations, bulkParts, bulkRefusals } from "../../../src/core/records/bulk-tables.ts"
import {
  cascades,
  idempotencyKeys,
  memberOrganisations,
  refusals,
} from "../../../src/core/records/tables.ts"
import { testStorageManual } from "../../support/storage-manual.ts"

testStorageManual([
  cascades,
  changes,
  changeSegments,
  archivedChanges,
  archivePositions,
  idempotencyKeys,
  memberOrganisations,
  refusals,
  bulkOperations,
  bulkParts,
  bulkRefusals,
])
