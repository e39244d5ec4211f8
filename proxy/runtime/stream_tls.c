#include "proxy/runtime/stream.h"

#include <errno.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "proxy/runtime/fatal.h"
#include "proxy/runtime/mem.h"
#include "proxy/runtime/stream_private.h"
#include "proxy/runtime/tls_error.h"

/* After an SSL call that returned result <= 0: waits for what OpenSSL wants, then ok means that the
 * call is to be repeated. Any other outcome is an error, and the last of this stream. */
static fiber_fn struct err wait_or_fail(struct stream *stream, int result, const char *what)
{
	int errnum = errno, reason = SSL_get_error(stream->ssl, result);
	struct err e;

	switch (reason) {
	case SSL_ERROR_WANT_READ:
		return err_context(stream_wait(stream, UV_READABLE), "%s", what);
	case SSL_ERROR_WANT_WRITE:
		return err_context(stream_wait(stream, UV_WRITABLE), "%s", what);
	default:
		e = tls_error(stream->ssl, errnum);
		stream->broken = true;
		return err_context(e, "%s", what);
	}
}

fiber_fn struct err stream_tls_read(struct stream *stream, void *data, size_t n, size_t *ret)
{
	for (;;) {
		struct err e;
		size_t got;
		int result;

		ERR_clear_error();
		errno = 0;
		result = SSL_read_ex(stream->ssl, data, n, &got);
		if (result > 0) {
			stream->octets_in += got;
			*ret = got;
			return ok();
		}
		if (SSL_get_error(stream->ssl, result) == SSL_ERROR_ZERO_RETURN) {
			*ret = 0;
			return ok();
		}
		e = wait_or_fail(stream, result, "TLS read");
		if (failed(e))
			return e;
	}
}

fiber_fn struct err stream_tls_write(struct stream *stream, const void *data, size_t n, size_t *ret)
{
	for (;;) {
		struct err e;
		int result;

		ERR_clear_error();
		errno = 0;
		result = SSL_write_ex(stream->ssl, data, n, ret);
		if (result > 0) {
			stream->octets_out += *ret;
			return ok();
		}
		e = wait_or_fail(stream, result, "TLS write");
		if (failed(e))
			return e;
	}
}

size_t stream_tls_write_now(struct stream *stream, const void *data, size_t n)
{
	size_t sent = 0;

	if (stream->broken || !SSL_is_init_finished(stream->ssl))
		return 0;
	ERR_clear_error();
	if (SSL_write_ex(stream->ssl, data, n, &sent) <= 0)
		sent = 0;
	ERR_clear_error();
	stream->octets_out += sent;
	return sent;
}

bool stream_tls_readable(struct stream *stream)
{
	char octet;
	size_t got;
	bool readable;

	if (stream->broken)
		return false;
	ERR_clear_error();
	readable = SSL_peek_ex(stream->ssl, &octet, 1, &got) > 0;
	ERR_clear_error();
	return readable;
}

void stream_tls_shutdown(struct stream *stream)
{
	if (stream->broken || !SSL_is_init_finished(stream->ssl))
		return;
	if (SSL_get_shutdown(stream->ssl) & SSL_SENT_SHUTDOWN)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(stream->ssl);
	ERR_clear_error();
}

void stream_tls_free(struct stream *stream)
{
	SSL_free(stream->ssl);
	stream->ssl = NULL;
	free(stream->server_name);
}

/* A peer that waits for a greeting in clear sends nothing, ever: say so. */
static struct err explain_silence(struct err e, const struct stream *stream)
{
	if (e.scope == ERR_TIMEOUT && BIO_number_read(SSL_get_rbio(stream->ssl)) == 0)
		return err_make(ERR_TIMEOUT, "TLS handshake: timed out, the peer sent nothing "
					     "(does it speak TLS here?)");
	return e;
}

static fiber_fn struct err handshake(
	struct stream *stream, struct tls_context *context, const char *server_name)
{
	struct err e = wait_check();

	if (stream->ssl)
		fatal("a second TLS handshake on a stream");
	if (failed(e))
		return err_context(e, "TLS handshake");
	e = tls_new_ssl(context, server_name, &stream->ssl);
	if (failed(e))
		return e;
	if (SSL_set_fd(stream->ssl, stream->fd) != 1)
		fatal("SSL_set_fd failed");
	for (;;) {
		int result;

		ERR_clear_error();
		errno = 0;
		result = SSL_do_handshake(stream->ssl);
		if (result == 1)
			return ok();
		e = wait_or_fail(stream, result, "TLS handshake");
		if (failed(e)) {
			stream->broken = true;
			return explain_silence(e, stream);
		}
	}
}

fiber_fn struct err stream_tls_accept(struct stream *stream, struct tls_context *context)
{
	struct err e = handshake(stream, context, NULL);
	const char *name;

	if (failed(e))
		return e;
	name = SSL_get_servername(stream->ssl, TLSEXT_NAMETYPE_host_name);
	if (name)
		stream->server_name = mem_strdup(name);
	return ok();
}

fiber_fn struct err stream_tls_connect(
	struct stream *stream, struct tls_context *context, const char *server_name)
{
	return handshake(stream, context, server_name);
}

bool stream_is_tls(const struct stream *stream)
{
	return stream->ssl != NULL;
}

const char *stream_tls_version(const struct stream *stream)
{
	return stream->ssl ? SSL_get_version(stream->ssl) : "";
}

const char *stream_tls_server_name(const struct stream *stream)
{
	return stream->server_name ? stream->server_name : "";
}
