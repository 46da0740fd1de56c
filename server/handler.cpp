#include "server/handler.hpp"

#include "base/limits.hpp"

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace interlock::server {
namespace {

/// The answers of one message (several for a batch), and the one moment when all are there.
class Gathering {
public:
    Gathering(Reply reply, bool batch, std::size_t count, Send send)
        : reply_(std::move(reply)),
          batch_(batch),
          answers_(count),
          missing_(count),
          send_(std::move(send)) {}

    /// nullopt: this part is answered with silence.
    void put(std::size_t index, std::optional<std::string> answer) {
        {
            const std::lock_guard lock(mutex_);
            answers_[index] = std::move(answer);
            if (--missing_ > 0) {
                return;
            }
        }
        for (auto& each : answers_) {
            if (each) {
                reply_.body += reply_.body.empty() ? "" : ",";
                reply_.body += *each;
            }
        }
        if (batch_ && !reply_.body.empty()) {
            reply_.body = "[" + reply_.body + "]";
        }
        send_(std::move(reply_));
    }
    /// Only before the last put(): a single call that was turned away.
    void turn_away() {
        if (!batch_) {
            reply_.status = 503;
            reply_.retry_after = base::limits::busy_retry_after;
        }
    }

private:
    std::mutex mutex_;
    Reply reply_;
    bool batch_;
    std::vector<std::optional<std::string>> answers_;
    std::size_t missing_;
    Send send_;
};

RpcError admission_error(Admission admission) {
    switch (admission) {
    case Admission::busy:
        return {rpc::internal_error, "The server is busy; try again in a second.", {}};
    case Admission::stopping:
        return {rpc::internal_error, "The server is stopping; try again elsewhere or later.", {}};
    case Admission::duplicate:
        return {rpc::invalid_request, "A request with this id is still under way.", {}};
    case Admission::accepted:
        break;
    }
    return {rpc::internal_error, "The call was not accepted.", {}};
}

} // namespace

MessageHandler::MessageHandler(Protocol& protocol, Dispatcher& dispatcher, CallRunner& runner)
    : protocol_(protocol), dispatcher_(dispatcher), runner_(runner) {}

void MessageHandler::handle(
    std::string_view bytes, const Arrival& arrival, const std::stop_token& gone, Send send
) {
    Reaction reaction = protocol_.receive(bytes, arrival);
    for (const std::string& key : reaction.cancelled) {
        dispatcher_.cancel(key);
    }
    Reply reply;
    reply.status = reaction.status;
    reply.session = std::move(reaction.session);
    if (reaction.parts.empty()) {
        send(std::move(reply));
        return;
    }
    const auto gathering = std::make_shared<Gathering>(
        std::move(reply), reaction.batch, reaction.parts.size(), std::move(send)
    );
    for (std::size_t i = 0; i < reaction.parts.size(); ++i) {
        if (auto* ready = std::get_if<std::string>(&reaction.parts[i])) {
            gathering->put(i, std::move(*ready));
            continue;
        }
        std::shared_ptr<ToolCall> call = std::move(std::get<1>(reaction.parts[i]));
        const Admission admission = dispatcher_.submit(
            call->key,
            [this, call, gathering, i](const CallControl& control) -> Deliver {
                auto answer =
                    std::make_shared<std::optional<std::string>>(runner_.run(*call, control));
                return [gathering, i, answer] { gathering->put(i, std::move(*answer)); };
            },
            call->cancel_on_disconnect ? gone : std::stop_token{}
        );
        if (admission == Admission::accepted) {
            continue;
        }
        const RpcError error = admission_error(admission);
        call->span.fail(std::to_string(error.code), error.message);
        if (admission != Admission::duplicate) {
            gathering->turn_away();
        }
        gathering->put(i, render_error(call->id, error));
    }
}

} // namespace interlock::server
