// Fields that only matter while another one has a certain value. The schemas do
// not say it, because blueprints carry them all; a form that showed them all
// would hide the ones that count.

type Values = Record<string, unknown>;

interface Rule {
  field: string;
  when: (values: Values) => boolean;
}

const is = (name: string, ...wanted: unknown[]) => (values: Values) => wanted.includes(values[name]);
const hasBody = (values: Values) => ["post", "put", "patch", "delete"].includes(String(values["method"] ?? "get").toLowerCase());

const REQUEST: Rule[] = [
  { field: "bodyType", when: hasBody },
  { field: "contentType", when: (values) => hasBody(values) && values["bodyType"] === "raw" },
  { field: "data", when: (values) => hasBody(values) && values["bodyType"] === "raw" },
  { field: "formFields", when: (values) => hasBody(values) && values["bodyType"] === "x_www_form_urlencoded" },
  { field: "formDataFields", when: (values) => hasBody(values) && values["bodyType"] === "multipart_form_data" },
  { field: "followAllRedirects", when: (values) => values["followRedirect"] !== false },
];

const RULES: Record<string, Rule[]> = {
  "http:ActionSendData": REQUEST,
  "http:ActionSendDataBasicAuth": REQUEST,
  "http:ActionSendDataAPIKeyAuth": REQUEST,
  "http:ActionSendDataOAuth20": REQUEST,
  "databricks:QueryEndpoint": [{ field: "inputs", when: is("form", "inputs", undefined, "") }],
};

/** Fields that few people need, where the schema does not say so. */
const RARE = new Set(["serializeUrl", "shareCookies", "rejectUnauthorized", "followAllRedirects", "useQuerystring", "gzip", "useMtls", "ca", "certificate", "inDoubt", "authUser", "authPass", "timeout"]);

/** Tells whether a field is shown only to who asks for advanced settings. */
export function isRare(module: string, field: string): boolean {
  return module.startsWith("http:") && RARE.has(field);
}

/** Tells whether a field of a module matters while the others have these values. */
export function isShown(module: string, field: string, values: Values): boolean {
  const rules = RULES[module]?.filter((rule) => rule.field === field) ?? [];
  return rules.every((rule) => rule.when(values));
}

/** Tells whether a field holds JSON text, in which the program escapes what is mapped: a raw body that says so. */
export function holdsJson(module: string, field: string, values: Values): boolean {
  if (!(module in RULES) || RULES[module] !== REQUEST || field !== "data") return false;
  const kind = values["bodyType"];
  if (typeof kind === "string" && kind !== "" && kind !== "raw") return false;
  const headers = Array.isArray(values["headers"]) ? (values["headers"] as (Values | null)[]) : [];
  const header = headers.find((one) => String(one?.["name"] ?? "").toLowerCase() === "content-type");
  const type = header === undefined ? values["contentType"] : header?.["value"];
  return typeof type === "string" && type.toLowerCase().includes("json");
}
