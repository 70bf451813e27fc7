// SPDX-License-Identifier: GPL-2.0
/*
 * The card as a PCI function: probe and remove, power management, resets.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pm.h>

#include "capture.h"

#ifndef PCI_IRQ_INTX /* before Linux 6.8 */
#define PCI_IRQ_INTX PCI_IRQ_LEGACY
#endif

static bool msi = true;
module_param(msi, bool, 0444);
MODULE_PARM_DESC(msi, "use MSI or MSI-X if the card has it (default), or INTx only");

/* The register interface that this driver speaks: the same major version, any minor one. */
#define CAPTURE_VERSION_MAJOR(version) ((version) >> 16)
#define CAPTURE_VERSION_MINOR(version) ((version) & 0xffff)
#define CAPTURE_VERSION_SPOKEN	       1

/* One message for the signal and one for each stream. */
#define CAPTURE_MESSAGES_MAX (1 + CAPTURE_STREAM_MAX)

/**
 * capture_card_alive - find out whether the card still answers
 * @card: the card, awake
 *
 * All streams of a card that does not are failed.
 *
 * Return: false if the card reads all ones (or nonsense) where its ID should be.
 */
bool capture_card_alive(struct capture_card *card)
{
	struct capture_stream *stream;
	unsigned long flags;

	if (READ_ONCE(card->gone))
		return false;
	if (capture_read(card, CAPTURE_ID) == CAPTURE_ID_VALUE)
		return true;

	WRITE_ONCE(card->gone, true);
	v4l2_err(&card->v4l2_dev, "the card does not answer any more\n");
	for_each_stream(card, stream) {
		spin_lock_irqsave(&stream->irq_lock, flags);
		capture_stream_fail(stream, "stopped, its card is gone");
		spin_unlock_irqrestore(&stream->irq_lock, flags);
	}
	return false;
}

static void capture_card_reset(struct capture_card *card)
{
	capture_write(card, CAPTURE_CONTROL, CAPTURE_CONTROL_RESET);
	capture_read(card, CAPTURE_ID); /* posted writes have arrived */
}

static void capture_card_unmask(struct capture_card *card)
{
	struct capture_stream *stream;

	card->irq_mask = CAPTURE_IRQ_SOURCE_CHANGE;
	for_each_stream(card, stream)
		card->irq_mask |= CAPTURE_IRQ_FRAME(stream->number) |
				  CAPTURE_IRQ_ERROR(stream->number) |
				  CAPTURE_IRQ_IDLE(stream->number);
	/*
	 * STARVED and OVERRUN stay off: each completion tells how many frames were dropped, and an
	 * interrupt for every one of them would be most when there is least time.
	 */
	capture_write(card, CAPTURE_IRQ_MASK, card->irq_mask);
}

/**
 * capture_card_force_idle - stop DMA of a card that does not obey ABORT
 * @card: the card, awake
 *
 * Resets the card, which takes all its streams down; a card that ignores even that may not be
 * master of the bus any longer.
 */
void capture_card_force_idle(struct capture_card *card)
{
	struct capture_stream *stream;
	unsigned long flags;
	bool idle = true;

	v4l2_err(&card->v4l2_dev, "the card does not stop: resetting it\n");
	for_each_stream(card, stream) {
		spin_lock_irqsave(&stream->irq_lock, flags);
		capture_stream_fail(stream, "stopped by a reset of the card");
		spin_unlock_irqrestore(&stream->irq_lock, flags);
	}
	capture_card_reset(card);
	for_each_stream(card, stream)
		idle &= !!(capture_stream_read(stream, STREAM_STATUS) & STREAM_STATUS_IDLE);
	if (!idle) {
		v4l2_err(&card->v4l2_dev, "not even by reset: bus mastering is now off\n");
		pci_clear_master(card->pdev);
	}
	capture_card_unmask(card);
}

