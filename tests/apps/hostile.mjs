// Answers as nobody should send them: markup, endless names, text that runs backwards, values of the wrong kind.

const kMarkup = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</scr' + 'ipt>';
const kBackwards = '\u202Eevil\u2066 \u0007\u001b[31mred';
const kEndless = 'W'.repeat(5000);
const kNumbers = ['NaN', null, {}, [], '12', -1e308, 1e308, true];

/// Every text of an answer replaced by something hostile; what steers the page (ids, times, outcomes) is kept.
export function poisoned(result) {
  const kKept = new Set(['outcome', 'status', 'kind', 'state', 'severity', 'counts', 'quote_id', 'expires_at', 'as_of', 'lease_ends_at', 'at_lease_end']);
  let turn = 0;
  const walk = (value, key) => {
    if (kKept.has(key)) return value;
    if (typeof value === 'string') return [kMarkup, kBackwards, kEndless, kMarkup + kEndless][turn++ % 4];
    if (Array.isArray(value)) return value.map((v) => walk(v, key));
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, walk(v, k)]));
    return value;
  };
  const copy = structuredClone(result);
  copy.structuredContent = walk(copy.structuredContent, '');
  copy.content = [{ type: 'text', text: kMarkup }];
  return copy;
}

/// The same with every number replaced by something that is none, or by an absurd one.
export function numberless(result) {
  let turn = 0;
  const walk = (value, key) => {
    if (typeof value === 'number' && key !== 'instance_id') return kNumbers[turn++ % kNumbers.length];
    if (Array.isArray(value)) return value.map((v) => walk(v, key));
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, walk(v, k)]));
    return value;
  };
  const copy = structuredClone(result);
  copy.structuredContent = walk(copy.structuredContent, '');
  return copy;
}

/// The same as text alone, as some clients hand it on.
export function textOnly(result) {
  const copy = structuredClone(result);
  delete copy.structuredContent;
  return copy;
}

/// Every time in it as long ago as `hours`.
export function aged(result, hours) {
  const walk = (value) => {
    if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return new Date(Date.parse(value) - hours * 3.6e6).toISOString();
    if (Array.isArray(value)) return value.map(walk);
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, walk(v)]));
    return value;
  };
  return { ...result, structuredContent: walk(result.structuredContent) };
}
