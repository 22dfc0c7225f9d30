// The claims of access tokens, as Entra puts them into its v2.0 tokens.

import { createHash } from 'node:crypto';

import { errors } from 'oidc-provider';

const AS_ASKED = 'urn:supportaccess:tests:as-asked';

export function claimsOf(tenant, { oidc }, token) {
  const usual = { tid: tenant.id, ver: '2.0', azp: token.clientId };
  if (oidc.params.grant_type === AS_ASKED) return { ...usual, ...JSON.parse(oidc.params.claims) };
  const asked = requested(oidc.body?.claims);
  const own = token.kind === 'ClientCredentials' ? ofApplication(tenant, token) : ofPerson(tenant, token, asked);
  return { ...usual, ...own, ...(asked.capabilities && { xms_cc: asked.capabilities }), ...tenant.behaviour.claims };
}

// What a `claims` parameter asks for: authentication contexts, and what the client says that it is capable of.
export function requested(text) {
  const { acrs, xms_cc: capable } = JSON.parse(text ?? '{}').access_token ?? {};
  return { contexts: acrs?.values ?? (acrs?.value ? [acrs.value] : []), capabilities: capable?.values };
}

// The object ID of somebody in a tenant: the same person is another object in each.
export function objectId(tenantId, name) {
  const hex = createHash('sha256').update(`${tenantId} ${name}`).digest('hex');
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');
}

function ofApplication(tenant, token) {
  const { roles, secret } = tenant.settings.applications.find((each) => each.clientId === token.clientId);
  const oid = objectId(tenant.id, token.clientId);
  return { oid, sub: oid, azpacr: secret ? '1' : '2', idtyp: 'app', roles };
}

function ofPerson(tenant, token, asked) {
  if (tenant.lacks(token.grantId, asked)) {
    throw new errors.CustomOIDCProviderError('interaction_required', 'the authentication context was not met');
  }
  const { name, roles, wids } = tenant.person(token.accountId);
  const met = [...(tenant.met.get(token.grantId) ?? [])];
  return {
    oid: objectId(tenant.id, token.accountId),
    azpacr: '0',
    scp: tenant.settings.scope,
    name,
    preferred_username: token.accountId,
    ...(roles?.length && { roles }),
    ...(wids?.length && { wids }),
    ...(met.length && { acrs: met }),
  };
}