static void capture_free_interrupts(struct capture_card *card, unsigned int count)
{
	while (count--)
		free_irq(pci_irq_vector(card->pdev, count), card);
	pci_free_irq_vectors(card->pdev);
}

static int capture_alloc_vectors(struct pci_dev *pdev)
{
	int count = msi ? pci_msix_vec_count(pdev) : 0;

	/*
	 * With MSI-X the card uses its whole table, one message each for the signal and for every
	 * stream. With MSI it makes do with as many as it gets, and one is enough.
	 */
	if (count > 0 && count <= CAPTURE_MESSAGES_MAX &&
	    pci_alloc_irq_vectors(pdev, count, count, PCI_IRQ_MSIX) == count)
		return count;
	return pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_INTX | (msi ? PCI_IRQ_MSI : 0));
}

static int capture_enable_interrupts(struct capture_card *card)
{
	struct pci_dev *pdev = card->pdev;
	int i, ret, count;

	count = capture_alloc_vectors(pdev);
	if (count < 0)
		return count;
	card->messages = pci_dev_msi_enabled(pdev);
	for (i = 0; i < count; i++) {
		ret = request_irq(pci_irq_vector(pdev, i), capture_interrupt,
				  card->messages ? 0 : IRQF_SHARED, CAPTURE_DRIVER_NAME, card);
		if (ret) {
			capture_free_interrupts(card, i);
			return ret;
		}
	}
	card->vectors = count;
	return 0;
}

static void capture_disable_interrupts(struct capture_card *card)
{
	capture_free_interrupts(card, card->vectors);
}

static void capture_synchronize_interrupts(struct capture_card *card)
{
	unsigned int i;

	for (i = 0; i < card->vectors; i++)
		synchronize_irq(pci_irq_vector(card->pdev, i));
}

/* Takes the card out of use: no DMA, no interrupts, no watchdog. Streams keep their buffers. */
static void capture_card_quiesce(struct capture_card *card)
{
	struct capture_stream *stream;

	for_each_stream(card, stream) {
		mutex_lock(&stream->lock);
		card->offline = true;
		capture_stream_halt(stream);
		mutex_unlock(&stream->lock);
	}
	cancel_delayed_work_sync(&card->watchdog);
	capture_card_reset(card); /* masks all interrupts */
	capture_synchronize_interrupts(card);
}

static void capture_stream_resume(struct capture_stream *stream)
{
	if (stream->state != CAPTURE_STOPPED || !vb2_start_streaming_called(&stream->queue))
		return;
	stream->sequence_base = stream->sequence_next;
	stream->dropped_base = stream->dropped;
	if (capture_stream_start(stream))
		vb2_queue_error(&stream->queue);
}

/* The opposite of capture_card_quiesce(): streams go on where they were. */
static int capture_card_revive(struct capture_card *card)
{
	struct capture_stream *stream;
	bool alive;

	WRITE_ONCE(card->gone, false);
	pci_set_master(card->pdev);
	alive = capture_card_alive(card);
	if (alive) {
		capture_card_reset(card);
		capture_card_unmask(card);
	}
	for_each_stream(card, stream) {
		mutex_lock(&stream->lock);
		card->offline = false;
		capture_stream_resume(stream);
		mutex_unlock(&stream->lock);
	}
	capture_source_changed(card); /* nobody was looking at it meanwhile */
	return alive ? 0 : -ENODEV;
}

