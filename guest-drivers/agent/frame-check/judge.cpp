// SPDX-License-Identifier: GPL-2.0-or-later
#include "judge.hpp"

#include "feed/thumbnail.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <sys/stat.h>

namespace testcard::agent
{
namespace
{

/// More defects than this are counted but not told one by one.
constexpr std::uint64_t defectsTold = 10;

Result<void> writeFile(const std::string &path, const std::string &content)
{
    std::FILE *const file = std::fopen(path.c_str(), "wb");
    if (!file) return failed("cannot write " + path, errno);
    const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size();
    if (std::fclose(file) != 0 || !written) return failed("cannot write " + path, errno);
    return {};
}

std::uint64_t microseconds(Judge::Clock::duration duration)
{
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

} // namespace

Judge::Judge(const Options &options) : options_{options}, checker_{options.stream} {}

void Judge::streamStarted()
{
    if (starts_++ == 0) started_ = Clock::now();
    checker_.restart();
    timestamp_us_.reset();
}

Result<void> Judge::receive(const feed::PictureView &picture, const feed::Delivery &delivery,
                            std::optional<std::uint64_t> timestamp_us)
{
    const auto now = Clock::now();
    const bool first = checker_.counts().received == 0;
    if (first) {
        firstFrame_ = now;
        firstSequence_ = delivery.sequence;
    }
    lastFrame_ = now;
    if (timestamp_us && timestamp_us_ && *timestamp_us <= *timestamp_us_) timestampsRise_ = false;
    timestamp_us_ = timestamp_us;

    const bool due = !options_.thumbnailFolder.empty() && thumbnailDue(now);
    const feed::Finding finding = checker_.check(picture, delivery);
    if (first) firstStamp_ = checker_.lastFrame();
    if (finding != feed::Finding::good) tellDefect();
    if (!due) return {};
    return writeThumbnail(picture, delivery, finding == feed::Finding::good, now);
}

bool Judge::finished() const
{
    if (options_.frames && checker_.counts().received >= *options_.frames) return true;
    return options_.duration && starts_ > 0 && Clock::now() - started_ >= *options_.duration;
}

std::optional<std::chrono::microseconds> Judge::timeToFirstFrame() const
{
    if (checker_.counts().received == 0) return std::nullopt;
    return std::chrono::duration_cast<std::chrono::microseconds>(firstFrame_ - started_);
}

double Judge::framesPerSecond() const
{
    const std::chrono::duration<double> seconds = lastFrame_ - firstFrame_;
    if (seconds.count() <= 0) return 0;
    return static_cast<double>(checker_.counts().received - 1) / seconds.count();
}

/// Thumbnails are spread evenly over what is known beforehand: the frames, else the time. Called
/// before the frame is counted.
bool Judge::thumbnailDue(Clock::time_point now) const
{
    const std::uint64_t number = checker_.counts().received, taken = thumbnails_.size();
    std::uint64_t count = options_.thumbnailCount;
    if (options_.frames) {
        count = std::min(count, *options_.frames);
        const std::uint64_t intervals = std::max<std::uint64_t>(1, count - 1);
        return taken < count && number >= taken * (*options_.frames - 1) / intervals;
    }
    if (options_.duration)
        return taken < count && now - firstFrame_ >= *options_.duration * taken / count;
    return taken < count;
}

Result<void> Judge::writeThumbnail(const feed::PictureView &picture, const feed::Delivery &delivery,
                                   bool intact, Clock::time_point now)
{
    if (thumbnails_.empty()) ::mkdir(options_.thumbnailFolder.c_str(), 0755);
    const feed::RgbImage image = feed::makeThumbnail(picture, options_.thumbnailWidth);
    if (image.rgb.empty()) return {}; // less than a picture: there is nothing to show
    char name[32];
    std::snprintf(name, sizeof name, "thumbnail-%03zu.ppm", thumbnails_.size());
    feed::ThumbnailNote note{.frame = std::nullopt,
                             .sequence = delivery.sequence,
                             .time_us = microseconds(now - firstFrame_),
                             .source = picture.shape};
    if (intact) note.frame = checker_.lastFrame();
    const auto written = writeFile(options_.thumbnailFolder + "/" + name, feed::toPpm(image, note));
    if (written) thumbnails_.emplace_back(name);
    return written;
}

void Judge::tellDefect()
{
    if (told_++ < defectsTold)
        std::fprintf(stderr, "frame-check: received frame %llu is %s\n",
                     static_cast<unsigned long long>(checker_.counts().received),
                     checker_.remark().c_str());
    else if (told_ == defectsTold + 1)
        std::fprintf(stderr, "frame-check: further defects are counted only\n");
}

} // namespace testcard::agent
