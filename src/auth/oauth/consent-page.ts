/**
 * What the owner sees in their browser: who asks for what, and a field for the passcode. One page of plain HTML: no
 * script, nothing from elsewhere. Every text from outside is escaped.
 */

import { STYLE, STYLE_HASH } from "./page-style.ts";

export interface ConsentView {
  /** What the client calls itself; anybody can choose any name. */
  readonly name: string;
  /** What is known about who it is: the host of its document, how the owner named it, or that nothing is known. */
  readonly identity: string;
  /** Where the browser goes afterwards. */
  readonly returnsTo: string;
  readonly asksToWrite: boolean;
  /** Where the form is sent. */
  readonly action: string;
  /** What went wrong with the last attempt, or null. */
  readonly problem: string | null;
  /** Whether the passcode was made by the bridge. */
  readonly madePasscode: boolean;
}

export function consentPage(view: ConsentView): string {
  const { name, identity, returnsTo, asksToWrite, action, problem, madePasscode } = view;
  const where = madePasscode
    ? "It was shown at the terminal when the bridge started; <code>codex-gpt-bridge sign-in passcode</code> makes a new one."
    : "The one that you have set as <code>oauth_passcode</code>.";
  const write = `<p class="choice"><input type="checkbox" id="write" name="write" value="yes" checked>
<label for="write">Also let it start and steer jobs that may change files, where your settings allow writing</label></p>`;
  const known = `<strong>${escape(identity)}</strong>`;
  const who = identity === name ? known : `${known}, which calls itself ${quoted(name)}`;
  return page(
    `Let ${name} in?`,
    `<h1>Let ${quoted(name)} use Codex on your machine?</h1>
<dl>
<dt>Who asks</dt><dd>${who}</dd>
<dt>You will be sent back to</dt><dd><strong>${escape(returnsTo)}</strong></dd>
<dt>It asks to</dt><dd><ul>
<li>read: ask Codex about your projects, and see your jobs and their results</li>
${asksToWrite ? "<li>write: start and steer jobs that may change files</li>\n" : ""}</ul></dd>
</dl>
<p>Only go on if you have just connected this client yourself.</p>
<form method="post" action="${escape(action)}">
${problem === null ? "" : `<p class="problem" role="alert" id="problem">${escape(problem)}</p>\n`}${asksToWrite ? write : ""}
<p><label for="passcode">Passcode of this bridge</label>
<input type="password" id="passcode" name="passcode" autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="200"
 aria-describedby="${problem === null ? "hint" : "problem hint"}"${problem === null ? "" : ' aria-invalid="true"'} autofocus>
<span class="hint" id="hint">${where}</span></p>
<p class="buttons"><button type="submit" name="decision" value="allow">Let it in</button>
<button type="submit" name="decision" value="deny" class="quiet">Refuse</button></p>
</form>`,
  );
}

export function problemPage(message: string): string {
  return page("Signing in did not work", `<h1>Signing in did not work</h1>\n<p>${escape(message)}</p>`);
}

/** Nothing may be loaded; the form goes to us, and from here to where the client is sent back. */
export function pageHeaders(formTargets: readonly string[]): Record<string, string> {
  return {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": [
      "default-src 'none'",
      `style-src 'sha256-${STYLE_HASH}'`,
      `form-action ${["'self'", ...formTargets].join(" ")}`,
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ].join("; "),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    // Not `no-referrer`: a browser would then say `Origin: null` with the form.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "interest-cohort=()",
  };
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escape(title)} - codex-gpt-bridge</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<p class="product">codex-gpt-bridge</p>
${body}
</main>
</body>
</html>
`;
}

/** By itself: letters that are written from right to left would turn what stands beside them. */
function quoted(name: string): string {
  return `<q dir="auto">${escape(name)}</q>`;
}

export function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);
}
