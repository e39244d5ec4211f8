#include "proxy/runtime/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

struct secret {
	size_t length;
	char data[]; /* length octets and a NUL */
};

static struct secret *secret_alloc(size_t length)
{
	struct secret *secret = mem_alloc(sizeof(*secret) + length + 1);

	secret->length = length;
	secret->data[length] = '\0';
	return secret;
}

struct secret *secret_new(const void *data, size_t n)
{
	struct secret *secret;

	if (n > SECRET_MAX)
		return NULL;
	secret = secret_alloc(n);
	if (n > 0)
		memcpy(secret->data, data, n);
	return secret;
}

/* Reads all of fd into the secret; *ret is how much, one octet over SECRET_MAX when it is more. */
static struct err read_all(int fd, const char *path, struct secret *into, size_t *ret)
{
	size_t used = 0;

	while (used < into->length) {
		ssize_t n = read(fd, into->data + used, into->length - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(ERR_INVALID, errno, "%s", path);
		if (n == 0)
			break;
		used += (size_t)n;
	}
	*ret = used;
	return ok();
}

static size_t without_newline(const char *data, size_t n)
{
	if (n > 0 && data[n - 1] == '\n')
		n--;
	if (n > 0 && data[n - 1] == '\r')
		n--;
	return n;
}

struct err secret_from_file(const char *path, struct secret **ret)
{
	struct secret *raw cleanup(secret_cleanup) = secret_alloc(SECRET_MAX + 3);
	struct err e;
	size_t n = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(ERR_INVALID, errno, "%s", path);
	e = read_all(fd, path, raw, &n);
	(void)close(fd);
	if (failed(e))
		return e;
	n = without_newline(raw->data, n);
	if (n == 0)
		return err_make(ERR_INVALID, "%s: the file is empty", path);
	if (n > SECRET_MAX)
		return err_make(ERR_INVALID, "%s: more than %d octets", path, SECRET_MAX);
	*ret = secret_new(raw->data, n);
	return ok();
}

struct secret *secret_copy(const struct secret *secret)
{
	return secret_new(secret->data, secret->length);
}

void secret_free(struct secret *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, sizeof(*secret) + secret->length);
	free(secret);
}

const char *secret_data(const struct secret *secret)
{
	return secret->data;
}

size_t secret_length(const struct secret *secret)
{
	return secret->length;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	return a->length == b->length && CRYPTO_memcmp(a->data, b->data, a->length) == 0;
}
