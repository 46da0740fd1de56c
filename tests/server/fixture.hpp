// The server's core in memory: protocol, workers, audit and a few tools of known behaviour, without
// a socket, a database or a clock that moves by itself.
#pragma once

#include "server/call.hpp"
#include "server/dispatch.hpp"
#include "server/handler.hpp"
#include "server/protocol.hpp"
#include "telemetry/audit_log.hpp"
#include "tests/support/fakes.hpp"
#include "tools/evidence_store.hpp"
#include "tools/schema.hpp"
#include "tools/targets.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace interlock::test {

inline constexpr std::chrono::seconds patience{20}; // for a condition, on a busy machine

/// Remembers what was appended; refuses on demand.
class MemoryAudit final : public telemetry::AuditWriter {
public:
    base::Result<std::uint64_t> append(telemetry::AuditEntry entry) override {
        const std::lock_guard lock(mutex_);
        if (entries_.size() >= allowed_) {
            return base::Error{base::Errc::store_full, "The disk is full.", "Free some space."};
        }
        entries_.push_back(std::move(entry));
        return entries_.size() - 1;
    }
    std::vector<telemetry::AuditEntry> entries() const {
        const std::lock_guard lock(mutex_);
        return entries_;
    }
    /// From now on at most `count` entries in all are taken.
    void allow(std::size_t count) {
        const std::lock_guard lock(mutex_);
        allowed_ = count;
    }

private:
    mutable std::mutex mutex_;
    std::vector<telemetry::AuditEntry> entries_;
    std::size_t allowed_ = static_cast<std::size_t>(-1);
};

/// Remembers finished spans.
class MemorySpans final : public telemetry::SpanSink {
public:
    void write(telemetry::FinishedSpan span) override {
        const std::lock_guard lock(mutex_);
        spans_.push_back(std::move(span));
    }
    /// The first span of this name, if it has ended.
    std::optional<telemetry::FinishedSpan> find(const std::string& name) const {
        const std::lock_guard lock(mutex_);
        for (const auto& span : spans_) {
            if (span.name == name) {
                return span;
            }
        }
        return std::nullopt;
    }

private:
    mutable std::mutex mutex_;
    std::vector<telemetry::FinishedSpan> spans_;
};

/// Randomness for several threads; different on every call.
class SharedRandom final : public base::Random {
public:
    std::string bytes(std::size_t count) override {
        const std::lock_guard lock(mutex_);
        return counting_.bytes(count);
    }

private:
    std::mutex mutex_;
    CountingRandom counting_;
};

inline std::string text_schema() {
    return tools::output_schema_of(R"({"text":{"type":"string"}})", {"text"});
}

/// Waits until it is stopped, then answers as a stopped tool does.
inline base::Result<tools::Output> wait_for_stop_request(tools::Context&, const tools::Call& call) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, call.stop, patience, [] { return false; });
    return base::Error{base::Errc::cancelled, "The statement was cancelled.", ""};
}

/// `echo` (text in, the same out), `fails` (a tool error), `waits` (until stopped), `throws`.
inline std::vector<tools::Tool> example_tools() {
    const auto echo = [](tools::Context&, const tools::Call& call) -> base::Result<tools::Output> {
        tools::Output output;
        output.text = call.arguments.text("text");
        output.structured = R"({"text":")" + output.text + R"("})";
        return output;
    };
    const auto fails = [](tools::Context&, const tools::Call&) -> base::Result<tools::Output> {
        return base::Error{
            base::Errc::target_busy, "The target is busy.", "Try again in a moment."};
    };
    const auto throws = [](tools::Context&, const tools::Call&) -> base::Result<tools::Output> {
        throw std::runtime_error("a library's secret");
    };
    return {
        {.name = "echo",
         .title = "Echo",
         .summary = "Gives back its text.",
         .domain = "triage",
         .inputs = {{.name = "text", .required = true, .length_max = 20, .example = "hello"}},
         .output_schema = text_schema,
         .run = echo},
        {.name = "fails",
         .title = "Fails",
         .summary = "Always fails.",
         .domain = "postgres",
         .read_only = false,
         .output_schema = text_schema,
         .run = fails},
        {.name = "waits",
         .title = "Waits",
         .summary = "Waits until it is stopped.",
         .domain = "postgres",
         .output_schema = text_schema,
         .run = wait_for_stop_request},
        {.name = "throws",
         .title = "Throws",
         .summary = "Throws.",
         .domain = "postgres",
         .output_schema = text_schema,
         .run = throws}};
}

