// What clients see of Entra beside OpenID Connect: numbered errors, `client_info`, and the words of a device code.
// The numbers: https://learn.microsoft.com/entra/identity-platform/reference-error-codes

import { randomUUID } from 'node:crypto';

const NUMBERED = {
  'refresh token not found': [50173, 'The provided grant has expired due to it being revoked, a fresh auth token is needed.'],
  'refresh token is expired': [700082, 'The refresh token has expired due to inactivity.'],
  'the authentication context was not met': [50076, 'You must use multi-factor authentication to access the resource.'],
  'invalid secret provided': [7000215, 'Invalid client secret provided.'],
  'certificate unknown': [700027, 'The certificate with identifier used to sign the client assertion is not registered.'],
  'assertion expired': [700024, 'Client assertion is not within its valid time range.'],
  'assertion invalid': [700213, 'No matching federated identity record found for presented assertion.'],
  'no federated identity matches': [700213, 'No matching federated identity record found for presented assertion.'],
};
const INTERVAL = 1; // seconds between two questions for a device code; Entra's are 5

// Completes an answer.
export function inEntrasWords(tenant, context) {
  const { body, path } = context;
  if (path === '/device/auth' && body?.user_code) {
    const message = `To sign in, use a web browser to open the page ${body.verification_uri} and enter the code ${body.user_code} to authenticate.`;
    context.body = { ...body, interval: INTERVAL, message };
  }
  if (path !== '/token') return undefined;
  if (body?.error) return numbered(context, context.state.detail ?? body.error_description);
  const { account, client } = context.oidc?.entities.Account ? context.oidc : {};
  if (account && client) {
    const info = { uid: account.claims().oid, utid: tenant.id };
    context.body = { ...body, client_info: Buffer.from(JSON.stringify(info)).toString('base64url') };
  }
  return undefined;
}

function numbered(context, detail) {
  const [number, text] = NUMBERED[detail] ?? [];
  const ids = { trace_id: randomUUID(), correlation_id: randomUUID(), timestamp: new Date().toISOString() };
  const description = number ? `AADSTS${number}: ${text} Trace ID: ${ids.trace_id}` : detail;
  const { status } = context; // which a new body would set anew
  context.body = { ...context.body, error_description: description, ...(number && { error_codes: [number] }), ...ids };
  context.status = status;
}
