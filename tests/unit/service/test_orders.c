/* orders: messages between master and worker, with a descriptor where one goes along. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/orders.h"

static int open_ends(void **state)
{
	static int ends[2];

	*state = ends;
	return orders_open(ends) ? 0 : -1;
}

static int close_ends(void **state)
{
	int *ends = *state;

	(void)close(ends[0]);
	if (ends[1] >= 0)
		(void)close(ends[1]);
	return 0;
}

static void test_in_order(void **state)
{
	const int *ends = *state;
	struct order order;
	int fd;

	assert_int_equal(orders_receive(ends[1], &order, &fd), ORDER_NONE);
	assert_true(orders_send(ends[0], &(struct order){ .kind = ORDER_CLOSE, .id = "a-1" }, -1));
	assert_true(orders_send(ends[0], &(struct order){ .kind = ORDER_CLOSE, .id = "a-2" }, -1));
	assert_int_equal(orders_receive(ends[1], &order, &fd), ORDER_TAKEN);
	assert_string_equal(order.id, "a-1");
	assert_int_equal(fd, -1);
	assert_int_equal(orders_receive(ends[1], &order, &fd), ORDER_TAKEN);
	assert_string_equal(order.id, "a-2");
	assert_int_equal(orders_receive(ends[1], &order, &fd), ORDER_NONE);
}

static void test_a_descriptor_goes_along(void **state)
{
	const int *ends = *state;
	struct order order;
	int pipe_ends[2], fd;
	char octet;

	assert_int_equal(pipe(pipe_ends), 0);
	assert_true(orders_send(ends[0], &(struct order){ .kind = ORDER_LOG }, pipe_ends[1]));
	(void)close(pipe_ends[1]);
	assert_int_equal(orders_receive(ends[1], &order, &fd), ORDER_TAKEN);
	assert_int_equal(order.kind, ORDER_LOG);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(pipe_ends[0], &octet, 1), 1);
	(void)close(fd);
	(void)close(pipe_ends[0]);
}

static void test_the_other_end_is_gone(void **state)
{
	int *ends = *state;
	struct order order;
	int fd;

	assert_true(orders_send(ends[1], &(struct order){ .kind = ORDER_STOPPED }, -1));
	(void)close(ends[1]);
	ends[1] = -1;
	assert_int_equal(orders_receive(ends[0], &order, &fd), ORDER_TAKEN);
	assert_int_equal(order.kind, ORDER_STOPPED);
	assert_int_equal(orders_receive(ends[0], &order, &fd), ORDER_OVER);
	assert_false(orders_send(ends[0], &order, -1));
}

static void test_a_worker_that_does_not_listen_blocks_nobody(void **state)
{
	const int *ends = *state;
	int sent = 0;

	while (orders_send(ends[0], &(struct order){ .kind = ORDER_CLOSE }, -1))
		sent++;
	assert_true(sent > 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_order),
		TEST(test_a_descriptor_goes_along),
		TEST(test_the_other_end_is_gone),
		TEST(test_a_worker_that_does_not_listen_blocks_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
