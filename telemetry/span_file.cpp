#include "telemetry/span_file.hpp"

#include "base/log.hpp"
#include "telemetry/rotating_file.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace interlock::telemetry {

namespace {

/// Everything a span can be lost for, here and in otlp_exporter.cpp.
constexpr std::array loss_reasons{
    "queue_full",
    "not_written",
    "export_queue_full",
    "export_refused",
    "export_failed",
    "export_rejected",
    "shutdown"};

constexpr std::chrono::milliseconds gathering{100}; // that a span may wait for others to come

class FileSpanSink final : public SpanSink {
public:
    FileSpanSink(const std::string& directory, const std::string& name, FileSpanOptions options)
        : name_(name),
          options_(std::move(options)),
          file_(directory, name, options_.file_bytes_max, options_.files_kept),
          thread_([this](const std::stop_token& stop) { work(stop); }) {}

    void write(FinishedSpan span) override {
        {
            const std::lock_guard lock(mutex_);
            if (queue_.size() < base::limits::span_queue_max) {
                queue_.push_back(std::move(span));
                // To begin a batch, and to end it early: waking the thread for each span would cost
                // the calls more than the spans do.
                if (queue_.size() == 1 || queue_.size() == options_.chunk_max)
                    arrived_.notify_one();
                return;
            }
        }
        drop(1, "queue_full");
    }

    std::uint64_t dropped() const override {
        return dropped_ + (options_.exporter ? options_.exporter->dropped() : 0);
    }

private:
    void drop(std::size_t count, const char* reason) {
        dropped_ += count;
        if (options_.metrics != nullptr)
            options_.metrics->count(Counter::spans_dropped, {reason}, static_cast<double>(count));
    }

    /// Runs until it is told to stop and the queue is empty.
    void work(const std::stop_token& stop) {
        std::vector<FinishedSpan> batch;
        for (;;) {
            batch.clear();
            {
                std::unique_lock lock(mutex_);
                arrived_.wait(lock, stop, [this] { return !queue_.empty(); });
                if (queue_.empty())
                    return;
                arrived_.wait_for(lock, stop, gathering, [this] {
                    return queue_.size() >= options_.chunk_max;
                });
                while (!queue_.empty() && batch.size() < options_.chunk_max) {
                    batch.push_back(std::move(queue_.front()));
                    queue_.pop_front();
                }
            }
            keep(batch);
        }
    }

    void keep(const std::vector<FinishedSpan>& batch) {
        constexpr std::size_t usual = 1'500; // bytes of a span
        std::string spans;
        spans.reserve(batch.size() * usual);
        for (const auto& span : batch)
            append_span(spans, span);
        const bool written = file_.append(otlp_request(options_.resource, spans));
        if (options_.exporter)
            options_.exporter->offer(std::move(spans), batch.size());
        if (!written)
            drop(batch.size(), "not_written");
        if (!written && !failing_)
            base::log_warning("spans.not_written", {{"service", name_}});
        failing_ = !written;
    }

    const std::string name_;
    const FileSpanOptions options_;
    RotatingFile file_;    // the thread's
    bool failing_ = false; // the thread's
    std::atomic<std::uint64_t> dropped_ = 0;
    std::mutex mutex_;
    std::condition_variable_any arrived_;
    std::deque<FinishedSpan> queue_;
    std::jthread thread_; // last: it starts when all else stands and ends first
};

/// Of a program whose operator wants no spans.
class NoSpans final : public SpanSink {
public:
    void write(FinishedSpan) override {}
    bool keeps() const override { return false; }
};

} // namespace

std::unique_ptr<SpanSink> make_file_span_sink(
    const std::string& directory, const std::string& name, FileSpanOptions options
) {
    if (options.resource.empty())
        options.resource = make_resource(name);
    return std::make_unique<FileSpanSink>(directory, name, std::move(options));
}

std::unique_ptr<SpanSink> make_span_sink(
    const std::string& directory,
    const std::string& program,
    OtlpSettings settings,
    base::Clock& clock,
    base::Random& random,
    Metrics* metrics
) {
    for (const auto& warning : settings.warnings)
        base::log_warning("spans.setting_ignored", {{"why", warning}});
    if (settings.disabled)
        return std::make_unique<NoSpans>();
    if (metrics != nullptr) // so that a first loss shows as a rise, not as a new series
        for (const char* reason : loss_reasons)
            metrics->count(Counter::spans_dropped, {reason}, 0);
    FileSpanOptions options;
    options.metrics = metrics;
    options.resource = settings.resource;
    options.chunk_max = std::min(base::limits::span_batch_max, settings.batch_max);
    if (!settings.url.empty())
        options.exporter = OtlpExporter::start(std::move(settings), clock, random, metrics);
    return make_file_span_sink(directory, program, std::move(options));
}

} // namespace interlock::telemetry
