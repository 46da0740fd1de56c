#include "server/handler.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"

#include <exception>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace interlock::server {
namespace {

/// The answers of one message (several for a batch), and the one moment when all are there.
class Gathering {
public:
    Gathering(Reply reply, bool batch, std::size_t count, std::shared_ptr<Outlet> outlet)
        : reply_(std::move(reply)),
          batch_(batch),
          answers_(count),
          missing_(count),
          outlet_(std::move(outlet)) {}

    const std::shared_ptr<Outlet>& outlet() const { return outlet_; }

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
            if (each && reply_.body.empty()) {
                reply_.body = std::move(*each); // nearly always the only one, and perhaps long
            } else if (each) {
                reply_.body += "," + *each;
            }
        }
        if (batch_ && !reply_.body.empty()) {
            reply_.body = "[" + reply_.body + "]";
        }
        outlet_->finish(std::move(reply_));
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
    const bool batch_;
    std::vector<std::optional<std::string>> answers_;
    std::size_t missing_;
    const std::shared_ptr<Outlet> outlet_;
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

/// What could not be handed to a worker is answered here.
void turn_down(
    Admission admission, const std::string& id, Gathering& gathering, std::size_t index
) {
    if (admission != Admission::duplicate) {
        gathering.turn_away();
    }
    gathering.put(index, render_error(id, admission_error(admission)));
}

/// What a worker makes of a deferred request; a listen is the hub's from then on.
Deliver settle(
    Hub& hub,
    const Deferred& deferred,
    const std::shared_ptr<Gathering>& gathering,
    std::size_t index,
    const CallControl& control,
    const std::stop_token& gone
) {
    const auto given_up = [&] {
        return control.reason() == StopReason::cancelled ||
               control.reason() == StopReason::client_gone;
    };
    std::variant<std::string, Listen> settled;
    if (given_up()) {
        return [gathering, index] { gathering->put(index, std::nullopt); };
    }
    try {
        settled = deferred.settle();
    } catch (const std::exception& problem) {
        base::log_error("call.exception", {{"what", problem.what()}});
        settled = render_error(
            deferred.id, {rpc::internal_error, "The call failed inside Interlock.", {}}
        );
    }
    if (auto* listen = std::get_if<Listen>(&settled)) {
        hub.listen(std::move(*listen), gathering->outlet(), gone);
        // Who cancelled meanwhile looked for it in the hub before it was there, or finds it.
        if (given_up()) {
            hub.cancel(deferred.key);
        }
        return {};
    }
    return [gathering, index, answer = std::get<std::string>(std::move(settled))]() mutable {
        gathering->put(index, std::move(answer));
    };
}

/// Hands a request to a worker who has time for the disk.
void submit(
    const HandlerParts& parts,
    Deferred deferred,
    const std::shared_ptr<Gathering>& gathering,
    std::size_t index,
    const std::stop_token& gone,
    const Charge& charge
) {
    const auto kept = std::make_shared<const Deferred>(std::move(deferred));
    const Admission admission = parts.dispatcher.submit(
        kept->key,
        [&hub = parts.hub, kept, gathering, index, gone](CallControl& control) {
            return settle(hub, *kept, gathering, index, control, gone);
        },
        kept->listens ? gone : std::stop_token{},
        charge
    );
    if (admission != Admission::accepted) {
        turn_down(admission, kept->id, *gathering, index);
    }
}

/// Hands a job to a worker; what cannot be taken is answered here.
void submit(
    const HandlerParts& parts,
    const std::shared_ptr<Job>& job,
    const std::shared_ptr<Gathering>& gathering,
    std::size_t index,
    const std::stop_token& gone,
    const Charge& charge
) {
    const Admission admission = parts.dispatcher.submit(
        job->key,
        [&runner = parts.runner, job, gathering, index](CallControl& control) -> Deliver {
            auto served = runner.run(*job, control, gathering->outlet());
            const bool waits = served.waits;
            Rest rest = [job, gathering, index, answer = std::move(served.answer)]() -> Deliver {
                auto said = std::make_shared<std::optional<std::string>>(answer());
                return [gathering, index, said] { gathering->put(index, std::move(*said)); };
            };
            if (!waits) {
                return rest();
            }
            control.answer_later(std::move(rest));
            return {};
        },
        job->cancel_on_disconnect ? gone : std::stop_token{},
        charge
    );
    if (admission != Admission::accepted) {
        const RpcError error = admission_error(admission);
        job->span.fail(std::to_string(error.code), error.message);
        turn_down(admission, job->id, *gathering, index);
    }
}

/// What each of `parts` requests in a message so long costs: the tree, and the arguments as text
/// again. Without authorization all callers are one, and nobody needs a share kept.
Charge charge_for(const Access& access, std::size_t message_bytes, std::size_t parts) {
    const std::size_t bytes = base::json_tree_bytes(message_bytes) + message_bytes;
    return {access.scopes ? session_owner(access.identity) : std::string{}, bytes / parts};
}

} // namespace

MessageHandler::MessageHandler(HandlerParts parts) : parts_(parts) {}

void MessageHandler::handle(
    std::string_view bytes,
    const Arrival& arrival,
    const std::stop_token& gone,
    const MakeOutlet& make_outlet
) {
    Reaction reaction = parts_.protocol.receive(bytes, arrival);
    auto outlet = make_outlet(reaction);
    // A batch may cancel what it has asked for itself: in the order in which it says so.
    auto cancelled = reaction.cancelled.begin();
    const auto cancel_before = [&](std::size_t part) {
        for (; cancelled != reaction.cancelled.end() && cancelled->before <= part; ++cancelled) {
            // Both: a worker may be turning a request into a listen just now.
            parts_.dispatcher.cancel(cancelled->key);
            parts_.hub.cancel(cancelled->key);
        }
    };
    cancel_before(0);
    for (const ClientAnswer& answer : reaction.answers) {
        parts_.questions.answer(answer);
    }
    Reply reply;
    reply.status = reaction.status;
    reply.session = std::move(reaction.session);
    reply.challenge = std::move(reaction.challenge);
    if (reaction.parts.empty()) {
        outlet->finish(std::move(reply));
        return;
    }
    // Batches are older than listening: a listen is always alone.
    if (auto* listen = std::get_if<Listen>(&reaction.parts.front())) {
        parts_.hub.listen(std::move(*listen), std::move(outlet), gone);
        return;
    }
    const auto gathering = std::make_shared<Gathering>(
        std::move(reply), reaction.batch, reaction.parts.size(), std::move(outlet)
    );
    const Charge charge = charge_for(arrival.access, bytes.size(), reaction.parts.size());
    for (std::size_t i = 0; i < reaction.parts.size(); ++i) {
        cancel_before(i);
        Part& part = reaction.parts[i];
        if (auto* job = std::get_if<std::unique_ptr<Job>>(&part)) {
            submit(parts_, std::shared_ptr<Job>(std::move(*job)), gathering, i, gone, charge);
        } else if (auto* deferred = std::get_if<Deferred>(&part)) {
            submit(parts_, std::move(*deferred), gathering, i, gone, charge);
        } else if (auto* ready = std::get_if<std::string>(&part)) {
            gathering->put(i, std::move(*ready));
        }
    }
    cancel_before(reaction.parts.size());
}

void MessageHandler::session_ended(const std::string& id) {
    parts_.dispatcher.cancel_all(cancel_prefix(id));
}

} // namespace interlock::server
