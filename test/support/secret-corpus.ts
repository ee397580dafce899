/**
 * Files of projects, secret and clean, as a table: what a scan must stop at, and what it must let pass. Every secret is
 * made up, and put together when the program runs, so that no file here holds one.
 */

export interface CorpusRow {
  readonly path: string;
  readonly content: string | Buffer;
  readonly secret: boolean;
}

let state = 20_261_120;
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}
function letters(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
}
const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const DIGITS = "0123456789";
const alnum = (length: number): string => `a1B${letters(LOWER + UPPER + DIGITS, length - 3)}`;
const hex = (length: number): string => `9c${letters("0123456789abcdef", length - 2)}`;
const upper = (length: number): string => letters(UPPER + DIGITS, length);
const base64 = (length: number): string => letters(`${LOWER + UPPER + DIGITS}+/`, length);
const joined = (...pieces: readonly string[]): string => pieces.join("");
const lines = (text: string): string => text.replaceAll(/.{64}/g, "$&\n");

const begin = (label: string): string => joined("-----", "BEGIN ", label, "-----");
const end = (label: string): string => joined("-----", "END ", label, "-----");
const pem = (label: string, length = 1600): string =>
  `${begin(label)}\n${lines(base64(length))}\n${end(label)}\n`;
const PRIVATE = joined("PRIVATE", " KEY");
const json = (value: unknown): string => JSON.stringify(value, null, 2);

