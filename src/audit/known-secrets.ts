/** The values that the bridge itself knows to be secret, so that they can be struck out wherever they appear. */

const SECRET_NAME = /KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSCODE|TUNNEL_ID|CREDENTIAL/i;
const SHORTEST = 12;

/** The bridge's own credentials, and what lies in variables that are named like secrets. */
export function knownSecrets(
  own: readonly (string | undefined)[],
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const values = own.filter((value) => value !== undefined);
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && value.length >= SHORTEST && SECRET_NAME.test(name)) values.push(value);
  }
  return [...new Set(values)];
}
