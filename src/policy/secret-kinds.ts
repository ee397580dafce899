/** The words for secrets: what a finding may be called. They are shown to callers and counted, so they are API; values never are. */

/** Kinds that a file's name (with a look at its first bytes) tells. */
export type NameKind =
  | "dotenv"
  | "private-key"
  | "key-store"
  | "package-credentials"
  | "cloud-credentials"
  | "cluster-credentials"
  | "database-credentials"
  | "tool-credentials"
  | "infrastructure-state"
  | "encrypted"
  | "database"
  | "history"
  | "link";

/** Kinds that only text tells; the redactor's markers carry them too. */
export type ContentKind =
  | "private-key"
  | "aws"
  | "github"
  | "gitlab"
  | "openai"
  | "anthropic"
  | "slack"
  | "discord"
  | "npm"
  | "pypi"
  | "rubygems"
  | "stripe"
  | "google"
  | "azure"
  | "telegram"
  | "twilio"
  | "sendgrid"
  | "mailgun"
  | "huggingface"
  | "digitalocean"
  | "shopify"
  | "hashicorp"
  | "databricks"
  | "atlassian"
  | "linear"
  | "notion"
  | "sentry"
  | "newrelic"
  | "age"
  | "jwt"
  | "database-url"
  | "basic-auth-url"
  | "kubernetes"
  | "docker-auth"
  | "bearer"
  | "api-token"
  | "assignment";

export type SecretKind = NameKind | ContentKind;

/** `block`: nothing starts while it lies there. `warn`: the owner hears of it. `allow`: known, and known to be harmless. */
export type Verdict = "block" | "warn" | "allow";

/**
 * How the first bytes of a file with a doubtful name are judged; `secret-looks.ts` does it. The verdict of the name
 * stands when the bytes cannot be read or prove nothing.
 */
export type Look =
  | "dotenv"
  | "envrc"
  | "pem"
  | "key"
  | "assignments"
  | "npmrc"
  | "url"
  | "filled"
  | "manifest"
  | "template";

export interface NameJudgement {
  readonly verdict: Verdict;
  readonly kind: NameKind;
  /** Present where content may clear the name, or make it worse. */
  readonly look?: Look;
  /** Present where no content makes it worse than a warning: what a registry hands to everybody. */
  readonly atMost?: "warn";
}

/** One secret in a text: `text.slice(start, end)`. */
export interface ContentHit {
  readonly kind: ContentKind;
  readonly verdict: "block" | "warn";
  readonly start: number;
  readonly end: number;
  /** Told by the name before it alone: a form of its own at the same place says more. */
  readonly isVague?: boolean;
}
