/**
 * The table of names that secrets go by: whole names, names under a telling directory, endings and patterns.
 * All names are normalized (lower case, no odd characters). Judging is done in secret-names.ts; nothing here reads a disk.
 */
import type { Look, NameJudgement, NameKind } from "./secret-kinds.ts";

const block = (kind: NameKind, look?: Look): NameJudgement =>
  look === undefined ? { verdict: "block", kind } : { verdict: "block", kind, look };
const warn = (kind: NameKind, look?: Look): NameJudgement =>
  look === undefined ? { verdict: "warn", kind } : { verdict: "warn", kind, look };

function table(groups: readonly (readonly [NameJudgement, string])[]): ReadonlyMap<string, NameJudgement> {
  return new Map(
    groups.flatMap(([judgement, names]) => names.split(/\s+/).map((name) => [name, judgement] as const)),
  );
}

/** Whole names, wherever they lie. */
export const EXACT_NAMES = table([
  [block("dotenv", "dotenv"), ".env .flaskenv .dev.vars .secrets .secret .prod.vars"],
  [block("dotenv", "envrc"), ".envrc"],
  [block("private-key"), "identity.pem ssh_host_key private-key private_key privatekey deploy_key"],
  [block("private-key", "pem"), "identity"],
  [block("package-credentials", "npmrc"), ".npmrc _npmrc .yarnrc .yarnrc.yml .yarnrc.yaml bunfig.toml"],
  [
    block("package-credentials", "assignments"),
    ".pypirc pypirc .gemrc nuget.config .nuget.config gradle.properties",
  ],
  [block("package-credentials", "url"), "pip.conf pip.ini .condarc .bowerrc"],
  [
    block("cloud-credentials"),
    "application_default_credentials.json rootkey.csv accesskeys.csv .boto .s3cfg .databrickscfg",
  ],
  [
    block("cloud-credentials", "assignments"),
    "credentials.csv local.settings.json .passwd-s3fs .ossutilconfig .bluemix",
  ],
  [
    block("cloud-credentials", "assignments"),
    "accesstokens.json azureprofile.json msal_token_cache.json gcloud.json",
  ],
  [
    block("cluster-credentials", "assignments"),
    "kubeconfig kubeconfig.yaml kubeconfig.yml kubeconfig.json k3s.yaml rke2.yaml kube_config",
  ],
  [block("database-credentials", "filled"), ".pgpass pgpass.conf .mylogin.cnf .cvspass"],
  [
    block("database-credentials", "assignments"),
    ".my.cnf my.cnf database.yml database.yaml .pg_service.conf wp-config.php robomongo.json",
  ],
  [
    block("tool-credentials", "filled"),
    ".git-credentials .netrc _netrc .htpasswd htpasswd .htdigest .vault-token .vault_pass",
  ],
  [
    block("tool-credentials", "filled"),
    ".vault_password .vault_pass.txt vault_pass.txt vault_password_file .ansible_vault_pass .passwd .passwords passwords .password .token .tokens .api_key .apikey .api-key",
  ],
  [
    block("tool-credentials", "filled"),
    "passwords.txt password.txt passwords.csv passwords.json passwords.xlsx token.txt tokens.txt api_key.txt apikey.txt api-key.txt api_keys.txt apikeys.txt secret.txt secrets.txt credentials.txt creds.txt",
  ],
  [
    block("tool-credentials", "assignments"),
    ".dockercfg .dockerconfigjson .credentials .credentials.json auth.json oauth_creds.json .clasprc.json .sentryclirc rclone.conf .ngrok.yml ngrok.yml ngrok.yaml",
  ],
  [
    block("tool-credentials", "assignments"),
    "sftp-config.json sftp.json .ftpconfig ftpconfig .remote-sync.json filezilla.xml sitemanager.xml recentservers.xml .esmtprc .msmtprc .fetchmailrc .offlineimaprc .muttrc .s3curl .rtorrent.rc .mc-config.json .terraformrc terraform.rc .hgrc",
  ],
  [
    block("tool-credentials", "assignments"),
    "credentials credentials.json credentials.yml credentials.yaml credentials.toml credentials.ini credentials.xml credentials.properties credentials.conf credentials.cfg credentials.db creds.json creds.yml creds.yaml .creds",
  ],
  [
    block("tool-credentials", "manifest"),
    "secrets.json secrets.yml secrets.yaml secrets.toml secrets.ini secrets.xml secrets.properties secrets.conf secrets.cfg secrets.tfvars secret.json secret.yml secret.yaml secret.toml secret.properties secret.conf secrets vault.yml vault.yaml",
  ],
  [
    block("tool-credentials", "assignments"),
    "client_secret.json client_secrets.json client-secret.json token.json tokens.json access_token.json refresh_token.json oauth.json oauth_token.json api_keys.json apikeys.json keyfile.json token.pickle",
  ],
  [
    block("tool-credentials", "assignments"),
    "key.properties keystore.properties signing.properties sonar-project.properties release.properties settings-security.xml",
  ],
  [
    block("key-store"),
    "key4.db key3.db logins.json signons.sqlite wallet.dat login.keychain login.keychain-db secring.gpg secring.pgp trustdb.gpg.key .keystore keystore",
  ],
  [block("private-key", "key"), "master.key"],
  [warn("private-key", "pem"), "keys.txt key.txt .age-key.txt"],
  [
    warn("key-store"),
    "debug.keystore cacerts truststore.jks truststore.p12 truststore.pfx truststore.pkcs12 trust.jks",
  ],
  [warn("cloud-credentials"), "google-services.json googleservice-info.plist"],
  [
    warn("encrypted"),
    ".env.vault credentials.yml.enc secrets.yml.enc secrets.enc.yaml secrets.enc.yml secrets.enc.json secrets.sops.yaml secrets.sops.yml",
  ],
  [
    warn("history"),
    ".bash_history .zsh_history .sh_history .history .psql_history .mysql_history .sqlite_history .python_history .node_repl_history .irb_history .rediscli_history .dbshell .lesshst .viminfo",
  ],
  [warn("database"), "dump.sql backup.sql dump.rdb"],
]);

