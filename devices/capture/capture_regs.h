/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The contract of the Testcard capture card: what a driver and the card agree on.
 * Plain C for the Linux driver, the Windows drivers and the device model.
 * README.md in this folder is the datasheet that explains it.
 *
 * Everything is little-endian. Registers are 32 bits wide and take aligned 32-bit accesses only.
 */
#ifndef TESTCARD_CAPTURE_REGS_H
#define TESTCARD_CAPTURE_REGS_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/types.h>
#define CAPTURE_U32 __le32
#define CAPTURE_U64 __le64
#else
#include <stdint.h>
#define CAPTURE_U32 uint32_t
#define CAPTURE_U64 uint64_t
#endif

/* PCI identity */
#define CAPTURE_PCI_VENDOR 0x7C01
#define CAPTURE_PCI_DEVICE 0x0001
#define CAPTURE_PCI_CLASS  0x048000 /* multimedia controller, other */
#define CAPTURE_BAR        0
#define CAPTURE_BAR_SIZE   0x10000
/* The MSI-X variant has its table and pending bits in a BAR of their own. */
#define CAPTURE_MSIX_BAR      2
#define CAPTURE_MSIX_BAR_SIZE 0x1000
#define CAPTURE_MSIX_PENDING  0x800

/*
 * Registers of the card: REG(name, offset, access, writable bits, reset value).
 * Values with reset 0 that the device computes (identity, capabilities, signal) are set by it
 * right after every reset.
 */
#define CAPTURE_REGISTERS(REG)                                        \
	REG(CAPTURE_ID,                 0x000, RO,  0x00000000u, 0x43564354u) \
	REG(CAPTURE_VERSION,            0x004, RO,  0x00000000u, 0x00010000u) \
	REG(CAPTURE_CAPABILITIES,       0x008, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_CONTROL,            0x00C, WO,  0x00000001u, 0x00000000u) \
	REG(CAPTURE_IRQ_STATUS,         0x010, W1C, 0x00F1FFFFu, 0x00000000u) \
	REG(CAPTURE_IRQ_MASK,           0x014, RW,  0x00F1FFFFu, 0x00000000u) \
	REG(CAPTURE_SCRATCH,            0x018, RW,  0xFFFFFFFFu, 0x00000000u) \
	REG(CAPTURE_CLOCK_LATCH,        0x020, WO,  0x00000001u, 0x00000000u) \
	REG(CAPTURE_CLOCK_LOW,          0x024, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_CLOCK_HIGH,         0x028, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_STATUS,      0x040, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_GENERATION,  0x044, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_STANDARD,    0x048, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_POLARITY,    0x04C, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_WIDTH,       0x050, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_HFRONT,      0x054, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_HSYNC,       0x058, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_HBACK,       0x05C, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_HEIGHT,      0x060, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_VFRONT,      0x064, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_VSYNC,       0x068, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_VBACK,       0x06C, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_CLOCK_LOW,   0x070, RO,  0x00000000u, 0x00000000u) \
	REG(CAPTURE_SIGNAL_CLOCK_HIGH,  0x074, RO,  0x00000000u, 0x00000000u)

#define CAPTURE_ID_VALUE 0x43564354u /* "TCVC" in memory order */

/* CAPTURE_CAPABILITIES */
#define CAPTURE_CAP_STREAMS(caps)     ((caps) & 0xFu)        /* streams, 1 to 4 */
#define CAPTURE_CAP_FORMATS(caps)     (((caps) >> 8) & 0xFFu) /* bit n: format code n */
#define CAPTURE_CAP_RING_SHIFT(caps)  (((caps) >> 16) & 0xFu) /* largest ring: 1 << n entries */

/* CAPTURE_CONTROL */
#define CAPTURE_CONTROL_RESET 0x00000001u /* reset everything behind BAR0; done when the write is */

/* CAPTURE_IRQ_STATUS, CAPTURE_IRQ_MASK: causes of stream s are bits s, 4+s, ... */
#define CAPTURE_IRQ_FRAME(s)      (0x00000001u << (s)) /* a completion has been written */
#define CAPTURE_IRQ_STARVED(s)    (0x00000010u << (s)) /* a frame was dropped: no descriptor */
#define CAPTURE_IRQ_OVERRUN(s)    (0x00000100u << (s)) /* a frame was dropped: FIFO overrun */
#define CAPTURE_IRQ_ERROR(s)      (0x00001000u << (s)) /* stream stopped: STREAM_ERROR says why */
#define CAPTURE_IRQ_SOURCE_CHANGE 0x00010000u          /* SIGNAL_GENERATION has changed */
#define CAPTURE_IRQ_IDLE(s)       (0x00100000u << (s)) /* the stream has become idle */

#define CAPTURE_IRQ_STREAM(s) /* all causes of stream s */ \
	(CAPTURE_IRQ_FRAME(s) | CAPTURE_IRQ_STARVED(s) | CAPTURE_IRQ_OVERRUN(s) | \
	 CAPTURE_IRQ_ERROR(s) | CAPTURE_IRQ_IDLE(s))
