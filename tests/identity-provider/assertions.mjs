// How applications without a person prove themselves: a secret, a certificate, or the assertion of another issuer.

import { createHash, randomUUID, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';

import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';

export class Assertions {
  constructor(applications) {
    this.applications = new Map(applications.map((each) => [each.clientId, each]));
    this.trusted = [];
    this.known = randomUUID(); // the secret with which a federated application is let in once its assertion was checked
  }

  client({ clientId, secret, certificate }) {
    const common = { client_id: clientId, grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
    if (!certificate) {
      return { ...common, token_endpoint_auth_method: 'client_secret_post', client_secret: secret ?? this.known };
    }
    const { publicKey } = new X509Certificate(readFileSync(certificate));
    const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig' }] };
    return { ...common, token_endpoint_auth_method: 'private_key_jwt', jwks };
  }

  trust(issuers) {
    this.trusted = issuers.map(({ keys, ...each }) => ({ ...each, keys: createLocalJWKSet({ keys }) }));
  }

  // Looks at the assertion of a token request before the provider does. Returns what is wrong with it, or nothing.
  async admit({ req }) {
    const form = new URLSearchParams((await buffer(req)).toString());
    req.body = Object.fromEntries(form);
    const application = this.applications.get(form.get('client_id'));
    const assertion = form.get('client_assertion');
    if (!assertion || !application) return undefined;
    if (application.certificate) return certified(application, assertion);
    const wrong = application.federated && (await this.#federated(application, assertion));
    if (!wrong && application.federated) {
      const { client_assertion: _, client_assertion_type: __, ...others } = req.body;
      req.body = { ...others, client_secret: this.known };
    }
    return wrong;
  }

  async #federated({ clientId, federated }, assertion) {
    const { iss, sub } = decodeJwt(assertion);
    const trusted = this.trusted.find((each) => each.clientId === clientId && each.issuer === iss && each.subject === sub);
    if (!trusted) return 'no federated identity matches';
    try {
      await jwtVerify(assertion, trusted.keys, { algorithms: ['RS256'], audience: federated, requiredClaims: ['exp'] });
    } catch (error) {
      return error.code === 'ERR_JWT_EXPIRED' ? 'assertion expired' : 'assertion invalid';
    }
    return undefined;
  }
}

// Entra finds the certificate by its thumbprint; that its key signed is for the provider to check.
function certified({ certificate }, assertion) {
  const header = decodeProtectedHeader(assertion);
  const thumbprint = createHash('sha256').update(new X509Certificate(readFileSync(certificate)).raw).digest();
  const named = Buffer.from(header['x5t#S256'] ?? '', 'base64url');
  return header.alg === 'PS256' && thumbprint.equals(named) ? undefined : 'certificate unknown';
}
