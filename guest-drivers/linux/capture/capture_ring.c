// SPDX-License-Identifier: GPL-2.0
/*
 * The rings that a stream shares with the card: descriptors go in, completions come out.
 *
 * A stream has COMMIT, doorbell and RUN at its start, ABORT and IDLE at its end, and no register
 * read in between: completions and their count lie in memory. Whatever the card writes there is
 * copied once and checked before it is used; a card that does not keep to the contract fails the
 * stream, not the kernel.
 */
#include <linux/dma-mapping.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>

#include "capture.h"

#define CAPTURE_IDLE_TIMEOUT msecs_to_jiffies(1000)

/**
 * capture_ring_alloc - allocate what a stream shares with the card
 * @stream: the stream
 *
 * The memory stays until the card has been reset for good, since a committed stream may write its
 * index at any time.
 *
 * Return: 0 or -ENOMEM.
 */
int capture_ring_alloc(struct capture_stream *stream)
{
	BUILD_BUG_ON(offsetof(struct capture_ring, completions) % 64);
	BUILD_BUG_ON(offsetof(struct capture_ring, descriptors) % 64);

	stream->ring = dma_alloc_coherent(&stream->card->pdev->dev, sizeof(*stream->ring),
					  &stream->ring_dma, GFP_KERNEL);
	return stream->ring ? 0 : -ENOMEM;
}

/**
 * capture_ring_free - free what capture_ring_alloc() allocated
 * @stream: the stream, halted
 */
void capture_ring_free(struct capture_stream *stream)
{
	dma_free_coherent(&stream->card->pdev->dev, sizeof(*stream->ring), stream->ring,
			  stream->ring_dma);
	stream->ring = NULL;
}

static void capture_stream_write_address(struct capture_stream *stream, u32 low_register,
					 size_t ring_offset)
{
	dma_addr_t address = stream->ring_dma + ring_offset;

	capture_stream_write(stream, low_register, lower_32_bits(address));
	capture_stream_write(stream, low_register + 4, upper_32_bits(address));
}

static int capture_stream_commit(struct capture_stream *stream)
{
	u32 status;

	memset(stream->ring, 0, sizeof(*stream->ring));
	stream->posts = 0;
	stream->reaps = 0;
	stream->events = 0;

	capture_stream_write(stream, STREAM_FORMAT, stream->format->code);
	capture_stream_write(stream, STREAM_WIDTH, stream->pix.width);
	capture_stream_write(stream, STREAM_HEIGHT, stream->pix.height);
	capture_stream_write(stream, STREAM_STRIDE, stream->pix.bytesperline);
	capture_stream_write(stream, STREAM_OFFSET, 0);
	capture_stream_write_address(stream, STREAM_RING_LOW,
				     offsetof(struct capture_ring, descriptors));
	capture_stream_write_address(stream, STREAM_COMPLETION_LOW,
				     offsetof(struct capture_ring, completions));
	capture_stream_write_address(stream, STREAM_INDEX_LOW,
				     offsetof(struct capture_ring, index));
	capture_stream_write(stream, STREAM_RING_SHIFT, CAPTURE_RING_SHIFT);
	capture_stream_write(stream, STREAM_COMMAND, STREAM_COMMAND_COMMIT);

	status = capture_stream_read(stream, STREAM_STATUS);
	if (status == U32_MAX && !capture_card_alive(stream->card))
		return -ENODEV;
	if (!(status & STREAM_STATUS_COMMITTED)) {
		v4l2_err(&stream->card->v4l2_dev, "stream %u: COMMIT refused, error %u\n",
			 stream->number, capture_stream_read(stream, STREAM_ERROR));
		return -EIO;
	}
	return 0;
}

static void capture_stream_ring_doorbell(struct capture_stream *stream)
{
	/* writel() orders the descriptors before the doorbell */
	capture_stream_write(stream, STREAM_DOORBELL, stream->posts);
}

/* The index names the buffer, the count makes a cookie that was used before a wrong one. */
static u64 capture_stream_next_cookie(struct capture_stream *stream, unsigned int index)
{
	return (u64)stream->posts << 32 | index;
}