/** Names that mean something only below the given directory: `directory/name`. */
export const PLACED_NAMES = table([
  [
    block("cloud-credentials", "assignments"),
    ".aws/credentials .aws/config .oci/config .aliyun/config.json .bluemix/config.json doctl/config.yaml .doctl/config.yaml .fly/config.yml .netlify/config.json .railway/config.json .vercel/auth.json com.vercel.cli/auth.json scw/config.yaml linode-cli/config hcloud/cli.toml",
  ],
  [
    block("cloud-credentials"),
    "gcloud/credentials.db gcloud/access_tokens.db .azure/accesstokens.json .azure/msal_token_cache.json .azure/msal_token_cache.bin .azure/service_principal_entries.json",
  ],
  [block("cluster-credentials", "assignments"), ".kube/config kubernetes/admin.conf"],
  [
    block("tool-credentials", "assignments"),
    ".docker/config.json containers/auth.json .codex/auth.json .codex/.credentials.json .claude/.credentials.json .gemini/oauth_creds.json .gemini/google_accounts.json gh/hosts.yml gh/hosts.yaml .config/hub glab-cli/config.yml .terraform.d/credentials.tfrc.json .op/config .m2/settings.xml .m2/settings-security.xml .streamlit/secrets.toml .dbt/profiles.yml .snowflake/config.toml .snowsql/config .jupyter/jupyter_server_config.json .huggingface/token huggingface/token huggingface/stored_tokens .cache/token .composer/auth.json .dbeaver/credentials-config.json .irssi/config .weechat/sec.conf .travis/config.yml .cursor/auth.json",
  ],
  [
    block("package-credentials", "assignments"),
    ".cargo/credentials .cargo/credentials.toml .gem/credentials .bundle/config .ivy2/.credentials .sbt/credentials .hex/hex.config pypoetry/auth.toml",
  ],
  [block("tool-credentials", "url"), ".git/config .git/config.worktree .hg/hgrc"],
  [
    block("dotenv", "dotenv"),
    ".envs/.django .envs/.postgres .envs/.local .envs/.production .production/.django .production/.postgres .local/.django .local/.postgres",
  ],
  [block("private-key", "key"), "age/keys.txt sops/keys.txt"],
  [block("tool-credentials"), "etc/shadow etc/shadow- etc/gshadow etc/gshadow- etc/master.passwd"],
]);

/** Directories below which every file that is not known to be public is a key: `.ssh/github`, `.gnupg/private-keys-v1.d/x.key`. */
export const KEY_DIRECTORIES: ReadonlySet<string> = new Set([
  ".ssh",
  ".gnupg",
  "private-keys-v1.d",
  "keychains",
]);
export const PUBLIC_IN_KEY_DIRECTORIES =
  /^(?:known_hosts|authorized_keys2?|config|environment|allowed_signers|gpg(?:-agent|sm)?\.conf|dirmngr\.conf|trustdb\.gpg|pubring\..*|readme.*|\.gitkeep|\.gpg-id|\.gitattributes|random_seed|sshcontrol|crls\.d|.*\.pub|.*\.md|.*\.lock)(?:[.~-]old|~)?$/;

/** Last extensions. */
export const SUFFIXES = table([
  [block("dotenv", "dotenv"), "env"],
  [block("private-key", "pem"), "pem p8 pk8 pkcs8 pvk priv privkey"],
  [block("private-key", "key"), "key"],
  [block("private-key"), "ppk agekey"],
  [block("private-key", "pem"), "asc gpg pgp"],
  [
    block("key-store"),
    "p12 pfx pkcs12 jks jceks bks bcfks kdbx kdb psafe3 keystore keychain keychain-db agilekeychain opvault 1pif 1pux kwallet wallet",
  ],
  [block("cluster-credentials", "assignments"), "kubeconfig"],
  [block("infrastructure-state"), "tfstate"],
  [block("infrastructure-state", "assignments"), "tfvars"],
  [block("tool-credentials", "pem"), "ovpn"],
  [block("tool-credentials", "filled"), "secret secrets token htpasswd netrc pgpass"],
  [block("tool-credentials", "assignments"), "credentials"],
  [block("tool-credentials", "assignments"), "mobileconfig publishsettings azureauth"],
  [warn("database"), "sqlite sqlite3 db3 dump rdb bacpac mdb"],
  [warn("encrypted"), "sops"],
]);