/* Messages: source 0 is the source change, source 1+s is stream s; vector = source mod vectors. */

/* CAPTURE_SIGNAL_STATUS */
#define CAPTURE_SIGNAL_PRESENT  0x00000001u /* a cable with a clock on it */
#define CAPTURE_SIGNAL_LOCKED   0x00000002u /* the receiver has locked on it */
#define CAPTURE_SIGNAL_IN_RANGE 0x00000004u /* the card can capture it */

/* CAPTURE_SIGNAL_STANDARD */
#define CAPTURE_STANDARD_CEA861 0x00000100u /* low byte: the VIC */
#define CAPTURE_STANDARD_DMT    0x00000200u /* low byte: the DMT ID */

/* CAPTURE_SIGNAL_POLARITY */
#define CAPTURE_POLARITY_HSYNC_POSITIVE 0x00000001u
#define CAPTURE_POLARITY_VSYNC_POSITIVE 0x00000002u

/* Registers of stream s: at CAPTURE_STREAM(s) + offset. */
#define CAPTURE_STREAM_BASE   0x400
#define CAPTURE_STREAM_STRIDE 0x100
#define CAPTURE_STREAM_MAX    4
#define CAPTURE_STREAM(s)     (CAPTURE_STREAM_BASE + (s) * CAPTURE_STREAM_STRIDE)

#define CAPTURE_STREAM_REGISTERS(REG)                                 \
	REG(STREAM_CONTROL,         0x00, RW,  0x00000001u, 0x00000000u) \
	REG(STREAM_COMMAND,         0x04, WO,  0x00000003u, 0x00000000u) \
	REG(STREAM_STATUS,          0x08, RO,  0x00000000u, 0x00000001u) \
	REG(STREAM_ERROR,           0x0C, RO,  0x00000000u, 0x00000000u) \
	REG(STREAM_FORMAT,          0x10, RW,  0x000000FFu, 0x00000000u) \
	REG(STREAM_WIDTH,           0x14, RW,  0x0000FFFFu, 0x00000000u) \
	REG(STREAM_HEIGHT,          0x18, RW,  0x0000FFFFu, 0x00000000u) \
	REG(STREAM_STRIDE,          0x1C, RW,  0xFFFFFFFFu, 0x00000000u) \
	REG(STREAM_OFFSET,          0x20, RW,  0xFFFFFFFFu, 0x00000000u) \
	REG(STREAM_RING_LOW,        0x40, RW,  0xFFFFFFC0u, 0x00000000u) \
	REG(STREAM_RING_HIGH,       0x44, RW,  0xFFFFFFFFu, 0x00000000u) \
	REG(STREAM_COMPLETION_LOW,  0x48, RW,  0xFFFFFFC0u, 0x00000000u) \
	REG(STREAM_COMPLETION_HIGH, 0x4C, RW,  0xFFFFFFFFu, 0x00000000u) \
	REG(STREAM_INDEX_LOW,       0x50, RW,  0xFFFFFFC0u, 0x00000000u) \
	REG(STREAM_INDEX_HIGH,      0x54, RW,  0xFFFFFFFFu, 0x00000000u) \
	REG(STREAM_RING_SHIFT,      0x58, RW,  0x0000000Fu, 0x00000000u) \
	REG(STREAM_DOORBELL,        0x5C, RW,  0xFFFFFFFFu, 0x00000000u) \
	REG(STREAM_CONSUMED,        0x60, RO,  0x00000000u, 0x00000000u) \
	REG(STREAM_COMPLETED,       0x64, RO,  0x00000000u, 0x00000000u) \
	REG(STREAM_SEQUENCE,        0x68, RO,  0x00000000u, 0x00000000u) \
	REG(STREAM_DROPPED,         0x6C, RO,  0x00000000u, 0x00000000u)

/* STREAM_CONTROL */
#define STREAM_CONTROL_RUN 0x00000001u /* 0 to 1: start at the next frame; 1 to 0: pause after it */

/* STREAM_COMMAND */
#define STREAM_COMMAND_COMMIT 0x00000001u /* take over format, size, stride, ring and addresses */
#define STREAM_COMMAND_ABORT  0x00000002u /* stop at once, return all descriptors as aborted */

/* STREAM_STATUS */
#define STREAM_STATUS_IDLE      0x00000001u /* no DMA; none begins without RUN or ABORT */
#define STREAM_STATUS_RUNNING   0x00000002u
#define STREAM_STATUS_STARVED   0x00000004u /* the last frame found no descriptor */
#define STREAM_STATUS_MISMATCH  0x00000008u /* running, and the signal is not as committed */
#define STREAM_STATUS_COMMITTED 0x00000010u /* the last COMMIT was accepted */

