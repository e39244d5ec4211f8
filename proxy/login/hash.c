#include "proxy/login/hash.h"

#include <crypt.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <argon2.h>
#include <openssl/crypto.h>

#include "proxy/login/scram.h"
#include "proxy/runtime/pool.h"
#include "proxy/runtime/wait.h"

_Static_assert(HASH_MAX == CRYPT_OUTPUT_SIZE, "crypt(3) output fits");

#define ALNUM           "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define CRYPT_ALPHABET  "./" ALNUM /* in the order of crypt(5)'s digits */
#define BASE64_ALPHABET "+/" ALNUM
#define SALT_EXCLUDED   "$:*!\\ \t\r\n"

#define BCRYPT_COST_MIN     4
#define BCRYPT_COST_MAX     18       /* about 20 s */
#define SHA_ROUNDS_MIN      1000     /* below, libxcrypt refuses */
#define SHA_ROUNDS_MAX      10000000 /* about 5 s */
#define YESCRYPT_N_MAX      17       /* digit for 2^18 blocks: the most that crypt_gensalt gives */
#define ARGON2_MEMORY_MAX   1048576  /* KiB: 1 GiB */
#define ARGON2_PASSES_MAX   1000
#define ARGON2_LANES_MAX    255
#define ARGON2_LANE_MINIMUM 8 /* KiB per lane (RFC 9106 section 3.1) */

static const char malformed[] = "the hash is malformed";
static const char too_dear[] = "the hash asks for more work or memory than the gateway spends";

const char hash_nobody[] =
	"$y$j9T$4uGDmX8buBOViM40akb1r.$tp9Hwj49TYdr58g0MBUL3ZwfEYifR1P6JtKUHHGWzTA";

/* Whether the text up to `end` has min to max octets of the set; *p then moves behind `end`. */
static bool take_field(const char **p, const char *set, size_t min, size_t max, char end)
{
	size_t n = strspn(*p, set);

	if (n < min || n > max || (*p)[n] != end)
		return false;
	*p += n + (end != '\0');
	return true;
}

/* Whether a decimal number without leading zeros, behind a key, ends at `end`. */
static bool take_number(const char **p, const char *key, char end, uint32_t *ret)
{
	const char *digits = *p + strlen(key);

	if (strncmp(*p, key, strlen(key)) != 0 || (digits[0] == '0' && digits[1] != end))
		return false;
	*p = digits;
	if (!take_field(p, "0123456789", 1, 9, end))
		return false;
	*ret = (uint32_t)strtoul(digits, NULL, 10);
	return true;
}

static const char *check_yescrypt(const char *p)
{
	const char *n = strchr(CRYPT_ALPHABET, p[0] != '\0' && p[1] != '\0' ? p[1] : '$');

	if (!n || !take_field(&p, CRYPT_ALPHABET, 3, 32, '$') ||
		!take_field(&p, CRYPT_ALPHABET, 1, 86, '$') ||
		!take_field(&p, CRYPT_ALPHABET, 43, 43, '\0'))
		return malformed;
	return n - CRYPT_ALPHABET > YESCRYPT_N_MAX ? too_dear : NULL;
}

static const char *check_bcrypt(const char *p)
{
	unsigned long cost = strtoul(p, NULL, 10);

	if (!take_field(&p, "0123456789", 2, 2, '$') ||
		!take_field(&p, CRYPT_ALPHABET, 53, 53, '\0') || cost < BCRYPT_COST_MIN)
		return malformed;
	return cost > BCRYPT_COST_MAX ? too_dear : NULL;
}

static const char *check_sha(const char *p, size_t length)
{
	uint32_t rounds = SHA_ROUNDS_MIN;
	size_t salt;

	if (strncmp(p, "rounds=", 7) == 0 && !take_number(&p, "rounds=", '$', &rounds))
		return malformed;
	salt = strcspn(p, SALT_EXCLUDED);
	if (salt == 0 || salt > 16 || p[salt] != '$' || rounds < SHA_ROUNDS_MIN)
		return malformed;
	p += salt + 1;
	if (!take_field(&p, CRYPT_ALPHABET, length, length, '\0'))
		return malformed;
	return rounds > SHA_ROUNDS_MAX ? too_dear : NULL;
}

static const char *check_sha512(const char *p)
{
	return check_sha(p, 86);
}