/** Patterns, tried in order after the maps. */
export const NAME_PATTERNS: readonly (readonly [RegExp, NameJudgement])[] = [
  [/^\.env\.keys$/, block("dotenv", "dotenv")],
  [/^\.envrc[._-]/, block("dotenv", "envrc")],
  [/^\.env(?:[.\-_].*)?\.(?:tsx?|[cm]?[jt]s|py|rb|php|go|sh)$/, block("dotenv", "assignments")],
  [/^\.env(?:[^a-z].*)?$/, block("dotenv", "dotenv")],
  [/^\.envs?(?:\.[^/]*)?$/, block("dotenv", "dotenv")],
  [/^\.(?:dev|prod|production|staging|test|local)\.vars(?:\..*)?$|^\.dev\.vars\./, block("dotenv", "dotenv")],
  [
    /^env\.(?:local|prod|production|staging|dev|development|test|secret|private|live)$/,
    block("dotenv", "dotenv"),
  ],
  [
    /\.env\.(?:local|prod|production|staging|stage|dev|development|test|testing|ci|live|secret|private|qa|uat|docker|json|ya?ml|toml|txt|keys)$/,
    block("dotenv", "dotenv"),
  ],
  [
    /^(?:.*[._-])?id_(?:rsa|dsa|ecdsa|ed25519|ed448|xmss)(?:[_-]sk)?(?:[._-](?!pub$)[^.]*)?$/,
    block("private-key"),
  ],
  [/^ssh_host_[a-z0-9]+_key$/, block("private-key")],
  [/^[\w.-]+[_-](?:rsa|dsa|ecdsa|ed25519)$/, warn("private-key", "pem")],
  [
    /^(?:.*[._-])?(?:private|priv|secret)[._-]?key(?:[._-](?:prod|production|dev|staging|test))?(?:\.(?:txt|der|bin|asc|gpg|json|jwk|xml|base64|b64))?$/,
    block("private-key", "key"),
  ],
  [/(?:^|[._-])jwks?[._-]private.*\.json$|private.*jwks?\.json$/, block("private-key", "assignments")],
  [/^(?:.*[._-])?service[._-]?account(?:[._-].*)?\.json$/, block("cloud-credentials", "assignments")],
  [
    /^.*firebase-adminsdk.*\.json$|^(?:gcp|gcs|gcloud|google|bigquery|firebase)[._-]?(?:key|creds?|credentials?|sa|service)(?:[._-].*)?\.json$|^gha-creds-.*\.json$/,
    block("cloud-credentials", "assignments"),
  ],
  [
    /^client[._-]?secrets?(?:[._-].*)?\.json$|apps\.googleusercontent\.com\.json$/,
    block("tool-credentials", "assignments"),
  ],
  [/^.*(?:access[_-]?keys?|rootkey).*\.csv$/, block("cloud-credentials")],
  [
    /^(?:.*[._-])?(?:credentials?|creds)(?:[._-][\w.-]*)?\.(?:json|ya?ml|toml|ini|xml|properties|conf|cfg|csv|txt)$/,
    block("tool-credentials", "assignments"),
  ],
  [
    /^(?:.*[._-])?secrets?(?:[._-][\w-]+)*\.(?:json|ya?ml|toml|ini|xml|properties|conf|cfg|txt)$/,
    block("tool-credentials", "manifest"),
  ],
  [/^(?:.*[._-])?kube[._-]?config(?:[._-].*)?$/, block("cluster-credentials", "assignments")],
  [/\.tfstate(?:\..*)?$/, block("infrastructure-state")],
  [/\.tfvars(?:\.json)?$/, block("infrastructure-state", "assignments")],
  [/\.auto\.tfvars/, block("infrastructure-state", "assignments")],
  [/^\.(?:npmrc|yarnrc)[._-]/, block("package-credentials", "npmrc")],
  [/^\.(?:netrc|pgpass|git-credentials)[._-]/, block("tool-credentials", "filled")],
  [/^(?:.*[._-])?(?:aws|gcp|azure)[._-]?credentials?$/, block("cloud-credentials", "assignments")],
  [/^(?:.*[._-])?keys?\.json$/, warn("cloud-credentials", "assignments")],
  [/^(?:.*[._-])passw(?:or)?ds?\.txt$/, block("tool-credentials", "filled")],
  [/^\.?htpasswd[._-]/, block("tool-credentials", "filled")],
  [/^(?:.*[._-])?wg\d*\.conf$/, block("tool-credentials", "assignments")],
  [/^.*(?:[._-](?:dump|backup)|^dump.*|^backup.*)\.sql(?:\.gz)?$/, warn("database")],
  [
    /^bitwarden.*export.*\.(?:json|csv)$|^1password.*\.(?:csv|1pux)$|^lastpass.*\.csv$|(?:chrome|firefox|keepass).*passwords?.*\.csv$/,
    block("key-store"),
  ],
];
