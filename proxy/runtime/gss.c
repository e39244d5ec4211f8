#include "proxy/runtime/gss.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include "proxy/runtime/pool.h"
#include "proxy/runtime/wait.h"

#define ERRNO_END 256 /* above the system's error codes */

struct gss {
	gss_ctx_id_t context;
	gss_cred_id_t delegated;
	char *peer, *own_name;
};

/* One call into the library, on the stack of the fiber that waits for it. */
struct call {
	struct gss *gss;
	const struct gss_acceptor *acceptor;
	gss_cred_id_t credential;
	const char *target;
	gss_buffer_desc in, out;
	bool done;
	struct err e;
};

/* Octets as the library takes them: it does not write to what it is given. */
static gss_buffer_desc octets(const void *data, size_t n)
{
	return (gss_buffer_desc){ .length = n, .value = (void *)(uintptr_t)data };
}

static gss_OID mechanism_of(enum gss_kind kind)
{
	/* MS-NLMP through GSSAPI: 1.3.6.1.4.1.311.2.2.10 */
	static gss_OID_desc ntlm = { 10, "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" };

	return kind == GSS_NTLM ? &ntlm : (gss_OID)(uintptr_t)gss_mech_krb5;
}

static void add_text(struct buffer *text, OM_uint32 code, int type, gss_OID mechanism)
{
	gss_buffer_desc part = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, more = 0;

	if (gss_display_status(&minor, code, type, mechanism, &more, &part) != GSS_S_COMPLETE)
		return;
	buffer_printf(text, ": %.*s", (int)part.length, (const char *)part.value);
	(void)gss_release_buffer(&minor, &part);
}

/* To be called in the thread of the call that failed: there is where the words for a minor code
 * lie. The major code says less, wherever there is a minor one. */
__attribute__((format(printf, 5, 6))) static struct err status_error(enum err_scope scope,
	OM_uint32 major, OM_uint32 minor, enum gss_kind kind, const char *format, ...)
{
	struct buffer text = { 0 };
	struct err e;
	va_list ap;
	char *what;

	va_start(ap, format);
	if (vasprintf(&what, format, ap) < 0)
		what = NULL;
	va_end(ap);
	buffer_printf(&text, "%s", what ? what : "GSSAPI");
	free(what);
	if (GSS_ROUTINE_ERROR(major) != GSS_S_FAILURE)
		add_text(&text, major, GSS_C_GSS_CODE, GSS_C_NO_OID);
	if (minor != 0)
		add_text(&text, minor, GSS_C_MECH_CODE, mechanism_of(kind));
	e = err_make(scope, "%.*s", (int)buffer_used(&text), text.data + text.start);
	buffer_done(&text);
	return e;
}

void gss_prepare_ntlm(bool take_v1)
{
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	/* 2: NTLM and NTLMv2 responses; 5: NTLMv2 alone. Never LM: the place of a hash that is not
	 * there is filled with what everybody knows. */
	(void)setenv("LM_COMPAT_LEVEL", take_v1 ? "2" : "5", 1);
	/* Its own word for none: in a domain that level would be left to a domain controller. */
	(void)setenv("NETBIOS_DOMAIN_NAME", "WORKSTATION", 1);
}

struct gss *gss_new(void)
{
	return mem_zalloc(1, sizeof(struct gss));
}

static void forget_names(struct gss *gss)
{
	free(gss->peer);
	free(gss->own_name);
	gss->peer = gss->own_name = NULL;
}

static void drop_context(struct gss *gss)
{
	OM_uint32 minor;

	(void)gss_delete_sec_context(&minor, &gss->context, GSS_C_NO_BUFFER);
	gss_delegated_free(gss_take_delegated(gss));
	forget_names(gss);
}

void gss_free(struct gss *gss)
{
	if (!gss)
		return;
	drop_context(gss);
	free(gss);
}

static void run(struct call *call, void (*job)(void *), struct buffer *out)
{
	OM_uint32 minor;

	offload(job, call);
	if (!failed(call->e))
		buffer_append(out, call->out.value ? call->out.value : "", call->out.length);
	/* MIT's gss_release_buffer forgets the memory of an empty one. */
	if (call->out.length == 0)
		free(call->out.value);
	else
		(void)gss_release_buffer(&minor, &call->out);
}

/* Names */

static struct err import_service(const char *text, enum gss_kind kind, gss_name_t *ret)
{
	gss_buffer_desc name = octets(text, strlen(text));
	OM_uint32 major, minor;

	major = gss_import_name(&minor, &name, GSS_C_NT_HOSTBASED_SERVICE, ret);
	if (GSS_ERROR(major))
		return status_error(ERR_TEMP, major, minor, kind, "%s", text);
	return ok();
}

