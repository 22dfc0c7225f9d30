// The identity provider of the tests: several tenants in one process, each a certified OpenID provider of its own under
// /<tenant ID>/v2.0, whose access tokens have the claims of Entra's v2.0 tokens:
// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
//
// Its only argument is a JSON object:
//   certificate, key   files for TLS
//   tenants            tenant IDs
//   audience           client ID of the API that the tokens are for
//   scope              the scope that the API exposes
//   publicClient       client ID of an application in which people sign in, without a secret
//   daemon             {clientId, secret, roles}: an application without a person
//   people             {login: {name, roles, wids}}: who can sign in on the pages, with any password
//
// It prints its port when it is ready, and ends with its standard input.

import { createHash, generateKeyPair } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { promisify } from 'node:util';

import { Provider } from 'oidc-provider';

// A grant for tests alone: an access token with the claims that are asked for, over the usual ones. null leaves one out.
const AS_ASKED = 'urn:supportaccess:tests:as-asked';
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

const settings = JSON.parse(process.argv[2]);
const resource = `api://${settings.audience}`;
const scopes = `${resource}/${settings.scope} ${resource}/.default`;
const api = { scope: scopes, audience: settings.audience, accessTokenFormat: 'jwt' };

const server = createServer({ cert: readFileSync(settings.certificate), key: readFileSync(settings.key) });
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  const tenants = new Map(await Promise.all(settings.tenants.map(async (id) => [id, await tenant(id, port)])));
  server.on('request', (request, response) => route(tenants, request, response));
  console.log(port);
});
process.stdin.on('end', () => process.exit()).resume();

function route(tenants, request, response) {
  const [, id, rest] = /^\/([^/]+)\/v2\.0(\/.*)$/.exec(request.url) ?? [];
  const answer = tenants.get(id);
  if (!answer) return response.writeHead(404).end();
  request.originalUrl = request.url; // from which the provider learns where it is mounted
  request.url = rest;
  return answer(request, response);
}

async function tenant(id, port) {
  const provider = new Provider(`https://localhost:${port}/${id}/v2.0`, {
    jwks: { keys: [await signingKey()] },
    clients: clients(),
    cookies: { keys: ['of the tests'] },
    scopes: ['openid', 'profile', 'offline_access'],
    ttl: { AccessToken: 3600, ClientCredentials: 3600 },
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: () => api,
      },
    },
    findAccount: (_, login) => (login in settings.people ? { accountId: login, claims: () => ({ sub: login }) } : undefined),
    issueRefreshToken: () => true,
    extraTokenClaims: (context, token) => claims(id, context.oidc.params, token),
    formats: { customizers: { jwt: shape } },
  });
  provider.registerGrantType(AS_ASKED, (context) => issue(provider, context), ['claims']);
  return provider.callback();
}

async function signingKey() {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig' };
}

function clients() {
  return [
    {
      client_id: settings.publicClient,
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE, AS_ASKED],
      redirect_uris: ['http://localhost'],
    },
    {
      client_id: settings.daemon.clientId,
      client_secret: settings.daemon.secret,
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    },
  ];
}

async function issue(provider, context) {
  const token = new provider.ClientCredentials({ client: context.oidc.client });
  token.resourceServer = new provider.ResourceServer(resource, api);
  context.body = { access_token: await token.save(), token_type: 'Bearer' };
}

function claims(tenantId, parameters, token) {
  const usual = { tid: tenantId, ver: '2.0', azp: token.clientId };
  if (parameters.grant_type === AS_ASKED) return { ...usual, ...JSON.parse(parameters.claims) };
  if (token.kind === 'ClientCredentials') return { ...usual, ...ofApplication(tenantId, token.clientId) };
  return { ...usual, ...ofPerson(tenantId, token.accountId) };
}

function ofApplication(tenantId, clientId) {
  const oid = objectId(tenantId, clientId);
  return { oid, sub: oid, azpacr: '1', idtyp: 'app', roles: settings.daemon.roles };
}

function ofPerson(tenantId, login) {
  return { oid: objectId(tenantId, login), azpacr: '0', scp: settings.scope, ...settings.people[login] };
}

// The object ID of somebody in a tenant: the same person is another object in each.
function objectId(tenantId, name) {
  const hex = createHash('sha256').update(`${tenantId} ${name}`).digest('hex');
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');
}

function shape(_, token, jwt) {
  const { aud, iss, sub, iat, exp, jti } = jwt.payload;
  const whole = { aud, iss, sub, iat, nbf: iat, exp, uti: jti, ...token.extra };
  jwt.header = { typ: 'JWT' };
  jwt.payload = Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== null));
}
