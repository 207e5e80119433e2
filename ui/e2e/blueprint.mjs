// What a blueprint says, without what any drawing of it may say otherwise: where
// it is drawn, which numbers modules have, and what holds anyhow.

/** A program fills these in; a person leaves them as they are. */
const USUAL = {
  gzip: true,
  useMtls: false,
  serializeUrl: false,
  shareCookies: false,
  parseResponse: false,
  followRedirect: true,
  useQuerystring: false,
  followAllRedirects: false,
  rejectUnauthorized: true,
  scope: "roundtrip",
  channelWType: "manualy",
  parse: false,
  mrkdwn: true,
  start: "1",
  step: "1",
};

/** What a flow does, module by module in the order of the ways: what is mapped and filtered. */
export function essence({ flow }) {
  const all = listed(flow, "");
  const places = new Map(all.map(({ module }, place) => [module.id, place + 1]));
  // Modules are numbered by their place, so that flows that were drawn in another order can be compared.
  const renumbered = (value) =>
    JSON.parse(JSON.stringify(value ?? null).replace(/(\{\{[^}]*?|[(;] ?)\b(\d+)\.(?=[\w`])/g, (_, before, id) => `${before}${places.get(Number(id)) ?? id}.`));
  return all.map(({ module: { id, module, version, parameters, mapper, filter }, way }) => ({
    id: places.get(id),
    way,
    module,
    version: version ?? 1,
    feeder: places.get(parameters?.feeder),
    maxResults: parameters?.maxResults,
    mapper: said(renumbered(mapper)),
    filter: renumbered(filter),
  }));
}

/** All modules with the way on which they stand; ways on which nothing stands do not count. */
function listed(modules, way) {
  return modules.flatMap((module) => {
    const routes = (module.routes ?? []).filter(({ flow }) => flow.length > 0);
    return [{ module, way }, ...routes.flatMap(({ flow }, place) => listed(flow, `${way}/${place + 1}`))];
  });
}

/** Leaves out what is empty, or holds anyhow. Whole numbers may be written as texts. */
function said(mapper) {
  const counts = ([name, value]) => value !== "" && value !== null && !(Array.isArray(value) && value.length === 0) && String(USUAL[name]) !== String(value);
  const plain = (value) => (typeof value === "number" ? String(value) : value);
  const entries = Object.entries(mapper ?? {}).filter(counts);
  return Object.fromEntries(entries.map(([name, value]) => [name, plain(value)]).sort(([one], [other]) => (one < other ? -1 : 1)));
}
