/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Linux driver of the Testcard capture card: what its files share.
 *
 *  capture_pci.c        probe, remove, power management, resets
 *  capture_interrupt.c  the interrupt handler and the watchdog
 *  capture_ring.c       rings in DMA memory, start and stop of a stream, completions
 *  capture_queue.c      videobuf2: buffers and their scatter-gather lists
 *  capture_video.c      the video node and its ioctls
 *  capture_timings.c    the signal on the input, as DV timings
 *  capture_clock.c      the card's clock in terms of CLOCK_MONOTONIC
 */
#ifndef TESTCARD_CAPTURE_H
#define TESTCARD_CAPTURE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/videodev2.h>
#include <linux/workqueue.h>

#include <media/v4l2-ctrls.h>
#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/videobuf2-v4l2.h>

#include "capture/capture_regs.h"

#define CAPTURE_DRIVER_NAME "testcard_capture"

/* A ring has room for every buffer that a queue can have, so posting never waits. */
#define CAPTURE_RING_SHIFT 5
#define CAPTURE_RING_SIZE  BIT(CAPTURE_RING_SHIFT)
static_assert(CAPTURE_RING_SIZE >= VIDEO_MAX_FRAME);

struct capture_card;

/* How a V4L2 pixel format looks to the card. */
struct capture_format {
	u32 fourcc;
	u32 code;		/* CAPTURE_FORMAT_ */
	u32 bytes_per_pixel;
};

/* One vb2 buffer and the list of pieces by which the card finds its memory. */
struct capture_buffer {
	struct vb2_v4l2_buffer vb;
	struct list_head node;	/* in capture_stream.waiting */
	struct capture_sg *list;
	dma_addr_t list_dma;
	size_t list_bytes;
	u32 list_entries;
	u64 cookie;		/* of its last descriptor */
};

/* All that the card and the driver share in memory, in one coherent block for each stream. */
struct capture_ring {
	struct capture_index index;
	struct capture_completion completions[CAPTURE_RING_SIZE];
	struct capture_descriptor descriptors[CAPTURE_RING_SIZE];
};

enum capture_stream_state {
	CAPTURE_STOPPED,	/* the card owns nothing of ours */
	CAPTURE_RUNNING,
	CAPTURE_FAILED,		/* as running, but nothing that the card says is believed */
	CAPTURE_STOPPING,	/* waiting for IDLE */
};

struct capture_stream {
	struct capture_card *card;
	unsigned int number;

	struct video_device vdev;
	struct v4l2_ctrl_handler controls;
	struct vb2_queue queue;
	struct mutex lock;	/* ioctls, the queue, start and stop */

	struct v4l2_dv_timings timings;
	struct v4l2_pix_format pix;
	const struct capture_format *format;

	struct capture_ring *ring;
	dma_addr_t ring_dma;
	struct completion idle;

	spinlock_t irq_lock;	/* all that follows */
	enum capture_stream_state state;
	struct list_head waiting;	/* buffers that the card does not have */
	struct capture_buffer *posted[VIDEO_MAX_FRAME];
	u32 posts;		/* descriptors posted since COMMIT */
	u32 reaps;		/* completions taken since COMMIT */
	u32 events;		/* capture_index.events when last looked at */

	u32 sequence_base;	/* added to the card's, which starts at 0 with each RUN */
	u32 sequence_next;
	u64 timestamp;		/* of the last frame: time does not run backwards */
	u32 dropped_base;
	u32 dropped;		/* since STREAMON */
	u32 delivered;		/* since STREAMON, without error */
	u32 damaged;		/* since STREAMON, with V4L2_BUF_FLAG_ERROR */
};

struct capture_card {
	struct pci_dev *pdev;
	void __iomem *registers;
	struct v4l2_device v4l2_dev;
	u32 capabilities;
	u32 version;
	unsigned int vectors;
	bool messages;		/* MSI or MSI-X: an interrupt is a message, never shared */
	u32 irq_mask;
	bool gone;		/* reads all ones: unplugged, or its process has died */
	bool offline;		/* suspended or in reset: no stream may start */
	bool removed;		/* unplugged or unbound: only open files are left */
	struct delayed_work watchdog;
	struct mutex clock_lock;	/* CLOCK_LATCH until both halves are read */
	atomic64_t clock_offset_ns;	/* CLOCK_MONOTONIC minus the card's clock */
	unsigned int stream_count;
	struct capture_stream streams[CAPTURE_STREAM_MAX];
};

#define for_each_stream(card, stream)                                          \
	for ((stream) = (card)->streams;                                       \
	     (stream) < (card)->streams + (card)->stream_count; (stream)++)

static inline u32 capture_read(struct capture_card *card, u32 offset)
{
	return readl(card->registers + offset);
}

static inline void capture_write(struct capture_card *card, u32 offset, u32 value)
{
	writel(value, card->registers + offset);
}

static inline u32 capture_stream_read(struct capture_stream *stream, u32 offset)
{
	return capture_read(stream->card, CAPTURE_STREAM(stream->number) + offset);
}

static inline void capture_stream_write(struct capture_stream *stream, u32 offset, u32 value)
{
	capture_write(stream->card, CAPTURE_STREAM(stream->number) + offset, value);
}

/* capture_pci.c */
bool capture_card_alive(struct capture_card *card);
void capture_card_force_idle(struct capture_card *card);

/* capture_interrupt.c */
#define CAPTURE_WATCHDOG_PERIOD msecs_to_jiffies(1000)
void capture_source_changed(struct capture_card *card);
irqreturn_t capture_interrupt(int irq, void *data);
void capture_watchdog(struct work_struct *work);

/* capture_ring.c */
int capture_ring_alloc(struct capture_stream *stream);
void capture_ring_free(struct capture_stream *stream);
int capture_stream_start(struct capture_stream *stream);
void capture_stream_halt(struct capture_stream *stream);
void capture_stream_give(struct capture_stream *stream, struct capture_buffer *buffer);
bool capture_stream_reap(struct capture_stream *stream);
void capture_stream_fail(struct capture_stream *stream, const char *why);

/* capture_queue.c */
int capture_queue_init(struct capture_stream *stream);

/* capture_video.c */
int capture_video_register(struct capture_stream *stream);
void capture_video_unregister(struct capture_stream *stream);
u32 capture_video_line_bytes(const struct capture_stream *stream);
const struct capture_format *capture_video_first_format(struct capture_card *card);
void capture_video_set_timings(struct capture_stream *stream,
			       const struct v4l2_dv_timings *timings);

/* capture_timings.c */
extern const struct v4l2_dv_timings_cap capture_timings_cap;
extern const struct v4l2_dv_timings capture_timings_default;
bool capture_timings_check(const struct v4l2_dv_timings *timings, void *unused);
int capture_timings_query(struct capture_card *card, struct v4l2_dv_timings *timings);
u32 capture_timings_input_status(struct capture_card *card);

/* capture_clock.c */
void capture_clock_start(struct capture_card *card);
void capture_clock_follow(struct capture_card *card);
u64 capture_clock_to_monotonic(struct capture_card *card, u64 card_ns);

#endif /* TESTCARD_CAPTURE_H */
