// The kinds of connections, and what each wants to know.

export interface Setting {
  name: string;
  label: string;
  hint?: string;
  /** It is sealed, and never shown again. */
  secret?: boolean;
  optional?: boolean;
  /** Several lines, such as a certificate. */
  long?: boolean;
  choices?: readonly [value: string, label: string][];
  placeholder?: string;
}

export interface Kind {
  id: string;
  label: string;
  /** What it is for, in a sentence. */
  about: string;
  settings: readonly Setting[];
  /** It can be told where its secret may go, and when it ends. */
  bound: boolean;
}

const workspace: Setting = { name: "host", label: "Workspace URL", placeholder: "https://dbc-1234abcd-5678.cloud.databricks.com", hint: "As in the address bar, without what follows the host." };
const client: Setting[] = [
  { name: "clientId", label: "Client ID" },
  { name: "secret", label: "Client secret", secret: true },
];

export const KINDS: readonly Kind[] = [
  { id: "databricks-pat", label: "Databricks, access token", about: "A token from Settings, Developer, Access tokens of the workspace.", settings: [workspace, { name: "token", label: "Access token", secret: true, placeholder: "dapi…" }], bound: false },
  { id: "databricks-oauth", label: "Databricks, service principal", about: "OAuth for machines: tied to no person, and scoped.", settings: [workspace, ...client, { name: "scope", label: "Scope", optional: true, placeholder: "all-apis" }], bound: false },
  { id: "bearer", label: "Bearer token", about: "Sends Authorization: Bearer and the token.", settings: [{ name: "token", label: "Token", secret: true }], bound: true },
  { id: "basic", label: "User and password", about: "Basic authentication.", settings: [{ name: "user", label: "User" }, { name: "password", label: "Password", secret: true }], bound: true },
  { id: "app-key", label: "App key", about: "Sends Authorization: AppKey, as Celonis and this program want it.", settings: [{ name: "secret", label: "App key", secret: true, placeholder: "id:secret" }], bound: true },
  { id: "header", label: "Header", about: "A header of any name, such as X-API-Key.", settings: [{ name: "header", label: "Name of the header" }, { name: "value", label: "Value", secret: true }], bound: true },
  { id: "query", label: "Query parameter", about: "A parameter in the address.", settings: [{ name: "parameter", label: "Name of the parameter" }, { name: "value", label: "Value", secret: true }], bound: true },
  {
    id: "oauth-client-credentials",
    label: "OAuth, client credentials",
    about: "A token that is fetched when it is needed, and renewed before it ends.",
    settings: [{ name: "tokenUrl", label: "Address of tokens", placeholder: "https://login.example.com/oauth/token" }, ...client, { name: "scope", label: "Scope", optional: true }],
    bound: true,
  },
  {
    id: "client-certificate",
    label: "Client certificate",
    about: "A certificate that is shown while TLS is agreed on.",
    settings: [{ name: "certificate", label: "Certificate, PEM", long: true }, { name: "secret", label: "Private key, PEM", secret: true, long: true }],
    bound: true,
  },
  {
    id: "smtp",
    label: "Mail server",
    about: "Sends mail.",
    settings: [
      { name: "host", label: "Host", placeholder: "mail.example.org" },
      { name: "port", label: "Port", optional: true, placeholder: "the usual one" },
      { name: "tls", label: "Protection", choices: [["starttls", "STARTTLS"], ["implicit", "TLS from the start"], ["none", "None"]] },
      { name: "user", label: "User", optional: true },
      { name: "password", label: "Password", secret: true, optional: true },
      { name: "from", label: "From", placeholder: "orders@example.org", hint: "Who sends, where a mail does not say." },
    ],
    bound: false,
  },
  { id: "slack", label: "Slack, bot", about: "The token of a bot that is in the channel.", settings: [{ name: "token", label: "Bot token", secret: true, placeholder: "xoxb-…" }, { name: "base", label: "Address of the methods", optional: true, hint: "For a server that understands the same calls." }], bound: false },
  { id: "slack-webhook", label: "Slack, incoming webhook", about: "The address itself is the secret.", settings: [{ name: "url", label: "Webhook URL", secret: true, placeholder: "https://hooks.slack.com/services/…" }], bound: false },
];

export const kindOf = (id: string): Kind | undefined => KINDS.find((kind) => kind.id === id || (id === "databricks" && kind.id === "databricks-pat"));

/** The first kinds to offer for modules of an app, by its name. */
export function kindsFor(module: string): readonly Kind[] {
  const app = module.split(":")[0]!;
  const first = { databricks: ["databricks-pat", "databricks-oauth"], slack: ["slack", "slack-webhook"], email: ["smtp"], loopwright: ["app-key"] }[app];
  if (first === undefined) return KINDS;
  return [...KINDS].sort((one, other) => Number(first.includes(other.id)) - Number(first.includes(one.id)));
}

/** What is sent of a form: nothing of what was left empty; a port is a number. */
export function settingsOf(kind: Kind, values: Readonly<Record<string, string>>): Record<string, unknown> {
  const settings: Record<string, unknown> = { kind: kind.id };
  const names = [...kind.settings.map(({ name }) => name), ...(kind.bound ? ["origin"] : []), "expiresAt"];
  for (const name of names) {
    const value = (values[name] ?? "").trim();
    if (value === "") continue;
    settings[name] = name === "port" ? Number(value) : name === "expiresAt" ? new Date(value).toISOString() : value;
  }
  return settings;
}

/** The settings that are still missing. */
export function missing(kind: Kind, values: Readonly<Record<string, string>>): Setting[] {
  return kind.settings.filter(({ name, optional, choices }) => optional !== true && choices === undefined && (values[name] ?? "").trim() === "");
}
