#include "telemetry/otlp_exporter.hpp"

#include "base/http_client.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "telemetry/gzip.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <mutex>
#include <stop_token>
#include <thread>

#include <nlohmann/json.hpp>

namespace interlock::telemetry {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t told_chars_max = 200; // of a collector's words, in our log

struct Chunk {
    std::string spans;
    std::size_t count = 0;
};

/// What came of one try.
struct Outcome {
    enum class Kind { taken, again, refused } kind = Kind::taken;
    std::string why = {}; // for the log: never a header, never the URL's path
    std::optional<milliseconds> wait = {};
};

bool is_worth_another_try(unsigned status) {
    return status == 429 || status == 502 || status == 503 || status == 504;
}

std::string header_of(const base::HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
        if (base::lower_ascii(key) == name) {
            return value;
        }
    }
    return {};
}

class Exporter final : public OtlpExporter {
public:
    Exporter(
        OtlpSettings settings,
        base::Clock& clock,
        base::Random& random,
        Metrics* metrics,
        ExporterTimes times
    )
        : settings_(std::move(settings)),
          clock_(clock),
          random_(random),
          metrics_(metrics),
          times_(times),
          thread_([this](const std::stop_token& stop) { work(stop); }) {}

    ~Exporter() override {
        thread_.request_stop();
        {
            std::unique_lock lock(mutex_);
            ended_.wait_for(lock, times_.flush_max, [this] { return has_ended_; });
        }
        give_up_.request_stop(); // and the call that is under way with it
        thread_.join();
    }

    void offer(std::string spans, std::size_t count) override {
        {
            const std::lock_guard lock(mutex_);
            if (queued_ + count <= settings_.queue_max &&
                bytes_ + spans.size() <= base::limits::otlp_queue_bytes_max) {
                queued_ += count;
                bytes_ += spans.size();
                queue_.push_back({std::move(spans), count});
                if (queue_.size() == 1 || queued_ >= settings_.batch_max) {
                    arrived_.notify_one();
                }
                return;
            }
            pressed_ = true; // what there is goes now, full batch or not
        }
        arrived_.notify_one();
        drop(count, "export_queue_full");
    }

    std::uint64_t dropped() const override { return dropped_; }

private:
    void drop(std::size_t count, const char* reason) {
        dropped_ += count;
        if (metrics_ != nullptr) {
            metrics_->count(Counter::spans_dropped, {reason}, static_cast<double>(count));
        }
    }

    /// A problem is told once, and so is its end.
    void tell(const std::string& problem) {
        if (problem == problem_) {
            return;
        }
        problem_ = problem;
        if (problem.empty()) {
            base::log_info("spans.exported_again");
        } else {
            base::log_warning("spans.not_exported", {{"why", problem}});
        }
    }

    void work(const std::stop_token& stop) {
        while (const auto batch = next(stop)) {
            send(*batch, stop);
        }
        const std::lock_guard lock(mutex_);
        has_ended_ = true;
        ended_.notify_all();
    }

    /// nullopt: stopped, and nothing is left.
    std::optional<Chunk> next(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        arrived_.wait(lock, stop, [this] { return !queue_.empty(); });
        if (queue_.empty()) {
            return std::nullopt;
        }
        arrived_.wait_for(lock, stop, settings_.schedule_delay, [this] {
            return queued_ >= settings_.batch_max || pressed_;
        });
        pressed_ = false;
        Chunk batch;
        while (!queue_.empty()) {
            Chunk& first = queue_.front();
            if (batch.count > 0 && batch.count + first.count > settings_.batch_max) {
                break;
            }
            queued_ -= first.count;
            bytes_ -= first.spans.size();
            batch.count += first.count;
            batch.spans.append(batch.spans.empty() ? "" : ",").append(first.spans);
            queue_.pop_front();
        }
        return batch;
    }

    void send(const Chunk& batch, const std::stop_token& stop) {
        base::HttpCall call = request_of(batch);
        const auto until = clock_.ticks() + settings_.export_max;
        milliseconds pause = times_.retry_first;
        for (;;) {
            wait_until(hold_, stop);
            // When the program ends, each batch has one try, and none after the first that failed.
            if (give_up_.stop_requested() || (stop.stop_requested() && failed_since_stop_)) {
                drop(batch.count, "shutdown");
                return;
            }
            const Outcome outcome = try_once(call, batch.count);
            if (outcome.kind == Outcome::Kind::taken) {
                return;
            }
            tell(outcome.why);
            if (outcome.kind == Outcome::Kind::refused) {
                drop(batch.count, "export_refused");
                return;
            }
            const auto delay = outcome.wait.value_or(jittered(pause));
            pause = std::min(2 * pause, times_.retry_longest);
            hold_ = clock_.ticks() + std::min(delay, times_.hold_longest);
            failed_since_stop_ = stop.stop_requested();
            if (!stop.stop_requested() && hold_ > until) {
                drop(batch.count, "export_failed");
                return;
            }
        }
    }

    /// Sleeps; a stop ends it.
    void wait_until(base::Ticks time, const std::stop_token& stop) {
        const auto left = time - clock_.ticks();
        if (left.count() > 0) {
            std::unique_lock lock(mutex_);
            arrived_.wait_for(lock, stop, left, [] { return false; });
        }
    }

