/** Settings that are right by themselves and wrong together. Pure. */
import { isLoopback } from "../lib/loopback.ts";
import { isInside } from "../workspace/directory.ts";
import type { Config, ConfigProblem } from "./load.ts";
import type { SettingName } from "./settings.ts";

/** `given` names a setting in the form in which it was set. */
export function judgeConfig(config: Config, given: (name: SettingName) => string): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const problem = (name: SettingName, text: string): void => {
    problems.push({ setting: given(name), problem: text });
  };
  if (config.noAuth && config.token !== undefined) {
    problem("noAuth", `cannot go together with ${given("token")}`);
  }
  if (config.noAuth && config.headerSecret !== undefined) {
    problem("noAuth", `cannot go together with ${given("headerSecret")}`);
  }
  if (config.noAuth && config.publicUrl !== undefined) {
    problem("noAuth", `cannot go together with ${given("publicUrl")}: anybody could use the bridge`);
  }
  if (config.authIssuer !== undefined && config.publicUrl === undefined) {
    problem("authIssuer", `needs ${given("publicUrl")}, which says where the bridge is reached`);
  }
  for (const entry of config.oauthClients) {
    if (!isClient(entry))
      problem("oauthClients", `${entry} is not of the form id=https://where-to-send-back`);
  }
  if (config.noAuth && !isLoopback(config.host)) {
    problem("noAuth", `is only for loopback; ${config.host} can be reached by others`);
  }
  if (config.noAuth && config.tunnel !== "none") {
    problem("noAuth", `cannot go together with ${given("tunnel")}: others could reach the bridge`);
  }
  if (config.defaultSandbox === "workspace-write" && !mayWriteSomewhere(config)) {
    problem("defaultSandbox", `needs ${given("allowWrite")}`);
  }
  if (config.confinement !== "required" && config.secrets === "mask") {
    problem("secrets", `mask needs ${given("confinement")} required: what is not proven hides nothing`);
  }
  if (config.backend === "exec") problem("backend", "exec is not there yet; use auto");
  if (config.fastReturnMs > config.upstreamTimeoutMs) {
    problem("fastReturnMs", `may not be longer than ${given("upstreamTimeoutMs")}`);
  }
  if (config.jobsPerHour > config.jobKeepCount) {
    problem("jobsPerHour", `may not be more than ${given("jobKeepCount")}: kept jobs are what is counted`);
  }
  for (const { path } of config.projects) {
    if (config.configFile !== null && isInside(path, config.configFile)) {
      problem("config", `lies inside the project ${path}; Codex could read or change it`);
    }
    if (isInside(path, config.stateDir)) {
      problem("stateDir", `lies inside the project ${path}; Codex could read or change it`);
    }
  }
  return problems;
}

/** The redirect address: https, or http on loopback for a program on this machine. */
function isClient(entry: string): boolean {
  const [, redirect] = /^[\w.-]{1,128}=(.+)$/.exec(entry) ?? [];
  const url = redirect === undefined ? null : URL.parse(redirect);
  if (url === null || url.hash !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
}

function mayWriteSomewhere(config: Config): boolean {
  return config.allowWrite || config.projects.some(({ write }) => write === true);
}
