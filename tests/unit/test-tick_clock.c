/* SPDX-License-Identifier: MIT */
/* A counter and a clock that do as they are told; and this machine's. */
#include "config.h"
#include "test.h"

#include "base/tick_clock.h"

#define MHZ 2500 /* of the counter: 0.4 ns a tick */
#define START_NS (1000 * NS_PER_S)
#define START_TICKS UINT64_C(77777777777)

/* The pair when both have gone on for that long, the clock being `off_ns` ahead of the counter. */
static struct tick_pair after(uint64_t ns, int64_t off_ns)
{
	return (struct tick_pair){ START_TICKS + ns * MHZ / 1000,
				   START_NS + ns + (uint64_t)off_ns };
}

static bool counter_is_read(const struct tick_clock *c)
{
	return atomic_load(&c->base_ns) != 0;
}

/* What readers see then. */
static uint64_t seen(const struct tick_clock *c, uint64_t ns)
{
	return tick_clock_at(c, atomic_load(&c->base_ns), after(ns, 0).ticks);
}

static struct tick_clock measured(void)
{
	struct tick_clock c = { .trusted = true };

	tick_clock_compare(&c, after(0, 0));
	tick_clock_compare(&c, after(NS_PER_S, 0));
	assert_true(counter_is_read(&c));
	return c;
}

static void the_pace_is_measured_first(void **state)
{
	struct tick_clock c = { .trusted = true };

	(void)state;
	tick_clock_compare(&c, after(0, 0));
	assert_false(counter_is_read(&c));
	tick_clock_compare(&c, after(10 * NS_PER_MS - 1, 0));
	assert_false(counter_is_read(&c));
	tick_clock_compare(&c, after(10 * NS_PER_MS, 0));
	assert_true(counter_is_read(&c));
	assert_in_range(seen(&c, 10 * NS_PER_MS), START_NS + 10 * NS_PER_MS - 1,
			START_NS + 10 * NS_PER_MS + 1);
	assert_in_range(seen(&c, NS_PER_S), START_NS + NS_PER_S - 10, START_NS + NS_PER_S + 10);
}

/* A recovery took its time. */
static void the_pace_is_measured_after_a_long_while(void **state)
{
	struct tick_clock c = { .trusted = true };

	(void)state;
	tick_clock_compare(&c, after(0, 0));
	tick_clock_compare(&c, after(600 * NS_PER_S, 0));
	assert_false(counter_is_read(&c));
	tick_clock_compare(&c, after(601 * NS_PER_S, 0));
	assert_true(counter_is_read(&c));
	assert_in_range(seen(&c, 601 * NS_PER_S), START_NS + 601 * NS_PER_S - 10,
			START_NS + 601 * NS_PER_S + 10);
}

static void the_clock_is_followed(void **state)
{
	struct tick_clock c = measured();
	uint64_t ns = NS_PER_S;

	(void)state;
	/* The kernel lets its clock go slower, then faster, than the counter: 500 us in a second.
	 */
	for (int64_t off_ns = 0, n = 1; n <= 600; n++) {
		ns += 20 * NS_PER_MS;
		off_ns += n <= 300 ? 10000 : -10000;
		tick_clock_compare(&c, after(ns, off_ns));
		assert_true(counter_is_read(&c));
		assert_in_range(seen(&c, ns), after(ns, off_ns).ns - 10010,
				after(ns, off_ns).ns + 10010);
	}
}

static void what_is_near_is_left_alone(void **state)
{
	struct tick_clock c = measured();
	uint64_t base_ns = atomic_load(&c.base_ns);

	(void)state;
	tick_clock_compare(&c, after(2 * NS_PER_S, 9900));
	tick_clock_compare(&c, after(3 * NS_PER_S, -9900));
	assert_true(atomic_load(&c.base_ns) == base_ns);
	tick_clock_compare(&c, after(4 * NS_PER_S, 10100));
	assert_false(atomic_load(&c.base_ns) == base_ns);
}

