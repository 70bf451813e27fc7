// SPDX-License-Identifier: GPL-2.0
/*
 * The video node of a stream: one HDMI-like input with DV timings.
 */
#include <linux/module.h>
#include <linux/v4l2-dv-timings.h>

#include <media/v4l2-dv-timings.h>
#include <media/v4l2-event.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-ioctl.h>

#include "capture.h"

/* The longest line, padding included, that an application may ask for: twice 4 bytes a pixel. */
#define CAPTURE_STRIDE_MAX (2 * 4 * CAPTURE_WIDTH_MAX)

/* A control of our own: frames that the card dropped since VIDIOC_STREAMON. */
#define CAPTURE_CID_DROPPED_FRAMES (V4L2_CID_USER_BASE + 0x1f00)

static const struct capture_format capture_formats[] = {
	{ V4L2_PIX_FMT_YUYV, CAPTURE_FORMAT_YUYV, 2 },
	{ V4L2_PIX_FMT_BGR24, CAPTURE_FORMAT_BGR24, 3 },
};

static bool capture_format_offered(struct capture_card *card, const struct capture_format *format)
{
	return CAPTURE_CAP_FORMATS(card->capabilities) & BIT(format->code);
}

static const struct capture_format *capture_nth_format(struct capture_card *card, u32 n)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(capture_formats); i++)
		if (capture_format_offered(card, &capture_formats[i]) && !n--)
			return &capture_formats[i];
	return NULL;
}

/**
 * capture_video_first_format - the format of a node that nobody has set up yet
 * @card: the card
 *
 * Return: a format, NULL if card and driver have none in common.
 */
const struct capture_format *capture_video_first_format(struct capture_card *card)
{
	return capture_nth_format(card, 0);
}

static const struct capture_format *capture_find_format(struct capture_card *card, u32 fourcc)
{
	const struct capture_format *format;
	unsigned int i;

	for (i = 0; (format = capture_nth_format(card, i)); i++)
		if (format->fourcc == fourcc)
			return format;
	return capture_video_first_format(card);
}

/**
 * capture_video_line_bytes - length of a line without padding
 * @stream: the stream
 *
 * Return: bytes.
 */
u32 capture_video_line_bytes(const struct capture_stream *stream)
{
	return stream->pix.width * stream->format->bytes_per_pixel;
}

/* Completes @pix: the application chooses pixel format and stride, the timings tell the size. */
static void capture_fill_pix(struct capture_stream *stream, struct v4l2_pix_format *pix)
{
	const struct capture_format *format = capture_find_format(stream->card, pix->pixelformat);
	const struct v4l2_bt_timings *bt = &stream->timings.bt;
	bool yuv = format->fourcc == V4L2_PIX_FMT_YUYV;

	pix->pixelformat = format->fourcc;
	pix->width = bt->width;
	pix->height = bt->height;
	pix->field = V4L2_FIELD_NONE;
	pix->bytesperline = clamp_t(u32, pix->bytesperline, bt->width * format->bytes_per_pixel,
				    CAPTURE_STRIDE_MAX);
	pix->sizeimage = pix->bytesperline * bt->height;
	if (!yuv)
		pix->colorspace = V4L2_COLORSPACE_SRGB;
	else if (bt->height < 720)
		pix->colorspace = V4L2_COLORSPACE_SMPTE170M;
	else
		pix->colorspace = V4L2_COLORSPACE_REC709;
	pix->ycbcr_enc = V4L2_YCBCR_ENC_DEFAULT;
	pix->quantization = V4L2_QUANTIZATION_DEFAULT;
	pix->xfer_func = V4L2_XFER_FUNC_DEFAULT;
}

/**
 * capture_video_set_timings - make a stream expect a signal, in the pixel format it has
 * @stream: a stream without buffers
 * @timings: within capture_timings_cap
 */
void capture_video_set_timings(struct capture_stream *stream,
			       const struct v4l2_dv_timings *timings)
{
	stream->timings = *timings;
	stream->pix.bytesperline = 0;
	capture_fill_pix(stream, &stream->pix);
}

/* Capabilities and formats */

static int capture_querycap(struct file *file, void *fh, struct v4l2_capability *cap)
{
	strscpy(cap->driver, "testcard", sizeof(cap->driver)); /* 15 letters at most */
	strscpy(cap->card, "Testcard capture card", sizeof(cap->card));
	return 0;
}

static int capture_enum_fmt(struct file *file, void *fh, struct v4l2_fmtdesc *desc)
{
	struct capture_stream *stream = video_drvdata(file);
	const struct capture_format *format = capture_nth_format(stream->card, desc->index);

	if (!format)
		return -EINVAL;
	desc->pixelformat = format->fourcc;
	return 0;
}

static int capture_g_fmt(struct file *file, void *fh, struct v4l2_format *format)
{
	struct capture_stream *stream = video_drvdata(file);

	format->fmt.pix = stream->pix;
	return 0;
}

static int capture_try_fmt(struct file *file, void *fh, struct v4l2_format *format)
{
	capture_fill_pix(video_drvdata(file), &format->fmt.pix);
	return 0;
}

