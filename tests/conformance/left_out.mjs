/** Scenarios that are not played, and why. Every other one is. */
const http = 'a rule of HTTP itself; on stdio there is nothing that it could hold for';
const skills = 'the skills extension, which we do not offer';
export const left_out = {
  'server-session-lifecycle': http,
  'server-sse-polling': http,
  'server-sse-multiple-streams': http,
  'dns-rebinding-protection': http,
  'http-header-validation': http,
  'http-custom-header-server-validation': http,
  'tasks-request-headers': http,
  'tasks-mrtr-input': 'ours ask before a task begins, never inside one: nothing may wait for a person while a machine bills',
  'sep-2640-skills-directory': skills,
  'sep-2640-skills-enumeration': skills,
  'sep-2640-skills-manifest': skills,
};

/** Checks that only warn (a SHOULD), and why ours is what it is. Any other warning counts as a failure. */
export const only_warned = {
  'sep-2322-ignore-unexpected-params':
    'the answers come without the requestState of a question; ours approve money, so they are asked for again',
};