/** Fake secrets by kind; used by the tests of the redactor too. */
export const FAKE_SECRETS: Readonly<Record<string, () => string>> = {
  "AWS access key id": () => joined("AK", "IA", upper(16)),
  "AWS temporary key id": () => joined("AS", "IA", upper(16)),
  "GitHub personal token": () => joined("gh", "p_", alnum(36)),
  "GitHub OAuth token": () => joined("gh", "o_", alnum(36)),
  "GitHub app token": () => joined("gh", "s_", alnum(36)),
  "GitHub user token": () => joined("gh", "u_", alnum(36)),
  "GitHub refresh token": () => joined("gh", "r_", alnum(76)),
  "GitHub fine-grained token": () => joined("github", "_pat_", alnum(22), "_", alnum(59)),
  "GitLab personal token": () => joined("gl", "pat-", alnum(20)),
  "GitLab deploy token": () => joined("gl", "dt-", alnum(20)),
  "GitLab runner token": () => joined("gl", "rt-", alnum(20)),
  "OpenAI key": () => joined("sk", "-", alnum(48)),
  "OpenAI project key": () => joined("sk", "-proj-", alnum(74), "T3Blbk", alnum(74)),
  "OpenAI service key": () => joined("sk", "-svcacct-", alnum(60)),
  "Anthropic key": () => joined("sk", "-ant-api03-", alnum(93), "AA"),
  "OpenRouter key": () => joined("sk", "-or-v1-", hex(64)),
  "Slack bot token": () => joined("xo", "xb-", letters(DIGITS, 12), "-", letters(DIGITS, 12), "-", alnum(24)),
  "Slack user token": () => joined("xo", "xp-", letters(DIGITS, 12), "-", letters(DIGITS, 12), "-", hex(32)),
  "Slack app token": () => joined("xa", "pp-1-", upper(11), "-", letters(DIGITS, 13), "-", hex(64)),
  "Slack webhook": () =>
    joined("https://hooks.sl", "ack.com/services/T", upper(10), "/B", upper(10), "/", alnum(24)),
  "Discord webhook": () =>
    joined("https://disc", "ord.com/api/webhooks/", letters("123456789", 18), "/", alnum(68)),
  "npm token": () => joined("np", "m_", alnum(36)),
  "PyPI token": () => joined("py", "pi-AgEIcHlwaS5vcmc", alnum(120)),
  "RubyGems key": () => joined("ruby", "gems_", hex(48)),
  "Stripe live key": () => joined("sk", "_live_", alnum(24)),
  "Stripe restricted key": () => joined("rk", "_live_", alnum(99)),
  "Stripe webhook secret": () => joined("wh", "sec_", alnum(32)),
  "Google API key": () => joined("AI", "za", alnum(35)),
  "Google OAuth secret": () => joined("GOC", "SPX-", alnum(28)),
  "Google access token": () => joined("ya", "29.", alnum(120)),
  "Azure storage key": () =>
    joined("DefaultEndpointsProtocol=https;AccountName=x;Account", "Key=", base64(86), "=="),
  "Azure AD secret": () => joined(alnum(3), "8Q", "~", alnum(34)),
  "Telegram bot token": () => joined(letters("123456789", 10), ":A", "A", alnum(33)),
  "Twilio key": () => joined("S", "K", hex(32)),
  "SendGrid key": () => joined("S", "G.", alnum(22), ".", alnum(43)),
  "Mailgun key": () => joined("ke", "y-", hex(32)),
  "Hugging Face token": () => joined("h", "f_", letters(LOWER + UPPER, 34)),
  "DigitalOcean token": () => joined("do", "p_v1_", hex(64)),
  "Shopify token": () => joined("shp", "at_", hex(32)),
  "Vault token": () => joined("hv", "s.", alnum(90)),
  "Terraform Cloud token": () => joined(alnum(14), ".atl", "asv1.", alnum(67)),
  "Databricks token": () => joined("da", "pi", hex(32)),
  "Atlassian token": () => joined("ATA", "TT3", alnum(180)),
  "Linear key": () => joined("lin", "_api_", alnum(40)),
  "Notion token": () => joined("nt", "n_", alnum(46)),
  "Sentry token": () => joined("sn", "trys_", base64(120)),
  "New Relic key": () => joined("NR", "AK-", upper(27)),
  "Docker Hub token": () => joined("dc", "kr_pat_", alnum(27)),
  "Grafana token": () => joined("gl", "sa_", alnum(32), "_", hex(8)),
  "Groq key": () => joined("gs", "k_", alnum(52)),
  "age key": () => joined("AGE-SEC", "RET-KEY-1", upper(58)),
  "RSA private key": () => pem(`RSA ${PRIVATE}`),
  "EC private key": () => pem(`EC ${PRIVATE}`, 164),
  "PKCS #8 private key": () => pem(PRIVATE),
  "OpenSSH private key": () => pem(`OPENSSH ${PRIVATE}`, 400),
  "encrypted private key": () => pem(`ENCRYPTED ${PRIVATE}`),
  "PGP private key": () =>
    `${begin(`PGP ${PRIVATE} BLOCK`)}\n\n${lines(base64(900))}\n=abcd\n${end(`PGP ${PRIVATE} BLOCK`)}\n`,
  "private key in JSON": () => JSON.stringify({ type: "service_account", private_key: pem(PRIVATE) }),
  "private key in base64": () => Buffer.from(pem(`RSA ${PRIVATE}`)).toString("base64"),
  "PostgreSQL URL": () => joined("postgres://app:", alnum(16), "@db.internal.net:5432/app"),
  "MySQL URL": () => joined("mysql://root:", alnum(12), "@10.0.0.5/app"),
  "MongoDB URL": () =>
    joined("mongodb+srv://svc:", alnum(20), "@cluster0.ab1cd.mongodb.net/?retryWrites=true"),
  "Redis URL": () => joined("redis://:", alnum(32), "@cache.internal.net:6379/0"),
  "AMQP URL": () => joined("amqps://worker:", alnum(18), "@mq.internal.net/vhost"),
  "URL with a password": () => joined("https://deploy:", alnum(14), "@git.internal.net/team/app.git"),
  "URL with a token": () => joined("https://", alnum(40), "@git.internal.net/team/app.git"),
  "Docker login": () =>
    json({ auths: { "r.io": { auth: Buffer.from(`bot:${alnum(20)}`).toString("base64") } } }),
  "AWS secret key": () => joined("aws_secret_access", "_key = ", base64(40)),
  "Basic authorization": () =>
    joined("Authorization: Basic ", Buffer.from(`bot:${alnum(20)}`).toString("base64")),
  "Bearer authorization": () => joined("Authorization: Bearer ", alnum(40)),
};

const ENV_VALUE = `API_URL=https://api.service.dev\nSESSION_KEY=${hex(32)}\n`;