/* A name as text; takes the name. NTLM counts the final NUL in. */
static char *text_of(gss_name_t name)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	char *result = NULL;
	OM_uint32 minor;

	if (name != GSS_C_NO_NAME &&
		gss_display_name(&minor, name, &text, NULL) == GSS_S_COMPLETE && text.value) {
		size_t n = text.length;

		while (n > 0 && ((const char *)text.value)[n - 1] == '\0')
			n--;
		/* A NUL inside would make one name look like another. */
		if (!memchr(text.value, '\0', n))
			result = mem_printf("%.*s", (int)n, (const char *)text.value);
	}
	(void)gss_release_buffer(&minor, &text);
	(void)gss_release_name(&minor, &name);
	return result;
}

/* Accepting */

/* MS-NLMP section 2.2.2.5: Unicode or OEM strings, a target, NTLM, 128 or 56 bits. */
#define NTLM_FLAGS_WITHOUT_VERSION 0xa0000207U

static struct err use_few_flags(gss_cred_id_t *credential)
{
	/* GSS_NTLMSSP_NEG_FLAGS_OID: 1.3.6.1.4.1.7165.655.1.5 */
	static gss_OID_desc option = { 11, "\x2b\x06\x01\x04\x01\xb7\x7d\x85\x0f\x01\x05" };
	uint32_t flags = NTLM_FLAGS_WITHOUT_VERSION;
	gss_buffer_desc value = octets(&flags, sizeof(flags));
	OM_uint32 minor;
	OM_uint32 major = gss_set_cred_option(&minor, credential, &option, &value);

	if (GSS_ERROR(major))
		return status_error(ERR_TEMP, major, minor, GSS_NTLM, "NTLM flags");
	return ok();
}

static struct err acquire(const struct gss_acceptor *acceptor, gss_cred_id_t *ret)
{
	gss_key_value_element_desc element = {
		acceptor->kind == GSS_NTLM ? "ntlmssp_keyfile" : "keytab", acceptor->file
	};
	gss_key_value_set_desc store = { 1, &element };
	gss_OID_set_desc mechanisms = { 1, mechanism_of(acceptor->kind) };
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 major, minor, ignored;
	struct err e;

	/* gss-ntlmssp takes a file that is not there for one without this user. */
	if (*acceptor->file && access(acceptor->file, R_OK) != 0)
		return err_errno(ERR_TEMP, errno, "%s", acceptor->file);
	e = import_service(acceptor->service, acceptor->kind, &name);
	if (failed(e))
		return e;
	major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &mechanisms, GSS_C_ACCEPT,
		*acceptor->file ? &store : GSS_C_NO_CRED_STORE, ret, NULL, NULL);
	if (GSS_ERROR(major))
		e = status_error(ERR_TEMP, major, minor, acceptor->kind, "%s", acceptor->file);
	else if (acceptor->versionless)
		e = use_few_flags(ret);
	(void)gss_release_name(&ignored, &name);
	return e;
}

/* Who the client is, and whom it took us for. */
static struct err keep_names(struct gss *gss, gss_name_t peer, enum gss_kind kind)
{
	gss_name_t own = GSS_C_NO_NAME;
	OM_uint32 minor;

	gss->peer = text_of(peer);
	if (!gss->peer)
		return err_make(ERR_AUTH, "the client has no name");
	if (kind == GSS_KERBEROS)
		(void)gss_inquire_context(
			&minor, gss->context, NULL, &own, NULL, NULL, NULL, NULL, NULL);
	gss->own_name = text_of(own);
	if (!gss->own_name)
		gss->own_name = mem_strdup("");
	return ok();
}

/* Kerberos says of a token by codes of its own what is wrong with it; those of the system tell of
 * files, such as the cache against replays. (EINVAL is said of tokens, too.) */
static enum err_scope blame(enum gss_kind kind, OM_uint32 minor)
{
	bool system = minor > 0 && minor < ERRNO_END && minor != EINVAL;

	return kind == GSS_KERBEROS && system ? ERR_TEMP : ERR_AUTH;
}

static struct err accept_with(struct call *call, gss_cred_id_t credential)
{
	const struct gss_acceptor *acceptor = call->acceptor;
	struct gss_channel_bindings_struct binding = { .application_data = octets(acceptor->binding,
							       acceptor->n_binding) };
	gss_name_t peer = GSS_C_NO_NAME;
	gss_OID used = GSS_C_NO_OID;
	OM_uint32 major, minor, ignored;

