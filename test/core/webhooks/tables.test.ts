import { changeFollowers } from "../../../src/core/changes/tables.ts"
import * as tables from "../../../src/core/webhooks/tables.ts"
import { testStorageManual } from "../../support/storage-manual.ts"

testStorageManual([...Object.values(tables), changeFollowers])
