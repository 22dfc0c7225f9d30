// One tenant: an OpenID provider, and what Entra does that is no part of OpenID Connect.

import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

import { errors, interactionPolicy, Provider } from 'oidc-provider';

import { Assertions } from './assertions.mjs';
import { inEntrasWords } from './entra.mjs';
import { claimsOf, objectId, requested } from './claims.mjs';
import { pages } from './pages.mjs';

// A grant for tests alone: an access token with the claims that are asked for, over the usual ones. null leaves one out.
const AS_ASKED = 'urn:supportaccess:tests:as-asked';
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

// How a tenant behaves:
//   lifetime   seconds that access tokens are good for
//   claims     claims over the usual ones of access tokens; null leaves one out
//   refuses    {grant type, or `authorize`: {error, error_description}}: what the policies of the tenant do not allow
//   hangs      answers nothing
const USUAL = { lifetime: 3600, claims: {}, refuses: {}, hangs: false };

const keys = new Map();

// The key of a tenant, which is the same with every provider: their issuers differ.
function keyOf(id) {
  if (!keys.has(id)) {
    const made = promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
    keys.set(id, made.then(({ privateKey }) => ({ ...privateKey.export({ format: 'jwk' }), use: 'sig' })));
  }
  return keys.get(id);
}

export class Tenant {
  constructor(base, id, settings, key) {
    this.id = id;
    this.settings = settings;
    this.behaviour = USUAL;
    this.met = new Map(); // from a grant or a session to the authentication contexts that its sign-in met
    this.refreshTokens = new Set();
    this.held = [];
    this.assertions = new Assertions(settings.applications);
    this.provider = this.#provider(`${base}/${id}/v2.0`, key);
    this.callback = this.provider.callback();
  }

  static async at(base, id, settings) {
    return new Tenant(base, id, settings, await keyOf(id));
  }

  answer(request, response) {
    if (this.behaviour.hangs) return this.held.push(response);
    const uid = /^\/interaction\/([\w-]+)$/.exec(request.url)?.[1];
    return uid ? pages(this, request, response) : this.callback(request, response);
  }

  async obey({ behaviour, refreshTokens, trust }) {
    if (trust) return this.assertions.trust(trust);
    if (refreshTokens) return this.#end(refreshTokens);
    if (behaviour) this.behaviour = { ...USUAL, ...behaviour };
    if (!this.behaviour.hangs) this.held.splice(0).forEach((response) => response.destroy());
    return undefined;
  }

  person(login) {
    const person = this.settings.people[login];
    return person && (!person.tenants || person.tenants.includes(this.id)) ? person : undefined;
  }