    /// Between half and the whole of it, so that many servers do not come back at once.
    milliseconds jittered(milliseconds pause) {
        const auto byte = static_cast<unsigned char>(random_.bytes(1).front());
        return pause / 2 + pause * byte / 510;
    }

    base::HttpCall request_of(const Chunk& batch) const {
        base::HttpCall call;
        call.method = "POST";
        call.url = settings_.url;
        call.headers = settings_.headers;
        call.headers.emplace_back("Content-Type", "application/json");
        call.body = otlp_request(settings_.resource, batch.spans);
        if (settings_.gzip) {
            if (auto packed = gzip(call.body); packed.ok()) {
                call.body = std::move(packed).value();
                call.headers.emplace_back("Content-Encoding", "gzip");
            }
        }
        call.authorities = settings_.authorities;
        call.response_bytes_max = base::limits::otlp_response_bytes_max;
        call.timeout = settings_.timeout;
        call.stop = give_up_.get_token();
        return call;
    }

    Outcome try_once(const base::HttpCall& call, std::size_t count) {
        const auto response = base::http_call(call);
        if (!response.ok()) {
            const auto code = response.error().code;
            const bool hopeless =
                code == base::Errc::invalid_input || code == base::Errc::limit_exceeded;
            return {
                hopeless ? Outcome::Kind::refused : Outcome::Kind::again,
                response.error().what,
                std::nullopt};
        }
        if (response->status >= 200 && response->status < 300) {
            take_verdict(response->body, count);
            return {};
        }
        Outcome outcome{
            Outcome::Kind::refused,
            "The collector answered with status " + std::to_string(response->status) + ".",
            std::nullopt};
        if (is_worth_another_try(response->status)) {
            outcome.kind = Outcome::Kind::again;
            outcome.wait = read_retry_after(header_of(*response, "retry-after"), clock_.now());
        }
        return outcome;
    }

    /// A collector that took the request may still have rejected some of its spans.
    void take_verdict(const std::string& body, std::size_t count) {
        std::size_t rejected = 0;
        std::string problem;
        const auto verdict = base::parse_json(body, base::limits::otlp_response_bytes_max);
        const base::Json* partial =
            verdict.ok() ? base::member(*verdict, "partialSuccess") : nullptr;
        if (partial != nullptr) {
            long long told = base::integer_member(*partial, "rejectedSpans").value_or(0);
            if (const auto text = base::string_member(*partial, "rejectedSpans")) {
                std::from_chars(text->data(), text->data() + text->size(), told);
            }
            rejected = std::min(static_cast<std::size_t>(std::max(told, 0LL)), count);
        }
        if (rejected > 0) {
            drop(rejected, "export_rejected");
            const auto words = base::string_member(*partial, "errorMessage").value_or("");
            problem = "The collector rejected spans: " +
                      base::cut_middle(base::sanitize(words), told_chars_max);
        }
        tell(problem);
        if (metrics_ != nullptr) {
            metrics_->count(Counter::spans_exported, {}, static_cast<double>(count - rejected));
        }
    }

    const OtlpSettings settings_;
    base::Clock& clock_;
    base::Random& random_;
    Metrics* const metrics_;
    const ExporterTimes times_;
    std::string problem_; // the thread's, like the next two
    base::Ticks hold_{};  // no try before this
    bool failed_since_stop_ = false;
    std::stop_source give_up_;
    std::atomic<std::uint64_t> dropped_ = 0;
    std::mutex mutex_;
    std::condition_variable_any arrived_;
    std::condition_variable ended_;
    bool has_ended_ = false;
    std::deque<Chunk> queue_;
    std::size_t queued_ = 0; // spans
    bool pressed_ = false;   // some did not fit
    std::size_t bytes_ = 0;
    std::jthread thread_; // last: it starts when all else stands and ends first
};

} // namespace

std::optional<milliseconds> read_retry_after(std::string_view text, base::Time now) {
    const std::string trimmed(base::trim(text));
    long long seconds = 0;
    const char* const end = trimmed.data() + trimmed.size();
    const auto [at, code] = std::from_chars(trimmed.data(), end, seconds);
    constexpr long long year = 365LL * 24 * 3600;
    if (!trimmed.empty() && code == std::errc() && at == end && seconds >= 0) {
        return std::chrono::seconds(std::min(seconds, year));
    }
    std::tm parts{};
    const char* rest = ::strptime(trimmed.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (trimmed.empty() || rest == nullptr || *rest != '\0') {
        return std::nullopt;
    }
    const auto date = base::Time{} + std::chrono::seconds(::timegm(&parts));
    return std::max(std::chrono::duration_cast<milliseconds>(date - now), milliseconds(0));
}

std::unique_ptr<OtlpExporter> OtlpExporter::start(
    OtlpSettings settings,
    base::Clock& clock,
    base::Random& random,
    Metrics* metrics,
    ExporterTimes times
) {
    return std::make_unique<Exporter>(std::move(settings), clock, random, metrics, times);
}

} // namespace interlock::telemetry