static void capture_stream_post(struct capture_stream *stream, struct capture_buffer *buffer)
{
	unsigned int index = buffer->vb.vb2_buf.index;
	struct capture_descriptor *descriptor;

	buffer->cookie = capture_stream_next_cookie(stream, index);
	stream->posted[index] = buffer;

	descriptor = &stream->ring->descriptors[stream->posts % CAPTURE_RING_SIZE];
	descriptor->sg_address = cpu_to_le64(buffer->list_dma);
	descriptor->sg_count = cpu_to_le32(buffer->list_entries);
	descriptor->cookie = cpu_to_le64(buffer->cookie);
	stream->posts++;
}

/**
 * capture_stream_give - take a buffer from vb2, and give it to the card if that is running
 * @stream: the stream
 * @buffer: a prepared buffer
 */
void capture_stream_give(struct capture_stream *stream, struct capture_buffer *buffer)
{
	unsigned long flags;

	spin_lock_irqsave(&stream->irq_lock, flags);
	if (stream->state == CAPTURE_RUNNING) {
		capture_stream_post(stream, buffer);
		capture_stream_ring_doorbell(stream);
	} else {
		list_add_tail(&buffer->node, &stream->waiting);
	}
	spin_unlock_irqrestore(&stream->irq_lock, flags);
}

/**
 * capture_stream_start - let the card capture into the buffers that wait, and all that follow
 * @stream: a stopped stream; its lock is held
 *
 * Return: 0, -ENODEV (the card is gone) or -EIO (it refuses).
 */
int capture_stream_start(struct capture_stream *stream)
{
	struct capture_buffer *buffer, *next;
	unsigned long flags;
	int ret;

	ret = capture_stream_commit(stream);
	if (ret)
		return ret;
	capture_clock_start(stream->card);

	spin_lock_irqsave(&stream->irq_lock, flags);
	stream->state = CAPTURE_RUNNING;
	list_for_each_entry_safe(buffer, next, &stream->waiting, node) {
		list_del(&buffer->node);
		capture_stream_post(stream, buffer);
	}
	capture_stream_ring_doorbell(stream);
	capture_stream_write(stream, STREAM_CONTROL, STREAM_CONTROL_RUN);
	spin_unlock_irqrestore(&stream->irq_lock, flags);

	schedule_delayed_work(&stream->card->watchdog, CAPTURE_WATCHDOG_PERIOD);
	return 0;
}

/**
 * capture_stream_fail - give up a stream: applications get EIO until they stop it
 * @stream: the stream; its irq_lock is held
 * @why: for the kernel log
 */
void capture_stream_fail(struct capture_stream *stream, const char *why)
{
	lockdep_assert_held(&stream->irq_lock);
	if (stream->state != CAPTURE_RUNNING)
		return;
	stream->state = CAPTURE_FAILED;
	v4l2_err(&stream->card->v4l2_dev, "stream %u: %s\n", stream->number, why);
	vb2_queue_error(&stream->queue);
}

static struct capture_buffer *capture_stream_take(struct capture_stream *stream, u64 cookie)
{
	u32 index = lower_32_bits(cookie);
	struct capture_buffer *buffer;

	if (index >= ARRAY_SIZE(stream->posted))
		return NULL;
	buffer = stream->posted[index];
	if (!buffer || buffer->cookie != cookie)
		return NULL;
	stream->posted[index] = NULL;
	return buffer;
}

static void capture_stream_deliver(struct capture_stream *stream, struct capture_buffer *buffer,
				   const struct capture_completion *completion)
{
	u32 picture_bytes = capture_video_line_bytes(stream) * stream->pix.height;
	u32 bytes = le32_to_cpu(completion->bytes);
	bool good = le32_to_cpu(completion->status) == CAPTURE_FRAME_OK && bytes == picture_bytes;
	struct vb2_v4l2_buffer *vb = &buffer->vb;
	u64 time;

	stream->sequence_next = stream->sequence_base + le32_to_cpu(completion->sequence) + 1;
	stream->dropped = stream->dropped_base + le32_to_cpu(completion->dropped);
	if (good)
		stream->delivered++;
	else
		stream->damaged++;

	/* the card does not count the padding of lines, V4L2 does */
	vb2_set_plane_payload(&vb->vb2_buf, 0,
			      good ? stream->pix.sizeimage : min(bytes, stream->pix.sizeimage));
	vb->sequence = stream->sequence_next - 1;
	vb->field = V4L2_FIELD_NONE;
	time = capture_clock_to_monotonic(stream->card, le64_to_cpu(completion->end_ns));
	stream->timestamp = max(stream->timestamp, time);
	vb->vb2_buf.timestamp = stream->timestamp;
	vb2_buffer_done(&vb->vb2_buf, good ? VB2_BUF_STATE_DONE : VB2_BUF_STATE_ERROR);
}

