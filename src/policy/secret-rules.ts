/**
 * The table of secrets that have a form of their own. Pure data. Each pattern is tried only where one of its literals
 * stands, begins there, is bounded in length, and is anchored by what may not precede it; group 1, where there is one,
 * is the secret inside the match.
 */
import type { ContentKind } from "./secret-kinds.ts";

export interface ContentRule {
  readonly kind: ContentKind;
  /** `warn`: worth a word, no reason to stop; redacted all the same. */
  readonly verdict: "block" | "warn";
  /** Any of them opens the gate; compared without case, the pattern is not. */
  readonly literals: readonly string[];
  /** Sticky: tried exactly where the literal begins. */
  readonly pattern: RegExp;
  /** The group is base64 of text that must look like this. */
  readonly decodes?: RegExp;
  /** Something that must stand nearby. */
  readonly near?: RegExp;
}

const block = (kind: ContentKind, literals: string, pattern: RegExp, decodes?: RegExp): ContentRule => {
  const rule = { kind, verdict: "block", literals: literals.split(" "), pattern } as const;
  return decodes === undefined ? rule : { ...rule, decodes };
};
const warn = (kind: ContentKind, literals: string, pattern: RegExp): ContentRule => ({
  kind,
  verdict: "warn",
  literals: literals.split(" "),
  pattern,
});

const HEX = "0123456789abcdef";

