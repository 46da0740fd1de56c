#include "base/file.hpp"
#include "base/log.hpp"
#include "telemetry/metrics.hpp"
#include "telemetry/span.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <fcntl.h>
#include <mutex>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace interlock::telemetry {

namespace {

/// The file and its rotation. Used by one thread; other processes may do the same to the same
/// files, so a rotation holds a lock and looks again at what it is about to rename.
class RotatingFile {
public:
    RotatingFile(std::string directory, std::string name, std::size_t bytes_max, int files_kept)
        : directory_(std::move(directory)),
          stem_(directory_ + '/' + std::move(name)),
          bytes_max_(bytes_max),
          files_kept_(files_kept) {}
    RotatingFile(const RotatingFile&) = delete;
    RotatingFile& operator=(const RotatingFile&) = delete;
    ~RotatingFile() { close_file(); }

    /// Appends one line whole, or returns false.
    bool append(std::string line) {
        if (!prepare(line.size() + 1))
            return false;
        // A line that a full disk cut short is closed first, so that it spoils only itself.
        if (torn_)
            line.insert(0, 1, '\n');
        line += '\n';
        std::size_t written = 0;
        while (written < line.size()) {
            const auto count = ::write(file_, line.data() + written, line.size() - written);
            if (count < 0 && errno == EINTR)
                continue;
            if (count <= 0) {
                torn_ = torn_ || written > 0;
                return false;
            }
            written += static_cast<std::size_t>(count);
        }
        torn_ = false;
        return true;
    }

private:
    std::string path(int age) const {
        return age == 0 ? stem_ + ".jsonl" : stem_ + '.' + std::to_string(age) + ".jsonl";
    }

    void close_file() {
        if (file_ >= 0)
            ::close(file_);
        file_ = -1;
    }

    bool open_file() {
        if (file_ >= 0)
            return true;
        if (!base::make_private_directory(directory_))
            return false;
        file_ = ::open(path(0).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        return file_ >= 0;
    }

    /// Whether our descriptor is still the file of that name, and how long it is.
    bool is_current(std::size_t& bytes) const {
        struct stat ours {};
        struct stat named {};
        if (::fstat(file_, &ours) != 0 || ::stat(path(0).c_str(), &named) != 0)
            return false;
        bytes = static_cast<std::size_t>(ours.st_size);
        return ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
    }

    /// Opens the file and makes room in it for `bytes`.
    bool prepare(std::size_t bytes) {
        if (!open_file())
            return false;
        std::size_t present = 0;
        if (!is_current(present)) { // another process rotated it, or somebody removed it
            close_file();
            torn_ = false;
            if (!open_file() || !is_current(present))
                return false;
        }
        if (present == 0 || present + bytes <= bytes_max_)
            return true;
        rotate(present);
        return open_file();
    }

    void rotate(std::size_t seen_bytes) {
        const auto lock = ::open((stem_ + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (lock < 0 || ::flock(lock, LOCK_EX) != 0) {
            if (lock >= 0)
                ::close(lock);
            return; // better a file too long than spans lost
        }
        std::size_t present = 0;
        if (is_current(present) && present >= seen_bytes) {
            for (int age = files_kept_ - 1; age > 0; --age)
                (void)std::rename(path(age - 1).c_str(), path(age).c_str());
        }
        close_file();
        torn_ = false;
        ::close(lock);
    }

    std::string directory_;
    std::string stem_;
    std::size_t bytes_max_;
    int files_kept_;
    int file_ = -1;
    bool torn_ = false; // the file ends inside a line
};

constexpr std::chrono::milliseconds gathering{100}; // that a span may wait for others to come

class FileSpanSink final : public SpanSink {
public:
    FileSpanSink(const std::string& directory, std::string service, const FileSpanOptions& options)
        : service_(std::move(service)),
          metrics_(options.metrics),
          file_(directory, service_, options.file_bytes_max, options.files_kept),
          thread_([this](const std::stop_token& stop) { work(stop); }) {}

    void write(FinishedSpan span) override {
        {
            const std::lock_guard lock(mutex_);
            if (queue_.size() < base::limits::span_queue_max) {
                queue_.push_back(std::move(span));
                // To begin a batch, and to end it early: waking the thread for each span would cost
                // the calls more than the spans do.
                if (queue_.size() == 1 || queue_.size() == base::limits::span_batch_max)
                    arrived_.notify_one();
                return;
            }
        }
        drop(1);
    }

    std::uint64_t dropped() const override { return dropped_; }

private:
    void drop(std::size_t count) {
        dropped_ += count;
        if (metrics_)
            metrics_->count(Counter::spans_dropped, {}, static_cast<double>(count));
    }

    /// Runs until it is told to stop and the queue is empty.
    void work(const std::stop_token& stop) {
        for (;;) {
            std::vector<FinishedSpan> batch;
            {
                std::unique_lock lock(mutex_);
                arrived_.wait(lock, stop, [this] { return !queue_.empty(); });
                if (queue_.empty())
                    return;
                arrived_.wait_for(lock, stop, gathering, [this] {
                    return queue_.size() >= base::limits::span_batch_max;
                });
                while (!queue_.empty() && batch.size() < base::limits::span_batch_max) {
                    batch.push_back(std::move(queue_.front()));
                    queue_.pop_front();
                }
            }
            const bool written = file_.append(otlp_json(batch, service_));
            if (!written)
                drop(batch.size());
            if (!written && !failing_)
                base::log_warning("spans.not_written", {{"service", service_}});
            failing_ = !written;
        }
    }

    const std::string service_;
    Metrics* const metrics_;
    RotatingFile file_;    // the thread's
    bool failing_ = false; // the thread's
    std::atomic<std::uint64_t> dropped_ = 0;
    std::mutex mutex_;
    std::condition_variable_any arrived_;
    std::deque<FinishedSpan> queue_;
    std::jthread thread_; // last: it starts when all else stands and ends first
};

} // namespace

std::unique_ptr<SpanSink> make_file_span_sink(
    const std::string& directory, const std::string& service_name, FileSpanOptions options
) {
    return std::make_unique<FileSpanSink>(directory, service_name, options);
}

} // namespace interlock::telemetry
