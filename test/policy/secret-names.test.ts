import { describe, expect, it } from "vitest";
import { EXACT_NAMES, NAME_PATTERNS, PLACED_NAMES, SUFFIXES } from "../../src/policy/secret-name-rules.ts";
import { isTellingPlace, judgeName, normalizeName } from "../../src/policy/secret-names.ts";
import { isPlainName } from "../../src/policy/secret-plain-names.ts";

function judge(path: string): string {
  const parents = path.split("/");
  const name = parents.pop() ?? "";
  const judgement = judgeName(name, parents);
  return judgement === null ? "nothing" : `${judgement.verdict} ${judgement.kind}`;
}

const TABLE: Readonly<Record<string, readonly string[]>> = {
  "block dotenv": [
    ".env",
    ".ENV",
    ".Env.Local",
    ".env.staging",
    ".env.prod",
    ".env.test",
    ".env.bak",
    ".env~",
    ".env_old",
    ".env-prod",
    ".env2",
    "prod.env",
    "production.ENV",
    ".env.local.2024",
    "#.env#",
    "..env.swp",
    ".envrc",
    ".flaskenv",
    ".dev.vars",
    ".env.gz",
    ".env.production.local",
    ".env.json",
    ".envs/.postgres",
    "app.env.local",
    ".env.d",
    ".env.ts",
  ],
  "block private-key": [
    "id_rsa",
    "ID_RSA",
    "id_rsa.bak",
    "id_dsa",
    "id_ecdsa_sk",
    "id_ed25519_sk",
    "id_ed25519.old",
    "deploy_id_rsa",
    "server.key",
    "server.key.old",
    "server.pem",
    "SERVER.PEM",
    "key.pem~",
    "AuthKey_ABC123.p8",
    "putty.ppk",
    "ssh_host_rsa_key",
    "master.key",
    ".ssh/github",
    ".ssh/work.old",
    ".gnupg/private-keys-v1.d/AB12.key",
    "private_key.txt",
    "x.agekey",
    "server.\u212aey",
  ],
  "block key-store": [
    "a.p12",
    "a.PFX",
    "release.jks",
    "Passwords.kdbx",
    "upload.keystore",
    "wallet.dat",
    "login.keychain-db",
    "a.p12.bak",
  ],
  "block package-credentials": [
    ".npmrc",
    ".NPMRC",
    ".yarnrc.yml",
    ".pypirc",
    "nuget.config",
    ".cargo/credentials.toml",
    ".npmrc.bak",
    ".npmrc.local",
    ".yarnrc-ci",
  ],
  "block cloud-credentials": [
    ".aws/credentials",
    ".AWS/Credentials",
    "service-account.json",
    "service_account_prod.json",
    "my-service-account.json",
    "app-firebase-adminsdk-x1.json",
    "application_default_credentials.json",
    "gcp-key.json",
    "rootkey.csv",
    "bob_accessKeys.csv",
    ".s3cfg",
  ],
  "block cluster-credentials": [
    "kubeconfig",
    "prod.kubeconfig",
    "kubeconfig.yaml",
    ".kube/config",
    "my-kubeconfig-prod",
    "k3s.yaml",
    "kube.config",
  ],
  "block infrastructure-state": [
    "terraform.tfstate",
    "terraform.tfstate.backup",
    "prod.tfvars",
    "x.auto.tfvars.json",
    "errored.tfstate",
  ],
  "block database-credentials": [".pgpass", ".my.cnf", "config/database.yml", "wp-config.php"],
  "block tool-credentials": [
    ".git-credentials",
    ".netrc",
    "_netrc",
    ".htpasswd",
    ".docker/config.json",
    ".codex/auth.json",
    "gh/hosts.yml",
    "credentials.json",
    "CREDENTIALS.JSON",
    "client_secret_123.json",
    "secrets.yaml",
    "app-secrets.yml",
    "secrets.prod.json",
    ".vault-token",
    "vault.yml",
    ".netrc-work",
    ".git/config",
    "mirror.git/config",
    "passwords.txt",
    "credentials.json.bak",
    "credentials - copy.json",
  ],
  "warn encrypted": [
    ".env.vault",
    ".env.gpg",
    "id_rsa.gpg",
    "credentials.yml.enc",
    ".env.production.enc",
    "secrets.sops.yaml",
  ],
  "warn key-store": ["debug.keystore", "truststore.jks", "node_modules/x/test/a.p12"],
  "warn private-key": ["node_modules/agent/test/server.key", "node_modules/a/b.pem"],
  "warn database": ["dev.sqlite3", "dump.sql", "prod-backup.sql"],
  "warn history": [".bash_history", ".psql_history"],
  "warn dotenv": [".\u0435nv", ".e\u0578v"],
  "allow dotenv": [
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.local.example",
    "example.env",
    ".ENV.EXAMPLE",
    "credentials.example.json",
    "credentials.json.template",
    "terraform.tfvars.example",
    ".env.dist",
    "secrets.yml.sample",
  ],
  nothing: [
    "package.json",
    "tsconfig.json",
    "README.md",
    "id_rsa.pub",
    "key.pub",
    "env.ts",
    "environment.json",
    ".env.d.ts",
    "credentials.ts",
    "secrets.go",
    "src/config.json",
    "x/config",
    "keyboard.json",
    "monkey.txt",
    "LICENSE",
    ".gitignore",
    ".ssh/known_hosts",
    ".ssh/config",
    ".ssh/id_rsa.pub",
    ".environment",
    ".envoy.yaml",
    "tokenizer.json",
    "secretary.txt",
    "ca.crt",
    "env",
    "key",
    ".github/workflows/ci.yml",
    "authors.txt",
    "password-reset.html",
    "key.ts",
    "package-lock.json",
    "settings.xml",
    "schema.sql",
  ],
};