  async #end(how) {
    const { adapter } = this.provider.RefreshToken;
    for (const token of this.refreshTokens) {
      const stored = await adapter.find(token.jti);
      if (!stored) continue;
      if (how === 'revoke') await adapter.destroy(token.jti);
      else await adapter.upsert(token.jti, { ...stored, exp: Math.floor(Date.now() / 1000) - 1 }, 3600);
    }
    this.refreshTokens.clear();
  }

  #provider(issuer, key) {
    const resource = `api://${this.settings.audience}`;
    const scopes = `${resource}/${this.settings.scope} ${resource}/.default`;
    const api = { scope: scopes, audience: this.settings.audience, accessTokenFormat: 'jwt' };
    const lifetime = () => this.behaviour.lifetime;
    const provider = new Provider(issuer, {
      jwks: { keys: [key] },
      clients: [this.#publicClient(), ...this.settings.applications.map((each) => this.assertions.client(each))],
      clientAuthMethods: ['none', 'client_secret_post', 'private_key_jwt'],
      enabledJWA: { clientAuthSigningAlgValues: ['PS256', 'RS256'] },
      cookies: { keys: ['of the tests'] },
      scopes: ['openid', 'profile', 'offline_access'],
      claims: { openid: ['sub', 'oid', 'tid', 'ver'], profile: ['name', 'preferred_username'] },
      extraParams: { claims: () => this.#refuseToAuthorize() },
      ttl: { AccessToken: lifetime, ClientCredentials: lifetime },
      rotateRefreshToken: false,
      interactions: { policy: this.#policy(), url: (_, { uid }) => `${issuer}/interaction/${uid}` },
      features: {
        clientCredentials: { enabled: true },
        deviceFlow: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => resource,
          useGrantedResource: () => true,
          getResourceServerInfo: () => api,
        },
      },
      findAccount: (_, login) => this.#account(login),
      issueRefreshToken: () => true,
      extraTokenClaims: (context, token) => claimsOf(this, context, token),
      formats: { customizers: { jwt: (_, token, jwt) => shape(token, jwt) } },
    });
    provider.registerGrantType(AS_ASKED, (context) => issue(provider, context, resource, api), ['claims']);
    provider.on('refresh_token.saved', (token) => this.refreshTokens.add(token));
    provider.on('grant.error', (context, { error_detail: detail }) => { context.state.detail = detail; });
    provider.on('authorization.success', (context) => this.#remember(context.oidc));
    provider.use((context, next) => this.#atTheDoor(context, next));
    return provider;
  }

  #publicClient() {
    return {
      client_id: this.settings.publicClient,
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE, AS_ASKED],
      redirect_uris: ['http://localhost'],
    };
  }

  #account(login) {
    const person = this.person(login);
    if (!person) return undefined;
    const oid = objectId(this.id, login);
    const claims = { sub: login, oid, tid: this.id, ver: '2.0', name: person.name, preferred_username: login };
    return { accountId: login, claims: () => claims };
  }

  // As usual, and: who has not met an authentication context that is asked for signs in again; accounts can be chosen.
  #policy() {
    const { base, Check, Prompt } = interactionPolicy;
    const policy = base();
    policy.add(new Prompt({ name: 'select_account', requestable: true }), 0);
    const unmet = ({ oidc }) => !oidc.result?.login && this.lacks(oidc.session.uid, requested(oidc.params.claims));
    policy.get('login').checks.add(new Check('auth_context', 'the authentication context was not met', unmet));
    return policy;
  }

  lacks(of, { contexts }) {
    return contexts.some((context) => !this.met.get(of)?.has(context));
  }

  #remember({ session, client, params }) {
    const { contexts } = requested(params.claims);
    for (const of of [session.uid, session.grantIdFor(client.clientId)]) {
      this.met.set(of, new Set([...(this.met.get(of) ?? []), ...contexts]));
    }
  }

  #refuseToAuthorize() {
    const refused = this.behaviour.refuses.authorize;
    if (refused) throw new errors.CustomOIDCProviderError(refused.error, refused.error_description);
  }

  async #atTheDoor(context, next) {
    const isGrant = context.path === '/token' && context.method === 'POST';
    const wrong = isGrant && (await this.assertions.admit(context));
    // Entra gives out refresh tokens without a consent to offline_access, and takes the scope with them.
    if (isGrant && context.req.body.scope) context.req.body.scope = withoutOfflineAccess(context.req.body.scope);
    const refused = isGrant && this.behaviour.refuses[context.req.body.grant_type];
    if (wrong) context.state.detail = wrong;
    if (wrong || refused) {
      context.status = wrong ? 401 : 400;
      context.body = refused || { error: 'invalid_client' };
    } else {
      await next();
    }
    inEntrasWords(this, context);
  }
}

async function issue(provider, context, resource, api) {
  const token = new provider.ClientCredentials({ client: context.oidc.client });
  token.resourceServer = new provider.ResourceServer(resource, api);
  context.body = { access_token: await token.save(), token_type: 'Bearer' };
}

function withoutOfflineAccess(scopes) {
  return scopes.split(' ').filter((scope) => scope !== 'offline_access').join(' ');
}

function shape(token, jwt) {
  const { aud, iss, sub, iat, exp, jti } = jwt.payload;
  const whole = { aud, iss, sub, iat, nbf: iat, exp, uti: jti, ...token.extra };
  jwt.header = { typ: 'JWT' };
  jwt.payload = Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== null));
}
