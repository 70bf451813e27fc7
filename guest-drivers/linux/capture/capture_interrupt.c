// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts, and the watchdog for what no interrupt tells.
 *
 * A message (MSI, MSI-X) comes for every newly latched cause, and its handler looks into memory:
 * new completions by the index of each stream, everything else by capture_index.events. Only then,
 * and that is rare, it reads IRQ_STATUS. INTx is a level that may be shared: it has to be read and
 * acknowledged each time.
 */
#include <linux/interrupt.h>

#include <media/v4l2-event.h>

#include "capture.h"

/**
 * capture_source_changed - tell applications that the signal is, or may be, another one
 * @card: the card
 */
void capture_source_changed(struct capture_card *card)
{
	static const struct v4l2_event event = {
		.type = V4L2_EVENT_SOURCE_CHANGE,
		.u.src_change.changes = V4L2_EVENT_SRC_CH_RESOLUTION,
	};
	struct capture_stream *stream;

	for_each_stream(card, stream)
		v4l2_event_queue(&stream->vdev, &event);
}

static void capture_stream_stopped(struct capture_stream *stream)
{
	u32 error = capture_stream_read(stream, STREAM_ERROR);
	unsigned long flags;
	char why[48];

	snprintf(why, sizeof(why), "the card stopped with error %u", error);
	spin_lock_irqsave(&stream->irq_lock, flags);
	capture_stream_fail(stream, why);
	spin_unlock_irqrestore(&stream->irq_lock, flags);
}

/* Acknowledges and handles what IRQ_STATUS says. */
static void capture_dispatch(struct capture_card *card, u32 status)
{
	struct capture_stream *stream;

	if (status == U32_MAX) /* the card is gone; the watchdog will tell */
		return;
	status &= card->irq_mask;
	if (!status)
		return;
	capture_write(card, CAPTURE_IRQ_STATUS, status);
	if (status & CAPTURE_IRQ_SOURCE_CHANGE)
		capture_source_changed(card);
	for_each_stream(card, stream) {
		if (status & CAPTURE_IRQ_ERROR(stream->number))
			capture_stream_stopped(stream);
		if (status & CAPTURE_IRQ_IDLE(stream->number))
			complete(&stream->idle);
	}
}

/* Takes completions; true if any stream has, or may have, other news as well. */
static bool capture_reap_all(struct capture_card *card)
{
	struct capture_stream *stream;
	bool running = false;
	bool news = false;
	unsigned long flags;

	for_each_stream(card, stream) {
		spin_lock_irqsave(&stream->irq_lock, flags);
		if (stream->state != CAPTURE_STOPPED) {
			running = true;
			news |= capture_stream_reap(stream);
		}
		spin_unlock_irqrestore(&stream->irq_lock, flags);
	}
	/* a card without a running stream counts its events nowhere */
	return news || !running;
}

/**
 * capture_interrupt - the interrupt handler
 * @irq: the interrupt
 * @data: the card
 *
 * Return: IRQ_NONE if the interrupt is another device's.
 */
irqreturn_t capture_interrupt(int irq, void *data)
{
	struct capture_card *card = data;

	if (card->messages) {
		if (capture_reap_all(card))
			capture_dispatch(card, capture_read(card, CAPTURE_IRQ_STATUS));
	} else {
		u32 status = capture_read(card, CAPTURE_IRQ_STATUS);

		if (status == U32_MAX || !(status & card->irq_mask))
			return IRQ_NONE;
		/* acknowledge before looking: what comes later is latched again */
		capture_dispatch(card, status);
		capture_reap_all(card);
	}
	return IRQ_HANDLED;
}

static bool capture_any_running(struct capture_card *card)
{
	struct capture_stream *stream;

	for_each_stream(card, stream)
		if (READ_ONCE(stream->state) != CAPTURE_STOPPED)
			return true;
	return false;
}

/**
 * capture_watchdog - once a second while a stream runs
 * @work: of the card
 *
 * Notices a card that has gone, makes up for interrupts that were lost and follows the card's
 * clock.
 */
void capture_watchdog(struct work_struct *work)
{
	struct capture_card *card = container_of(to_delayed_work(work), struct capture_card,
						 watchdog);

	if (!capture_any_running(card) || !capture_card_alive(card))
		return;
	capture_clock_follow(card);

	capture_dispatch(card, capture_read(card, CAPTURE_IRQ_STATUS));
	capture_reap_all(card);

	schedule_delayed_work(&card->watchdog, CAPTURE_WATCHDOG_PERIOD);
}
