// The whole server in memory with tools that talk while they work, for tests of transports; and a
// plain socket that says exactly what a test wants said.
#pragma once

#include "base/clock.hpp"
#include "server/handler.hpp"
#include "tests/base/http_raw_client.hpp"
#include "tests/server/protocol_fixture.hpp"

#include <condition_variable>
#include <mutex>

namespace interlock::test {

/// Something that happens once, waited for by tools and tests.
class Moment {
public:
    void come() {
        const std::lock_guard lock(mutex_);
        here_ = true;
        changed_.notify_all();
    }
    /// False when it did not come in time, or `stop` was requested first.
    bool wait(const std::stop_token& stop = {}) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, stop, std::chrono::seconds(20), [&] { return here_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool here_ = false;
};

inline server::Outcome<server::ToolAnswer> says(const std::string& text) {
    return server::ToolAnswer{R"([{"type":"text","text":")" + text + R"("}])", "", false, ""};
}

struct TransportRoom {
    explicit TransportRoom(server::DispatcherOptions options = {})
        : room(talking_offer()), hub(room.sessions, clock), dispatcher(clock, options) {
        room.catalogue.on_change([this](const server::OfferChange& change) {
            hub.lists_changed(change);
        });
    }
    ~TransportRoom() { end(); }
    void end() {
        go_on.come();
        dispatcher.drain(std::chrono::milliseconds(0));
        hub.close();
        room.sessions.close();
    }

    static telemetry::Identity user() { return {"os:tester", "os", "os_user", "", "", {}}; }

    /// `echo` (domain triage), `guarded` (domain postgres), `talks` (logs "first", waits for go_on,
    /// logs "second", answers), `asks` (elicits), `pauses` (lets the connection go, waits for
    /// go_on, answers), `waits` (until it is stopped), `holds` (says nothing until go_on).
    server::Offer talking_offer() {
        server::Offer offer = protocol::plain_offer();
        offer.tools = {protocol::tool("echo", "triage"), protocol::tool("guarded", "postgres")};
        for (const char* name : {"talks", "asks", "pauses", "waits", "holds"}) {
            offer.tools.push_back(protocol::tool(name));
        }
        offer.logging = true;
        offer.changes = true;
        offer.tools[0].run = offer.tools[1].run = [](server::Conversation&, const base::Json&) {
            return says("echoed");
        };
        offer.tools[2].run = [this](server::Conversation& call, const base::Json&) {
            call.log(server::LogSeverity::info, "test", R"("first")");
            go_on.wait();
            call.log(server::LogSeverity::info, "test", R"("second")");
            return says("talked");
        };
        offer.tools[3].run = [](server::Conversation& call, const base::Json&) {
            const auto asked = call.ask(
                "name",
                {"elicitation/create",
                 R"({"message":"Who?","requestedSchema":{"type":"object","properties":{}}})"}
            );
            return says(asked.state == server::AskState::answered ? "answered" : "not answered");
        };
        offer.tools[4].run = [this](server::Conversation& call, const base::Json&) {
            call.pause_stream(std::chrono::milliseconds(7));
            go_on.wait();
            return says("after the pause");
        };
        offer.tools[5].run = [this](server::Conversation& call, const base::Json&) {
            waiting.come();
            Moment never;
            never.wait(call.stop());
            stopped.come();
            return says("stopped");
        };
        offer.tools[6].run = [this](server::Conversation&, const base::Json&) {
            go_on.wait();
            return says("held");
        };
        return offer;
    }

    Moment go_on;
    Moment waiting;
    Moment stopped;
    base::SystemClock clock;
    SharedRandom random;
    protocol::Room room;
    server::Questions questions;
    server::CallRunner runner{
        {room.states, room.tasks, questions, nullptr, room.metrics, clock, random}};
    server::Hub hub;
    server::Dispatcher dispatcher;
    server::MessageHandler handler{{room.protocol, dispatcher, runner, hub, questions}};
};

using base::RawClient;

} // namespace interlock::test