static const char *check_sha256(const char *p)
{
	return check_sha(p, 43);
}

static const char *check_argon2(const char *p)
{
	uint32_t version = ARGON2_VERSION_10, memory, passes, lanes;

	if (p[0] == 'v' && !take_number(&p, "v=", '$', &version))
		return malformed;
	if (!take_number(&p, "m=", ',', &memory) || !take_number(&p, "t=", ',', &passes) ||
		!take_number(&p, "p=", '$', &lanes) ||
		!take_field(
			&p, BASE64_ALPHABET, 11, 128, '$') || /* 8 octets: ARGON2_MIN_SALT_LENGTH */
		!take_field(&p, BASE64_ALPHABET, 16, 172, '\0')) /* 12 to 128 octets */
		return malformed;
	if ((version != ARGON2_VERSION_10 && version != ARGON2_VERSION_13) || passes == 0 ||
		lanes == 0 || memory / ARGON2_LANE_MINIMUM < lanes)
		return malformed;
	if (memory > ARGON2_MEMORY_MAX || passes > ARGON2_PASSES_MAX || lanes > ARGON2_LANES_MAX)
		return too_dear;
	return NULL;
}

struct work {
	const char *hash;
	const char *password;
	size_t length;
	bool match, broken;
};

static const char *check_scram(const char *p)
{
	struct scram_keys keys;

	return scram_parse(p, &keys);
}

static void work_crypt(struct work *work)
{
	struct crypt_data *data = mem_zalloc(1, sizeof(*data));
	const char *result = crypt_rn(work->password, work->hash, data, (int)sizeof(*data));
	size_t n = strlen(work->hash);

	work->broken = !result;
	work->match = result && strlen(result) == n && CRYPTO_memcmp(result, work->hash, n) == 0;
	explicit_bzero(data, sizeof(*data));
	free(data);
}

static void work_argon2(struct work *work, argon2_type type)
{
	/* compares in constant time itself */
	int result = argon2_verify(work->hash, work->password, work->length, type);

	work->match = result == ARGON2_OK;
	work->broken = result != ARGON2_OK && result != ARGON2_VERIFY_MISMATCH;
}

static void work_argon2id(struct work *work)
{
	work_argon2(work, Argon2_id);
}

static void work_argon2i(struct work *work)
{
	work_argon2(work, Argon2_i);
}

static void work_scram(struct work *work)
{
	struct scram_keys kept, keys;
	bool possible;

	work->broken = scram_parse(work->hash + strlen(SCRAM_SCHEME), &kept) != NULL;
	if (work->broken)
		return;
	keys = kept;
	possible = scram_derive(work->password, &keys);
	work->match = CRYPTO_memcmp(keys.stored_key, kept.stored_key, SCRAM_KEY) == 0 && possible;
	explicit_bzero(&keys, sizeof(keys));
}

struct hash_kind {
	const char *prefix, *name;
	char parameters; /* ends the field of them that always follows the prefix; NUL: none does */
	const char *(*check)(const char *behind_prefix);
	void (*work)(struct work *work);
};

static const struct hash_kind kinds[] = {
	{ "$y$", "yescrypt", '$', check_yescrypt, work_crypt },
	{ "$2a$", "bcrypt", '$', check_bcrypt, work_crypt },
	{ "$2b$", "bcrypt", '$', check_bcrypt, work_crypt },
	{ "$2y$", "bcrypt", '$', check_bcrypt, work_crypt },
	{ "$6$", "sha512", '\0', check_sha512, work_crypt },
	{ "$5$", "sha256", '\0', check_sha256, work_crypt },
	{ "$argon2id$", "argon2id", '$', check_argon2, work_argon2id },
	{ "$argon2i$", "argon2i", '$', check_argon2, work_argon2i },
	{ SCRAM_SCHEME, "scram-sha-256", ',', check_scram, work_scram },
	{ NULL, NULL, '\0', NULL, NULL },
};

static const struct hash_kind *kind_of(const char *hash)
{
	for (const struct hash_kind *kind = kinds; kind->prefix; kind++)
		if (strncmp(hash, kind->prefix, strlen(kind->prefix)) == 0)
			return kind;
	return NULL;
}

