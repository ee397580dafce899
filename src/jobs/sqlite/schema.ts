/**
 * The tables of the job database and how an older one becomes today's. What is looked for has a column and an index;
 * everything else is in the record, as JSON. A step that was released is never changed: a new one is added.
 */

/** Step n brings a database of version n to version n + 1 (`PRAGMA user_version`). */
export const migrations: readonly string[] = [
  `
  -- seq is the order of acceptance, ended the order of ending: a clock that is put back changes neither.
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    caller TEXT NOT NULL,
    conversation TEXT,
    request_id TEXT,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    ended INTEGER,
    bytes INTEGER NOT NULL DEFAULT 0,
    record TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX jobs_by_request ON jobs (caller, request_id) WHERE request_id IS NOT NULL;
  CREATE INDEX jobs_by_caller ON jobs (caller, seq);
  CREATE INDEX jobs_by_conversation ON jobs (caller, conversation, seq) WHERE conversation IS NOT NULL;
  CREATE INDEX jobs_by_start ON jobs (caller, created_at);
  CREATE INDEX jobs_unfinished ON jobs (seq) WHERE ended IS NULL;
  CREATE INDEX jobs_by_end ON jobs (ended, bytes, finished_at) WHERE ended IS NOT NULL;

  CREATE TABLE events (
    job INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
    id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (job, id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE threads (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    thread_id TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL
  ) STRICT;

  -- Written by the owner's command line, taken by the bridge.
  CREATE TABLE cancel_requests (job_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
  `
  -- 0 from a job's end until the audit log has it. Jobs of before are taken to be there.
  ALTER TABLE jobs ADD COLUMN is_audited INTEGER NOT NULL DEFAULT 1;
  CREATE INDEX jobs_unaudited ON jobs (ended) WHERE is_audited = 0;
  `,
];
