// The server's core in memory: protocol, workers, hub, tasks, audit and an offer of known
// behaviour, without a socket, a database or a clock that moves by itself.
#pragma once

#include "server/call.hpp"
#include "server/catalogue.hpp"
#include "server/conversations.hpp"
#include "server/dispatch.hpp"
#include "server/handler.hpp"
#include "server/hub.hpp"
#include "server/protocol.hpp"
#include "telemetry/audit_log.hpp"
#include "tests/server/protocol_fixture.hpp"
#include "tests/support/fakes.hpp"
#include "tools/evidence_store.hpp"
#include "tools/targets.hpp"
#include "tools/tool.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace interlock::test {

using protocol::compiled;
using protocol::modern_headers;
using protocol::modern_meta;

inline constexpr std::chrono::seconds patience{20}; // for a condition, on a busy machine

/// Whether the condition came true while it was looked at.
inline bool eventually(const std::function<bool()>& condition) {
    base::SystemClock clock;
    const auto deadline = clock.ticks() + patience;
    while (!condition()) {
        if (clock.ticks() >= deadline) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

/// Remembers what was appended; refuses on demand, at once or when it is waited for.
class MemoryAudit final : public telemetry::AuditWriter {
public:
    base::Result<std::shared_ptr<telemetry::AuditTicket>> enqueue(telemetry::AuditEntry entry
    ) override {
        const std::lock_guard lock(mutex_);
        if (entries_.size() >= allowed_) {
            return full();
        }
        entries_.push_back(std::move(entry));
        return std::shared_ptr<telemetry::AuditTicket>(
            std::make_shared<Ticket>(*this, entries_.size() - 1)
        );
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
    /// The leaf of this index is taken, but will never reach the disk.
    void lose(std::size_t index) {
        const std::lock_guard lock(mutex_);
        lost_ = index;
    }
    /// Nobody who waits for a leaf hears of it before release().
    void hold() {
        const std::lock_guard lock(mutex_);
        held_ = true;
    }
    void release() {
        const std::lock_guard lock(mutex_);
        held_ = false;
        changed_.notify_all();
    }

private:
    struct Ticket final : telemetry::AuditTicket {
        Ticket(MemoryAudit& its_audit, std::size_t its_index)
            : audit(its_audit), index(its_index) {}
        base::Result<std::uint64_t> wait() override {
            std::unique_lock lock(audit.mutex_);
            audit.changed_.wait_for(lock, patience, [this] { return !audit.held_; });
            if (index == audit.lost_) {
                return full();
            }
            return index;
        }
        MemoryAudit& audit;
        const std::size_t index;
    };
    static base::Error full() {
        return {base::Errc::store_full, "The disk is full.", "Free some space."};
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<telemetry::AuditEntry> entries_;
    std::size_t allowed_ = static_cast<std::size_t>(-1);
    std::optional<std::size_t> lost_;
    bool held_ = false;
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

/// Closed until it is opened; who waits may also be stopped.
class Gate {
public:
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    /// False when it was stopped first, or stayed closed for too long.
    bool wait(const std::stop_token& stop = {}) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, stop, patience, [&] { return open_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool open_ = false;
};

/// A way back that remembers everything that went out.
class RecordingOutlet final : public server::Outlet {
public:
    bool push(std::string message) override {
        return record([&] {
            if (!closed_ && replies_.empty()) {
                pushed_.push_back(std::move(message));
                return true;
            }
            ++lost_;
            return false;
        });
    }
    void finish(server::Reply reply) override {
        record([&] {
            replies_.push_back(std::move(reply));
            return true;
        });
    }
    void pause(std::chrono::milliseconds retry) override {
        record([&] {
            paused_ = retry;
            return true;
        });
    }
    void keep_alive() override {
        record([&] {
            ++kept_alive_;
            return true;
        });
    }
    /// From now on nothing can be pushed: the client takes no stream.
    void close() {
        record([&] {
            closed_ = true;
            return true;
        });
    }

    /// The first reply; throws when none comes.
    server::Reply reply() {
        wait("a reply did not come", [&] { return !replies_.empty(); });
        const std::lock_guard lock(mutex_);
        return replies_.front();
    }
    /// What was said before the answer, once it is at least this much; throws when it is not.
    std::vector<std::string> pushed(std::size_t count = 0) {
        wait("something was not said", [&] { return pushed_.size() >= count; });
        const std::lock_guard lock(mutex_);
        return pushed_;
    }
    /// Until it was kept alive this often; throws when it was not.
    void wait_kept_alive(std::size_t count) {
        wait("it was not kept alive", [&] { return kept_alive_ >= count; });
    }
    std::size_t finished() const {
        const std::lock_guard lock(mutex_);
        return replies_.size();
    }
    std::size_t lost() const {
        const std::lock_guard lock(mutex_);
        return lost_;
    }
    std::chrono::milliseconds paused() const {
        const std::lock_guard lock(mutex_);
        return paused_;
    }

private:
    template <class Change>
    bool record(const Change& change) {
        const std::lock_guard lock(mutex_);
        const bool result = change();
        changed_.notify_all();
        return result;
    }
    template <class Condition>
    void wait(const char* failure, const Condition& condition) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, patience, condition)) {
            throw std::runtime_error(failure);
        }
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> pushed_;
    std::vector<server::Reply> replies_;
    std::size_t lost_ = 0;
    std::size_t kept_alive_ = 0;
    std::chrono::milliseconds paused_{0};
    bool closed_ = false;
};
using OutletPointer = std::shared_ptr<RecordingOutlet>;

// --- Offers --------------------------------------------------------------------------------------

using ToolOutcome = server::Outcome<server::ToolAnswer>;
using ToolHandler = std::function<ToolOutcome(server::Conversation&, const base::Json&)>;

/// A JSON string of text without control characters.
inline std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (const char letter : text) {
        out += letter == '"' || letter == '\\' ? "\\" : "";
        out += letter;
    }
    return out + "\"";
}

inline server::ToolAnswer text_answer(const std::string& text) {
    server::ToolAnswer answer;
    answer.content = R"([{"type":"text","text":)" + json_string(text) + "}]";
    return answer;
}

inline server::OfferedTool
example_tool(std::string name, ToolHandler run, server::TaskSupport tasks = {}) {
    auto tool = protocol::tool(std::move(name));
    tool.tasks = tasks;
    tool.run = std::move(run);
    return tool;
}

/// Waits until it is stopped, then answers as a stopped tool does.
inline ToolOutcome wait_for_stop(server::Conversation& conversation, const base::Json&) {
    Gate never;
    never.wait(conversation.stop());
    auto answer = text_answer("The statement was cancelled.");
    answer.is_error = true;
    answer.error_code = "cancelled";
    return answer;
}

/// `echo` (text in, the same out, structured too), `fails` (a tool error), `waits` (until it is
/// stopped), `throws`.
inline server::Offer example_offer() {
    server::Offer offer = protocol::plain_offer();
    const auto echo = [](server::Conversation&, const base::Json& arguments) -> ToolOutcome {
        const auto text = base::string_member(arguments, "text").value_or("");
        auto answer = text_answer(text);
        answer.structured = R"({"text":)" + json_string(text) + "}";
        return answer;
    };
    const auto fails = [](server::Conversation&, const base::Json&) -> ToolOutcome {
        auto answer = text_answer("The target is busy.");
        answer.is_error = true;
        answer.error_code = "target_busy";
        return answer;
    };
    const auto throws = [](server::Conversation&, const base::Json&) -> ToolOutcome {
        throw std::runtime_error("a library's secret");
    };
    offer.tools = {
        example_tool("echo", echo),
        example_tool("fails", fails),
        example_tool("waits", wait_for_stop),
        example_tool("throws", throws)};
    return offer;
}

/// The example offer and more tools.
inline server::Offer offer_with(std::vector<server::OfferedTool> tools) {
    server::Offer offer = example_offer();
    for (auto& tool : tools) {
        offer.tools.push_back(std::move(tool));
    }
    return offer;
}

// --- The core ------------------------------------------------------------------------------------

inline telemetry::Identity tester() {
    return {"os:tester", "os", "os_user", "", "", {}};
}

/// What tools work with: targets, evidence and their company.
struct ToolRoom {
    explicit ToolRoom(std::vector<db::TargetAddress> addresses = {})
        : tracer(spans, clock, random),
          targets(std::move(addresses), clock, metrics),
          evidence(open_evidence()),
          context{targets, *evidence, metrics, tracer, clock, random} {}

    SharedClock clock;
    SharedRandom random;
    TemporaryDirectory directory;
    telemetry::Metrics metrics;
    MemorySpans spans;
    telemetry::Tracer tracer;
    tools::Targets targets;
    std::unique_ptr<tools::EvidenceStore> evidence;
    tools::Context context;

private:
    std::unique_ptr<tools::EvidenceStore> open_evidence() {
        auto opened = tools::open_evidence_directory(directory.file("evidence"), clock);
        if (!opened) {
            throw std::runtime_error(base::to_text(opened.error()));
        }
        return std::move(opened).value();
    }
};

struct Core : ToolRoom {
    explicit Core(
        server::DispatcherOptions options = {},
        server::Offer offered = example_offer(),
        std::vector<db::TargetAddress> addresses = {}
    )
        : ToolRoom(std::move(addresses)),
          catalogue(compiled(std::move(offered))),
          dispatcher(clock, options) {
        catalogue.on_change([this](const server::OfferChange& change) { hub.lists_changed(change); }
        );
        tasks.on_change([this](const auto& subject, const auto& id, const auto& task) {
            hub.task_changed(subject, id, task);
        });
    }

    /// One message in; what goes out is on the outlet.
    OutletPointer
    send(const std::string& bytes, const server::Arrival& arrival, std::stop_token gone = {}) {
        auto outlet = std::make_shared<RecordingOutlet>();
        handler.handle(bytes, arrival, gone, [&](const server::Reaction&) { return outlet; });
        return outlet;
    }
    /// One message in, its reply out.
    server::Reply ask(const std::string& bytes, const server::Arrival& arrival) {
        return send(bytes, arrival)->reply();
    }
    server::Arrival stdio() const {
        return {server::Transport::stdio, {tester(), {}, {}}, {}, process};
    }
    static server::Arrival http(server::RequestHeaders headers = {}) {
        return {server::Transport::http, {tester(), {}, {}}, std::move(headers), nullptr};
    }
    /// Opens a legacy session on stdio. `capabilities`: JSON text.
    void initialize(const std::string& capabilities = "{}") {
        ask(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{)"
            R"("protocolVersion":"2025-11-25","capabilities":)" +
                capabilities + "}}",
            stdio());
    }

    MemoryAudit audit;
    server::Catalogue catalogue;
    server::Sessions sessions{clock, random};
    server::Tasks tasks{clock, random};
    server::RequestStates states{clock, random};
    server::Questions questions;
    server::Hub hub{sessions, clock};
    server::CallRunner runner{{states, tasks, questions, &audit, metrics, clock, random}};
    server::Protocol protocol{{catalogue, sessions, tasks, states, tracer, metrics, clock}};
    server::SessionPointer process = std::make_shared<server::LegacySession>();
    server::Dispatcher dispatcher; // joined before what its work uses goes away
    server::MessageHandler handler{{protocol, dispatcher, runner, hub, questions}};
};

/// A tools/call of the example offer's client, who can answer all that is asked.
template <class Json = base::Json>
server::Job example_job(server::Era era, telemetry::Tracer& tracer, base::Clock& clock) {
    server::Client client;
    client.elicitation_form = client.sampling = client.tasks = true;
    return {
        .kind = server::JobKind::call_tool,
        .key = {},
        .id = "1",
        .method = "tools/call",
        .era = era,
        .transport = server::Transport::stdio,
        .version = {},
        .session = std::make_shared<server::LegacySession>("s1"),
        .name = "echo",
        .params = std::make_shared<const Json>(Json::object()),
        .arguments = "{}",
        .access = {tester(), {}, {}},
        .client = client,
        .offer = compiled(example_offer()),
        .progress_token = {},
        .log_level = {},
        .input_responses = nullptr,
        .remembered = {},
        .span = tracer.start("x", telemetry::SpanKind::server, {}),
        .received = clock.ticks()};
}

/// The text of a tools/call. `more`: further members of params, each followed by a comma.
inline std::string call_text(
    const std::string& tool,
    const std::string& arguments = "{}",
    const std::string& capabilities = "{}",
    const std::string& more = {},
    const std::string& id = "1"
) {
    return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"tools/call","params":{"name":")" +
           tool + R"(","arguments":)" + arguments + "," + more +
           modern_meta("2026-07-28", capabilities) + "}}";
}

/// What clients declare that know the tasks extension, and answer questions by forms.
inline const std::string task_capabilities =
    R"({"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}})";

/// Callers include <nlohmann/json.hpp>.
template <class Json = base::Json>
Json json(const std::string& text) {
    base::Result<Json> value = base::parse_json(text);
    if (!value) {
        throw std::runtime_error("not JSON: " + text);
    }
    return std::move(value).value();
}

} // namespace interlock::test
