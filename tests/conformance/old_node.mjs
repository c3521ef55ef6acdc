// Lets the suites start under Node 20: they import fs.globSync, which came with Node 22, for a command that is
// not used here. Loaded by --import, and only where Node lacks it.
import * as fs from 'node:fs';
import { register } from 'node:module';

if (!('globSync' in fs)) {
  const stand_in =
      'data:text/javascript,' +
      encodeURIComponent(`export * from 'node:fs'; export { default } from 'node:fs';
                          export function globSync() { throw new Error('this needs Node 22'); }`);
  register('data:text/javascript,' + encodeURIComponent(`
    export async function resolve(name, context, next) {
      if (name === 'fs' && context.parentURL?.includes('/conformance-of-'))
        return { url: ${JSON.stringify(stand_in)}, shortCircuit: true };
      return next(name, context);
    }`));
}
