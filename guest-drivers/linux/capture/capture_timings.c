// SPDX-License-Identifier: GPL-2.0
/*
 * The signal on the input, as DV timings.
 */
#include <linux/v4l2-dv-timings.h>
#include <media/v4l2-dv-timings.h>

#include "capture.h"

/* How often a signal may change while it is being read before we call it unlocked. */
#define CAPTURE_TIMINGS_TRIES 4

/* A preset is recognised when its pixel clock differs by less than this. */
#define CAPTURE_PIXEL_CLOCK_TOLERANCE_HZ 250000

const struct v4l2_dv_timings_cap capture_timings_cap = {
	.type = V4L2_DV_BT_656_1120,
	V4L2_INIT_BT_TIMINGS(640, 1920, 480, 1080, 20000000, 165000000,
			     V4L2_DV_BT_STD_CEA861 | V4L2_DV_BT_STD_DMT |
			     V4L2_DV_BT_STD_CVT | V4L2_DV_BT_STD_GTF,
			     V4L2_DV_BT_CAP_PROGRESSIVE |
			     V4L2_DV_BT_CAP_REDUCED_BLANKING |
			     V4L2_DV_BT_CAP_CUSTOM)
};

const struct v4l2_dv_timings capture_timings_default = V4L2_DV_BT_CEA_1280X720P60;

/**
 * capture_timings_check - what the card wants beyond capture_timings_cap
 * @timings: timings within the cap
 * @unused: nothing
 *
 * Return: true if the card can capture them: whole YUYV pixel pairs.
 */
bool capture_timings_check(const struct v4l2_dv_timings *timings, void *unused)
{
	return !(timings->bt.width & 1);
}

static int capture_timings_state(u32 status)
{
	if (!(status & CAPTURE_SIGNAL_PRESENT))
		return -ENOLINK;
	if (!(status & CAPTURE_SIGNAL_LOCKED))
		return -ENOLCK;
	if (!(status & CAPTURE_SIGNAL_IN_RANGE))
		return -ERANGE;
	return 0;
}

static void capture_timings_read(struct capture_card *card, struct v4l2_bt_timings *bt)
{
	u32 polarity = capture_read(card, CAPTURE_SIGNAL_POLARITY);

	bt->width = capture_read(card, CAPTURE_SIGNAL_WIDTH);
	bt->height = capture_read(card, CAPTURE_SIGNAL_HEIGHT);
	bt->hfrontporch = capture_read(card, CAPTURE_SIGNAL_HFRONT);
	bt->hsync = capture_read(card, CAPTURE_SIGNAL_HSYNC);
	bt->hbackporch = capture_read(card, CAPTURE_SIGNAL_HBACK);
	bt->vfrontporch = capture_read(card, CAPTURE_SIGNAL_VFRONT);
	bt->vsync = capture_read(card, CAPTURE_SIGNAL_VSYNC);
	bt->vbackporch = capture_read(card, CAPTURE_SIGNAL_VBACK);
	bt->pixelclock = capture_read(card, CAPTURE_SIGNAL_CLOCK_LOW);
	bt->pixelclock |= (u64)capture_read(card, CAPTURE_SIGNAL_CLOCK_HIGH) << 32;
	if (polarity & CAPTURE_POLARITY_HSYNC_POSITIVE)
		bt->polarities |= V4L2_DV_HSYNC_POS_POL;
	if (polarity & CAPTURE_POLARITY_VSYNC_POSITIVE)
		bt->polarities |= V4L2_DV_VSYNC_POS_POL;
}

/**
 * capture_timings_query - measure the signal on the input
 * @card: the card, awake
 * @timings: filled in, zeros on error
 *
 * Return: 0, -ENOLINK (no cable), -ENOLCK (no lock, or it changes all the time), -ERANGE (not for
 * this card) or -ENODEV (the card is gone).
 */
int capture_timings_query(struct capture_card *card, struct v4l2_dv_timings *timings)
{
	unsigned int tries = CAPTURE_TIMINGS_TRIES;
	u32 generation, status;
	int ret;

	/* SIGNAL_GENERATION tells whether the registers still belong together */
	do {
		memset(timings, 0, sizeof(*timings));
		generation = capture_read(card, CAPTURE_SIGNAL_GENERATION);
		status = capture_read(card, CAPTURE_SIGNAL_STATUS);
		if (status == U32_MAX)
			return -ENODEV;
		ret = capture_timings_state(status);
		if (ret)
			return ret;
		timings->type = V4L2_DV_BT_656_1120;
		capture_timings_read(card, &timings->bt);
	} while (capture_read(card, CAPTURE_SIGNAL_GENERATION) != generation && --tries);

	if (!tries)
		ret = -ENOLCK;
	else if (!v4l2_valid_dv_timings(timings, &capture_timings_cap, capture_timings_check, NULL))
		ret = -ERANGE;
	if (ret) {
		memset(timings, 0, sizeof(*timings));
		return ret;
	}

	/* puts in the standard's own numbers, flags and picture aspect if it is a known one */
	v4l2_find_dv_timings_cap(timings, &capture_timings_cap,
				 CAPTURE_PIXEL_CLOCK_TOLERANCE_HZ, capture_timings_check, NULL);
	return 0;
}

/**
 * capture_timings_input_status - the signal, for VIDIOC_ENUMINPUT
 * @card: the card, awake
 *
 * Return: V4L2_IN_ST_ flags; 0 for a signal that can be captured.
 */
u32 capture_timings_input_status(struct capture_card *card)
{
	u32 status = capture_read(card, CAPTURE_SIGNAL_STATUS);

	if (status == U32_MAX)
		return V4L2_IN_ST_NO_POWER | V4L2_IN_ST_NO_SIGNAL;
	if (!(status & CAPTURE_SIGNAL_PRESENT))
		return V4L2_IN_ST_NO_SIGNAL;
	if (!(status & CAPTURE_SIGNAL_LOCKED))
		return V4L2_IN_ST_NO_SYNC;
	return 0;
}
