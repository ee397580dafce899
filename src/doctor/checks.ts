/** The chain, in the order in which a call walks it. A new link is a new file and one line here. */
import type { Check } from "./check.ts";
import { backend } from "./checks/backend.ts";
import { chatgptSequence } from "./checks/chatgpt-sequence.ts";
import { codexSelfCheck } from "./checks/codex-self-check.ts";
import { codexVersion } from "./checks/codex-version.ts";
import { confinement } from "./checks/confinement.ts";
import { configuration } from "./checks/configuration.ts";
import { httpGuard } from "./checks/http-guard.ts";
import { login } from "./checks/login.ts";
import { node } from "./checks/node.ts";
import { oauthMetadata } from "./checks/oauth-metadata.ts";
import { port } from "./checks/port.ts";
import { projects } from "./checks/projects.ts";
import { publicUrl } from "./checks/public-url.ts";
import { readiness } from "./checks/readiness.ts";
import { service } from "./checks/service.ts";
import { stateDirectory } from "./checks/state-directory.ts";
import { token } from "./checks/token.ts";
import { tunnel } from "./checks/tunnel.ts";

export const checks: readonly Check[] = [
  node,
  configuration,
  projects,
  stateDirectory,
  codexVersion,
  backend,
  login,
  codexSelfCheck,
  confinement,
  service,
  port,
  readiness,
  httpGuard,
  token,
  tunnel,
  publicUrl,
  oauthMetadata,
  chatgptSequence,
];
