// Identity providers of the tests: each has a port of its own and several tenants, each of them a certified OpenID
// provider under /<tenant ID>/v2.0, that answers as Entra does where clients can tell: the claims of its v2.0 tokens
// (https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference), `client_info`, errors with an
// AADSTS number, refresh tokens that stay good when a new one is given out, and claims challenges.
//
// The only argument is a JSON object:
//   certificate, key   files for TLS
//   secret             what orders have to bring along, as a bearer token
//   audience           client ID of the API that the tokens are for
//   scope              the scope that the API exposes
//   publicClient       client ID of an application in which people sign in, without a secret
//   applications       [{clientId, roles, and one of secret, certificate, federated}]: without a person; `certificate`
//                      is a file in PEM, `federated` the audience of assertions of issuers that `trust` names
//   people             {login: {name, roles, wids, tenants}}: who can sign in on the pages, with any password, where
//
// The program prints the port that takes orders, and ends with its standard input. An order is a POST of a JSON object,
// so that several processes can give them:
//   /start   {tenants, skew}: a new provider with tenants of these IDs, whose clock is so many seconds ahead; answers
//            {port}. Nothing of it is any other's.
//   /stop    {port}: a provider is not needed any more; answers {}
//   /order   {port, tenant, and one of these or none}; once it is carried out, answers {held: N}, how many requests hang
//     behaviour       how the tenant behaves from now on, as in tenant.mjs; {}: as usual
//     refreshTokens   "revoke" or "expire": what becomes of all that were given out
//     trust           [{clientId, issuer, subject, keys}]: whose assertions stand for an application's own proof

import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { json } from 'node:stream/consumers';

import { Tenant } from './tenant.mjs';

console.info = console.error; // where the provider warns: what stands on standard output is read by a program
const settings = JSON.parse(process.argv[2]);
const tls = { cert: readFileSync(settings.certificate), key: readFileSync(settings.key) };
const providers = new Map(); // from its port

const skew = new AsyncLocalStorage(); // that of the provider on whose behalf something runs
const now = Date.now;
Date.now = () => now() + (skew.getStore() ?? 0) * 1000;

async function start({ tenants, skew: seconds }) {
  const { server, port } = await listening();
  const known = new Map();
  for (const id of tenants) known.set(id, await Tenant.at(`https://localhost:${port}`, id, settings));
  server.on('request', (request, response) => skew.run(seconds, route, known, request, response));
  providers.set(port, { server, tenants: known, skew: seconds });
  return { port };
}

async function stop({ port }) {
  const { server } = providers.get(port);
  providers.delete(port);
  server.close();
  server.closeAllConnections();
  return {};
}

async function order({ port, tenant, ...what }) {
  const provider = providers.get(port);
  const ordered = provider.tenants.get(tenant);
  await skew.run(provider.skew, () => ordered.obey(what));
  return { held: ordered.held.length };
}

function route(tenants, request, response) {
  const [, id, rest] = /^\/([^/]+)\/v2\.0(\/.*)$/.exec(request.url) ?? [];
  const tenant = tenants.get(id);
  if (!tenant) return response.writeHead(404).end();
  request.originalUrl = request.url; // from which the provider learns where it is mounted
  request.url = rest;
  return tenant.answer(request, response);
}

async function listening() {
  const server = createServer(tls);
  // Somebody may take long to sign in on a busy machine, and their program asks on the connection that it has.
  server.keepAliveTimeout = 600_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: server.address().port };
}

const acts = { '/start': start, '/stop': stop, '/order': order };
const { server: orders, port } = await listening();
orders.on('request', async (request, response) => {
  const act = acts[request.url];
  if (!act || request.headers.authorization !== `Bearer ${settings.secret}`) return response.writeHead(404).end();
  return response.end(JSON.stringify(await act(await json(request))));
});
console.log(port);
process.stdin.on('end', () => process.exit()).resume();