/* STREAM_ERROR */
#define STREAM_ERROR_NONE       0
#define STREAM_ERROR_BUSY       1 /* COMMIT while running or an ABORT is due; nothing changed */
#define STREAM_ERROR_FORMAT     2 /* COMMIT: STREAM_FORMAT unknown */
#define STREAM_ERROR_SIZE       3 /* COMMIT: zero, odd or too large width or height */
#define STREAM_ERROR_STRIDE     4 /* COMMIT: |stride| shorter than a line */
#define STREAM_ERROR_RING       5 /* COMMIT: ring too large; doorbell more than a ring ahead */
#define STREAM_ERROR_UNCOMMITTED 6 /* RUN without an accepted COMMIT */
#define STREAM_ERROR_RING_DMA   7 /* a descriptor could not be read, a completion not written */

/* STREAM_FORMAT */
#define CAPTURE_FORMAT_YUYV  1 /* Y0 Cb Y1 Cr, 2 bytes a pixel */
#define CAPTURE_FORMAT_BGR24 2 /* B G R, 3 bytes a pixel */

/* Why a frame's descriptor came back: capture_completion.status */
#define CAPTURE_FRAME_OK         0
#define CAPTURE_FRAME_ABORTED    1 /* ABORT or stop: no data */
#define CAPTURE_FRAME_DMA_ERROR  2 /* some of the data went nowhere: bytes counts what arrived */
#define CAPTURE_FRAME_BAD_LIST   3 /* sg_count 0 or too large, a length of 0, the list unreadable */
#define CAPTURE_FRAME_SHORT      4 /* the buffers are smaller than the frame; filled up to the end */
#define CAPTURE_FRAME_CORRUPT    5 /* the signal was lost or changed within the frame */

/* capture_completion.field */
#define CAPTURE_FIELD_PROGRESSIVE 0

/* Limits */
#define CAPTURE_RING_SHIFT_MAX 10    /* 1024 descriptors */
#define CAPTURE_SG_MAX         16384 /* entries of one scatter-gather list */
#define CAPTURE_WIDTH_MAX      4096
#define CAPTURE_HEIGHT_MAX     2304

/* The offsets as constants: CAPTURE_CONTROL = 0x00C, STREAM_DOORBELL = 0x5C, ... */
#define CAPTURE_AS_CONSTANT(name, offset, access, writable, reset) name = offset,
enum capture_register { CAPTURE_REGISTERS(CAPTURE_AS_CONSTANT) };
enum capture_stream_register { CAPTURE_STREAM_REGISTERS(CAPTURE_AS_CONSTANT) };
#undef CAPTURE_AS_CONSTANT

/* One frame buffer, in the descriptor ring. */
struct capture_descriptor {
	CAPTURE_U64 sg_address; /* of sg_count struct capture_sg, any alignment */
	CAPTURE_U32 sg_count;   /* 1 to CAPTURE_SG_MAX */
	CAPTURE_U32 reserved0;  /* zero */
	CAPTURE_U64 cookie;     /* the driver's; comes back in the completion */
	CAPTURE_U64 reserved1;  /* zero */
};

/* One piece of a frame buffer. Pieces follow one another without a gap. */
struct capture_sg {
	CAPTURE_U64 address;  /* any alignment */
	CAPTURE_U32 length;   /* bytes, not 0 */
	CAPTURE_U32 reserved; /* zero */
};

/* One frame that came, or a descriptor that came back, in the completion ring. */
struct capture_completion {
	CAPTURE_U64 cookie;
	CAPTURE_U32 sequence;    /* frames of the signal since RUN, dropped ones counted */
	CAPTURE_U32 status;      /* CAPTURE_FRAME_ */
	CAPTURE_U32 field;       /* CAPTURE_FIELD_ */
	CAPTURE_U32 bytes;       /* written to the buffers */
	CAPTURE_U64 start_ns;    /* first line of the frame, by the card's clock */
	CAPTURE_U64 end_ns;      /* last line */
	CAPTURE_U32 dropped;     /* frames dropped since RUN */
	CAPTURE_U32 generation;  /* SIGNAL_GENERATION when this was written */
	CAPTURE_U32 reserved[4]; /* zero */
};

/* At STREAM_INDEX: written after a completion and before the interrupt. */
struct capture_index {
	CAPTURE_U32 completed; /* completions since COMMIT, modulo 2^32 */
	/*
	 * Enabled causes other than FRAME since COMMIT, modulo 2^32: of this stream, and source
	 * changes while it runs. A message does not say its cause and messages melt into one; while this has not
	 * moved, the driver of a running stream need not read IRQ_STATUS.
	 */
	CAPTURE_U32 events;
	CAPTURE_U32 reserved[14]; /* zero: the index has a cache line of its own */
};

#ifdef __cplusplus
#define CAPTURE_ASSERT_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type)
#else
#define CAPTURE_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
#endif
CAPTURE_ASSERT_SIZE(struct capture_descriptor, 32);
CAPTURE_ASSERT_SIZE(struct capture_sg, 16);
CAPTURE_ASSERT_SIZE(struct capture_completion, 64);
CAPTURE_ASSERT_SIZE(struct capture_index, 64);

#endif /* TESTCARD_CAPTURE_REGS_H */