const char *hash_skip_scheme(const char *text)
{
	static const char *const schemes[] = { "{CRYPT}", "{BLF-CRYPT}", "{SHA512-CRYPT}",
		"{SHA256-CRYPT}", "{ARGON2ID}", "{ARGON2I}", NULL };

	if (text[0] != '{' || scram_is(text))
		return text;
	for (const char *const *scheme = schemes; *scheme; scheme++)
		if (strncasecmp(text, *scheme, strlen(*scheme)) == 0)
			return text + strlen(*scheme);
	return NULL;
}

const char *hash_check(const char *hash, const char **ret_kind)
{
	const struct hash_kind *kind = kind_of(hash);
	const char *wrong;

	if (!kind)
		return "no hash of an accepted kind: yescrypt, bcrypt, SHA-512, SHA-256, argon2, "
		       "SCRAM-SHA-256";
	if (strlen(hash) >= HASH_MAX)
		return malformed;
	wrong = kind->check(hash + strlen(kind->prefix));
	if (!wrong)
		*ret_kind = kind->name;
	return wrong;
}

static bool is_parameter(const char *field)
{
	return strncmp(field, "rounds=", 7) == 0 || strncmp(field, "m=", 2) == 0;
}

size_t hash_cost_length(const char *hash)
{
	const struct hash_kind *kind = kind_of(hash);
	const char *p;

	if (!kind)
		return 0;
	p = hash + strlen(kind->prefix);
	if (kind->parameters)
		p = strchr(p, kind->parameters) + 1;
	if (is_parameter(p))
		p += strcspn(p, "$") + 1;
	return (size_t)(p - hash);
}

static void (*observer)(const char *cost, void *arg);
static void *observer_arg;

void hash_observe(void (*seen)(const char *cost, void *arg), void *arg)
{
	observer = seen;
	observer_arg = arg;
}

static void observe(const char *hash)
{
	char cost[HASH_MAX];
	size_t n = hash_cost_length(hash);

	if (!observer)
		return;
	memcpy(cost, hash, n);
	cost[n] = '\0';
	observer(cost, observer_arg);
}

static void verify_job(void *arg)
{
	struct work *work = arg;

	kind_of(work->hash)->work(work);
}

/* crypt(3) ends a password at its first NUL and computes nothing for one over its limit. */
static bool password_possible(const struct secret *password)
{
	return secret_length(password) <= HASH_PASSWORD_MAX &&
	       !memchr(secret_data(password), '\0', secret_length(password));
}

fiber_fn struct err hash_verify(const char *hash, const struct secret *password, bool *ret)
{
	static struct gate gate;
	static bool gate_ready;
	bool possible = password_possible(password);
	struct work work = { .hash = hash,
		.password = possible ? secret_data(password) : "",
		.length = possible ? secret_length(password) : 0 };
	struct err e;

	if (!gate_ready) {
		gate_init(&gate, pool_places(2));
		gate_ready = true;
	}
	if (failed(e = gate_enter(&gate)))
		return e;
	observe(hash);
	offload(verify_job, &work);
	gate_leave(&gate);
	if (work.broken)
		return err_make(
			ERR_TEMP, "a hash of kind %s cannot be computed", kind_of(hash)->name);
	*ret = work.match && possible;
	return ok();
}

static struct err make_yescrypt(const char *password, char ret[HASH_MAX])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data;
	const char *result;
	struct err e = ok();

	if (!crypt_gensalt_rn("$y$", 0, NULL, 0, setting, (int)sizeof(setting)))
		return err_errno(ERR_TEMP, errno, "crypt_gensalt");
	data = mem_zalloc(1, sizeof(*data));
	result = crypt_rn(password, setting, data, (int)sizeof(*data));
	if (result)
		memcpy(ret, result, strlen(result) + 1);
	else
		e = err_errno(ERR_TEMP, errno, "crypt");
	explicit_bzero(data, sizeof(*data));
	free(data);
	return e;
}

struct err hash_make(enum hash_form form, const struct secret *password, char ret[HASH_MAX])
{
	if (secret_length(password) == 0)
		return err_make(ERR_INVALID, "an empty password is no password");
	if (!password_possible(password))
		return err_make(ERR_INVALID, "a password has at most %d octets and no NUL",
			HASH_PASSWORD_MAX);
	if (form == HASH_FORM_SCRAM)
		return scram_make(secret_data(password), ret, HASH_MAX);
	return make_yescrypt(secret_data(password), ret);
}