describe("judgeName", () => {
  for (const [verdict, paths] of Object.entries(TABLE)) {
    it.each(paths)(`says ${verdict} of %s`, (path) => {
      expect(judge(path)).toBe(verdict);
    });
  }

  it.each([
    [".env with a trailing space", ".env "],
    [".env with a trailing dot", ".env."],
    [".env with a leading space", " .env"],
    ["a zero-width space inside", ".e\u200bnv"],
    ["a right-to-left mark", "\u202e.env"],
    ["a soft hyphen", ".en\u00adv"],
    ["a one-dot leader", "\u2024env"],
    ["fullwidth letters", "\uff0e\uff45\uff4e\uff56"],
    ["a byte that is no UTF-8", ".env\ufffd"],
    ["a control character", ".env\u0007"],
    ["a variation selector", ".env\ufe0f"],
  ])("is not fooled by %s", (_what, name) => {
    expect(judge(name)).toBe("block dotenv");
  });

  it("never sorts out by its quick test what a rule of the table matches", () => {
    const exact = [...EXACT_NAMES.keys()];
    const endings = [...SUFFIXES.keys()].map((ending) => `some-name.${ending}`);
    const names = [
      ...exact,
      ...endings,
      ...exact.map((name) => name.toUpperCase()),
      ...exact.map((name) => `${name}.bak`),
    ];
    expect(names.filter((name) => isPlainName(name))).toEqual([]);
    const table = Object.entries(TABLE).flatMap(([verdict, paths]) => (verdict === "nothing" ? [] : paths));
    const bare = table.filter(
      (path) => !path.includes("/") && NAME_PATTERNS.some(([pattern]) => pattern.test(path.toLowerCase())),
    );
    expect(bare.length).toBeGreaterThan(40);
    expect(bare.filter((name) => isPlainName(name))).toEqual([]);
  });

  it("knows every directory that gives a name its meaning", () => {
    const unknown = [...PLACED_NAMES.keys()].filter(
      (place) => !isTellingPlace(`/home/me/${place.slice(0, place.indexOf("/"))}`),
    );
    expect(unknown).toEqual([]);
    expect(["/p/.SSH", "/p/.ssh/deep/er", "/p/mirror.git"].every((path) => isTellingPlace(path))).toBe(true);
    expect(["/p/src", "/p/ssh", "/p/.github", "/p/git-tools"].some((path) => isTellingPlace(path))).toBe(
      false,
    );
  });

  it("spells one name one way", () => {
    expect(normalizeName("..ENV.. ")).toBe("..env");
    expect(normalizeName("\u200b")).toBe("\u200b");
  });
});