export const CONTENT_RULES: readonly ContentRule[] = [
  block(
    "aws",
    "akia asia abia acca",
    /(?<![A-Za-z0-9/+_])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9/+_])/y,
  ),
  block(
    "aws",
    "secret_access_key secretaccesskey secret-access-key secret_key aws_secret awssecret",
    /(?:aws_?secret_?|secret[_-]?)(?:access[_-]?)?(?:key)?\\?["']?\s{0,8}(?::=|=>|[:=])\s{0,8}\\?["']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])/iy,
  ),
  block("github", "ghp_ gho_ ghu_ ghs_ ghr_", /(?<![A-Za-z0-9_])gh[pousr]_[A-Za-z0-9_]{36,255}/y),
  block("github", "github_pat_", /(?<![A-Za-z0-9_])github_pat_[A-Za-z0-9_]{36,255}/y),
  block(
    "gitlab",
    "glpat- gldt- glrt- glcbt- glptt- glft- glimt- glagent- gloas- glsoat- glwt-",
    /(?<![A-Za-z0-9_])gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|wt)-[A-Za-z0-9_.-]{20,300}/y,
  ),
  block("gitlab", "gr1348941", /(?<![A-Za-z0-9_])GR1348941[A-Za-z0-9_-]{20,50}/y),
  block("anthropic", "sk-ant-", /(?<![A-Za-z0-9_])sk-ant-[A-Za-z0-9_-]{24,300}/y),
  block(
    "openai",
    "sk-proj- sk-svcacct- sk-admin- sk-service- sk-none-",
    /(?<![A-Za-z0-9_])sk-(?:proj|svcacct|admin|service|None)-[A-Za-z0-9_-]{20,300}/y,
  ),
  block(
    "openai",
    "sk-",
    /(?<![A-Za-z0-9_-])sk-(?:or-v1-)?(?=[A-Za-z]*\d)[A-Za-z0-9]{32,128}(?![A-Za-z0-9_-])/y,
  ),
  block(
    "slack",
    "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xoxe.",
    /(?<![A-Za-z0-9_])xox[abeoprs][-.](?=[A-Za-z-]{0,20}\d)[A-Za-z0-9.-]{10,300}/y,
  ),
  block("slack", "xapp-", /(?<![A-Za-z0-9_])xapp-\d-[A-Z0-9]{5,20}-\d{5,20}-[A-Za-z0-9]{20,100}/y),
  block(
    "slack",
    "hooks.slack.com/",
    /hooks\.slack\.com\/(?:services|workflows|triggers)\/([A-Za-z0-9+/_-]{20,200})/y,
  ),
  block(
    "discord",
    "discord.com/api/webhooks/ discordapp.com/api/webhooks/",
    /discord(?:app)?\.com\/api\/webhooks\/(\d{16,22}\/[A-Za-z0-9_-]{40,100})/y,
  ),
  block("npm", "npm_", /(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9_])/y),
  block(
    "npm",
    "_authtoken npmauthtoken",
    /(?:_authToken|npmAuthToken)["']?\s{0,4}[=:]\s{0,4}["']?((?=[A-Za-z_+/=.-]*\d)[A-Za-z0-9_+/=.-]{12,512})/y,
  ),
  block("pypi", "pypi-", /(?<![A-Za-z0-9_-])pypi-(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{50,400}/y),
  block("rubygems", "rubygems_", /(?<![A-Za-z0-9_])rubygems_[a-f0-9]{48}/y),
  block("stripe", "sk_live_ rk_live_", /(?<![A-Za-z0-9_])[sr]k_live_[A-Za-z0-9]{16,250}/y),
  warn("stripe", "sk_test_ rk_test_", /(?<![A-Za-z0-9_])[sr]k_test_[A-Za-z0-9]{16,250}/y),
  block("stripe", "whsec_", /(?<![A-Za-z0-9_])whsec_[A-Za-z0-9+/=]{24,120}/y),
  block("google", "aiza", /(?<![A-Za-z0-9_-])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])/y),
  block("google", "gocspx-", /(?<![A-Za-z0-9_-])GOCSPX-[A-Za-z0-9_-]{28}/y),
  block("google", "ya29.", /(?<![A-Za-z0-9_])ya29\.[A-Za-z0-9_-]{30,1024}/y),
  block("google", "1//0", /(?<![A-Za-z0-9_/])1\/\/0[A-Za-z0-9_-]{40,200}/y),
  block(
    "azure",
    "accountkey= sharedaccesskey=",
    /(?:Account|SharedAccess)Key=([A-Za-z0-9+/]{40,120}={0,2})/y,
  ),
  block(
    "azure",
    "8q~",
    /(?<=(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3})8Q~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~-])/y,
  ),
  block("azure", "sig=", /(?<=[?&;])sig=([A-Za-z0-9%+/]{40,120}(?:=|%3D)?)/y),
  block("telegram", ":aa", /(?<=(?<!\d)\d{8,10}):AA[A-Za-z0-9_-]{32,34}(?![A-Za-z0-9_-])/y),
  block(
    "twilio",
    Array.from(HEX, (digit) => `sk${digit}`).join(" "),
    /(?<![A-Za-z0-9_])SK[0-9a-f]{32}(?![A-Za-z0-9_])/y,
  ),
  block("sendgrid", "sg.", /(?<![A-Za-z0-9_])SG\.[A-Za-z0-9_-]{16,40}\.[A-Za-z0-9_-]{16,80}/y),
  block("mailgun", "key-", /(?<![A-Za-z0-9_-])key-[0-9a-f]{32}(?![A-Za-z0-9_-])/y),
  block("huggingface", "hf_", /(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{30,60}(?![A-Za-z0-9_])/y),
  block("digitalocean", "dop_v1_ doo_v1_ dor_v1_", /(?<![A-Za-z0-9_])do[opr]_v1_[A-Za-z0-9]{40,80}/y),
  block("shopify", "shpat_ shpca_ shppa_ shpss_", /(?<![A-Za-z0-9_])shp(?:at|ca|pa|ss)_[A-Za-z0-9]{32,64}/y),
  block("hashicorp", "hvs. hvb. hvr.", /(?<![A-Za-z0-9_])hv[sbr]\.[A-Za-z0-9_-]{24,400}/y),
  block("hashicorp", ".atlasv1.", /(?<=(?<![A-Za-z0-9])[A-Za-z0-9]{14})\.atlasv1\.[A-Za-z0-9_=-]{60,100}/y),
  block("databricks", "dapi", /(?<![A-Za-z0-9_])dapi[a-f0-9]{32}(?:-\d)?(?![A-Za-z0-9_])/y),
  block(
    "atlassian",
    "atatt3 atbb",
    /(?<![A-Za-z0-9_])(?:ATATT3[A-Za-z0-9_=-]{40,400}|ATBB[A-Za-z0-9]{24,60})/y,
  ),
  block("linear", "lin_api_ lin_oauth_", /(?<![A-Za-z0-9_])lin_(?:api|oauth)_[A-Za-z0-9]{32,80}/y),
  block(
    "notion",
    "ntn_ secret_",
    /(?<![A-Za-z0-9_])(?:ntn_[A-Za-z0-9]{40,60}|secret_[A-Za-z0-9]{43})(?![A-Za-z0-9_])/y,
  ),
  block("sentry", "sntrys_ sntryu_", /(?<![A-Za-z0-9_])sntry[su]_[A-Za-z0-9+/=_-]{40,400}/y),
  block("newrelic", "nrak-", /(?<![A-Za-z0-9_])NRAK-[A-Z0-9]{27}/y),
  block("age", "age-secret-key-1", /AGE-SECRET-KEY-1[A-Z0-9]{40,80}/y),
  // This bridge's own created tokens: auth/created-token.ts.
  block("api-token", "cgb_", /(?<![A-Za-z0-9_])cgb_[0-9A-Za-z]{16}_[0-9A-Za-z]{43}(?![0-9A-Za-z])/y),
  block(
    "api-token",
    "dckr_pat_ pmak- figd_ glsa_ glc_ sbp_ gsk_ pplx- xai- pscale_ tskey- xkeysib- nfp_ fm2_ hrku- sq0atp- sq0csp- dp.pt. dp.st. r8_",
    /(?<![A-Za-z0-9_-])(?:dckr_pat_[A-Za-z0-9_-]{20,64}|PMAK-[a-f0-9]{24}-[a-f0-9]{34}|figd_[A-Za-z0-9_-]{36,80}|glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9+/=]{40,400}|sbp_[a-f0-9]{40}|gsk_[A-Za-z0-9]{40,64}|pplx-[A-Za-z0-9]{40,64}|xai-[A-Za-z0-9]{60,100}|pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,80}|tskey-[a-z]{2,10}-[A-Za-z0-9]{8,40}-[A-Za-z0-9]{16,64}|xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}|nfp_[A-Za-z0-9]{36,40}|fm2_[A-Za-z0-9+/=]{60,1000}|HRKU-[A-Za-z0-9-]{36,80}|sq0(?:atp|csp)-[A-Za-z0-9_-]{22,60}|dp\.[ps]t\.[A-Za-z0-9_.-]{40,80}|r8_[A-Za-z0-9]{37})/y,
  ),
  {
    ...block("private-key", '"d"', /"d"\s{0,4}:\s{0,4}"([A-Za-z0-9_-]{42,1400})"/y),
    near: /"kty"\s{0,4}:\s{0,4}"(?:RSA|EC|OKP)"/,
  },
  warn(
    "jwt",
    "eyj",
    /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{6,8000}\.[A-Za-z0-9_-]{10,2000}/y,
  ),
  block(
    "kubernetes",
    "ls0tls1crudjti",
    /LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0EgUFJJVkFURS|BFQyBQUklWQVRF|BPUEVOU1NI|BEU0EgUFJJVkFURS|BFTkNSWVBURUQ)[A-Za-z0-9+/=]{60,14000}/y,
  ),
  block(
    "docker-auth",
    '"auth" "auth\\"',
    /"auth\\?"\s{0,8}:\s{0,8}\\?"([A-Za-z0-9+/]{8,1024}={0,2})\\?"/y,
    /^[\x20-\x7e]+:[\x20-\x7e]+$/,
  ),
  block(
    "bearer",
    "basic",
    /Basic\s{1,4}([A-Za-z0-9+/]{8,1024}={0,2})(?![A-Za-z0-9+/=])/iy,
    /^[\x20-\x7e]+:[\x20-\x7e]+$/,
  ),
  block(
    "bearer",
    "bearer",
    /Bearer\s{1,4}((?=[A-Za-z._~+/-]*\d)(?=[\d._~+/-]*[A-Za-z])[A-Za-z0-9._~+/-]{20,4096}={0,2})/iy,
  ),
];
