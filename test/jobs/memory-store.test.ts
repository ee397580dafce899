import { createMemoryJobStore, createMemoryThreadStore } from "../../src/jobs/memory-store.ts";
import { jobStoreContract } from "../contract/job-store.ts";

jobStoreContract({
  name: "the memory store",
  create: (limits) => ({ jobs: createMemoryJobStore(limits), threads: createMemoryThreadStore(limits) }),
});