	major = gss_accept_sec_context(&minor, &call->gss->context, credential, &call->in,
		acceptor->n_binding > 0 ? &binding : GSS_C_NO_CHANNEL_BINDINGS, &peer, &used,
		&call->out, NULL, NULL, &call->gss->delegated);
	call->done = major == GSS_S_COMPLETE;
	if (!GSS_ERROR(major) && !call->done)
		return ok();
	if (GSS_ERROR(major)) {
		(void)gss_release_name(&ignored, &peer);
		return status_error(
			blame(acceptor->kind, minor), major, minor, acceptor->kind, "token");
	}
	if (!gss_oid_equal(used, mechanism_of(acceptor->kind))) {
		(void)gss_release_name(&ignored, &peer);
		return err_make(ERR_AUTH, "a token of another mechanism");
	}
	return keep_names(call->gss, peer, acceptor->kind);
}

static void accept_job(void *arg)
{
	struct call *call = arg;
	gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
	OM_uint32 minor;

	call->e = acquire(call->acceptor, &credential);
	if (!failed(call->e))
		call->e = accept_with(call, credential);
	(void)gss_release_cred(&minor, &credential);
	if (failed(call->e))
		drop_context(call->gss);
}

fiber_fn struct err gss_accept_token(struct gss *gss, const struct gss_acceptor *acceptor,
	const void *token, size_t n, struct buffer *out, bool *done)
{
	struct call call = { .gss = gss, .acceptor = acceptor, .in = octets(token, n) };

	run(&call, accept_job, out);
	*done = call.done && !failed(call.e);
	return call.e;
}

/* Initiating */

static void initiate_job(void *arg)
{
	struct call *call = arg;
	OM_uint32 major, minor, flags = 0, ignored;
	gss_name_t target = GSS_C_NO_NAME;

	call->e = import_service(call->target, GSS_KERBEROS, &target);
	if (failed(call->e))
		return;
	major = gss_init_sec_context(&minor, call->credential, &call->gss->context, target,
		mechanism_of(GSS_KERBEROS), GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG, 0,
		GSS_C_NO_CHANNEL_BINDINGS, &call->in, NULL, &call->out, &flags, NULL);
	(void)gss_release_name(&ignored, &target);
	call->done = major == GSS_S_COMPLETE;
	if (GSS_ERROR(major))
		call->e = status_error(ERR_TEMP, major, minor, GSS_KERBEROS, "%s", call->target);
	else if (call->done && !(flags & GSS_C_MUTUAL_FLAG))
		call->e = err_make(ERR_TEMP, "%s: the server did not prove itself", call->target);
}

fiber_fn struct err gss_initiate_token(struct gss *gss, void *credential, const char *target,
	const void *token, size_t n, struct buffer *out, bool *done)
{
	static struct gate gate;
	static bool ready;
	struct call call = {
		.gss = gss, .credential = credential, .target = target, .in = octets(token, n)
	};
	struct err e;

	if (!ready) {
		gate_init(&gate, pool_places(4));
		ready = true;
	}
	if (failed(e = gate_enter(&gate)))
		return err_context(e, "%s: waiting for others that ask a KDC", target);
	run(&call, initiate_job, out);
	gate_leave(&gate);
	*done = call.done && !failed(call.e);
	return call.e;
}

/* Messages */

static void wrap_job(void *arg)
{
	struct call *call = arg;
	OM_uint32 minor;
	OM_uint32 major = gss_wrap(
		&minor, call->gss->context, 0, GSS_C_QOP_DEFAULT, &call->in, NULL, &call->out);

	if (GSS_ERROR(major))
		call->e = status_error(ERR_TEMP, major, minor, GSS_KERBEROS, "wrap");
}

fiber_fn struct err gss_wrap_message(
	struct gss *gss, const void *message, size_t n, struct buffer *out)
{
	struct call call = { .gss = gss, .in = octets(message, n) };

	run(&call, wrap_job, out);
	return call.e;
}

static void unwrap_job(void *arg)
{
	struct call *call = arg;
	OM_uint32 minor;
	OM_uint32 major = gss_unwrap(&minor, call->gss->context, &call->in, &call->out, NULL, NULL);

	/* Out of order or a duplicate are supplementary bits, no errors. */
	if (major != GSS_S_COMPLETE)
		call->e = status_error(ERR_INVALID, major, minor, GSS_KERBEROS, "unwrap");
}

fiber_fn struct err gss_unwrap_message(
	struct gss *gss, const void *wrapped, size_t n, struct buffer *out)
{
	struct call call = { .gss = gss, .in = octets(wrapped, n) };

	run(&call, unwrap_job, out);
	return call.e;
}

/* Results */

const char *gss_peer(const struct gss *gss)
{
	return gss->peer;
}

const char *gss_own_name(const struct gss *gss)
{
	return gss->own_name;
}

void *gss_take_delegated(struct gss *gss)
{
	return steal(gss->delegated);
}

void gss_delegated_free(void *credential)
{
	gss_cred_id_t handle = credential;
	OM_uint32 minor;

	if (handle != GSS_C_NO_CREDENTIAL)
		(void)gss_release_cred(&minor, &handle);
}
