/**
 * Fills the templates in `launchd/`: a LaunchAgent for macOS, a user unit for systemd. Every value is escaped for the
 * place where it stands. Pure but for reading the template.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../lib/version.ts";
import { LAUNCHD_LABEL, SYSTEMD_UNIT, type ServicePlan } from "./service-plan.ts";

/** `logFile`: where launchd sends what the bridge prints. */
export async function toLaunchAgent(plan: ServicePlan, logFile: string): Promise<string> {
  const environment = Object.entries(plan.environment).flatMap(([name, value]) => [
    `<key>${toXml(name)}</key>`,
    `<string>${toXml(value)}</string>`,
  ]);
  return fill(await template(`${LAUNCHD_LABEL}.plist`), {
    label: LAUNCHD_LABEL,
    command: plan.command.map((word) => `<string>${toXml(word)}</string>`).join("\n\t\t"),
    home: toXml(plan.home),
    environment: environment.join("\n\t\t"),
    log: toXml(logFile),
  });
}

export async function toSystemdUnit(plan: ServicePlan): Promise<string> {
  const environment = Object.entries(plan.environment).map(
    ([name, value]) => `Environment=${toWord(`${name}=${value}`)}`,
  );
  return fill(await template(SYSTEMD_UNIT), {
    label: SYSTEMD_UNIT.replace(/\.service$/, ""),
    command: plan.command.map(toWord).join(" "),
    home: plan.home.replaceAll("%", "%%"),
    environment: environment.join("\n"),
  });
}

async function template(name: string): Promise<string> {
  return readFile(join(packageRoot, "launchd", name), "utf8");
}

/** Throws where template and code do not know the same names: that is a bug. */
function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (_whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the template wants ${name}`);
    return value;
  });
}

function toXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** systemd.syntax(7), "Quoting"; and systemd.unit(5), "Specifiers": a percent sign is doubled. */
function toWord(text: string): string {
  const escaped = text.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll("%", "%%");
  return `"${escaped}"`;
}