/** Names that are secrets by themselves, with what such files hold. */
const NAMED_SECRETS: readonly (readonly [string, string | Buffer])[] = [
  ...[
    ".env",
    ".ENV",
    ".Env",
    ".env.local",
    ".env.production",
    ".env.staging",
    ".env.test",
    ".env.development.local",
    ".env.bak",
    ".env~",
    ".env.old",
    ".env_backup",
    ".env-prod",
    "prod.env",
    "docker.env",
    "config/.env.prod",
    ".env ",
    ".env.",
    "\uff0eenv",
    ".e\u200bnv",
    ".envrc",
    ".flaskenv",
    ".dev.vars",
    "dist/.env",
    ".next/.env.production",
    "node_modules/.env",
    "coverage/.env",
    ".git/.env",
    ".turbo/.env.local",
    "a/b/c/d/e/f/g/h/i/j/.env",
    "backend.env.local",
    "#.env#",
    ".env.keys",
  ].map((path) => [path, path.includes("envrc") ? `export TOKEN=${alnum(20)}\n` : ENV_VALUE] as const),
  [".env", Buffer.from(`\ufeffKEY=${alnum(20)}\r\n`, "utf16le")],
  ...[
    "id_rsa",
    "ID_RSA",
    "id_ed25519",
    "id_ed25519_sk",
    "id_ecdsa_sk",
    "id_rsa.bak",
    "id_dsa.old",
    "keys/deploy_id_rsa",
    ".ssh/work",
    "ssh_host_ed25519_key",
    "id_rsa (1)",
  ].map((path) => [path, pem(`OPENSSH ${PRIVATE}`, 400)] as const),
  ...[
    "server.key",
    "server.key.old",
    "tls/privkey.pem",
    "SERVER.PEM",
    "client.pem.bak",
    "private.key",
    "AuthKey_ABC.p8",
    "cert-and-key.pem",
  ].map((path) => [path, pem(PRIVATE)] as const),
  ["config/master.key", `${hex(32)}\n`],
  ["aes.key", Buffer.from(hex(64), "hex")],
  ["wireguard.key", `${base64(43)}=\n`],
  ["putty.ppk", joined("PuTTY-User-Key", "-File-3: ssh-ed25519\nEncryption: none\n")],
  ...[
    "release.p12",
    "push.pfx",
    "upload-keystore.jks",
    "Vault.kdbx",
    "app.keystore",
    "old.p12.bak",
    "login.keychain-db",
    "wallet.dat",
  ].map((path) => [path, Buffer.from(hex(128), "hex")] as const),
  [".npmrc", joined("//npm.corp.dev/:_auth", "Token=", hex(8), "-1234-4abc-9def-", hex(12), "\n")],
  [".npmrc", `_auth=${base64(40)}\nemail=a@b.c\n`],
  [".yarnrc.yml", `npmAuthToken: "${alnum(36)}"\n`],
  [".pypirc", `[pypi]\nusername = u\npassword = ${alnum(20)}\n`],
  ["pip.conf", `[global]\nindex-url = https://u:${alnum(16)}@pypi.internal.net/simple\n`],
  [
    "nuget.config",
    `<configuration><packageSourceCredentials><x><add key="ClearTextPassword" value="${alnum(16)}" /></x></packageSourceCredentials></configuration>`,
  ],
  [".cargo/credentials.toml", `[registry]\ntoken = "${alnum(35)}"\n`],
  [".gem/credentials", `---\n:rubygems_api_key: ${hex(40)}\n`],
  [".netrc", `machine github.com login me password ${alnum(20)}\n`],
  [".git-credentials", `https://me:${alnum(20)}@github.com\n`],
  [".git/config", `[remote "origin"]\n\turl = https://x-access-token:${alnum(36)}@github.com/a/b.git\n`],
  [".htpasswd", `admin:$apr1$${alnum(8)}$${alnum(22)}\n`],
  [".pgpass", `db:5432:app:me:${alnum(16)}\n`],
  [".my.cnf", `[client]\npassword=${alnum(16)}\n`],
  [
    ".aws/credentials",
    joined("[default]\naws_access_key_id=AK", "IA", upper(16), "\naws_secret_access_key=", base64(40), "\n"),
  ],
  [".aws/config", joined("[default]\naws_session_token = ", base64(200), "\n")],
  [".boto", "[Credentials]\ngs_oauth2_refresh_token = x\n"],
  [".s3cfg", `access_key = x\nsecret_key = ${alnum(40)}\n`],
  [
    "service-account.json",
    json({ type: "service_account", private_key_id: hex(40), private_key: pem(PRIVATE) }),
  ],
  ["gcp-key.json", json({ private_key: pem(PRIVATE) })],
  ["app-firebase-adminsdk-ab12c-3d4e5f.json", json({ private_key: pem(PRIVATE) })],
  ["application_default_credentials.json", json({ refresh_token: alnum(60), client_secret: alnum(24) })],
  ["credentials.json", json({ installed: { client_id: "1.apps", client_secret: alnum(24) } })],
  ["client_secret_12345.json", json({ web: { client_secret: alnum(24) } })],
  ["token.json", json({ token: alnum(120), refresh_token: alnum(60) })],
  ["rootkey.csv", `AWSAccessKeyId=x\nAWSSecretKey=${base64(40)}\n`],
  ["bob_accessKeys.csv", `Access key ID,Secret access key\nx,${base64(40)}\n`],
  [
    ".docker/config.json",
    json({
      auths: { "https://index.docker.io/v1/": { auth: Buffer.from(`u:${alnum(16)}`).toString("base64") } },
    }),
  ],
  ["kubeconfig", `apiVersion: v1\nusers:\n- name: a\n  user:\n    token: ${alnum(80)}\n`],
  [".kube/config", `users:\n- name: a\n  user:\n    client-key-data: ${base64(400)}\n`],
  ["prod.kubeconfig", `users:\n- user:\n    password: ${alnum(16)}\n`],
  ["terraform.tfstate", json({ version: 4, resources: [] })],
  ["terraform.tfstate.backup", json({ version: 4 })],
  ["prod.tfvars", `db_password = "${alnum(16)}"\n`],
  [".vault-token", `${alnum(24)}\n`],
  [
    ".codex/auth.json",
    json({ OPENAI_API_KEY: null, tokens: { access_token: alnum(200), refresh_token: alnum(60) } }),
  ],
  ["gh/hosts.yml", `github.com:\n    oauth_token: ${alnum(40)}\n    user: me\n`],
  ["secrets.yml", `production:\n  secret_key_base: ${hex(128)}\n`],
  ["k8s/secret.yaml", `apiVersion: v1\nkind: Secret\ndata:\n  whatever: ${base64(24)}\n`],
  ["config/database.yml", `production:\n  adapter: postgresql\n  password: ${alnum(16)}\n`],
  ["wp-config.php", `<?php\ndefine('DB_PASSWORD', '${alnum(16)}');\n`],
  ["key.properties", `storePassword=${alnum(12)}\nkeyAlias=upload\n`],
  [
    ".m2/settings.xml",
    `<settings><servers><server><password>${alnum(16)}</password></server></servers></settings>`,
  ],
  ["client.ovpn", `client\n<key>\n${pem(PRIVATE)}</key>\n`],
  ["wg0.conf", `[Interface]\nPrivateKey = ${base64(43)}=\n`],
  [
    "local.settings.json",
    json({ Values: { AzureWebJobsStorage: joined("AccountName=x;Account", "Key=", base64(86), "==") } }),
  ],
  ["rclone.conf", `[drive]\ntype = drive\ntoken = {"access_token":"${alnum(60)}"}\n`],
  ["sftp-config.json", json({ host: "h", user: "u", password: alnum(12) })],
  ["age/keys.txt", joined("# created\nAGE-SEC", "RET-KEY-1", upper(58), "\n")],
  ["passwords.txt", "bank hunter22\n"],
  ["logins.json", json({ logins: [] })],
  ["auth.json", json({ "github-oauth": { "github.com": alnum(40) }, token: alnum(40) })],
];

