// The pages on which people sign in and consent.

import { URLSearchParams } from 'node:url';
import { text } from 'node:stream/consumers';

const escaped = (value) => String(value).replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);

export async function pages(tenant, request, response) {
  const { provider } = tenant;
  const details = await provider.interactionDetails(request, response);
  if (request.method === 'GET') return show(response, details);
  const form = Object.fromEntries(new URLSearchParams(await text(request)));
  if ('cancel' in form) {
    const cancelled = { error: 'access_denied', error_description: 'AADSTS65004: User declined to consent to access the app.' };
    return provider.interactionFinished(request, response, cancelled);
  }
  if (details.prompt.name === 'consent') {
    return provider.interactionFinished(request, response, { consent: await consent(provider, details) }, { mergeWithLastSubmission: true });
  }
  if (!tenant.person(form.login)) {
    return show(response, details, `AADSTS50034: The user account ${form.login} does not exist in the ${tenant.id} directory.`);
  }
  return provider.interactionFinished(request, response, { login: { accountId: form.login }, select_account: {} });
}

async function consent(provider, { grantId, session, params, prompt }) {
  const known = grantId && (await provider.Grant.find(grantId));
  const grant = known ?? new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(prompt.details.missingOIDCScope?.join(' ') ?? '');
  for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  return { grantId: await grant.save() };
}

function show(response, { prompt, params }, wrong = '') {
  const fields = prompt.name === 'consent'
    ? '<p>This application asks for access in your name.</p>'
    : `<input name="login" value="${escaped(params.login_hint ?? '')}"><input name="password" type="password">`;
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(`<!doctype html><title>${prompt.name === 'consent' ? 'Permissions requested' : 'Sign in'}</title>
<p role="alert">${escaped(wrong)}</p>
<form method="post">${fields}<button type="submit" name="go">Go on</button><button type="submit" name="cancel">Cancel</button></form>`);
}
