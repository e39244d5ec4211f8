/* ready: what keeps the gateway from being sent clients, the registry's health among it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/admin/ready.h"
#include "proxy/maildrop/registry_health.h"

static const struct config with_registry = { .state_kind = STATE_SQLITE };
static const struct config without = { .state_kind = STATE_NONE };

static int map(void **state)
{
	(void)state;
	registry_health_map();
	return 0;
}

static void test_obstacles(void **state)
{
	struct admin_gateway gateway = { .config = &with_registry, .serving = 1 };

	(void)state;
	assert_null(ready_obstacle(&gateway));
	gateway.serving = 0;
	assert_string_equal(ready_obstacle(&gateway), "no worker serves");
	gateway.draining = true;
	assert_string_equal(ready_obstacle(&gateway), "draining");
}

static void test_the_registry(void **state)
{
	struct admin_gateway gateway = { .config = &with_registry, .serving = 1 };
	struct admin_gateway stateless = { .config = &without, .serving = 1 };

	(void)state;
	registry_health_note(err_make(ERR_TEMP, "locked"));
	assert_string_equal(ready_obstacle(&gateway), "the registry cannot be reached");
	assert_null(ready_obstacle(&stateless));
	assert_int_equal(registry_failures(), 1);

	/* Says nothing about the registry: whoever waited was told to end. */
	registry_health_note(err_make(ERR_CANCELED, "shutdown"));
	assert_non_null(ready_obstacle(&gateway));
	assert_int_equal(registry_failures(), 1);

	registry_health_note(ok());
	assert_null(ready_obstacle(&gateway));
	registry_health_note(err_make(ERR_PERM, "corrupt"));
	assert_non_null(ready_obstacle(&gateway));
	assert_int_equal(registry_failures(), 2);
	registry_health_note(ok());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_obstacles),
		cmocka_unit_test(test_the_registry),
	};

	return cmocka_run_group_tests(tests, map, NULL);
}