/** Secrets in files whose names say nothing: one of each kind, each time in another kind of file. */
const PLACES: readonly (readonly [string, (secret: string) => string | Buffer])[] = [
  [
    "src/client.ts",
    (secret) =>
      `export const client = connect("${secret.replaceAll("\n", "\\n").replaceAll('"', '\\"')}");\n`,
  ],
  ["notes.txt", (secret) => `remember:\n${secret}\n`],
  ["config/app.yaml", (secret) => `service:\n  key: |\n    ${secret.replaceAll("\n", "\n    ")}\n`],
  ["docs/howto.md", (secret) => `Run this:\n\n    curl -H '${secret}' https://api.service.dev\n`],
  ["build.log", (secret) => `${"2026-11-20 12:00:00 INFO nothing\n".repeat(4000)}using ${secret}\n`],
  ["script.sh", (secret) => `#!/bin/sh\nexport X='${secret}'\n`],
  ["wide.txt", (secret) => Buffer.from(`\ufeffnote: ${secret}\r\n`, "utf16le")],
  ["LICENSE", (secret) => secret],
];

const CLEAN: readonly (readonly [string, string | Buffer])[] = [
  [".env.example", "API_KEY=your-key-here\nDB_PASSWORD=\nTOKEN=<token>\n"],
  [".env.sample", "SECRET=changeme\n"],
  [".env.template", "SECRET=${SECRET}\n"],
  [".env.local.example", "A=\n"],
  ["example.env", "A=b\n"],
  [".env", "# nothing here\nAPI_KEY=\nURL=${URL}\n"],
  [".env.vault", joined('DOTENV_VAULT_DEVELOPMENT="', base64(80), '"\n')],
  [".env", 'HELLO="encrypted:BDb7t3QkTR2VVBuKFWzA=="\n'],
  [".env.d.ts", "declare const API_TOKEN: string;\n"],
  [".envrc", "use flake\nlayout python3\nPATH_add bin\n"],
  ["environment.ts", "export const environment = { production: false };\n"],
  ["ca-bundle.pem", pem("CERTIFICATE").repeat(120)],
  ["cert.pem", pem("CERTIFICATE")],
  ["public.pem", pem("PUBLIC KEY", 380)],
  ["dhparam.pem", pem("DH PARAMETERS", 400)],
  ["request.pem", pem("CERTIFICATE REQUEST")],
  [
    "signing-key.asc",
    `${begin("PGP PUBLIC KEY BLOCK")}\n\n${lines(base64(900))}\n${end("PGP PUBLIC KEY BLOCK")}\n`,
  ],
  ["release.tar.gz.asc", `${begin("PGP SIGNATURE")}\n\n${lines(base64(300))}\n${end("PGP SIGNATURE")}\n`],
  ["repo.gpg", Buffer.from(`99${hex(400)}`, "hex")],
  ["id_rsa.pub", `ssh-rsa AAAA${base64(300)} me@host\n`],
  ["id_ed25519.pub", `ssh-ed25519 AAAA${base64(64)} me@host\n`],
  [".ssh/known_hosts", `github.com ssh-ed25519 AAAA${base64(64)}\n`],
  [".ssh/config", "Host github.com\n  User git\n"],
  ["en.key", "hello = Hello\nbye = Good bye\n"],
  ["de.key", '"greeting": "Guten Tag"\n"leave": "Auf Wiedersehen"\n'],
  ["Slides.key", Buffer.concat([Buffer.from("504b0304140000000800", "hex"), Buffer.from(hex(800), "hex")])],
  ["certs.key/readme.md", "# certificates\n"],
  [".npmrc", "//npm.corp.dev/:_authToken=${NPM_TOKEN}\nengine-strict=true\n"],
  [".npmrc", "save-exact=true\nregistry=https://npm.corp.dev/\n"],
  [".yarnrc.yml", 'nodeLinker: node-modules\nnpmAuthToken: "${NPM_TOKEN:-}"\n'],
  ["pip.conf", "[global]\nindex-url = https://pypi.org/simple\n"],
  [
    "nuget.config",
    '<configuration><packageSources><add key="nuget.org" value="https://api.nuget.org/v3/index.json" /></packageSources></configuration>',
  ],
  ["gradle.properties", "org.gradle.jvmargs=-Xmx2g\nandroid.useAndroidX=true\n"],
  [".git/config", '[core]\n\tbare = false\n[remote "origin"]\n\turl = git@github.com:a/b.git\n'],
  [".git/config", '[remote "origin"]\n\turl = https://github.com/a/b.git\n'],
  [".docker/config.json", json({ auths: { "r.io": {} }, credsStore: "desktop" })],
  [
    "tokens.json",
    json({ color: { primary: { value: "#ff00aa", type: "color" } }, spacing: { "4xl": { value: "64px" } } }),
  ],
  ["tokenizer.json", json({ model: { vocab: { token: 1, secret: 2 } } })],
  [
    "tokenizer_config.json",
    json({ bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>", tokenizer_class: "LlamaTokenizer" }),
  ],
  ["special_tokens_map.json", json({ pad_token: "[PAD]", sep_token: "[SEP]" })],
  ["credentials.ts", "export interface Credentials { password: string; token: string }\n"],
  ["src/secrets.py", "import os\nSECRET = os.environ['SECRET']\npassword = get_password(user)\n"],
  ["secret.yaml", "apiVersion: v1\nkind: Secret\ndata:\n  password: {{ .Values.password | b64enc }}\n"],
  ["sealed-secret.yaml", `kind: SealedSecret\nspec:\n  encryptedData:\n    a: ${base64(200)}\n`],
  ["external-secret.yaml", "kind: ExternalSecret\nspec:\n  secretStoreRef:\n    name: vault\n"],
  ["secrets.yml", 'production:\n  secret_key_base: <%= ENV["SECRET_KEY_BASE"] %>\n'],
  ["secrets.sops.yaml", `password: ENC[AES256_GCM,data:${base64(20)},type:str]\nsops:\n  version: 3\n`],
  ["credentials.yml.enc", base64(400)],
  ["terraform.tfvars", 'region = "eu-west-1"\ninstance_type = "t3.micro"\n'],
  ["terraform.tfvars.example", 'db_password = "changeme"\n'],
  ["database.yml", "default:\n  adapter: sqlite3\n  pool: 5\n"],
  ["google-services.json", json({ project_info: { project_id: "demo" } })],
  ["debug.keystore", Buffer.from(hex(200), "hex")],
  ["dev.sqlite3", Buffer.from("SQLite format 3\0")],
  ["node_modules/agent/test/server.pem", pem(PRIVATE)],
  ["node_modules/dep/README.md", `Use \`${joined("gh", "p_", alnum(36))}\`\n`],
  [
    "package-lock.json",
    json({
      packages: {
        "node_modules/x": {
          integrity: `sha512-${base64(86)}==`,
          resolved: "https://npm.corp.dev/x/-/x-1.0.0.tgz",
        },
      },
    }),
  ],
  [
    "yarn.lock",
    `x@^1.0.0:\n  resolved "https://registry.yarnpkg.com/x/-/x-1.0.0.tgz#${hex(40)}"\n  integrity sha512-${base64(86)}==\n`,
  ],
  ["go.sum", `github.com/a/b v1.0.0 h1:${base64(43)}=\n`],
  ["Cargo.lock", `[[package]]\nname = "x"\nchecksum = "${hex(64)}"\n`],
  ["poetry.lock", `hash = "sha256:${hex(64)}"\n`],
  ["commits.txt", `${hex(40)} fix token handling\n${hex(40)} rename secret-store\n`],
  ["uuid.txt", "3f2504e0-4f89-41d3-9a0c-0305e82c3301\n"],
  [
    "src/auth.ts",
    "const token = await getToken(user.id);\nconst password = form.password.value;\nif (secret === process.env.SECRET) throw new Error('no');\n",
  ],
  [
    "src/login.tsx",
    '<input type="password" name="password" placeholder="Password123" autoComplete="current-password" />\n',
  ],
  [
    "src/css.css",
    ".sk-circle .sk-child { width: 100% }\n.sk-folding-cube-animation-duration-one-second { margin: 0 }\n",
  ],
  [
    "docs/aws.md",
    joined(
      "aws_access_key_id = AKIAIOSFODNN7",
      "EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY",
      "EXAMPLEKEY\n",
    ),
  ],
  ["docs/github.md", joined("export GITHUB_TOKEN=gh", "p_", "x".repeat(36), "\n")],
  ["docs/openai.md", joined("OPENAI_API_KEY=sk", "-your-key-here\nOPENAI_API_KEY=sk", "-...\n")],
  [
    "docs/slack.md",
    joined("https://hooks.sl", "ack.com/services/XXXXXXXXX/XXXXXXXXX/XXXXXXXXXXXXXXXXXXXXXXXX\n"),
  ],
  ["docs/keys.md", `Paste your key:\n\n${begin(`RSA ${PRIVATE}`)}\n...\n${end(`RSA ${PRIVATE}`)}\n`],
  ["src/pem.ts", `export const isPem = (text: string) => text.startsWith("${begin(PRIVATE)}");\n`],
  [
    "docs/db.md",
    "postgres://user:password@localhost:5432/db\nmysql://root:root@127.0.0.1/test\nredis://:${REDIS_PASSWORD}@cache:6379\n",
  ],
  [
    "docker-compose.yml",
    "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: postgres\n      DATABASE_URL: postgres://postgres:postgres@db:5432/app\n",
  ],
  [
    "docs/urls.md",
    "https://user:pass@example.com/ and https://example.com/@scope/name and git+ssh://git@github.com/a/b.git\n",
  ],
  [
    "src/urls.ts",
    "const a = `https://${user}:${password}@${host}/`;\nconst b = 'http://localhost:3000/@vite/client';\n",
  ],
  [
    "ci.yml",
    "env:\n  TOKEN: ${{ secrets.TOKEN }}\n  NPM_TOKEN: ${NPM_TOKEN}\nsteps:\n  - uses: actions/checkout@v4\n",
  ],
  ["helm/values.yaml", 'image:\n  tag: "1.2.3"\nimagePullSecrets: []\nexistingSecret: ""\n'],
  ["src/Basic.vue", "<template><Basic layout /></template>\n"],
  [
    "src/bearer.ts",
    "headers.set('Authorization', `Bearer ${token}`);\nheaders.set('authorization', 'Bearer ' + token);\n",
  ],
  [
    "openapi.yaml",
    "securitySchemes:\n  bearerAuth:\n    type: http\n    scheme: bearer\n    bearerFormat: JWT\n",
  ],
  [
    "src/i18n/en.json",
    json({
      password: "Password",
      "password.reset": "Reset your password",
      token: "Token",
      secret: "Secret answer",
    }),
  ],
  [
    "jwt.test.ts",
    `const token = "${joined("ey", "JhbGciOiJIUzI1NiJ9.ey", "JzdWIiOiIxMjM0NTY3ODkwIn0.", alnum(43))}";\n`,
  ],
  ["data.bin", Buffer.from(hex(8000), "hex")],
  ["image.svg", `<svg><image href="data:image/png;base64,${base64(3000)}"/></svg>\n`],
  [
    "bundle.min.js",
    `!function(){var a="${base64(2000)}",token=e.token||"",secretKey=t.secretKey;fetch("https://api.x.dev/v1")}();\n`,
  ],
  ["source.js.map", json({ version: 3, sources: ["a.ts"], mappings: base64(4000) })],
  ["src/hash.ts", `export const EMPTY = "${hex(64)}";\nexport const COMMIT = "${hex(40)}";\n`],
  ["words.txt", "task-runner risk-averse disk-usage ask-me-anything desk-lamp\n"],
  ["CODEOWNERS", "* @team\n"],
  ["requirements.txt", `requests==2.31.0 --hash=sha256:${hex(64)}\n`],
  ["keyboard.json", json({ keys: [{ key: "a" }] })],
  ["monkey.txt", "a monkey\n"],
  [
    "pgp.md",
    `${begin("PGP SIGNED MESSAGE")}\nhello\n${begin("PGP SIGNATURE")}\n${lines(base64(200))}\n${end("PGP SIGNATURE")}\n`,
  ],
  ["ssh.md", `ssh-ed25519 AAAA${base64(64)} me\n`],
  [
    "k8s/deploy.yaml",
    "env:\n  - name: DB_PASSWORD\n    valueFrom:\n      secretKeyRef:\n        name: db-credentials\n        key: password\n",
  ],
  [
    "src/config.go",
    'type Config struct {\n\tPassword string `json:"password"`\n\tAPIKey   string `env:"API_KEY,required"`\n}\n',
  ],
  ["notebook.ipynb", json({ cells: [{ outputs: [{ data: { "image/png": base64(2000) } }] }] })],
  [
    "appsettings.json",
    json({ ConnectionStrings: { Default: "Server=localhost;Database=app;Trusted_Connection=True;" } }),
  ],
  [".gitignore", ".env\n*.pem\nid_rsa\n"],
  ["src/redact.ts", "const PATTERN = /gh[pousr]_[A-Za-z0-9]{36}|AKIA[A-Z0-9]{16}|sk-ant-[A-Za-z0-9-]+/g;\n"],
  ["fixtures/token.txt.md", "no token\n"],
];

export function secretCorpus(): CorpusRow[] {
  const named = NAMED_SECRETS.map(([path, content]) => ({ path, content, secret: true }));
  const inContent = Object.values(FAKE_SECRETS).flatMap((fake, index) =>
    [0, 3].map((step) => {
      const [path, wrap] = PLACES[(index + step) % PLACES.length] ?? ["x.txt", (secret: string) => secret];
      return { path, content: wrap(fake()), secret: true };
    }),
  );
  const clean = CLEAN.map(([path, content]) => ({ path, content, secret: false }));
  return [...named, ...inContent, ...clean];
}