static int capture_card_identify(struct capture_card *card)
{
	struct device *dev = &card->pdev->dev;
	u32 id = capture_read(card, CAPTURE_ID);
	unsigned int streams;

	if (id != CAPTURE_ID_VALUE)
		return dev_err_probe(dev, -ENODEV, "no capture card here: its ID reads %08x\n", id);

	card->version = capture_read(card, CAPTURE_VERSION);
	card->capabilities = capture_read(card, CAPTURE_CAPABILITIES);

	if (CAPTURE_VERSION_MAJOR(card->version) != CAPTURE_VERSION_SPOKEN)
		return dev_err_probe(dev, -ENODEV, "version %u.%u is unknown to this driver\n",
				     CAPTURE_VERSION_MAJOR(card->version),
				     CAPTURE_VERSION_MINOR(card->version));
	streams = CAPTURE_CAP_STREAMS(card->capabilities);
	if (!streams || streams > CAPTURE_STREAM_MAX ||
	    CAPTURE_CAP_RING_SHIFT(card->capabilities) < CAPTURE_RING_SHIFT ||
	    !capture_video_first_format(card))
		return dev_err_probe(dev, -ENODEV, "unusable capabilities %08x\n",
				     card->capabilities);
	return 0;
}

static int capture_enable_pci(struct capture_card *card)
{
	struct pci_dev *pdev = card->pdev;
	int ret;

	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	ret = pci_request_regions(pdev, CAPTURE_DRIVER_NAME);
	if (ret)
		goto disable;

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		goto release;
	/* a piece of a scatter-gather list may have any length */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);

	ret = -ENODEV;
	if (pci_resource_len(pdev, CAPTURE_BAR) < CAPTURE_BAR_SIZE)
		goto release;
	ret = -ENOMEM;
	card->registers = pci_ioremap_bar(pdev, CAPTURE_BAR);
	if (!card->registers)
		goto release;
	return 0;

release:
	pci_release_regions(pdev);
disable:
	pci_disable_device(pdev);
	return ret;
}

static void capture_disable_pci(struct capture_card *card)
{
	iounmap(card->registers);
	pci_release_regions(card->pdev);
	pci_disable_device(card->pdev);
}

static void capture_init_streams(struct capture_card *card)
{
	struct capture_stream *stream;

	card->stream_count = CAPTURE_CAP_STREAMS(card->capabilities);
	for_each_stream(card, stream) {
		stream->card = card;
		stream->number = stream - card->streams;
		mutex_init(&stream->lock);
		spin_lock_init(&stream->irq_lock);
		init_completion(&stream->idle);
		INIT_LIST_HEAD(&stream->waiting);
	}
}

static void capture_free_rings(struct capture_card *card)
{
	struct capture_stream *stream;

	for_each_stream(card, stream)
		if (stream->ring)
			capture_ring_free(stream);
}

static int capture_alloc_rings(struct capture_card *card)
{
	struct capture_stream *stream;
	int ret;

	for_each_stream(card, stream) {
		ret = capture_ring_alloc(stream);
		if (ret) {
			capture_free_rings(card);
			return ret;
		}
	}
	return 0;
}

static void capture_unregister_nodes(struct capture_card *card)
{
	struct capture_stream *stream;

	WRITE_ONCE(card->removed, true);
	for_each_stream(card, stream)
		capture_video_unregister(stream);
}

static int capture_register_nodes(struct capture_card *card)
{
	struct capture_stream *stream;
	int ret;

	for_each_stream(card, stream) {
		ret = capture_video_register(stream);
		if (ret) {
			capture_unregister_nodes(card);
			return ret;
		}
	}
	return 0;
}

/* The last file on any of the nodes has been closed: nobody can know the card any more. */
static void capture_card_release(struct v4l2_device *v4l2_dev)
{
	struct capture_card *card = container_of(v4l2_dev, struct capture_card, v4l2_dev);
	struct capture_stream *stream;

	for_each_stream(card, stream) {
		v4l2_ctrl_handler_free(&stream->controls);
		mutex_destroy(&stream->lock);
	}
	mutex_destroy(&card->clock_lock);
	v4l2_device_unregister(v4l2_dev);
	kfree(card);
}