static bool capture_stream_complete(struct capture_stream *stream, u32 slot)
{
	struct capture_completion completion = stream->ring->completions[slot];
	struct capture_buffer *buffer;

	barrier(); /* one copy: what was checked is what is used */
	buffer = capture_stream_take(stream, le64_to_cpu(completion.cookie));
	if (!buffer)
		return false;
	if (le32_to_cpu(completion.status) == CAPTURE_FRAME_ABORTED)
		list_add_tail(&buffer->node, &stream->waiting);
	else
		capture_stream_deliver(stream, buffer, &completion);
	return true;
}

/**
 * capture_stream_reap - take all new completions
 * @stream: the stream; its irq_lock is held
 *
 * Reads memory only.
 *
 * Return: true if the card has something else to say: IRQ_STATUS is to be read.
 */
bool capture_stream_reap(struct capture_stream *stream)
{
	const struct capture_index *index = &stream->ring->index;
	u32 events = le32_to_cpu(READ_ONCE(index->events));
	u32 count = le32_to_cpu(READ_ONCE(index->completed)) - stream->reaps;
	bool news = events != stream->events || stream->state != CAPTURE_RUNNING;

	lockdep_assert_held(&stream->irq_lock);
	stream->events = events;
	if (stream->state == CAPTURE_STOPPED || stream->state == CAPTURE_FAILED)
		return news;
	if (count > stream->posts - stream->reaps) {
		capture_stream_fail(stream, "the card completed more than it was given");
		return true;
	}
	dma_rmb(); /* the index before the completions that it counts */
	for (; count; count--, stream->reaps++) {
		if (!capture_stream_complete(stream, stream->reaps % CAPTURE_RING_SIZE)) {
			capture_stream_fail(stream, "the card completed an unknown buffer");
			return true;
		}
	}
	return news;
}

/* ABORT takes a moment even if the stream was idle before: it is done when all came back, too. */
static bool capture_stream_aborted(struct capture_stream *stream)
{
	return capture_stream_read(stream, STREAM_STATUS) & STREAM_STATUS_IDLE &&
	       capture_stream_read(stream, STREAM_COMPLETED) == stream->posts;
}

static bool capture_stream_wait_idle(struct capture_stream *stream)
{
	if (!capture_card_alive(stream->card))
		return true; /* nobody is left who could do DMA */
	if (capture_stream_aborted(stream))
		return true;
	wait_for_completion_timeout(&stream->idle, CAPTURE_IDLE_TIMEOUT);
	return capture_stream_read(stream, STREAM_STATUS) & STREAM_STATUS_IDLE;
}

static void capture_stream_reclaim(struct capture_stream *stream)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(stream->posted); i++) {
		if (!stream->posted[i])
			continue;
		list_add_tail(&stream->posted[i]->node, &stream->waiting);
		stream->posted[i] = NULL;
	}
}

/**
 * capture_stream_halt - stop the card and take all buffers back
 * @stream: a stream in any state; its lock is held
 *
 * Afterwards no DMA goes to the buffers of this stream, whatever the card did or did not answer,
 * and those that hold no frame are in stream->waiting.
 */
void capture_stream_halt(struct capture_stream *stream)
{
	enum capture_stream_state before;
	unsigned long flags;

	reinit_completion(&stream->idle);
	spin_lock_irqsave(&stream->irq_lock, flags);
	before = stream->state;
	if (before == CAPTURE_RUNNING)
		stream->state = CAPTURE_STOPPING;
	spin_unlock_irqrestore(&stream->irq_lock, flags);
	if (before == CAPTURE_STOPPED)
		return;

	capture_stream_write(stream, STREAM_COMMAND, STREAM_COMMAND_ABORT);
	if (!capture_stream_wait_idle(stream))
		capture_card_force_idle(stream->card);

	spin_lock_irqsave(&stream->irq_lock, flags);
	if (before == CAPTURE_RUNNING)
		capture_stream_reap(stream);
	capture_stream_reclaim(stream);
	stream->state = CAPTURE_STOPPED;
	spin_unlock_irqrestore(&stream->irq_lock, flags);
}
