// The identity provider of the tests: several tenants in one process, each a certified OpenID provider of its own under
// /<tenant ID>/v2.0, that answers as Entra does where clients can tell: the claims of its v2.0 tokens
// (https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference), `client_info`, errors with an
// AADSTS number, refresh tokens that stay good when a new one is given out, and claims challenges.
//
// Its only argument is a JSON object:
//   certificate, key   files for TLS
//   tenants            tenant IDs
//   audience           client ID of the API that the tokens are for
//   scope              the scope that the API exposes
//   publicClient       client ID of an application in which people sign in, without a secret
//   applications       [{clientId, roles, and one of secret, certificate, federated}]: without a person; `certificate`
//                      is a file in PEM, `federated` the audience of assertions of issuers that `trust` names
//   people             {login: {name, roles, wids, tenants}}: who can sign in on the pages, with any password, where
//   skew               seconds by which its clock is ahead
//
// It prints its port when it is ready, and ends with its standard input. Each line there is an order, a JSON object with
// the `tenant` that it is for and one of these or none; when it is carried out, `{"held": N}` is printed, where N is how
// many requests hang:
//   behaviour          how the tenant behaves from now on, as in tenant.mjs; {}: as usual
//   refreshTokens      "revoke" or "expire": what becomes of all that were given out
//   trust              [{clientId, issuer, subject, keys}]: whose assertions stand for an application's own proof

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';

import { Tenant } from './tenant.mjs';

console.info = console.error; // where the provider warns: what stands on standard output is read by a program
const settings = JSON.parse(process.argv[2]);
if (settings.skew) {
  const now = Date.now;
  Date.now = () => now() + settings.skew * 1000;
}

const tenants = new Map();
const server = createServer({ cert: readFileSync(settings.certificate), key: readFileSync(settings.key) });
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  for (const id of settings.tenants) tenants.set(id, await Tenant.at(`https://localhost:${port}`, id, settings));
  server.on('request', route);
  console.log(port);
});

function route(request, response) {
  const [, id, rest] = /^\/([^/]+)\/v2\.0(\/.*)$/.exec(request.url) ?? [];
  const tenant = tenants.get(id);
  if (!tenant) return response.writeHead(404).end();
  request.originalUrl = request.url; // from which the provider learns where it is mounted
  request.url = rest;
  return tenant.answer(request, response);
}

const orders = createInterface({ input: process.stdin });
orders.on('line', async (line) => {
  const { tenant, ...order } = JSON.parse(line);
  await tenants.get(tenant).obey(order);
  console.log(JSON.stringify({ held: tenants.get(tenant).held.length }));
});
orders.on('close', () => process.exit());
