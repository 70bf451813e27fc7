/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The timings of <linux/v4l2-dv-timings.h>, as an outside judge. C only: its macros are no C++. */
#pragma once

#include <linux/videodev2.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct linux_timings {
    const char *name; /* of the macro, without V4L2_DV_BT_ */
    struct v4l2_dv_timings timings;
};

extern const struct linux_timings linux_timings[];
extern const size_t linux_timings_count;

#ifdef __cplusplus
}
#endif