static int capture_start_card(struct capture_card *card)
{
	int ret;

	ret = capture_card_identify(card);
	if (ret)
		return ret;
	capture_init_streams(card);
	ret = capture_alloc_rings(card);
	if (ret)
		return ret;

	/* reset comes first: a card that was busy before we came must not do DMA */
	capture_card_reset(card);
	pci_set_master(card->pdev);
	ret = capture_enable_interrupts(card);
	if (ret)
		goto free_rings;
	ret = capture_register_nodes(card);
	if (ret)
		goto disable_interrupts;
	capture_card_unmask(card); /* events need registered nodes */
	return 0;

disable_interrupts:
	capture_disable_interrupts(card);
free_rings:
	capture_card_reset(card);
	pci_clear_master(card->pdev);
	capture_free_rings(card);
	return ret;
}

static int capture_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct capture_card *card;
	int ret;

	card = kzalloc(sizeof(*card), GFP_KERNEL);
	if (!card)
		return -ENOMEM;
	card->pdev = pdev;
	mutex_init(&card->clock_lock);
	INIT_DELAYED_WORK(&card->watchdog, capture_watchdog);
	card->v4l2_dev.release = capture_card_release;
	ret = v4l2_device_register(&pdev->dev, &card->v4l2_dev);
	if (ret) {
		kfree(card);
		return ret;
	}
	pci_set_drvdata(pdev, card);

	ret = capture_enable_pci(card);
	if (ret)
		goto put;
	ret = capture_start_card(card);
	if (ret)
		goto disable_pci;

	v4l2_info(&card->v4l2_dev, "capture card %u.%u, %u stream(s), %s\n",
		  CAPTURE_VERSION_MAJOR(card->version), CAPTURE_VERSION_MINOR(card->version),
		  card->stream_count, card->messages ? "message interrupts" : "INTx");
	return 0;

disable_pci:
	capture_disable_pci(card);
put:
	v4l2_device_disconnect(&card->v4l2_dev);
	v4l2_device_put(&card->v4l2_dev);
	return ret;
}

static void capture_remove(struct pci_dev *pdev)
{
	struct capture_card *card = pci_get_drvdata(pdev);

	capture_unregister_nodes(card);
	capture_card_quiesce(card);
	capture_disable_interrupts(card);
	pci_clear_master(pdev);
	capture_free_rings(card);
	capture_disable_pci(card);
	v4l2_device_disconnect(&card->v4l2_dev);
	v4l2_device_put(&card->v4l2_dev);
}

static void capture_shutdown(struct pci_dev *pdev)
{
	capture_card_quiesce(pci_get_drvdata(pdev));
	pci_clear_master(pdev);
}

static int capture_suspend(struct device *dev)
{
	capture_card_quiesce(dev_get_drvdata(dev));
	return 0;
}

static int capture_resume(struct device *dev)
{
	return capture_card_revive(dev_get_drvdata(dev));
}

static void capture_reset_prepare(struct pci_dev *pdev)
{
	capture_card_quiesce(pci_get_drvdata(pdev));
}

static void capture_reset_done(struct pci_dev *pdev)
{
	capture_card_revive(pci_get_drvdata(pdev));
}

static DEFINE_SIMPLE_DEV_PM_OPS(capture_pm_ops, capture_suspend, capture_resume);

static const struct pci_error_handlers capture_error_handlers = {
	.reset_prepare = capture_reset_prepare,
	.reset_done = capture_reset_done,
};

static const struct pci_device_id capture_ids[] = {
	{ PCI_DEVICE(CAPTURE_PCI_VENDOR, CAPTURE_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, capture_ids);

static struct pci_driver capture_driver = {
	.name = CAPTURE_DRIVER_NAME,
	.id_table = capture_ids,
	.probe = capture_probe,
	.remove = capture_remove,
	.shutdown = capture_shutdown,
	.driver.pm = pm_sleep_ptr(&capture_pm_ops),
	.err_handler = &capture_error_handlers,
};
module_pci_driver(capture_driver);

MODULE_DESCRIPTION("Testcard video capture card");
MODULE_AUTHOR("The Testcard project");
MODULE_LICENSE("GPL");