/* The machine slept for an hour, in which the counter went on; or something moved it. */
static void a_counter_that_has_disagreed_is_never_read_again(void **state)
{
	static const struct {
		uint64_t ns;
		int64_t off_ns;
	} found[] = {
		{ 10801 * NS_PER_S, -3600 * (int64_t)NS_PER_S },
		{ 7201 * NS_PER_S, 3 * (int64_t)NS_PER_MS },
		{ 7201 * NS_PER_S, -3 * (int64_t)NS_PER_MS },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof found / sizeof found[0]; i++) {
		struct tick_clock c = measured();

		tick_clock_compare(&c, after(7200 * NS_PER_S, 0));
		assert_true(counter_is_read(&c));
		for (unsigned n = 0; n < 3; n++) {
			tick_clock_compare(&c, after(found[i].ns + n * NS_PER_S, found[i].off_ns));
			assert_false(counter_is_read(&c));
		}
	}
	struct tick_clock c = measured();
	tick_clock_compare(&c, (struct tick_pair){ 12345, START_NS + 2 * NS_PER_S });
	assert_false(counter_is_read(&c));
}

/* Nobody looked for an hour: the pace is known to less than that. */
static void an_owner_that_was_held_up_goes_on(void **state)
{
	struct tick_clock c = measured();

	(void)state;
	tick_clock_compare(&c, after(3601 * NS_PER_S, 300 * (int64_t)NS_PER_MS));
	assert_true(counter_is_read(&c));
	assert_in_range(seen(&c, 3601 * NS_PER_S), after(3601 * NS_PER_S, 0).ns + 299 * NS_PER_MS,
			after(3601 * NS_PER_S, 0).ns + 301 * NS_PER_MS);
}

static void a_counter_that_does_not_count_is_not_read(void **state)
{
	static const uint64_t ticks[] = { 0, 1, 990 * 1000 * 1000, UINT64_C(20) * 1000 * NS_PER_S };

	(void)state;
	for (unsigned i = 0; i < sizeof ticks / sizeof ticks[0]; i++) {
		struct tick_clock c = { .trusted = true };

		tick_clock_compare(&c, (struct tick_pair){ START_TICKS, START_NS });
		tick_clock_compare(
			&c, (struct tick_pair){ START_TICKS + ticks[i], START_NS + NS_PER_S });
		tick_clock_compare(&c, (struct tick_pair){ START_TICKS + 2 * ticks[i],
							   START_NS + 2 * NS_PER_S });
		assert_false(counter_is_read(&c));
	}
}

static void a_counter_nobody_trusts_is_not_read(void **state)
{
	struct tick_clock c = { 0 };

	(void)state;
	tick_clock_compare(&c, after(0, 0));
	tick_clock_compare(&c, after(NS_PER_S, 0));
	tick_clock_compare(&c, after(2 * NS_PER_S, 0));
	assert_false(counter_is_read(&c));
	uint64_t before_ns = clock_monotonic_ns(), ns = tick_clock_ns(&c);
	assert_in_range(ns, before_ns, clock_monotonic_ns());
}

/* Whatever is read here, it is the clock's time: a tenth of a second is far more than it may be
 * off, and far less than a wrong pace or base makes. */
static void this_machines_clock_is_told(void **state)
{
	struct tick_clock c = { 0 };

	(void)state;
	tick_clock_begin(&c);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t before_ns = clock_monotonic_ns(), ns = tick_clock_ns(&c);
		uint64_t after_ns = clock_monotonic_ns();

		assert_in_range(ns, before_ns - NS_PER_S / 10, after_ns + NS_PER_S / 10);
		usleep(5000);
		tick_clock_look(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pace_is_measured_first),
		cmocka_unit_test(the_pace_is_measured_after_a_long_while),
		cmocka_unit_test(the_clock_is_followed),
		cmocka_unit_test(what_is_near_is_left_alone),
		cmocka_unit_test(a_counter_that_has_disagreed_is_never_read_again),
		cmocka_unit_test(an_owner_that_was_held_up_goes_on),
		cmocka_unit_test(a_counter_that_does_not_count_is_not_read),
		cmocka_unit_test(a_counter_nobody_trusts_is_not_read),
		cmocka_unit_test(this_machines_clock_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
