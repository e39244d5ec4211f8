/* counts and keyed_hash: against a plain model, with keys that collide on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/runtime/keyed_hash.h"
#include "proxy/runtime/mem.h"
#include "proxy/service/counts.h"

/* The test vectors of the SipHash paper, appendix A, and of its reference implementation. */
static void test_the_hash_is_siphash_2_4(void **state)
{
	struct hash_key key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	unsigned char input[15];

	(void)state;
	for (unsigned char i = 0; i < sizeof(input); i++)
		input[i] = i;
	assert_true(keyed_hash(&key, input, 15) == 0xa129ca6149be45e5);
	assert_true(keyed_hash(&key, input, 8) == 0x93f5f5799a932462);
	assert_true(keyed_hash(&key, input, 0) == 0x726fdb47dd0e0e31);
}

static void test_two_keys_hash_differently(void **state)
{
	struct hash_key a = hash_key_new(), b = hash_key_new();

	(void)state;
	assert_true(keyed_hash(&a, "x", 1) != keyed_hash(&b, "x", 1));
}

static struct counts *counts_new(size_t keys)
{
	struct counts *counts = mem_zalloc(1, counts_size(keys));

	counts_init(counts, keys);
	return counts;
}

#define MODEL_KEYS 40

/* Every key wants one of four neighbouring places at the end of the table, so that probes run over
 * its edge and removals move entries. */
static uint64_t colliding(size_t i)
{
	return 62 + i % 4 + (i << 32);
}

static void test_counts_as_a_plain_model_does(void **state)
{
	struct counts *counts = counts_new(MODEL_KEYS);
	unsigned model[MODEL_KEYS] = { 0 };
	uint32_t random = 1;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		size_t i;

		random = random * 1664525 + 1013904223;
		i = (random >> 8) % MODEL_KEYS;
		if ((random >> 20) % 2) {
			counts_add(counts, colliding(i));
			model[i]++;
		} else if (model[i] > 0) {
			counts_remove(counts, colliding(i));
			model[i]--;
		}
		for (size_t k = 0; k < MODEL_KEYS; k++)
			assert_int_equal(counts_get(counts, colliding(k)), model[k]);
	}
	free(counts);
}

static void test_keys_that_go_leave_room(void **state)
{
	struct counts *counts = counts_new(4);

	(void)state;
	for (uint64_t key = 1; key < 100000; key++) {
		counts_add(counts, key * 0x9e3779b97f4a7c15);
		assert_int_equal(counts_get(counts, key * 0x9e3779b97f4a7c15), 1);
		counts_remove(counts, key * 0x9e3779b97f4a7c15);
	}
	free(counts);
}

static void test_zero_is_a_key_too(void **state)
{
	struct counts *counts = counts_new(4);

	(void)state;
	assert_int_equal(counts_get(counts, 0), 0);
	counts_add(counts, 0);
	counts_add(counts, 0);
	assert_int_equal(counts_get(counts, 0), 2);
	counts_remove(counts, 0);
	assert_int_equal(counts_get(counts, 0), 1);
	counts_add(counts, 64); /* wants the same place */
	counts_add(counts, 64);
	assert_int_equal(counts_get(counts, 0), 1);
	assert_int_equal(counts_get(counts, 64), 2);
	free(counts);
}

static void test_clear_forgets_everything(void **state)
{
	struct counts *counts = counts_new(4);

	(void)state;
	counts_add(counts, 5);
	counts_add(counts, 6);
	counts_clear(counts);
	assert_int_equal(counts_get(counts, 5), 0);
	assert_int_equal(counts_get(counts, 6), 0);
	free(counts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_hash_is_siphash_2_4),
		cmocka_unit_test(test_two_keys_hash_differently),
		cmocka_unit_test(test_counts_as_a_plain_model_does),
		cmocka_unit_test(test_keys_that_go_leave_room),
		cmocka_unit_test(test_zero_is_a_key_too),
		cmocka_unit_test(test_clear_forgets_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
