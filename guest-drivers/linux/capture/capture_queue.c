// SPDX-License-Identifier: GPL-2.0
/*
 * videobuf2: what the buffers of applications look like to the card.
 */
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>

#include <media/videobuf2-dma-sg.h>

#include "capture.h"

static struct capture_buffer *to_capture_buffer(struct vb2_buffer *vb)
{
	return container_of(to_vb2_v4l2_buffer(vb), struct capture_buffer, vb);
}

static int capture_queue_setup(struct vb2_queue *queue, unsigned int *buffers,
			       unsigned int *planes, unsigned int sizes[],
			       struct device *alloc_devs[])
{
	struct capture_stream *stream = vb2_get_drv_priv(queue);

	if (READ_ONCE(stream->card->removed))
		return -ENODEV;
	if (*planes) /* VIDIOC_CREATE_BUFS */
		return *planes != 1 || sizes[0] < stream->pix.sizeimage ? -EINVAL : 0;
	*planes = 1;
	sizes[0] = stream->pix.sizeimage;
	return 0;
}

/* The card's list names the memory of one frame and not a byte more. */
static unsigned int capture_buffer_pieces(const struct sg_table *table, u32 bytes)
{
	struct scatterlist *piece;
	unsigned int pieces = 0;
	unsigned int i;

	for_each_sgtable_dma_sg(table, piece, i) {
		if (!bytes)
			break;
		bytes -= min(bytes, sg_dma_len(piece));
		pieces++;
	}
	return bytes ? 0 : pieces;
}

static void capture_buffer_fill_list(struct capture_buffer *buffer, const struct sg_table *table,
				     u32 bytes)
{
	struct capture_sg *entry = buffer->list;
	struct scatterlist *piece;
	unsigned int i;

	for_each_sgtable_dma_sg(table, piece, i) {
		u32 length = min(bytes, sg_dma_len(piece));

		if (i == buffer->list_entries)
			break;
		entry->address = cpu_to_le64(sg_dma_address(piece));
		entry->length = cpu_to_le32(length);
		entry->reserved = 0;
		bytes -= length;
		entry++;
	}
}

static int capture_buffer_init(struct vb2_buffer *vb)
{
	struct capture_stream *stream = vb2_get_drv_priv(vb->vb2_queue);
	const struct sg_table *table = vb2_dma_sg_plane_desc(vb, 0);
	struct capture_buffer *buffer = to_capture_buffer(vb);
	unsigned int pieces = capture_buffer_pieces(table, stream->pix.sizeimage);

	if (!pieces || pieces > CAPTURE_SG_MAX)
		return -EINVAL;
	buffer->list_bytes = pieces * sizeof(*buffer->list);
	buffer->list = dma_alloc_coherent(&stream->card->pdev->dev, buffer->list_bytes,
					  &buffer->list_dma, GFP_KERNEL);
	if (!buffer->list)
		return -ENOMEM;
	buffer->list_entries = pieces;
	capture_buffer_fill_list(buffer, table, stream->pix.sizeimage);
	return 0;
}

static void capture_buffer_cleanup(struct vb2_buffer *vb)
{
	struct capture_stream *stream = vb2_get_drv_priv(vb->vb2_queue);
	struct capture_buffer *buffer = to_capture_buffer(vb);

	if (!buffer->list)
		return;
	dma_free_coherent(&stream->card->pdev->dev, buffer->list_bytes, buffer->list,
			  buffer->list_dma);
	buffer->list = NULL;
}

static int capture_buffer_prepare(struct vb2_buffer *vb)
{
	struct capture_stream *stream = vb2_get_drv_priv(vb->vb2_queue);

	if (vb2_plane_size(vb, 0) < stream->pix.sizeimage)
		return -EINVAL;
	vb2_set_plane_payload(vb, 0, stream->pix.sizeimage);
	return 0;
}

static void capture_buffer_queue(struct vb2_buffer *vb)
{
	capture_stream_give(vb2_get_drv_priv(vb->vb2_queue), to_capture_buffer(vb));
}

static void capture_return_waiting(struct capture_stream *stream, enum vb2_buffer_state state)
{
	struct capture_buffer *buffer, *next;
	unsigned long flags;

	spin_lock_irqsave(&stream->irq_lock, flags);
	list_for_each_entry_safe(buffer, next, &stream->waiting, node) {
		list_del(&buffer->node);
		vb2_buffer_done(&buffer->vb.vb2_buf, state);
	}
	spin_unlock_irqrestore(&stream->irq_lock, flags);
}

static int capture_start_streaming(struct vb2_queue *queue, unsigned int count)
{
	struct capture_stream *stream = vb2_get_drv_priv(queue);
	struct capture_card *card = stream->card;
	int ret;

	stream->sequence_base = 0;
	stream->sequence_next = 0;
	stream->dropped_base = 0;
	stream->dropped = 0;
	stream->delivered = 0;
	stream->damaged = 0;

	if (READ_ONCE(card->removed) || READ_ONCE(card->gone))
		ret = -ENODEV;
	else if (card->offline)
		ret = -EAGAIN;
	else
		ret = capture_stream_start(stream);
	if (ret)
		capture_return_waiting(stream, VB2_BUF_STATE_QUEUED);
	return ret;
}

static void capture_stop_streaming(struct vb2_queue *queue)
{
	struct capture_stream *stream = vb2_get_drv_priv(queue);

	capture_stream_halt(stream);
	capture_return_waiting(stream, VB2_BUF_STATE_ERROR);
}

static const struct vb2_ops capture_queue_ops = {
	.queue_setup = capture_queue_setup,
	.buf_init = capture_buffer_init,
	.buf_cleanup = capture_buffer_cleanup,
	.buf_prepare = capture_buffer_prepare,
	.buf_queue = capture_buffer_queue,
	.start_streaming = capture_start_streaming,
	.stop_streaming = capture_stop_streaming,
	.wait_prepare = vb2_ops_wait_prepare,
	.wait_finish = vb2_ops_wait_finish,
};

/**
 * capture_queue_init - set up the vb2 queue of a stream
 * @stream: the stream
 *
 * Return: 0 or a negative error code.
 */
int capture_queue_init(struct capture_stream *stream)
{
	struct vb2_queue *queue = &stream->queue;

	queue->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	queue->io_modes = VB2_MMAP | VB2_USERPTR | VB2_DMABUF | VB2_READ;
	queue->drv_priv = stream;
	queue->buf_struct_size = sizeof(struct capture_buffer);
	queue->ops = &capture_queue_ops;
	queue->mem_ops = &vb2_dma_sg_memops;
	queue->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_EOF;
	queue->lock = &stream->lock;
	queue->dev = &stream->card->pdev->dev;
	return vb2_queue_init(queue);
}
