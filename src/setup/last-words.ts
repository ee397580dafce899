/** What to do next, exactly: how the bridge is started, what to click in ChatGPT, what to say first. Pure. */
import type { Answers } from "./answers.ts";

export interface Situation {
  /** How this program is called here. */
  readonly command: string;
  /** Flags that each command needs to find this configuration: empty, or with a space before them. */
  readonly flags: string;
  readonly port: number;
  readonly isService: boolean;
  /** There is a service manager that could run it. */
  readonly canBeService: boolean;
  /** What has to be done for Codex before anything works, or null. */
  readonly missing: string | null;
  /** How the owner gets to see the token, in one line. */
  readonly showToken: string;
}

export interface Paragraph {
  readonly title: string;
  readonly text: string;
}

export function lastWords(answers: Answers, situation: Situation): readonly Paragraph[] {
  const { missing } = situation;
  const first = missing === null ? [] : [{ title: "First", text: missing }];
  return [...first, start(situation), ...chatGpt(answers, situation), firstPrompt(answers)];
}

function start({ command, flags, isService, canBeService }: Situation): Paragraph {
  const text = isService
    ? `The service runs it. Look at it with: ${command} service status${flags}`
    : `${command} serve${flags}${canBeService ? `\nLet it run by itself: ${command} service install${flags}` : ""}`;
  return { title: "Start the bridge", text: `${text}\nIs all well?  ${command} doctor${flags}` };
}

const NEW_SERVER =
  "On the web (chatgpt.com), once:\n" +
  "1. Settings → Plugins → Advanced: developer mode on\n" +
  "2. Plugins → + → Add custom MCP server\n" +
  "3. Name: codex-gpt-bridge";

function chatGpt({ reach, host }: Answers, { command, flags, port, showToken }: Situation): Paragraph[] {
  const title = "In ChatGPT";
  const end = "In a new chat: + → codex-gpt-bridge";
  switch (reach) {
    case "openai":
      return [
        {
          title,
          text: `${NEW_SERVER}\n4. Connection: Tunnel, and choose your tunnel\n5. Authentication: No authentication → Create\n${end}`,
        },
      ];
    case "ngrok":
    case "cloudflared":
      return [
        {
          title,
          text:
            `${NEW_SERVER}\n4. Connection: Server URL\n   https://${host ?? "<host>"}/mcp\n5. Authentication: OAuth → Create; the browser asks for a passcode:\n` +
            `   ${command} sign-in passcode${flags}\n${end}`,
        },
      ];
    case "quick":
      return [
        {
          title,
          text: `${NEW_SERVER}\n4. Connection: Server URL, the address in the bridge's log, then /mcp\n5. Authentication: OAuth → Create\n${end}`,
        },
      ];
    case "local":
      return [
        {
          title: "Programs on this machine",
          text: `http://127.0.0.1:${port}/mcp, with the header\nAuthorization: Bearer <token>. The token:\n${showToken}`,
        },
        { title, text: `It needs a way in first: ${command} setup${flags}, again` },
      ];
  }
}

function firstPrompt({ projects }: Answers): Paragraph {
  const [first] = projects;
  const which = projects.length > 1 && first !== undefined ? ` Take project ${first.name}.` : "";
  return {
    title: "The first prompt to paste",
    text: `Use codex-gpt-bridge. Call bridge_status and tell me which projects\nthere are.${which} Then let Codex read the project with codex_read and\ntell me what it does and how it is built.`,
  };
}