static int capture_s_fmt(struct file *file, void *fh, struct v4l2_format *format)
{
	struct capture_stream *stream = video_drvdata(file);

	if (vb2_is_busy(&stream->queue))
		return -EBUSY;
	capture_fill_pix(stream, &format->fmt.pix);
	stream->pix = format->fmt.pix;
	stream->format = capture_find_format(stream->card, stream->pix.pixelformat);
	return 0;
}

static int capture_g_parm(struct file *file, void *fh, struct v4l2_streamparm *parm)
{
	struct capture_stream *stream = video_drvdata(file);

	if (parm->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
		return -EINVAL;
	parm->parm.capture.timeperframe = v4l2_calc_timeperframe(&stream->timings);
	parm->parm.capture.readbuffers = 3;
	return 0;
}

/* The input and its signal */

static int capture_enum_input(struct file *file, void *fh, struct v4l2_input *input)
{
	struct capture_stream *stream = video_drvdata(file);

	if (input->index)
		return -EINVAL;
	strscpy(input->name, "HDMI", sizeof(input->name));
	input->type = V4L2_INPUT_TYPE_CAMERA;
	input->capabilities = V4L2_IN_CAP_DV_TIMINGS;
	input->status = capture_timings_input_status(stream->card);
	return 0;
}

static int capture_g_input(struct file *file, void *fh, unsigned int *index)
{
	*index = 0;
	return 0;
}

static int capture_s_input(struct file *file, void *fh, unsigned int index)
{
	return index ? -EINVAL : 0;
}

static int capture_enum_dv_timings(struct file *file, void *fh,
				   struct v4l2_enum_dv_timings *timings)
{
	return v4l2_enum_dv_timings_cap(timings, &capture_timings_cap, capture_timings_check, NULL);
}

static int capture_query_dv_timings(struct file *file, void *fh, struct v4l2_dv_timings *timings)
{
	struct capture_stream *stream = video_drvdata(file);

	return capture_timings_query(stream->card, timings);
}

static int capture_g_dv_timings(struct file *file, void *fh, struct v4l2_dv_timings *timings)
{
	struct capture_stream *stream = video_drvdata(file);

	*timings = stream->timings;
	return 0;
}

static int capture_s_dv_timings(struct file *file, void *fh, struct v4l2_dv_timings *timings)
{
	struct capture_stream *stream = video_drvdata(file);

	if (!v4l2_valid_dv_timings(timings, &capture_timings_cap, capture_timings_check, NULL))
		return -EINVAL;
	v4l2_find_dv_timings_cap(timings, &capture_timings_cap, 0, capture_timings_check, NULL);
	if (v4l2_match_dv_timings(timings, &stream->timings, 0, false))
		return 0;
	if (vb2_is_busy(&stream->queue))
		return -EBUSY;
	capture_video_set_timings(stream, timings);
	return 0;
}

static int capture_dv_timings_cap(struct file *file, void *fh, struct v4l2_dv_timings_cap *cap)
{
	*cap = capture_timings_cap;
	return 0;
}

static int capture_subscribe_event(struct v4l2_fh *fh, const struct v4l2_event_subscription *sub)
{
	if (sub->type == V4L2_EVENT_SOURCE_CHANGE)
		return v4l2_src_change_event_subscribe(fh, sub);
	return v4l2_ctrl_subscribe_event(fh, sub);
}

static int capture_log_status(struct file *file, void *fh)
{
	struct capture_stream *stream = video_drvdata(file);
	struct capture_card *card = stream->card;
	struct v4l2_device *v4l2_dev = &card->v4l2_dev;
	struct v4l2_dv_timings signal;
	int ret = capture_timings_query(card, &signal);

	v4l2_info(v4l2_dev, "capabilities %08x, %s\n", card->capabilities,
		  card->messages ? "message interrupts" : "INTx");
	if (ret)
		v4l2_info(v4l2_dev, "no usable signal: error %d\n", ret);
	else
		v4l2_print_dv_timings(v4l2_dev->name, "signal: ", &signal, true);
	v4l2_print_dv_timings(v4l2_dev->name, "set: ", &stream->timings, true);
	v4l2_info(v4l2_dev, "stream %u: status %08x, error %u\n", stream->number,
		  capture_stream_read(stream, STREAM_STATUS),
		  capture_stream_read(stream, STREAM_ERROR));
	v4l2_info(v4l2_dev, "since STREAMON: %u delivered, %u with errors, %u dropped\n",
		  stream->delivered, stream->damaged, stream->dropped);
	return v4l2_ctrl_log_status(file, fh);
}

static const struct v4l2_ioctl_ops capture_ioctl_ops = {
	.vidioc_querycap = capture_querycap,
	.vidioc_log_status = capture_log_status,

	.vidioc_enum_fmt_vid_cap = capture_enum_fmt,
	.vidioc_g_fmt_vid_cap = capture_g_fmt,
	.vidioc_try_fmt_vid_cap = capture_try_fmt,
	.vidioc_s_fmt_vid_cap = capture_s_fmt,
	.vidioc_g_parm = capture_g_parm,

	.vidioc_enum_input = capture_enum_input,
	.vidioc_g_input = capture_g_input,
	.vidioc_s_input = capture_s_input,
	.vidioc_enum_dv_timings = capture_enum_dv_timings,
	.vidioc_query_dv_timings = capture_query_dv_timings,
	.vidioc_g_dv_timings = capture_g_dv_timings,
	.vidioc_s_dv_timings = capture_s_dv_timings,
	.vidioc_dv_timings_cap = capture_dv_timings_cap,

	.vidioc_reqbufs = vb2_ioctl_reqbufs,
	.vidioc_create_bufs = vb2_ioctl_create_bufs,
	.vidioc_prepare_buf = vb2_ioctl_prepare_buf,
	.vidioc_querybuf = vb2_ioctl_querybuf,
	.vidioc_qbuf = vb2_ioctl_qbuf,
	.vidioc_dqbuf = vb2_ioctl_dqbuf,
	.vidioc_expbuf = vb2_ioctl_expbuf,
	.vidioc_streamon = vb2_ioctl_streamon,
	.vidioc_streamoff = vb2_ioctl_streamoff,

	.vidioc_subscribe_event = capture_subscribe_event,
	.vidioc_unsubscribe_event = v4l2_event_unsubscribe,
};

static const struct v4l2_file_operations capture_fops = {
	.owner = THIS_MODULE,
	.open = v4l2_fh_open,
	.release = vb2_fop_release,
	.read = vb2_fop_read,
	.poll = vb2_fop_poll,
	.mmap = vb2_fop_mmap,
	.unlocked_ioctl = video_ioctl2,
};

/* Controls */

static int capture_g_volatile_ctrl(struct v4l2_ctrl *control)
{
	struct capture_stream *stream = container_of(control->handler, struct capture_stream,
						     controls);

	switch (control->id) {
	case V4L2_CID_DV_RX_POWER_PRESENT:
		control->val = !(capture_timings_input_status(stream->card) & V4L2_IN_ST_NO_SIGNAL);
		return 0;
	case CAPTURE_CID_DROPPED_FRAMES:
		*control->p_new.p_s64 = stream->dropped;
		return 0;
	}
	return -EINVAL;
}

static const struct v4l2_ctrl_ops capture_control_ops = {
	.g_volatile_ctrl = capture_g_volatile_ctrl,
};

static const struct v4l2_ctrl_config capture_control_dropped = {
	.ops = &capture_control_ops,
	.id = CAPTURE_CID_DROPPED_FRAMES,
	.name = "Dropped Frames",
	.type = V4L2_CTRL_TYPE_INTEGER64,
	.flags = V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_VOLATILE,
	.max = U32_MAX,
	.step = 1,
};

static int capture_init_controls(struct capture_stream *stream)
{
	struct v4l2_ctrl_handler *controls = &stream->controls;
	struct v4l2_ctrl *power;

	v4l2_ctrl_handler_init(controls, 2);
	power = v4l2_ctrl_new_std(controls, &capture_control_ops, V4L2_CID_DV_RX_POWER_PRESENT,
				  0, 1, 0, 0);
	if (power)
		power->flags |= V4L2_CTRL_FLAG_VOLATILE;
	v4l2_ctrl_new_custom(controls, &capture_control_dropped, NULL);
	return controls->error;
}

/**
 * capture_video_register - make a stream's node appear
 * @stream: the stream, ready to be used
 *
 * Return: 0 or a negative error code.
 */
int capture_video_register(struct capture_stream *stream)
{
	struct video_device *vdev = &stream->vdev;
	struct v4l2_dv_timings timings;
	int ret;

	stream->format = capture_video_first_format(stream->card);
	stream->pix.pixelformat = stream->format->fourcc;
	if (capture_timings_query(stream->card, &timings))
		timings = capture_timings_default;
	capture_video_set_timings(stream, &timings);

	ret = capture_init_controls(stream);
	if (ret)
		return ret;
	ret = capture_queue_init(stream);
	if (ret)
		return ret;

	snprintf(vdev->name, sizeof(vdev->name), "Testcard capture %u", stream->number);
	vdev->v4l2_dev = &stream->card->v4l2_dev;
	vdev->ctrl_handler = &stream->controls;
	vdev->queue = &stream->queue;
	vdev->lock = &stream->lock;
	vdev->fops = &capture_fops;
	vdev->ioctl_ops = &capture_ioctl_ops;
	vdev->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE | V4L2_CAP_STREAMING;
	vdev->release = video_device_release_empty; /* lives in the card, as long as that */
	video_set_drvdata(vdev, stream);
	return video_register_device(vdev, VFL_TYPE_VIDEO, -1);
}

/**
 * capture_video_unregister - make a stream's node disappear
 * @stream: the stream, with or without a node
 *
 * Stops it if it runs. Afterwards no file operation touches the card any more.
 */
void capture_video_unregister(struct capture_stream *stream)
{
	if (!video_is_registered(&stream->vdev))
		return;
	vb2_video_unregister_device(&stream->vdev);
	/* an ioctl that came just before has the lock; the next one finds no device */
	mutex_lock(&stream->lock);
	mutex_unlock(&stream->lock);
}