/// Collects the replies of messages, in the order they come. Copies share one collection.
class Replies {
public:
    server::Send receiver() {
        return [shared = shared_](server::Reply reply) {
            const std::lock_guard lock(shared->mutex);
            shared->replies.push_back(std::move(reply));
            shared->arrived.notify_all();
        };
    }
    /// The first `count` replies; throws when they do not come.
    std::vector<server::Reply> wait(std::size_t count) {
        std::unique_lock lock(shared_->mutex);
        const bool came = shared_->arrived.wait_for(lock, patience, [&] {
            return shared_->replies.size() >= count;
        });
        if (!came) {
            throw std::runtime_error("a reply did not come");
        }
        return shared_->replies;
    }
    std::size_t count() const {
        const std::lock_guard lock(shared_->mutex);
        return shared_->replies.size();
    }

private:
    struct Shared {
        std::mutex mutex;
        std::condition_variable arrived;
        std::vector<server::Reply> replies;
    };
    std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

struct Core {
    explicit Core(
        server::DispatcherOptions options = {},
        std::vector<tools::Tool> offered = example_tools(),
        std::vector<db::TargetAddress> addresses = {}
    )
        : tracer(spans, clock, random),
          targets(std::move(addresses), clock, metrics),
          evidence(open_evidence()),
          context{targets, *evidence, metrics, tracer, clock, random},
          tools(std::move(offered)),
          runner(context, tools, audit),
          protocol({tools, tracer, metrics, clock, random}),
          dispatcher(clock, options),
          handler(protocol, dispatcher, runner) {}

    /// One message in, its reply out.
    server::Reply ask(const std::string& bytes, const server::Arrival& arrival) {
        Replies replies;
        handler.handle(bytes, arrival, {}, replies.receiver());
        return replies.wait(1).front();
    }
    server::Arrival stdio() {
        server::Arrival arrival;
        arrival.identity = {"os:tester", "os", "os_user", "", "", {}};
        arrival.process = &process;
        return arrival;
    }
    static server::Arrival http(server::RequestHeaders headers = {}) {
        server::Arrival arrival;
        arrival.transport = server::Transport::http;
        arrival.identity = {"os:tester", "loopback", "none", "", "", {}};
        arrival.headers = std::move(headers);
        return arrival;
    }

    ManualClock clock;
    SharedRandom random;
    TemporaryDirectory directory;
    telemetry::Metrics metrics;
    MemorySpans spans;
    telemetry::Tracer tracer;
    tools::Targets targets;
    std::unique_ptr<tools::EvidenceStore> evidence;
    tools::Context context;
    MemoryAudit audit;
    server::ToolBox tools;
    server::CallRunner runner;
    server::Protocol protocol;
    server::LegacySession process;
    server::Dispatcher dispatcher; // joined before what its work uses goes away
    server::MessageHandler handler;

private:
    std::unique_ptr<tools::EvidenceStore> open_evidence() {
        auto opened = tools::open_evidence_directory(directory.file("evidence"), clock);
        if (!opened) {
            throw std::runtime_error(base::to_text(opened.error()));
        }
        return std::move(opened).value();
    }
};

/// params._meta of a modern request.
inline std::string modern_meta(const std::string& version = "2026-07-28") {
    return R"("_meta":{"io.modelcontextprotocol/protocolVersion":")" + version +
           R"(","io.modelcontextprotocol/clientCapabilities":{}})";
}

inline server::RequestHeaders modern_headers(
    const std::string& method,
    const std::string& name = {},
    const std::string& version = "2026-07-28"
) {
    server::RequestHeaders headers;
    headers.version = {1, version};
    headers.method = {1, method};
    if (!name.empty()) {
        headers.name = {1, name};
    }
    return headers;
}

} // namespace interlock::test
