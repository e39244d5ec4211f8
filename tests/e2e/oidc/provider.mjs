// An OpenID provider on loopback, by oidc-provider, for the end-to-end tests.
//
//	node provider.mjs '{"port": …, "issuer": …, "jwks": {"keys": […]}, "clients": […]}'
//
// A client gets access tokens by the client_credentials grant, for whomever its request's extra
// parameter `claims` (JSON) says: these become claims of the token, or members of the answer to
// introspection. The parameter `resource` is "urn:FORMAT:ALGORITHM:AUDIENCE", such as
// urn:jwt:ES256:mail or urn:opaque::mail. "ready" is printed once it listens; it ends when its
// standard input does.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

import { Provider } from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);

function resourceServer(ctx, resource) {
	const [, format, alg, audience] = resource.split(':');
	const server = { scope: 'mail other', audience, accessTokenFormat: format };

	return format === 'jwt' ? { ...server, jwt: { sign: { alg } } } : server;
}

const provider = new Provider(settings.issuer, {
	jwks: settings.jwks,
	clients: settings.clients.map((client) => ({
		grant_types: ['client_credentials'],
		redirect_uris: [],
		response_types: [],
		...client,
	})),
	enabledJWA: { clientAuthSigningAlgValues: ['HS256'] },
	extraTokenClaims: (ctx) => JSON.parse(ctx.oidc.body.claims ?? '{}'),
	features: {
		clientCredentials: { enabled: true },
		devInteractions: { enabled: false },
		revocation: { enabled: true },
		introspection: { enabled: true, allowedPolicy: () => true },
		resourceIndicators: {
			enabled: true,
			getResourceServerInfo: resourceServer,
		},
	},
	ttl: { ClientCredentials: 3600 },
});

const server = settings.certificate
	? createTlsServer(
		{ cert: readFileSync(settings.certificate), key: readFileSync(settings.key) },
		provider.callback(),
	)
	: createServer(provider.callback());

server.listen(settings.port, '127.0.0.1', () => console.log('ready'));
process.stdin.on('end', () => process.exit(0)).resume();
