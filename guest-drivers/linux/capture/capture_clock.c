// SPDX-License-Identifier: GPL-2.0
/*
 * The card stamps frames by its own nanosecond clock; V4L2 wants CLOCK_MONOTONIC.
 *
 * One correlation costs a posted write and two reads, tens of microseconds each, so it is made
 * when a stream starts and once a second by the watchdog, never for a frame. The card latches its
 * clock somewhere between our two looks at CLOCK_MONOTONIC, which bounds the offset between the
 * clocks from both sides. The offset in use moves only when a new bound rules it out, and then only
 * to that bound: time stamps neither jitter with the latency of the bus nor run backwards.
 */
#include <linux/ktime.h>
#include <linux/minmax.h>

#include "capture.h"

/* Correlations at the start of a stream: the narrowest of a few is far better than one. */
#define CAPTURE_CLOCK_TRIES 4

struct capture_offset {
	s64 low;
	s64 high;
};

static struct capture_offset capture_clock_measure(struct capture_card *card)
{
	struct capture_offset offset;
	u64 before, after, latched;

	mutex_lock(&card->clock_lock);
	before = ktime_get_ns();
	capture_write(card, CAPTURE_CLOCK_LATCH, 1);
	latched = capture_read(card, CAPTURE_CLOCK_LOW);
	after = ktime_get_ns();
	latched |= (u64)capture_read(card, CAPTURE_CLOCK_HIGH) << 32;
	mutex_unlock(&card->clock_lock);

	offset.low = before - latched;
	offset.high = after - latched;
	return offset;
}

/**
 * capture_clock_start - find the offset between the clocks anew
 * @card: the card, awake
 */
void capture_clock_start(struct capture_card *card)
{
	struct capture_offset best = capture_clock_measure(card);
	unsigned int i;

	for (i = 1; i < CAPTURE_CLOCK_TRIES; i++) {
		struct capture_offset next = capture_clock_measure(card);

		if (next.high - next.low < best.high - best.low)
			best = next;
	}
	atomic64_set(&card->clock_offset_ns, best.low + (best.high - best.low) / 2);
}

/**
 * capture_clock_follow - correct the offset by what the clocks have drifted apart
 * @card: the card, awake
 */
void capture_clock_follow(struct capture_card *card)
{
	struct capture_offset now = capture_clock_measure(card);
	s64 offset = atomic64_read(&card->clock_offset_ns);

	atomic64_set(&card->clock_offset_ns, clamp(offset, now.low, now.high));
}

/**
 * capture_clock_to_monotonic - translate a time stamp of the card
 * @card: the card
 * @card_ns: a time in the past by the card's clock
 *
 * Return: nanoseconds of CLOCK_MONOTONIC, never in the future.
 */
u64 capture_clock_to_monotonic(struct capture_card *card, u64 card_ns)
{
	u64 time = card_ns + atomic64_read(&card->clock_offset_ns);

	return min_t(u64, time, ktime_get_ns());
}
