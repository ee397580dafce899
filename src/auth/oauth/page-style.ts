/** How the pages of the authorization server look, in light and dark. Contrast is at least 4.5 to 1 for text (WCAG 2.2 AA). */
import { hash } from "node:crypto";

export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --back: #f3f4f6; --faint: #4d5661; --line: #747c87;
  --act: #0b57a4; --on-act: #ffffff; --bad: #a5121f; --focus: #0b57a4 }
@media (prefers-color-scheme: dark) { :root { --ink: #eceff3; --paper: #1d2127; --back: #121519; --faint: #b3bcc7;
  --line: #8a94a1; --act: #8cc2ff; --on-act: #0c1622; --bad: #ff9c9c; --focus: #8cc2ff } }
* { box-sizing: border-box }
body { margin: 0; padding: 1rem; background: var(--back); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif }
main { max-width: 36rem; margin: 4vh auto; padding: 1.5rem 2rem 2rem; background: var(--paper); border-radius: .5rem;
  border: 1px solid var(--line); overflow-wrap: anywhere }
.product { margin: 0; color: var(--faint); font-size: .9375rem }
h1 { margin: .25rem 0 1rem; font-size: 1.5rem; line-height: 1.25 }
dl { margin: 0 0 1rem } dt { margin-top: .75rem; color: var(--faint); font-size: .9375rem } dd { margin: 0 }
ul { margin: 0; padding-left: 1.25rem }
label { font-weight: 600 } .choice label { font-weight: 400 }
.choice { display: flex; gap: .625rem; align-items: start }
.choice input { flex: none; width: 1.5rem; height: 1.5rem; margin: 0; accent-color: var(--act) }
input[type=password] { display: block; width: 100%; margin: .375rem 0; padding: .625rem .75rem; font: inherit;
  color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: .25rem }
input[aria-invalid] { border: 2px solid var(--bad) }
.hint { color: var(--faint); font-size: .9375rem }
.problem { margin: 1rem 0; padding: .625rem .75rem; border: 2px solid var(--bad); border-radius: .25rem; color: var(--bad);
  font-weight: 600 }
.buttons { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0 0 }
button { min-height: 2.75rem; padding: .5rem 1.25rem; font: inherit; font-weight: 600; border-radius: .25rem; cursor: pointer;
  border: 2px solid var(--act); background: var(--act); color: var(--on-act) }
button.quiet { background: transparent; color: var(--act) }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px }
`;

/** For the content security policy: this style and no other. */
export const STYLE_HASH = hash("sha256", STYLE, "base64");
